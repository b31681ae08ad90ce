/** Which blocks of the code have run, as V8 counts them. Source: Chrome DevTools Protocol, Profiler.takePreciseCoverage. */
import { Session } from 'node:inspector';
import type { Profiler } from 'node:inspector';

export class Coverage {
  readonly #session = new Session();
  readonly #counts: (url: string) => boolean;
  /** A byte for each character of a function, by its place; not 0: it has run. */
  readonly #functions = new Map<string, Uint8Array>();

  /** `counts`: is the code of this file of interest? Only code that is loaded afterwards is counted by blocks from the start. */
  constructor(counts: (url: string) => boolean) {
    this.#counts = counts;
    this.#session.connect();
    this.#post('Profiler.enable');
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Has anything run since the last call that had not run before? Only what is taken in counts as having run. */
  look(takeIn: boolean): boolean {
    let isNew = false;
    const { result } = this.#post('Profiler.takePreciseCoverage') as Profiler.TakePreciseCoverageReturnType;
    for (const script of result) {
      if (!this.#counts(script.url)) continue;
      for (const one of script.functions) if (this.#compare(script.scriptId, one, takeIn)) isNew = true;
    }
    return isNew;
  }

  /** Functions that have run. */
  get size(): number {
    return this.#functions.size;
  }

  close(): void {
    this.#session.disconnect();
  }

  /** An inspector of this very thread answers before `post` returns. */
  #post(method: string, parameters?: object): unknown {
    const answers: unknown[] = [];
    this.#session.post(method, parameters, (error, value) => { answers.push(error ?? value); });
    const [answer] = answers;
    if (answer === undefined || answer instanceof Error) throw new Error(`${method} was not answered`, { cause: answer });
    return answer;
  }

  /** Ranges lie within each other, the outer before the inner, and the inner ones count where they are. */
  #compare(script: string, { ranges }: Profiler.FunctionCoverage, takeIn: boolean): boolean {
    const [whole, ...inner] = ranges;
    if (whole === undefined || whole.count === 0) return false;
    const place = `${script}:${String(whole.startOffset)}:${String(whole.endOffset)}`;
    const ran = new Uint8Array(whole.endOffset - whole.startOffset).fill(1);
    for (const { startOffset, endOffset, count } of inner) {
      ran.fill(count > 0 ? 1 : 0, startOffset - whole.startOffset, endOffset - whole.startOffset);
    }
    const before = this.#functions.get(place);
    if (before === undefined) {
      if (takeIn) this.#functions.set(place, ran);
      return true;
    }
    let isNew = false;
    for (let at = 0; at < ran.length; at += 1) {
      if (ran[at] === 0 || before[at] !== 0) continue;
      if (takeIn) before[at] = 1;
      isNew = true;
    }
    return isNew;
  }
}
