/** The row of the editor that says what the rule would have done. It works beside the person and never holds up the saving. */
import type { HelperClient } from '../../helper/contract/client.ts';
import type { RuleChange } from '../../helper/contract/types.ts';
import type { HelperSession } from '../client/session.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { ActionRow, ListBox } from '../gtk.ts';
import { _, fill } from '../i18n.ts';
import { errorText } from '../model/error-text.ts';
import { escapeMarkup } from '../model/plain-text.ts';
import type { FindProgram } from '../model/program-name.ts';
import { EFFECT_MS, effectOf } from '../model/rule-effect.ts';
import type { Effect } from '../model/rule-effect.ts';
import { loadUi } from './load-ui.ts';

/** After the last key. */
const CALM_MS = 600;

/** Why there is nothing to try: mistakes in the form, or nothing changed. */
export type NoChange = 'mistakes' | 'unchanged';

export class RuleEffect {
  readonly #session: HelperSession;
  readonly #find: FindProgram;
  readonly #ui = loadUi('rule-effect');
  readonly #row = this.#ui.get('row', Adw.ActionRow);
  readonly #details = this.#ui.get('details', Gtk.ToggleButton);
  readonly #list: ListBox;
  #shown: readonly ActionRow[] = [];
  /** What is to be tried next; null for nothing. */
  #wanted: RuleChange | null = null;
  /** As text, so that a key that changes nothing asks nothing. */
  #known = '';
  #timer: NodeJS.Timeout | null = null;
  /** A connection of its own: closing it stops what the helper works on. */
  #asking: HelperClient | null = null;
  /** An answer to an older question is not shown. */
  #turn = 0;

  /** Stands at the end of `list`. */
  constructor(session: HelperSession, find: FindProgram, list: ListBox) {
    this.#session = session;
    this.#find = find;
    this.#list = list;
    list.append(this.#row);
    this.#details.on('toggled', () => { for (const row of this.#shown) row.setVisible(this.#details.getActive()); });
    this.#ui.get('stop', Gtk.Button).on('clicked', () => { this.stop(_('Stopped.')); });
    this.#ui.get('again', Gtk.Button).on('clicked', () => { this.#ask(); });
  }

  /** The form says something else now. */
  update(change: RuleChange | NoChange): void {
    const text = JSON.stringify(change);
    if (text === this.#known) return;
    this.#known = text;
    this.#forget();
    if (typeof change === 'string') {
      this.#wanted = null;
      this.#show({ text: change === 'mistakes' ? _('Shown when the rule is complete.') : _('Nothing is changed yet.'), rows: [], note: '' });
      return;
    }
    this.#wanted = change;
    this.#setBusy(true);
    this.#say(_('Trying it on recorded connections…'));
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#ask();
    }, CALM_MS);
  }

  /** Nothing that is still under way is shown any more. */
  stop(text = ''): void {
    this.#forget();
    this.#setBusy(false);
    this.#say(text);
    this.#ui.get('again', Gtk.Button).setVisible(this.#wanted !== null);
  }

  #forget(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#turn += 1;
    this.#asking?.close();
    this.#asking = null;
  }

  #ask(): void {
    const change = this.#wanted;
    if (change === null) return;
    this.#setBusy(true);
    this.#asking?.close();
    const client = this.#session.client.another();
    this.#asking = client;
    const turn = this.#turn;
    const nowMs = this.#session.clocks.wallMs();
    const finish = (effect: Effect, failed: boolean): void => {
      if (turn === this.#turn) this.#finish(effect, failed);
    };
    client.simulateRules([change], Math.max(0, nowMs - EFFECT_MS)).then(
      ({ summary, rows }) => { finish(effectOf(summary, rows, this.#find, nowMs), false); },
      (error: unknown) => { finish({ text: fill(_('Not known: {why}'), { why: errorText(error) }), rows: [], note: '' }, true); },
    );
  }

  #finish(effect: Effect, failed: boolean): void {
    this.#asking?.close();
    this.#asking = null;
    this.#setBusy(false);
    this.#ui.get('again', Gtk.Button).setVisible(failed);
    this.#show(effect);
  }

  #setBusy(busy: boolean): void {
    const spinner = this.#ui.get('spinner', Gtk.Spinner);
    spinner.setVisible(busy);
    spinner.setSpinning(busy);
    this.#ui.get('stop', Gtk.Button).setVisible(busy);
    if (busy) this.#ui.get('again', Gtk.Button).setVisible(false);
  }

  #say(text: string): void {
    this.#row.setSubtitle(escapeMarkup(text));
  }

  #show({ text, rows, note }: Effect): void {
    this.#setBusy(false);
    this.#say([text, note].filter((part) => part !== '').join(' '));
    for (const row of this.#shown) this.#list.remove(row);
    this.#shown = rows.map(({ icon, title, detail }) => {
      const row = new Adw.ActionRow({ title: escapeMarkup(title), subtitle: escapeMarkup(detail), titleLines: 0, subtitleLines: 0, visible: this.#details.getActive() });
      row.addPrefix(new Gtk.Image({ iconName: icon, accessibleRole: Gtk.AccessibleRole.PRESENTATION }));
      this.#list.append(row);
      return row;
    });
    this.#details.setVisible(rows.length > 0);
  }
}
