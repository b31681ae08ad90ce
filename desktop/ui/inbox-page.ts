/** Questions that wait or ran out of time, by program; each can be answered for the next attempt, or dismissed. */
import type { PromptInfo } from '../../helper/contract/types.ts';
import { NotConnectedError } from '../../helper/contract/client.ts';
import { Countries } from '../client/countries.ts';
import { Inbox } from '../client/inbox.ts';
import { Gtk } from '../gtk.ts';
import type { Widget } from '../gtk.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { countText } from '../model/durations.ts';
import { errorText } from '../model/error-text.ts';
import { inboxRows, isAnswerable } from '../model/inbox-rows.ts';
import type { InboxRow } from '../model/inbox-rows.ts';
import { IdList } from './id-list.ts';
import { InboxDialog } from './inbox-dialog.ts';
import { InboxRowView } from './inbox-row.ts';
import { loadUi } from './load-ui.ts';
import { PageStates } from './page-states.ts';
import type { Page, PageContext, PageTarget } from './page.ts';
import type { PromptFacts } from './prompt-question.ts';

export class InboxPage implements Page {
  readonly #context: PageContext;
  readonly #facts: PromptFacts;
  readonly #inbox: Inbox;
  readonly #ui = loadUi('inbox-page');
  readonly #states = new PageStates(this.#ui.get('content', Gtk.ScrolledWindow));
  readonly #dismissAll = this.#ui.get('dismiss_all', Gtk.Button);
  readonly #list: IdList<InboxRowView>;
  #rows: ReadonlyMap<string, InboxRow> = new Map();
  #dialog: InboxDialog | null = null;
  #narrow = false;
  /** A question that was asked for before the list was there. */
  #wanted = '';

  constructor(context: PageContext) {
    this.#context = context;
    this.#facts = { find: context.find, countryOf: new Countries().find, uid: process.getuid?.() ?? -1 };
    this.#inbox = Inbox.of(context.session);
    this.#list = this.#makeList();
    this.#dismissAll.on('clicked', () => { this.#dismiss(this.#prompts().filter(({ status }) => status === 'expired')); });
    this.#inbox.changed.on(() => { this.#update(); });
    context.session.changed.on(() => { this.#onSession(); });
  }

  get widget(): Widget {
    return this.#states.widget;
  }

  get headerEnd(): readonly Widget[] {
    return [this.#dismissAll];
  }

  shown(target: PageTarget): void {
    this.#wanted = target.item ?? '';
    this.#inbox.start();
    this.#update();
  }

  hidden(): void {
    this.#inbox.stop();
    this.#dialog?.close();
  }

  setNarrow(narrow: boolean): void {
    this.#narrow = narrow;
    // Large words leave no room for the way back and the window's own button.
    if (narrow) this.#dismissAll.setIconName('edit-clear-all-symbolic');
    else this.#dismissAll.setLabel(_('Dismiss All'));
    this.#list.refill();
  }

  #prompts(): readonly PromptInfo[] {
    const { state } = this.#inbox;
    return state.kind === 'ready' ? state.prompts : [];
  }

  #makeList(): IdList<InboxRowView> {
    return new IdList({
      list: this.#ui.get('list', Gtk.ListView),
      make: () => new InboxRowView({
        answer: (prompt) => { this.#open(prompt); },
        dismiss: (prompt) => { this.#dismiss([prompt]); },
      }),
      fill: (view, id, item) => {
        const row = this.#rows.get(id);
        if (row === undefined) return;
        item.setActivatable(row.kind === 'question');
        view.fill(row, this.#context.session.clocks.wallMs(), this.#facts.uid, this.#narrow);
      },
      activated: (id) => {
        const row = this.#rows.get(id);
        if (row?.kind === 'question') this.#open(row.prompt);
      },
    });
  }

  #onSession(): void {
    if (!this.#context.session.knowledge.connected) this.#showMissing();
    else if (!this.#states.showsContent) this.#update();
  }

  #showMissing(): void {
    this.#dialog?.close();
    this.#dismissAll.setVisible(false);
    this.#states.showError(new NotConnectedError('not connected'), () => undefined);
  }

  #update(): void {
    const { state } = this.#inbox;
    if (!this.#context.session.knowledge.connected) {
      this.#showMissing();
      return;
    }
    if (state.kind === 'ready') this.#fill(state.prompts);
    else if (state.kind === 'reading') this.#states.showLoading(_('Reading the inbox…'));
    else this.#showFailure(state.error);
  }

  #showFailure(error: unknown): void {
    this.#dismissAll.setVisible(false);
    this.#states.showError(error, () => { this.#inbox.read(); });
  }

  #fill(prompts: readonly PromptInfo[]): void {
    const rows = inboxRows(prompts, this.#facts.find);
    this.#rows = new Map(rows.map((row) => [row.id, row]));
    this.#list.setIds(rows.map(({ id }) => id));
    this.#dismissAll.setVisible(prompts.some(({ status }) => status === 'expired'));
    if (prompts.length > 0) this.#states.showContent();
    else this.#showEmpty();
    this.#openWanted(prompts);
  }

  #showEmpty(): void {
    this.#states.showMessage({
      icon: 'mail-read-symbolic', title: _('Nothing Is Waiting'),
      text: _('Questions that you put off, and those that ran out of time, wait here until you answer or dismiss them.'),
    });
  }

  #openWanted(prompts: readonly PromptInfo[]): void {
    const wanted = prompts.find(({ nonce }) => nonce === this.#wanted);
    this.#wanted = '';
    if (wanted !== undefined) this.#open(wanted);
  }

  #open(prompt: PromptInfo): void {
    if (this.#dialog !== null) return;
    if (!isAnswerable(prompt)) {
      this.#context.toast(_('Its next attempt cannot be decided here. Add a rule for it on the page Rules.'));
      return;
    }
    this.#dialog = new InboxDialog(this.#context.session, this.#facts, prompt, {
      done: (message) => {
        if (message !== '') this.#context.toast(message);
        this.#inbox.read();
      },
      closed: () => { this.#dialog = null; },
    });
    this.#dialog.present(this.#context.window);
  }

  #dismiss(prompts: readonly PromptInfo[]): void {
    this.#inbox.dismiss(prompts.map(({ nonce }) => nonce)).then(
      (count) => {
        this.#context.toast(fill(ngettext('{number} question dismissed', '{number} questions dismissed', count), { number: countText(count) }));
      },
      (error: unknown) => { this.#context.toast(errorText(error)); },
    );
  }
}
