/** The history's file: what goes in comes out, limits hold, damage is survived. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { BUCKET_ROWS, OTHER_USERS } from '../../helper/adapters/history/buckets.ts';
import { DAMAGED_LIMIT } from '../../helper/adapters/history/files.ts';
import type { Answers, Question } from '../../helper/adapters/history/messages.ts';
import { HISTORY_FILE, readFlows } from '../../helper/adapters/history/schema.ts';
import type { HistoryStore } from '../../helper/adapters/history/store.ts';
import type { HistoryFilter, HistoryTotal, TotalsBy, TotalsRange } from '../../helper/ports.ts';
import { NOW_MS, StoreRig, elsewhere, flow, flows } from './history-support.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const EVERYTHING = Number.MAX_SAFE_INTEGER;

function page(store: HistoryStore, filter: HistoryFilter = {}, limit = 500, before = EVERYTHING): Answers['query'] {
  return store.ask({ kind: 'query', filter, limit, before }) as Answers['query'];
}

function ids(store: HistoryStore, filter: HistoryFilter = {}): readonly string[] {
  return page(store, filter).rows.map(({ id }) => id);
}

function totals(store: HistoryStore, range: TotalsRange, by: TotalsBy, more: Partial<Extract<Question, { kind: 'totals' }>> = {}): readonly HistoryTotal[] {
  return store.ask({ kind: 'totals', range, by, uid: null, limit: 500, nowMs: NOW_MS, ...more }) as Answers['totals'];
}

function thinned(store: HistoryStore): void {
  while (store.thin());
}

describe('history store', () => {
  let rig: StoreRig;
  const file = (name: string = HISTORY_FILE): string => join(rig.folder, name);
  const damaged = (): readonly string[] => readdirSync(rig.folder).filter((name) => name.includes('.damaged-') && !name.endsWith('-wal'));
  beforeEach(() => { rig = new StoreRig(); });
  afterEach(() => { rig.remove(); });

  test('an end is added to the flow that it belongs to, and to none that is not there', () => {
    const { store } = rig.open();
    const whole = { endedMs: NOW_MS + 5, sentBytes: 2 ** 40, receivedBytes: 0 };
    store.add([flow(1), flow(2, whole), flow(3)]);
    assert.equal(store.end([{ id: 'f1', ...whole }, { id: 'f7', ...whole }]), true);
    assert.deepEqual(page(store).rows, [flow(3), flow(2, whole), flow(1, whole)]);
    const [sum] = totals(store, 'hour', 'application');
    assert.equal(sum?.allowed, 3, 'an end is no further connection');
    store.close();
  });

  test('a file of the version before keeps its flows, and takes ends from then on', () => {
    const before = rig.open();
    before.store.add(flows(1, 3));
    before.store.close();
    const database = new DatabaseSync(file());
    for (const column of ['ended_ms', 'sent_bytes', 'received_bytes']) database.exec(`ALTER TABLE flows DROP COLUMN ${column}`);
    database.exec('PRAGMA user_version = 1');
    database.close();
    const { store, next } = rig.open();
    assert.equal(next, 4);
    assert.deepEqual(page(store).rows, flows(1, 3).toReversed());
    const whole = { endedMs: NOW_MS, sentBytes: 1, receivedBytes: 2 };
    store.end([{ id: 'f2', ...whole }]);
    assert.deepEqual(store.ask({ kind: 'flow', number: 2 }), flow(2, whole));
    assert.deepEqual([damaged(), rig.notes], [[], []]);
    store.close();
  });

  test('a flow comes back as it was, with everything that a rule may ask of it', () => {
    const { store } = rig.open();
    const all = [
      flow(1),
      flow(2, { uid: null, pid: null, path: null, identity: { path: null }, claimedPath: '/gone', confidence: 'unknown', names: [], host: null, ancestors: [] }),
      flow(3, { forwardedFrom: 'Container 3f (docker)', origin: 'forwarded', path: null, identity: { path: null }, nextRuleId: null }),
      flow(4, { isLookup: true, answersPeer: true, origin: 'kernel', lineage: 'procfs', decision: { action: 'drop', reason: 'prompt-answer', ruleId: null } }),
      flow(5, { tuple: { family: 6, protocol: 58, sourceAddress: '2001:db8::1', sourcePort: 7, destinationAddress: '2001:db8::2', destinationPort: 128 } }),
    ];
    assert.equal(store.add(all), all.length);
    assert.deepEqual(page(store).rows, all.toReversed());
    assert.deepEqual(store.ask({ kind: 'flow', number: 3 }), all[2]);
    assert.equal(store.ask({ kind: 'flow', number: 6 }), null);
    const reader = new DatabaseSync(file(), { readOnly: true });
    assert.deepEqual([...readFlows(reader, 0)], all);
    assert.deepEqual([...readFlows(reader, NOW_MS + 1)], []);
    reader.close();
    store.close();
  });

  test('hostile texts are stored as texts: quotes, NUL, line feeds, half characters, and more than there is room for', () => {
    const { store } = rig.open();
    const evil = `/tmp/'; DROP TABLE flows; --\0\n"\\\u{202e}`;
    const long = `/${'x'.repeat(20_000)}`;
    const all = [
      flow(1, { path: evil, identity: { path: evil }, command: evil, interfaceName: evil }),
      flow(2, { path: long, identity: { path: long }, command: '\ud800' }),
    ];
    assert.equal(store.add(all), 2);
    const [second, first] = page(store).rows;
    assert.deepEqual(first, all[0]);
    assert.equal(second?.path, long);
    assert.deepEqual(ids(store, { application: evil }), ['f1']);
    assert.deepEqual(ids(store, { host: '"],["' }), []);
    assert.deepEqual(ids(store, { host: '%' }), []);
    store.close();
  });

  test('each part of a filter is looked for, and all of them together', () => {
    const { store } = rig.open();
    store.add([
      flow(1), flow(2, { path: '/opt/Firefox', identity: { path: '/opt/Firefox' }, uid: 7, timeMs: NOW_MS + 5 }),
      flow(3, { decision: { action: 'deny', reason: 'default-action', ruleId: null } }), flow(4, elsewhere(4)),
      flow(5, { path: null, identity: { path: null }, forwardedFrom: 'Container FIRE' }), flow(6, { names: [{ name: 'www.example.org', source: 'machine' }], host: 'www.example.org' }),
      flow(7, { names: [{ name: 'notexample.org', source: 'machine' }], host: 'notexample.org' }),
    ]);
    const found: readonly (readonly [HistoryFilter, readonly string[]])[] = [
      [{ path: '/opt/Firefox' }, ['f2']], [{ uid: 7 }, ['f2']], [{ application: 'FIREf' }, ['f2']], [{ application: 'fire' }, ['f5', 'f2']],
      [{ action: 'deny' }, ['f3']], [{ ruleId: 'web', uid: 7 }, ['f2']], [{ ruleId: 'nothing' }, []], [{ host: '10.0.0.4' }, ['f4']],
      [{ host: 'example.org' }, ['f6', 'f5', 'f3', 'f2', 'f1']], [{ host: 'www.example.org' }, ['f6']], [{ host: 'org' }, ['f7', 'f6', 'f5', 'f3', 'f2', 'f1']],
      [{ host: 'hosts.example' }, ['f5', 'f3', 'f2', 'f1']], [{ port: 80 }, []], [{ sinceMs: NOW_MS + 5 }, ['f2']],
      [{ untilMs: NOW_MS + 5, action: 'allow', port: 443, host: '10.0.0.4' }, ['f4']], [{ sinceMs: NOW_MS + 6 }, []], [{ untilMs: NOW_MS }, []],
    ];
    for (const [filter, wanted] of found) assert.deepEqual(ids(store, filter), wanted, JSON.stringify(filter));
    store.close();
  });

  test('pages go through everything once, and a page that finds nothing in time says where to go on', () => {
    const { store } = rig.open();
    store.add(flows(0, 60_000, (number) => (number === 3 ? { uid: 7 } : {})));
    const first = page(store, {}, 500);
    assert.deepEqual([first.rows.length, first.before], [500, 59_500]);
    const found: string[] = [];
    let before = EVERYTHING;
    while (before > 0) {
      const one = page(store, { uid: 7 }, 500, before);
      found.push(...one.rows.map(({ id }) => id));
      assert.ok(one.before < before);
      ({ before } = one);
    }
    assert.deepEqual(found, ['f3']);
    store.close();
  });

  test('numbers are never given twice: after a stop, a crash, a cleared and a damaged history', () => {
    const { store, next } = rig.open();
    assert.equal(next, 0);
    store.add(flows(0, 10));
    store.close();
    const second = rig.open();
    assert.equal(second.next, 10);
    // A crash: nobody closes, and a thousand numbers were given that never came here.
    const third = rig.open();
    assert.ok(third.next > 1010);
    third.store.ask({ kind: 'clear' });
    third.store.close();
    const fourth = rig.open();
    assert.ok(fourth.next >= third.next);
    fourth.store.close();
    writeFileSync(file(), 'no database at all, but long enough to be looked at as one');
    assert.ok(rig.open().next >= rig.nowMs);
  });

  test('without names only addresses are stored', () => {
    const { store } = rig.open({ names: false });
    store.add([flow(1)]);
    const [found] = page(store).rows;
    assert.deepEqual([found?.host, found?.names], [null, []]);
    assert.equal(totals(store, 'hour', 'destination')[0]?.target, '198.51.100.7');
    store.close();
    assert.ok(!readFileSync(file()).includes('example.org'));
  });

  test('totals: by program, by destination, in time, of one user or all, with what programs moved', () => {
    const { store } = rig.open();
    store.add([
      flow(1), flow(2), flow(3, { decision: { action: 'drop', reason: 'default-action', ruleId: null }, timeMs: NOW_MS - 2 * HOUR_MS }),
      flow(4, { uid: 7, ...elsewhere(4), timeMs: NOW_MS - 3 * DAY_MS }), flow(5, { timeMs: NOW_MS - 40 * DAY_MS }),
      flow(6, { timeMs: NOW_MS + 2 * DAY_MS }),
    ]);
    store.move([{ path: '/usr/bin/curl', uid: 1000, sentBytes: 10, sentPackets: 1, receivedBytes: 20, receivedPackets: 2 }], NOW_MS);
    store.move([{ path: '/usr/bin/curl', uid: 1000, sentBytes: 5, sentPackets: 1, receivedBytes: 0, receivedPackets: 0 }], NOW_MS);
    const [curl, ...rest] = totals(store, 'day', 'application');
    assert.deepEqual(rest, []);
    assert.deepEqual([curl?.path, curl?.uid, curl?.allowed, curl?.refused, curl?.sentBytes, curl?.receivedPackets], ['/usr/bin/curl', 1000, 2, 1, 15, 2]);
    assert.deepEqual(totals(store, 'hour', 'destination').map(({ target, port, protocol, allowed }) => [target, port, protocol, allowed]), [['example.org', 443, 6, 2]]);
    assert.deepEqual(totals(store, 'month', 'destination', { uid: 7 }).map(({ target, allowed }) => [target, allowed]), [['10.0.0.4', 1]]);
    assert.deepEqual(totals(store, 'day', 'hour').map(({ timeMs, allowed, refused, sentBytes }) => [timeMs, allowed, refused, sentBytes]), [
      [NOW_MS - 2 * HOUR_MS, 0, 1, 0], [NOW_MS, 2, 0, 15],
    ].map(([time = 0, ...amounts]) => [Math.floor(time / HOUR_MS) * HOUR_MS, ...amounts]));
    assert.equal(totals(store, 'week', 'day').length, 2);
    assert.deepEqual(totals(store, 'week', 'day', { uid: 8 }), []);
    const ofCurl = (by: TotalsBy, more: Partial<Extract<Question, { kind: 'totals' }>> = {}): readonly HistoryTotal[] =>
      totals(store, 'month', by, { path: '/usr/bin/curl', ...more });
    const other = totals(store, 'month', 'application', { path: '/nowhere' });
    assert.deepEqual(ofCurl('destination').map(({ target, allowed, refused }) => [target, allowed, refused]), [['example.org', 2, 1], ['10.0.0.4', 1, 0]]);
    assert.deepEqual(ofCurl('destination', { uid: 7 }).map(({ target }) => target), ['10.0.0.4']);
    assert.equal(ofCurl('day').reduce((sum, { sentBytes }) => sum + sentBytes, 0), 15);
    assert.deepEqual([ofCurl('application').length, other], [2, []]);
    store.close();
  });

  test('totals that do not fit are one last row, and together they are everything', () => {
    const { store } = rig.open();
    store.add(flows(0, 40, elsewhere));
    const rows = totals(store, 'hour', 'destination', { limit: 10 });
    assert.equal(rows.length, 10);
    assert.equal(rows.at(-1)?.others, 31);
    assert.equal(rows.reduce((sum, { allowed }) => sum + allowed, 0), 40);
    store.close();
  });

  test('a bucket at its limit counts further destinations and programs as others, and loses none', () => {
    const { store } = rig.open();
    const count = 3 * BUCKET_ROWS.minute;
    store.add(flows(0, count, (number) => ({ ...elsewhere(number), path: `/tmp/p${String(number)}`, identity: { path: `/tmp/p${String(number)}` }, uid: number % 2 })));
    const rows = totals(store, 'hour', 'application', { limit: 10_000 });
    assert.equal(rows.reduce((sum, { allowed }) => sum + allowed, 0), count);
    const others = rows.filter(({ others: number }) => number !== null);
    assert.deepEqual(others.map(({ uid }) => uid).sort(), [0, 1]);
    const reader = new DatabaseSync(file(), { readOnly: true });
    assert.ok(Number(reader.prepare('SELECT count(*) AS n FROM connections WHERE level = 0').get()?.['n']) <= 2 * BUCKET_ROWS.minute + OTHER_USERS);
    reader.close();
    // What is there already goes on to be counted by itself.
    store.add([flow(count, { ...elsewhere(0), path: '/tmp/p0', identity: { path: '/tmp/p0' }, uid: 0 })]);
    assert.equal(totals(store, 'hour', 'application', { limit: 10_000 }).find(({ path }) => path === '/tmp/p0')?.allowed, 2);
    store.close();
  });

  test('what is too old goes, and what nothing refers to any more with it; totals outlive their flows', () => {
    const { store } = rig.open({ keepDays: 2 });
    store.add(flows(0, 12_000, (number) => ({ ...elsewhere(number), path: '/old/program', identity: { path: '/old/program' } })));
    rig.nowMs += 3 * DAY_MS;
    store.add([flow(40_000, { timeMs: rig.nowMs })]);
    thinned(store);
    assert.deepEqual(ids(store), ['fuv4']);
    const reader = new DatabaseSync(file(), { readOnly: true });
    const count = (table: string): number => Number(reader.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n']);
    assert.deepEqual([count('programs'), count('destinations'), count('flows')], [1, 1, 1]);
    assert.equal(Number(reader.prepare('SELECT count(*) AS n FROM connections WHERE level = 0 AND bucket < ?').get(Math.floor((rig.nowMs - 2 * DAY_MS) / 60_000))?.['n']), 0);
    reader.close();
    assert.ok(totals(store, 'month', 'application', { nowMs: rig.nowMs }).some(({ path, allowed }) => path === '/old/program' && allowed === 12_000));
    store.close();
  });

  test('the file keeps to its size: the oldest flows go, the newest stay', () => {
    const megabytes = 8;
    const { store } = rig.open({ maxMegabytes: megabytes });
    let number = 0;
    for (let batch = 0; batch < 60; batch += 1) {
      store.add(flows(number, 2000, elsewhere));
      number += 2000;
      if (store.wantsLook) thinned(store);
    }
    const kept = page(store, {}, 500).rows;
    assert.equal(kept[0]?.id, `f${(number - 1).toString(36)}`);
    assert.ok(page(store, {}, 1, 1).rows.length === 0);
    store.close();
    assert.ok(statSync(file()).size <= megabytes * 1_000_000, String(statSync(file()).size));
  });

  test('a damaged file is set aside, at most three are kept, and a new one is begun', () => {
    for (let time = 0; time < DAMAGED_LIMIT + 2; time += 1) {
      rig.nowMs += HOUR_MS;
      const { store } = rig.open();
      assert.equal(store.add([flow(time)]), 1);
      assert.equal(ids(store).length, 1);
      store.close();
      const bytes = readFileSync(file());
      bytes.fill(0xa5, 0, 200);
      writeFileSync(file(), bytes);
    }
    assert.equal(damaged().length, DAMAGED_LIMIT);
    assert.equal(rig.notes.length, DAMAGED_LIMIT + 1);
    assert.deepEqual(rig.states, []);
  });

  test('wherever bytes are wrong, storing goes on and nothing throws', () => {
    const { store } = rig.open();
    store.add(flows(0, 3000, elsewhere));
    store.close();
    const whole = readFileSync(file());
    for (let at = 0; at < whole.length; at += Math.ceil(whole.length / 60)) {
      rig.nowMs += HOUR_MS;
      const bytes = Buffer.from(whole);
      bytes.fill(0xff, at, Math.min(at + 64, bytes.length));
      writeFileSync(file(), bytes);
      const { store: again, next } = rig.open();
      assert.equal(again.add([flow(next)]), 1, String(at));
      try {
        page(again, { host: 'example.org' });
        page(again);
        totals(again, 'month', 'application');
      } catch (error: unknown) {
        assert.match(String(error), /The history cannot be read/u);
      }
      again.thin();
      again.close();
    }
  });

  test('a file that is cut off, of another program or version, or no file at all is no reason to stop', () => {
    const { store } = rig.open();
    store.add(flows(0, 3000, elsewhere));
    store.close();
    truncateSync(file(), 10_000);
    rig.nowMs += HOUR_MS;
    const cut = rig.open();
    assert.equal(cut.store.add([flow(cut.next)]), 1);
    cut.store.close();
    const other = new DatabaseSync(file());
    other.exec('PRAGMA user_version = 99');
    other.close();
    rig.nowMs += HOUR_MS;
    const newer = rig.open();
    assert.equal(newer.store.add([flow(newer.next)]), 1);
    newer.store.close();
    assert.ok(damaged().length >= 1);
  });

  test('a link in the place of the file is not followed, and that is told', () => {
    writeFileSync(file('precious'), 'precious');
    symlinkSync(file('precious'), file());
    const { store, next } = rig.open();
    assert.equal(store.add([flow(next)]), 0);
    assert.match(rig.states[0] ?? '', /ELOOP/u);
    assert.throws(() => page(store), /The history cannot be read/u);
    assert.equal(readFileSync(file('precious'), 'utf8'), 'precious');
  });

  test('cleared, nothing of what was stored is in the folder, damaged files included', () => {
    const { store } = rig.open();
    store.add([flow(1)]);
    writeFileSync(file(`${HISTORY_FILE}.damaged-20260101T000000000Z`), 'example.org');
    store.ask({ kind: 'clear' });
    assert.deepEqual(ids(store), []);
    assert.ok(readdirSync(rig.folder).every((name) => !readFileSync(file(name)).includes('example.org')));
    assert.equal(store.add([flow(2)]), 1);
    store.close();
  });
});
