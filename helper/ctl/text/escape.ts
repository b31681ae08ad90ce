/** Text from outside (names, paths, messages) on its way to a terminal. */

/** Control, format (bidi, zero width), surrogate, private, unassigned, separators; every space but the plain one. */
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;
/** The same inside JSON, where the line feeds that are left belong to the layout. */
const UNSAFE_JSON = /(?!\n)[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
const UNSAFE_LINES = /(?![\n\t])[\p{C}\p{Zl}\p{Zp}]/gu;

function visible(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}

/**
 * One line that shows what is there: control characters, bidirectional and invisible ones become `\x1b`, `\u{202e}`. A
 * terminal cannot be steered by it, and two names that look alike because of invisible characters no longer do.
 */
export function printable(text: string): string {
  return text.replace(UNSAFE, visible);
}

/** The same for a text of many lines: line feeds and tabs stay. */
export function printableLines(text: string): string {
  return text.replace(UNSAFE_LINES, visible);
}

/** JSON that is safe on a terminal too: what `printable` escapes is written as \\uXXXX, which reads back the same. */
export function jsonText(value: unknown, indented: boolean): string {
  const text = JSON.stringify(value, null, indented ? 2 : 0);
  return text.replace(UNSAFE_JSON, (character) =>
    Array.from({ length: character.length }, (_, index) =>
      `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`).join(''));
}

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
