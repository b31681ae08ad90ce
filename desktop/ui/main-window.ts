/** The application's window: pages at the side, a banner for every state that is not protecting. */
import type { HelperSession } from '../client/session.ts';
import type { RuleEdit, RuleInfo } from '../../helper/contract/types.ts';
import { Adw, Gio, Gtk } from '../gtk.ts';
import type { Application, ListBoxRow, Toast, Widget } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { countText } from '../model/durations.ts';
import { escapeMarkup } from '../model/plain-text.ts';
import type { Settings } from '../model/settings.ts';
import type { FindProgram } from '../model/program-name.ts';
import { needsBanner, shieldIcon, stateWords } from '../model/status-text.ts';
import { setAccessibleName } from './accessible-name.ts';
import { Assistant } from './assistant.ts';
import { loadUi } from './load-ui.ts';
import type { Ui } from './load-ui.ts';
import { RemedyButton } from './mend.ts';
import type { Page, PageContext, PageEntry, PageId, PageTarget } from './page.ts';
import { PAGES } from './pages.ts';
import { RuleDialog } from './rule-dialog.ts';
import { shortcutsWindow } from './shortcuts-window.ts';
import { showStackPage } from './show-stack-page.ts';
import { SecondTicker } from './second-ticker.ts';

/** How long a deletion can be taken back. */
const UNDO_S = 10;

/** The person's own layout without the buttons that a window of one column has no room for; it can still be closed. */
function narrowDecoration(): string {
  const layout = Gtk.Settings.getDefault()?.gtkDecorationLayout ?? ':close';
  return layout.split(':').map((side) => side.split(',').filter((button) => button === 'close').join(',')).join(':');
}

/** The toolkit gives the cross of a toast an icon and no name. */
function nameCloseButton(toast: Widget | null): void {
  const cross = toast?.getLastChild() ?? null;
  if (cross !== null) setAccessibleName(cross, _('Close'));
}

export class MainWindow {
  readonly #session: HelperSession;
  readonly #find: FindProgram;
  readonly #ui = loadUi('main-window');
  readonly #window = this.#ui.get('window', Adw.ApplicationWindow);
  readonly #leaflet = this.#ui.get('leaflet', Adw.Leaflet);
  readonly #stack = this.#ui.get('stack', Gtk.Stack);
  readonly #pageList = this.#ui.get('pages', Gtk.ListBox);
  readonly #rows = new Map<PageId, Ui>();
  /** Made when they are first opened: a page that nobody looks at costs nothing. */
  readonly #pages = new Map<PageId, Page>();
  readonly #context: PageContext;
  #shown: PageEntry | null = null;
  #lastToast: Toast | null = null;
  /** Takes back what was done last, while the toast that offers it is shown; otherwise the key is the text field's. */
  readonly #undoAction = new Gio.SimpleAction({ name: 'undo', enabled: false });
  #undo: (() => void) | null = null;
  #assistant: Assistant | null = null;
  readonly #bannerButtons: readonly [RemedyButton, RemedyButton];
  readonly #trialTicker = new SecondTicker(() => { this.#update(); });

  constructor(application: Application, session: HelperSession, find: FindProgram, settings: Settings) {
    this.#session = session;
    this.#find = find;
    this.#context = this.#makeContext(settings);
    const failed = (message: string): void => { this.#toast(message); };
    const enforce = (): void => { this.open({ page: 'suggestions' }); };
    this.#bannerButtons = [
      new RemedyButton(this.#ui.get('banner_button', Gtk.Button), session, failed, enforce),
      new RemedyButton(this.#ui.get('banner_other', Gtk.Button), session, failed, enforce),
    ];
    for (const entry of PAGES) this.#addRow(entry);
    this.#addActions();
    this.#connect();
    this.#window.setHelpOverlay(shortcutsWindow());
    this.#window.setApplication(application);
    session.changed.on(() => {
      this.#update();
      this.#maybeAssist();
    });
    for (const entry of PAGES) entry.watch?.(this.#context);
    this.open({ page: 'overview' });
  }

  /** `token`: what lets it come to the front for the person's own click; '' for none. */
  present(token: string): void {
    const again = this.#window.getVisible();
    if (token !== '') this.#window.setStartupId(token);
    this.#window.present();
    this.#maybeAssist();
    if (!again && this.#shown !== null) this.#pageOf(this.#shown).shown({ page: this.#shown.id });
    this.#update();
  }

  /** Goes to a page. */
  open(target: PageTarget): void {
    const entry = PAGES.find((one) => one.id === target.page);
    if (entry === undefined) return;
    const page = this.#pageOf(entry);
    if (this.#shown !== entry) {
      if (this.#shown !== null) this.#leave(this.#shown);
      this.#shown = entry;
      this.#enter(entry, page);
    }
    page.shown(target);
    this.#leaflet.setVisibleChildName('content');
    this.#update();
  }

  #leave(entry: PageEntry): void {
    const page = this.#pageOf(entry);
    page.hidden();
    const header = this.#ui.get('content_header', Adw.HeaderBar);
    for (const widget of [...page.headerStart ?? [], ...page.headerEnd ?? []]) header.remove(widget);
  }

  #enter(entry: PageEntry, page: Page): void {
    showStackPage(this.#stack, entry.id);
    this.#ui.get('page_title', Adw.WindowTitle).setTitle(entry.title());
    const header = this.#ui.get('content_header', Adw.HeaderBar);
    for (const widget of page.headerStart ?? []) header.packStart(widget);
    for (const widget of page.headerEnd ?? []) header.packEnd(widget);
    this.#ui.get('search_button', Gtk.Button).setVisible(page.toggleSearch !== undefined);
    this.#pageList.selectRow(this.#rowOf(entry.id));
  }

  #rowOf(id: PageId): ListBoxRow | null {
    return this.#rows.get(id)?.get('row', Gtk.ListBoxRow) ?? null;
  }

  #pageOf(entry: PageEntry): Page {
    const known = this.#pages.get(entry.id);
    if (known !== undefined) return known;
    const page = entry.make(this.#context);
    this.#pages.set(entry.id, page);
    this.#stack.addNamed(page.widget, entry.id);
    page.setNarrow(this.#leaflet.getFolded());
    return page;
  }

  #addRow(entry: PageEntry): void {
    const row = loadUi('page-row');
    row.get('icon', Gtk.Image).setFromIconName(entry.icon);
    row.get('title', Gtk.Label).setLabel(entry.title());
    this.#pageList.append(row.get('row', Gtk.ListBoxRow));
    this.#rows.set(entry.id, row);
  }

  #makeContext(settings: Settings): PageContext {
    return {
      session: this.#session,
      find: this.#find,
      window: this.#window,
      toast: (text, undo) => { this.#toast(text, undo); },
      open: (target) => { this.open(target); },
      editRule: (rule, draft) => { this.#edit(rule, draft); },
      setBadge: (page, count) => { this.#setBadge(page, count); },
      settings,
    };
  }

  #setBadge(page: PageId, count: number): void {
    const badge = this.#rows.get(page)?.get('badge', Gtk.Label);
    badge?.setVisible(count > 0);
    badge?.setLabel(countText(count));
  }

  #addActions(): void {
    // Among the window's own: another group called "win" would hide those that the toolkit adds, such as the shortcuts window's.
    const add = (name: string, run: () => void): void => {
      const action = new Gio.SimpleAction({ name });
      action.on('activate', run);
      this.#window.addAction(action);
    };
    add('new-rule', () => { this.#edit(null); });
    add('search', () => { this.#search(); });
    add('assistant', () => { this.#showAssistant(); });
    add('back', () => { this.#back(); });
    for (const [index, entry] of PAGES.entries()) add(`page-${String(index + 1)}`, () => { this.open({ page: entry.id }); });
    add('close', () => { this.#window.close(); });
    this.#undoAction.on('activate', () => { this.#takeBack(); });
    this.#window.addAction(this.#undoAction);
  }

  #connect(): void {
    // The tray keeps the application; the window is only hidden, so that it opens again at once.
    this.#window.on('close-request', () => {
      this.#window.setVisible(false);
      if (this.#shown !== null) this.#pageOf(this.#shown).hidden();
      this.#update();
      return true;
    });
    this.#pageList.on('row-activated', (row) => {
      const entry = PAGES[row.getIndex()];
      if (entry !== undefined) this.open({ page: entry.id });
    });
    // The toolkit marks each row that the focus passes; the mark says which page is shown.
    this.#pageList.on('row-selected', () => {
      if (this.#shown !== null) this.#pageList.selectRow(this.#rowOf(this.#shown.id));
    });
    this.#ui.get('back', Gtk.Button).on('clicked', () => { this.#back(); });
    this.#leaflet.on('notify::folded', () => { this.#onFolded(); });
    this.#onFolded();
    this.#ui.get('search_button', Gtk.Button).on('clicked', () => { this.#search(); });
  }

  /** Where the page has nothing to search, the rules have. */
  #search(): void {
    if (this.#shown === null) return;
    if (this.#pageOf(this.#shown).toggleSearch === undefined) this.open({ page: 'rules' });
    this.#leaflet.setVisibleChildName('content');
    this.#pageOf(this.#shown).toggleSearch?.();
  }

  #back(): void {
    if (this.#shown !== null && this.#pageOf(this.#shown).back?.() === true) return;
    if (this.#leaflet.getFolded()) this.#leaflet.setVisibleChildName('sidebar');
  }

  #onFolded(): void {
    const folded = this.#leaflet.getFolded();
    for (const page of this.#pages.values()) page.setNarrow(folded);
    this.#ui.get('back', Gtk.Button).setVisible(folded);
    this.#ui.get('banner_box', Gtk.Box).setOrientation(folded ? Gtk.Orientation.VERTICAL : Gtk.Orientation.HORIZONTAL);
    this.#ui.get('sidebar_header', Adw.HeaderBar).setShowEndTitleButtons(folded);
    const header = this.#ui.get('content_header', Adw.HeaderBar);
    header.setShowStartTitleButtons(folded);
    header.setDecorationLayout(folded ? narrowDecoration() : null);
  }

  /** The overview says the state itself, the suggestions say how far learning is; every other page has the banner. */
  #update(): void {
    const { knowledge } = this.#session;
    const words = stateWords(knowledge, this.#session.clocks.wallMs());
    const page = this.#shown?.id;
    const shown = page !== 'overview' && needsBanner(words) && !(page === 'suggestions' && words.remedy === 'enforce');
    this.#ui.get('banner', Gtk.Revealer).setRevealChild(shown);
    this.#ui.get('banner_icon', Gtk.Image).setFromIconName(shieldIcon(words.shield));
    this.#ui.get('banner_text', Gtk.Label).setLabel([`${words.title}.`, words.text, words.cause ?? ''].join(' ').trimEnd());
    const [first, other] = this.#bannerButtons;
    first.set(shown ? words.remedy : 'none');
    other.set(shown ? words.other ?? 'none' : 'none');
    this.#trialTicker.set(shown && words.other !== undefined && this.#window.getVisible());
  }

  #edit(rule: RuleInfo | null, draft?: RuleEdit): void {
    new RuleDialog(this.#session, this.#find, rule, (message, undo) => { this.#toast(message, undo); }, draft).present(this.#window);
  }

  /** By itself where nobody has chosen yet: while the firewall learns, and once. */
  #maybeAssist(): void {
    const { connected, status } = this.#session.knowledge;
    if (this.#window.getVisible() && connected && status?.mode === 'learning' && !this.#context.settings.get('assistant-done')) this.#showAssistant();
  }

  #showAssistant(): void {
    if (this.#assistant !== null) return;
    this.#assistant = new Assistant(this.#session, () => {
      this.#assistant = null;
      this.#context.settings.set('assistant-done', true);
    });
    this.#assistant.present(this.#window);
  }

  #toast(text: string, undo?: () => void): void {
    const toast = new Adw.Toast({ title: escapeMarkup(text) });
    // What was done last is what is taken back; it does not wait behind what was said before.
    this.#lastToast?.dismiss();
    this.#lastToast = toast;
    this.#setUndo(undo ?? null);
    if (undo !== undefined) {
      toast.setButtonLabel(_('Undo'));
      toast.setTimeout(UNDO_S);
      toast.on('button-clicked', undo);
      toast.on('dismissed', () => { if (this.#lastToast === toast) this.#setUndo(null); });
    }
    const overlay = this.#ui.get('toasts', Adw.ToastOverlay);
    overlay.addToast(toast);
    nameCloseButton(overlay.getLastChild());
  }

  #setUndo(undo: (() => void) | null): void {
    this.#undo = undo;
    this.#undoAction.setEnabled(undo !== null);
  }

  /** A toast is far from the list by Tab and soon gone: a key takes back too. */
  #takeBack(): void {
    const undo = this.#undo;
    this.#lastToast?.dismiss();
    undo?.();
  }
}
