/** The network page. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import { FULL_NETWORK, GOOD_SET, MAKE_SET, containerOf, openZone, withZone } from './network-samples.ts';
import { NO_NETWORK, SAMPLE_NETWORK, ruleInfoOf } from './samples.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };

async function openNetwork(session: DesktopSession): Promise<void> {
  await session.focus('Bastion Firewall');
  await session.key('ctrl+6');
}

test('network page: where the computer is, interfaces with addresses, zones, and news of them', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'network', network: SAMPLE_NETWORK });
  await session.connect();
  await session.resize('Bastion Firewall', 900, 950);
  await openNetwork(session);
  await session.shown('label', '192.0.2.1 (02:00:5e:10:00:ff)');
  await session.shown('label', 'wlan0');
  await session.screenshot('network');
  await session.dark(true);
  await session.screenshot('network-dark');
  await session.dark(false);
  session.say({ do: 'network', network: { ...SAMPLE_NETWORK, zones: [], interfaces: SAMPLE_NETWORK.interfaces.slice(0, 1) } });
  await session.gone('label', 'wg0');
  await session.shown('label', 'No Zones Yet');
});

test('network page: a profile is chosen by hand, a refusal puts back what is, and the network decides again', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'network', network: SAMPLE_NETWORK });
  await session.connect();
  await openNetwork(session);
  await session.shown('label', 'In use: this is its network.');
  session.say({ do: 'refuse', call: 'setProfile', code: 'NotAuthorized', message: '' });
  await session.click('push button', 'Use', 1);
  await session.call('setProfile');
  await session.shown('label', 'You are not allowed to do this.');
  await session.shown('label', 'In use: this is its network.');
  session.say({ do: 'accept', call: 'setProfile' });
  await session.click('push button', 'Use', 1);
  assert.deepEqual((await session.call('setProfile')).args, ['travel']);
  await session.shown('label', 'In use, chosen by hand until this computer restarts.');
  await session.click('push button', 'Use');
  assert.deepEqual((await session.call('setProfile')).args, ['']);
  await session.shown('label', 'In use: this is its network.');
});

test('network page: nothing there, not allowed, not connected, and back again', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'network', network: NO_NETWORK });
  session.say({ do: 'refuse', call: 'listInterfaces', code: 'NotAuthorized', message: '' });
  await session.connect();
  await openNetwork(session);
  await session.shown('label', 'Not Allowed');
  session.say({ do: 'accept', call: 'listInterfaces' });
  await session.click('push button', 'Unlock…');
  await session.shown('label', 'No Network Interfaces');
  await session.shown('label', 'No Profiles Yet');
  await session.screenshot('network-empty');
  session.say({ do: 'connected', connected: false });
  await session.shown('label', 'This page returns when the firewall service is back.');
  session.say({ do: 'network', network: SAMPLE_NETWORK });
  session.say({ do: 'connected', connected: true });
  await session.shown('label', 'wlan0');
});

test('network page: hostile names are shown harmlessly, and thousands of interfaces in part', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  const [first] = SAMPLE_NETWORK.interfaces;
  assert.ok(first !== undefined);
  const many = Array.from({ length: 500 }, (_, index) => ({ ...first, name: `veth${String(index)}` }));
  session.say({ do: 'network', network: {
    ...SAMPLE_NETWORK, interfaces: [{ ...first, name: '<b>&\u{202e}x' }, ...many],
    state: { ...SAMPLE_NETWORK.state, connections: ['<span size="99999">Cafe\n</span>'] },
  } });
  await session.connect();
  await openNetwork(session);
  await session.shown('label', '<b>&\\u{202e}x');
  await session.shown('label', '<span size="99999">Cafe\\u{a}</span>');
  await session.shown('label', '401 more are listed by “bastionctl network interfaces”.');
  session.say({ do: 'stall' });
  await session.call('stall');
  session.say({ do: 'network', network: { ...SAMPLE_NETWORK, interfaces: many } });
  await session.shown('label', '400 more are listed by “bastionctl network interfaces”.');
  session.say({ do: 'stall' });
  const [worst] = (await session.call('stall')).args;
  t.diagnostic(`most work at one stretch: ${String(worst)} ms`);
});

test('network page: 360 pixels and large text', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [], textScale: 2 });
  session.say({ do: 'network', network: SAMPLE_NETWORK });
  await session.connect();
  await session.resize('Bastion Firewall', 360, 950);
  await openNetwork(session);
  await session.shown('label', 'wlan0');
  await session.screenshot('network-narrow-large');
});

test('network page: a zone has a page with its members, its sets with their content, and the rules that name it', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'network', network: FULL_NETWORK });
  await session.connect();
  await session.resize('Bastion Firewall', 900, 950);
  await openNetwork(session);
  await session.shown('label', 'wired  ·  switched off  ·  zone home\nThe address 192.0.2.60 of bastion.toml is not on it.');
  await session.shown('label', 'Not running. Its containers appear here once /run/podman/podman.sock is there; another path can be set under [containers] in bastion.toml.');
  await session.shown('label', 'restic/restic:0.17  ·  paused  ·  in no zone\nUses the network of this computer');
  await session.focusInto('list item', 'home', 'Tab', 40);
  await session.key('Return');
  await session.shown('label', 'Secure shell (ssh)');
  await session.shown('label', 'Ports 80 and 443 for nginx, from 192.168.0.0/16');
  await session.shown('label', '172.17.0.9\n192.0.2.57');
  await session.shown('label', MAKE_SET);
  await session.screenshot('network-zone');
  await session.dark(true);
  await session.screenshot('network-zone-dark');
  await session.dark(false);
  session.say({ do: 'network', network: withZone(FULL_NETWORK, 'home', { sets: [{ ...GOOD_SET, elements: [...GOOD_SET.elements, '192.0.2.99'] }] }) });
  await session.shown('label', '172.17.0.9\n192.0.2.57\n192.0.2.99');
  await session.gone('label', MAKE_SET);
  await session.click('push button', 'Add a rule for this zone');
  await session.shown('frame', 'New Rule');
  await session.focus('New Rule');
  await session.key('Escape');
  await session.gone('frame', 'New Rule');
  session.say({ do: 'network', network: { ...FULL_NETWORK, zones: FULL_NETWORK.zones.slice(1) } });
  await session.shown('label', 'This zone is not there any more.');
  await session.shown('label', 'Containers');
});

test('network page: without a zone the lines that make one can be copied, and an engine that may not be opened says so', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  const [wlan] = FULL_NETWORK.interfaces;
  assert.ok(wlan !== undefined);
  session.say({ do: 'network', network: {
    ...NO_NETWORK, interfaces: [{ ...wlan, zone: '' }],
    state: { ...NO_NETWORK.state, engines: [
      { engine: 'docker', socket: '/run/docker.sock', state: 'forbidden', problem: '' },
      { engine: 'podman', socket: '/run/podman/podman.sock', state: 'failing', problem: '/run/podman/podman.sock does not answer in time.' },
    ] },
  } });
  await session.connect();
  await openNetwork(session);
  await session.shown('label', '[[interface]]\nname = "wlan0"\nzone = "home"');
  await session.click('push button', 'Copy');
  await session.shown('label', 'Copied');
  await session.shown('label', '/run/docker.sock cannot be opened: the firewall service is not allowed to.');
  await session.shown('label', '/run/podman/podman.sock does not answer in time.\nIt is tried again by itself.');
});

test('network page: of 500 containers a part is shown, and news of them leave the keyboard where it is', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  const containers = Array.from({ length: 500 }, (_, index) => containerOf(index));
  session.say({ do: 'network', network: FULL_NETWORK });
  await session.connect();
  await openZone(session, 'home');
  await session.shown('label', 'shop');
  await session.focus('Bastion Firewall');
  await session.focusInto('push button', 'Edit…', 'Tab', 20);
  const names = containers.map(({ name }) => name);
  session.say({ do: 'network', network: { ...withZone(FULL_NETWORK, 'home', { containers: names }), containers } });
  await session.shown('label', '402 more are listed by “bastionctl network zones”.');
  await session.focused('push button', 'Edit…');
  session.say({ do: 'network', network: { ...FULL_NETWORK, containers: containers.slice(0, 300) } });
  await session.gone('label', '402 more are listed by “bastionctl network zones”.');
  await session.focused('push button', 'Edit…');
  await session.key('alt+Left');
  await session.shown('label', '200 more are listed by “bastionctl network containers”.');
});

test('network page: from a zone the keyboard leads to the rules that name it', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'network', network: withZone(FULL_NETWORK, 'work', { used_by: ['ssh-work'] }) });
  session.say({ do: 'rules', rules: [ruleInfoOf({ id: 'ssh-work', path: '/usr/bin/ssh', zone: 'work' }), ruleInfoOf({ id: 'other', path: '/usr/bin/curl' })] });
  await session.connect();
  await openZone(session, 'work');
  await session.focus('Bastion Firewall');
  await session.focusInto('list item', '1 rule names it.', 'Tab', 20);
  await session.key('Return');
  await session.shown('push button', 'ssh may reach any host for encrypted web (443), in the zone work.');
  await session.gone('push button', 'curl may reach any host for encrypted web (443).');
});

test('network page: a container leads to the editor with a rule for it', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'network', network: { ...NO_NETWORK, containers: [containerOf(1, { name: 'shop' })] } });
  await session.connect();
  await openNetwork(session);
  await session.shown('label', 'shop');
  await session.click('push button', 'Make a Rule…');
  await session.shown('frame', 'New Rule');
  await session.focus('New Rule');
  await session.screenshot('network-container-rule');
  await session.click('push button', 'Save');
  assert.equal(((await session.call('addRule')).args[0] as { readonly container?: string }).container, 'shop');
});
