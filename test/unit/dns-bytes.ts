/** DNS messages as bytes. Source: RFC 1035 4.1. */

export const TYPES = { A: 1, CNAME: 5, AAAA: 28, HTTPS: 65 } as const;

export interface RecordText {
  readonly name: string;
  readonly type: keyof typeof TYPES;
  readonly ttlS?: number;
  /** IPv4 or IPv6 address as bytes, or the target of an alias. */
  readonly data: readonly number[] | string;
  readonly class?: number;
}

export interface MessageText {
  readonly id?: number;
  readonly name?: string;
  readonly type?: keyof typeof TYPES;
  readonly answers?: readonly RecordText[];
  /** 0x8180 is a plain answer, 0x0100 a plain question. */
  readonly flags?: number;
  /** What the header says of the number of answers. */
  readonly count?: number;
}

export function nameBytes(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label, 'latin1')]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function record({ name, type, ttlS = 300, data, class: recordClass = 1 }: RecordText): Buffer {
  const value = typeof data === 'string' ? nameBytes(data) : Buffer.from(data);
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(TYPES[type], 0);
  fixed.writeUInt16BE(recordClass, 2);
  fixed.writeUInt32BE(ttlS, 4);
  fixed.writeUInt16BE(value.length, 8);
  return Buffer.concat([nameBytes(name), fixed, value]);
}

/** A question without `answers`, else an answer. */
export function message({ id = 7, name = 'example.org', type = 'A', answers, flags, count }: MessageText = {}): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(flags ?? (answers === undefined ? 0x0100 : 0x8180), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(count ?? answers?.length ?? 0, 6);
  const question = Buffer.from([0, TYPES[type], 0, 1]);
  return Buffer.concat([header, nameBytes(name), question, ...(answers ?? []).map(record)]);
}

export function v4(text: string): readonly number[] {
  return text.split('.').map(Number);
}

/** fd77:: with the last byte. */
export function v6(last: number): readonly number[] {
  return [0xfd, 0x77, ...Array<number>(13).fill(0), last];
}

/** The length that goes before a message on TCP. */
export function framed(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length, 0);
  return Buffer.concat([length, bytes]);
}
