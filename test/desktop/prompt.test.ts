/** Prompts as a person meets them: by pointer, by keyboard, several at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DesktopSession, missingForDesktop, portrait } from './desktop-session.ts';
import { promptOf } from './samples.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
const NONCE = promptOf().nonce;

test('prompt window: Allow clicked by its name sends the proposed answer and closes the window', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf() });
  await session.shown('label', 'curl wants to connect');
  await session.shown('label', 'example.org');
  await session.shown('label', 'encrypted web (443)  ·  started by bash');
  await session.shown('label', 'curl may reach example.org on port 443 this once.');
  await session.shown('push button', 'Deny');
  await session.screenshot('prompt');
  await portrait('prompt', 'readme');
  await session.dark(true);
  await session.click('push button', 'Details');
  await session.shown('label', 'Started by');
  await session.screenshot('prompt-dark');
  await session.click('push button', 'Allow');
  assert.deepEqual((await session.call('answer')).args, [NONCE, { action: 'allow', lifetime: 'once', scope: 'host' }]);
  await session.gone('label', 'curl wants to connect');
});

/** Types while the window appears. False when the machine was so slow that the keys came after the buttons were awake. */
async function typeIntoNewWindow(session: DesktopSession): Promise<boolean> {
  const startedMs = performance.now();
  session.say({ do: 'raise', prompt: promptOf() });
  await session.key('--delay', '12', ...Array<string[]>(6).fill(['Return', 'space', 'Escape']).flat());
  return performance.now() - startedMs < 390;
}

test('prompt window: a keystroke meant for another window decides nothing, Enter then denies', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  await session.pointAt(200, 300);
  if (!(await typeIntoNewWindow(session))) {
    t.skip('the machine is too busy to type within 400 ms');
    return;
  }
  await session.focused('push button', 'Deny');
  assert.deepEqual(session.app.pending.filter((line) => line.includes('"answer"')), []);
  await session.focus('curl wants to connect');
  await session.focused('push button', 'Deny');
  await session.shown('push button', 'Deny');
  await session.screenshot('prompt-focused');
  await session.key('Return');
  assert.deepEqual((await session.call('answer')).args, [NONCE, { action: 'deny', lifetime: 'once', scope: 'host' }]);
});

test('prompt window: choices are made by keyboard, and the sentence follows them', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf() });
  await session.focus('curl wants to connect');
  await session.focused('push button', 'Deny');
  // Backwards from Deny: Details, lifetime.
  await session.key('shift+Tab');
  await session.key('shift+Tab');
  await session.key('space');
  await session.key('End');
  await session.key('Return');
  await session.shown('label', 'curl may always reach example.org on port 443.');
  await session.shown('push button', 'Allow');
  await session.key('alt+a');
  assert.deepEqual((await session.call('answer')).args, [NONCE, { action: 'allow', lifetime: 'always', scope: 'host' }]);
});

test('prompt window: Escape puts off without an answer', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf() });
  await session.focus('curl wants to connect');
  await session.focused('push button', 'Deny');
  await session.key('Escape');
  await session.gone('label', 'curl wants to connect');
  assert.deepEqual(session.app.pending.filter((line) => line.includes('"answer"')), []);
});

test('prompt window: others wait behind the one that is shown, and a withdrawn one gives way to the next', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf({ nonce: 'a' }) });
  await session.shown('push button', 'Deny');
  session.say({ do: 'raise', prompt: promptOf({ nonce: 'b', path: '/usr/bin/git', destination: 'git.example' }) });
  session.say({ do: 'raise', prompt: promptOf({ nonce: 'c', path: '/usr/bin/ssh', destination: 'ssh.example', port: 22 }) });
  await session.shown('push button', '2 more are waiting');
  await session.shown('label', 'curl wants to connect');
  session.say({ do: 'end', nonce: 'a', why: 'withdrawn' });
  await session.shown('label', 'git wants to connect');
  session.say({ do: 'end', nonce: 'b', why: 'expired' });
  await session.shown('label', 'ssh wants to connect');
  await session.gone('push button', '1 more is waiting');
  session.say({ do: 'end', nonce: 'c', why: 'answered' });
  await session.gone('label', 'ssh wants to connect');
});

test('prompt window: text from outside is shown as it is, and what is uncertain is said', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  const path = `/tmp/<b>bold</b>&amp;/${'long-folder/'.repeat(20)}<i>evil\u{202e}gnp.exe`;
  session.say({ do: 'raise', prompt: promptOf({ path, destination: 'xn--80ak6aa92e.com', confidence: 'likely', lifetimes: ['once', 'process'] }) });
  await session.shown('label', '<i>evil\\u{202e}gnp.exe wants to connect');
  await session.shown('label', 'xn--80ak6aa92e.com');
  await session.shown('label', 'аррӏе.com');
  await session.shown('label', 'The program could not be identified for certain; another program may be using its connection.');
  await session.screenshot('prompt-warning');
  session.say({ do: 'end', nonce: NONCE, why: 'withdrawn' });
  session.say({ do: 'raise', prompt: promptOf({ nonce: 'u', path: '', application: 'firefox', command: 'firefox', confidence: 'unknown', evidence: 'none' }) });
  await session.shown('label', 'An unknown program wants to connect');
  await session.screenshot('prompt-unknown');
});

test('prompt window: an answer that the helper refuses is explained and can be given again', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  session.say({ do: 'refuse', call: 'answer', code: 'NotAuthorized', message: '' });
  session.say({ do: 'raise', prompt: promptOf() });
  await session.click('push button', 'Allow');
  await session.shown('label', 'This answer needs an administrator’s password.');
  await session.shown('push button', 'Deny');
});

test('prompt window: speaks the language of the session', options, async (t) => {
  const session = await DesktopSession.start(t, { environment: { LANG: 'de_DE.UTF-8' } });
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf({ default_lifetime: 'always' }) });
  await session.shown('label', 'curl möchte sich verbinden');
  await session.shown('label', 'curl darf example.org auf Port 443 immer erreichen.');
  await session.shown('push button', 'Ablehnen');
  await session.screenshot('prompt-german');
});
