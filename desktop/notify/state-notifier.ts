/** Tells of changes of the firewall's state, and of programs that were changed, as notifications. */
import type { HelperSession } from '../client/session.ts';
import { _ } from '../i18n.ts';
import { visible } from '../model/plain-text.ts';
import { ABSENCE_GRACE_MS, StateNotices, changedProgramsNotice } from '../model/state-notices.ts';
import type { Notice } from '../model/state-notices.ts';
import type { NotificationButton, Notifier } from './notifier.ts';

/** A look at more would not fit a notification; the application's page lists all. */
const LOOK_ROWS = 100;
/** Changed files that are remembered as told. */
const MEMORY_LIMIT = 1000;

export interface StateNotifierActions {
  /** `token` lets the window come to the front, '' for none. */
  openWindow(token: string, page: 'overview' | 'applications'): void;
  /** As the person wants to be told; null: not at all. */
  adapt(notice: Notice): Notice | null;
  /** The safeguard was not ended. */
  failed(error: unknown): void;
}

export class StateNotifier {
  readonly #session: HelperSession;
  readonly #notifier: Notifier;
  readonly #actions: StateNotifierActions;
  readonly #notices = new StateNotices();
  /** `id hash` of changed files that were told, or were changed already when this session began. */
  readonly #told = new Set<string>();
  #absence: NodeJS.Timeout | null = null;
  #absent = false;
  #looking: 'no' | 'yes' | 'again' = 'no';
  #looked = false;
  /** What had been changed before is known. */
  #based = false;

  constructor(session: HelperSession, notifier: Notifier, actions: StateNotifierActions) {
    this.#session = session;
    this.#notifier = notifier;
    this.#actions = actions;
    session.changed.on(() => { this.#onChanged(); });
    session.client.on('applicationsChanged', () => { this.#look(); });
  }

  /** No timer is left behind. */
  stop(): void {
    if (this.#absence !== null) clearTimeout(this.#absence);
    this.#absence = null;
  }

  #onChanged(): void {
    const { knowledge } = this.#session;
    if (knowledge.connected) {
      this.stop();
      this.#absent = false;
      if (!this.#looked && knowledge.agentProblem === null && knowledge.status !== null) this.#look();
    } else {
      this.#looked = false;
      if (this.#absence === null && !this.#absent) this.#absence = setTimeout(() => { this.#onAbsent(); }, ABSENCE_GRACE_MS);
    }
    this.#step();
  }

  #onAbsent(): void {
    this.#absence = null;
    this.#absent = true;
    this.#step();
  }

  #step(): void {
    const step = this.#notices.next(this.#session.knowledge, this.#absent, this.#session.clocks.wallMs());
    if (step === null) return;
    const notice = step.do === 'close' ? null : this.#actions.adapt(step.notice);
    if (step.do === 'close' || notice === null) this.#notifier.closeState();
    else this.#notifier.tellState(notice, this.#buttons(step.notice));
  }

  #buttons(notice: Notice): readonly NotificationButton[] {
    const open = (token: string): void => { this.#actions.openWindow(token, 'overview'); };
    const end = (): void => {
      this.#session.client.endSafeguard().catch((error: unknown) => { this.#actions.failed(error); });
    };
    return [
      // Servers run `default` for a click on the text and show no button for it.
      { id: 'default', label: _('Show'), run: open },
      ...(notice.urgency === 'critical' ? [{ id: 'end', label: _('End'), run: end, decides: true }] : []),
      { id: 'show', label: _('Show'), run: open },
    ];
  }

  /** One look at a time, and one more for whatever came meanwhile. */
  #look(): void {
    if (this.#looking !== 'no') {
      this.#looking = 'again';
      return;
    }
    this.#looking = 'yes';
    this.#looked = true;
    const done = (): void => {
      const again = this.#looking === 'again';
      this.#looking = 'no';
      if (again) this.#look();
    };
    this.#readChanged().then(done, done);
  }

  async #readChanged(): Promise<void> {
    const { rows } = await this.#session.client.listApplications({ state: 'changed' }, LOOK_ROWS, '');
    const news = rows.filter(({ id, sha256 }) => !this.#told.has(`${id} ${sha256}`));
    for (const { id, sha256 } of news) this.#remember(`${id} ${sha256}`);
    // What had been changed before this session began is no news.
    const suspended = this.#based ? news.filter(({ rules }) => rules > 0) : [];
    this.#based = true;
    if (suspended.length === 0) return;
    const notice = changedProgramsNotice(suspended.map(({ name }) => visible(name, 64)));
    const open = (token: string): void => { this.#actions.openWindow(token, 'applications'); };
    this.#notifier.tell(notice.title, notice.body, 'normal', [{ id: 'default', label: _('Show'), run: open }, { id: 'show', label: _('Show'), run: open }]);
  }

  #remember(key: string): void {
    const [oldest] = this.#told;
    if (this.#told.size >= MEMORY_LIMIT && oldest !== undefined) this.#told.delete(oldest);
    this.#told.add(key);
  }
}
