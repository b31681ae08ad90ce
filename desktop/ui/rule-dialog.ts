/** The rule editor. Mistakes are shown next to the fields; the sentence below says what the rule will do. */
import type { HelperSession } from '../client/session.ts';
import type { RuleInfo } from '../../helper/contract/types.ts';
import { RULE_ACTIONS } from '../../helper/contract/vocabulary.ts';
import { Adw, Gdk, Gtk } from '../gtk.ts';
import type { EntryRow, Window } from '../gtk.ts';
import { _, fill } from '../i18n.ts';
import { clockText } from '../model/durations.ts';
import { errorText } from '../model/error-text.ts';
import type { FindProgram } from '../model/prompt-text.ts';
import { checkForm, editOf, emptyForm, fieldOfMessage, FORM_LIFETIMES, formOf } from '../model/rule-form.ts';
import type { FormErrors, FormField, FormLifetime, RuleForm } from '../model/rule-form.ts';
import { actionName, ruleText } from '../model/rule-text.ts';
import { loadUi } from './load-ui.ts';

const ENTRIES = ['path', 'address', 'protocol', 'port', 'user', 'schedule', 'name', 'group', 'priority'] as const;
type EntryField = (typeof ENTRIES)[number];
/** Fields behind the expander: it opens when one of them is wrong. */
const HIDDEN_FIELDS: ReadonlySet<FormField> = new Set(['name', 'group', 'priority']);
const PROTOCOLS = ['tcp', 'udp', 'tcp,udp', 'icmp', ''] as const;

/** Edits `rule`, or makes a new one where it is null. `done` gets a short message when the helper has taken it. */
export class RuleDialog {
  readonly #session: HelperSession;
  readonly #find: FindProgram;
  readonly #rule: RuleInfo | null;
  readonly #done: (message: string) => void;
  readonly #ui = loadUi('rule-dialog');
  readonly #window = this.#ui.get('window', Adw.Window);
  readonly #action = this.#ui.get('action', Adw.ComboRow);
  readonly #lifetime = this.#ui.get('lifetime', Adw.ComboRow);
  readonly #protocol = this.#ui.get('protocol_choice', Adw.ComboRow);
  readonly #save = this.#ui.get('save', Gtk.Button);
  readonly #lifetimes: readonly FormLifetime[];
  readonly #untilMs: number;
  /** Messages wait until the person has tried to save once. */
  #tried = false;
  #chooser: { show(): void; destroy(): void } | null = null;

  constructor(session: HelperSession, find: FindProgram, rule: RuleInfo | null, done: (message: string) => void) {
    this.#session = session;
    this.#find = find;
    this.#rule = rule;
    this.#done = done;
    const form = rule === null ? emptyForm() : formOf(rule);
    this.#untilMs = form.untilMs;
    this.#lifetimes = FORM_LIFETIMES.filter((lifetime) => lifetime !== 'until' || form.lifetime === 'until');
    this.#fillChoices();
    this.#fillForm(form);
    this.#connect();
    this.#onChanged();
  }

  present(parent: Window): void {
    this.#window.setTransientFor(parent);
    this.#window.present();
    this.#entry('path').grabFocus();
  }

  #entry(field: EntryField): EntryRow {
    return this.#ui.get(field, Adw.EntryRow);
  }

  #fillChoices(): void {
    const nowMs = this.#session.clocks.wallMs();
    const labels: Record<FormLifetime, string> = {
      always: _('Always'), boot: _('Until this computer restarts'), hour: _('For 1 hour'),
      until: fill(_('Until {time}'), { time: clockText(this.#untilMs, nowMs) }),
    };
    this.#action.setModel(Gtk.StringList.new(RULE_ACTIONS.map(actionName)));
    this.#lifetime.setModel(Gtk.StringList.new(this.#lifetimes.map((lifetime) => labels[lifetime])));
    this.#protocol.setModel(Gtk.StringList.new(['TCP', 'UDP', _('TCP and UDP'), _('ICMP (ping)'), _('Any'), _('Other…')]));
  }

  #fillForm(form: RuleForm): void {
    const title = this.#rule === null ? _('New rule') : _('Edit rule');
    this.#window.setTitle(title);
    this.#ui.get('title', Adw.WindowTitle).setTitle(title);
    for (const field of ENTRIES) this.#entry(field).setText(form[field]);
    this.#action.setSelected(RULE_ACTIONS.indexOf(form.action));
    this.#lifetime.setSelected(Math.max(0, this.#lifetimes.indexOf(form.lifetime)));
    const known = PROTOCOLS.findIndex((protocol) => protocol === form.protocol);
    this.#protocol.setSelected(known === -1 ? PROTOCOLS.length : known);
  }

  #connect(): void {
    this.#ui.get('cancel', Gtk.Button).on('clicked', () => { this.#window.close(); });
    this.#save.on('clicked', () => { this.#onSave(); });
    this.#ui.get('choose', Gtk.Button).on('clicked', () => { this.#choose(); });
    for (const field of ENTRIES) {
      this.#entry(field).on('changed', () => { this.#onChanged(); });
      this.#entry(field).on('entry-activated', () => { this.#onSave(); });
    }
    for (const combo of [this.#action, this.#lifetime, this.#protocol]) combo.on('notify::selected', () => { this.#onChanged(); });
    const keys = new Gtk.EventControllerKey();
    keys.on('key-pressed', (keyval) => {
      if (keyval !== Gdk.KEY_Escape) return false;
      this.#window.close();
      return true;
    });
    this.#window.addController(keys);
  }

  #form(): RuleForm {
    const text = (field: EntryField): string => this.#entry(field).getText();
    return {
      name: text('name'), action: RULE_ACTIONS[this.#action.getSelected()] ?? 'deny', path: text('path').trim(),
      address: text('address'), port: text('port'), user: text('user'), schedule: text('schedule'),
      priority: text('priority') === '' ? '0' : text('priority'), group: text('group'), untilMs: this.#untilMs,
      protocol: PROTOCOLS[this.#protocol.getSelected()] ?? text('protocol'),
      lifetime: this.#lifetimes[this.#lifetime.getSelected()] ?? 'always',
    };
  }

  #onChanged(): void {
    const form = this.#form();
    this.#entry('protocol').setVisible(this.#protocol.getSelected() >= PROTOCOLS.length);
    const errors = checkForm(form);
    if (this.#tried) this.#showErrors(errors);
    this.#ui.get('preview', Gtk.Label).setLabel(errors.size > 0 && this.#tried ? '' : this.#previewText(form));
  }

  #previewText(form: RuleForm): string {
    const nowMs = this.#session.clocks.wallMs();
    const edit = editOf(form, this.#rule, nowMs);
    return ruleText({
      action: form.action, path: form.path, address: form.address, port: edit.port ?? '', protocol: edit.protocol ?? '',
      user: form.user, schedule: form.schedule, lifetime: edit.lifetime ?? 'always', until_ms: edit.until_ms,
    }, this.#find, nowMs);
  }

  #showErrors(errors: FormErrors): void {
    for (const field of ENTRIES) {
      const message = errors.get(field) ?? '';
      this.#ui.get(`${field}_error`, Gtk.Label).setLabel(message);
      this.#ui.get(`${field}_error_row`, Gtk.ListBoxRow).setVisible(message !== '');
      if (message === '') this.#entry(field).removeCssClass('error');
      else this.#entry(field).addCssClass('error');
      if (message !== '' && HIDDEN_FIELDS.has(field)) this.#ui.get('more', Gtk.Expander).setExpanded(true);
    }
    const message = errors.get('form') ?? '';
    this.#ui.get('form_error', Gtk.Label).setLabel(message);
    this.#ui.get('form_error', Gtk.Label).setVisible(message !== '');
  }

  #focusFirst(errors: FormErrors): void {
    const first = ENTRIES.find((field) => errors.has(field));
    if (first !== undefined) this.#entry(first).grabFocus();
  }

  #onSave(): void {
    this.#tried = true;
    const form = this.#form();
    const errors = checkForm(form);
    this.#showErrors(errors);
    this.#focusFirst(errors);
    if (errors.size > 0) return;
    const edit = editOf(form, this.#rule, this.#session.clocks.wallMs());
    const { client } = this.#session;
    const call = this.#rule === null ? client.addRule(edit).then(() => undefined) : client.updateRule(this.#rule.id, edit);
    this.#save.setSensitive(false);
    call.then(
      () => {
        this.#session.loadRules();
        this.#window.close();
        this.#done(this.#rule === null ? _('Rule added') : _('Rule saved'));
      },
      (error: unknown) => {
        const { field, text } = fieldOfMessage(errorText(error));
        const found = new Map([[field, text]]);
        this.#showErrors(found);
        this.#focusFirst(found);
        this.#save.setSensitive(true);
      },
    );
  }

  #choose(): void {
    const chooser = new Gtk.FileChooserNative({
      title: _('Choose a program'), action: Gtk.FileChooserAction.OPEN, transientFor: this.#window, modal: true,
    });
    chooser.on('response', (response) => {
      const path = response === Gtk.ResponseType.ACCEPT ? (chooser.getFile()?.getPath() ?? null) : null;
      if (path !== null) this.#entry('path').setText(path);
      this.#chooser = null;
    });
    // A native dialog lives only as long as somebody holds it.
    this.#chooser = chooser;
    this.#chooser.show();
  }
}
