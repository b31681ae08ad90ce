/** How a prompt behaves around its answer: time that stands still, a keyboard that is left alone, several at once, hostile text. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { NotificationStub } from './bus-services.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import type { SessionOptions } from './desktop-session.ts';
import { promptOf } from './samples.ts';

const run = promisify(execFile);
const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
const NONCE = promptOf().nonce;

async function withNotifications(t: TestContext, more: SessionOptions = {}): Promise<{ readonly session: DesktopSession; readonly notifications: NotificationStub }> {
  const stubs: NotificationStub[] = [];
  const session = await DesktopSession.start(t, {
    ...more,
    before: async (address) => {
      const stub = await NotificationStub.start(address);
      stubs.push(stub);
      t.after(() => { stub.stop(); });
    },
  });
  const [notifications] = stubs;
  assert.ok(notifications !== undefined);
  return { session, notifications };
}

test('prompt window: while the pointer is inside the helper is asked for time, again and again, and the countdown stands still', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  await session.pointAt(990, 950);
  session.say({ do: 'raise', prompt: promptOf({ timeout_ms: 6000, expires_in_ms: 6000 }) });
  await session.shown('push button', 'Deny');
  await session.pointAt(200, 300);
  for (let times = 0; times < 3; times += 1) assert.deepEqual((await session.call('holdPrompt')).args, [NONCE]);
  await session.shown('label', 'waits while you decide');
});

test('prompt window: a helper that gives no more time is asked once, and the countdown goes on', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  session.say({ do: 'refuse', call: 'holdPrompt', code: 'NotSupported', message: '' });
  session.say({ do: 'raise', prompt: promptOf({ timeout_ms: 6000, expires_in_ms: 6000 }) });
  await session.focus('curl wants to connect');
  await session.call('holdPrompt');
  await session.shown('label', 'refused in 3 s');
  assert.deepEqual(session.app.pending.filter((line) => line.includes('"holdPrompt"')), []);
});

test('prompt window: it comes without asking for the keyboard, and asks for it when the person has asked for it', options, async (t) => {
  const { session, notifications } = await withNotifications(t, { arguments: ['--background', '--window'] });
  await session.connect();
  await session.pointAt(990, 950);
  session.say({ do: 'raise', prompt: promptOf() });
  await session.shown('push button', 'Deny');
  const userTime = async (): Promise<string> => (await run('/usr/bin/xprop', ['-name', 'curl wants to connect', '_NET_WM_USER_TIME'], { env: session.environment })).stdout.trim();
  assert.equal(await userTime(), '_NET_WM_USER_TIME(CARDINAL) = 0');
  // Nobody gave it the keyboard: it may be behind.
  const note = await notifications.shown.next();
  assert.deepEqual([note.summary, new Set(note.actions.values())], ['curl wants to connect', new Set(['Show'])]);
  notifications.press(note.id, 'default');
  await notifications.closed.next();
  await session.shown('push button', 'Deny');
  assert.match(await userTime(), /= [1-9]\d*$/u);
});

test('several: the notification opens the list; a program is picked from it by keyboard, and the rest stays', options, async (t) => {
  const { session, notifications } = await withNotifications(t);
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf({ nonce: 'a' }) });
  await notifications.shown.next();
  session.say({ do: 'raise', prompt: promptOf({ nonce: 'b', path: '/usr/bin/git', destination: 'git.example' }) });
  const several = await notifications.shown.next();
  session.say({ do: 'raise', prompt: promptOf({ nonce: 'c', path: '/usr/bin/ssh', destination: 'ssh.example', port: 22 }) });
  assert.equal((await notifications.shown.next()).summary, '3 programs are waiting');
  notifications.press(several.id, 'default');
  await session.shown('label', '3 programs are waiting');
  await session.shown('push button', 'Deny All');
  await session.screenshot('prompt-list');
  await session.dark(true);
  await session.screenshot('prompt-list-dark');
  await session.focus('curl wants to connect');
  await session.shown('push button', 'Deny All');
  await session.keyUntil('Tab', 'holdPrompt');
  session.say({ do: 'end', nonce: 'a', why: 'withdrawn' });
  await session.shown('label', '2 programs are waiting');
  session.say({ do: 'end', nonce: 'b', why: 'withdrawn' });
  await session.shown('label', 'ssh wants to connect');
  await session.gone('push button', 'Deny All');
  assert.deepEqual(session.app.pending.filter((line) => line.includes('"answer"')), []);
});

test('what it is: the package’s own line and name stand below the title, and the path in the details', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf({
    package: 'curl', package_summary: 'command line tool for transferring data with URL syntax', integrity: 'valid', named_by: 'path', default_lifetime: 'always',
  }) });
  await session.shown('label', 'command line tool for transferring data with URL syntax\npackage curl');
  await session.shown('label', '203.0.113.7');
  await session.shown('push button', 'Deny');
  await session.screenshot('prompt-package');
  await session.resize('curl wants to connect', 360, 700);
  await session.dark(false);
  await session.screenshot('prompt-narrow');
});

test('prompt window: at 200 % text nothing that decides is cut off', options, async (t) => {
  const session = await DesktopSession.start(t, { textScale: 2 });
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf({ confidence: 'likely', lifetimes: ['once', 'process'] }) });
  await session.shown('push button', 'Deny');
  await session.screenshot('prompt-large-text');
});

/** Markup, a line end, a turned reading direction, an invisible character, look-alike letters; as long as the wire lets it be. */
const HOSTILE = `<b>&amp;\u{202e}\u{200b}\n\u{7}%s{program}раypal${'x'.repeat(4000)}`;
const SHOWN = '<b>&amp;\\u{202e}\\u{200b}\\u{a}\\u{7}%s{program}раypal';

test('hostile text in every field is shown harmlessly in the notification and the window', options, async (t) => {
  const { session, notifications } = await withNotifications(t);
  await session.connect();
  const wire = HOSTILE.slice(0, 160);
  session.say({ do: 'raise', prompt: promptOf({
    path: `/tmp/${HOSTILE}`, application: HOSTILE, command: HOSTILE, user: HOSTILE, uid: 4242, destination: HOSTILE, names: [HOSTILE], address: wire,
    package_summary: wire, sha256: HOSTILE, integrity: 'unknown', script: `/tmp/${HOSTILE}`, script_evidence: HOSTILE,
    ancestors: [{ pid: 1, path: `/x/${HOSTILE}`, command: HOSTILE, script: `/y/${HOSTILE}` }], by_name: HOSTILE, pattern: HOSTILE, scopes: ['host', 'domain'],
  }) });
  const note = await notifications.shown.next();
  for (const text of [note.summary, note.body]) {
    assert.doesNotMatch(text, /[\u{202e}\u{200b}\u{7}]/u);
    assert.ok(text.length < 3000, String(text.length));
  }
  assert.ok(note.summary.startsWith(SHOWN), 'a summary is plain text');
  assert.doesNotMatch(note.body, /<b>/u, 'the body is markup, so it is escaped');
  notifications.press(note.id, 'details');
  await session.shown('push button', 'Deny');
  await session.shown('push button', 'Details');
  await session.screenshot('prompt-hostile');
  await session.click('push button', 'Details');
  await session.shown('label', 'Started by');
  await session.screenshot('prompt-hostile-details');
  const lines = await session.texts();
  assert.ok(lines.some((line) => line.includes(SHOWN)));
  for (const line of lines) assert.doesNotMatch(line, /[\u{202e}\u{200b}\u{7}]/u);
});
