/** Text from outside made fit to be shown: nothing invisible, nothing that turns the line around, nothing endless. */

/** Controls, bidirectional overrides, zero-width and other invisible characters, lone surrogates, private use. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\u{115f}\u{1160}\u{3164}\u{ffa0}]/gu;

/** Longest text shown in one place; a label of more would only be cut by the window. */
export const SHOWN_LIMIT = 1024;

/** Every character that cannot be seen becomes its code point, `\u{202e}`; cut to `limit` characters with an ellipsis. */
export function visible(text: string, limit: number = SHOWN_LIMIT): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return cut.replaceAll(HIDDEN, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
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
