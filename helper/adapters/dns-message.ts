/**
 * Reads DNS messages. The bytes are any program's or any server's: every length is checked, records are bounded in number,
 * and nothing but a plain question with its addresses comes out. Source: RFC 1035 4.1, RFC 9460 for HTTPS and SVCB.
 */
import { BlockList, SocketAddress } from 'node:net';
import { name as wireName } from 'dns-packet';
import type { DnsAddress, DnsContent } from '../ports.ts';

/** Source: RFC 1035 4.1.1. */
const HEADER_BYTES = 12;
const FLAG_RESPONSE = 0x8000;
const FLAGS_OPCODE = 0x7800;
const FLAG_TRUNCATED = 0x0200;
const FLAGS_RCODE = 0x000f;
const CLASS_IN = 1;
const TYPE = { a: 1, cname: 5, aaaa: 28, svcb: 64, https: 65 } as const;
const HINT4 = 4;
const HINT6 = 6;

/** Records of an answer that are looked at, and aliases that are followed; what is beyond is not there. */
export const ANSWER_LIMITS = { records: 64, addresses: 64, aliases: 16 } as const;

const NAME_LIMIT = 253;
/** What a host name can hold besides dots, with the underscore of service names; anything else is not shown as a name. */
const HOST_NAME = /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/u;

/** A name where it is and what comes behind it; `name` is null when it is no host name. */
interface ReadName {
  readonly name: string | null;
  readonly end: number;
}

interface Answer {
  readonly name: string | null;
  readonly type: number;
  readonly ttlS: number;
  readonly dataStart: number;
  readonly dataEnd: number;
}

/** Lower case, without the last dot; null for anything that is not a host name of at most 253 characters. */
export function hostName(text: string): string | null {
  const name = text.toLowerCase().replace(/\.$/u, '');
  return name.length <= NAME_LIMIT && HOST_NAME.test(name) ? name : null;
}

/** Throws on malformed bytes. */
function nameAt(bytes: Buffer, offset: number): ReadName {
  const text = wireName.decode(bytes, offset, { mail: true });
  return { name: hostName(text), end: offset + wireName.decode.bytes };
}

/** The one question of a message, for the name alone: null for what is not a plain query. Never throws. */
export function queryName(payload: Uint8Array): string | null {
  const content = readDnsMessage(payload);
  return typeof content === 'string' || content.isAnswer ? null : content.name;
}

/**
 * Reads a message: port type `DnsReader`. malformed: not one question of class IN for a host name, another operation, or
 * lengths that do not fit.
 */
export function readDnsMessage(message: Uint8Array): DnsContent | 'malformed' | 'truncated' {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  try {
    return read(bytes);
  } catch {
    return 'malformed';
  }
}

function read(bytes: Buffer): DnsContent | 'malformed' | 'truncated' {
  const flags = bytes.readUInt16BE(2);
  if ((flags & FLAGS_OPCODE) !== 0 || bytes.readUInt16BE(4) !== 1) return 'malformed';
  const isAnswer = (flags & FLAG_RESPONSE) !== 0;
  const question = nameAt(bytes, HEADER_BYTES);
  const type = bytes.readUInt16BE(question.end);
  if (question.name === null || bytes.readUInt16BE(question.end + 2) !== CLASS_IN) return 'malformed';
  const content = { id: bytes.readUInt16BE(0), isAnswer, name: question.name, type };
  if (!isAnswer) return { ...content, addresses: [] };
  if ((flags & FLAG_TRUNCATED) !== 0) return 'truncated';
  if ((flags & FLAGS_RCODE) !== 0) return { ...content, addresses: [] };
  const answers = answersAt(bytes, question.end + 4, bytes.readUInt16BE(6));
  return { ...content, addresses: addressesOf(bytes, answers, question.name) };
}

function answersAt(bytes: Buffer, start: number, count: number): readonly Answer[] {
  const answers: Answer[] = [];
  let at = start;
  while (answers.length < Math.min(count, ANSWER_LIMITS.records)) {
    const { name, end } = nameAt(bytes, at);
    const dataStart = end + 10;
    const dataEnd = dataStart + bytes.readUInt16BE(end + 8);
    if (dataEnd > bytes.length) throw new RangeError('a record is longer than the message');
    const inClass = bytes.readUInt16BE(end + 2) === CLASS_IN;
    // A TTL with the highest bit set is 0. Source: RFC 2181 8.
    const ttl = bytes.readUInt32BE(end + 4);
    answers.push({ name: inClass ? name : null, type: bytes.readUInt16BE(end), ttlS: ttl > 0x7fff_ffff ? 0 : ttl, dataStart, dataEnd });
    at = dataEnd;
  }
  return answers;
}

/** Addresses of the name that was asked for, and of those that it is an alias of. No TTL outlives that of the alias. */
function addressesOf(bytes: Buffer, answers: readonly Answer[], asked: string): readonly DnsAddress[] {
  const names = new Map([[asked, Number.MAX_SAFE_INTEGER]]);
  let current = asked;
  for (let hop = 0; hop < ANSWER_LIMITS.aliases; hop += 1) {
    const alias = answers.find((one) => one.name === current && one.type === TYPE.cname);
    const next = alias === undefined ? null : nameAt(bytes, alias.dataStart).name;
    if (alias === undefined || next === null || names.has(next)) break;
    names.set(next, Math.min(names.get(current) ?? 0, alias.ttlS));
    current = next;
  }
  const found: DnsAddress[] = [];
  for (const answer of answers) {
    const limitS = answer.name === null ? undefined : names.get(answer.name);
    if (limitS === undefined) continue;
    const ttlS = Math.min(answer.ttlS, limitS);
    for (const address of dataAddresses(bytes, answer)) if (isUsable(address)) found.push({ address, ttlS });
  }
  return found.slice(0, ANSWER_LIMITS.addresses);
}

function dataAddresses(bytes: Buffer, { type, dataStart, dataEnd }: Answer): readonly string[] {
  const data = bytes.subarray(dataStart, dataEnd);
  switch (type) {
    case TYPE.a: return data.length === 4 ? [address4(data)] : [];
    case TYPE.aaaa: return data.length === 16 ? [address6(data)] : [];
    case TYPE.svcb:
    case TYPE.https: return hints(bytes, dataStart, dataEnd);
    default: return [];
  }
}

/** Address hints of an HTTPS or SVCB record. Source: RFC 9460 2.2, 7.3. */
function hints(bytes: Buffer, dataStart: number, dataEnd: number): readonly string[] {
  const found: string[] = [];
  let at = nameAt(bytes, dataStart + 2).end;
  while (at + 4 <= dataEnd && found.length < ANSWER_LIMITS.addresses) {
    const key = bytes.readUInt16BE(at);
    const end = at + 4 + bytes.readUInt16BE(at + 2);
    if (end > dataEnd) return [];
    const value = bytes.subarray(at + 4, end);
    if (key === HINT4) for (let from = 0; from + 4 <= value.length; from += 4) found.push(address4(value.subarray(from, from + 4)));
    if (key === HINT6) for (let from = 0; from + 16 <= value.length; from += 16) found.push(address6(value.subarray(from, from + 16)));
    at = end;
  }
  return found;
}

function address4(data: Uint8Array): string {
  return [...data].map(String).join('.');
}

function address6(data: Buffer): string {
  const mapped = data.subarray(0, 10).every((byte) => byte === 0) && data[10] === 0xff && data[11] === 0xff;
  if (mapped) return address4(data.subarray(12));
  const groups = Array.from({ length: 8 }, (_, index) => data.readUInt16BE(index * 2).toString(16));
  return new SocketAddress({ family: 'ipv6', address: groups.join(':') }).address;
}

/** Addresses that no packet is held for: this machine, and none. */
const NOWHERE = new BlockList();
NOWHERE.addSubnet('0.0.0.0', 8);
NOWHERE.addSubnet('127.0.0.0', 8);
NOWHERE.addAddress('::', 'ipv6');
NOWHERE.addAddress('::1', 'ipv6');

/** Can a name for this address be of any use? False for loopback and the unspecified address, as blocking servers answer. */
export function isUsable(address: string): boolean {
  return !NOWHERE.check(address, address.includes(':') ? 'ipv6' : 'ipv4');
}
