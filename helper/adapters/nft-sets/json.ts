/** Sets as nft reads and writes them in JSON. Source: libnftables-json(5). */
import ipaddr from 'ipaddr.js';
import type { FoundSet, SetChange, SetElement, SetName } from '../../ports.ts';

type Fields = Readonly<Record<string, unknown>>;

/** nft multiplies the seconds of a JSON text by 1000 as a signed number of 32 bits; this is 24 days. */
export const LONGEST_TIMEOUT_S = 2_147_483;

const TYPES = { 4: 'ipv4_addr', 6: 'ipv6_addr' } as const;

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The one spelling that addresses have everywhere else; nft writes mapped ones with dots. */
function canonical(text: string): string | null {
  if (!text.includes(':')) return ipaddr.IPv4.isValidFourPartDecimal(text) ? text : null;
  if (!text.includes('.')) return text;
  return ipaddr.IPv6.isValid(text) ? ipaddr.IPv6.parse(text).toRFC5952String() : null;
}

function lastOfPrefix(address: string, length: number): string | null {
  if (!ipaddr.isValid(address) || !Number.isInteger(length)) return null;
  const bytes = ipaddr.parse(address).toByteArray();
  if (length < 0 || length > bytes.length * 8) return null;
  const last = bytes.map((byte, index) => byte | (0xff >> Math.min(8, Math.max(0, length - index * 8))));
  return bytes.length === 4 ? new ipaddr.IPv4(last).toString() : new ipaddr.IPv6(last).toRFC5952String();
}

function spanOf(value: unknown): readonly [string, string] | null {
  if (typeof value === 'string') {
    const address = canonical(value);
    return address === null ? null : [address, address];
  }
  const { prefix, range } = fieldsOf(value);
  if (range !== undefined) {
    const [first, last] = listOf(range).map((one) => (typeof one === 'string' ? canonical(one) : null));
    return first == null || last == null ? null : [first, last];
  }
  const { addr, len } = fieldsOf(prefix);
  if (typeof addr !== 'string' || typeof len !== 'number') return null;
  const [first, last] = [canonical(addr), lastOfPrefix(addr, len)];
  return first === null || last === null ? null : [first, last];
}

function elementOf(value: unknown): SetElement | null {
  const { elem } = fieldsOf(value);
  const { val, expires } = fieldsOf(elem);
  const span = spanOf(elem === undefined ? value : val);
  return span === null ? null : { first: span[0], last: span[1], expiresS: typeof expires === 'number' ? expires : null };
}

function typeText(type: unknown): string {
  return Array.isArray(type) ? type.map(typeText).join(' . ') : typeof type === 'string' ? type : 'another type';
}

/** The set in what `nft -j list set` printed; failed for a type that does not fit, and for text that cannot be read. */
export function foundSet(text: string, name: SetName, version: 4 | 6): FoundSet {
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    return { state: 'failed', problem: 'What nft told of this set cannot be read.' };
  }
  const fields = listOf(fieldsOf(told)['nftables']).map((one) => fieldsOf(fieldsOf(one)['set'])).find((set) => set['name'] === name.set);
  if (fields === undefined) return { state: 'missing' };
  const type = typeText(fields['type']);
  const flags = listOf(fields['flags']);
  if (type !== TYPES[version]) return { state: 'failed', problem: `This set holds ${type}; addresses of IPv${String(version)} need a set with type ${TYPES[version]}.` };
  if (flags.includes('constant')) return { state: 'failed', problem: 'This set has the flag constant: nothing can be added to it. Make it without that flag.' };
  return {
    state: 'there',
    elements: listOf(fields['elem']).map(elementOf).filter((element) => element !== null),
    endsAlone: typeof fields['timeout'] === 'number' && fields['timeout'] > 0,
  };
}

/** What lists one set; the words of the language cannot name a set that is called as one of them. */
export function listText({ family, table, set }: SetName): string {
  return JSON.stringify({ nftables: [{ list: { set: { family, table, name: set } } }] });
}

function valueOf({ first, last }: SetElement): unknown {
  return first === last ? first : { range: [first, last] };
}

function addedValue(element: SetElement, endsAlone: boolean): unknown {
  const timeout = element.expiresS ?? (endsAlone ? LONGEST_TIMEOUT_S : null);
  return timeout === null ? valueOf(element) : { elem: { val: valueOf(element), timeout } };
}

function commands({ family, table, set, version, make, endsAlone, remove, add }: SetChange): readonly unknown[] {
  const element = (elements: readonly unknown[]): unknown => ({ element: { family, table, name: set, elem: elements } });
  return [
    ...(make ? [{ add: { table: { family, name: table } } }, { add: { set: { family, table, name: set, type: TYPES[version] } } }] : []),
    ...(remove.length === 0 ? [] : [{ delete: element(remove.map(valueOf)) }]),
    // create, unlike add, fails where the element is there already.
    ...(add.length === 0 ? [] : [{ create: element(add.map((one) => addedValue(one, endsAlone))) }]),
  ];
}

/** One transaction. */
export function changeText(changes: readonly SetChange[]): string {
  return JSON.stringify({ nftables: changes.flatMap(commands) });
}
