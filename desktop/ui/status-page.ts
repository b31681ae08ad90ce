/** State and mode in words, what limits them and how to mend it, and the controls. */
import type { HelperSession } from '../client/session.ts';
import { MODES } from '../../helper/contract/vocabulary.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { ActionRow, PreferencesGroup, Widget } from '../gtk.ts';
import { _, fill } from '../i18n.ts';
import { errorText } from '../model/error-text.ts';
import { visible } from '../model/plain-text.ts';
import { agentWords, figures, placeText, shieldIcon, stateWords } from '../model/status-text.ts';
import type { Knowledge, Remedy } from '../model/status-text.ts';
import { loadUi } from './load-ui.ts';

/** More problems than this are counted, not listed. */
const PROBLEM_ROWS = 20;
const PAUSES = [['pause_5', 300], ['pause_30', 1800], ['pause_60', 3600]] as const;
const SHIELDS = ['protecting', 'learning', 'prompt', 'degraded', 'paused', 'safeguard', 'off'] as const;

export interface StatusPageActions {
  toast(text: string): void;
  /** The setting, and what changes it. */
  asksInWindow(): boolean;
  setAsksInWindow(on: boolean): void;
}

/** The words of the button that mends a state; '' for none. */
export function remedyLabel(remedy: Remedy): string {
  const labels: Record<Remedy, string> = { none: '', resume: _('Resume'), enforce: _('Start enforcing') };
  return labels[remedy];
}

export class StatusPage {
  readonly #session: HelperSession;
  readonly #actions: StatusPageActions;
  readonly #ui = loadUi('status-page');
  readonly #mode = this.#ui.get('mode', Adw.ComboRow);
  readonly #figures: TextRows;
  readonly #problems: TextRows;
  readonly #errors: TextRows;
  readonly #agent: TextRows;
  #filling = false;

  constructor(session: HelperSession, actions: StatusPageActions) {
    this.#session = session;
    this.#actions = actions;
    this.#figures = new TextRows(this.#ui.get('figures', Adw.PreferencesGroup));
    this.#problems = new TextRows(this.#ui.get('problems', Adw.PreferencesGroup));
    this.#errors = new TextRows(this.#ui.get('errors', Adw.PreferencesGroup));
    this.#agent = new TextRows(this.#ui.get('agent', Adw.PreferencesGroup));
    this.#mode.setModel(Gtk.StringList.new([_('Enforcing'), _('Learning')]));
    this.#connect();
    session.changed.on(() => { this.update(); });
    this.update();
  }

  get widget(): Widget {
    return this.#ui.get('page', Gtk.Widget);
  }

  /** Does what mends the state. */
  mend(remedy: Remedy): void {
    if (remedy === 'resume') this.#run(this.#session.client.resume());
    else if (remedy === 'enforce') this.#run(this.#session.client.setMode('enforcing'));
  }

  /** Puts what stands side by side one below the other. */
  setNarrow(narrow: boolean): void {
    this.#ui.get('pause_box', Gtk.Box).setOrientation(narrow ? Gtk.Orientation.VERTICAL : Gtk.Orientation.HORIZONTAL);
  }

  update(): void {
    const known = this.#session.knowledge;
    const words = stateWords(known, this.#session.clocks.wallMs());
    const icon = this.#ui.get('icon', Gtk.Image);
    icon.setFromIconName(shieldIcon(words.shield));
    for (const shield of SHIELDS) icon.removeCssClass(shield);
    icon.addCssClass(words.shield);
    this.#ui.get('title', Gtk.Label).setLabel(words.title);
    // The reasons themselves stand below.
    this.#ui.get('text', Gtk.Label).setLabel(words.shield === 'degraded' ? _('Some of the protection is missing.') : words.text);
    const remedy = this.#ui.get('remedy', Gtk.Button);
    remedy.setVisible(words.remedy !== 'none');
    remedy.setLabel(remedyLabel(words.remedy));
    this.#fillControls(known);
    this.#fillLists(known);
  }

  #connect(): void {
    this.#ui.get('remedy', Gtk.Button).on('clicked', () => {
      this.mend(stateWords(this.#session.knowledge, this.#session.clocks.wallMs()).remedy);
    });
    this.#mode.on('notify::selected', () => {
      const mode = MODES[this.#mode.getSelected()];
      if (this.#filling || mode === undefined || mode === this.#session.knowledge.status?.mode) return;
      this.#run(this.#session.client.setMode(mode));
    });
    for (const [id, seconds] of PAUSES) {
      this.#ui.get(id, Gtk.Button).on('clicked', () => { this.#run(this.#session.client.pause(seconds)); });
    }
    this.#ui.get('window_switch', Gtk.Switch).on('state-set', (state) => {
      if (!this.#filling) this.#actions.setAsksInWindow(state);
      return false;
    });
  }

  /** A refusal is said, and the controls go back to what is. */
  #run(call: Promise<void>): void {
    call.catch((error: unknown) => {
      this.#actions.toast(errorText(error));
      this.update();
    });
  }

  #fillControls(known: Knowledge): void {
    const { status } = known;
    const usable = known.connected && status !== null && status.state !== 'off';
    this.#filling = true;
    if (status !== null) this.#mode.setSelected(MODES.indexOf(status.mode));
    this.#mode.setSensitive(usable);
    const pause = this.#ui.get('pause_row', Gtk.ListBoxRow);
    pause.setVisible(status?.state !== 'paused');
    pause.setSensitive(usable);
    this.#ui.get('window_switch', Gtk.Switch).setActive(this.#actions.asksInWindow());
    this.#filling = false;
  }

  #fillLists(known: Knowledge): void {
    const status = known.connected ? known.status : null;
    const reasons = (status?.degradedReasons ?? []).map((reason) => ({
      title: visible(reason.text, 400), text: reason.remedy === '' ? '' : fill(_('To mend it: {remedy}'), { remedy: visible(reason.remedy, 400) }),
      value: '',
    }));
    this.#problems.fill(reasons.slice(0, PROBLEM_ROWS));
    const agent = known.connected && known.agentProblem !== null ? [{ ...agentWords(known.agentProblem), value: '' }] : [];
    this.#agent.fill(agent);
    this.#errors.fill((status?.loadErrors ?? []).slice(0, PROBLEM_ROWS).map((error) => ({
      title: placeText(error), text: visible(error.message, 400), value: '',
    })));
    this.#figures.fill(status === null ? [] : figures(status).map((figure) => ({ title: figure.title, text: '', value: figure.value })));
  }
}

interface TextRow {
  readonly title: string;
  readonly text: string;
  readonly value: string;
}

/** Rows of a group; reused, because the figures change every second. The group hides while it is empty. */
class TextRows {
  readonly #group: PreferencesGroup;
  readonly #rows: { readonly row: ActionRow; readonly fill: (content: TextRow) => void }[] = [];

  constructor(group: PreferencesGroup) {
    this.#group = group;
  }

  fill(contents: readonly TextRow[]): void {
    while (this.#rows.length < contents.length) this.#add();
    for (const [index, { row, fill: put }] of this.#rows.entries()) {
      const content = contents[index];
      row.setVisible(content !== undefined);
      if (content !== undefined) put(content);
    }
    this.#group.setVisible(contents.length > 0);
  }

  #add(): void {
    const ui = loadUi('text-row');
    const row = ui.get('row', Adw.ActionRow);
    const value = ui.get('value', Gtk.Label);
    this.#group.add(row);
    this.#rows.push({
      row,
      fill: (content) => {
        row.setTitle(content.title);
        row.setSubtitle(content.text);
        value.setLabel(content.value);
        value.setVisible(content.value !== '');
      },
    });
  }
}
