/** Text from outside (names, paths, messages) on its way to a terminal. */
import { printable } from '../../contract/printable.ts';

export { jsonText, printableLines } from '../../contract/printable.ts';
export { printable };

const WIDE_LETTER = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;
const WIDE_SYMBOL = /[\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const MARK = /\p{M}/u;

function characterWidth(character: string): number {
  if (character < '\u{7f}') return 1;
  if (MARK.test(character)) return 0;
  return WIDE_LETTER.test(character) || WIDE_SYMBOL.test(character) ? 2 : 1;
}

/** Columns that the text takes on a terminal; East Asian wide characters take two. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

function take(characters: readonly string[], limit: number): string {
  let width = 0;
  let taken = '';
  for (const character of characters) {
    width += characterWidth(character);
    if (width > limit) break;
    taken += character;
  }
  return taken;
}

/** Leaves the middle out where the text is wider than `limit` columns: both ends of a path tell more than its middle. */
export function cutMiddle(text: string, limit: number): string {
  if (displayWidth(text) <= limit) return text;
  if (limit <= 3) return '.'.repeat(Math.max(limit, 0));
  const characters = Array.from(text);
  const tailWidth = Math.floor((limit - 2) / 2);
  const tail = Array.from(take(characters.toReversed(), tailWidth)).reverse().join('');
  return `${take(characters, limit - 2 - tailWidth)}..${tail}`;
}

/** Leaves the end out where the text is wider than `limit` columns. */
export function cutEnd(text: string, limit: number): string {
  if (displayWidth(text) <= limit) return text;
  return `${take(Array.from(text), Math.max(limit - 2, 0))}..`;
}

/** A word of a command line as a person would type it to a POSIX shell; unsafe characters stay visible. */
export function shellWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return `'${printable(word).replaceAll("'", "'\\''")}'`;
}

/** Broken between words, for what has to be read to its end. */
export function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && displayWidth(`${last} ${word}`) <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(cutEnd(word, width));
  }
  return lines;
}
