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
  await session.shown('label', 'encrypted web (443)  ·  started by bash, in xterm');
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
  // Awake. Newer toolkits say which control has the focus only once its window has the keyboard.
  await session.shown('push button', 'Deny');
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

const SHA256 = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';

test('prompt window: a changed program is told first, offers nothing that lasts, and its details say what is known', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  const path = '/usr/local/bin/sync-agent';
  session.say({ do: 'raise', prompt: promptOf({
    path, command: 'sync-agent', application: 'sync-agent', integrity: 'changed', sha256: SHA256, named_by: 'path', lifetimes: ['once'], default_lifetime: 'once',
  }) });
  await session.shown('label', 'The program was changed since it was last allowed; its rules are suspended.');
  await session.gone('check box', 'Also for programs that it starts');
  await session.screenshot('prompt-changed');
  await session.click('push button', 'Details');
  await session.shown('label', 'File');
  await session.screenshot('prompt-changed-details');
});

test('prompt window: a script has its own name, and its rule reaches what it starts only when that is ticked, by keyboard too', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf({
    path: '/usr/bin/python3.11', command: 'python3', application: 'backup.py (python3.11)', package: 'python3.11-minimal', interpreter: true,
    script: '/home/alice/bin/backup.py', script_evidence: 'exec', integrity: 'valid', named_by: 'script', default_lifetime: 'always',
    ancestors: [
      { pid: 4705, path: '/usr/bin/dash', command: 'nightly.sh', script: '/home/alice/bin/nightly.sh' }, { pid: 4700, path: '/usr/bin/bash', command: 'bash' },
      { pid: 4600, path: '/usr/bin/xterm', command: 'xterm' }, { pid: 1, path: '/usr/lib/systemd/systemd', command: 'systemd' },
    ],
  }) });
  await session.shown('label', 'backup.py (python3.11) wants to connect');
  await session.shown('label', '/home/alice/bin/backup.py');
  await session.shown('label', 'encrypted web (443)  ·  started by nightly.sh, in xterm');
  await session.shown('label', 'backup.py (python3.11) may always reach example.org on port 443.');
  await session.shown('check box', 'Also for programs that it starts');
  await session.focus('backup.py .* wants to connect');
  await session.focused('push button', 'Deny');
  await session.screenshot('prompt-script');
  // Backwards from Deny: Details, the check box.
  await session.key('shift+Tab');
  await session.key('shift+Tab');
  await session.key('space');
  await session.shown('label', 'backup.py (python3.11) may always reach example.org on port 443. So may the programs that it starts.');
  await session.screenshot('prompt-script-children');
  await session.click('push button', 'Details');
  await session.shown('label', 'Interpreter');
  await session.screenshot('prompt-script-details');
  await session.key('alt+a');
  assert.deepEqual((await session.call('answer')).args, [NONCE, { action: 'allow', lifetime: 'always', scope: 'host', include_children: true }]);
});

test('prompt window: the tick does not pass to the next question', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf({ named_by: 'path', default_lifetime: 'always' }) });
  await session.focus('curl wants to connect');
  await session.focused('push button', 'Deny');
  // Backwards from Deny: Details, the check box.
  await session.key('shift+Tab');
  await session.key('shift+Tab');
  await session.key('space');
  await session.shown('label', 'curl may always reach example.org on port 443. So may the programs that it starts.');
  session.say({ do: 'raise', prompt: promptOf({ nonce: 'b', path: '/usr/bin/git', named_by: 'path', default_lifetime: 'always' }) });
  session.say({ do: 'end', nonce: NONCE, why: 'withdrawn' });
  await session.shown('label', 'git may always reach example.org on port 443.');
  await session.click('push button', 'Allow');
  assert.deepEqual((await session.call('answer')).args, ['b', { action: 'allow', lifetime: 'always', scope: 'host' }]);
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
  await session.shown('label', 'The program could not be identified with certainty; another program may be using its connection.');
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
  session.say({ do: 'end', nonce: NONCE, why: 'withdrawn' });
  session.say({ do: 'raise', prompt: promptOf({
    nonce: 'b', default_lifetime: 'always', named_by: 'path', path: '/home/alice/Downloads/setup-1.0', integrity: 'unknown',
    ancestors: [{ pid: 3, path: '/usr/lib/firefox/firefox', command: 'firefox' }],
  }) });
  await session.shown('label', 'Es wurde von firefox gestartet und kommt aus keinem Paket. Es kann ein Download sein.');
  await session.shown('check box', 'Auch für Programme, die es startet');
  await session.screenshot('prompt-german-warning');
});
