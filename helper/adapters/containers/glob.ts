/** Patterns of `[[container]]`. */

/**
 * Is `text` as `pattern` says, where `*` stands for any characters and `?` for one? In time that grows with the product of the
 * lengths at worst: the text is its maker's.
 */
export function globMatches(pattern: string, text: string): boolean {
  let at = 0;
  let inText = 0;
  let star = -1;
  let afterStar = 0;
  while (inText < text.length) {
    if (at < pattern.length && pattern[at] === '*') {
      star = at;
      afterStar = inText;
      at += 1;
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === text[inText])) {
      at += 1;
      inText += 1;
    } else if (star >= 0) {
      at = star + 1;
      afterStar += 1;
      inText = afterStar;
    } else {
      return false;
    }
  }
  return /^\**$/u.test(pattern.slice(at));
}
