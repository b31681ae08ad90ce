/** Text from files as it may be shown, and text as it may be written into files. */

const SHOWN_LIMIT = 64;

/** Quotes a word of a file for a message: at most 64 characters, nothing that a terminal or a reader could misread. */
export function shown(word: string): string {
  const cut = word.length > SHOWN_LIMIT ? `${word.slice(0, SHOWN_LIMIT)}…` : word;
  return `"${cut.replaceAll(/[\p{C}\p{Zl}\p{Zp}"]/gu, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`)}"`;
}

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\b', '\\b'], ['\t', '\\t'], ['\n', '\\n'], ['\f', '\\f'], ['\r', '\\r'], ['"', '\\"'], ['\\', '\\\\'],
]);

/**
 * A TOML basic string. Control, format and separator characters are escaped, so that what a person sees in an editor is what
 * the file says; a lone surrogate, which TOML cannot hold, becomes U+FFFD. Source: TOML 1.0.0, "String".
 */
export function tomlString(value: string): string {
  const body = value.toWellFormed().replaceAll(/[\p{C}\p{Zl}\p{Zp}"\\]/gu, (char) => {
    const short = SHORT_ESCAPES.get(char);
    if (short !== undefined) return short;
    const code = char.codePointAt(0) ?? 0xfffd;
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
  return `"${body}"`;
}

/** ` Did you mean "x"?` for the known word that is nearest to `word`, '' when none is near. */
export function didYouMean(word: string, known: readonly string[]): string {
  let best = '';
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.slice(0, SHOWN_LIMIT).toLowerCase(), candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best === '' ? '' : ` Did you mean "${best}"?`;
}

/** Levenshtein distance with neighbouring letters swapped counted once (optimal string alignment). */
function editDistance(left: string, right: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const same = left[row - 1] === right[column - 1];
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (swapped) cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[right.length] ?? 0;
}
