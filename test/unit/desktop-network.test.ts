/** What the network page says of zones, their sets, containers and connections from outside, without the toolkit. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerRow, engineRow } from '../../desktop/model/container-text.ts';
import { allowDetail, allowTitle, blockWarning, inboundLine, isRemote, letsShellIn, otherFirewall } from '../../desktop/model/inbound.ts';
import { allowOf, checkInbound, inboundForm, sameAllow } from '../../desktop/model/inbound-form.ts';
import { interfaceRow, zoneExample, zoneRow } from '../../desktop/model/network-text.ts';
import { setText, splitProblem } from '../../desktop/model/zone-text.ts';
import type { InboundAllow } from '../../helper/contract/types.ts';
import { FULL_NETWORK, GOOD_SET, MAKE_SET, MISSING_SET, containerOf } from '../desktop/network-samples.ts';

const nobody = (): null => null;

test('inbound: what is let in is said in plain words, with the exact ones beside them', () => {
  const cases: readonly (readonly [InboundAllow, string, string])[] = [
    [{ service: 'ssh' }, 'Secure shell (ssh)', ''],
    [{ service: 'other' }, 'The service other', ''],
    [{ port: '80, 443', protocol: 'tcp', application: '/usr/sbin/nginx', from: '192.168.0.0/16' }, 'Ports 80 and 443 for nginx, from 192.168.0.0/16', 'TCP  ·  /usr/sbin/nginx'],
    [{ port: '631', protocol: 'tcp' }, 'Port 631', 'printing (631)'],
    [{ port: '6000-6010' }, 'Ports 6000-6010', 'TCP and UDP'],
    [{ application: '/usr/bin/syncthing' }, 'Any port for syncthing', 'TCP and UDP  ·  /usr/bin/syncthing'],
    [{ service: 'x\u{202e}', from: '2001:db8::/32' }, 'The service x\\u{202e}, from 2001:db8::/32', ''],
  ];
  for (const [allow, title, detail] of cases) assert.deepEqual([allowTitle(allow, nobody), allowDetail(allow)], [title, detail]);
});

test('inbound: a person who could shut himself out is warned, and only then', () => {
  const off = { policy: 'off', allow: [] } as const;
  const shut = { policy: 'deny', allow: [{ port: '80', protocol: 'tcp' }] } as const;
  const open = { policy: 'deny', allow: [{ service: 'ssh' }] } as const;
  assert.equal(blockWarning('wan', off, shut, false)?.lacksShell, true);
  assert.equal(blockWarning('wan', off, open, false), null);
  assert.equal(blockWarning('wan', off, open, true)?.lacksShell, false);
  assert.equal(blockWarning('wan', open, shut, false)?.lacksShell, true);
  assert.equal(blockWarning('wan', shut, shut, true), null);
  assert.equal(blockWarning('wan', shut, off, true), null);
});

test('inbound: secure shell is let in only by what lets it in from anywhere', () => {
  const lets = (...allow: readonly InboundAllow[]): boolean => letsShellIn({ policy: 'deny', allow });
  for (const one of [{ service: 'ssh' }, { port: '22' }, { port: '20-30', protocol: 'tcp' }, { application: '/usr/sbin/sshd' }, { port: '22', application: '/usr/sbin/sshd' }]) {
    assert.ok(lets(one), JSON.stringify(one));
  }
  for (const one of [{ service: 'http' }, { port: '22', protocol: 'udp' }, { service: 'ssh', from: '192.0.2.7' }, { port: '222' }, { application: '/usr/bin/nc' }]) {
    assert.ok(!lets(one), JSON.stringify(one));
  }
});

test('inbound: a session at another computer is known by its environment', () => {
  assert.ok(isRemote({ SSH_CONNECTION: '192.0.2.9 5 192.0.2.1 22' }));
  assert.ok(isRemote({ DISPLAY: 'localhost:10.0' }));
  assert.ok(!isRemote({ DISPLAY: ':0', WAYLAND_DISPLAY: 'wayland-0', SSH_CONNECTION: '' }));
  assert.ok(!isRemote({ DISPLAY: '/tmp/launch/org.x:0' }));
});

test('inbound: the form gives back what it was filled with, and says what is wrong with it', () => {
  for (const allow of [{ service: 'ssh' }, { port: '80,443', protocol: 'tcp', from: '192.0.2.0/24' }, { application: '/usr/bin/x' }, { protocol: 'udp', from: '::1' }]) {
    assert.deepEqual(allowOf(inboundForm(allow)), allow);
  }
  assert.deepEqual(allowOf({ ...inboundForm(null), kind: 'ports', port: ' 80 , 443 ', protocol: '' }), { port: '80,443' });
  assert.ok(sameAllow({ port: '80, 443' }, { port: '80,443', from: '' }));
  const faults = (change: Partial<ReturnType<typeof inboundForm>>): readonly string[] => [...checkInbound({ ...inboundForm(null), ...change }).keys()];
  assert.deepEqual(faults({}), []);
  assert.deepEqual(faults({ kind: 'ports', port: '0' }), ['port']);
  assert.deepEqual(faults({ kind: 'ports', port: '' }), ['port']);
  assert.deepEqual(faults({ kind: 'any' }), ['application']);
  assert.deepEqual(faults({ kind: 'any', from: '192.0.2.1' }), []);
  assert.deepEqual(faults({ application: 'sshd', from: '192.0.2.1/33' }), ['application', 'from']);
});

test('inbound: another firewall is named with the command that takes it out', () => {
  assert.deepEqual([otherFirewall('bastion'), otherFirewall('nobody'), otherFirewall(undefined)], [null, null, null]);
  assert.equal(otherFirewall('firewalld')?.command, 'sudo systemctl disable --now firewalld');
  assert.equal(inboundLine({ policy: 'deny', allow: [] }, 'ufw'), 'ufw judges connections from outside.');
  assert.equal(inboundLine({ policy: 'deny', allow: [{ service: 'ssh' }] }, 'bastion'), 'New connections from outside are blocked, with 1 exception.');
  assert.equal(inboundLine({ policy: 'off', allow: [] }, 'ufw'), '');
});

test('network: a set says its state and what it holds, and a missing one the command that makes it', () => {
  assert.deepEqual(setText(GOOD_SET), {
    icon: 'object-select-symbolic', title: 'inet filter home_ips', state: 'IPv4, up to date, 2 entries\n1 entry was put there by others.',
    content: '172.17.0.9\n192.0.2.57', command: '', isWrong: false,
  });
  const missing = setText(MISSING_SET);
  assert.deepEqual([missing.isWrong, missing.command], [true, MAKE_SET]);
  assert.match(missing.state, /^IPv6, there is no such set\nThere is no set inet filter home_ips6\. To make it:$/);
  const many = setText({ ...GOOD_SET, elements: Array.from({ length: 60 }, (_, index) => `192.0.2.${String(index)}`) });
  assert.equal(many.content.split('\n').at(-1), 'and 10 more');
  assert.deepEqual(splitProblem('nft is not installed.'), { sentence: 'nft is not installed.', command: '' });
});

test('network: a zone, an interface and an engine say what is wrong first', () => {
  const [home, work] = FULL_NETWORK.zones.map((zone) => zoneRow(zone, FULL_NETWORK.state));
  assert.deepEqual([home?.isWrong, work?.isWrong], [true, false]);
  assert.deepEqual(home?.text.split('\n'), [
    'wlan0 and eth0', '1 container', '192.0.2.57/24 and 2001:db8::b1c3:22ff/64', 'New connections from outside are blocked, with 2 exceptions.',
    '1 of its address sets cannot be kept.',
  ]);
  assert.deepEqual(FULL_NETWORK.interfaces.map((one) => interfaceRow(one).isWrong), [false, false, false, true]);
  const engine = { engine: 'podman', socket: '/run/p.sock', problem: 'It sent garbage.' } as const;
  assert.deepEqual((['connected', 'absent', 'forbidden', 'failing'] as const).map((state) => engineRow({ ...engine, state }).isWrong), [false, false, true, true]);
  assert.equal(engineRow({ ...engine, state: 'failing' }).text, 'It sent garbage.\nIt is tried again by itself.');
  assert.equal(engineRow({ ...engine, state: 'forbidden', problem: '' }).text, '/run/p.sock cannot be opened: the firewall service is not allowed to.');
});

test('network: a container says its image, its zone and its addresses, of many the first', () => {
  assert.deepEqual(containerRow(containerOf(1, { zone: 'dmz' })), {
    icon: 'package-x-generic-symbolic', title: 'web-1', text: 'nginx:1.27  ·  running  ·  zone dmz\nbridge 172.17.0.3/16', isWrong: false,
  });
  const addresses = Array.from({ length: 7 }, (_, index) => `net${String(index)} 10.0.0.${String(index)}/24`);
  assert.equal(containerRow(containerOf(1, { addresses })).text.split('\n').at(-1), '3 more addresses');
  assert.equal(containerRow(containerOf(1, { name: '', addresses: [] })).title, '0'.repeat(12));
  assert.equal(containerRow(containerOf(1, { name: 'a\u{202e}b' })).title, 'a\\u{202e}b');
});

test('network: the lines that make a zone name an interface that is there, and never one that could spoil the file', () => {
  const [wlan] = FULL_NETWORK.interfaces;
  assert.ok(wlan !== undefined);
  assert.equal(zoneExample([{ ...wlan, zone: '' }]), '[[interface]]\nname = "wlan0"\nzone = "home"');
  assert.equal(zoneExample([{ ...wlan, zone: '', name: 'a"\nmode = "off' }]), '[[interface]]\nname = "eth0"\nzone = "home"');
  assert.equal(zoneExample([]), '[[interface]]\nname = "eth0"\nzone = "home"');
});
