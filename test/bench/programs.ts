/** The benchmark's C programs: compiled once, run inside a network namespace. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdir, stat } from 'node:fs/promises';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SOURCES = dirname(fileURLToPath(import.meta.url));
const OUTPUT = join(SOURCES, '../../build/bench');
/** Longest that a client may take: slow beds make their connections in less. */
export const CLIENT_LIMIT_MS = 180_000;

/** The range of ports that the peer accepts on. */
export const PORTS = { first: 20_000, count: 8000 } as const;
/** The peer counts datagrams here. */
export const UDP_PORT = 19_999;
/** The peer reads all that comes. */
export const SINK_PORT = 19_998;
/** The peer sends what is asked for. */
export const SOURCE_PORT = 19_997;
/** The first of the many addresses of the peer. Source: `peerRange4`, test/lab/network.ts. */
export const SOAK_ADDRESS = '198.18.0.1';

export interface Programs {
  readonly connect: string;
  /** The same program under another path: it has no rule. */
  readonly stranger: string;
  readonly serve: string;
  readonly bulk: string;
  readonly cLoop: string;
  readonly crowd: string;
}

async function newer(file: string, than: string): Promise<boolean> {
  const [one, other] = await Promise.all([stat(file).catch(() => null), stat(than)]);
  return one !== null && one.mtimeMs > other.mtimeMs;
}

async function compile(name: string, source: string, libraries: readonly string[]): Promise<string> {
  const input = join(SOURCES, source);
  const output = join(OUTPUT, name);
  if (!(await newer(output, input))) {
    await run('gcc', ['-O2', '-Wall', '-Wextra', '-pthread', '-o', output, input, ...libraries]);
  }
  return output;
}

/** Compiles what changed into build/bench. */
export async function compilePrograms(): Promise<Programs> {
  await mkdir(OUTPUT, { recursive: true });
  const [connect, stranger, serve, bulk, cLoop, crowd] = await Promise.all([
    compile('connect', 'connect.c', []),
    compile('stranger', 'connect.c', []),
    compile('serve', 'serve.c', []),
    compile('bulk', 'bulk.c', []),
    compile('c-loop', 'c-loop.c', ['-lnetfilter_queue']),
    compile('crowd', 'crowd.c', []),
  ]);
  return { connect, stranger, serve, bulk, cLoop, crowd };
}

/** A command line that runs something inside a place (a namespace, or a lab's guarded cgroup). */
export type Enter = (command: readonly string[]) => readonly string[];

/** What a run of the client measured. Latencies count connections that succeeded. */
export interface ClientResult {
  readonly count: number;
  readonly failed: number;
  /** CLOCK_MONOTONIC in us, just before the first attempt; comparable with process.hrtime. */
  readonly startedUs: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  readonly seconds: number;
}

function field(value: unknown, name: string): number {
  if (typeof value === 'object' && value !== null) {
    const found = new Map<string, unknown>(Object.entries(value)).get(name);
    if (typeof found === 'number') return found;
  }
  return 0;
}

/** Runs the client to its end. */
export async function runClient(enter: Enter, program: string, args: readonly (string | number)[]): Promise<ClientResult> {
  const [command = '', ...rest] = enter([program, ...args.map(String)]);
  return parseClient((await run(command, rest, { timeout: CLIENT_LIMIT_MS })).stdout);
}

/** What the client printed; 0 for what its mode does not measure. */
export function parseClient(stdout: string): ClientResult {
  const value: unknown = JSON.parse(stdout);
  return {
    count: field(value, 'count'), failed: field(value, 'failed'), startedUs: field(value, 'started_us'),
    p50Us: field(value, 'p50_us'), p99Us: field(value, 'p99_us'), maxUs: field(value, 'max_us'),
    seconds: field(value, 'seconds'),
  };
}

/** A program that prints "ready" and then answers lines with lines, until `close`. */
export class Service {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string, unknown>;
  readonly #reader: Interface;

  private constructor(child: ChildProcess, reader: Interface) {
    this.#child = child;
    this.#reader = reader;
    this.#lines = reader[Symbol.asyncIterator]();
  }

  static async start(command: readonly string[]): Promise<Service> {
    const [program = '', ...args] = command;
    return await Service.adopt(spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] }), command.join(' '));
  }

  /** The same for a process that was started with pipes as its stdin and stdout. */
  static async adopt(child: ChildProcess, name: string): Promise<Service> {
    if (child.stdout === null) throw new Error(`${name} has no pipe as its stdout`);
    const service = new Service(child, createInterface({ input: child.stdout }));
    if ((await service.line()) !== 'ready') throw new Error(`${name} did not start`);
    return service;
  }

  /** The process; with `nsenter` in front it is the program itself, which nsenter becomes. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Sends one line and resolves with the answer. */
  async ask(line: string): Promise<string> {
    this.#child.stdin?.write(`${line}\n`);
    return await this.line();
  }

  /** The next line that it prints, '' at its end. */
  async line(): Promise<string> {
    const next: IteratorResult<string, unknown> = await this.#lines.next();
    return next.done === true ? '' : next.value;
  }

  /** Datagrams since the last call. */
  async datagrams(): Promise<number> {
    return Number(await this.ask('count'));
  }

  async close(): Promise<void> {
    this.#child.stdin?.end();
    this.#reader.close();
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await ended;
    }
  }
}
