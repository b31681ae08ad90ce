/**
 * Host names as bytes in one array, found through an open-addressed table of their hashes: 1.35 million names take 50 MB and
 * move between threads without a copy. Answers are exact: the bytes are compared. The hash is keyed anew for each table and
 * a long chain ends the building, so that no author of a list can make lookups slow.
 */

/** What a table consists of; made by `NameTableBuilder`. */
export interface NameTableData {
  /** Two words for each place: hash; offset of the name in `arena` plus 1, with `EXCEPTION`. 0 is a free place. */
  readonly slots: Uint32Array<ArrayBuffer>;
  /** Each name: one byte with its length, then the name in small letters. */
  readonly arena: Uint8Array<ArrayBuffer>;
  readonly key: HashKey;
  /** Names in the list, and names that it excepts. */
  readonly names: number;
  readonly exceptions: number;
}

export interface HashKey {
  readonly start: number;
  /** Odd. */
  readonly factor: number;
}

/** The chain behind one hash is longer than chance makes it: another key is needed. */
export class ClusteredError extends Error {
  override readonly name = 'ClusteredError';
}

const EXCEPTION = 0x8000_0000;
const OFFSET = 0x7fff_ffff;
const DOT = 46;
/** Chance makes chains of some twenty places in a full table of two million. */
const LONGEST_CHAIN = 256;
const FULLEST = 0.7;
const SMALLEST = 16;
const SMALLEST_ARENA = 256;

function step(hash: number, byte: number, factor: number): number {
  const mixed = Math.imul(hash ^ byte, factor);
  return mixed ^ (mixed >>> 15);
}

function finish(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

/** Looks names up in what a builder made. */
export class NameTable {
  readonly #slots: Uint32Array;
  readonly #arena: Uint8Array;
  readonly #key: HashKey;
  readonly #mask: number;
  readonly #hasExceptions: boolean;

  constructor({ slots, arena, key, exceptions }: NameTableData) {
    this.#slots = slots;
    this.#arena = arena;
    this.#key = key;
    this.#mask = slots.length / 2 - 1;
    this.#hasExceptions = exceptions > 0;
  }

  /** Is the name, or one that it lies below, in the table? An exception among them outweighs every entry. Small letters. */
  covers(name: string): boolean {
    const { start, factor } = this.#key;
    let hash = start;
    let covered = false;
    // From the end, so that one pass gives the hash of each name that this one lies below.
    for (let at = name.length - 1; at >= -1; at -= 1) {
      const code = at < 0 ? DOT : name.charCodeAt(at);
      if (code === DOT) {
        const entry = this.#find(finish(hash), name, at + 1);
        if (entry >= EXCEPTION) return false;
        if (entry !== 0) {
          if (!this.#hasExceptions) return true;
          covered = true;
        }
      }
      hash = step(hash, code, factor);
    }
    return covered;
  }

  /** The second word of the entry for `name` from `from` on, 0 for none. */
  #find(hash: number, name: string, from: number): number {
    for (let place = hash & this.#mask; ; place = (place + 1) & this.#mask) {
      const entry = this.#slots[place * 2 + 1] ?? 0;
      if (entry === 0) return 0;
      if (this.#slots[place * 2] === hash && this.#isName((entry & OFFSET) - 1, name, from)) return entry;
    }
  }

  #isName(offset: number, name: string, from: number): boolean {
    const length = name.length - from;
    if (this.#arena[offset] !== length) return false;
    for (let at = 0; at < length; at += 1) {
      if (this.#arena[offset + 1 + at] !== name.charCodeAt(from + at)) return false;
    }
    return true;
  }
}

/** Takes names one after the other. */
export class NameTableBuilder {
  readonly #key: HashKey;
  #slots = new Uint32Array(SMALLEST * 2);
  #mask = SMALLEST - 1;
  #arena: Uint8Array<ArrayBuffer>;
  #end = 0;
  #names = 0;
  #exceptions = 0;

  /** `arenaBytes`: about how many bytes the names will take. */
  constructor(key: HashKey, arenaBytes = SMALLEST_ARENA) {
    this.#key = { start: key.start | 0, factor: key.factor | 1 };
    this.#arena = new Uint8Array(Math.max(SMALLEST_ARENA, arenaBytes));
  }

  /** Different names so far, exceptions included. */
  get size(): number {
    return this.#names + this.#exceptions;
  }

  /**
   * A canonical name of 1 to 253 bytes, as `bytes` from `from` to before `to`. Throws ClusteredError. A name that is both in
   * the list and excepted is excepted.
   */
  add(bytes: Uint8Array, from: number, to: number, isException: boolean): void {
    const hash = this.#hash(bytes, from, to);
    const place = this.#placeOf(hash, bytes, from, to);
    const entry = this.#slots[place * 2 + 1] ?? 0;
    if (entry !== 0) {
      if (isException && entry < EXCEPTION) {
        this.#slots[place * 2 + 1] = (entry | EXCEPTION) >>> 0;
        this.#names -= 1;
        this.#exceptions += 1;
      }
      return;
    }
    this.#slots[place * 2] = hash;
    this.#slots[place * 2 + 1] = ((this.#store(bytes, from, to) + 1) | (isException ? EXCEPTION : 0)) >>> 0;
    if (isException) this.#exceptions += 1;
    else this.#names += 1;
    if (this.size > (this.#mask + 1) * FULLEST) this.#grow();
  }

  finish(): NameTableData {
    return {
      slots: this.#slots, arena: this.#arena.slice(0, this.#end), key: this.#key, names: this.#names, exceptions: this.#exceptions,
    };
  }

  #hash(bytes: Uint8Array, from: number, to: number): number {
    let hash = this.#key.start;
    for (let at = to - 1; at >= from; at -= 1) hash = step(hash, bytes[at] ?? 0, this.#key.factor);
    return finish(hash);
  }

  #placeOf(hash: number, bytes: Uint8Array, from: number, to: number): number {
    let place = hash & this.#mask;
    for (let chain = 0; chain < LONGEST_CHAIN; chain += 1) {
      const entry = this.#slots[place * 2 + 1] ?? 0;
      if (entry === 0) return place;
      if (this.#slots[place * 2] === hash && this.#isName((entry & OFFSET) - 1, bytes, from, to)) return place;
      place = (place + 1) & this.#mask;
    }
    throw new ClusteredError('too many names share a hash');
  }

  #isName(offset: number, bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#arena[offset] !== to - from) return false;
    for (let at = from; at < to; at += 1) {
      if (this.#arena[offset + 1 + at - from] !== bytes[at]) return false;
    }
    return true;
  }

  #store(bytes: Uint8Array, from: number, to: number): number {
    const offset = this.#end;
    const end = offset + 1 + to - from;
    if (end > this.#arena.length) {
      const larger = new Uint8Array(Math.max(end, this.#arena.length * 2));
      larger.set(this.#arena);
      this.#arena = larger;
    }
    this.#arena[offset] = to - from;
    for (let at = from; at < to; at += 1) this.#arena[offset + 1 + at - from] = bytes[at] ?? 0;
    this.#end = end;
    return offset;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Uint32Array(before.length * 2);
    this.#mask = this.#slots.length / 2 - 1;
    for (let at = 0; at < before.length; at += 2) {
      const entry = before[at + 1] ?? 0;
      if (entry === 0) continue;
      const hash = before[at] ?? 0;
      let place = hash & this.#mask;
      while (this.#slots[place * 2 + 1] !== 0) place = (place + 1) & this.#mask;
      this.#slots[place * 2] = hash;
      this.#slots[place * 2 + 1] = entry;
    }
  }
}
