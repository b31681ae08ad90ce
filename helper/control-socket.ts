/**
 * `[control]` of bastion.toml: a socket to which scripts of root write a line. One line, one reply, and the connection ends, as
 * rust-network-mgr did it. Its mode and its folder let in nobody but root, who can do all of this anyway; so nobody is asked who
 * he is.
 */
import type { Socket } from 'node:net';
import { PlaceRefused, listenForControl, sweepControlSocket } from './adapters/control-listener.ts';
import type { ControlListener } from './adapters/control-listener.ts';
import { printable } from './contract/printable.ts';
import type { LoadError } from './contract/types.ts';
import { statusJson, statusText } from './control-status.ts';
import type { NetworkApi } from './engine-api.ts';
import type { ControlSettings, Logger } from './ports.ts';

const CONNECTIONS = 16;
const LINE_BYTES = 1024;
/** For the line to come, and again for the reply to be taken. */
const PATIENCE_MS = 10_000;
/** What is written behind the line is read away, so that the reply is not lost with it; so much of it. */
const BEHIND_BYTES = 64 * 1024;
const COMMANDS = 'status, status json, reload, ping';

export interface ControlSocketDeps {
  readonly runDir: string;
  /** Path of bastion.toml, for what is said about it. */
  readonly settingsFile: string;
  readonly network: Pick<NetworkApi, 'interfaces' | 'zones' | 'containers' | 'engines'>;
  /** Reads settings and rules again; what is wrong with them. */
  readonly reload: () => Promise<readonly LoadError[]>;
  readonly logger: Logger;
  /** PATIENCE_MS where it is absent. */
  readonly patienceMs?: number;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export class ControlSocket {
  readonly #deps: ControlSocketDeps;
  readonly #open = new Set<Socket>();
  #listener: ControlListener | null = null;
  #settings: ControlSettings | null = null;
  /** Why there is no socket although there should be one; '' for nothing. */
  #problem = '';
  #last: Promise<void> = Promise.resolve();
  #running: Promise<readonly LoadError[]> = Promise.resolve([]);
  #next: Promise<readonly LoadError[]> | null = null;
  #isClosed = false;

  constructor(deps: ControlSocketDeps) {
    this.#deps = deps;
  }

  /** Does what the settings say; never rejects. Also tries again where something was in the way. */
  follow(settings: ControlSettings | undefined): Promise<void> {
    this.#last = this.#last.then(() => this.#follow(this.#isClosed ? null : settings ?? null)).catch((error: unknown) => {
      this.#deps.logger.log('error', 'the control socket could not be set up', { why: messageOf(error) });
    });
    return this.#last;
  }

  /** What bastion.toml asks for and cannot be had. */
  errors(): readonly LoadError[] {
    if (this.#settings === null || this.#problem === '') return [];
    return [{ file: this.#deps.settingsFile, line: this.#settings.line, column: 1, message: `There is no control socket. ${this.#problem}` }];
  }

  /** Takes the socket away and ends all connections. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.follow(undefined);
    for (const socket of this.#open) socket.destroy();
  }

  async #follow(settings: ControlSettings | null): Promise<void> {
    const { runDir, logger } = this.#deps;
    const before = this.#listener;
    this.#settings = settings;
    if (before !== null && before.path === settings?.socket && await before.isThere()) return;
    this.#listener = null;
    if (before !== null) {
      await before.close();
      logger.log('info', 'the control socket was taken away', { path: before.path });
    } else if (settings === null) await sweepControlSocket(runDir);
    const problemBefore = this.#problem;
    this.#problem = '';
    if (settings === null) return;
    try {
      this.#listener = await listenForControl(settings.socket, runDir, (socket) => { this.#take(socket); });
      logger.log('info', 'the control socket listens', { path: settings.socket });
    } catch (error: unknown) {
      if (!(error instanceof PlaceRefused)) throw error;
      this.#problem = error.message;
      if (error.message !== problemBefore) logger.log('warning', 'there is no control socket', { path: settings.socket, why: error.message });
    }
  }

  #take(socket: Socket): void {
    this.#open.add(socket);
    socket.on('close', () => this.#open.delete(socket));
    // Whoever asks and does not wait for the reply.
    socket.on('error', () => { socket.destroy(); });
    const { patienceMs = PATIENCE_MS } = this.#deps;
    if (this.#open.size > CONNECTIONS) {
      socket.end(`ERROR: Busy: ${String(CONNECTIONS)} connections are open\n`, () => { socket.destroy(); });
      return;
    }
    let patience = setTimeout(() => { socket.destroy(); }, patienceMs);
    socket.on('close', () => { clearTimeout(patience); });
    const reading = readLine(socket, (line) => {
      // The work has its own bounds.
      clearTimeout(patience);
      void this.#reply(line).then((reply) => {
        if (socket.destroyed) return;
        patience = setTimeout(() => { socket.destroy(); }, patienceMs);
        // Closed with something unread, the kernel would tell the other side of an error after the reply.
        socket.end(`${reply}\n`, () => { if (!reading.isMore()) socket.destroy(); });
      });
    });
  }

  /** Never rejects; without the last line feed. */
  async #reply(line: string | null): Promise<string> {
    if (line === null) return `ERROR: Line too long: at most ${String(LINE_BYTES)} bytes`;
    try {
      switch (line.trim()) {
        case 'ping': return 'PONG';
        case 'status': return statusText(await this.#status());
        case 'status json': return statusJson(await this.#status());
        case 'reload': return reloadReply(await this.#reload());
        case 'shutdown': return 'ERROR: Not done here: use "systemctl stop bastion-firewall"';
        default: return `ERROR: Unknown command; there are: ${COMMANDS}`;
      }
    } catch (error: unknown) {
      this.#deps.logger.log('warning', 'a line of the control socket could not be answered', { why: messageOf(error) });
      return `ERROR: ${printable(messageOf(error))}`;
    }
  }

  async #status(): Promise<Parameters<typeof statusText>[0]> {
    const { network } = this.#deps;
    const [interfaces, zones] = await Promise.all([network.interfaces(), network.zones()]);
    return { interfaces, zones, containers: network.containers(), engines: network.engines() };
  }

  /** Those who ask while one is under way share the one after it, which sees what they have written. */
  #reload(): Promise<readonly LoadError[]> {
    this.#next ??= this.#running.catch(() => undefined).then(() => {
      this.#next = null;
      this.#running = this.#deps.reload();
      return this.#running;
    });
    return this.#next;
  }
}

function reloadReply(errors: readonly LoadError[]): string {
  const [first] = errors;
  // The words of the original, which said so before it had done it.
  if (first === undefined) return 'OK: Reload command sent';
  const place = first.file === '' ? '' : `${first.file}${first.line === 0 ? '' : `:${String(first.line)}:${String(first.column)}`}: `;
  const more = errors.length === 1 ? '' : ` (and ${String(errors.length - 1)} more; see bastionctl status)`;
  return `ERROR: Read again, but not everything is right: ${printable(`${place}${first.message}`)}${more}`;
}

/**
 * Tells the first line, or what comes before the end, once; null for one that is too long. Nothing for a peer that says nothing.
 * `isMore`: something came behind the line.
 */
function readLine(socket: Socket, told: (line: string | null) => void): { readonly isMore: () => boolean } {
  let bytes = Buffer.alloc(0);
  let isTold = false;
  let behind = 0;
  const tell = (line: string | null): void => {
    isTold = true;
    told(line);
  };
  socket.on('data', (part: Buffer) => {
    if (isTold) {
      behind += part.length;
      if (behind > BEHIND_BYTES) socket.destroy();
      return;
    }
    const end = part.indexOf('\n');
    const line = part.subarray(0, end === -1 ? part.length : end);
    bytes = Buffer.concat([bytes, line.subarray(0, LINE_BYTES + 1)]);
    const isTooLong = bytes.length > LINE_BYTES;
    behind = isTooLong ? 1 : part.length - line.length - 1;
    if (isTooLong) tell(null);
    else if (end !== -1) tell(bytes.toString('utf8'));
  });
  socket.on('end', () => {
    if (isTold) return;
    if (bytes.length > 0) tell(bytes.toString('utf8'));
    else socket.end();
  });
  return { isMore: () => behind > 0 };
}
