/** Text from outside made fit to be shown: nothing invisible, nothing that turns the line around, nothing endless. */

/**
 * Controls, bidirectional overrides, lone surrogates, private use, what Unicode lets a font leave out (zero-width characters,
 * variation selectors, fillers), the empty Braille cell; and the fifth mark on one letter, which would reach into other lines.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u{2800}]|(?<=\p{M}{4})\p{M}/gu;

/** Longest text shown in one place; a label of more would only be cut by the window. */
export const SHOWN_LIMIT = 1024;

/**
 * Every character that cannot be seen becomes its code point, `\u{202e}`; cut to `limit` characters with an ellipsis, and to
 * twice as many where much of it had to be spelled out.
 */
export function visible(text: string, limit: number = SHOWN_LIMIT): string {
  const spelled = cutTo(text, limit).replaceAll(HIDDEN, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
  return cutTo(spelled, 2 * limit + 1);
}

/** Is the text what it looks like? */
export function isPlain(text: string): boolean {
  return visible(text, text.length) === text;
}

/** Leaves no half of a character behind. */
function cutTo(text: string, limit: number): string {
  return text.length > limit ? `${text.slice(0, limit).replace(/[\ud800-\udbff]$/u, '')}…` : text;
}

/** Escapes what Pango and notification servers take for markup. */
export function escapeMarkup(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&apos;');
}

/** The last part of a path, made visible. */
export function baseName(path: string): string {
  return visible(path.slice(path.lastIndexOf('/') + 1), 128);
}
