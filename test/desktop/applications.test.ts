/** The applications: search and filters, rehash with both hashes, a refused password, the page of one application. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  applicationOf, changedApplication, KNOWN_SHA256, manyApplications, OTHER_SHA256, sampleApplications, sampleFlowsOf, sampleSeries,
} from './application-samples.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import type { SessionOptions } from './desktop-session.ts';
import { ruleInfoOf } from './samples.ts';
import type { TestContext } from 'node:test';
import type { ApplicationInfo } from '../../helper/contract/types.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
/** Where the first row is in a window of the default size. */
const FIRST_ROW = [450, 145] as const;
const BACKUP = '/usr/local/bin/backup';
const BACKUP_ROW = { id: 'c1', name: 'backup', path: BACKUP, old_sha256: KNOWN_SHA256, new_sha256: OTHER_SHA256 };

/** Ctrl and the page's number. */
async function openPage(session: DesktopSession): Promise<void> {
  await session.connect();
  await session.pointAt(400, 500);
  await session.focus('Bastion Firewall');
  await session.key('ctrl+4');
}

/** The page with these applications. */
async function start(t: TestContext, applications: readonly ApplicationInfo[], more: SessionOptions = {}): Promise<DesktopSession> {
  const session = await DesktopSession.start(t, { arguments: [], ...more });
  session.say({ do: 'answer', call: 'listApplications', value: applications });
  await openPage(session);
  return session;
}

/** The page of the first application. */
async function openFirst(session: DesktopSession, name: string): Promise<void> {
  await session.shown('label', name);
  await session.press(...FIRST_ROW);
  await session.shown('label', 'Where It Connects');
}

/** The next sums that are asked for of one application: the overview asks for everything. */
async function totalsOf(session: DesktopSession): Promise<readonly unknown[]> {
  const { args } = await session.call('historyTotals');
  return args.length > 2 ? args : totalsOf(session);
}

/** The longest stretch of work of the window since the last question, in ms of processor time. */
async function stall(session: DesktopSession): Promise<number> {
  session.say({ do: 'stall' });
  return Number((await session.call('stall')).args[0]);
}

test('applications page: states in words, filters, a search, and what is said when nothing fits', options, async (t) => {
  const session = await start(t, sampleApplications(Date.now()));
  await session.shown('label', '8 applications, 1 changed');
  for (const word of ['as installed', 'changed', 'missing', 'not from a package', 'not checked yet']) await session.shown('label', word);
  await session.screenshot('applications');
  await session.dark(true);
  await session.screenshot('applications-dark');
  await session.dark(false);
  await session.click('push button', 'Changed');
  await session.shown('label', '1 of 8 applications, 1 changed');
  await session.gone('label', 'as installed');
  await session.key('ctrl+f');
  await session.type('entry', 'Search applications', 'firefox');
  await session.shown('label', 'Nothing Found');
  await session.click('push button', 'Show All');
  await session.shown('label', '8 applications, 1 changed');
});

test('applications page: not allowed, empty, read again when something changed, and without the helper', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'refuse', call: 'listApplications', code: 'NotAuthorized', message: '' });
  await openPage(session);
  await session.shown('label', 'Not Allowed');
  session.say({ do: 'accept', call: 'listApplications' });
  await session.click('push button', 'Unlock…');
  await session.shown('label', 'No Applications Yet');
  session.say({ do: 'answer', call: 'listApplications', value: sampleApplications(Date.now()) });
  session.say({ do: 'applications-changed' });
  await session.shown('label', '8 applications, 1 changed');
  session.say({ do: 'connected', connected: false });
  await session.shown('label', 'This page returns when the firewall service is back.');
});

test('applications page: 10,000 applications, of which every search is quick', options, async (t) => {
  const session = await start(t, manyApplications(10_000, Date.now()));
  await session.shown('label', '10,000 applications, 10 changed');
  await session.key('ctrl+f');
  await stall(session);
  await session.type('entry', 'Search applications', 'program-99');
  await session.shown('label', '111 of 10,000 applications, 2 changed');
  const searchMs = await stall(session);
  await session.type('entry', 'Search applications', '');
  await session.shown('label', '10,000 applications, 10 changed');
  const allMs = await stall(session);
  t.diagnostic(`longest stretch of work: ${String(searchMs)} ms for a search, ${String(allMs)} ms for the whole list`);
  assert.ok(Math.max(searchMs, allMs) < 1000);
});

test('a changed file: both hashes, a refused password loses nothing, and nothing but the hash that was shown is accepted', options, async (t) => {
  const session = await start(t, [changedApplication()]);
  await openFirst(session, 'backup');
  await session.shown('label', 'Its file is not the one that was known before. Its allow rules are suspended until you accept this file.');
  await session.screenshot('application-changed');
  await session.click('push button', 'Rehash…');
  await session.shown('label', '11111111 22222222 33333333 44444444 55555555 66666666 77777777 88888888');
  await session.shown('label', 'aaaaaaaa bbbbbbbb cccccccc dddddddd eeeeeeee ffffffff 00000000 99999999');
  await session.focused('push button', 'Cancel');
  await session.screenshot('rehash');
  session.say({ do: 'refuse', call: 'rehash', code: 'NotAuthorized', message: '' });
  await session.click('push button', 'Accept File');
  assert.deepEqual((await session.call('rehash')).args, [[`c1=${OTHER_SHA256}`]]);
  await session.shown('alert', 'You are not allowed to do this.');
  session.say({ do: 'accept', call: 'rehash' });
  const third = 'c'.repeat(64);
  session.say({ do: 'answer', call: 'rehash', value: [{ ...BACKUP_ROW, new_sha256: third, state: 'changed', result: 'other-hash' }] });
  await session.click('push button', 'Accept File');
  await session.shown('alert', 'The file of backup has changed again in the meantime. Nothing was accepted.');
  await session.shown('label', 'cccccccc cccccccc cccccccc cccccccc cccccccc cccccccc cccccccc cccccccc');
  session.say({ do: 'answer', call: 'rehash', value: [{ ...BACKUP_ROW, new_sha256: third, state: 'valid', result: 'accepted' }] });
  session.say({ do: 'answer', call: 'listApplications', value: [changedApplication({ state: 'valid', reason: 'accepted', known_sha256: third, sha256: third })] });
  await session.call('rehash');
  await session.click('push button', 'Accept File');
  assert.deepEqual((await session.call('rehash')).args, [[`c1=${third}`]]);
  await session.shown('label', 'The file of backup was accepted. Its rules are in force again.');
  session.say({ do: 'applications-changed' });
  await session.shown('label', 'as accepted');
});

test('a file that is as it was is checked without accepting anything else', options, async (t) => {
  const session = await start(t, [applicationOf()]);
  await openFirst(session, 'curl');
  session.say({ do: 'answer', call: 'rehash', value: [{ ...BACKUP_ROW, id: 'a1', path: '/usr/bin/curl', state: 'valid', result: 'same' }] });
  await session.click('push button', 'Check File');
  assert.deepEqual((await session.call('rehash')).args, [[`a1=${KNOWN_SHA256}`]]);
  await session.shown('label', 'The file of curl is the known one.');
});

test('page of an application: its rules, its traffic, where it connects, what was refused, who started it, and blocking it', options, async (t) => {
  const now = Date.now();
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'answer', call: 'listApplications', value: [changedApplication({ first_seen_ms: now - 9e8, last_seen_ms: now - 60_000 })] });
  session.say({ do: 'answer', call: 'historyTotals hour', value: sampleSeries(now) });
  session.say({ do: 'flows', flows: sampleFlowsOf(BACKUP, now) });
  session.say({ do: 'rules', rules: [ruleInfoOf({ id: 'backup-ssh', path: BACKUP, port: '22', hits: 3 }), ruleInfoOf({ id: 'curl' })] });
  await openPage(session);
  await openFirst(session, 'backup');
  assert.deepEqual(await totalsOf(session), ['day', 'hour', { path: BACKUP }]);
  await session.shown('label', 'backup may reach any host for secure shell (22).');
  await session.gone('label', 'curl may reach any host for encrypted web (443).');
  await session.shown('label', 'backup.example.org');
  await session.shown('label', 'itself started by xterm');
  await session.shown('label', 'metrics.example.com');
  await session.screenshot('application');
  await session.dark(true);
  await session.screenshot('application-dark');
  await session.dark(false);
  await session.resize('Bastion Firewall', 900, 940);
  await session.press(563, 600);
  await session.key('ctrl+End');
  await session.screenshot('application-end');
  await session.click('push button', 'The last hour');
  assert.deepEqual(await totalsOf(session), ['hour', 'minute', { path: BACKUP }]);
  await session.click('push button', 'Block Everything…');
  await session.focused('push button', 'Cancel');
  await session.screenshot('application-block');
  await session.click('push button', 'Block Everything');
  assert.deepEqual((await session.call('addRule')).args, [{ path: BACKUP, action: 'deny', lifetime: 'always', priority: 1000 }]);
  await session.click('push button', 'Undo');
  await session.call('removeRule');
  await session.click('push button', 'Allow…');
  await session.shown('label', 'New Rule');
  await session.key('Escape');
  await session.gone('label', 'New Rule');
  await session.click('push button', 'Back to all applications');
  await session.shown('label', '1 application, 1 changed');
});

test('rehash of all files: says what it means first, shows how far it is, stops on a connection of its own, and sums up', options, async (t) => {
  const session = await start(t, sampleApplications(Date.now()));
  await session.click('push button', 'Rehash All…');
  await session.shown('label', 'The files of 8 applications will be hashed. The files are accepted as they are now. 1 has changed: its allow rules will be in force again. Do this only if you know why it changed.');
  await session.screenshot('rehash-all');
  session.say({ do: 'hold', call: 'rehashAll' });
  await session.click('push button', 'Accept All Files');
  await session.call('rehashAll');
  session.say({ do: 'rehash-progress', doneBytes: 250_000_000, totalBytes: 1_000_000_000 });
  await session.shown('label', '250 MB of 1 GB');
  await session.screenshot('rehash-all-running');
  await session.click('push button', 'Stop');
  await session.call('connection closed');
  await session.shown('alert', 'Stopped. Nothing was accepted.');
  session.say({ do: 'let-go', call: 'rehashAll' });
  session.say({ do: 'answer', call: 'rehashAll', value: { files: 8, same: 6, accepted: 1, missing: 1, failed: 0, rows: [{ ...BACKUP_ROW, state: 'valid', result: 'accepted' }] } });
  await session.click('push button', 'Accept All Files');
  await session.shown('label', '8 files checked: 6 unchanged, 1 accepted, 1 missing.');
  await session.screenshot('rehash-all-done');
  await session.click('push button', 'Close', 1);
});

test('applications at 360 pixels and with large text', options, async (t) => {
  const now = Date.now();
  const session = await start(t, sampleApplications(now), { textScale: 2 });
  await session.shown('label', '8 applications, 1 changed');
  await session.resize('Bastion Firewall', 360, 900);
  await session.shown('push button', 'Back');
  await session.screenshot('applications-narrow-large');
});

test('one application at 360 pixels', options, async (t) => {
  const now = Date.now();
  const session = await start(t, sampleApplications(now));
  await session.shown('label', '8 applications, 1 changed');
  await session.resize('Bastion Firewall', 360, 900);
  await session.shown('push button', 'Back');
  await session.screenshot('applications-narrow');
  await session.press(180, 260);
  await session.shown('label', 'Where It Connects');
  await session.screenshot('application-narrow');
  await session.click('push button', 'Back');
  await session.shown('label', '8 applications, 1 changed');
});
