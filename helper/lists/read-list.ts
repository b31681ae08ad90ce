/**
 * The text of a list as names and addresses. What is not understood is counted and left out: a list is data of others, and
 * most hold lines for other programs too. Pure.
 */
import type { ListFormat } from '../contract/vocabulary.ts';
import { toPrefix } from '../policy/address.ts';
import { canonicalName, isRegistrySuffix } from '../policy/domains.ts';
import { dotsIn, lowerName, startsWith, textOf, wordAt } from './lines.ts';
import type { Span } from './lines.ts';
import { NameTableBuilder } from './name-table.ts';
import type { HashKey, NameTableData } from './name-table.ts';
import { RangeBuilder } from './ranges.ts';
import type { RangeData } from './ranges.ts';

/** What one line can be. With `auto` all are adblock rules where the text looks like it, else each is what it looks like. */
const LINE_FORMATS = ['hosts', 'domains', 'cidr', 'adblock'] as const;
type LineFormat = (typeof LINE_FORMATS)[number];

export interface ListLimits {
  readonly domains: number;
  readonly prefixes: number;
}

export interface ListCounts {
  /** For `auto` what most of its entries are. */
  readonly format: ListFormat;
  /** Names, and names that it excepts. */
  readonly domains: number;
  readonly exceptions: number;
  /** Addresses and prefixes, as they stand in the text. */
  readonly prefixes: number;
  /** Lines that say something else, or what cannot be. */
  readonly ignored: number;
}

export interface ListContent extends ListCounts {
  readonly table: NameTableData;
  readonly ranges: RangeData;
}

/** More entries than one list may have. */
export class ListTooLargeError extends Error {
  override readonly name = 'ListTooLargeError';
}

const NEWLINE = 10;
const HASH = 35;
const SEMICOLON = 59;
const EXCLAMATION = 33;
const BRACKET = 91;
const DOT = 46;
const STAR = 42;
const COLON = 58;
/** Longest text of an address with its prefix length. */
const LONGEST_ADDRESS = 64;
/** Longest name as it may stand in a file, other alphabets in UTF-8. */
const LONGEST_FOREIGN = 1024;
/** Names in other alphabets take a hundred times as long; lists have them in punycode. */
const FOREIGN_NAMES = 200_000;
/** Public suffixes of registries have at most three dots. */
const SUFFIX_DOTS = 3;
/** So much of the text is looked at to tell adblock rules from the rest. */
const PROBED_BYTES = 262_144;
/** Addresses that hosts files send names to which shall not be reached. */
const SINK = /^(?:0\.0\.0\.0|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::|::1|0)$/;
/** Options that do not narrow an adblock host rule to some requests. */
const WHOLE_HOST_OPTIONS = new Set(['all', 'important']);

/** Is there a header or a host rule among the first lines? */
function looksLikeAdblock(bytes: Uint8Array): boolean {
  const probe = new TextDecoder('latin1').decode(bytes.subarray(0, PROBED_BYTES));
  return /^(?:\[adblock|\|\||@@\|\|)/im.test(probe);
}

/**
 * Reads a whole text; its letters are made small in place. Throws ListTooLargeError, and ClusteredError where another key is
 * needed.
 */
export function readList(bytes: Uint8Array, format: ListFormat, key: HashKey, limits: ListLimits): ListContent {
  const reader = new ListReader(bytes, format, key, limits);
  return reader.read();
}

class ListReader {
  readonly #bytes: Buffer;
  readonly #format: ListFormat;
  readonly #limits: ListLimits;
  readonly #names: NameTableBuilder;
  readonly #ranges = new RangeBuilder();
  readonly #adblock: boolean;
  readonly #found: Record<LineFormat, number> = { hosts: 0, domains: 0, cidr: 0, adblock: 0 };
  #ignored = 0;
  #foreign = 0;

  constructor(bytes: Uint8Array, format: ListFormat, key: HashKey, limits: ListLimits) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#format = format;
    this.#limits = limits;
    this.#names = new NameTableBuilder(key, bytes.length / 2);
    this.#adblock = format === 'adblock' || (format === 'auto' && looksLikeAdblock(bytes));
  }

  read(): ListContent {
    const bytes = this.#bytes;
    // A byte order mark.
    let from = startsWith(bytes, { from: 0, to: bytes.length }, '\u{ef}\u{bb}\u{bf}') ? 3 : 0;
    while (from < bytes.length) {
      const end = bytes.indexOf(NEWLINE, from);
      const to = end < 0 ? bytes.length : end;
      this.#line(from, to);
      from = to + 1;
    }
    const table = this.#names.finish();
    return {
      format: this.#told(), domains: table.names, exceptions: table.exceptions, prefixes: this.#ranges.size, ignored: this.#ignored,
      table, ranges: this.#ranges.finish(),
    };
  }

  #told(): ListFormat {
    if (this.#format !== 'auto') return this.#format;
    const [first] = [...LINE_FORMATS].sort((a, b) => this.#found[b] - this.#found[a]);
    return first === undefined || this.#found[first] === 0 ? 'auto' : first;
  }

  #allows(format: LineFormat): boolean {
    return this.#format === 'auto' || this.#format === format;
  }

  #line(from: number, to: number): void {
    const first = wordAt(this.#bytes, from, to);
    const byte = this.#bytes[first.from];
    if (first.from === first.to || byte === HASH || byte === EXCLAMATION || byte === SEMICOLON) return;
    let entries: number;
    if (this.#adblock) {
      if (byte === BRACKET) return;
      entries = this.#adblockRule(first, to);
    } else {
      const second = wordAt(this.#bytes, first.to, to);
      const alone = second.from === second.to || this.#bytes[second.from] === HASH || this.#bytes[second.from] === SEMICOLON;
      if (alone) entries = this.#single(first);
      else entries = this.#allows('hosts') ? this.#hosts(first, second, to) : 0;
    }
    if (entries === 0) this.#ignored += 1;
  }

  /** A line of one word: an address, a prefix or a name. */
  #single(word: Span): number {
    if (this.#looksLikeAddress(word)) return this.#allows('cidr') ? this.#count('cidr', this.#prefix(word)) : 0;
    return this.#allows('domains') ? this.#count('domains', this.#name(this.#withoutWildcard(word), false)) : 0;
  }

  /** An address that nothing answers at, then names. */
  #hosts(address: Span, first: Span, lineEnd: number): number {
    if (address.to - address.from > LONGEST_ADDRESS || !SINK.test(textOf(this.#bytes, address))) return 0;
    let entries = 0;
    for (let word = first; word.from < word.to && this.#bytes[word.from] !== HASH; word = wordAt(this.#bytes, word.to, lineEnd)) {
      entries += this.#name(word, false);
    }
    return this.#count('hosts', entries);
  }

  /** `||example.org^` and `@@||example.org^`, for the whole host. */
  #adblockRule(word: Span, lineEnd: number): number {
    const rest = wordAt(this.#bytes, word.to, lineEnd);
    const isException = startsWith(this.#bytes, word, '@@||');
    if (rest.from !== rest.to || !(isException || startsWith(this.#bytes, word, '||'))) return 0;
    const from = word.from + (isException ? 4 : 2);
    const length = Math.min(word.to - from, LONGEST_FOREIGN);
    const shape = /^([^$^/|]+)\^?\|?(?:\$(.+))?$/.exec(textOf(this.#bytes, { from, to: from + length }));
    const host = shape?.[1];
    if (host === undefined || word.to - from > LONGEST_FOREIGN) return 0;
    if (shape?.[2]?.split(',').every((option) => WHOLE_HOST_OPTIONS.has(option)) === false) return 0;
    const span = { from, to: from + host.length };
    if (this.#looksLikeAddress(span)) return isException ? 0 : this.#count('adblock', this.#prefix(span));
    return this.#count('adblock', this.#name(this.#withoutWildcard(span), isException));
  }

  #count(format: LineFormat, entries: number): number {
    this.#found[format] += entries;
    return entries;
  }

  /** `*.example.org` and `.example.org` mean what `example.org` means here: the name and all below it. */
  #withoutWildcard({ from, to }: Span): Span {
    if (this.#bytes[from] === STAR && this.#bytes[from + 1] === DOT) return { from: from + 2, to };
    return this.#bytes[from] === DOT ? { from: from + 1, to } : { from, to };
  }

  #looksLikeAddress({ from, to }: Span): boolean {
    let digits = true;
    for (let at = from; at < to; at += 1) {
      const byte = this.#bytes[at] ?? 0;
      if (byte === COLON) return true;
      // Digits, dots and a slash.
      if (byte < 46 || byte > 57) digits = false;
    }
    return digits;
  }

  #prefix(word: Span): number {
    if (word.to - word.from > LONGEST_ADDRESS) return 0;
    const prefix = toPrefix(textOf(this.#bytes, word));
    // Everything is no list: such a line would refuse the whole network.
    if (prefix === null || prefix.bits === 0) return 0;
    this.#ranges.add(prefix.words, prefix.bits);
    if (this.#ranges.size > this.#limits.prefixes) throw new ListTooLargeError('too many addresses');
    return 1;
  }

  #name({ from, to: end }: Span, isException: boolean): number {
    const to = end - from > 1 && this.#bytes[end - 1] === DOT ? end - 1 : end;
    switch (lowerName(this.#bytes, { from, to })) {
      case 'none':
        return 0;
      case 'foreign':
        return this.#foreignName({ from, to }, isException);
      case 'plain':
        // A registry's suffix would be everybody's names at once.
        if (dotsIn(this.#bytes, { from, to }, SUFFIX_DOTS + 1) <= SUFFIX_DOTS && isRegistrySuffix(textOf(this.#bytes, { from, to }))) return 0;
        return this.#add(this.#bytes, from, to, isException);
    }
  }

  #foreignName({ from, to }: Span, isException: boolean): number {
    if (to - from > LONGEST_FOREIGN) return 0;
    this.#foreign += 1;
    if (this.#foreign > FOREIGN_NAMES) throw new ListTooLargeError('too many names that are no ASCII');
    const name = canonicalName(new TextDecoder().decode(this.#bytes.subarray(from, to)));
    if (name === null || !name.includes('.') || isRegistrySuffix(name)) return 0;
    return this.#add(new TextEncoder().encode(name), 0, name.length, isException);
  }

  #add(bytes: Uint8Array, from: number, to: number, isException: boolean): number {
    this.#names.add(bytes, from, to, isException);
    if (this.#names.size > this.#limits.domains) throw new ListTooLargeError('too many names');
    return 1;
  }
}
