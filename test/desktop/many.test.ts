/** Much at once, and what goes wrong around a prompt: thousands of rules, hundreds of prompts, late answers, other agents. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import { promptOf, ruleInfoOf, statusOf } from './samples.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
/** Processor time of the longest turn since it was last asked for. */
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
  assert.ok(stirred < found / 2, 'the list is not sorted anew for news that do not concern it');
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
  await session.shown('label', 'program-1');
  await session.screenshot('prompt-many');
  await session.click('push button', 'Deny');
  assert.equal((await session.call('answer')).args[0], 'n0');
  await session.shown('label', 'program-1 wants to connect');
  await session.shown('push button', '198 more are waiting');
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
