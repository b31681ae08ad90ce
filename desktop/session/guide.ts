/** Tells once of the first steps, and once that learning has found enough. One timer a day, and only while it learns. */
import type { HelperSession } from '../client/session.ts';
import { _ } from '../i18n.ts';
import { learnedEnough, welcome } from '../model/guidance.ts';
import type { Guidance } from '../model/guidance.ts';
import type { SettingKey, Settings } from '../model/settings.ts';
import type { Notifier } from '../notify/notifier.ts';

const DAY_MS = 86_400_000;

type Told = Extract<SettingKey, 'welcome-told' | 'suggestions-told'>;

export class Guide {
  readonly #session: HelperSession;
  readonly #notifier: Notifier;
  readonly #settings: Settings;
  readonly #open: (token: string, page: 'overview' | 'suggestions') => void;
  #timer: NodeJS.Timeout | null = null;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(session: HelperSession, notifier: Notifier, settings: Settings, open: (token: string, page: 'overview' | 'suggestions') => void) {
    this.#session = session;
    this.#notifier = notifier;
    this.#settings = settings;
    this.#open = open;
    session.changed.on(() => { this.#onChanged(); });
  }

  /** No timer is left behind. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #onChanged(): void {
    const { connected, status, agentProblem } = this.#session.knowledge;
    const learns = connected && status?.mode === 'learning' && agentProblem === null;
    if (!learns) {
      this.stop();
      return;
    }
    const hello = welcome(status, this.#settings.get('assistant-done') || this.#settings.get('welcome-told'));
    if (hello !== null) this.#tell(hello, 'welcome-told', 'overview');
    if (this.#settings.get('suggestions-told') || this.#timer !== null) return;
    this.#look();
  }

  /** At the start, then once a day: reading the history is not free. */
  #look(): void {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#onChanged();
    }, DAY_MS);
    const now = this.#session.clocks.nowMs();
    if (now - this.#lookedMs < DAY_MS) return;
    this.#lookedMs = now;
    this.#session.client.proposeRules({}).then(
      (proposals) => {
        const found = learnedEnough(this.#session.knowledge.status, proposals, this.#session.clocks.wallMs());
        if (found !== null) this.#tell(found, 'suggestions-told', 'suggestions');
      },
      () => undefined,
    );
  }

  /** What nobody can have seen counts as untold. */
  #tell(guidance: Guidance, key: Told, page: 'overview' | 'suggestions'): void {
    const open = (token: string): void => { this.#open(token, page); };
    const buttons = [{ id: 'default', label: _('Show'), run: open }, { id: 'show', label: _('Show'), run: open }];
    if (this.#notifier.tell(guidance.title, guidance.body, 'normal', buttons)) this.#settings.set(key, true);
  }
}
