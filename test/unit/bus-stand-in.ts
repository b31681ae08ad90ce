/** The bus at the other end of a stream: it takes anybody, and answers each call as the test says. */
import { Duplex } from 'node:stream';
import { FLAG, Framer, MESSAGE, encodeMessage } from '../../helper/contract/transport-wire.ts';
import type { IncomingMessage, OutgoingMessage } from '../../helper/contract/transport-wire.ts';

/** What a call is answered with; null is silence. */
export type BusAnswer = { readonly signature: string; readonly body: readonly unknown[] } | { readonly error: string; readonly text?: string } | null;

const NOTHING: BusAnswer = { signature: '', body: [] };
/** A message with the sender that the bus would put in. */
type Sent = Omit<OutgoingMessage, 'serial'> & { readonly sender?: string };

/** One end of a connection; what is written comes out at the other end. */
class End extends Duplex {
  other: End | null = null;

  constructor() {
    // As a socket does: with one half, the other ends too.
    super({ allowHalfOpen: false });
  }

  override _read(): void {
    // What comes is pushed by the other end.
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    setImmediate(() => {
      if (this.other?.destroyed === false) this.other.push(chunk);
      done();
    });
  }

  override _final(done: () => void): void {
    this.other?.push(null);
    done();
  }
}

export class BusStandIn {
  /** The end for the program that is tested. */
  readonly near: Duplex;
  /** Everything that came in after the handshake, in order. */
  readonly came: IncomingMessage[] = [];
  /** Answers by member; what is not here is answered with nothing. */
  readonly answers = new Map<string, (call: IncomingMessage) => BusAnswer>([
    ['Hello', () => ({ signature: 's', body: [':1.1'] })],
  ]);
  readonly #far = new End();
  readonly #framer: Framer;
  #greeting = Buffer.alloc(0);
  #greeted = false;
  #serial = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(greeting = 'OK 0123456789abcdef0123456789abcdef\r\n') {
    const near = new End();
    near.other = this.#far;
    this.#far.other = near;
    this.near = near;
    this.#framer = new Framer({ maxMessageBytes: 16 * 1024 * 1024, maxValues: 100_000 }, (message) => { this.#take(message); });
    this.#far.on('data', (chunk: Buffer) => {
      if (this.#greeted) this.#framer.push(chunk);
      else this.#greet(chunk, greeting);
    });
  }

  /** Sends a message as if from `sender`, the bus itself where nothing else is said. */
  send(message: Sent): void {
    this.#serial += 1;
    const whole = { sender: 'org.freedesktop.DBus', ...message, serial: this.#serial };
    this.#far.write(encodeMessage(whole));
  }

  /** Of the message that was sent last. */
  get lastSerial(): number {
    return this.#serial;
  }

  /** The bus ends the connection. */
  end(): void {
    this.#far.end();
  }

  /** Resolves with the first message that is `wanted`, also one that came before. */
  async next(wanted: (message: IncomingMessage) => boolean): Promise<IncomingMessage> {
    for (;;) {
      const found = this.came.find(wanted);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => { this.#waiting.push(resolve); });
    }
  }

  #greet(chunk: Buffer, greeting: string): void {
    this.#greeting = Buffer.concat([this.#greeting, chunk]);
    const begin = this.#greeting.indexOf('BEGIN\r\n');
    if (begin < 0 && this.#far.writableEnded) return;
    if (begin < 0) {
      this.#far.write(this.#greeting.includes('DATA\r\n') ? 'OK 0\r\n' : greeting);
      return;
    }
    this.#greeted = true;
    const rest = this.#greeting.subarray(begin + 'BEGIN\r\n'.length);
    if (rest.length > 0) this.#framer.push(rest);
  }

  #take(message: IncomingMessage): void {
    this.came.push(message);
    for (const tell of this.#waiting.splice(0)) tell();
    if (message.type !== MESSAGE.call || (message.flags & FLAG.noReply) !== 0) return;
    const answer = (this.answers.get(message.member) ?? (() => NOTHING))(message);
    if (answer === null) return;
    const to = { replySerial: message.serial, destination: ':1.1', flags: FLAG.noReply };
    if ('error' in answer) this.send({ ...to, type: MESSAGE.error, errorName: answer.error, signature: 's', body: [answer.text ?? ''] });
    else this.send({ ...to, type: MESSAGE.reply, signature: answer.signature, body: answer.body });
  }
}
