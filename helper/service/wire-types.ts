/** Wire types that calls use besides the dictionaries of the contract. */
import { array, text, u32 } from '../contract/codec.ts';
import type { WireType } from '../contract/codec.ts';
import { BastionError } from '../contract/errors.ts';
import { WIRE_LIMITS } from '../contract/names.ts';

/** In the place of a user who is not known. */
export const UNKNOWN_UID = 0xffff_ffff;
/** Rule ids, nonces, flow ids and the like. */
export const id = text(64);
/** Where a list goes on; as long as this service makes it. */
export const cursor = text(128);
export const longText = text(WIRE_LIMITS.textLength);
/** Names of interfaces and members. */
export const name = text(255);

/** Rows asked for; 0 and more than a page mean a page. */
export const limit: WireType<number> = {
  signature: u32.signature,
  encode: (value) => u32.encode(value),
  decode(value, where) {
    const rows = u32.decode(value, where);
    return rows === 0 ? WIRE_LIMITS.pageRows : Math.min(rows, WIRE_LIMITS.pageRows);
  },
};

/** Rows of a list: an array of dictionaries as long as a page. */
export function rows<T>(type: WireType<T>): WireType<readonly T[]> {
  return array(type, WIRE_LIMITS.pageRows);
}

/** A whole number of an argument within a range. Throws InvalidArgument. */
export function inRange(value: number, low: number, high: number, what: string): number {
  if (value < low || value > high) {
    throw new BastionError('InvalidArgument', `${what}: expected a whole number from ${String(low)} to ${String(high)}`);
  }
  return value;
}
