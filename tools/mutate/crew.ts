/** Processes that try mutants. One that hangs, dies or is stained by a mutant is replaced. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Answer, Outcome, Setting, Survey, Trial } from './protocol.ts';

/** For what hangs without passing a switch, which is rare: a worker counts its steps. */
const HANGING_MS = 600_000;
/** Each source that is loaded anew stays in memory. */
const MOST_TRIALS = 200;

interface Member {
  readonly child: ChildProcess;
  trials: number;
}

export class Crew {
  readonly #setting: Setting;
  readonly #idle: Member[] = [];
  readonly #all = new Set<ChildProcess>();
  #survey: Survey | null = null;

  constructor(setting: Setting) {
    this.#setting = setting;
  }

  async survey(): Promise<Survey> {
    const member = this.#member();
    member.child.send({ do: 'survey' });
    const answer = await this.#answer(member.child);
    if (answer === null || !('survey' in answer)) throw new Error('the tests could not be run');
    this.#survey = answer.survey;
    this.#release(member);
    return answer.survey;
  }

  async tried(trial: Trial): Promise<Exclude<Outcome, 'stained'>> {
    const member = this.#idle.pop() ?? this.#member();
    const isFresh = member.trials === 0;
    if (isFresh) member.child.send({ do: 'learn', survey: this.#survey });
    member.trials += 1;
    member.child.send({ do: 'try', trial });
    const answer = await this.#answer(member.child);
    if (answer === null) {
      this.#dismiss(member.child);
      return 'endless';
    }
    if (!('outcome' in answer)) throw new Error('a worker answers what it was not asked');
    if (answer.outcome !== 'stained') {
      this.#release(member);
      return answer.outcome;
    }
    this.#dismiss(member.child);
    return isFresh ? 'killed' : await this.tried(trial);
  }

  end(): void {
    for (const child of this.#all) this.#dismiss(child);
  }

  #member(): Member {
    const child = fork(join(import.meta.dirname, 'worker.ts'), [JSON.stringify(this.#setting)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#all.add(child);
    return { child, trials: 0 };
  }

  #release(member: Member): void {
    if (member.trials < MOST_TRIALS) this.#idle.push(member);
    else this.#dismiss(member.child);
  }

  #dismiss(child: ChildProcess): void {
    this.#all.delete(child);
    child.kill('SIGKILL');
  }

  /** null for a process that has ended or hangs. */
  async #answer(child: ChildProcess): Promise<Answer | null> {
    const end = new AbortController();
    const late = setTimeout(() => { end.abort(); }, HANGING_MS);
    try {
      const message = once(child, 'message', { signal: end.signal }).then(([answer]: unknown[]) => answer as Answer);
      const left = once(child, 'exit', { signal: end.signal }).then(() => null);
      return await Promise.race([message, left]);
    } catch {
      return null;
    } finally {
      clearTimeout(late);
      end.abort();
    }
  }
}
