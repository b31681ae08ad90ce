/**
 * a{sv} <-> typed dictionaries. A dictionary is declared once with its keys and D-Bus types; the TypeScript type, the
 * encoder and the validating decoder follow from the declaration. data/dbus documents every key.
 */
import variants from 'dbus-next/lib/variant.js';
import { BastionError } from './errors.ts';
import { WIRE_LIMITS } from './names.ts';

export type Variant = InstanceType<typeof variants.Variant>;
export type WireDictionary = Record<string, Variant>;

/** One D-Bus type: its signature, and how values cross. `decode` throws BastionError InvalidArgument. */
export interface WireType<T> {
  readonly signature: string;
  encode(value: T): unknown;
  decode(value: unknown, where: string): T;
}

interface Key<T> {
  readonly type: WireType<T>;
  readonly optional: boolean;
}
interface Required<T> extends Key<T> {
  readonly optional: false;
}
interface Optional<T> extends Key<T> {
  readonly optional: true;
}
type Keys = Record<string, Required<unknown> | Optional<unknown>>;
type ValueOf<K> = K extends Key<infer T> ? T : never;
type OptionalNames<K extends Keys> = { [N in keyof K]: K[N] extends { optional: true } ? N : never }[keyof K];

/** The TypeScript type of a dictionary declared with `dictionary`. */
export type DictionaryOf<K extends Keys> = { readonly [N in Exclude<keyof K, OptionalNames<K>>]: ValueOf<K[N]> } & {
  readonly [N in OptionalNames<K>]?: ValueOf<K[N]>;
};
/** A dictionary's wire type, with the declaration that it came from. */
export interface DictionaryType<K extends Keys> extends WireType<DictionaryOf<K>> {
  readonly keys: K;
}
/** The value type of a wire type. */
export type Infer<W> = W extends WireType<infer T> ? T : never;

function bad(where: string, wanted: string): never {
  throw new BastionError('InvalidArgument', `${where}: expected ${wanted}`);
}

function integer(signature: string, low: number, high: number): WireType<number> {
  return {
    signature,
    encode: (value) => (signature === 't' || signature === 'x' ? BigInt(Math.trunc(value)) : value),
    decode(value, where) {
      const number = typeof value === 'bigint' ? Number(value) : value;
      if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < low || number > high) {
        bad(where, `a whole number from ${String(low)} to ${String(high)}`);
      }
      return number;
    },
  };
}

export const u32 = integer('u', 0, 0xffff_ffff);
export const i32 = integer('i', -0x8000_0000, 0x7fff_ffff);
/** 64-bit on the wire, a safe integer in TypeScript. */
export const u64 = integer('t', 0, Number.MAX_SAFE_INTEGER);

export const bool: WireType<boolean> = {
  signature: 'b',
  encode: (value) => value,
  decode: (value, where) => (typeof value === 'boolean' ? value : bad(where, 'true or false')),
};

/** A string of at most `limit` UTF-16 code units without NUL. */
export function text(limit: number = WIRE_LIMITS.stringLength): WireType<string> {
  return {
    signature: 's',
    encode: (value) => withoutNul(value, limit),
    decode(value, where) {
      if (typeof value !== 'string' || value.length > limit || value.includes('\0')) {
        bad(where, `a text of at most ${String(limit)} characters`);
      }
      return value;
    },
  };
}
export const string = text();

/** D-Bus has no NUL: it is spelled out like all that cannot be seen, or becomes U+FFFD where the limit leaves no room for that. */
function withoutNul(value: string, limit: number): string {
  if (!value.includes('\0')) return value;
  const spelled = value.replaceAll('\0', '\\u{0}');
  return spelled.length <= limit ? spelled : value.replaceAll('\0', '\u{fffd}');
}

/** A string that is one of `values`. */
export function oneOf<const V extends readonly string[]>(values: V): WireType<V[number]> {
  const known = new Set<string>(values);
  return {
    signature: 's',
    encode: (value) => value,
    decode: (value, where) =>
      typeof value === 'string' && known.has(value) ? value : bad(where, `one of ${values.join(', ')}`),
  };
}

export function array<T>(item: WireType<T>, limit: number = WIRE_LIMITS.arrayElements): WireType<readonly T[]> {
  return {
    signature: `a${item.signature}`,
    encode: (value) => value.map((one) => item.encode(one)),
    decode(value, where) {
      if (!Array.isArray(value) || value.length > limit) bad(where, `at most ${String(limit)} elements`);
      return value.map((one: unknown, index) => item.decode(one, `${where}[${String(index)}]`));
    },
  };
}

export function required<T>(type: WireType<T>): Required<T> {
  return { type, optional: false };
}
export function optional<T>(type: WireType<T>): Optional<T> {
  return { type, optional: true };
}

/**
 * An a{sv} with these keys. Decoding ignores keys it does not know when `open` is true (what a newer helper may send to an
 * older client) and refuses them otherwise (what a caller asks of the helper must never be half understood).
 */
export function dictionary<K extends Keys>(
  keys: K,
  options: { readonly open: boolean },
): DictionaryType<K> {
  type D = DictionaryOf<K>;
  return {
    keys,
    signature: 'a{sv}',
    encode(value) {
      const wire: WireDictionary = {};
      for (const [name, key] of Object.entries(keys)) {
        const field: unknown = (value as Record<string, unknown>)[name];
        if (field === undefined) continue;
        wire[name] = new variants.Variant(key.type.signature, key.type.encode(field));
      }
      return wire;
    },
    decode(value, where) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) bad(where, 'a dictionary');
      const entries: readonly (readonly [string, unknown])[] = Object.entries(value);
      if (entries.length > WIRE_LIMITS.dictionaryEntries) {
        bad(where, `at most ${String(WIRE_LIMITS.dictionaryEntries)} keys`);
      }
      const found: Record<string, unknown> = {};
      for (const [name, wrapped] of entries) {
        const key = Object.hasOwn(keys, name) ? keys[name] : undefined;
        if (key === undefined) {
          if (options.open) continue;
          bad(`${where}.${name.slice(0, 64)}`, `no such key; the keys are ${Object.keys(keys).join(', ')}`);
        }
        if (!(wrapped instanceof variants.Variant) || wrapped.signature !== key.type.signature) {
          bad(`${where}.${name}`, `a value of type '${key.type.signature}'`);
        }
        found[name] = key.type.decode(wrapped.value, `${where}.${name}`);
      }
      for (const [name, key] of Object.entries(keys)) {
        if (!key.optional && !Object.hasOwn(found, name)) bad(`${where}.${name}`, 'a value, it is missing');
      }
      return found as D;
    },
  };
}
