/** Child processes of the desktop tests: started by us, ended by us, spoken to in lines. */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

const LINE_LIMIT_MS = 15_000;

/** A program that prints lines; lines wait until somebody asks for them. */
export class LineProcess {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #waiting: string[] = [];
  #wake: () => void = () => undefined;
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

  get stderr(): string {
    return this.#stderr;
  }

  write(value: object): void {
    this.child.stdin.write(`${JSON.stringify(value)}\n`);
  }

  /** The next line that `wanted` takes; those before it are dropped. Rejects at the end of the process and after 15 s. */
  async line(wanted: (line: string) => boolean = () => true): Promise<string> {
    const until = performance.now() + LINE_LIMIT_MS;
    for (;;) {
      for (let line = this.#waiting.shift(); line !== undefined; line = this.#waiting.shift()) if (wanted(line)) return line;
      const left = until - performance.now();
      if (this.#ended || left <= 0) throw new Error(`no such line from ${this.child.spawnfile}: ${this.#stderr}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
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
