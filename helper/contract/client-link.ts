/** The client's way to the helper: the bus, the helper's presence on it, calls with timeouts, and coming back after a loss. */
import type { Duplex } from 'node:stream';
import type { Infer, WireType } from './codec.ts';
import { BastionError, errorCode } from './errors.ts';
import { BUS_NAME, OBJECT_PATH } from './names.ts';
import { BUS, BUS_ERRORS, BusError, BusUnreachableError, connectBus } from './transport.ts';
import type { BusConnection, IncomingMessage } from './transport.ts';

/** A page of the longest rows is shorter; the helper sends at most 4 MiB. */
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;
const MAX_VALUES = 262_144;
const DEFAULT_TIMEOUT_MS = 10_000;
/** The helper itself gives up a dialog after five minutes. */
const DIALOG_TIMEOUT_MS = 330_000;
/** Hashing every program of a machine, after a dialog. */
const LONG_TIMEOUT_MS = 3_600_000;
const RETRY_FIRST_MS = 250;
const RETRY_LONGEST_MS = 5000;

/** The bus or the helper is not there. */
export class NotConnectedError extends Error {
  override readonly name = 'NotConnectedError';
}

export interface LinkOptions {
  readonly address?: string | undefined;
  /** Makes the stream of each connection to the bus, instead of `address`. */
  readonly stream?: (() => Duplex) | undefined;
  readonly timeoutMs?: number | undefined;
  readonly interactive?: boolean | undefined;
}

export interface LinkEvents {
  /** The helper is there (again), or has gone. The first call tells how it is at the start. */
  presence(there: boolean): void;
  /** A signal of the helper; of nobody else. */
  signal(signal: IncomingMessage): void;
}

/** One method: where, and the wire types of what goes in and comes out. */
export interface ClientCall<I extends readonly WireType<unknown>[], O extends readonly WireType<unknown>[]> {
  readonly interface: string;
  readonly member: string;
  readonly input: I;
  readonly values: { readonly [N in keyof I]: Infer<I[N]> };
  readonly output: O;
  /** Never a dialog, whatever the client was made for. */
  readonly quiet?: boolean;
  /** It may take as long as a dialog even without one; the helper's life is looked after meanwhile. */
  readonly long?: boolean;
}

/** The values that a call returns. */
export type ClientResult<O extends readonly WireType<unknown>[]> = { readonly [N in keyof O]: Infer<O[N]> };

const GONE: ReadonlySet<string> = new Set([
  BUS_ERRORS.disconnected, BUS_ERRORS.noReply, BUS_ERRORS.nameHasNoOwner, BUS_ERRORS.serviceUnknown,
]);
const UNKNOWN: ReadonlySet<string> = new Set([BUS_ERRORS.unknownMethod, BUS_ERRORS.unknownInterface, BUS_ERRORS.unknownObject]);

/** What a failed call means to people: a code of the registry, or not connected. */
export function clientError(error: unknown): Error {
  if (error instanceof NotConnectedError) return error;
  if (error instanceof BusUnreachableError) return new NotConnectedError(error.message, { cause: error });
  if (error instanceof BastionError) return new BastionError('Failed', 'The helper’s answer cannot be read.', { cause: error });
  if (!(error instanceof BusError)) return new BastionError('Failed', undefined, { cause: error });
  if (GONE.has(error.errorName)) return new NotConnectedError('The helper does not answer.', { cause: error });
  const code = errorCode(error.errorName);
  if (code !== null) return new BastionError(code, error.message === '' ? undefined : error.message, { cause: error });
  if (error.errorName === BUS_ERRORS.accessDenied) return new BastionError('NotAuthorized', undefined, { cause: error });
  if (UNKNOWN.has(error.errorName)) return new BastionError('NotSupported', undefined, { cause: error });
  return new BastionError('Failed', undefined, { cause: error });
}

/** Keeps a connection to the bus until `close`. */
export class HelperLink {
  readonly #options: LinkOptions;
  readonly #events: LinkEvents;
  readonly #timeoutMs: number;
  readonly #firstAttempt: Promise<void>;
  #bus: BusConnection | null = null;
  /** Unique name of the helper, '' while it is not there. */
  #owner = '';
  #told: boolean | null = null;
  #retryMs = RETRY_FIRST_MS;
  #retry: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: LinkOptions, events: LinkEvents) {
    this.#options = options;
    this.#events = events;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#firstAttempt = this.#connect();
  }

  get connected(): boolean {
    return this.#owner !== '';
  }

  /** Calls the helper. Waits for the first attempt to connect; rejects with BastionError or NotConnectedError. */
  async call<const I extends readonly WireType<unknown>[], const O extends readonly WireType<unknown>[]>(
    request: ClientCall<I, O>,
  ): Promise<ClientResult<O>> {
    await this.#firstAttempt;
    const bus = this.#bus;
    if (bus === null || this.#owner === '') throw new NotConnectedError('The helper is not running, or the bus is not there.');
    const values: readonly unknown[] = request.values;
    try {
      const body = await this.#send(bus, this.#owner, request, request.input.map((type, index) => type.encode(values[index])));
      return request.output.map((type, index) => type.decode(body[index], request.member)) as unknown as ClientResult<O>;
    } catch (error: unknown) {
      throw clientError(error);
    }
  }

  /** Ends everything; calls that wait are rejected. Idempotent. */
  close(): void {
    this.#closed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    this.#bus?.close();
    this.#bus = null;
    this.#owner = '';
  }

  async #send(
    bus: BusConnection,
    owner: string,
    request: ClientCall<readonly WireType<unknown>[], readonly WireType<unknown>[]>,
    body: readonly unknown[],
  ): Promise<readonly unknown[]> {
    const interactive = request.quiet !== true && this.#options.interactive !== false;
    const call = bus.call({
      destination: owner,
      path: OBJECT_PATH,
      interface: request.interface,
      member: request.member,
      signature: request.input.map((type) => type.signature).join(''),
      body,
      interactive,
      noAutoStart: true,
      timeoutMs: request.long === true ? LONG_TIMEOUT_MS : interactive ? DIALOG_TIMEOUT_MS : this.#timeoutMs,
    });
    return interactive || request.long === true ? this.#whileAlive(bus, owner, call) : call;
  }

  /** A dialog may take minutes; a helper that does not answer a ping within `timeoutMs` in all hangs. */
  async #whileAlive(bus: BusConnection, owner: string, call: Promise<readonly unknown[]>): Promise<readonly unknown[]> {
    let timer: NodeJS.Timeout | undefined;
    const pingMs = this.#timeoutMs / 2;
    const hangs = new Promise<never>((_resolve, reject) => {
      timer = setInterval(() => {
        const ping = { destination: owner, path: OBJECT_PATH, interface: 'org.freedesktop.DBus.Peer', member: 'Ping' };
        bus.call({ ...ping, noAutoStart: true, timeoutMs: pingMs }).catch(reject);
      }, pingMs);
    });
    try {
      return await Promise.race([call, hangs]);
    } finally {
      clearInterval(timer);
      call.catch(() => undefined);
    }
  }

  async #connect(): Promise<void> {
    try {
      const bus = await connectBus({
        address: this.#options.address,
        stream: this.#options.stream?.(),
        timeoutMs: this.#timeoutMs,
        maxMessageBytes: MAX_MESSAGE_BYTES,
        maxValues: MAX_VALUES,
      });
      if (this.#closed) {
        bus.close();
        return;
      }
      await this.#attach(bus);
    } catch {
      this.#tell();
      this.#connectLater();
    }
  }

  async #attach(bus: BusConnection): Promise<void> {
    this.#bus = bus;
    bus.onClosed(() => {
      this.#lost(bus);
    });
    bus.onSignal((signal) => {
      this.#onSignal(signal);
    });
    try {
      await bus.addMatch(`type='signal',sender='${BUS.name}',member='NameOwnerChanged',arg0='${BUS_NAME}'`);
      await bus.addMatch(`type='signal',sender='${BUS_NAME}',path='${OBJECT_PATH}'`);
      await this.#findOwner(bus);
    } catch {
      this.#lost(bus);
      return;
    }
    this.#retryMs = RETRY_FIRST_MS;
    this.#tell();
  }

  async #findOwner(bus: BusConnection): Promise<void> {
    try {
      const [owner] = await bus.callBus('GetNameOwner', 's', [BUS_NAME]);
      this.#owner = String(owner);
    } catch (error: unknown) {
      if (!(error instanceof BusError) || error.errorName !== BUS_ERRORS.nameHasNoOwner) throw error;
      this.#owner = '';
    }
  }

  #lost(bus: BusConnection): void {
    if (this.#bus !== bus) return;
    bus.close();
    this.#bus = null;
    this.#owner = '';
    this.#tell();
    this.#connectLater();
  }

  #connectLater(): void {
    if (this.#closed || this.#retry !== null) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      void this.#connect();
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_LONGEST_MS);
  }

  #onSignal(signal: IncomingMessage): void {
    if (signal.sender === BUS.name && signal.member === 'NameOwnerChanged' && signal.signature === 'sss') {
      const [name, , owner] = signal.body();
      if (name === BUS_NAME) this.#ownerChanged(String(owner));
      return;
    }
    // Anybody can send a signal to anybody: only the owner of the name is believed.
    if (this.#owner === '' || signal.sender !== this.#owner || signal.path !== OBJECT_PATH) return;
    this.#events.signal(signal);
  }

  #ownerChanged(owner: string): void {
    if (owner === this.#owner) return;
    // One helper after the other without a gap is still another helper, which knows nothing of us.
    if (this.#owner !== '' && owner !== '') {
      this.#owner = '';
      this.#tell();
    }
    this.#owner = owner;
    this.#tell();
  }

  #tell(): void {
    const there = this.connected;
    if (this.#closed || this.#told === there) return;
    this.#told = there;
    this.#events.presence(there);
  }
}
