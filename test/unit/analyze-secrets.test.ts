/** `npm run analyze` finds keys and hidden characters, and takes no checksum for a key. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { secretsIn } from '../../tools/analyze/secrets.ts';

/** Put together here, because this file is looked at too. */
const FOUND: readonly (readonly [string, string])[] = [
  ['a private key', ['-----BEGIN OPENSSH PRIVATE', 'KEY-----'].join(' ')],
  ['a token of a service', `token = "${['ghp', 'abcDEF123'.repeat(4)].join('_')}"`],
  ['a password in an address', ['https://me:', 's3cret', '@host.test/'].join('')],
  ['a character that cannot be seen', `let admin = false; // ${String.fromCodePoint(0x202e)}`],
  ['looks like a key', `"${createHash('sha512').update('a key').digest('base64')}"`],
  ['looks like a key', createHash('sha256').update('a key').digest('hex')],
];

test('secrets: what looks like one is told with its line, and no more of it than its beginning', () => {
  for (const [what, line] of FOUND) {
    const [finding = '', ...more] = secretsIn('a/file', `first\n${line}\n`);
    assert.ok(finding.startsWith(`a/file:2: ${what}`), `${line}: ${finding}`);
    assert.deepEqual(more, []);
    assert.ok(!finding.includes(line.slice(0, 12)), finding);
  }
});

test('secrets: a checksum of the lock file, of a word that examples have, and plain text are none', () => {
  const checksum = createHash('sha512').update('a package').digest('base64');
  for (const line of [`"integrity": "sha512-${checksum}"`, createHash('sha256').update('test').digest('hex'), '/usr/lib/x86_64-linux-gnu/Libfoo1/bar', 'aVeryLongNameOfAFunctionThatIsNoKey()']) {
    assert.deepEqual(secretsIn('a/file', line), [], line);
  }
});
