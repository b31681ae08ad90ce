/** Child processes of the desktop tests: started by us, ended by us, spoken to in lines. */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { jsonLine } from './json-line.ts';

/** Only what never comes is waited for so long. */
const LINE_LIMIT_MS = 40_000;

/** A program that prints lines; lines wait until somebody asks for them. */
export class LineProcess {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #waiting: string[] = [];
  readonly #sleeping = new Set<() => void>();
  #stderr = '';
  #ended = false;

  constructor(command: string, args: readonly string[], environment: NodeJS.ProcessEnv) {
    this.child = spawn(command, args, { env: environment, stdio: ['pipe', 'pipe', 'pipe'] });
    createInterface(this.child.stdout).on('line', (line) => {
      this.#waiting.push(line);
      this.#wake();
    });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => { this.#stderr = (this.#stderr + text).slice(-8000); });
    this.child.on('exit', () => {
      this.#ended = true;
      this.#wake();
    });
    this.child.stdin.on('error', () => undefined);
  }

  /** Whoever waits for a line looks again. */
  #wake(): void {
    for (const wake of this.#sleeping) wake();
    this.#sleeping.clear();
  }

  get stderr(): string {
    return this.#stderr;
  }

  write(value: object): void {
    this.child.stdin.write(jsonLine(value));
  }

  /** The next line that `wanted` takes; those before it are dropped. Rejects at the end of the process and after 40 s. */
  line(wanted: (line: string) => boolean = () => true): Promise<string> {
    return this.#next((last) => {
      for (let line = this.#waiting.shift(); line !== undefined; line = this.#waiting.shift()) {
        if (wanted(line)) return line;
        last.text = line;
      }
      return undefined;
    });
  }

  /** The same, and those before it stay. */
  lineAmong(wanted: (line: string) => boolean): Promise<string> {
    return this.#next(() => {
      const at = this.#waiting.findIndex(wanted);
      return at === -1 ? undefined : this.#waiting.splice(at, 1)[0];
    });
  }

  async #next(look: (last: { text: string }) => string | undefined): Promise<string> {
    const until = performance.now() + LINE_LIMIT_MS;
    const last = { text: '' };
    for (;;) {
      const line = look(last);
      if (line !== undefined) return line;
      const left = until - performance.now();
      if (this.#ended || left <= 0) throw new Error(`no such line from ${this.child.spawnargs.join(' ')}; the last one was ${JSON.stringify(last.text)}: ${this.#stderr}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#sleeping.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Lines that came and that nobody asked for. */
  get pending(): readonly string[] {
    return this.#waiting;
  }

  /** Resolves when the process has ended by itself. */
  async ended(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 3000);
    await ended;
    clearTimeout(timer);
  }
}
