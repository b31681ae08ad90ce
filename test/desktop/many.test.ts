/** Much at once, and what goes wrong around a prompt: thousands of rules, hundreds of prompts, late answers, other agents. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import { children, until } from './process-tree.ts';
import { promptOf, ruleInfoOf, statusOf } from './samples.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
/** On a machine that does nothing else it is a third of this; what freezes takes seconds. */
const LONGEST_STALL_MS = 400;
/** Processor time of the longest turn of the windows' process since it was last asked for. */
async function stallMs(session: DesktopSession): Promise<number> {
  session.say({ do: 'stall' });
  return Number((await session.call('stall')).args[0]);
}

test('rules page: 10,000 rules are searched without freezing, and news of the helper does not stir them', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  const rules = Array.from({ length: 10_000 }, (_, n) => ruleInfoOf({ id: `rule-${String(n)}`, path: `/usr/bin/program-${String(n)}` }));
  session.say({ do: 'rules', rules });
  await session.connect();
  await session.focus('Bastion Firewall');
  await session.key('ctrl+3');
  await session.key('ctrl+f');
  await session.shown('label', 'program-0 may reach any host for encrypted web (443).');
  await stallMs(session);
  await session.type('entry', 'Search rules', 'program-987');
  await session.shown('label', 'program-9876 may reach any host for encrypted web (443).');
  const found = await stallMs(session);
  await session.type('entry', 'Search rules', '');
  await session.shown('label', 'program-0 may reach any host for encrypted web (443).');
  const cleared = await stallMs(session);
  for (let second = 0; second < 20; second += 1) session.say({ do: 'status', status: statusOf() });
  const stirred = await stallMs(session);
  t.diagnostic(`longest stall: search ${String(found)} ms, cleared ${String(cleared)} ms, 20 news of the state ${String(stirred)} ms`);
  assert.ok(stirred < LONGEST_STALL_MS / 2, 'the list is not sorted anew for news that do not concern it');
});

test('rules page: 100,000 rules are sorted, filtered and closed away in slices that nobody feels', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'many-rules', count: 100_000 });
  await session.connect();
  await session.pointAt(600, 24);
  await session.focus('Bastion Firewall');
  // The start of the process is another figure.
  await stallMs(session);
  await session.key('ctrl+3');
  await session.shown('push button', 'Your rules');
  await session.shown('label', 'program-0 may reach any host for encrypted web (443).');
  const opened = await stallMs(session);
  await session.key('ctrl+f');
  await session.keys('program-9876');
  await session.shown('label', 'program-98765 may reach any host for encrypted web (443).');
  const found = await stallMs(session);
  await session.key('ctrl+a', 'BackSpace');
  await session.shown('label', 'program-0 may reach any host for encrypted web (443).');
  const cleared = await stallMs(session);
  await session.click('push button', 'Your rules');
  await session.gone('label', 'program-0 may reach any host for encrypted web (443).');
  const closed = await stallMs(session);
  t.diagnostic(`100,000 rules, longest stall: opened ${String(opened)} ms, searched ${String(found)} ms, cleared ${String(cleared)} ms, closed ${String(closed)} ms`);
  assert.ok(Math.max(found, cleared, closed) < LONGEST_STALL_MS);
});

test('prompt window: 200 programs at once are one question and a list to pick from', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  await stallMs(session);
  for (let n = 0; n < 200; n += 1) {
    session.say({ do: 'raise', prompt: promptOf({ nonce: `n${String(n)}`, path: `/usr/bin/program-${String(n)}`, timeout_ms: 120_000, expires_in_ms: 120_000 }) });
  }
  await session.shown('label', 'program-0 wants to connect');
  await session.shown('push button', '199 more are waiting');
  t.diagnostic(`longest stall: ${String(await stallMs(session))} ms`);
  await session.click('push button', '199 more are waiting');
  await session.shown('label', '200 programs are waiting');
  await session.shown('label', 'program-1');
  await session.screenshot('prompt-many');
  // The second one's own button, then all the others.
  await session.shown('push button', 'Deny All');
  await session.click('push button', 'Deny', 1);
  assert.deepEqual((await session.call('answer')).args, ['n1', { action: 'deny', lifetime: 'once', scope: 'host' }]);
  await session.shown('label', '199 programs are waiting');
  await session.click('push button', 'Deny All');
  const answered = new Set<unknown>();
  while (answered.size < 199) answered.add((await session.call('answer')).args[0]);
  await session.gone('label', 'program-0');
  const denied = await stallMs(session);
  t.diagnostic(`longest stall while all go: ${String(denied)} ms`);
  assert.ok(denied < LONGEST_STALL_MS / 2, 'the questions between the first and the last are not filled in');
  assert.ok(answered.has('n0') && answered.has('n199') && !answered.has('n1'));
});

test('prompt window: an answer after the time is for the next attempt, and says so', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf() });
  await session.focus('curl wants to connect');
  await session.focused('push button', 'Deny');
  session.say({ do: 'end', nonce: promptOf().nonce, why: 'expired' });
  await session.shown('label', 'Refused. An answer applies to the next attempt.');
  // "Once" meant the connection that is gone.
  await session.shown('label', 'curl may reach example.org on port 443 for 1 hour.');
  await session.click('push button', 'Allow');
  const { args: [, answer] } = await session.call('answer');
  assert.equal((answer as { readonly lifetime: string }).lifetime, 'until');
  await session.shown('label', 'Allowed. Try again in curl.');
  await session.screenshot('prompt-late');
  await session.click('push button', 'Close');
  await session.gone('label', 'Allowed. Try again in curl.');
});

test('prompt window: an answer that polkit refuses can be given again and is then taken', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  session.say({ do: 'refuse', call: 'answer', code: 'NotAuthorized', message: '' });
  session.say({ do: 'raise', prompt: promptOf() });
  await session.click('push button', 'Allow');
  await session.shown('label', 'This answer needs an administrator’s password.');
  await session.shown('push button', 'Deny');
  await session.screenshot('prompt-refused');
  session.say({ do: 'accept', call: 'answer' });
  await session.click('push button', 'Allow');
  await session.gone('label', 'curl wants to connect');
});

test('status page: another agent of the session is named, with what ends that', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'refuse', call: 'registerAgent', code: 'AgentExists', message: '' });
  await session.connect();
  await session.shown('label', 'Another program answers for this session');
  await session.shown('label', 'Protecting');
  await session.screenshot('status-another-agent');
});

test('status page: a program that is not the package’s says that its answers are limited, and asks', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'verified', verified: false });
  await session.connect();
  await session.shown('label', 'Answers are limited');
  session.say({ do: 'raise', prompt: promptOf({ lifetimes: ['once', 'process'] }) });
  await session.click('push button', 'Allow');
  assert.deepEqual((await session.call('answer')).args[1], { action: 'allow', lifetime: 'once', scope: 'host' });
});

test('application: goes on asking when the bus of the session goes away', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  await session.bus.stop('SIGKILL');
  session.say({ do: 'raise', prompt: promptOf() });
  // The window asks by itself; the reader's bus has gone too, so the keyboard answers.
  await session.focus('curl wants to connect');
  await session.keyUntil('Return', 'answer');
});

/** Memory of a process that is nobody else's, in MB. Source: proc(5), smaps_rollup. */
function ownMb(pid: number): number {
  return Number(/^Pss_Anon:\s+(\d+) kB$/mu.exec(readFileSync(`/proc/${String(pid)}/smaps_rollup`, 'utf8'))?.[1]) * 1024 / 1e6;
}

const STORM = 500;
const WAITING = 200;
/** Five times as fast as the storm that has to be borne. */
const STORM_S = 12;
/** The runtime keeps the pages of a storm for some seconds, in case another one comes. */
const RELEASE_MS = 30_000;

async function storm(session: DesktopSession): Promise<void> {
  const end = (n: number): void => { session.say({ do: 'end', nonce: `n${String(n)}`, why: 'withdrawn' }); };
  for (let n = 0; n < STORM; n += 1) {
    session.say({ do: 'raise', prompt: promptOf({ nonce: `n${String(n)}`, path: `/usr/bin/program-${String(n)}` }) });
    if (n >= WAITING) end(n - WAITING);
    await new Promise((resolve) => { setTimeout(resolve, STORM_S * 1000 / STORM); });
  }
  for (let n = STORM - WAITING; n < STORM; n += 1) end(n);
}

test('prompts: 500 in seconds are one window, no stall that can be felt, and no memory afterwards', options, async (t) => {
  const session = await DesktopSession.start(t, { environment: { TEST_LOOK_MS: '200' } });
  await session.connect();
  const { pid } = session.app.child;
  assert.ok(pid !== undefined);
  session.say({ do: 'collect' });
  await session.call('collect');
  const beforeMb = ownMb(pid);
  // The first window takes its time to be made; that is another figure.
  session.say({ do: 'raise', prompt: promptOf() });
  await session.shown('push button', 'Deny');
  await stallMs(session);
  await storm(session);
  session.say({ do: 'end', nonce: promptOf().nonce, why: 'withdrawn' });
  const longest = await stallMs(session);
  await session.gone('push button', 'Deny');
  await until('the end of the windows’ process', () => children(pid).length === 0);
  session.say({ do: 'windows' });
  assert.deepEqual((await session.call('windows')).args, [{ starts: 1, crashes: 0, strange: 0 }], 'one window');
  session.say({ do: 'collect' });
  await session.call('collect');
  const peakMb = ownMb(pid);
  await until('memory as before', () => ownMb(pid) < beforeMb * 1.1, RELEASE_MS);
  t.diagnostic(`longest stall ${String(longest)} ms; memory ${beforeMb.toFixed(1)} MB, ${peakMb.toFixed(1)} after it, then ${ownMb(pid).toFixed(1)}`);
  assert.ok(longest < 50, `${String(longest)} ms`);
});
