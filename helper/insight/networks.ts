/** Networks near this machine: where one address was seen, its neighbours will be. */
import { addressWords, maskWord, parseAddress, toPrefix } from '../policy/address.ts';
import type { Prefix } from '../policy/address.ts';

interface Network {
  readonly prefix: Prefix;
  /** Lengths to sum up by, the longest first; the network itself is the last resort. */
  readonly lengths: readonly number[];
}

function network(text: string, ...lengths: readonly number[]): readonly Network[] {
  const prefix = toPrefix(text);
  return prefix === null ? [] : [{ prefix, lengths: [...lengths, prefix.bits] }];
}

/** Source: RFC 1918, 3927, 6598, 4193, 4291, 5771. */
const NETWORKS: readonly Network[] = [
  ...network('10.0.0.0/8', 24, 16), ...network('172.16.0.0/12', 24, 16), ...network('192.168.0.0/16', 24),
  ...network('100.64.0.0/10', 24, 16), ...network('169.254.0.0/16'), ...network('224.0.0.0/4', 24),
  ...network('fc00::/7', 64, 48), ...network('fe80::/10'), ...network('ff00::/8'),
];

/** So many neighbours are summed up as their network. */
const NEIGHBOURS = 3;
/** More addresses and prefixes than these in one network are summed up further. */
const MOST_PARTS = 4;

function holds({ words, bits }: Prefix, address: readonly number[]): boolean {
  return words.length === address.length && words.every((word, at) => word === maskWord(address[at] ?? 0, bits - at * 32));
}

/** The network of a local address; null for one of the internet. */
function networkOf(address: string): Network | null {
  const words = addressWords(address);
  return words === null ? null : NETWORKS.find(({ prefix }) => holds(prefix, words)) ?? null;
}

export function isLocal(address: string): boolean {
  return networkOf(address) !== null;
}

function prefixText(address: string, bits: number): string {
  const read = parseAddress(`${address}/${String(bits)}`);
  return read.ok ? read.value ?? address : address;
}

function summedUp(addresses: readonly string[], bits: number): readonly string[] {
  const groups = Map.groupBy(addresses, (address) => prefixText(address, bits));
  return [...groups].flatMap(([prefix, members]) => (members.length >= NEIGHBOURS ? [prefix] : members));
}

/** One or two addresses of a local network as they are, more of them as the smallest usual network that holds them. */
export function localPatterns(addresses: readonly string[]): readonly string[] {
  const groups = Map.groupBy(addresses, networkOf);
  return [...groups].flatMap(([found, members]) => {
    if (found === null || members.length < NEIGHBOURS) return members;
    const attempts = found.lengths.map((bits) => summedUp(members, bits));
    return attempts.find((patterns) => patterns.length <= MOST_PARTS) ?? [prefixText(members[0] ?? '', found.prefix.bits)];
  });
}
