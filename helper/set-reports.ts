/** What is told of address sets: problems to the journal, once each, and to those who listen that something is different. */
import type { KeptSet } from './kept-set.ts';
import type { Logger } from './ports.ts';

/** A tool that takes elements away again and again gets one line of the journal in this time. */
const LINE_MS = 10_000;

export class SetReports {
  readonly #logger: Logger;
  readonly #listeners = new Set<() => void>();
  /** Problems that the journal has, by set. */
  readonly #logged = new Map<string, string>();
  #told = '';
  #saidMs = Number.NEGATIVE_INFINITY;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Returns the way to stop. */
  onChanged(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  /** `changes`: transactions so far. */
  tell(sets: ReadonlyMap<string, KeptSet>, changes: number): void {
    for (const { key, problem, wish } of sets.values()) {
      if ((this.#logged.get(key) ?? '') === problem) continue;
      this.#logged.set(key, problem);
      const fields = { zone: wish?.zone ?? '', set: key };
      if (problem === '') this.#logger.log('info', 'a set of a zone is as it should be again', fields);
      else this.#logger.log('warning', 'a set of a zone is not as it should be', { ...fields, problem });
    }
    for (const key of this.#logged.keys()) if (!sets.has(key)) this.#logged.delete(key);
    const now = `${String(changes)} ${[...sets.values()].map(({ key, state, problem }) => `${key} ${state} ${problem}`).join('\n')}`;
    if (now === this.#told) return;
    this.#told = now;
    for (const listener of [...this.#listeners]) listener();
  }

  putBack(by: string, nowMs: number): void {
    if (nowMs - this.#saidMs < LINE_MS) return;
    this.#logger.log('info', 'address sets were changed by somebody else and are right again', { by });
    this.#saidMs = nowMs;
  }
}
