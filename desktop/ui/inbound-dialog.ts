/**
 * What a zone does with connections from outside. Nothing holds before Save, which asks for the password; before new
 * connections are blocked a person who could shut himself out is told so.
 */
import { assertNever } from '../../helper/contract/errors.ts';
import type { InboundAllow, NetworkZone } from '../../helper/contract/types.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { CheckButton, Widget } from '../gtk.ts';
import { _, fill } from '../i18n.ts';
import { errorText, isNotAuthorized } from '../model/error-text.ts';
import { INBOUND_CHOICES, allowDetail, allowTitle, blockWarning, inboundOf, isRemote, policyText, policyTitle } from '../model/inbound.ts';
import type { BlockWarning, Inbound } from '../model/inbound.ts';
import { sameAllow } from '../model/inbound-form.ts';
import { SSH } from '../model/inbound-service.ts';
import { visible } from '../model/plain-text.ts';
import { setAccessibleDescription, setAccessibleName } from './accessible-name.ts';
import { askToDiscard } from './ask-to-discard.ts';
import { ConfirmDialog } from './confirm-dialog.ts';
import type { ConfirmAction } from './confirm-dialog.ts';
import { InboundEntryDialog } from './inbound-entry-dialog.ts';
import { loadUi } from './load-ui.ts';
import { ModalDialog } from './modal-dialog.ts';
import { lockButton } from './needs-password.ts';
import type { PageContext } from './page.ts';

/** The helper takes no more. */
const ENTRIES_LIMIT = 64;

export class InboundDialog {
  readonly #context: PageContext;
  readonly #zone: string;
  readonly #closed: () => void;
  readonly #ui = loadUi('inbound-dialog');
  readonly #window = this.#ui.get('window', Adw.Window);
  readonly #save = this.#ui.get('save', Gtk.Button);
  readonly #dialog: ModalDialog;
  /** As the helper had it when it was last looked at. */
  #before: Inbound;
  #allow: readonly InboundAllow[];
  #isSaving = false;
  #mayClose = false;

  /** `closed` is told when the window has gone. */
  constructor(context: PageContext, zone: NetworkZone, closed: () => void) {
    this.#context = context;
    this.#zone = zone.id;
    this.#closed = closed;
    this.#before = inboundOf(zone);
    this.#allow = this.#before.allow;
    const title = _('Connections From Outside');
    this.#window.setTitle(title);
    const head = this.#ui.get('title', Adw.WindowTitle);
    head.setTitle(title);
    head.setSubtitle(fill(_('zone {zone}'), { zone: visible(zone.id, 64) }));
    lockButton(this.#save, _('_Save'));
    this.#fillPolicies();
    this.#save.on('clicked', () => { this.#onSave(); });
    this.#ui.get('add', Gtk.Button).on('clicked', () => { this.#editEntry(null); });
    this.#dialog = new ModalDialog(this.#window, {
      cancel: this.#ui.get('cancel', Gtk.Button), focus: this.#ui.get(`row_${this.#before.policy}`, Adw.ActionRow), closing: () => this.#onClose(),
    });
    this.#fillEntries();
  }

  present(): void {
    this.#dialog.present(this.#context.window);
  }

  /** The zone as the helper has it now: what was changed elsewhere is said, and stays what the person sees here. */
  update(zone: NetworkZone): void {
    const now = inboundOf(zone);
    if (this.#isSaving || isSame(now, this.#before)) return;
    this.#before = now;
    if (isSame(now, this.#now)) return;
    const label = this.#ui.get('conflict', Gtk.Label);
    label.setLabel(_('This was changed in the meantime. Saving replaces it with what you see here.'));
    label.setVisible(true);
  }

  get #now(): Inbound {
    const policy = INBOUND_CHOICES.find((choice) => this.#check(choice).getActive()) ?? 'off';
    return { policy, allow: this.#allow };
  }

  #check(policy: Inbound['policy']): CheckButton {
    return this.#ui.get(`policy_${policy}`, Gtk.CheckButton);
  }

  #fillPolicies(): void {
    for (const policy of INBOUND_CHOICES) {
      const row = this.#ui.get(`row_${policy}`, Adw.ActionRow);
      const check = this.#check(policy);
      row.setTitle(policyTitle(policy));
      row.setSubtitle(policyText(policy));
      setAccessibleName(check, policyTitle(policy));
      check.setActive(policy === this.#before.policy);
      check.on('toggled', () => { this.#onChosen(); });
    }
    this.#onChosen();
  }

  /** The row has the keyboard, so it says itself which one is chosen. */
  #onChosen(): void {
    const { policy: chosen } = this.#now;
    for (const policy of INBOUND_CHOICES) {
      const about = policy === chosen ? fill(_('Chosen. {text}'), { text: policyText(policy) }) : policyText(policy);
      setAccessibleDescription(this.#ui.get(`row_${policy}`, Adw.ActionRow), about);
    }
    this.#ui.get('let_in', Gtk.Box).setVisible(chosen === 'deny');
  }

  /** `focus`: the place of the entry that has the keyboard then; the way to add one where there is none. */
  #fillEntries(focus?: { readonly index: number; readonly button: 'edit' | 'remove' }): void {
    const list = this.#ui.get('entries', Gtk.ListBox);
    for (let row = list.getRowAtIndex(0); row !== null; row = list.getRowAtIndex(0)) list.remove(row);
    const made = this.#allow.map((allow, index) => this.#entryRow(allow, index));
    for (const { row } of made) list.append(row);
    list.setVisible(made.length > 0);
    this.#ui.get('nothing', Gtk.Label).setVisible(made.length === 0);
    const add = this.#ui.get('add', Gtk.Button);
    add.setSensitive(made.length < ENTRIES_LIMIT);
    if (focus === undefined) return;
    const at = made[Math.min(focus.index, made.length - 1)];
    (at === undefined ? add : at[focus.button]).grabFocus();
  }

  #entryRow(allow: InboundAllow, index: number): { readonly row: Widget; readonly edit: Widget; readonly remove: Widget } {
    const ui = loadUi('inbound-row');
    const row = ui.get('row', Adw.ActionRow);
    const title = allowTitle(allow, this.#context.find);
    row.setTitle(title);
    row.setSubtitle(allowDetail(allow));
    const edit = ui.get('edit', Gtk.Button);
    const remove = ui.get('remove', Gtk.Button);
    setAccessibleName(edit, fill(_('Edit: {what}'), { what: title }));
    setAccessibleName(remove, fill(_('Remove: {what}'), { what: title }));
    row.on('activated', () => { this.#editEntry(index); });
    edit.on('clicked', () => { this.#editEntry(index); });
    remove.on('clicked', () => {
      this.#allow = this.#allow.filter((_one, at) => at !== index);
      this.#fillEntries({ index, button: 'remove' });
    });
    return { row, edit, remove };
  }

  /** null is a new one. */
  #editEntry(index: number | null): void {
    const { session, find } = this.#context;
    const before = index === null ? null : (this.#allow[index] ?? null);
    const others = this.#allow.filter((_one, at) => at !== index);
    new InboundEntryDialog({ session, find, others }, before, (allow) => {
      const place = index ?? this.#allow.length;
      this.#allow = [...this.#allow.slice(0, place), allow, ...this.#allow.slice(place + 1)];
      this.#fillEntries({ index: place, button: 'edit' });
    }).present(this.#window);
  }

  #onSave(): void {
    if (this.#isSaving) return;
    const now = this.#now;
    if (isSame(now, this.#before)) {
      this.#close();
      return;
    }
    const warning = blockWarning(this.#zone, this.#before, now, isRemote(process.env));
    if (warning === null) this.#store(now).catch((error: unknown) => { this.#onFailure(error); });
    else this.#warn(warning, now);
  }

  #warn({ title, lines, lacksShell }: BlockWarning, now: Inbound): void {
    const withShell: Inbound = { ...now, allow: [{ service: SSH }, ...now.allow] };
    const actions: readonly ConfirmAction[] = [
      ...(lacksShell && now.allow.length < ENTRIES_LIMIT
        ? [{ label: _('_Let In Secure Shell and Block the Rest'), style: 'suggested', run: () => this.#store(withShell) } as const] : []),
      { label: _('_Block New Connections'), style: 'destructive', run: () => this.#store(now) },
    ];
    new ConfirmDialog(title, lines.map((text) => ({ icon: 'dialog-warning-symbolic', text })), actions).present(this.#window);
  }

  async #store(now: Inbound): Promise<void> {
    const before = this.#before;
    this.#isSaving = true;
    this.#save.setSensitive(false);
    try {
      await this.#context.session.client.setInbound(this.#zone, now.policy, now.allow);
    } finally {
      this.#isSaving = false;
      this.#save.setSensitive(true);
    }
    this.#context.toast(savedText(this.#zone, now), () => { this.#takeBack(before); });
    this.#close();
  }

  #takeBack({ policy, allow }: Inbound): void {
    this.#context.session.client.setInbound(this.#zone, policy, allow).catch((error: unknown) => { this.#context.toast(errorText(error)); });
  }

  #onFailure(error: unknown): void {
    if (!this.#dialog.isOpen) return;
    const problem = this.#ui.get('problem', Gtk.Label);
    problem.setLabel(isNotAuthorized(error) ? _('The password was not given. Your changes are still here.') : errorText(error));
    problem.setVisible(true);
  }

  #close(): void {
    this.#mayClose = true;
    this.#dialog.close();
  }

  /** True keeps the window. */
  #onClose(): boolean {
    if (this.#mayClose || isSame(this.#now, this.#before)) {
      this.#closed();
      return false;
    }
    askToDiscard(this.#window, () => { this.#close(); });
    return true;
  }
}

function savedText(zone: string, { policy }: Inbound): string {
  const name = visible(zone, 64);
  switch (policy) {
    case 'off': return fill(_('Connections from {zone} are not looked at'), { zone: name });
    case 'allow': return fill(_('New connections from {zone} are allowed'), { zone: name });
    case 'deny': return fill(_('New connections from {zone} are blocked'), { zone: name });
    default: return assertNever(policy);
  }
}

function isSame(a: Inbound, b: Inbound): boolean {
  if (a.policy !== b.policy || a.allow.length !== b.allow.length) return false;
  return a.allow.every((one, index) => {
    const other = b.allow[index];
    return other !== undefined && sameAllow(one, other);
  });
}
