/** Small changes of an input: of bytes, of numbers in it, of lines, and with words that mean something to the target. */
import type { Random } from './random.ts';

const LINE_FEED = 0x0a;
const BORDERS = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
const NUMBERS = ['0', '-1', '1', '255', '256', '65535', '65536', '4294967296', '9007199254740993', '1e999', '0x10', '1.5'];
/** What readers of text stumble over: invisible, turning, half, long, and what means something to a shell, a terminal, markup. */
const SPECIAL = ['\0', '\u{1b}[2J', '\u{202e}', '\u{200b}', '\u{2028}', '\u{feff}', '\r\n', '\\', '"', "'''", '<b>', '&', '%s', '__proto__', '🙂', 'é'.normalize('NFD'), '../', ' '];

export interface Material {
  /** Other inputs to take pieces from. */
  readonly corpus: readonly Buffer[];
  readonly dictionary: readonly Buffer[];
  readonly maxBytes: number;
}

type Change = (input: Buffer, random: Random, material: Material) => Buffer;

function splice(input: Buffer, from: number, to: number, piece: Buffer): Buffer {
  return Buffer.concat([input.subarray(0, from), piece, input.subarray(to)]);
}

/** A range of the input, seldom a long one. */
function range(input: Buffer, random: Random): readonly [number, number] {
  const from = random.below(input.length + 1);
  const longest = random.below(4) === 0 ? input.length : 16;
  return [from, Math.min(input.length, from + 1 + random.below(longest))];
}

function lineRange(input: Buffer, random: Random): readonly [number, number] {
  const at = random.below(input.length + 1);
  const from = at === 0 ? 0 : input.lastIndexOf(LINE_FEED, at - 1) + 1;
  const end = input.indexOf(LINE_FEED, at);
  return [from, end === -1 ? input.length : end + 1];
}

const CHANGES: readonly Change[] = [
  (input, random) => {
    const changed = Buffer.from(input);
    const at = random.below(input.length);
    if (input.length > 0) changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
    return changed;
  },
  (input, random) => {
    const changed = Buffer.from(input);
    if (input.length > 0) changed[random.below(input.length)] = random.below(256);
    return changed;
  },
  (input, random) => {
    const number = Buffer.alloc(4);
    if (random.below(2) === 0) number.writeUInt32LE(random.one(BORDERS));
    else number.writeUInt32BE(random.one(BORDERS));
    const width = random.one([1, 2, 4]);
    const at = random.below(input.length + 1);
    return splice(input, at, Math.min(input.length, at + width), random.below(2) === 0 ? number.subarray(0, width) : number.subarray(4 - width));
  },
  (input, random) => splice(input, ...range(input, random), Buffer.alloc(0)),
  (input, random) => {
    const [from, to] = range(input, random);
    const at = random.below(input.length + 1);
    return splice(input, at, at, input.subarray(from, to));
  },
  (input, random) => {
    const [from, to] = range(input, random);
    return splice(input, to, to, Buffer.concat(Array<Buffer>(1 + random.below(40)).fill(input.subarray(from, to))));
  },
  (input, random) => {
    const [from, to] = lineRange(input, random);
    const [at] = lineRange(input, random);
    return splice(input, at, at, input.subarray(from, to));
  },
  (input, random) => splice(input, ...lineRange(input, random), Buffer.alloc(0)),
  (input, random, { dictionary }) => {
    if (dictionary.length === 0) return input;
    const at = random.below(input.length + 1);
    return splice(input, at, random.below(2) === 0 ? at : range(input, random)[1], random.one(dictionary));
  },
  (input, random) => {
    const at = random.below(input.length + 1);
    return splice(input, at, at, Buffer.from(random.one(SPECIAL)));
  },
  (input, random) => {
    const digits = [...input.toString('latin1').matchAll(/\d+/gu)];
    if (digits.length === 0) return input;
    const found = random.one(digits);
    return splice(input, found.index, found.index + found[0].length, Buffer.from(random.one(NUMBERS)));
  },
  (input, random, { corpus }) => {
    if (corpus.length === 0) return input;
    const other = random.one(corpus);
    const [from, to] = range(other, random);
    const at = random.below(input.length + 1);
    return splice(input, at, random.below(2) === 0 ? at : input.length, random.below(2) === 0 ? other.subarray(from, to) : other.subarray(from));
  },
];

/** One to eight changes, one after the other. */
export function mutate(input: Buffer, random: Random, material: Material): Buffer {
  let changed = input;
  for (let left = 1 << random.below(4); left > 0; left -= 1) {
    changed = random.one(CHANGES)(changed, random, material).subarray(0, material.maxBytes);
  }
  return changed;
}
