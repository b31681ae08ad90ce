/** bastionctl network. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networkFindings } from '../../helper/ctl/doctor/network.ts';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { NetworkContainer, NetworkSet } from '../../helper/contract/types.ts';
import { ScriptedClient, bastionctl } from './ctl-support.ts';

function client(): ScriptedClient {
  const made = new ScriptedClient();
  made.interfaces = [
    {
      name: 'eth0', kind: 'ethernet', up: true, connected: true, mac: '02:00:00:00:00:01', zone: 'home', addresses_left_out: 2,
      addresses: [{ address: '192.0.2.7', prefix: 24, scope: 'global', dynamic: true, temporary: false, deprecated: false }],
    },
    { name: 'eth1', kind: 'ethernet', up: false, connected: false, mac: '', zone: '', addresses: [] },
    { name: 'wg0\u{1b}[2J', kind: 'tunnel', up: true, connected: false, mac: '', zone: '', addresses: [] },
  ];
  made.zones = [{ id: 'home', patterns: ['eth*'], interfaces: ['eth0'], addresses: ['192.0.2.7/24'], used_by: ['ssh-home'] }];
  made.networkState = { connections: ['Home'], ssids: [], gateways: [{ address: '192.0.2.1', mac: '02:00:00:00:00:ff' }], profile: 'home' };
  return made;
}

test('network: interfaces with state, zone and addresses; control characters do nothing', async () => {
  const { stdout, exitCode } = await bastionctl(['network', 'interfaces'], client());
  assert.equal(exitCode, 0);
  const lines = stdout.trimEnd().split('\n').map((line) => line.replaceAll(/ +/g, ' ').trim());
  assert.deepEqual(lines.slice(0, 3), [
    'INTERFACE KIND STATE ZONE ADDRESSES', 'eth0 ethernet connected home 192.0.2.7/24, and 2 more', 'eth1 ethernet off -- --',
  ]);
  assert.ok(!stdout.includes('\u{1b}'));
});

test('network: what is wrong with an interface stands beside its addresses', async () => {
  const made = client();
  made.interfaces = made.interfaces.slice(0, 1).map((one) => ({ ...one, problem: 'The address 192.0.2.9 is missing.' }));
  const { stdout } = await bastionctl(['network'], made);
  assert.match(stdout.replaceAll(/\s+/g, ' '), /192\.0\.2\.7\/24, and 2 more - The address 192\.0\.2\.9 is missing\./);
});

test('network: JSON has stable keys', async () => {
  const { stdout } = await bastionctl(['network', 'interfaces', '--json'], client());
  const [first] = JSON.parse(stdout) as Record<string, unknown>[];
  assert.deepEqual(Object.keys(first ?? {}), ['name', 'kind', 'up', 'connected', 'mac', 'zone', 'addresses', 'addresses_left_out', 'problem']);
});

test('network: zones and the current network; nothing is said as such', async () => {
  assert.match((await bastionctl(['network', 'zones'], client())).stdout, /^home +eth\* +eth0 +-- +off +ssh-home$/m);
  assert.match((await bastionctl(['network', 'zones'])).stdout, /^There are no zones\./);
  const current = (await bastionctl(['network', 'current'], client())).stdout;
  assert.match(current, /Gateways: +192\.0\.2\.1 \(02:00:00:00:00:ff\)\n/);
  assert.match(current, /Wireless networks: none\n/);
});

const MISSING: NetworkSet = {
  name: 'inet filter home_ips', version: 4, state: 'missing', problem: 'There is no such set; make it with: nft add set inet filter home_ips', elements: [], others: 0,
};
const FILLED: NetworkSet = { name: 'inet filter home_ips6', version: 6, state: 'current', problem: '', elements: ['2001:db8::7', '2001:db8::8'], others: 1 };
const WEB: NetworkContainer = {
  engine: 'docker', id: 'a1'.repeat(32), name: 'web\u{1b}[2J', image: 'nginx:1', state: 'running', zone: 'home', host_network: false, addresses: ['bridge 172.17.0.2/16'],
};

function withSets(): ScriptedClient {
  const made = client();
  made.zones = [{
    id: 'home', patterns: ['eth*'], interfaces: ['eth0'], addresses: [], used_by: [], containers: ['web'], sets: [MISSING, FILLED],
    inbound: 'deny', inbound_allow: [{ service: 'ssh' }, { port: '80,443', protocol: 'tcp', application: '/usr/sbin/nginx', from: '192.168.0.0/16' }],
  }];
  made.containers = [WEB, { ...WEB, name: 'host', engine: 'podman', zone: '', host_network: true, addresses: [] }];
  return made;
}

test('network: sets with what is in them, and below them what mends the one that is missing', async () => {
  const { stdout } = await bastionctl(['network', 'sets'], withSets());
  assert.match(stdout, /^home +inet filter home_ips +missing +0 +--$/m);
  assert.match(stdout, /^home +inet filter home_ips6 +current +1 +2001:db8::7, 2001:db8::8$/m);
  assert.match(stdout, /^inet filter home_ips: There is no such set; make it with: nft add set inet filter home_ips$/m);
  assert.match((await bastionctl(['network', 'sets'])).stdout, /^No sets are kept\. Write a \[\[zone\]\]/);
  const zones = await bastionctl(['network', 'zones'], withSets());
  assert.match(zones.stdout, /^inet filter home_ips: There is no such set/m);
  assert.match(zones.stdout, /deny, but ssh 80,443\/tcp@192\.168\.0\.0\/16=\/usr\/sbin\/nginx/);
  assert.doesNotMatch(zones.stdout, /refused/);
  const json = JSON.parse((await bastionctl(['network', 'sets', '--json'], withSets())).stdout) as Record<string, unknown>[];
  assert.deepEqual(json.map((row) => Object.keys(row)), Array.from({ length: 2 }, () => ['zone', 'name', 'version', 'state', 'problem', 'elements', 'others']));
});

test('network: what a zone has refused is in its row and in JSON, where it is 0 for none', async () => {
  const made = withSets();
  const keys = ['id', 'patterns', 'interfaces', 'addresses', 'used_by', 'containers', 'sets', 'inbound', 'inbound_allow', 'inbound_refused'];
  const rows = async (): Promise<Record<string, unknown>[]> => (
    JSON.parse((await bastionctl(['network', 'zones', '--json'], made)).stdout) as Record<string, unknown>[]
  );
  const [none] = await rows();
  assert.deepEqual([Object.keys(none ?? {}), none?.['inbound_refused']], [keys, 0]);
  made.zones = made.zones.map((zone) => ({ ...zone, inbound_allow: [{ service: 'ssh' }], inbound_refused: 1234 }));
  assert.equal((await rows())[0]?.['inbound_refused'], 1234);
  assert.match((await bastionctl(['network', 'zones'], made)).stdout, / deny, but ssh; 1234 refused /);
});

test('network: containers; without one, where they were looked for and what keeps them from being seen', async () => {
  const { stdout } = await bastionctl(['network', 'containers'], withSets());
  assert.match(stdout, /^web\\x1b\[2J +docker +nginx:1 +running +home +bridge 172\.17\.0\.2\/16$/m);
  assert.match(stdout, /^host +podman .*those of the machine$/m);
  const none = client();
  none.networkState = { ...none.networkState, engines: [
    { engine: 'docker', socket: '/run/docker.sock', state: 'absent', problem: '' },
    { engine: 'podman', socket: '/run/podman/podman.sock', state: 'forbidden', problem: 'It may not be opened.' },
  ] };
  const empty = (await bastionctl(['network', 'containers'], none)).stdout;
  assert.match(empty, /^There are no containers\.\nDocker is looked for at \/run\/docker\.sock, where there is no socket\. .*\nPodman at \/run\/podman\/podman\.sock: It may not be opened\.\n$/);
  assert.match((await bastionctl(['network', 'engines'], none)).stdout, /^podman +forbidden +\/run\/podman\/podman\.sock +It may not be opened\.$/m);
  assert.match((await bastionctl(['network', 'containers'])).stdout, /switches both engines off/);
  const [first] = JSON.parse((await bastionctl(['network', 'containers', '--json'], withSets())).stdout) as Record<string, unknown>[];
  assert.deepEqual(Object.keys(first ?? {}), ['engine', 'id', 'name', 'image', 'state', 'zone', 'host_network', 'addresses']);
});

test('network: inbound keeps what is let in unless it is said anew, and says who really judges', async () => {
  const made = withSets();
  const kept = await bastionctl(['network', 'inbound', 'home', 'deny'], made);
  assert.match(kept.stdout, /^Inbound of zone home: deny, but ssh 80,443\/tcp@/);
  await bastionctl(['network', 'inbound', 'home', 'deny', '--allow', 'mdns 22 6000-6010/udp@2001:db8::/32'], made);
  await bastionctl(['network', 'inbound', 'home', 'allow', '--allow', ''], made);
  assert.deepEqual(made.calls.filter(([name]) => name === 'setInbound').map(([, , ...args]) => args), [
    ['deny', [{ service: 'ssh' }, { port: '80,443', protocol: 'tcp', application: '/usr/sbin/nginx', from: '192.168.0.0/16' }]],
    ['deny', [{ service: 'mdns' }, { port: '22' }, { port: '6000-6010', protocol: 'udp', from: '2001:db8::/32' }]],
    ['allow', []],
  ]);
  made.networkState = { ...made.networkState, inbound_by: 'ufw' };
  assert.match((await bastionctl(['network', 'inbound', 'home', 'deny'], made)).stderr, /ufw is active and judges/);
  assert.equal((await bastionctl(['network', 'inbound', 'home', 'maybe'], made)).exitCode, 2);
  assert.equal((await bastionctl(['network', 'inbound', 'home', 'deny', '--allow', '22/sctp'], made)).exitCode, 2);
  assert.equal((await bastionctl(['network', 'inbound', 'attic', 'deny'], made)).exitCode, 1);
});

test('doctor: a missing set, an engine that may not be asked and inbound that nobody enforces are findings', async () => {
  const made = withSets();
  made.networkState = { ...made.networkState, inbound_by: 'firewalld', engines: [
    { engine: 'docker', socket: '/run/docker.sock', state: 'forbidden', problem: 'It may not be opened.' }, { engine: 'podman', socket: '/p', state: 'absent', problem: '' },
  ] };
  const findings = await networkFindings(made);
  assert.deepEqual(findings.map(({ name, result }) => `${result} ${name}`), ['failed set inet filter home_ips', 'failed docker', 'unknown inbound']);
  assert.match(findings[0]?.detail ?? '', /nft add set/);
  assert.deepEqual(await networkFindings(new ScriptedClient() as unknown as HelperClient), []);
});
