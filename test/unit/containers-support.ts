/** A stand-in for an engine: a real server on a real unix socket, which answers as a test says. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineWatch } from '../../helper/adapters/containers/engine.ts';
import { ENGINE_TIMES } from '../../helper/adapters/containers/limits.ts';
import type { EngineTimes } from '../../helper/adapters/containers/limits.ts';
import type { FromEngines, SeenContainer } from '../../helper/adapters/containers/messages.ts';

/** No test waits for a time of the product; a machine under load still answers within these. */
export const QUICK: EngineTimes = { ...ENGINE_TIMES, headers: 1000, answer: 3000, firstWait: 50, longestWait: 200, grace: 100, list: 50 };
const WAIT_MS = 60_000;

/** An id of 64 digits for each small number. */
export function idOf(number: number): string {
  return number.toString(16).padStart(64, '0');
}

interface Network {
  readonly IPAddress?: string;
  readonly IPPrefixLen?: number;
  readonly GlobalIPv6Address?: string;
  readonly GlobalIPv6PrefixLen?: number;
}

/** As an engine describes a container that runs. */
export function described(id: string, change: {
  readonly name?: string; readonly image?: string; readonly running?: boolean; readonly paused?: boolean; readonly mode?: string;
  readonly labels?: Readonly<Record<string, unknown>>; readonly networks?: Readonly<Record<string, Network>>;
} = {}): unknown {
  return {
    Id: id, Name: `/${change.name ?? 'web'}`, State: { Running: change.running ?? true, Paused: change.paused ?? false },
    Config: { Image: change.image ?? 'nginx:latest', Labels: change.labels ?? {} }, HostConfig: { NetworkMode: change.mode ?? 'default' },
    NetworkSettings: { Networks: change.networks ?? { bridge: { IPAddress: '172.17.0.2', IPPrefixLen: 16, GlobalIPv6Address: '', GlobalIPv6PrefixLen: 0 } } },
  };
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export class StandIn implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'bastion-containers-'));
  readonly socket = join(this.folder, 'engine.sock');
  readonly containers = new Map<string, unknown>();
  readonly requests: string[] = [];
  readonly #streams = new Set<ServerResponse>();
  #server: Server | null = null;
  /** Answers in place of the usual way where it returns true. */
  instead: (path: string, response: ServerResponse) => boolean = () => false;

  listen(): Promise<void> {
    return this.listenAt(this.socket);
  }

  async listenAt(path: string, handler: Handler = (request, response) => { this.#answer(request, response); }): Promise<void> {
    const server = createServer(handler);
    this.#server = server;
    await new Promise<void>((resolve) => { server.listen(path, resolve); });
  }

  /** As an engine that ends: connections are closed, the socket goes. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    const closed = new Promise((resolve) => { server.close(resolve); });
    server.closeAllConnections();
    this.#streams.clear();
    await closed;
  }

  get listeners(): number {
    return this.#streams.size;
  }

  tell(event: unknown): void {
    this.tellText(`${JSON.stringify(event)}\n`);
  }

  tellText(text: string): void {
    for (const stream of this.#streams) stream.write(text);
  }

  tellOf(id: string, action: string): void {
    this.tell({ Type: 'container', Action: action, Actor: { ID: id, Attributes: {} } });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '';
    this.requests.push(path);
    if (this.instead(path, response)) return;
    if (path === '/version') {
      response.end(JSON.stringify({ ApiVersion: '1.41', MinAPIVersion: '1.12', Version: '20.10' }));
    } else if (path.includes('/events')) {
      this.#streams.add(response);
      response.on('close', () => { this.#streams.delete(response); });
      response.flushHeaders();
    } else if (path.includes('/containers/json')) {
      response.end(JSON.stringify([...this.containers.keys()].map((Id) => ({ Id }))));
    } else {
      const found = this.containers.get(/containers\/([0-9a-f]{64})\/json$/u.exec(path)?.[1] ?? '');
      response.statusCode = found === undefined ? 404 : 200;
      response.end(JSON.stringify(found ?? { message: 'No such container' }));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What one engine tells, put together. */
export class Told implements AsyncDisposable {
  readonly containers = new Map<string, SeenContainer>();
  readonly states: string[] = [];
  readonly unreadable: string[] = [];
  problem = '';
  state = '';
  ownerUid = -1;
  readonly watch: EngineWatch;
  #changed: () => void = () => undefined;

  constructor(socket: string, times: EngineTimes = QUICK, other = '') {
    this.watch = new EngineWatch({ engine: 'docker', socket, other }, (message) => { this.#hear(message); }, times);
  }

  #hear(message: FromEngines): void {
    if (message.kind === 'engine') {
      this.states.push(message.state);
      this.state = message.state;
      this.problem = message.problem;
      this.ownerUid = message.ownerUid;
    } else if (message.kind === 'unreadable') {
      this.unreadable.push(message.id);
    } else {
      for (const one of message.changed) this.containers.set(one.id, one);
      for (const id of message.gone) this.containers.delete(id);
    }
    this.#changed();
  }

  get names(): string[] {
    return [...this.containers.values()].map(({ name }) => name).sort();
  }

  /** Until it is so: looked at after each message. */
  async until(what: string, holds: () => boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => { reject(new Error(`waited in vain for ${what}; ${this.state}: ${this.problem}`)); }, WAIT_MS);
      this.#changed = () => {
        if (!holds()) return;
        clearTimeout(timer);
        this.#changed = () => undefined;
        resolve();
      };
      this.#changed();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.watch.close();
  }
}
