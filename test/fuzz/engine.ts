/**
 * A small coverage-guided fuzzer: changes inputs, keeps those that reach code which none has reached before, and makes what
 * breaks the target as short as it can. What it tries follows from the seed; only how much of it follows from the time.
 */
import type { Coverage } from './coverage.ts';
import { mutate } from './mutate.ts';
import { Random } from './random.ts';

export interface Target {
  readonly name: string;
  /** Inputs to begin with, besides those of test/fuzz/corpus. */
  readonly seeds: readonly (string | Buffer)[];
  /** Words that the target's readers know. */
  readonly dictionary: readonly string[];
  readonly maxBytes: number;
  /** Throws where the target does what it must not. Its own typed refusals are not thrown on. */
  readonly run: (input: Buffer) => void | Promise<void>;
}

export interface Finding {
  readonly input: Buffer;
  readonly message: string;
}

export interface Outcome {
  readonly runs: number;
  /** Functions of the product that were reached. */
  readonly functions: number;
  /** Inputs that reached something new, without those that were given. */
  readonly found: readonly Buffer[];
  readonly finding: Finding | null;
}

export interface FuzzOptions {
  readonly seed: number;
  readonly timeMs: number;
  readonly corpus: readonly Buffer[];
  /** Of this process, for one input. */
  readonly slowMs: number;
  /** Begun before the target was loaded. */
  readonly coverage: Coverage;
  /** Told before each run, so that an input that never ends is known. */
  readonly before: (input: Buffer) => void;
}

/** Taking the coverage costs as much as some dozens of runs: it is looked at after so many. */
const BATCH = 64;
const MINIMISING_RUNS = 2000;

class Slow extends Error {
  override readonly name = 'Slow';
}

function bytesOf(seed: string | Buffer): Buffer {
  return typeof seed === 'string' ? Buffer.from(seed) : seed;
}

export class Fuzzer {
  readonly #target: Target;
  readonly #options: FuzzOptions;
  readonly #coverage: Coverage;
  readonly #corpus: Buffer[] = [];
  readonly #found: Buffer[] = [];
  #runs = 0;

  constructor(target: Target, options: FuzzOptions) {
    this.#target = target;
    this.#options = options;
    this.#coverage = options.coverage;
  }

  /** All that is given is tried once, then changes of it until the time is over or one breaks the target. */
  async run(): Promise<Outcome> {
    const finding = await this.#begin() ?? await this.#search();
    return { runs: this.#runs, functions: this.#coverage.size, found: this.#found, finding };
  }

  async #begin(): Promise<Finding | null> {
    const given = [...this.#options.corpus, ...this.#target.seeds.map(bytesOf), Buffer.alloc(0)];
    for (const input of given) {
      const finding = await this.#try(input);
      if (finding !== null) return finding;
      this.#corpus.push(input);
    }
    this.#coverage.look(true);
    return null;
  }

  async #search(): Promise<Finding | null> {
    const random = new Random(this.#options.seed);
    const material = {
      corpus: this.#corpus, maxBytes: this.#target.maxBytes, dictionary: this.#target.dictionary.map((word) => Buffer.from(word)),
    };
    const endMs = performance.now() + this.#options.timeMs;
    while (performance.now() < endMs) {
      const batch = Array.from({ length: BATCH }, () => mutate(random.one(this.#corpus), random, material));
      for (const input of batch) {
        const finding = await this.#try(input);
        if (finding !== null) return finding;
      }
      if (!this.#coverage.look(false)) continue;
      const finding = await this.#keepNew(batch);
      if (finding !== null) return finding;
    }
    return null;
  }

  /** Runs each alone: the first that reaches something is kept for it. */
  async #keepNew(batch: readonly Buffer[]): Promise<Finding | null> {
    for (const input of batch) {
      const finding = await this.#try(input);
      if (finding !== null) return finding;
      if (!this.#coverage.look(true)) continue;
      this.#corpus.push(input);
      this.#found.push(input);
    }
    return null;
  }

  async #try(input: Buffer): Promise<Finding | null> {
    const message = await this.#messageOf(input);
    if (message === null) return null;
    return { input: await this.#shortened(input, message), message };
  }

  /** What the target says to this input; null for nothing. */
  async #messageOf(input: Buffer): Promise<string | null> {
    this.#options.before(input);
    this.#runs += 1;
    const begun = process.cpuUsage();
    try {
      await this.#target.run(input);
      const { user, system } = process.cpuUsage(begun);
      const tookMs = (user + system) / 1000;
      if (tookMs > this.#options.slowMs) throw new Slow(`took ${String(Math.round(tookMs))} ms of processor time`);
      return null;
    } catch (error: unknown) {
      return error instanceof Error ? error.stack ?? error.message : String(error);
    }
  }

  /** Leaves out pieces, ever smaller ones, as long as the first line of what is said stays the same. */
  async #shortened(input: Buffer, message: string): Promise<Buffer> {
    const [kind] = message.split('\n', 1);
    let shortest = input;
    let left = MINIMISING_RUNS;
    for (let size = Math.ceil(input.length / 2); size > 0; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let at = 0; at < shortest.length && left > 0; left -= 1) {
        const without = Buffer.concat([shortest.subarray(0, at), shortest.subarray(at + size)]);
        if ((await this.#messageOf(without))?.split('\n', 1)[0] === kind) shortest = without;
        else at += size;
      }
    }
    return shortest;
  }
}
