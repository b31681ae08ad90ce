/** Paths as a program was given them, made absolute without asking the file system, which may have changed since. */

/**
 * The absolute path that `given` named when it was given: itself, or below `directory`. Null where that cannot be told from the
 * text alone: no directory is known, `..` behind a part that may have been a link, or a name that means another file for each
 * process (/proc, /dev/fd). Links in it are not resolved: whether they lead today where they led then, the caller must judge.
 *
 * @param directory Absolute and without links, as the kernel walked it; null if unknown.
 */
export function recordedPath(given: string, directory: string | null): string | null {
  if (given === '' || given.includes('\0')) return null;
  const parts = given.split('/').filter((part) => part !== '' && part !== '.');
  if (given.startsWith('/')) return parts.includes('..') ? null : stable(`/${parts.join('/')}`);
  if (directory === null) return null;
  const base = directory.split('/').filter((part) => part !== '');
  // The directory has no links, so a step up from it is certain; one behind a name of the text is not.
  while (parts[0] === '..') {
    parts.shift();
    base.pop();
  }
  return parts.includes('..') ? null : stable(`/${[...base, ...parts].join('/')}`);
}

function stable(path: string): string | null {
  return /^\/(?:proc|dev\/fd)(?:\/|$)/u.test(path) ? null : path;
}
