/**
 * The windows' process: started on demand as a child of this one, spoken to over a pipe that nobody else can reach, ended
 * when it shows nothing. It may end at any time; what it has not said is never taken as said.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { assetPath } from '../assets.ts';
import { readToSession } from '../channel.ts';
import type { ToSession, ToWindow } from '../channel.ts';
import { CrashLimit } from '../model/crash-limit.ts';
import { SMALL_HEAP_FLAG } from '../small-heap.ts';

/** Messages that it has not taken: a few for each prompt that can wait. Beyond that it hangs, and is ended. */
export const BACKLOG_LIMIT = 2000;
/** Young objects get a megabyte, and threads share one arena: a tenth of its memory, and no difference that can be seen. */
const SMALL_HEAP = ['--max-semi-space-size=1', SMALL_HEAP_FLAG];
/** How long it may take to end when it is told to. */
const END_MS = 3000;

export interface WindowEvents {
  /** It has just been started and knows nothing. */
  started(): void;
  message(message: ToSession): void;
  /** It has ended without being told to; `again`: it may be started at once. */
  crashed(again: boolean): void;
  /** After several crashes: it may be started again. */
  usable(): void;
}

/** What the process counts. */
export interface WindowCounters {
  readonly starts: number;
  readonly crashes: number;
  /** Messages of it that were none. */
  readonly strange: number;
}

export class WindowProcess {
  readonly #events: WindowEvents;
  readonly #warn: (line: string) => void;
  readonly #crashes: CrashLimit;
  readonly #ending = new Map<ChildProcess, NodeJS.Timeout>();
  #child: ChildProcess | null = null;
  #backlog = 0;
  #starts = 0;
  #crashed = 0;
  #strange = 0;
  #cooling: NodeJS.Timeout | null = null;

  /** `nowMs`: a monotonic clock. */
  constructor(events: WindowEvents, nowMs: () => number, warn: (line: string) => void) {
    this.#events = events;
    this.#warn = warn;
    this.#crashes = new CrashLimit(nowMs);
  }

  get running(): boolean {
    return this.#child !== null;
  }

  /** Has it ended too often, so that it is not started for a while? */
  get blocked(): boolean {
    return this.#child === null && this.#crashes.waitMs() > 0;
  }

  get counters(): WindowCounters {
    return { starts: this.#starts, crashes: this.#crashed, strange: this.#strange };
  }

  /** Starts it where it does not run. False while it may not be started. */
  ensure(): boolean {
    if (this.#child !== null) return true;
    if (this.blocked) return false;
    const script = assetPath('window.cjs');
    if (!existsSync(script)) {
      this.#warn(`${script} is missing; install the package again`);
      return false;
    }
    const child = fork(script, [], {
      execPath: process.execPath, execArgv: [...SMALL_HEAP], env: { MALLOC_ARENA_MAX: '1', ...process.env }, stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child = child;
    this.#backlog = 0;
    this.#starts += 1;
    child.on('message', (received) => { if (this.#child === child) this.#onMessage(received); });
    child.on('error', (error) => { this.#onEnd(child, error.message); });
    child.on('exit', (code, signal) => { this.#onEnd(child, signal ?? `status ${String(code)}`); });
    this.#events.started();
    return true;
  }

  /** Nothing happens where it does not run. */
  send(message: ToWindow): void {
    const child = this.#child;
    if (child?.connected !== true) return;
    if (this.#backlog >= BACKLOG_LIMIT) {
      if (child.killed) return;
      this.#warn('the window does not answer and is ended');
      child.kill('SIGKILL');
      return;
    }
    this.#backlog += 1;
    child.send(message, () => { if (this.#child === child) this.#backlog -= 1; });
  }

  /** Tells it to end; another one may be started at once. */
  leave(): void {
    const child = this.#child;
    if (child === null) return;
    this.send({ do: 'quit' });
    this.#child = null;
    this.#ending.set(child, setTimeout(() => { child.kill('SIGKILL'); }, END_MS));
  }

  stop(): void {
    if (this.#cooling !== null) clearTimeout(this.#cooling);
    this.leave();
    for (const [child, timer] of this.#ending) {
      clearTimeout(timer);
      child.kill('SIGTERM');
    }
  }

  #onMessage(received: unknown): void {
    const message = readToSession(received);
    if (message !== null) {
      this.#events.message(message);
      return;
    }
    this.#strange += 1;
    if (this.#strange === 1) this.#warn('the window said something that this version does not know');
  }

  #onEnd(child: ChildProcess, how: string): void {
    const timer = this.#ending.get(child);
    if (timer !== undefined) {
      clearTimeout(timer);
      this.#ending.delete(child);
      return;
    }
    if (this.#child !== child) return;
    this.#child = null;
    this.#crashed += 1;
    this.#crashes.note();
    this.#warn(`the window ended unexpectedly (${how})`);
    const waitMs = this.#crashes.waitMs();
    if (waitMs > 0) this.#cool(waitMs);
    this.#events.crashed(waitMs === 0);
  }

  #cool(waitMs: number): void {
    if (this.#cooling !== null) clearTimeout(this.#cooling);
    this.#cooling = setTimeout(() => {
      this.#cooling = null;
      this.#events.usable();
    }, waitMs);
  }
}
