/** What a list that is read again has to change, so that the rest keeps focus and place. */

/** The smallest change that turns one list into the other: `removals` after `position`, then `additions`. */
export function listChange(before: readonly string[], after: readonly string[]): {
  readonly position: number;
  readonly removals: number;
  readonly additions: readonly string[];
} {
  let [position, tail] = [0, 0];
  const shorter = Math.min(before.length, after.length);
  while (position < shorter && before[position] === after[position]) position += 1;
  while (tail < shorter - position && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1;
  return { position, removals: before.length - position - tail, additions: after.slice(position, after.length - tail) };
}
