/** What methods of the service return and refuse, and what their dialogs say, on an engine in memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WIRE_LIMITS } from '../../helper/contract/names.ts';
import { Variant } from '../../helper/contract/transport.ts';
import type { FlowRecord, ProfileView } from '../../helper/engine-api.ts';
import type { HistoryTotal } from '../../helper/ports.ts';
import { flowRow } from '../../helper/service/activity.ts';
import { helperInterface } from '../../helper/service/helper.ts';
import { Insights } from '../../helper/service/insight.ts';
import type { Call, ServedInterface } from '../../helper/service/method.ts';
import { networkInterfaceOf } from '../../helper/service/network.ts';
import { rulesInterface } from '../../helper/service/rules.ts';
import type { Control } from '../../helper/service/service.ts';
import { applicationName, protocolWord } from '../../helper/service/text.ts';
import { historyRows, totalsRows, totalsWanted } from '../../helper/service/totals.ts';
import { UNKNOWN_UID, inRange } from '../../helper/service/wire-types.ts';
import { MemoryEngine, MemoryInsight, flowRecord, ruleRow, trafficTotal } from '../contract/memory-engine.ts';
import { ETH0, MemoryNetwork } from '../contract/memory-network.ts';

const ROOT = { name: ':1.5', uid: 0, pid: 50 };
const CALL: Call = { caller: ROOT, action: null, allows: () => Promise.resolve(true) };

/** Values without the types that they have on the wire. */
function plain(value: unknown): unknown {
  if (value instanceof Variant) return plain(value.value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
}

async function ask(served: ServedInterface, member: string, ...body: readonly unknown[]): Promise<readonly unknown[]> {
  const method = served.methods[member];
  assert.ok(method !== undefined, member);
  const prepared = method.prepare(body);
  return (await prepared.run(CALL)).map(plain);
}

function subject(served: ServedInterface, member: string, ...body: readonly unknown[]): string | undefined {
  return served.methods[member]?.prepare(body).details(ROOT)['subject'];
}

const control: Control = {
  version: '3.0.0', off: () => Promise.resolve(), reload: () => Promise.resolve([]), selfTest: () => Promise.resolve([]),
  setLogLevel: () => undefined, setPacketTrace: () => undefined, loadErrors: () => [], lists: { states: () => [], update: () => undefined },
  importRules: () => Promise.reject(new Error('not here')), exportRules: () => Promise.reject(new Error('not here')),
};

class ProfiledEngine extends MemoryEngine {
  chosen: (string | null)[] = [];

  override profiles(): readonly ProfileView[] {
    return [{ id: 'home', name: 'Home', active: true, chosen: false, recognized: true, isDefault: false, hasNetwork: true }];
  }

  override activeProfile(): string {
    return 'home';
  }

  override chooseProfile(id: string | null): void {
    this.chosen.push(id);
  }
}

function historyTotal(change: Partial<HistoryTotal>): HistoryTotal {
  return {
    timeMs: null, path: '/usr/bin/curl', forwardedFrom: '', uid: 1000, others: null, target: null, port: null, protocol: null, allowed: 2, refused: 1,
    sentBytes: 10, sentPackets: 1, receivedBytes: 20, receivedPackets: 2, ...change,
  };
}

test('profiles are listed, and chosen by id or left to the network', async () => {
  const engine = new ProfiledEngine();
  const helper = helperInterface(engine, control, { bootNs: () => 0n, wallMs: () => 0 });
  assert.deepEqual(await ask(helper, 'Profiles'), [[{
    id: 'home', name: 'Home', active: true, chosen: false, recognized: true, is_default: false, has_network: true,
  }]]);
  await ask(helper, 'SetProfile', 'home');
  await ask(helper, 'SetProfile', '');
  assert.deepEqual(engine.chosen, ['home', null]);
  assert.deepEqual([subject(helper, 'SetProfile', 'home'), subject(helper, 'SetProfile', '')], ['profile home', 'profile of the network']);
});

test('a group is switched as a whole, and its dialog says which and how', async () => {
  const engine = new MemoryEngine();
  engine.rows.set('a', { ...ruleRow('a'), group: 'games' });
  const rules = rulesInterface(engine, control, new Insights(new MemoryInsight()));
  await ask(rules, 'SetGroup', 'games', false);
  assert.deepEqual(engine.done.filter((one) => one.startsWith('group')), ['group games false']);
  await assert.rejects(ask(rules, 'SetGroup', 'none', true), { code: 'NotFound' });
  assert.deepEqual([subject(rules, 'SetGroup', 'games', true), subject(rules, 'SetGroup', 'games', false)], ['switch group on: games', 'switch group off: games']);
  assert.equal(subject(rules, 'Import', 'ufw', 'abc', true), 'look at 3 characters of ufw');
  assert.equal(subject(rules, 'Import', '', 'abc', false), 'import 3 characters');
});

test('zones tell their containers, sets, rules and what inbound refused; containers their addresses', async () => {
  const engine = new ProfiledEngine();
  engine.rows.set('lan', { ...ruleRow('lan'), zone: 'home' });
  engine.rows.set('web', ruleRow('web'));
  const network = new MemoryNetwork();
  const id = 'a'.repeat(64);
  network.running = [{
    engine: 'docker', id, name: 'web', image: 'nginx:latest', state: 'running', zone: 'home', hostNetwork: false,
    addresses: [{ network: 'bridge', address: '172.17.0.2', prefixLength: 16 }],
  }];
  network.zoneViews = [{
    id: 'home', patterns: ['eth*'], interfaces: [ETH0], containers: network.running, inboundRefused: 3, inbound: { policy: 'deny', allow: [] },
    sets: [{ family: 'inet', table: 'mine', set: 'lan', version: 4, state: 'current', problem: '', elements: ['192.0.2.0/24'], others: 1 }],
  }];
  const served = networkInterfaceOf(engine, network);
  const [zones] = await ask(served, 'ListZones', 0, '') as [readonly Readonly<Record<string, unknown>>[]];
  assert.deepEqual([zones[0]?.['used_by'], zones[0]?.['containers'], zones[0]?.['inbound_refused'], zones[0]?.['addresses']], [
    ['lan'], ['web'], 3n, ['192.0.2.7/24', '2001:db8::7/64'],
  ]);
  assert.deepEqual(zones[0]?.['sets'], [{ name: 'inet mine lan', version: 4, state: 'current', problem: '', elements: ['192.0.2.0/24'], others: 1 }]);
  const [containers] = await ask(served, 'ListContainers', 0, '') as [readonly Readonly<Record<string, unknown>>[]];
  assert.deepEqual(containers[0]?.['addresses'], ['bridge 172.17.0.2/16']);
  const [state] = await ask(served, 'Current') as [Readonly<Record<string, unknown>>];
  assert.equal(state['profile'], 'home');
  network.zoneViews = [];
  assert.deepEqual(await ask(served, 'ListZones', 0, ''), [[], '']);
});

test('an interface says what is wrong with it, and how many addresses are left out', async () => {
  const network = new MemoryNetwork();
  network.links = [{ ...ETH0, addressesLeftOut: 2, problem: 'It could not be read.' }];
  const [rows] = await ask(networkInterfaceOf(new MemoryEngine(), network), 'ListInterfaces', 1, '') as [readonly Readonly<Record<string, unknown>>[]];
  assert.deepEqual([rows[0]?.['addresses_left_out'], rows[0]?.['problem']], [2, 'It could not be read.']);
});

test('inbound of a zone is set to what there is, and to nothing else', async () => {
  const network = new MemoryNetwork();
  const served = networkInterfaceOf(new MemoryEngine(), network);
  await ask(served, 'SetInbound', 'home', 'deny', []);
  await assert.rejects(ask(served, 'SetInbound', 'home', 'everything', []), { code: 'InvalidArgument' });
  assert.deepEqual(network.inbound, [['home', { policy: 'deny', allow: [] }]]);
  assert.equal(subject(served, 'SetInbound', 'home', 'deny', []), 'inbound of zone home: deny');
});

test('sums beyond a page are one row, which names a user only where all are of one', () => {
  const engine = new MemoryEngine();
  const many = WIRE_LIMITS.pageRows + 9;
  engine.traffic.push(...Array.from({ length: many }, (_, index) => trafficTotal(`/usr/bin/p${String(index)}`, 1000, 5)));
  const alike = totalsRows(engine, null);
  assert.equal(alike.length, WIRE_LIMITS.pageRows);
  assert.deepEqual([alike.at(-1)?.application, alike.at(-1)?.uid, alike.at(-1)?.others], ['Other programs', 1000, 10]);
  engine.traffic.push(trafficTotal(null, null, 5));
  const mixed = totalsRows(engine, null).at(-1);
  assert.deepEqual([mixed?.uid, mixed?.user, mixed?.others], [UNKNOWN_UID, '', 11]);
  assert.equal(totalsRows(engine, 1000).at(-1)?.others, 10);
});

test('sums of the history name programs, who was forwarded, destinations and the rest', async () => {
  const engine = new MemoryEngine();
  engine.sums.push(
    historyTotal({}),
    historyTotal({ path: '' }),
    historyTotal({ path: '', forwardedFrom: 'lab guest' }),
    historyTotal({ path: '', others: 4, uid: null }),
    historyTotal({ path: null, timeMs: 60_000 }),
    historyTotal({ target: 'example.org', port: 443, protocol: 6 }),
    historyTotal({ target: '192.0.2.1' }),
  );
  const rows = await historyRows(engine, { range: 'day', by: 'application' }, { uid: null });
  assert.deepEqual(rows.map(({ application, user }) => [application, user]), [
    ['curl', 'alice'], ['An unknown program', 'alice'], ['lab guest', 'alice'], ['Other programs', ''], ['', 'alice'], ['curl', 'alice'], ['curl', 'alice'],
  ]);
  assert.deepEqual(rows.map(({ others, time_ms: timeMs }) => [others, timeMs]).slice(3, 5), [[4, undefined], [undefined, 60_000]]);
  assert.deepEqual(rows.slice(5).map(({ destination, port, protocol }) => [destination, port, protocol]), [['example.org', 443, 'tcp'], ['192.0.2.1', 0, '']]);
});

test('sums that nobody keeps are told apart from those of the helper itself', () => {
  assert.equal(totalsWanted('helper', 'application'), null);
  assert.deepEqual(totalsWanted('hour', 'minute'), { range: 'hour', by: 'minute' });
  for (const [range, by] of [['helper', 'destination'], ['toString', 'application'], ['year', 'day'], ['month', 'hour']] as const) {
    assert.throws(() => totalsWanted(range, by), { code: 'NotSupported' }, `${range} ${by}`);
  }
});

test('a recorded flow of which little is known is told without what is not known', () => {
  const record: FlowRecord = flowRecord('f1', 1000);
  const bare = flowRow({ ...record, path: null, uid: null, pid: null, host: null, decision: { ...record.decision, ruleId: null } });
  assert.deepEqual([bare.application, bare.path, bare.uid, bare.pid, bare.host, bare.rule_id], ['An unknown program', '', UNKNOWN_UID, 0, '', '']);
  const ended = flowRow({ ...record, endedMs: 5 });
  assert.deepEqual([ended.ended_ms, ended.sent_bytes, ended.received_bytes], [5, 0, 0]);
  const forwarded = flowRow({ ...record, forwardedFrom: 'lab guest', containers: [{ name: 'web', image: 'nginx' }] as unknown as NonNullable<FlowRecord['containers']> });
  assert.deepEqual([forwarded.application, forwarded.forwarded_from, forwarded.direction, forwarded.container], ['lab guest', 'lab guest', undefined, 'web']);
  assert.equal(flowRow({ ...record, answersPeer: true }).direction, 'in');
});

test('names for people: long ones are cut, protocols without a name keep their number', () => {
  assert.equal(applicationName(`/usr/bin/${'x'.repeat(WIRE_LIMITS.stringLength + 5)}`).length, WIRE_LIMITS.stringLength);
  assert.deepEqual([applicationName(null), applicationName('/usr/bin/'), protocolWord(58), protocolWord(132)], ['An unknown program', 'An unknown program', 'icmp', '132']);
  assert.throws(() => inRange(9, 1, 8, 'seconds'), { code: 'InvalidArgument', message: 'seconds: expected a whole number from 1 to 8' });
});
