/** What a zone does with connections from outside, on the network page. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { AccessibleWalk } from './accessible-walk.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import type { SessionOptions } from './desktop-session.ts';
import { FULL_NETWORK, openZone, withZone } from './network-samples.ts';
import type { SampleNetwork } from './samples.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
const EDITOR = 'Connections From Outside';

async function openEditor(t: TestContext, zone: string, network: SampleNetwork = FULL_NETWORK, start: SessionOptions = {}): Promise<DesktopSession> {
  const session = await DesktopSession.start(t, { arguments: [], ...start });
  session.say({ do: 'network', network });
  await session.connect();
  await openZone(session, zone);
  await session.click('push button', 'Edit…');
  await session.shown('frame', EDITOR);
  return session;
}

/** Chooses what a zone does: the arrow keys lead from one choice to the next, Enter takes it. */
async function choose(session: DesktopSession, policy: string, key: 'Down' | 'Up'): Promise<void> {
  await session.focus(EDITOR);
  await session.focusInto('list item', policy, key, 12);
  await session.key('Return');
  const isChosen = async (): Promise<boolean> => (
    (await session.tree()).some(({ role, name, description = '' }) => role === 'list item' && name === policy && description.startsWith('Chosen. '))
  );
  // The key is answered in its own time, and nothing tells.
  while (!(await isChosen())) await session.dark(false);
}

/** The buttons of a dialog that asks once more. */
async function answerWarning(session: DesktopSession, button: string): Promise<void> {
  await session.shown('push button', button);
  await session.click('push button', button);
}

test('inbound editor: a new entry is checked beside its field, saved with the rest, and taken back by the toast', options, async (t) => {
  const session = await openEditor(t, 'home');
  await session.shown('push button', 'Remove: Secure shell (ssh)');
  await session.click('push button', 'Add…');
  await session.shown('frame', 'Let In');
  // A button pressed through the accessibility bus acts a quarter of a second later: each time something is waited for that only it does.
  await session.type('text', 'Only from (empty: anywhere)', 'nowhere');
  await session.click('push button', 'Done');
  await session.shown('label', 'An address like 192.0.2.7 or 2001:db8::1, or a network like 192.0.2.0/24.');
  await session.type('text', 'Only from (empty: anywhere)', '');
  await session.shown('label', 'Let in: Secure shell (ssh).');
  await session.click('push button', 'Done');
  await session.shown('alert', 'This is let in already.');
  await session.type('text', 'Only from (empty: anywhere)', '192.0.2.0/24');
  await session.shown('label', 'Let in: Secure shell (ssh), from 192.0.2.0/24.');
  await session.screenshot('network-inbound-entry');
  await session.click('push button', 'Done');
  await session.gone('frame', 'Let In');
  await session.click('push button', 'Remove: Secure shell (ssh)');
  await session.gone('push button', 'Remove: Secure shell (ssh)');
  await session.screenshot('network-inbound');
  await session.click('push button', 'Save');
  // Whoever is somewhere else cannot log in any more.
  await session.shown('label', 'Secure shell (ssh) is not let in: nobody can log in over the network from this zone.');
  await answerWarning(session, 'Block New Connections');
  const web = { port: '80,443', protocol: 'tcp', application: '/usr/sbin/nginx', from: '192.168.0.0/16' };
  assert.deepEqual((await session.call('setInbound')).args, ['home', 'deny', [web, { service: 'ssh', from: '192.0.2.0/24' }]]);
  await session.gone('frame', EDITOR);
  await session.shown('label', 'New connections from home are blocked');
  await session.click('push button', 'Undo');
  assert.deepEqual((await session.call('setInbound')).args, ['home', 'deny', [{ service: 'ssh' }, web]]);
  await session.shown('label', 'Secure shell (ssh)');
});

test('inbound editor: nothing is chosen for the person, and blocking offers to let secure shell in', options, async (t) => {
  const session = await openEditor(t, 'work');
  await session.gone('push button', 'Add…');
  await choose(session, 'Block new connections', 'Down');
  await session.shown('label', 'Nothing yet.');
  await session.click('push button', 'Save');
  await session.shown('label', 'Block New Connections From work?');
  await session.focus('Block New Connections From work?');
  await session.screenshot('network-inbound-warning');
  // Whoever presses Enter without reading blocks nothing.
  await session.key('Return');
  await session.gone('frame', 'Block New Connections From work?');
  await session.click('push button', 'Save');
  await answerWarning(session, 'Let In Secure Shell and Block the Rest');
  assert.deepEqual((await session.call('setInbound')).args, ['work', 'deny', [{ service: 'ssh' }]]);
  await session.gone('frame', EDITOR);
  await session.shown('label', 'Block new connections');
});

test('inbound editor: a session over the network is warned, without the password all stays, and Escape asks before it forgets', options, async (t) => {
  const before = withZone(FULL_NETWORK, 'work', { inbound: 'allow', inbound_allow: [{ service: 'ssh' }] });
  const session = await openEditor(t, 'work', before, { environment: { SSH_CONNECTION: '192.0.2.9 50000 192.0.2.1 22' } });
  session.say({ do: 'refuse', call: 'setInbound', code: 'NotAuthorized', message: '' });
  await choose(session, 'Off', 'Up');
  await session.click('push button', 'Save');
  await session.shown('alert', 'The password was not given. Your changes are still here.');
  await choose(session, 'Block new connections', 'Down');
  await session.click('push button', 'Save');
  await session.shown('label', 'You are using this computer over the network. If your own connection comes from this zone, you may not be able to come back.');
  await session.gone('push button', 'Let In Secure Shell and Block the Rest');
  await answerWarning(session, 'Block New Connections');
  await session.shown('alert', 'You are not allowed to do this.');
  await session.focus('Block New Connections From work?');
  await session.key('Escape');
  await session.gone('frame', 'Block New Connections From work?');
  session.say({ do: 'network', network: withZone(before, 'work', { inbound: 'off' }) });
  await session.shown('alert', 'This was changed in the meantime. Saving replaces it with what you see here.');
  await session.focus(EDITOR);
  await session.key('Escape');
  await session.click('push button', 'Discard');
  await session.gone('frame', EDITOR);
});

test('inbound page: while another firewall judges, it says so with what to do, and nothing can be edited', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'network', network: { ...FULL_NETWORK, state: { ...FULL_NETWORK.state, inbound_by: 'ufw' } } });
  await session.connect();
  await openZone(session, 'home');
  await session.shown('label', 'ufw judges connections from outside');
  await session.shown('label', 'sudo ufw disable');
  await session.gone('push button', 'Edit…');
  await session.screenshot('network-inbound-ufw');
});

test('inbound editor: every control has a name and Tab comes to it, at 360 pixels, with large text and in the dark', options, async (t) => {
  const session = await openEditor(t, 'home', FULL_NETWORK, { textScale: 1.5 });
  const walk = new AccessibleWalk(session);
  await session.resize(EDITOR, 360, 640);
  await session.dark(true);
  await session.screenshot('network-inbound-narrow');
  await session.focus(EDITOR);
  await walk.tabThrough('the editor', EDITOR);
  await session.click('push button', 'Add…');
  await session.shown('frame', 'Let In');
  await walk.dialog('Let In', EDITOR);
  await session.key('Escape');
  await session.gone('frame', EDITOR);
  await session.focus('Bastion Firewall');
  await session.resize('Bastion Firewall', 360, 940);
  await session.dark(true);
  await session.screenshot('network-zone-narrow');
  await walk.tabThrough('the page of a zone', 'Bastion Firewall', ['Main Menu']);
  assert.deepEqual(walk.faults, []);
});
