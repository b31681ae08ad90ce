import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from '../property.ts';
import { createLogger } from '../../helper/adapters/logger.ts';
import { LogLevelSwitch } from '../../helper/log-level.ts';
import { loadBinding } from '../../native/binding.ts';
import type { LoggerOptions } from '../../helper/adapters/logger.ts';
import type { Logger, LogLevel } from '../../helper/ports.ts';

function capture(options: LoggerOptions = {}): { readonly logger: Logger; readonly lines: string[]; readonly clock: { nowMs: number } } {
  const lines: string[] = [];
  const clock = { nowMs: 0 };
  const logger = createLogger({ journal: false, write: (line) => void lines.push(line), nowMs: () => clock.nowMs, ...options });
  return { logger, lines, clock };
}

function recorded(): { readonly logger: Logger; readonly levels: LogLevel[]; readonly lines: string[] } {
  const levels: LogLevel[] = [];
  const lines: string[] = [];
  return { logger: { log: (level, message) => void lines.push(`${level} ${message}`), setLevel: (level) => void levels.push(level) }, levels, lines };
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

test('logger: a line fits into the journal whatever its fields are, and one long field takes no room from the others', () => {
  const entries: string[] = [];
  const lines: string[] = [];
  const logger = createLogger({ journal: true, write: (line) => void lines.push(line) });
  logger.useJournal((entry) => {
    entries.push(entry);
    return entries.length % 2 === 0;
  });
  const nasty = ['\u{e0001}', '"', '\u{7f}', '\\', 'ä', '\ud800', '<3>', '漢'].map((part) => part.repeat(4000));
  for (const one of nasty) {
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`field${String(index)}`, one]));
    logger.log('error', 'A message.', { application: one, address: '192.0.2.1', ...many });
    logger.log('error', one, many);
  }
  assert.equal(entries.length, 2 * nasty.length);
  for (const entry of entries) {
    assert.ok(Buffer.byteLength(entry) < 65_536, String(Buffer.byteLength(entry)));
    assert.match(entry, /^(?:[A-Z_0-9]+=[^\p{C}\p{Zl}\p{Zp}]*\n)+$/u);
  }
  // journald parts longer ones, and what follows would be a line of its own.
  for (const line of lines) assert.ok(Buffer.byteLength(line) < 49_152, String(Buffer.byteLength(line)));
  for (const entry of entries.filter((one) => one.startsWith('MESSAGE=A message.'))) assert.match(entry, /^BASTION_ADDRESS=192\.0\.2\.1$/mu);
});

test('log level: the environment counts from the start until the file says something new, and bastionctl at any time', () => {
  const { logger, levels, lines } = recorded();
  const level = new LogLevelSwitch(logger, { BASTION_LOG: 'debug' });
  level.fromFile('info');
  level.fromFile('info');
  assert.deepEqual(levels, ['debug']);
  level.fromFile('warning');
  level.set('error');
  level.fromFile('warning');
  level.fromFile(null);
  assert.deepEqual(levels, ['debug', 'warning', 'error']);
  assert.throws(() => { level.set('loud'); }, /The levels are error, warning, info, debug/);
  assert.deepEqual(lines, []);
});

test('log level: without the variable the file counts, and what is no level is named, escaped, and ignored', () => {
  const plain = recorded();
  new LogLevelSwitch(plain.logger, {}).fromFile('debug');
  new LogLevelSwitch(plain.logger, { BASTION_LOG: '' }).fromFile('error');
  assert.deepEqual(plain.levels, ['debug', 'error']);
  const { logger, lines } = capture();
  for (const value of ['DEBUG', 'debug\n<0>forged', `\u001b[2J${'x'.repeat(5000)}`]) new LogLevelSwitch(logger, { BASTION_LOG: value });
  assert.equal(lines.length, 3);
  for (const line of lines) assert.match(line, /^BASTION_LOG names no level and is ignored value=[^\p{C}]{1,2100} levels="error, warning, info, debug"\n$/u);
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

test('logger: the journal gets the fields one by one, and no value can pose as another field', () => {
  const entries: string[] = [];
  const lines: string[] = [];
  let takes = true;
  const logger = createLogger({ journal: true, write: (line) => void lines.push(line) });
  logger.useJournal((entry) => {
    entries.push(entry);
    return takes;
  });
  logger.log('info', 'a connection was refused', { flow: 'f7', rule: 'x\nPRIORITY=0\nBASTION_FLOW=f8' });
  assert.deepEqual(entries[0]?.split('\n'), [
    'MESSAGE=a connection was refused flow=f7 rule="x\\u{a}PRIORITY=0\\u{a}BASTION_FLOW=f8"', 'PRIORITY=6',
    'SYSLOG_IDENTIFIER=bastion-firewall', 'BASTION_FLOW=f7', 'BASTION_RULE=x\\u{a}PRIORITY=0\\u{a}BASTION_FLOW=f8', '',
  ]);
  assert.equal(lines.length, 0);
  takes = false;
  logger.log('error', 'x');
  assert.deepEqual(lines, ['<3>x\n']);
  const terminal = createLogger({ journal: false, write: (line) => void lines.push(line) });
  terminal.useJournal(() => true);
  terminal.log('info', 'y');
  assert.equal(lines.at(-1), 'y\n');
});

test('logger: an entry reaches the socket of the journal as one datagram', { skip: spawnSync('python3', ['-c', 'pass']).status !== 0 && 'needs python3' }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-journal-'));
  const socket = join(folder, 'socket');
  const program = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
sys.stdout.buffer.write(b".")
sys.stdout.buffer.flush()
sys.stdout.buffer.write(s.recv(65536))`;
  const reader = spawn('python3', ['-c', program, socket], { stdio: ['ignore', 'pipe', 'inherit'], timeout: 20_000 });
  try {
    let text = '';
    await once(reader.stdout, 'data');
    reader.stdout.on('data', (chunk: Buffer) => { text += chunk.toString(); });
    const native = loadBinding(fileURLToPath(new URL('../../build/native/bastion.node', import.meta.url)));
    assert.equal(native.journal(join(folder, 'nobody'), 'MESSAGE=x\n'), false);
    assert.equal(native.journal(socket, 'MESSAGE=a “b”\nBASTION_FLOW=f7\n'), true);
    await once(reader, 'close');
    assert.equal(text, 'MESSAGE=a “b”\nBASTION_FLOW=f7\n');
  } finally {
    reader.kill();
    rmSync(folder, { recursive: true });
  }
});
