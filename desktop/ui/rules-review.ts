/** What is known of rules beyond themselves: which do nothing, and which programs are not what they were. Asked for while it is shown. */
import { allRows } from '../../helper/contract/pages.ts';
import type { ApplicationInfo } from '../../helper/contract/types.ts';
import type { HelperSession } from '../client/session.ts';
import { changedPrograms } from '../model/rule-marks.ts';
import { NOT_REVIEWED, reviewOf } from '../model/rule-review.ts';
import type { Reviewed } from '../model/rule-review.ts';

/** After a change others often follow. */
const CALM_MS = 1000;
/** More programs with changed files than a machine has; the helper is asked no further. */
const MOST_CHANGED = 5000;

export class RulesReview {
  readonly #session: HelperSession;
  readonly #told: () => void;
  reviewed: Reviewed = NOT_REVIEWED;
  changed: ReadonlySet<string> = new Set();
  /** Why there is no review; null where there is one, or nobody has asked. */
  error: unknown = null;
  isDone = false;
  #isShown = false;
  #asking: 'no' | 'yes' | 'again' = 'no';
  #timer: NodeJS.Timeout | null = null;
  #stopListening: () => void = () => undefined;

  /** `told` is called when there is something new. */
  constructor(session: HelperSession, told: () => void) {
    this.#session = session;
    this.#told = told;
  }

  /** The page is looked at, or the helper is back. */
  start(): void {
    if (!this.#isShown) this.#stopListening = this.#session.client.on('applicationsChanged', () => { this.#askForChanged(); });
    this.#isShown = true;
    this.#askForChanged();
    this.#ask();
  }

  stop(): void {
    this.#isShown = false;
    this.#stopListening();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  rulesChanged(): void {
    if (!this.#isShown || this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#ask();
    }, CALM_MS);
  }

  #ask(): void {
    if (!this.#session.knowledge.connected) return;
    if (this.#asking !== 'no') {
      this.#asking = 'again';
      return;
    }
    this.#asking = 'yes';
    const finish = (error: unknown): void => {
      const again = this.#asking === 'again';
      this.#asking = 'no';
      this.error = error;
      this.isDone = error === null;
      this.#told();
      if (again && this.#isShown) this.rulesChanged();
    };
    this.#session.client.reviewRules().then(
      (rows) => {
        this.reviewed = reviewOf(rows);
        finish(null);
      },
      finish,
    );
  }

  /** Marks of suspended rules come late rather than not at all: a failure is tried again with the next change. */
  #askForChanged(): void {
    if (!this.#session.knowledge.connected) return;
    this.#readChanged().then(
      (applications) => {
        this.changed = changedPrograms(applications);
        this.#told();
      },
      () => undefined,
    );
  }

  async #readChanged(): Promise<readonly ApplicationInfo[]> {
    const { client } = this.#session;
    return (await allRows((limit, cursor) => client.listApplications({ state: 'changed' }, limit, cursor), MOST_CHANGED)).rows;
  }
}
