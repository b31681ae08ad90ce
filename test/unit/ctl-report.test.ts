/** `doctor --report`: what stays, and that nothing hostile or private comes through, in whatever form it arrives. */
import assert from 'node:assert/strict';
import { lstatSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Finding } from '../../helper/ctl/doctor/finding.ts';
import type { Probe } from '../../helper/ctl/doctor/probe.ts';
import { HIDDEN, privateWords, redacted } from '../../helper/ctl/doctor/redact.ts';
import { report } from '../../helper/ctl/doctor/report.ts';
import { contentFindings, surroundings } from '../../helper/ctl/doctor/session.ts';
import { STATUS, ScriptedClient, bastionctl } from './ctl-support.ts';
import { processorTime } from './processor-time.ts';

const SECRET = privateWords(['alice', 'Alice Müller-Lüdenscheidt', 'kitchen-pc']);

/** What must never be seen, in forms that messages have. */
const PRIVATE = [
  'alice', 'Alice', 'Lüdenscheidt', 'kitchen-pc', 'kitchen', '192.0.2.77', '2001:db8::77', '[2001:db8::77]:443', 'fe80::1%wlan0', '::ffff:192.0.2.77', 'internal.example', 'Bücher.example',
  '/home/alice/Tax 2025/run.sh', '/opt/secret/tool', './tool', '~/x', 'C:\\Users\\x', 'secret@mail', 'https://x.example/a?b=c', '52:54:00:12:34:56',
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'd9428888-122b-11e1-b85c-61cd3cbb3210', '\u202etxt', '\x1b]0;x\x07',
];

function assertClean(text: string): void {
  for (const one of PRIVATE) assert.ok(!text.includes(one), `${JSON.stringify(one)} in ${text}`);
  for (const part of ['192.0', 'db8', 'Tax', 'secret', 'example', 'wlan0', '\x1b', '\u202e', 'e3b0c4', 'lice']) assert.ok(!text.includes(part), `${part} in ${text}`);
}

test('redacted: words, numbers, versions and our own paths stay', () => {
  for (const line of [
    'Bastion Firewall is ready version=3.0.0 mode=enforcing state=protecting', 'Linux 6.12.5-amd64', 'It took 12.5 ms (75%).',
    '/sys/kernel/btf/vmlinux is there', '/etc/bastion/rules.d/50-user.toml', 'the kernel\'s own', 'is missing: packet queue (nfnetlink_queue)',
  ]) assert.equal(redacted(line, SECRET), line);
  assert.equal(redacted('the gate failed why="Operation not permitted, see /home/x"', SECRET), `the gate failed why: Operation not permitted, see ${HIDDEN}`);
});

test('redacted: nothing private stays, bare, in quotes, in fields, at the edges of words and cut in the middle', () => {
  for (const one of PRIVATE) {
    const forms = [
      one, `"${one}"`, `'${one}'`, `‘${one}’`, `(${one})`, `${one},`, `why="it was ${one} again"`, `why="\\"${one}\\""`, `application=${one}`, `file="${one}"`,
      `mode=${one}`, `x ${one} y`, `${one}: no such file`, `${'word '.repeat(198)}${one}`,
    ];
    for (const form of forms) assertClean(redacted(form, SECRET));
  }
});

test('redacted: takes a bounded time for hostile lines', () => {
  const { tookMs } = processorTime(() => {
    for (const part of ['"', '\\"', '\'', ' \'', 'a=', '"\\', '-a', '(', '.', '<hidden> ', 'why="', '/']) {
      for (let times = 0; times < 50; times += 1) redacted(part.repeat(100_000), SECRET);
    }
  });
  assert.ok(tookMs < 2000, `${tookMs.toFixed(0)} ms`);
});

const JOURNAL = PRIVATE.map((one) => `a connection was refused flow=f0 application=${one} why="for ${one}" uid=1000 address=192.0.2.77 ${one}`).join('\n');

function probeOf(change: Partial<Probe> = {}): Probe {
  const texts: Readonly<Record<string, string>> = {
    '/etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000:Alice Müller-Lüdenscheidt,,,:/home/alice:/bin/sh\n',
    '/etc/os-release': 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="/home/alice"\nID_LIKE=alice.example\n',
  };
  return {
    kernelRelease: '6.1.0-alice', uid: 1000,
    readText: (path) => Promise.resolve(texts[path] === undefined ? 'absent' : { text: texts[path] }),
    facts: () => Promise.resolve('absent'), names: () => Promise.resolve([]), program: () => Promise.resolve(null), listens: () => Promise.resolve(false),
    run: () => Promise.resolve({ status: 0, stdout: `${'left out\n'.repeat(500)}${JOURNAL}\n` }),
    ownFiles: () => Promise.resolve({ record: null, checked: 0, changed: [], missing: [] }),
    ...change,
  };
}

test('report: counts, states and the journal, and nothing of PRIVATE in it', async () => {
  const client = new ScriptedClient();
  const all = PRIVATE.join(' ');
  client.rules = PRIVATE.map((one) => ({ id: one, name: one, action: 'allow', enabled: true, path: one, address: one, port: '', protocol: '', user: one, lifetime: 'always', schedule: '', priority: 0, group: one, tier: 'user', editable: true, file: one, line: 1, created_ms: 0, hits: 0, last_hit_ms: 0 }));
  client.lists = [{ id: 'alice', name: all, source: all, format: 'hosts', entries: 0, domains: 0, prefixes: 0, exceptions: 0, ignored: 0, updated_ms: 0, next_ms: 0, error: all, updating: false, used_by: [] }];
  client.state = {
    ...STATUS, state: 'degraded', profile: 'alice', degradedReasons: PRIVATE.map((one) => ({ code: 'list', text: `List ${one} failed: "${one}"`, remedy: one })),
    loadErrors: PRIVATE.map((one) => ({ file: one, line: 3, column: 1, message: `unknown key '${one}' in ${one}` })),
  };
  const findings: Finding[] = [...PRIVATE.map((one): Finding => ({ name: one, result: 'failed', detail: `${one} is ${one}`, remedy: one })), ...await contentFindings(client, 7)];
  const made = await report({ probe: probeOf(), findings, client, hostName: 'kitchen-pc.internal.example', userName: 'alice', runtime: process.version });
  assertClean(JSON.stringify(made));
  assert.equal(made['distribution'], 'debian 12');
  assert.equal(made['kernel'], HIDDEN);
  assert.deepEqual(made['counts'], { 'rules by tier and action': { 'user allow': PRIVATE.length }, lists: { failed: 1 }, applications: {}, profiles: { defined: 0 } });
  const journal = made['journal'];
  assert.ok(Array.isArray(journal) && journal.length === 200);
  assert.match(String(journal.at(-1)), /^a connection was refused flow=<hidden>/);
  assert.match(JSON.stringify(made), /7 flows could not be stored/);
});

test('report: without a helper and without rights to the journal it still says what this machine is', async () => {
  const probe = probeOf({ kernelRelease: '6.12.5-amd64', run: () => Promise.resolve({ status: 1, stdout: '' }) });
  const made = await report({ probe, findings: [], client: null, hostName: 'h', userName: '', runtime: 'v24' });
  assert.deepEqual([made['helper'], made['kernel'], made['journal']], [null, '6.12.5-amd64', ['cannot be read by this user, or there is none']]);
});

test('doctor --report FILE: for its owner alone, and nothing is written over, nor through a link', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bastionctl-'));
  try {
    const file = join(folder, 'report.json');
    assert.equal((await bastionctl(['doctor', '--report', file])).exitCode, 0);
    assert.equal(lstatSync(file).mode & 0o777, 0o600);
    assert.ok('bastionctl' in (JSON.parse(readFileSync(file, 'utf8')) as object));
    writeFileSync(file, 'mine');
    symlinkSync(join(folder, 'nowhere'), join(folder, 'link'));
    for (const taken of [file, join(folder, 'link')]) assert.equal((await bastionctl(['doctor', '--report', taken])).exitCode, 1);
    assert.equal(readFileSync(file, 'utf8'), 'mine');
    assert.equal((await bastionctl(['doctor', file])).exitCode, 2);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('doctor: polkit and the tray are looked for on their buses; where that cannot be, nothing is claimed', async () => {
  const names = (...list: readonly string[]): Partial<Probe> => ({ run: () => Promise.resolve({ status: 0, stdout: list.map((name) => `${name}  - - -\n`).join('') }) });
  const results = async (change: Partial<Probe>, session?: string): Promise<readonly string[]> =>
    (await surroundings(probeOf(change), 'unix:path=/x', session)).map(({ name, result }) => `${name} ${result}`);
  assert.deepEqual(await results(names('org.freedesktop.PolicyKit1', 'org.kde.StatusNotifierWatcher'), 'unix:path=/y'), ['polkit ok', 'tray ok']);
  assert.deepEqual(await results(names('org.other'), 'unix:path=/y'), ['polkit failed', 'tray unknown']);
  assert.deepEqual(await results({ run: () => Promise.resolve({ status: null, stdout: '' }) }, 'unix:path=/y'), ['polkit unknown']);
  assert.deepEqual(await results({ ...names(), uid: 0 }, 'unix:path=/y'), ['polkit failed']);
});
