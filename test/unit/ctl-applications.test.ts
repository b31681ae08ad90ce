/** bastionctl applications: the state of files in words, and Rehash with its question. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApplicationInfo, RehashInfo } from '../../helper/contract/types.ts';
import { NOW_MS, ScriptedClient, TOTALS, bastionctl, fakeIo } from './ctl-support.ts';

const [A, B] = ['a'.repeat(64), 'b'.repeat(64)];

const CURL: ApplicationInfo = {
  id: '0123456789abcdef0123', name: 'curl', kind: 'program', path: '/usr/bin/curl', interpreter: '', package: 'curl', flatpak: '', snap: '',
  sha256: A, known_sha256: A, state: 'valid', reason: 'package', trusted: false, rules: 1, first_seen_ms: NOW_MS - 5000, last_seen_ms: NOW_MS,
  allowed: 7, refused: 2, sent_bytes: 1500, received_bytes: 2_500_000,
};
const TOOL: ApplicationInfo = {
  ...CURL, id: '0123456789abcdef0124', name: 'tool', path: '/opt/tool', package: '', sha256: B, state: 'changed', reason: 'other-hash',
};
const ROW: RehashInfo = { id: TOOL.id, name: 'tool', path: '/opt/tool', old_sha256: A, new_sha256: B, state: 'valid', result: 'accepted' };

function client(...applications: readonly ApplicationInfo[]): ScriptedClient {
  const made = new ScriptedClient();
  made.applications = applications;
  made.rehashed = [ROW];
  return made;
}

/** Presses a key as soon as one is asked for. */
function pressing(key: string): ReturnType<typeof fakeIo> {
  const io = fakeIo({ terminal: true });
  const keyboard = io.keyboard.bind(io);
  io.keyboard = (onKey) => {
    const opened = keyboard(onKey);
    setImmediate(() => { io.press(key); });
    return opened;
  };
  return io;
}

test('applications: each program with its traffic and the state of its file, then those without traffic', async () => {
  const { stdout } = await bastionctl(['applications'], client(CURL, TOOL, { ...TOOL, name: 'gone', state: 'missing', path: '/opt/gone' }));
  assert.match(stdout, /^APPLICATION +FILE +USER +SENT +/);
  assert.match(stdout, /\ncurl +as installed +alice +1\.5 kB +2\.5 MB /);
  assert.match(stdout, /\ntool +changed +-- +0 byte.* +\/opt\/tool\n/);
  assert.match(stdout, /\ngone +missing /);
});

test('applications --json: the keys of the traffic stay, what is known of the file is added', async () => {
  const { stdout } = await bastionctl(['applications', '--json'], client(CURL));
  const [row] = JSON.parse(stdout) as readonly Record<string, unknown>[];
  assert.deepEqual(row, {
    ...TOTALS, id: CURL.id, kind: 'program', state: 'valid', reason: 'package', trusted: false, rules: 1, package: 'curl', sha256: A,
    known_sha256: A, first_seen_ms: CURL.first_seen_ms, last_seen_ms: NOW_MS, allowed: 7, refused: 2,
  });
});

test('applications: options of list count without its name and with it, and colours are for terminals', async () => {
  for (const words of [['applications', '--limit', '1'], ['applications', 'list', '--limit', '1'], ['applications', 'list', '-n', '1']]) {
    assert.equal((await bastionctl(words, client(CURL, TOOL))).stdout.split('\n').length, 3, words.join(' '));
  }
  assert.match((await bastionctl(['applications', '--state', 'red'], client())).stderr, /'red' is not one of valid, changed, missing, unknown/);
  assert.match((await bastionctl(['applications', 'rehash', '--limit', '1', 'curl'], client(CURL))).stderr, /unknown option '--limit'/);
  assert.ok((await bastionctl(['applications'], client(TOOL), fakeIo({ terminal: true }))).stdout.includes('\x1b[31mchanged'));
  assert.ok(!(await bastionctl(['applications'], client(TOOL))).stdout.includes('\x1b'));
});

test('applications show: by id, path or name; both hashes where they differ; escaped', async () => {
  for (const word of [TOOL.id, TOOL.path, 'tool']) {
    const { stdout } = await bastionctl(['applications', 'show', word], client(CURL, TOOL));
    assert.match(stdout, new RegExp(`SHA-256: +${B}\nKnown SHA-256: +${A}\n`));
    assert.match(stdout, /wait until its file is accepted/);
  }
  const evil = { ...CURL, name: 'x\x1b[2J', path: '/opt/x\u{202e}' };
  assert.match((await bastionctl(['applications', 'show', evil.id], client(evil))).stdout, /x\\x1b\[2J\n.*\/opt\/x\\u\{202e\}/s);
  assert.equal((await bastionctl(['applications', 'show', 'nothing'], client(CURL))).exitCode, 1);
  const twins = client({ ...CURL, id: 'a1', path: '/a/curl' }, { ...CURL, id: 'a2', path: '/b/curl' });
  assert.match((await bastionctl(['applications', 'show', 'curl'], twins)).stderr, /Several applications are called 'curl'/);
});

test('rehash: in a script nobody is asked, old and new hash are printed, and what was shown is what is accepted', async () => {
  const { stdout, exitCode, client: used } = await bastionctl(['applications', 'rehash', '/opt/tool', 'curl'], client(CURL, TOOL));
  assert.equal(exitCode, 0);
  assert.match(stdout, /\ntool +accepted +a{16} +b{16} +\/opt\/tool\n/);
  assert.deepEqual(used.calls.at(-1), ['rehash', [`${TOOL.id}=${B}`, CURL.id]]);
});

test('rehash: at a terminal the change is shown and y is needed', async () => {
  const no = await bastionctl(['applications', 'rehash', 'tool'], client(TOOL), pressing('n'));
  assert.equal(no.exitCode, 1);
  assert.match(no.stdout, /\n?tool +a{16} +b{16}/);
  assert.match(no.stderr, /Nothing was accepted/);
  assert.ok(!no.client.calls.some(([name]) => name === 'rehash'));
  const yes = await bastionctl(['applications', 'rehash', 'tool'], client(TOOL), pressing('y'));
  assert.equal(yes.exitCode, 0);
  assert.ok(yes.client.calls.some(([name]) => name === 'rehash'));
  assert.equal((await bastionctl(['applications', 'rehash', '--yes', 'tool'], client(TOOL), fakeIo({ terminal: true }))).exitCode, 0);
});

test('rehash --all: progress at a terminal, one sentence at the end, JSON for scripts', async () => {
  const { stdout, stderr } = await bastionctl(['applications', 'rehash', '--all'], client(CURL, TOOL), pressing('y'));
  assert.match(stderr, /50 % of 100 byte/);
  assert.match(stdout, /3 files: 2 as before, 1 accepted, 0 missing, 0 not readable\./);
  const json = await bastionctl(['applications', 'rehash', '--all', '--json'], client());
  assert.deepEqual((JSON.parse(json.stdout) as { readonly accepted: number }).accepted, 1);
  assert.equal(json.stderr, '');
});

test('rehash: a file that is missing or changed again ends with 1; a line without applications is wrong usage', async () => {
  for (const result of ['missing', 'failed', 'other-hash'] as const) {
    const made = client(TOOL);
    made.rehashed = [{ ...ROW, result }];
    assert.equal((await bastionctl(['applications', 'rehash', 'tool'], made)).exitCode, 1, result);
  }
  assert.equal((await bastionctl(['applications', 'rehash'], client())).exitCode, 2);
  assert.equal((await bastionctl(['applications', 'rehash', '--all', 'tool'], client())).exitCode, 2);
});
