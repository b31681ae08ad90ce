import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLogger } from '../../helper/adapters/logger.ts';
import type { LoggerOptions } from '../../helper/adapters/logger.ts';
import type { Logger, LogLevel } from '../../helper/ports.ts';

function capture(options: LoggerOptions = {}): { readonly logger: Logger; readonly lines: string[]; readonly clock: { nowMs: number } } {
  const lines: string[] = [];
  const clock = { nowMs: 0 };
  const logger = createLogger({ journal: false, write: (line) => void lines.push(line), nowMs: () => clock.nowMs, ...options });
  return { logger, lines, clock };
}

test('logger: writes one line with its fields, and the level as the journal wants it', () => {
  const plain = capture();
  plain.logger.log('info', 'A rule was added.', { id: 'curl', port: 443, big: 1n, ok: true, text: 'a "b"=c', empty: '' });
  assert.deepEqual(plain.lines, ['A rule was added. id=curl port=443 big=1 ok=true text="a \\"b\\"=c" empty=""\n']);
  const journal = capture({ journal: true, level: 'debug' });
  for (const level of ['error', 'warning', 'info', 'debug'] as const) journal.logger.log(level, 'x');
  assert.deepEqual(journal.lines, ['<3>x\n', '<4>x\n', '<6>x\n', '<7>x\n']);
});

test('logger: writes what the level lets through, and follows when it changes', () => {
  const { logger, lines } = capture();
  const all: readonly LogLevel[] = ['error', 'warning', 'info', 'debug'];
  for (const level of all) logger.log(level, level);
  assert.deepEqual(lines, ['error\n', 'warning\n', 'info\n']);
  logger.setLevel('error');
  for (const level of all) logger.log(level, level);
  assert.equal(lines.length, 4);
});

test('logger: nothing from outside reaches the terminal raw or poses as another line or field', () => {
  const { logger, lines } = capture();
  const nasty = 'a\n<0>forged\r\u001b[2J\u009b31m\u202e\u2066\u2028\u2029\u0085\u00ad\u{e0001}\ud800\\u{41} x=1';
  logger.log('info', 'A message.', { 'strange key\n': nasty });
  assert.deepEqual(lines, [
    'A message. strange_key_="a\\u{a}<0>forged\\u{d}\\u{1b}[2J\\u{9b}31m\\u{202e}\\u{2066}\\u{2028}\\u{2029}\\u{85}\\u{ad}\\u{e0001}\\u{d800}\\\\u{41} x=1"\n',
  ]);
});

test('logger: any text stays on one line, printable and bounded', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 3000 }), fc.string({ unit: 'binary' }), (message, value) => {
    const { logger, lines } = capture();
    logger.log('error', message, { value });
    const line = lines.join('');
    assert.match(line, /^[^\p{C}\p{Zl}\p{Zp}]*\n$/u);
    assert.ok(line.length <= 10 * (2048 + 1024) + 64);
  }));
});

test('logger: a flood of one message is counted and leaves room for others', () => {
  const { logger, lines, clock } = capture();
  for (let index = 0; index < 10_000; index += 1) logger.log('warning', 'Again.', { index });
  assert.equal(lines.length, 50);
  logger.log('error', 'Something else.');
  assert.equal(lines.at(-1), 'Something else.\n');
  clock.nowMs = 10_001;
  logger.log('warning', 'Again.');
  assert.deepEqual(lines.slice(-2), ['9950 more lines were left out: Again.\n', 'Again.\n']);
});

test('logger: a flood of messages that differ is bounded in lines and in what is remembered', () => {
  const { logger, lines, clock } = capture();
  for (let index = 0; index < 5000; index += 1) logger.log('info', `Message ${String(index)}.`);
  assert.equal(lines.length, 256 + 50);
  clock.nowMs = 10_001;
  logger.log('info', 'After.');
  assert.deepEqual(lines.slice(-2), [`${String(5000 - 306)} more lines were left out: other messages\n`, 'After.\n']);
});
