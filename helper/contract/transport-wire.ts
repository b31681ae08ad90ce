/**
 * D-Bus messages as bytes. dbus-next reads and writes the values; what is around them is ours, because its own reader decodes
 * the whole body before anybody can look at its size or signature, and throws inside the stream's handler.
 * Source: D-Bus Specification, "Message Protocol" and "Type System".
 */
import constants from 'dbus-next/lib/constants.js';
import DBusBuffer from 'dbus-next/lib/dbus-buffer.js';
import marshalling from 'dbus-next/lib/marshall-compat.js';
import messages from 'dbus-next/lib/message-type.js';
import signatures from 'dbus-next/lib/signature.js';
import variants from 'dbus-next/lib/variant.js';
import type { TypeNode } from 'dbus-next/lib/dbus-buffer.js';

/** The class of a value with its own type. */
export const { Variant } = variants;

/** Message types of the specification. */
export const MESSAGE = { call: 1, reply: 2, error: 3, signal: 4 } as const;
/** Header flags of the specification. */
export const FLAG = { noReply: 1, noAutoStart: 2, interactive: 4 } as const;

const LITTLE_ENDIAN = 0x6c;
const BIG_ENDIAN = 0x42;
const FIXED_HEADER_BYTES = 16;
/** Names have at most 255 bytes and a signature 255; only an object path could make a header longer than this. */
const HEADER_FIELDS_BYTES = 16_384;
const HEADER_VALUES = 256;
const FIELDS = ['', 'path', 'interface', 'member', 'errorName', 'replySerial', 'destination', 'sender', 'signature'] as const;

// The library's lowest INT64 is one too high.
constants._getBigIntConstants().MIN_INT64 = -(2n ** 63n);

/** The bytes are no message, or one beyond the limits. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/** A message as it came in. Its body is decoded on demand, so that size and signature can be judged before. */
export interface IncomingMessage {
  readonly type: number;
  readonly flags: number;
  readonly serial: number;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly errorName: string;
  readonly replySerial: number;
  readonly destination: string;
  /** Set by the bus, never by the sender. */
  readonly sender: string;
  readonly signature: string;
  /** Length of the body, in bytes, also of one that was too long to keep. */
  readonly bodyBytes: number;
  /** The arguments, as copies. Throws WireError for a body that was not kept, or with more than `maxValues` values. */
  body(): readonly unknown[];
}

/** A message to be sent; the kinds need the fields that the specification wants. */
export interface OutgoingMessage {
  readonly type: number;
  readonly serial: number;
  readonly flags?: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly replySerial?: number;
  readonly destination?: string;
  readonly signature?: string;
  readonly body?: readonly unknown[];
}

/** Bytes of a message. Throws for values that do not fit the signature and for invalid names. */
export function encodeMessage(message: OutgoingMessage): Buffer {
  return marshalling.marshallMessage(new messages.Message({ ...message }))[0];
}

/** The library's reader with bounds, a budget, and the types that it reads wrongly. */
class BoundedBuffer extends DBusBuffer {
  #valuesLeft: number;

  constructor(bytes: Buffer, endian: number, maxValues: number) {
    super(bytes, 0, endian, undefined, { ayBuffer: true });
    this.#valuesLeft = maxValues;
  }

  override readTree(tree: TypeNode): unknown {
    this.#valuesLeft -= 1;
    if (this.#valuesLeft < 0) throw new WireError('too many values in one message');
    return super.readTree(tree);
  }

  override readString(length: number): string {
    if (length > this.buffer.length - this.pos) throw new WireError('a text is longer than its message');
    return super.readString(length);
  }

  override readArray(element: TypeNode, sizeBytes: number): unknown[] {
    if (sizeBytes > this.buffer.length - this.pos) throw new WireError('an array is longer than its message');
    return super.readArray(element, sizeBytes);
  }

  override readSimpleType(type: string): unknown {
    switch (type) {
      // An index into file descriptors, of which none are ever taken: the library throws for it.
      case 'h':
        return this.readInt32();
      // The library swaps the halves of a big-endian sender's 64-bit numbers.
      case 'x':
        return this.#read64('readBigInt64LE', 'readBigInt64BE');
      case 't':
        return this.#read64('readBigUInt64LE', 'readBigUInt64BE');
      default:
        return super.readSimpleType(type);
    }
  }

  #read64(little: 'readBigInt64LE' | 'readBigUInt64LE', big: 'readBigInt64BE' | 'readBigUInt64BE'): bigint {
    this.align(3);
    const at = this.pos;
    this.pos += 8;
    return this.endian === LITTLE_ENDIAN ? this.buffer[little](at) : this.buffer[big](at);
  }
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new WireError('a container without elements');
  return value;
}

/** Dictionaries become objects without a prototype; a key that comes twice is refused, so that nothing is half understood. */
function toDictionary(valueType: TypeNode, entries: readonly unknown[]): Record<string, unknown> {
  const found = Object.create(null) as Record<string, unknown>;
  for (const entry of entries) {
    const [key, value] = listOf(entry);
    const name = String(key);
    if (name in found) throw new WireError('a dictionary has the same key twice');
    found[name] = toValue(valueType, value);
  }
  return found;
}

function toValue(type: TypeNode, value: unknown): unknown {
  const first = type.child[0];
  switch (type.type) {
    case 'v': {
      const [trees, values] = listOf(value);
      const tree = listOf(trees)[0] as TypeNode;
      return new Variant(signatures.collapseSignature(tree), toValue(tree, listOf(values)[0]));
    }
    case 'a': {
      if (first === undefined) throw new WireError('an array without a type');
      if (first.type === 'y') return Buffer.from(value as Uint8Array);
      if (first.type === '{' && first.child[1] !== undefined) return toDictionary(first.child[1], listOf(value));
      return listOf(value).map((one) => toValue(first, one));
    }
    case '(': {
      const members = listOf(value);
      return type.child.map((member, index) => toValue(member, members[index]));
    }
    default:
      return value;
  }
}

function decodeBody(signature: string, bytes: Buffer | null, endian: number, maxValues: number): readonly unknown[] {
  if (bytes === null) throw new WireError('the message is too long');
  if (signature === '' || bytes.length === 0) return [];
  return decoded('the message', () => {
    const values = new BoundedBuffer(bytes, endian, maxValues).read(signature);
    return signatures.parseSignature(signature).map((type, index) => toValue(type, values[index]));
  });
}

/** What the library throws for bytes that do not fit says nothing to callers. */
function decoded<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error: unknown) {
    if (error instanceof WireError) throw error;
    throw new WireError(`${what} cannot be decoded`, { cause: error });
  }
}

const HEADER_TYPE: TypeNode = {
  type: '(',
  child: [{ type: 'y', child: [] }, { type: 'v', child: [] }],
};

/** Header fields by name; a field that the specification may add later is left out. */
function decodeFields(bytes: Buffer, endian: number, sizeBytes: number): ReadonlyMap<string, unknown> {
  const found = new Map<string, unknown>();
  const reader = new BoundedBuffer(bytes, endian, HEADER_VALUES);
  for (const field of decoded('the header', () => reader.readArray(HEADER_TYPE, sizeBytes))) {
    const [code, variant] = listOf(field);
    const name = FIELDS[Number(code)];
    if (name !== undefined) found.set(name, listOf(listOf(variant)[1])[0]);
  }
  return found;
}

/** What the fixed part of a header says. */
interface Frame {
  readonly endian: number;
  readonly type: number;
  readonly flags: number;
  readonly serial: number;
  readonly fieldsBytes: number;
  /** With the padding up to the body. */
  readonly paddedFieldsBytes: number;
  readonly bodyBytes: number;
}

function readFrame(header: Buffer): Frame {
  const endian = header[0] ?? 0;
  if (endian !== LITTLE_ENDIAN && endian !== BIG_ENDIAN) throw new WireError('not a D-Bus message');
  const number = (at: number): number => (endian === LITTLE_ENDIAN ? header.readUInt32LE(at) : header.readUInt32BE(at));
  const fieldsBytes = number(12);
  return {
    endian,
    type: header[1] ?? 0,
    flags: header[2] ?? 0,
    serial: number(8),
    fieldsBytes,
    paddedFieldsBytes: Math.ceil(fieldsBytes / 8) * 8,
    bodyBytes: number(4),
  };
}

function readMessage(frame: Frame, fields: Buffer, body: Buffer | null, maxValues: number): IncomingMessage {
  const found = decodeFields(fields, frame.endian, frame.fieldsBytes);
  const text = (name: string): string => {
    const value = found.get(name);
    return typeof value === 'string' ? value : '';
  };
  const signature = text('signature');
  const replySerial = found.get('replySerial');
  return {
    type: frame.type,
    flags: frame.flags,
    serial: frame.serial,
    path: text('path'),
    interface: text('interface'),
    member: text('member'),
    errorName: text('errorName'),
    replySerial: typeof replySerial === 'number' ? replySerial : 0,
    destination: text('destination'),
    sender: text('sender'),
    signature,
    bodyBytes: frame.bodyBytes,
    body: () => decodeBody(signature, body, frame.endian, maxValues),
  };
}

/** What a reader takes at most. */
export interface WireLimits {
  /** Longest message whose body is kept; of a longer one the header is delivered and the body skipped, never stored. */
  readonly maxMessageBytes: number;
  /** Most values (containers count too) in one body. */
  readonly maxValues: number;
}

/** Cuts a stream of bytes into messages, with memory of at most one message. */
export class Framer {
  readonly #limits: WireLimits;
  readonly #onMessage: (message: IncomingMessage) => void;
  #chunks: Buffer[] = [];
  #bufferedBytes = 0;
  #skipBytes = 0;
  #frame: Frame | null = null;
  #oversized = 0;

  constructor(limits: WireLimits, onMessage: (message: IncomingMessage) => void) {
    this.#limits = limits;
    this.#onMessage = onMessage;
  }

  /** Messages whose body or header was too long to keep. */
  get oversized(): number {
    return this.#oversized;
  }

  /** Throws WireError when the bytes cannot be D-Bus: the connection is of no use any more. */
  push(chunk: Buffer): void {
    const skipped = Math.min(this.#skipBytes, chunk.length);
    this.#skipBytes -= skipped;
    if (skipped === chunk.length) return;
    this.#chunks.push(skipped === 0 ? chunk : chunk.subarray(skipped));
    this.#bufferedBytes += chunk.length - skipped;
    while (this.#step());
  }

  #step(): boolean {
    if (this.#frame === null) {
      const header = this.#take(FIXED_HEADER_BYTES);
      if (header === null) return false;
      this.#frame = readFrame(header);
    }
    const frame = this.#frame;
    if (frame.paddedFieldsBytes > HEADER_FIELDS_BYTES) {
      this.#startSkipping(frame.paddedFieldsBytes + frame.bodyBytes);
      return true;
    }
    const tooLong = FIXED_HEADER_BYTES + frame.paddedFieldsBytes + frame.bodyBytes > this.#limits.maxMessageBytes;
    const bytes = this.#take(frame.paddedFieldsBytes + (tooLong ? 0 : frame.bodyBytes));
    if (bytes === null) return false;
    if (tooLong) this.#startSkipping(frame.bodyBytes);
    this.#frame = null;
    const body = tooLong ? null : bytes.subarray(frame.paddedFieldsBytes);
    this.#onMessage(readMessage(frame, bytes.subarray(0, frame.paddedFieldsBytes), body, this.#limits.maxValues));
    return true;
  }

  #startSkipping(count: number): void {
    this.#frame = null;
    this.#oversized += 1;
    const buffered = Math.min(count, this.#bufferedBytes);
    this.#take(buffered);
    this.#skipBytes = count - buffered;
  }

  #take(count: number): Buffer | null {
    if (this.#bufferedBytes < count) return null;
    const all = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
    if (all === undefined) return Buffer.alloc(0);
    const rest = all.subarray(count);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#bufferedBytes = rest.length;
    return all.subarray(0, count);
  }
}
