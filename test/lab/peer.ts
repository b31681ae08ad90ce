/** The lab's other side: runs peer.c in the peer's namespace, and asks it what arrived. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Interface } from 'node:readline';
import { compile } from './compile.ts';
import { endChild, startTied, within } from './process.ts';

const ANSWER_LIMIT_MS = 30_000;
const END_GRACE_MS = 500;

/** What arrived at the peer since `watch`. */
export interface PeerCounts {
  /** IP packets in all; neighbour discovery and the like among them. */
  readonly packets: number;
  /** Packets that the counter missed; a count is exact only when this is 0. */
  readonly lost: number;
  /**
   * Packets by key: `tcp/PORT`, `syn/PORT` (first SYNs), `udp/PORT`, `icmp/TYPE`, `other/PROTOCOL`, with `tcp6/PORT` and so on
   * for IPv6, `tag/TEXT` for payloads that hold `lab-tag:TEXT;`, and `routed/ADDRESS` for packets with IPv4 options or an IPv6
   * routing header, by where they are sent next.
   */
  of(key: string): number;
  readonly keys: ReadonlyMap<string, number>;
}


function parseCounts(line: string): PeerCounts {
  const [packets = '', lost = '', ...pairs] = line.split(' ');
  const keys = new Map<string, number>();
  for (const pair of pairs) {
    const at = pair.lastIndexOf('=');
    keys.set(pair.slice(0, at), Number(pair.slice(at + 1)));
  }
  return { packets: Number(packets), lost: Number(lost), keys, of: (key) => keys.get(key) ?? 0 };
}

export class Peer {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcess, lines: Interface) {
    this.#child = child;
    this.#lines = lines;
  }

  /** Resolves when every service listens. `enter` starts a program in the peer's namespace; `folder` is the lab's. */
  static async start(enter: readonly string[], folder: string, log: number): Promise<Peer> {
    const child = startTied([...enter, compile('peer.c', folder), 'eth0'], { stdio: ['pipe', 'pipe', log] });
    if (child.stdout === null) throw new Error('the peer has no output');
    const lines = createInterface({ input: child.stdout });
    const ended = once(child, 'exit').then(() => {
      throw new Error('the peer ended; the log of the lab says why');
    });
    ended.catch(() => undefined);
    await within(Promise.race([once(lines, 'line'), ended]), ANSWER_LIMIT_MS, () => 'the peer did not start');
    return new Peer(child, lines);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Counts from now on, from zero. */
  async watch(): Promise<void> {
    await this.#ask('watch');
  }

  /** Everything that has reached the peer's interface by now. */
  async counts(): Promise<PeerCounts> {
    return parseCounts(await this.#ask('count'));
  }

  async close(): Promise<void> {
    this.#child.stdin?.end();
    await endChild(this.#child, END_GRACE_MS);
    this.#lines.close();
  }

  #ask(command: string): Promise<string> {
    const answer = this.#turn.then(async () => {
      const line = once(this.#lines, 'line');
      this.#child.stdin?.write(`${command}\n`);
      const values: unknown[] = await within(line, ANSWER_LIMIT_MS, () => `the peer did not answer ${command}`);
      return String(values[0]);
    });
    this.#turn = answer.catch(() => undefined);
    return answer;
  }
}
