/** A TCP connection from inside the firewall that says what its peer echoes, line by line, and how it ends. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { ChildProcess } from 'node:child_process';
import type { Interface } from 'node:readline';
import type { Bed } from './bed.ts';

const SCRIPT = `
const [address, port] = process.argv.slice(1);
const socket = require('node:net').connect(Number(port), address, () => console.log('connected'));
socket.on('data', (bytes) => console.log(bytes.toString().trim()));
socket.on('error', (error) => { console.log(error.code); process.exit(); });
process.stdin.on('data', (bytes) => socket.write(bytes)).on('end', () => process.exit());
`;

const ECHO = `
require('node:net').createServer((socket) => socket.on('error', () => undefined).pipe(socket)).listen(Number(process.argv[1]), '::', () => console.log('ready'));
process.stdin.on('end', () => process.exit()).resume();
`;

/** A server on the other side that says what it is told. Ends with the bed. */
export async function startEcho(bed: Bed, port: number): Promise<void> {
  const server = bed.atPeer([process.execPath, '-e', ECHO, String(port)]);
  if (server.stdout === null) throw new TypeError('no standard output');
  await once(server.stdout, 'data');
}

export class Talker {
  readonly #process: ChildProcess;
  readonly #lines: Interface;

  constructor(bed: Bed, address: string, port: number) {
    this.#process = bed.start(process.execPath, ['-e', SCRIPT, address, port]);
    if (this.#process.stdout === null) throw new TypeError('no standard output');
    this.#lines = createInterface({ input: this.#process.stdout });
  }

  /** What it says next: `connected`, an echoed line, or the error's code. */
  async next(): Promise<string> {
    const [line] = await once(this.#lines, 'line') as [string];
    return line;
  }

  /** Sends a line and waits for what comes of it. */
  say(line: string): Promise<string> {
    const answer = this.next();
    this.send(line);
    return answer;
  }

  send(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  async end(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.stdin?.end();
    await ended;
  }
}
