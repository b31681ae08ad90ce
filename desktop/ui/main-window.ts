/** The application's window: pages at the side, a banner for every state that is not protecting. */
import type { HelperSession } from '../client/session.ts';
import type { RuleInfo } from '../../helper/contract/types.ts';
import { Adw, Gio, Gtk } from '../gtk.ts';
import type { Application, Widget } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { escapeMarkup } from '../model/plain-text.ts';
import type { FindProgram } from '../model/prompt-text.ts';
import { shieldIcon, stateWords } from '../model/status-text.ts';
import type { Remedy } from '../model/status-text.ts';
import { loadUi } from './load-ui.ts';
import { RuleDialog } from './rule-dialog.ts';
import { RulesPage } from './rules-page.ts';
import { remedyLabel, StatusPage } from './status-page.ts';

/** How long a deletion can be taken back. */
const UNDO_S = 10;

interface Page {
  readonly id: string;
  readonly title: string;
  readonly icon: string;
  readonly widget: Widget;
}

export interface MainWindowSettings {
  asksInWindow(): boolean;
  setAsksInWindow(on: boolean): void;
}

export class MainWindow {
  readonly #session: HelperSession;
  readonly #find: FindProgram;
  readonly #ui = loadUi('main-window');
  readonly #window = this.#ui.get('window', Adw.ApplicationWindow);
  readonly #leaflet = this.#ui.get('leaflet', Adw.Leaflet);
  readonly #stack = this.#ui.get('stack', Gtk.Stack);
  readonly #pageList = this.#ui.get('pages', Gtk.ListBox);
  readonly #rules: RulesPage;
  readonly #status: StatusPage;
  readonly #pages: readonly Page[];
  #page = '';
  #remedy: Remedy = 'none';

  constructor(application: Application, session: HelperSession, find: FindProgram, settings: MainWindowSettings) {
    this.#session = session;
    this.#find = find;
    const toast = (text: string, undo?: () => void): void => { this.#toast(text, undo); };
    this.#rules = new RulesPage(session, find, { edit: (rule) => { this.#edit(rule); }, toast });
    this.#status = new StatusPage(session, { toast, ...bound(settings) });
    this.#pages = [
      { id: 'status', title: _('Status'), icon: shieldIcon('protecting'), widget: this.#status.widget },
      { id: 'rules', title: _('Rules'), icon: 'view-list-symbolic', widget: this.#rules.widget },
    ];
    this.#addPages();
    this.#addActions();
    this.#connect();
    this.#rules.setUpSearch(this.#window);
    this.#window.setHelpOverlay(loadUi('shortcuts').get('shortcuts', Gtk.ShortcutsWindow));
    this.#window.setApplication(application);
    session.changed.on(() => { this.#updateBanner(); });
    this.show('status');
  }

  present(): void {
    this.#window.present();
  }

  /** Goes to a page by its id. */
  show(id: string): void {
    const index = this.#pages.findIndex((page) => page.id === id);
    const page = this.#pages[index];
    if (page === undefined) return;
    this.#page = id;
    this.#stack.setVisibleChildName(id);
    this.#ui.get('page_title', Adw.WindowTitle).setTitle(page.title);
    this.#ui.get('add_rule', Gtk.Button).setVisible(id === 'rules');
    this.#ui.get('search_button', Gtk.Button).setVisible(id === 'rules');
    this.#pageList.selectRow(this.#pageList.getRowAtIndex(index));
    this.#updateBanner();
  }

  #addPages(): void {
    for (const page of this.#pages) {
      this.#stack.addNamed(page.widget, page.id);
      const row = loadUi('page-row');
      row.get('icon', Gtk.Image).setFromIconName(page.icon);
      row.get('title', Gtk.Label).setLabel(page.title);
      this.#pageList.append(row.get('row', Gtk.ListBoxRow));
    }
  }

  #addActions(): void {
    const group = new Gio.SimpleActionGroup();
    const add = (name: string, run: () => void): void => {
      const action = new Gio.SimpleAction({ name });
      action.on('activate', run);
      group.addAction(action);
    };
    add('new-rule', () => { this.#edit(null); });
    add('search', () => {
      this.show('rules');
      this.#leaflet.setVisibleChildName('content');
      this.#rules.setSearch(!this.#rules.searching);
    });
    add('close', () => { this.#window.close(); });
    this.#window.insertActionGroup('win', group);
  }

  #connect(): void {
    // The tray keeps the application; the window is only hidden, so that it opens again at once.
    this.#window.on('close-request', () => {
      this.#window.setVisible(false);
      return true;
    });
    this.#pageList.on('row-activated', (row) => {
      const page = this.#pages[row.getIndex()];
      if (page === undefined) return;
      this.show(page.id);
      this.#leaflet.setVisibleChildName('content');
    });
    this.#ui.get('back', Gtk.Button).on('clicked', () => { this.#leaflet.setVisibleChildName('sidebar'); });
    this.#leaflet.on('notify::folded', () => { this.#onFolded(); });
    this.#onFolded();
    this.#leaflet.setVisibleChildName('content');
    this.#ui.get('search_button', Gtk.Button).on('clicked', () => { this.#rules.setSearch(!this.#rules.searching); });
    this.#ui.get('banner_button', Gtk.Button).on('clicked', () => { this.#status.mend(this.#remedy); });
  }

  #onFolded(): void {
    const folded = this.#leaflet.getFolded();
    this.#status.setNarrow(folded);
    this.#ui.get('back', Gtk.Button).setVisible(folded);
    this.#ui.get('sidebar_header', Adw.HeaderBar).setShowEndTitleButtons(folded);
    this.#ui.get('content_header', Adw.HeaderBar).setShowStartTitleButtons(folded);
  }

  /** The status page says the state itself; every other page has the banner. */
  #updateBanner(): void {
    const words = stateWords(this.#session.knowledge, this.#session.clocks.wallMs());
    const button = this.#ui.get('banner_button', Gtk.Button);
    this.#remedy = words.remedy;
    const shown = this.#page !== 'status' && words.shield !== 'protecting';
    this.#ui.get('banner', Gtk.Revealer).setRevealChild(shown);
    this.#ui.get('banner_icon', Gtk.Image).setFromIconName(shieldIcon(words.shield));
    this.#ui.get('banner_text', Gtk.Label).setLabel(`${words.title}. ${words.text}`);
    button.setVisible(shown && words.remedy !== 'none');
    button.setLabel(remedyLabel(words.remedy));
  }

  #edit(rule: RuleInfo | null): void {
    new RuleDialog(this.#session, this.#find, rule, (message) => { this.#toast(message); }).present(this.#window);
  }

  #toast(text: string, undo?: () => void): void {
    const toast = new Adw.Toast({ title: escapeMarkup(text) });
    if (undo !== undefined) {
      toast.setButtonLabel(_('Undo'));
      toast.setTimeout(UNDO_S);
      toast.on('button-clicked', undo);
    }
    this.#ui.get('toasts', Adw.ToastOverlay).addToast(toast);
  }
}

function bound(settings: MainWindowSettings): MainWindowSettings {
  return {
    asksInWindow: () => settings.asksInWindow(),
    setAsksInWindow: (on) => { settings.setAsksInWindow(on); },
  };
}
