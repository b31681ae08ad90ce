/** The line that a package says of itself: found in dpkg's status file, bounded, without anything invisible. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { summaryIn } from '../../helper/adapters/identities/package-summary.ts';

const STATUS = Buffer.from([
  'Package: curl\nStatus: install ok installed\nVersion: 1\nDescription: command line tool for transferring data with URL syntax\n It is\n long.\n',
  'Package: curl-doc\nDescription: its manual\n', 'Package: empty\nStatus: install ok installed\n',
  'Package: evil\nConffiles:\n /etc/x\nDescription: \u{202e}gnp\u{200b}.exe\t<b>&amp;\u{7}\n', `Package: long\nDescription: ${'ü'.repeat(4096)}\n`,
  `Package: half\nDescription: ${'x'.repeat(158)}\u{1f4a9}\u{1f4a9}\n`, 'Package: last\nDescription: the last one',
].join('\n'));

test('summary: the first line of the very package’s own description', () => {
  assert.equal(summaryIn(STATUS, 'curl'), 'command line tool for transferring data with URL syntax');
  assert.equal(summaryIn(STATUS, 'curl-doc'), 'its manual');
  assert.equal(summaryIn(STATUS, 'last'), 'the last one');
});

test('summary: a package without one, an unknown one and what is no name at all have none', () => {
  for (const name of ['empty', 'cur', 'curl\nStatus', '', '../x', 'CURL', 'x'.repeat(200)]) assert.equal(summaryIn(STATUS, name), null, name);
  assert.equal(summaryIn(Buffer.alloc(0), 'curl'), null);
});

test('summary: nothing invisible, no line ends, at most 160 characters, and no half ones', () => {
  assert.equal(summaryIn(STATUS, 'evil'), 'gnp .exe <b>&amp;');
  assert.equal(summaryIn(STATUS, 'long'), `${'ü'.repeat(159)}…`);
  assert.equal(summaryIn(STATUS, 'half'), `${'x'.repeat(158)}…`);
});
