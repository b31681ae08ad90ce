/** Helpers for flows: keys, names of protocols, ids. */
import type { Tuple } from '../contract/vocabulary.ts';

/** One text for one 5-tuple, for maps. Never shown. */
export function tupleKey(tuple: Tuple): string {
  const { protocol, sourceAddress, sourcePort, destinationAddress, destinationPort } = tuple;
  return [String(protocol), sourceAddress, String(sourcePort), destinationAddress, String(destinationPort)].join('|');
}

/** `f` + the number in base 36. */
export function flowId(number: number): string {
  return `f${number.toString(36)}`;
}

/** The number of a flow id, null if it is none. */
export function flowNumber(id: string): number | null {
  if (!/^f(?:0|[1-9a-z][0-9a-z]{0,9})$/.test(id)) return null;
  return Number.parseInt(id.slice(1), 36);
}

/** `192.0.2.7:443`, `[2001:db8::7]:443`; the address alone when there is no port. */
export function endpoint(address: string, port: number): string {
  if (port === 0) return address;
  return address.includes(':') ? `[${address}]:${String(port)}` : `${address}:${String(port)}`;
}
