/** Preferences and the first steps: what is kept, what needs a password, and that a refusal changes nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };

async function openPreferences(session: DesktopSession): Promise<void> {
  await session.connect();
  await session.focus('Bastion Firewall');
  await session.key('ctrl+8');
  await session.shown('label', 'This Session');
}

test('preferences: switches and the way of asking are kept, and a refusal of the service leaves the mode as it is', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  await openPreferences(session);
  await session.screenshot('preferences');
  await session.click('check box', 'Start With the Session');
  await session.click('check box', 'Shield in the Tray');
  session.say({ do: 'refuse', call: 'selfTest', code: 'NotAuthorized', message: '' });
  await session.click('push button', 'Run Test');
  await session.shown('label', 'You are not allowed to do this.');
  session.say({ do: 'accept', call: 'selfTest' });
  await session.click('push button', 'Run Test');
  await session.call('selfTest');
  await session.shown('label', 'The service checked nothing.');
  await session.click('push button', 'More');
  assert.deepEqual((await session.call('setLogLevel')).args, ['debug']);
  await session.dark(true);
  await session.screenshot('preferences-dark');
});

test('preferences: nothing recorded is forgotten before the question is answered, and without the service only it is out of reach', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  await openPreferences(session);
  await session.click('push button', 'Forget…');
  await session.shown('label', 'Forget Everything Recorded?');
  await session.click('push button', 'Cancel');
  await session.gone('label', 'Forget Everything Recorded?');
  await session.click('push button', 'Forget…');
  await session.click('push button', 'Forget');
  await session.call('clearHistory');
  session.say({ do: 'connected', connected: false });
  await session.shown('check box', 'Start With the Session');
  await session.shown('label', 'bastionctl off');
  await session.resize('Bastion Firewall', 360, 900);
  await session.shown('push button', 'Back');
  await session.screenshot('preferences-narrow');
});

test('first steps: shown while learning, say what will happen and how one is asked; a refusal keeps mode and choice', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'status', status: { mode: 'learning' } });
  await session.connect();
  await session.shown('label', 'Your Programs, Your Decision');
  await session.screenshot('assistant-1');
  await session.click('push button', 'Next');
  await session.shown('label', 'How You Are Asked');
  await session.screenshot('assistant-2');
  await session.click('push button', 'Next');
  await session.shown('label', 'Begin by Learning');
  session.say({ do: 'refuse', call: 'setMode', code: 'NotAuthorized', message: '' });
  await session.click('push button', 'Ask From Now On');
  await session.shown('alert', 'You are not allowed to do this. Everything stays as it was.');
  await session.screenshot('assistant-3');
  session.say({ do: 'accept', call: 'setMode' });
  await session.click('push button', 'Ask From Now On');
  assert.deepEqual((await session.call('setMode')).args, ['enforcing']);
  await session.gone('label', 'Begin by Learning');
});

test('first steps: skipped they do not come again by themselves', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'status', status: { mode: 'learning' } });
  await session.connect();
  await session.click('push button', 'Skip');
  await session.gone('label', 'Your Programs, Your Decision');
  session.say({ do: 'status', status: { state: 'paused', pausedUntilMs: Date.now() + 600_000 } });
  await session.shown('label', 'Paused');
  await session.gone('label', 'Your Programs, Your Decision');
  await session.focus('Bastion Firewall');
});
