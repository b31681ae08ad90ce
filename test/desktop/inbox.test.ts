/** The inbox as a person meets it: what waits and what ran out of time, answered or dismissed, also after restarts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PromptInfo } from '../../helper/contract/types.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import { promptOf, statusOf } from './samples.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
const EXPIRED = { status: 'expired', expires_in_ms: 0, lifetimes: ['until', 'session', 'boot', 'always'], default_lifetime: 'always' } as const;

function expired(nonce: string, change: Partial<PromptInfo> = {}): PromptInfo {
  return promptOf({ id: nonce, nonce, raised_ms: Date.now() - 180_000, ...EXPIRED, ...change });
}

/** Opens the page, as the eighth but one of the sidebar is. */
async function openInbox(session: DesktopSession): Promise<void> {
  await session.focus('Bastion Firewall');
  await session.key('ctrl+7');
}

test('inbox: questions by program; an answer is for the next attempt, and the list follows the helper', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'keep', prompt: expired('a') });
  session.say({ do: 'keep', prompt: expired('b', { destination: 'mirror.example.net', address: '203.0.113.9' }) });
  session.say({ do: 'keep', prompt: expired('c', { path: '/usr/bin/git', destination: 'git.example', package: 'git', integrity: 'valid' }) });
  await session.connect();
  await openInbox(session);
  await session.shown('label', 'curl');
  await session.shown('label', 'git');
  await session.shown('label', 'mirror.example.net');
  await session.screenshot('inbox');
  await session.dark(true);
  await session.screenshot('inbox-dark');
  await session.dark(false);
  await session.resize('Bastion Firewall', 360, 720);
  await session.shown('label', 'mirror.example.net');
  await session.screenshot('inbox-narrow');
  await session.click('push button', 'Answer…', 1);
  await session.shown('label', 'curl may always reach mirror.example.net on port 443.');
  await session.shown('label', 'Refused. An answer applies to the next attempt.');
  await session.screenshot('inbox-answer');
  await session.click('push button', 'Allow');
  assert.deepEqual((await session.call('answer')).args, ['b', { action: 'allow', lifetime: 'always', scope: 'host' }]);
  await session.shown('label', 'Allowed. Try again in curl.');
  await session.gone('label', 'mirror.example.net');
  session.say({ do: 'end', nonce: 'c', why: 'withdrawn' });
  await session.gone('label', 'git');
  await session.shown('label', 'example.org');
});

test('inbox: its number stands beside its name from the window’s start, and follows while another page is shown', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  for (const nonce of ['a', 'b', 'c']) session.say({ do: 'keep', prompt: expired(nonce, { destination: `${nonce}.example` }) });
  await session.connect();
  const row = async (): Promise<string | undefined> => (await session.texts()).find((_text, at, all) => all[at - 1] === 'label: Inbox');
  await session.shown('label', '3');
  assert.equal(await row(), 'label: 3');
  session.say({ do: 'status', status: { statistics: { ...statusOf().statistics, prompts: 41 } } });
  await session.shown('label', '41');
  assert.equal(await row(), 'label: 3', 'news of something else leaves it');
  session.say({ do: 'end', nonce: 'b', why: 'withdrawn' });
  await session.gone('label', '3');
  assert.equal(await row(), 'label: 2');
});

test('inbox: one is dismissed, then all; nothing is answered, and the empty page says what will come', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  for (const nonce of ['a', 'b', 'c']) session.say({ do: 'keep', prompt: expired(nonce, { destination: `${nonce}.example` }) });
  await session.connect();
  await openInbox(session);
  await session.click('push button', 'Dismiss', 1);
  assert.deepEqual((await session.call('dismissPrompts')).args, [['b']]);
  await session.gone('label', 'b.example');
  await session.shown('label', '1 question dismissed');
  await session.click('push button', 'Dismiss All');
  assert.deepEqual((await session.call('dismissPrompts')).args, [['a', 'c']]);
  await session.shown('label', 'Nothing Is Waiting');
  await session.gone('push button', 'Dismiss All');
  await session.screenshot('inbox-empty');
  assert.deepEqual(session.app.pending.filter((line) => line.includes('"answer"')), []);
});

test('inbox: what was put off waits here, is held while it is looked at, and is answered by keyboard', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf({ timeout_ms: 6000, expires_in_ms: 6000 }) });
  await session.click('push button', 'Decide Later');
  await session.gone('label', 'curl wants to connect');
  await openInbox(session);
  await session.shown('label', 'encrypted web (443)  ·  waiting now');
  await session.gone('push button', 'Dismiss');
  await session.click('push button', 'Answer…');
  await session.shown('label', 'waits while you decide');
  assert.deepEqual((await session.call('holdPrompt')).args, [promptOf().nonce]);
  await session.focus('curl wants to connect');
  await session.key('alt+a');
  assert.deepEqual((await session.call('answer')).args, [promptOf().nonce, { action: 'allow', lifetime: 'once', scope: 'host' }]);
  await session.shown('label', 'Nothing Is Waiting');
});

test('inbox: nobody knows the program, so nothing is offered; a helper that goes away and comes back brings the list with it', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'keep', prompt: expired('u', { path: '', confidence: 'unknown', evidence: 'none', lifetimes: [] }) });
  await session.connect();
  await openInbox(session);
  await session.shown('label', 'An unknown program');
  await session.visible('push button', 'Answer…');
  session.say({ do: 'connected', connected: false });
  await session.shown('label', 'Not connected');
  session.say({ do: 'connected', connected: true });
  await session.shown('label', 'An unknown program');
  session.say({ do: 'refuse', call: 'listPrompts', code: 'NotAuthorized', message: '' });
  session.say({ do: 'raise', prompt: promptOf({ nonce: 'n' }) });
  await session.shown('label', 'Not Allowed');
  await session.gone('push button', 'Dismiss All');
  await session.click('push button', 'Unlock…');
  await session.call('listPrompts');
  session.say({ do: 'accept', call: 'listPrompts' });
  session.say({ do: 'end', nonce: 'n', why: 'withdrawn' });
  await session.shown('label', 'An unknown program');
});

test('inbox: hostile names are shown as they are, bounded, and without anything that cannot be seen', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  const name = `<b>&amp;\u{202e}gnp\n${'x'.repeat(4000)}`;
  session.say({ do: 'keep', prompt: expired('h', {
    path: `/tmp/${name}`, user: name.slice(0, 60), uid: 4242, destination: 'xn--80ak6aa92e.com', names: ['xn--80ak6aa92e.com'], command: name, application: name,
  }) });
  await session.connect();
  await openInbox(session);
  const bounded = `<b>&amp;\\u{202e}gnp\\u{a}${'x'.repeat(115)}…`;
  await session.shown('label', bounded);
  await session.shown('label', 'xn--80ak6aa92e.com (аррӏе.com)');
  await session.screenshot('inbox-hostile');
  await session.click('push button', 'Answer…');
  await session.shown('label', `${bounded} wants to connect`);
  await session.screenshot('inbox-hostile-answer');
});
