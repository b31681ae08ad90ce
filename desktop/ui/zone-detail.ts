/** One zone: what may connect from outside, who belongs to it, its address sets, and the rules that name it. */
import type { NetworkState, NetworkZone } from '../../helper/contract/types.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { Widget } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { allowDetail, allowTitle, inboundOf, otherFirewall, policyText, policyTitle } from '../model/inbound.ts';
import { moreNote } from '../model/network-text.ts';
import type { NetworkView } from '../model/network-text.ts';
import { visible } from '../model/plain-text.ts';
import { memberRows, patternsText, usedByText } from '../model/zone-text.ts';
import { CopyRow } from './copy-row.ts';
import { InboundDialog } from './inbound-dialog.ts';
import { loadUi } from './load-ui.ts';
import type { PageContext } from './page.ts';
import { LinkRows } from './row-group.ts';
import { linkRow } from './network-rows.ts';
import { SetRows } from './set-rows.ts';

export class ZoneDetail {
  readonly #context: PageContext;
  readonly #ui = loadUi('zone-detail');
  readonly #command: CopyRow;
  readonly #allowed = new LinkRows(this.#ui.get('inbound', Adw.PreferencesGroup));
  readonly #members = new LinkRows(this.#ui.get('members', Adw.PreferencesGroup));
  readonly #sets: SetRows;
  readonly #rules = new LinkRows(this.#ui.get('rules', Adw.PreferencesGroup));
  #zone: NetworkZone | null = null;
  #dialog: InboundDialog | null = null;

  constructor(context: PageContext) {
    this.#context = context;
    const toast = (text: string): void => { context.toast(text); };
    this.#command = new CopyRow(toast);
    this.#sets = new SetRows(this.#ui.get('sets', Adw.PreferencesGroup), toast);
    this.#ui.get('keeper_command', Gtk.ListBox).append(this.#command.widget);
    this.#ui.get('edit', Gtk.Button).on('clicked', () => { this.#edit(); });
    this.#ui.get('add_rule', Gtk.Button).on('clicked', () => {
      if (this.#zone !== null) context.editRule(null, { zone: this.#zone.id });
    });
  }

  get widget(): Widget {
    return this.#ui.get('page', Gtk.ScrolledWindow);
  }

  /** Puts the keyboard where something can be done; false where there is nothing. */
  focus(): boolean {
    const edit = this.#ui.get('edit', Gtk.Button);
    return edit.getVisible() && edit.grabFocus();
  }

  /** Another zone begins at its top. */
  fill(zone: NetworkZone, view: NetworkView): void {
    if (this.#zone?.id !== zone.id) this.#ui.get('page', Gtk.ScrolledWindow).getVadjustment().setValue(0);
    this.#zone = zone;
    this.#dialog?.update(zone);
    this.#ui.get('name', Gtk.Label).setLabel(visible(zone.id, 64));
    this.#ui.get('patterns', Gtk.Label).setLabel(patternsText(zone));
    this.#fillInbound(zone, view.state);
    this.#fillMembers(zone, view);
    this.#fillSets(zone);
    this.#rules.fill([{
      title: usedByText(zone.used_by), subtitle: '',
      ...(zone.used_by.length === 0 ? {} : { open: () => { this.#context.open({ page: 'rules', search: zone.id }); } }),
    }]);
  }

  #fillInbound(zone: NetworkZone, { inbound_by: keeper }: NetworkState): void {
    const { policy, allow } = inboundOf(zone);
    const other = otherFirewall(keeper);
    const notice = this.#ui.get('keeper', Gtk.Box);
    notice.setVisible(other !== null);
    this.#ui.get('keeper_title', Gtk.Label).setLabel(other?.title ?? '');
    this.#ui.get('keeper_text', Gtk.Label).setLabel(other?.text ?? '');
    this.#command.setText(other?.command ?? '');
    const row = this.#ui.get('policy', Adw.ActionRow);
    row.setTitle(policyTitle(policy));
    row.setSubtitle(other === null ? policyText(policy) : _('This is in bastion.toml and has no effect now.'));
    this.#ui.get('edit', Gtk.Button).setVisible(other === null);
    const { find } = this.#context;
    const shown = policy === 'deny' ? allow : [];
    this.#allowed.fill(shown.map((one) => ({ icon: 'bastion-firewall-allow-symbolic', title: allowTitle(one, find), subtitle: allowDetail(one) })));
  }

  #fillMembers(zone: NetworkZone, view: NetworkView): void {
    const members = memberRows(zone, view);
    this.#members.fill(members.length > 0 ? members.map((row) => linkRow(row)) : [
      { icon: 'network-offline-symbolic', title: _('Nobody Now'), subtitle: _('None of its interfaces and containers is here now.') },
    ]);
    const note = this.#ui.get('members_note', Gtk.Label);
    const more = moreNote(zone.interfaces.length + (zone.containers ?? []).length, 'bastionctl network zones');
    note.setVisible(more !== '');
    note.setLabel(more);
  }

  #fillSets({ sets = [] }: NetworkZone): void {
    this.#ui.get('sets', Adw.PreferencesGroup).setVisible(sets.length > 0);
    this.#sets.fill(sets);
  }

  #edit(): void {
    const zone = this.#zone;
    if (zone === null) return;
    const dialog = new InboundDialog(this.#context, zone, () => { this.#dialog = null; });
    this.#dialog = dialog;
    dialog.present();
  }
}
