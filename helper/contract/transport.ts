/**
 * One connection to a D-Bus bus, for the helper's service and its clients alike. Every call has a timeout, every queue a
 * limit, the end of the connection is an event, and nothing that a peer sends can throw out of the stream's handler.
 */
import type { Duplex } from 'node:stream';
import { BusUnreachableError, authenticate, openSocket, systemBusAddress } from './transport-socket.ts';
import { FLAG, Framer, MESSAGE, WireError, encodeMessage } from './transport-wire.ts';
import type { IncomingMessage, OutgoingMessage } from './transport-wire.ts';

export { BusUnreachableError } from './transport-socket.ts';
export { Variant, WireError } from './transport-wire.ts';
export type { IncomingMessage } from './transport-wire.ts';

/** Names of the bus's own object. */
export const BUS = { name: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus', interface: 'org.freedesktop.DBus' } as const;
/** Error names of the specification that this project raises or understands. */
export const BUS_ERRORS = {
  disconnected: 'org.freedesktop.DBus.Error.Disconnected',
  limitsExceeded: 'org.freedesktop.DBus.Error.LimitsExceeded',
  noReply: 'org.freedesktop.DBus.Error.NoReply',
  nameHasNoOwner: 'org.freedesktop.DBus.Error.NameHasNoOwner',
  serviceUnknown: 'org.freedesktop.DBus.Error.ServiceUnknown',
  accessDenied: 'org.freedesktop.DBus.Error.AccessDenied',
  unknownObject: 'org.freedesktop.DBus.Error.UnknownObject',
  unknownInterface: 'org.freedesktop.DBus.Error.UnknownInterface',
  unknownMethod: 'org.freedesktop.DBus.Error.UnknownMethod',
  unknownProperty: 'org.freedesktop.DBus.Error.UnknownProperty',
  propertyReadOnly: 'org.freedesktop.DBus.Error.PropertyReadOnly',
} as const;

/** RequestName: do not wait in the queue. */
const DO_NOT_QUEUE = 4;
const PRIMARY_OWNER = 1;

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_MAX_MESSAGE_BYTES = 2 * 1024 * 1024;
const DEFAULT_MAX_VALUES = 4096;
/** dbus-daemon lets a connection wait for 128 replies of other connections. */
const MAX_PENDING_CALLS = 512;
/** Far below the 32 MiB for which dbus-daemon closes the connection. */
const MAX_OUTGOING_BYTES = 4 * 1024 * 1024;
/** A bus that has not taken this much does not read any more; signals are left out before replies are. */
const SIGNAL_BACKLOG_BYTES = 8 * 1024 * 1024;
const BACKLOG_BYTES = 32 * 1024 * 1024;
/** How long the end of a connection waits for the bus to take what was written. */
const CLOSE_GRACE_MS = 1000;

/** A call failed: `errorName` is what the peer or the bus said, `message` its text. */
export class BusError extends Error {
  override readonly name = 'BusError';
  readonly errorName: string;

  constructor(errorName: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.errorName = errorName;
  }
}

/** Nobody answered in time, whether there is somebody or not. */
export class BusTimeout extends BusError {
  constructor(timeoutMs: number) {
    super(BUS_ERRORS.noReply, `no answer within ${String(timeoutMs)} ms`);
  }
}

export interface BusOptions {
  /** D-Bus address; the system bus when absent. */
  readonly address?: string | undefined;
  /** A stream that leads to a bus, instead of `address`; the connection owns it. */
  readonly stream?: Duplex | undefined;
  /** For making the connection and for every call; 10 s when absent. */
  readonly timeoutMs?: number | undefined;
  /** Longest message taken; 2 MiB when absent. A longer one is skipped and answered with an error. */
  readonly maxMessageBytes?: number | undefined;
  /** Most values in one message; 4096 when absent. */
  readonly maxValues?: number | undefined;
}

export interface CallRequest {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly unknown[];
  /** Infinity waits for ever. */
  readonly timeoutMs?: number;
  /** Lets the callee ask a person for a password. */
  readonly interactive?: boolean;
  /** Do not start the callee. */
  readonly noAutoStart?: boolean;
}

export interface SignalRequest {
  /** Unique name of the only receiver; everybody who listens when absent. */
  readonly destination?: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature: string;
  readonly body: readonly unknown[];
}

interface Pending {
  resolve(body: readonly unknown[]): void;
  reject(error: BusError): void;
  readonly timer: NodeJS.Timeout | null;
}

/** Counters of one connection. */
export interface BusCounters {
  /** Messages that were too long to be kept. */
  readonly oversized: number;
  /** Signals left out because the bus did not take what was sent before. */
  readonly signalsLost: number;
}

/** A connection that is made by `connectBus` and ends once, by `close` or by the bus. */
export class BusConnection {
  readonly #stream: Duplex;
  readonly #timeoutMs: number;
  readonly #framer: Framer;
  readonly #pending = new Map<number, Pending>();
  readonly #signalListeners = new Set<(signal: IncomingMessage) => void>();
  readonly #closeListeners = new Set<(reason: string) => void>();
  #callHandler: ((call: IncomingMessage) => void) | null = null;
  #serial = 0;
  #signalsLost = 0;
  #closedBy: string | null = null;
  #uniqueName = '';

  constructor(stream: Duplex, options: BusOptions) {
    this.#stream = stream;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const limits = {
      maxMessageBytes: options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
      maxValues: options.maxValues ?? DEFAULT_MAX_VALUES,
    };
    this.#framer = new Framer(limits, (message) => {
      this.#onMessage(message);
    });
    stream.on('data', (chunk: Buffer) => {
      this.#onData(chunk);
    });
    stream.on('error', (error) => {
      this.#end(`the connection to the bus failed: ${error.message}`);
    });
    stream.on('end', () => {
      this.#end('the bus closed the connection');
    });
    stream.on('close', () => {
      this.#end('the bus closed the connection');
    });
  }

  /** Our name on the bus, `:1.N`. */
  get uniqueName(): string {
    return this.#uniqueName;
  }

  get closed(): boolean {
    return this.#closedBy !== null;
  }

  get counters(): BusCounters {
    return { oversized: this.#framer.oversized, signalsLost: this.#signalsLost };
  }

  /** Says Hello; nothing else may be sent before. */
  async hello(): Promise<void> {
    this.#stream.resume();
    const [name] = await this.callBus('Hello');
    this.#uniqueName = String(name);
  }

  /** Sends a call and waits for its answer; rejects with BusError. */
  call(request: CallRequest): Promise<readonly unknown[]> {
    return new Promise((resolve, reject) => {
      if (this.#closedBy !== null) throw new BusError(BUS_ERRORS.disconnected, this.#closedBy);
      if (this.#pending.size >= MAX_PENDING_CALLS) {
        throw new BusError(BUS_ERRORS.limitsExceeded, 'too many calls wait for an answer');
      }
      const { interactive = false, noAutoStart = false, timeoutMs = this.#timeoutMs, ...fields } = request;
      const flags = (interactive ? FLAG.interactive : 0) | (noAutoStart ? FLAG.noAutoStart : 0);
      const serial = this.#write({ type: MESSAGE.call, flags, ...fields });
      const expired = (): void => {
        this.#settle(serial)?.reject(new BusTimeout(timeoutMs));
      };
      const timer = Number.isFinite(timeoutMs) ? setTimeout(expired, timeoutMs) : null;
      this.#pending.set(serial, { resolve, reject, timer });
    });
  }

  /** Calls the bus itself. */
  callBus(member: string, signature = '', body: readonly unknown[] = []): Promise<readonly unknown[]> {
    return this.call({ destination: BUS.name, path: BUS.path, interface: BUS.interface, member, signature, body });
  }

  async addMatch(rule: string): Promise<void> {
    await this.callBus('AddMatch', 's', [rule]);
  }

  /** Takes a well-known name without waiting for it; false when somebody else has it. */
  async requestName(name: string): Promise<boolean> {
    const [result] = await this.callBus('RequestName', 'su', [name, DO_NOT_QUEUE]);
    return result === PRIMARY_OWNER;
  }

  /** Sends a signal, or leaves it out (counted) while the bus is behind. False when it was left out. */
  signal(request: SignalRequest): boolean {
    if (this.#closedBy !== null) return false;
    if (this.#stream.writableLength > SIGNAL_BACKLOG_BYTES) {
      this.#signalsLost += 1;
      return false;
    }
    this.#write({ type: MESSAGE.signal, flags: FLAG.noReply, ...request });
    return true;
  }

  /** Answers a call; silent when the caller wants no answer or the connection has ended. */
  reply(call: IncomingMessage, signature: string, body: readonly unknown[]): void {
    this.#answer(call, { type: MESSAGE.reply, signature, body });
  }

  /** Answers a call with an error of this D-Bus name. */
  replyError(call: IncomingMessage, errorName: string, text: string): void {
    this.#answer(call, { type: MESSAGE.error, errorName, signature: 's', body: [text.replaceAll('\0', '\\u{0}')] });
  }

  /** The one handler of calls that come in. Without one every call is refused. */
  onCall(handler: (call: IncomingMessage) => void): void {
    this.#callHandler = handler;
  }

  /** Signals that come in, from anybody: check `sender`. Returns the way to stop. */
  onSignal(listener: (signal: IncomingMessage) => void): () => void {
    this.#signalListeners.add(listener);
    return () => this.#signalListeners.delete(listener);
  }

  /** Called once when the connection ends for another reason than `close`. Returns the way to stop. */
  onClosed(listener: (reason: string) => void): () => void {
    this.#closeListeners.add(listener);
    return () => this.#closeListeners.delete(listener);
  }

  /** Ends the connection after what was written; calls that wait are rejected. Idempotent. */
  close(): void {
    this.#closeListeners.clear();
    this.#end('the connection was closed');
  }

  #answer(call: IncomingMessage, message: Omit<OutgoingMessage, 'serial'>): void {
    if ((call.flags & FLAG.noReply) !== 0 || this.#closedBy !== null) return;
    this.#write({ ...message, flags: FLAG.noReply, destination: call.sender, replySerial: call.serial });
  }

  #write(message: Omit<OutgoingMessage, 'serial'>): number {
    this.#serial = this.#serial >= 0xffff_ffff ? 1 : this.#serial + 1;
    const bytes = encodeMessage({ ...message, serial: this.#serial });
    if (bytes.length > MAX_OUTGOING_BYTES) throw new BusError(BUS_ERRORS.limitsExceeded, 'the message is too long');
    if (this.#stream.writableLength + bytes.length > BACKLOG_BYTES) {
      this.#end('the bus does not take what is sent to it');
      throw new BusError(BUS_ERRORS.disconnected, 'the bus does not take what is sent to it');
    }
    this.#stream.write(bytes);
    return this.#serial;
  }

  #onData(chunk: Buffer): void {
    if (this.#closedBy !== null) return;
    try {
      this.#framer.push(chunk);
    } catch (error: unknown) {
      this.#end(`the bus sent what is no message: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #onMessage(message: IncomingMessage): void {
    switch (message.type) {
      case MESSAGE.call:
        this.#onCallMessage(message);
        return;
      case MESSAGE.reply:
      case MESSAGE.error:
        this.#onAnswer(message);
        return;
      case MESSAGE.signal:
        for (const listener of [...this.#signalListeners]) guarded(() => { listener(message); });
        return;
      default:
    }
  }

  #onCallMessage(call: IncomingMessage): void {
    const handler = this.#callHandler;
    guarded(() => {
      if (handler === null) this.replyError(call, BUS_ERRORS.unknownObject, 'There is no object here.');
      else handler(call);
    });
  }

  #onAnswer(message: IncomingMessage): void {
    const pending = this.#settle(message.replySerial);
    if (pending === null) return;
    try {
      const body = message.body();
      if (message.type === MESSAGE.reply) pending.resolve(body);
      else pending.reject(new BusError(message.errorName, typeof body[0] === 'string' ? body[0] : ''));
    } catch (error: unknown) {
      const text = error instanceof WireError ? error.message : 'the answer cannot be read';
      pending.reject(new BusError(BUS_ERRORS.limitsExceeded, text, { cause: error }));
    }
  }

  #settle(serial: number): Pending | null {
    const pending = this.#pending.get(serial);
    if (pending === undefined) return null;
    this.#pending.delete(serial);
    if (pending.timer !== null) clearTimeout(pending.timer);
    return pending;
  }

  #end(reason: string): void {
    if (this.#closedBy !== null) return;
    this.#closedBy = reason;
    for (const serial of [...this.#pending.keys()]) {
      this.#settle(serial)?.reject(new BusError(BUS_ERRORS.disconnected, reason));
    }
    this.#stream.end(() => this.#stream.destroy());
    setTimeout(() => this.#stream.destroy(), CLOSE_GRACE_MS).unref();
    for (const listener of [...this.#closeListeners]) guarded(() => { listener(reason); });
    this.#closeListeners.clear();
    this.#signalListeners.clear();
  }
}

/** A listener that throws is a bug of ours; it must end neither the stream nor, inside a GLib loop, the process. */
function guarded(run: () => void): void {
  try {
    run();
  } catch (error: unknown) {
    process.emitWarning(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Connects, authenticates and says Hello. Throws BusUnreachableError or BusError. */
export async function connectBus(options: BusOptions = {}): Promise<BusConnection> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const stream = options.stream ?? (await openSocket(options.address ?? systemBusAddress()));
  const timer = setTimeout(() => stream.destroy(), timeoutMs);
  try {
    await authenticate(stream);
    const bus = new BusConnection(stream, options);
    await bus.hello();
    return bus;
  } catch (error: unknown) {
    stream.destroy();
    if (error instanceof BusUnreachableError || error instanceof BusError) throw error;
    throw new BusUnreachableError('cannot connect to the bus', { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
