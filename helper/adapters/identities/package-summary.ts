/** What a package says of itself in one line, out of dpkg's status file. Runs in the worker only. */
import { PACKAGE_SUMMARY_CHARACTERS } from '../../contract/types.ts';

const NEWLINE = 10;
/** Package names are plain; what else is asked for is none. Source: Debian Policy 5.6.7. */
const PACKAGE_NAME = /^[a-z0-9][a-z0-9+.-]{0,127}$/u;
/** Controls, invisible characters, line ends of any kind. */
const HIDDEN = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * The synopsis of the package `name`; null where there is none. `status`: the bytes of dpkg's status file, which holds one
 * paragraph for each package. Source: deb-control(5), Description: the first line is the synopsis.
 */
export function summaryIn(status: Buffer, name: string): string | null {
  if (!PACKAGE_NAME.test(name)) return null;
  const head = `Package: ${name}\n`;
  const found = status.indexOf(head, 0, 'latin1') === 0 ? 0 : status.indexOf(`\n${head}`, 0, 'latin1');
  if (found < 0) return null;
  const end = status.indexOf('\n\n', found, 'latin1');
  const paragraph = status.subarray(found, end < 0 ? status.length : end);
  const key = '\nDescription: ';
  const at = paragraph.indexOf(key, 0, 'latin1');
  if (at < 0) return null;
  const start = at + key.length;
  const stop = paragraph.indexOf(NEWLINE, start);
  const line = paragraph.toString('utf8', start, stop < 0 ? paragraph.length : stop);
  const plain = line.replaceAll(HIDDEN, ' ').trim();
  const cut = plain.length > PACKAGE_SUMMARY_CHARACTERS ? `${plain.slice(0, PACKAGE_SUMMARY_CHARACTERS - 1).trimEnd()}…` : plain;
  // Half a character is none.
  return cut === '' ? null : cut.toWellFormed().replaceAll('\u{fffd}', '');
}
