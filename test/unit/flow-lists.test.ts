/** Flows by filters, ids and sums: memory, SQLite and the desktop's live list have to agree. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { HISTORY_FILE } from '../../helper/adapters/history/schema.ts';
import fc from '../property.ts';
import { matchesFlow } from '../../desktop/model/flow-match.ts';
import { GroupSums, mostOf } from '../../helper/adapters/history/flow-groups.ts';
import type { HistoryStore } from '../../helper/adapters/history/store.ts';
import type { StoredFlow } from '../../helper/adapters/history/schema.ts';
import { programKey } from '../../helper/contract/program-key.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import type { FlowFilter } from '../../helper/contract/types.ts';
import { matchesFilter, programKeyOf } from '../../helper/engine/flow-filter.ts';
import { groupRecent } from '../../helper/engine/flow-groups.ts';
import type { FlowGroup, FlowGroups } from '../../helper/ports.ts';
import { flowRow } from '../../helper/service/activity.ts';
import { indexText } from '../../helper/service/flow-lists.ts';
import { historyFilter } from '../../helper/service/history-filter.ts';
import { NOW_MS, StoreRig, elsewhere, flow, flows } from './history-support.ts';

const PROGRAMS: readonly Partial<StoredFlow>[] = [
  { path: '/usr/bin/curl', identity: { path: '/usr/bin/curl', package: 'curl' } },
  { path: '/usr/bin/CURL', identity: { path: '/usr/bin/CURL' } },
  { path: '/usr/bin/python3', identity: { path: '/usr/bin/python3', interpreter: true, script: '/home/a/Curl.py', scriptEvidence: 'exec' } },
  { path: '/app/bin/fox', identity: { path: '/app/bin/fox', flatpak: 'org.example.Fox' } },
  { path: '/snap/x/1/x', identity: { path: '/snap/x/1/x', snap: 'x' } },
  { path: '/tmp/.mount/run', identity: { path: '/tmp/.mount/run', appImage: '/home/a/Tool.AppImage' } },
  { path: null, identity: { path: null } },
  { path: null, identity: { path: null }, forwardedFrom: 'Container 3f (docker)', uid: null },
];
const HOSTS = [null, 'example.org', 'www.example.org', 'curl.example.net'] as const;
const ADDRESSES = ['198.51.100.7', '2001:db8::443', '10.0.0.44'] as const;
const ACTIONS = ['allow', 'deny', 'drop', 'ask'] as const;

const arbitraryFlow = fc.record({
  program: fc.constantFrom(...PROGRAMS), host: fc.constantFrom(...HOSTS), address: fc.constantFrom(...ADDRESSES), port: fc.constantFrom(443, 53, 8),
  protocol: fc.constantFrom(6, 17, 1, 58, 47), action: fc.constantFrom(...ACTIONS), rule: fc.constantFrom(null, 'web', 'curl-443'), uid: fc.constantFrom(1000, 1001),
  ago: fc.nat(3), ended: fc.boolean(),
});

type Parts = typeof arbitraryFlow extends fc.Arbitrary<infer T> ? T : never;

function storedFlow(number: number, { program, host, address, port, protocol, action, rule, uid, ago, ended }: Parts): StoredFlow {
  return flow(number, {
    uid, host, names: host === null ? [] : [{ name: host, source: 'program' }], timeMs: NOW_MS - ago,
    tuple: { ...flow(0).tuple, destinationAddress: address, destinationPort: port, protocol, family: address.includes(':') ? 6 : 4 },
    decision: { action, reason: rule === null ? 'default-action' : 'rule', ruleId: rule },
    ...(ended ? { endedMs: NOW_MS, sentBytes: 10, receivedBytes: 20 } : {}), ...program,
  });
}

const arbitraryFilter: fc.Arbitrary<FlowFilter> = fc.record({
  uid: fc.constantFrom(1000, 1001), verdict: fc.constantFrom('allowed' as const, 'refused' as const), protocol: fc.constantFrom('tcp', 'udp', 'icmp', '47'),
  program: fc.constantFrom('path:/usr/bin/curl', 'path:/home/a/Curl.py', 'flatpak:org.example.Fox', 'snap:x', 'path:/home/a/Tool.AppImage', 'path:', 'from:Container 3f (docker)'),
  destination: fc.constantFrom('example.org', '198.51.100.7', '2001:db8::443'), since_ms: fc.constantFrom(NOW_MS - 1, NOW_MS), until_ms: fc.constantFrom(NOW_MS, NOW_MS + 1),
  search: fc.constantFrom('curl', 'CURL 443', 'fox', 'docker', 'example www', '44', 'web', 'tool', '"', 'program'),
}, { requiredKeys: [] });

describe('flows by filters', () => {
  const rig = new StoreRig();
  const { store } = rig.open();
  after(() => { rig.remove(); });

  const numbersOf = (one: HistoryStore, filter: FlowFilter, limit = 1000): readonly number[] => {
    const answer = one.ask({ kind: 'numbers', filter: historyFilter(filter, filter.uid), limit, before: Number.MAX_SAFE_INTEGER });
    return [...(answer as { readonly numbers: Float64Array }).numbers];
  };
  const groupsOf = (filter: FlowFilter, by: 'application' | 'destination', limit: number): FlowGroups =>
    store.ask({ kind: 'groups', filter: historyFilter(filter, filter.uid), by, limit }) as FlowGroups;
  let recorded: readonly StoredFlow[];
  before(() => {
    recorded = fc.sample(arbitraryFlow, { numRuns: 400, seed: 7 }).map((parts, number) => storedFlow(number, parts));
    store.add(recorded);
  });

  test('what is stored, what is in memory and what comes live match the same filters', () => {
    fc.assert(fc.property(arbitraryFilter, (filter) => {
      const wanted = historyFilter(filter, filter.uid);
      const inMemory = recorded.filter((one) => matchesFilter(one, wanted)).map(({ id }) => Number.parseInt(id.slice(1), 36)).reverse();
      assert.deepEqual(numbersOf(store, filter), inMemory);
      assert.deepEqual(recorded.filter((one) => matchesFlow(flowRow(one), filter)).map(({ id }) => Number.parseInt(id.slice(1), 36)).reverse(), inMemory);
    }), { numRuns: 300 });
  });

  test('sums of what is stored are those of what is in memory, and add up to all of it', () => {
    fc.assert(fc.property(arbitraryFilter, fc.constantFrom('application' as const, 'destination' as const), (filter, by) => {
      const wanted = historyFilter(filter, filter.uid);
      for (const limit of [3, 100]) {
        const { groups, sinceMs } = groupsOf(filter, by, limit);
        assert.deepEqual(groups, groupRecent(recorded, wanted, by, limit));
        assert.equal(groups.reduce((sum, one) => sum + one.allowed + one.refused, 0), numbersOf(store, filter).length);
        assert.equal(sinceMs, 0);
        assert.ok(groups.length <= limit);
      }
    }), { numRuns: 100 });
  });

  test('a group is found again by its key', () => {
    for (const group of groupsOf({}, 'application', 100).groups) {
      assert.equal(numbersOf(store, { program: group.key, ...(group.uid === null ? {} : { uid: group.uid }) }).length >= group.allowed + group.refused, true, group.key);
    }
    for (const { key, allowed, refused } of groupsOf({}, 'destination', 100).groups) assert.equal(numbersOf(store, { destination: key }).length, allowed + refused, key);
  });

  test('ids come in pages that go on where the last one ended', () => {
    const first = store.ask({ kind: 'numbers', filter: {}, limit: 150, before: Number.MAX_SAFE_INTEGER }) as { readonly numbers: Float64Array; readonly before: number };
    const rest = store.ask({ kind: 'numbers', filter: {}, limit: 1000, before: first.before }) as { readonly numbers: Float64Array; readonly before: number };
    assert.deepEqual([...first.numbers, ...rest.numbers], recorded.map((_one, number) => number).reverse());
    assert.equal(rest.before, 0);
  });
});

test('filter: what cannot be asked for is refused with what could', () => {
  const refused = (filter: FlowFilter, text: RegExp): void => {
    assert.throws(() => historyFilter(filter, undefined), (error: unknown) => error instanceof BastionError && error.code === 'InvalidArgument' && text.test(error.message));
  };
  refused({ protocol: 'sctp' }, /^protocol: tcp, udp, icmp or a number/);
  refused({ protocol: '256' }, /^protocol/);
  refused({ protocol: 'constructor' }, /^protocol/);
  refused({ search: 'a b c d e f g h i' }, /^search: at most 8 words/);
  assert.deepEqual(historyFilter({ search: ' ÄB \t Cd ', protocol: 'icmp', destination: 'A.example' }, 5), { uid: 5, protocols: [1, 58], words: ['Äb', 'cd'], destination: 'a.example' });
});

test('groups: more than are added up at a time count as others, and none is lost', () => {
  const group = (key: number): FlowGroup => ({ key: `k${String(key)}`, uid: null, others: null, allowed: 1, refused: 0, sentBytes: 0, receivedBytes: 0, lastMs: key });
  const rest: FlowGroup = { ...group(9), key: '', others: 0, allowed: 70 };
  const most = mostOf([group(1), group(2), group(3)], 3, rest);
  assert.deepEqual(most.map(({ key, allowed, others }) => [key, allowed, others]), [['k1', 1, null], ['k2', 1, null], ['', 71, 0]]);
  assert.deepEqual(mostOf([group(1), group(2), group(3)], 2).map(({ others }) => others), [null, 2]);
});

test('groups: at the limit of destinations the rest is added up as others', () => {
  const rig = new StoreRig();
  try {
    const { store } = rig.open();
    store.add(flows(0, 25, elsewhere));
    const database = new DatabaseSync(join(rig.folder, HISTORY_FILE), { readOnly: true });
    const sums = new GroupSums(database, 'destination', 'number < ? AND number >= ?', 20);
    sums.add([25, 10]);
    sums.add([10, 0]);
    const groups = sums.most(500);
    database.close();
    assert.deepEqual([groups.length, groups.at(-1)?.key, groups.at(-1)?.others, groups.at(-1)?.allowed], [21, '', 0, 5]);
    store.close();
  } finally {
    rig.remove();
  }
});

test('programs: one key over updates, whatever else is known', () => {
  assert.equal(programKey({ path: '/x/1/fox', flatpak: 'org.example.Fox' }), programKey({ path: '/x/2/fox', flatpak: 'org.example.Fox' }));
  assert.equal(programKeyOf(flow(1, { path: null, forwardedFrom: 'a host' })), 'from:a host');
  assert.equal(programKey({ path: null }), 'path:');
});

test('index: ids are told as steps', () => {
  assert.equal(indexText([]), '');
  assert.equal(indexText([100, 99, 63, 0]), 'f2s 1 10 1r');
});
