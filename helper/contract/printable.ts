/** Text from outside (names, paths, messages) on its way to a terminal or into a file. */

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
