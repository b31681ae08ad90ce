/** A service manager's ear: what a helper says to NOTIFY_SOCKET, with the time at which it was heard. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { until } from './support.ts';
import { endChild } from '../lab/process.ts';

const END_GRACE_MS = 500;
const HEAR_LIMIT_MS = 30_000;

/** Datagram sockets of AF_UNIX are not in the runtime. */
const LISTEN = `import json, socket, sys, time
ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ear.bind(sys.argv[1])
print(json.dumps([time.monotonic() * 1000, "listening"]), flush=True)
while True:
    print(json.dumps([time.monotonic() * 1000, ear.recv(65536).decode("utf-8", "replace")]), flush=True)`;

export interface Heard {
  /** On the clock of process.hrtime. */
  readonly atMs: number;
  readonly text: string;
}

export class NotifyEar {
  readonly path: string;
  readonly heard: Heard[] = [];
  readonly #child: ChildProcess;

  private constructor(path: string) {
    this.path = path;
    this.#child = spawn('python3', ['-c', LISTEN, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    if (this.#child.stdout === null) throw new Error('the ear has no output');
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const [atMs, text] = JSON.parse(line) as [number, string];
      this.heard.push({ atMs, text });
    });
  }

  static async listen(folder: string): Promise<NotifyEar> {
    const ear = new NotifyEar(join(folder, 'notify'));
    await ear.hear('listening');
    return ear;
  }

  /** The first datagram after `from` that matches. */
  hear(wanted: string | RegExp, from = 0): Promise<Heard> {
    const isWanted = ({ text }: Heard): boolean => (typeof wanted === 'string' ? text === wanted : wanted.test(text));
    return until(`'${String(wanted)}' from the helper`, () => Promise.resolve(this.heard.slice(from).find(isWanted) ?? null), HEAR_LIMIT_MS);
  }

  /** `count` pings from now on. */
  async pings(count: number): Promise<void> {
    const from = this.heard.length;
    const more = (): boolean => this.heard.slice(from).filter(({ text }) => text === 'WATCHDOG=1').length >= count;
    await until(`${String(count)} pings`, () => Promise.resolve(more() ? true : null), HEAR_LIMIT_MS);
  }

  close(): Promise<void> {
    return endChild(this.#child, END_GRACE_MS);
  }
}
