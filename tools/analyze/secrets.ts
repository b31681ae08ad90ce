/** What must not stand in the repository: keys and passwords, and characters that hide what the rest of a line says. */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../lint.ts';

const ROOT = join(import.meta.dirname, '../..');

const NAMED: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----/gu, 'a private key'],
  [/\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/gu, 'a key of a cloud'],
  [/\b(?:gh[pousr]_|github_pat_|glpat-|npm_|xox[abprs]-|AIza|sk_live_)[\w-]{16,}/gu, 'a token of a service'],
  [/\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\./gu, 'a signed token'],
  [/\/\/[^\s/:@'"`$]+:[^\s/:@'"`$]+@(?!example\.)[a-z]/gu, 'a password in an address'],
  [/[\u{202a}-\u{202e}\u{2066}-\u{2069}\u{200b}\u{200e}\u{200f}]/gu, 'a character that cannot be seen: write it as an escape'],
];

/** What may be a key by its looks: 32 hexadecimal digits, or 24 characters of base64. */
const WORD = /(?<![\w+/=-])[\w+/-]{24,}={0,2}/gu;
const HEXADECIMAL = /^[0-9a-f]{32,}$/iu;
const DISORDER = { hexadecimal: 3, base64: 4.5, withSlashes: 5 };

/** Of package-lock.json: checksums that npm verifies. */
const CHECKSUM = /"integrity": "sha512-[^"]+"/gu;
/** Examples and tests need values that look like checksums: those of these words, and digits in their order. */
const WORDS = ['', 'test', 'foo', 'bar'];
const KNOWN = new Set([
  ...['md5', 'sha1', 'sha256'].flatMap((name) => WORDS.map((word) => createHash(name).update(word).digest('hex'))),
  '0123456789abcdef0123456789abcdef', '00112233445566778899aabbccddeeff',
]);

/** Bits for each character, by how often each occurs. */
function disorderOf(word: string): number {
  const counts = new Map<string, number>();
  for (const character of word) counts.set(character, (counts.get(character) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => sum - count / word.length * Math.log2(count / word.length), 0);
}

function looksLikeKey(word: string): boolean {
  const disorder = disorderOf(word);
  if (HEXADECIMAL.test(word)) return disorder > DISORDER.hexadecimal && !KNOWN.has(word.toLowerCase());
  // A path has more than three slashes, but no disorder of its characters.
  const few = word.split('/').length < 4;
  return /[0-9]/u.test(word) && /[a-z]/u.test(word) && /[A-Z]/u.test(word) && disorder > (few ? DISORDER.base64 : DISORDER.withSlashes);
}

/** Findings of one file as `file:line: text`; a suspicion tells no more than the beginning of the word. */
export function secretsIn(file: string, text: string): readonly string[] {
  return text.split('\n').flatMap((whole, at) => {
    const line = whole.replaceAll(CHECKSUM, '');
    const named = NAMED.filter(([pattern]) => line.search(pattern) >= 0).map(([, what]) => what);
    const keys = (line.match(WORD) ?? []).filter(looksLikeKey).map((word) => `looks like a key: ${word.slice(0, 6)}...`);
    return [...named, ...keys].map((what) => `${file}:${String(at + 1)}: ${what}`);
  });
}

/** In every text that git has or would take. */
export async function secrets(): Promise<readonly string[]> {
  const { status, output } = await run('git', ['-c', 'core.quotePath=off', 'ls-files', '--cached', '--others', '--exclude-standard', '--deduplicate']);
  if (status !== 0) return [`.:1: git says no list of files: ${output}`];
  return output.split('\n').flatMap((file) => {
    const bytes = readFileSync(join(ROOT, file));
    return bytes.includes(0) || !isUtf8(bytes) ? [] : secretsIn(file, bytes.toString('utf8'));
  });
}
