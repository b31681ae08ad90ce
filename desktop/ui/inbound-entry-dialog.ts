/** One thing that a zone lets in: a service, ports, or whatever a program waits on; for one program, from somewhere. */
import type { InboundAllow } from '../../helper/contract/types.ts';
import type { HelperSession } from '../client/session.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { Window } from '../gtk.ts';
import { _, fill } from '../i18n.ts';
import { allowTitle } from '../model/inbound.ts';
import { INBOUND_PROTOCOLS, allowOf, checkInbound, inboundForm, sameAllow } from '../model/inbound-form.ts';
import type { InboundField, InboundForm } from '../model/inbound-form.ts';
import { OFFERED_SERVICES, inboundServiceName } from '../model/inbound-service.ts';
import type { FindProgram } from '../model/program-name.ts';
import { FormChoice } from './form-choice.ts';
import { FormEntry } from './form-entry.ts';
import { loadUi } from './load-ui.ts';
import { ModalDialog } from './modal-dialog.ts';
import { ProgramPicker } from './program-picker.ts';

export interface InboundEntryDeps {
  readonly session: HelperSession;
  readonly find: FindProgram;
  /** What is let in already, so that nothing stands there twice. */
  readonly others: readonly InboundAllow[];
}

const SERVICE = 'service:';

export class InboundEntryDialog {
  readonly #deps: InboundEntryDeps;
  readonly #done: (allow: InboundAllow) => void;
  readonly #ui = loadUi('inbound-entry-dialog');
  readonly #window = this.#ui.get('window', Adw.Window);
  readonly #what: FormChoice<string>;
  readonly #protocol: FormChoice<string>;
  readonly #fields: Readonly<Record<InboundField, FormEntry>>;
  readonly #dialog: ModalDialog;
  /** Messages wait until the person has tried once. */
  #tried = false;

  /** `before` null is a new one. `done` gets what was made. */
  constructor(deps: InboundEntryDeps, before: InboundAllow | null, done: (allow: InboundAllow) => void) {
    this.#deps = deps;
    this.#done = done;
    const title = before === null ? _('Let In') : _('Edit What Is Let In');
    this.#window.setTitle(title);
    this.#ui.get('title', Adw.WindowTitle).setTitle(title);
    const form = inboundForm(before);
    const list = this.#ui.get('fields', Gtk.ListBox);
    const changed = (): void => { this.#onChanged(); };
    const entry = (name: string): FormEntry => new FormEntry(list, name, changed, () => { this.#onDone(); });
    this.#what = new FormChoice(list, _('What'), whatChoices(form), changed);
    const port = entry(_('Ports, like 443 or 8000-8080'));
    this.#protocol = new FormChoice(list, _('Protocol'), INBOUND_PROTOCOLS.map((one) => [one, one === '' ? _('TCP and UDP') : one.toUpperCase()] as const), changed);
    this.#fields = { port, application: entry(_('Only for the program (empty: any)')), from: entry(_('Only from (empty: anywhere)')) };
    this.#addPicker();
    this.#fill(form);
    this.#ui.get('done', Gtk.Button).on('clicked', () => { this.#onDone(); });
    this.#dialog = new ModalDialog(this.#window, { cancel: this.#ui.get('cancel', Gtk.Button), focus: this.#what.row });
    this.#onChanged();
  }

  present(parent: Window): void {
    this.#dialog.present(parent);
  }

  get #form(): InboundForm {
    const what = this.#what.value ?? 'ports';
    const service = what.startsWith(SERVICE) ? what.slice(SERVICE.length) : '';
    return {
      kind: service !== '' ? 'service' : what === 'any' ? 'any' : 'ports', service, protocol: this.#protocol.value ?? 'tcp',
      port: this.#fields.port.text, application: this.#fields.application.text, from: this.#fields.from.text,
    };
  }

  #fill({ kind, service, port, protocol, application, from }: InboundForm): void {
    this.#what.select(kind === 'service' ? SERVICE + service : kind);
    this.#protocol.select(protocol);
    this.#fields.port.text = port;
    this.#fields.application.text = application;
    this.#fields.from.text = from;
  }

  #addPicker(): void {
    const { session, find } = this.#deps;
    const pick = this.#ui.get('pick', Gtk.Button);
    pick.on('clicked', () => {
      new ProgramPicker(session, find, ({ parts }) => {
        const { application } = this.#fields;
        application.text = parts.path ?? '';
        application.setError(parts.path === undefined ? _('Only a program with a path of its own can be named here.') : '');
        application.row.grabFocus();
      }).present(this.#window);
    });
    this.#fields.application.row.addSuffix(pick);
  }

  #onChanged(): void {
    const form = this.#form;
    this.#fields.port.setVisible(form.kind === 'ports');
    this.#protocol.setVisible(form.kind !== 'service');
    const errors = checkInbound(form);
    if (this.#tried) this.#showErrors(errors);
    this.#ui.get('preview', Gtk.Label).setLabel(errors.size > 0 ? '' : fill(_('Let in: {what}.'), { what: allowTitle(allowOf(form), this.#deps.find) }));
  }

  #showErrors(errors: ReadonlyMap<InboundField, string>): void {
    for (const field of ['port', 'application', 'from'] as const) this.#fields[field].setError(errors.get(field) ?? '');
    this.#ui.get('problem', Gtk.Label).setVisible(false);
  }

  #onDone(): void {
    this.#tried = true;
    const errors = checkInbound(this.#form);
    this.#showErrors(errors);
    const [first] = errors.keys();
    if (first !== undefined) {
      this.#fields[first].row.grabFocus();
      return;
    }
    const allow = allowOf(this.#form);
    if (this.#deps.others.some((other) => sameAllow(other, allow))) {
      const problem = this.#ui.get('problem', Gtk.Label);
      problem.setLabel(_('This is let in already.'));
      problem.setVisible(true);
      return;
    }
    this.#dialog.close();
    this.#done(allow);
  }
}

/** Ports go before the many services. One that is there and is not offered stays a choice. */
function whatChoices({ kind, service }: InboundForm): readonly (readonly [string, string])[] {
  const services = kind === 'service' && !OFFERED_SERVICES.includes(service) ? [...OFFERED_SERVICES, service] : OFFERED_SERVICES;
  return [['ports', _('Ports…')], ['any', _('Any port…')], ...services.map((name) => [SERVICE + name, inboundServiceName(name)] as const)];
}
