/** Preferences: what the desktop keeps for the person, and what the service may be asked for. */
import type { ListInfo } from '../../helper/contract/types.ts';
import { MODES } from '../../helper/contract/vocabulary.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { PreferencesGroup, Widget } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { errorText } from '../model/error-text.ts';
import { checkRows, checkSummary, listRow, PREFERENCE_ROWS } from '../model/preferences.ts';
import type { StateRow } from '../model/preferences.ts';
import type { SettingKey } from '../model/settings.ts';
import { nameChoices } from './choice-list.ts';
import { ConfirmDialog } from './confirm-dialog.ts';
import { loadUi } from './load-ui.ts';
import { lockButton, lockRow } from './needs-password.ts';
import type { Page, PageContext } from './page.ts';

const SWITCHES = {
  notify_state: 'notify-state', safeguard: 'safeguard-always-told', start: 'start-with-session', tray: 'show-tray',
} as const satisfies Record<string, SettingKey>;
const PROMPTS = ['notification', 'window'] as const;
/** Groups that need the service. */
const SERVICE_GROUPS = ['protection', 'lists', 'history', 'troubles'] as const;

export class PreferencesPage implements Page {
  readonly #context: PageContext;
  readonly #ui = loadUi('preferences-page');
  readonly #prompts = this.#ui.get('prompts', Adw.ComboRow);
  readonly #mode = this.#ui.get('mode', Adw.ComboRow);
  readonly #results = new StateRows(this.#ui.get('results', Adw.PreferencesGroup));
  readonly #lists = new StateRows(this.#ui.get('lists', Adw.PreferencesGroup));
  readonly #updateLists = new Gtk.Button({ valign: Gtk.Align.CENTER });
  #shown = false;
  #filling = false;
  #listsReading = false;

  constructor(context: PageContext) {
    this.#context = context;
    lockRow(this.#mode);
    for (const id of ['reload', 'selftest', 'clear', 'log']) lockRow(this.#ui.get(`${id}_row`, Adw.ActionRow));
    lockButton(this.#updateLists, _('_Update All'));
    this.#ui.get('lists', Adw.PreferencesGroup).setHeaderSuffix(this.#updateLists);
    this.#connectSettings();
    this.#connectService();
    context.session.changed.on(() => { if (this.#shown) this.#update(); });
    context.session.rulesChanged.on(() => { if (this.#shown) this.#readLists(); });
    context.settings.onChanged(() => { if (this.#shown) this.#fillSettings(); });
  }

  get widget(): Widget {
    return this.#ui.get('page', Gtk.Widget);
  }

  shown(): void {
    this.#shown = true;
    this.#fillSettings();
    this.#update();
    this.#readLists();
  }

  hidden(): void {
    this.#shown = false;
  }

  setNarrow(narrow: boolean): void {
    this.#ui.get('log_buttons', Gtk.Box).setOrientation(narrow ? Gtk.Orientation.VERTICAL : Gtk.Orientation.HORIZONTAL);
  }

  #connectSettings(): void {
    const { settings } = this.#context;
    for (const [id, key] of Object.entries(SWITCHES)) {
      this.#ui.get(id, Gtk.Switch).on('state-set', (state) => {
        if (!this.#filling && !settings.set(key, state)) this.#notKept();
        return false;
      });
    }
    for (const row of [this.#prompts, this.#mode]) nameChoices(row);
    this.#prompts.on('notify::selected', () => {
      const chosen = PROMPTS[this.#prompts.getSelected()];
      if (!this.#filling && chosen !== undefined && !settings.set('prompts', chosen)) this.#notKept();
    });
  }

  #notKept(): void {
    this.#context.toast(_('This cannot be changed: the administrator has set it.'));
    this.#fillSettings();
  }

  #connectService(): void {
    const { client } = this.#context.session;
    this.#mode.on('notify::selected', () => {
      const mode = MODES[this.#mode.getSelected()];
      if (this.#filling || mode === undefined || mode === this.#context.session.knowledge.status?.mode) return;
      this.#run(client.setMode(mode), '');
    });
    const clicked = (id: string, run: () => void): void => { this.#ui.get(id, Gtk.Button).on('clicked', run); };
    clicked('reload', () => {
      this.#run(client.reload().then((errors) => {
        if (errors.length > 0) this.#context.open({ page: 'overview' });
      }), _('Settings and rules have been reloaded'));
    });
    clicked('selftest', () => { this.#selfTest(); });
    clicked('clear', () => { this.#askToClear(); });
    clicked('log_info', () => { this.#run(client.setLogLevel('info'), _('The journal records the usual detail')); });
    clicked('log_debug', () => { this.#run(client.setLogLevel('debug'), _('The journal records more detail')); });
    this.#updateLists.on('clicked', () => { this.#run(client.updateLists([]), _('The lists are being read')); });
  }

  /** A refusal is said, and the controls go back to what is. */
  #run(call: Promise<void>, done: string): void {
    call.then(
      () => { if (done !== '') this.#context.toast(done); },
      (error: unknown) => {
        this.#context.toast(errorText(error));
        this.#update();
      },
    );
  }

  #selfTest(): void {
    const button = this.#ui.get('selftest', Gtk.Button);
    const row = this.#ui.get('selftest_row', Adw.ActionRow);
    button.setSensitive(false);
    row.setSubtitle(_('Testing…'));
    this.#context.session.client.selfTest().then(
      (checks) => {
        row.setSubtitle(checkSummary(checks));
        this.#results.fill(checkRows(checks));
      },
      (error: unknown) => { row.setSubtitle(errorText(error)); },
    ).finally(() => { button.setSensitive(true); }).catch(() => undefined);
  }

  #askToClear(): void {
    const lines = [
      { icon: 'user-trash-symbolic', text: _('Activity, totals and suggestions start from zero. This cannot be undone.') },
      { icon: 'view-list-symbolic', text: _('Rules and what is known about programs stay.') },
    ];
    const run = async (): Promise<void> => {
      await this.#context.session.client.clearHistory();
      this.#context.toast(_('Forgotten'));
    };
    new ConfirmDialog(_('Forget Everything Recorded?'), lines, [{ label: _('_Forget'), style: 'destructive', run }]).present(this.#context.window);
  }

  #fillSettings(): void {
    const { settings } = this.#context;
    this.#filling = true;
    this.#prompts.setSelected(PROMPTS.indexOf(settings.get('prompts')));
    this.#prompts.setSensitive(settings.canSet('prompts'));
    for (const [id, key] of Object.entries(SWITCHES)) {
      this.#ui.get(id, Gtk.Switch).setActive(settings.get(key));
      this.#ui.get(`${id}_row`, Adw.ActionRow).setSensitive(settings.canSet(key));
    }
    this.#filling = false;
  }

  #update(): void {
    const { connected, status } = this.#context.session.knowledge;
    this.#filling = true;
    if (status !== null) this.#mode.setSelected(MODES.indexOf(status.mode));
    this.#filling = false;
    for (const id of SERVICE_GROUPS) this.#ui.get(id, Adw.PreferencesGroup).setSensitive(connected);
  }

  /** Again when the helper tells of a change, which an update of a list is too. */
  #readLists(): void {
    if (this.#listsReading) return;
    this.#listsReading = true;
    const done = (lists: readonly ListInfo[]): void => {
      this.#listsReading = false;
      const nowMs = this.#context.session.clocks.wallMs();
      this.#lists.fill(lists.slice(0, PREFERENCE_ROWS).map((list) => listRow(list, nowMs)));
    };
    this.#context.session.client.listLists().then(done, () => { done([]); });
  }
}

/** Rows of a group; the group hides while it has none. */
class StateRows {
  readonly #group: PreferencesGroup;
  #rows: Widget[] = [];

  constructor(group: PreferencesGroup) {
    this.#group = group;
    group.setVisible(false);
  }

  fill(contents: readonly StateRow[]): void {
    for (const row of this.#rows) this.#group.remove(row);
    this.#rows = contents.map((content) => {
      const ui = loadUi('preference-row');
      const row = ui.get('row', Adw.ActionRow);
      row.setTitle(content.title);
      row.setSubtitle(content.text);
      ui.get('icon', Gtk.Image).setFromIconName(content.icon);
      this.#group.add(row);
      return row;
    });
    this.#group.setVisible(contents.length > 0);
  }
}
