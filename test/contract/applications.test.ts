/** Applications on the bus: who sees what, Rehash with its progress, and that a caller who leaves stops it. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { BUS_NAME, INTERFACES, OBJECT_PATH } from '../../helper/contract/names.ts';
import { Variant } from '../../helper/contract/transport.ts';
import type { BusConnection } from '../../helper/contract/transport.ts';
import type { Variant as WireValue } from '../../helper/contract/codec.ts';
import type { RehashRow } from '../../helper/engine-api.ts';
import { applicationView } from './memory-applications.ts';
import { LOCAL, STRANGER, ServiceRig, cannotServe, collectSignals } from './service-rig.ts';

const ROW: RehashRow = {
  id: 'a1', name: 'curl', path: '/usr/bin/curl', oldSha256: 'a'.repeat(64), newSha256: 'b'.repeat(64), state: 'valid', result: 'accepted',
};

describe('contract: Applications', { skip: cannotServe(), timeout: 300_000 }, () => {
  let rig: ServiceRig;
  before(async () => {
    rig = await ServiceRig.start();
  });
  after(() => rig.close());
  beforeEach(() => {
    rig.applications.views = [applicationView('mine', LOCAL.uid), applicationView('theirs', 1234), applicationView('ruled', 1234, { rules: 2 })];
    rig.applications.rehashed = [ROW];
    rig.applications.wait = () => Promise.resolve();
  });

  async function listed(uid: number, filter: Readonly<Record<string, WireValue>> = {}): Promise<readonly string[]> {
    const bus = await rig.connectAs(uid);
    const [rows] = await bus.call({
      destination: BUS_NAME, path: OBJECT_PATH, interface: INTERFACES.applications, member: 'List', signature: 'a{sv}us', body: [filter, 10, ''],
    });
    return (rows as readonly { readonly id: WireValue; readonly allowed: WireValue }[]).map(({ id, allowed }) => `${String(id.value)} ${String(allowed.value)}`);
  }

  function rehash(bus: BusConnection, ids: readonly string[]): Promise<readonly unknown[]> {
    return bus.call({ destination: BUS_NAME, path: OBJECT_PATH, interface: INTERFACES.applications, member: 'Rehash', signature: 'as', body: [ids] });
  }

  test('a user sees his own and what rules name, but not what others did with it; view-all sees everything', async () => {
    assert.deepEqual(await listed(LOCAL.uid), ['mine 3', 'ruled 0']);
    assert.deepEqual(await listed(0), ['mine 3', 'theirs 3', 'ruled 3']);
    assert.deepEqual(await listed(0, { uid: new Variant('u', LOCAL.uid) }), ['mine 3', 'ruled 0']);
    await assert.rejects(listed(LOCAL.uid, { uid: new Variant('u', 1234) }), { errorName: 'org.bastionfirewall.Error.NotAuthorized' });
    await assert.rejects(listed(STRANGER.uid), { errorName: 'org.bastionfirewall.Error.NotAuthorized' });
  });

  test('filters by id, path and state; a page goes on where the one before ended', async () => {
    const client = rig.clientAs(0);
    rig.applications.views = [applicationView('red', 0, { state: 'changed' }), applicationView('b', 0), applicationView('c', 0)];
    const ids = async (filter: Parameters<typeof client.listApplications>[0]): Promise<readonly string[]> =>
      (await client.listApplications(filter, 10, '')).rows.map(({ id }) => id);
    assert.deepEqual(await ids({ state: 'changed' }), ['red']);
    assert.deepEqual(await ids({ path: '/usr/bin/b' }), ['b']);
    assert.deepEqual(await ids({ id: 'c' }), ['c']);
    const first = await client.listApplications({}, 2, '');
    const second = await client.listApplications({}, 2, first.next);
    assert.deepEqual([...first.rows, ...second.rows].map(({ id }) => id), ['red', 'b', 'c']);
    assert.equal(second.next, '');
  });

  test('Rehash gives the old and the new hash, and its progress to its caller alone', async () => {
    const client = rig.clientAs(0);
    const other = rig.clientAs(0);
    await other.ping();
    const progress: (readonly number[])[] = [];
    client.on('rehashProgress', (done, total) => progress.push([done, total]));
    other.on('rehashProgress', () => assert.fail('told to somebody else'));
    const [row] = await client.rehash(['a1']);
    assert.deepEqual(row, {
      id: 'a1', name: 'curl', path: '/usr/bin/curl', old_sha256: ROW.oldSha256, new_sha256: ROW.newSha256, state: 'valid', result: 'accepted',
    });
    assert.deepEqual(progress, [[0, 100], [100, 100]]);
    await other.ping();
  });

  test('RehashAll sums up, and lists what is not as before', async () => {
    rig.applications.rehashed = [ROW, { ...ROW, result: 'same' }, { ...ROW, result: 'missing', state: 'missing', newSha256: '' }];
    const summary = await rig.clientAs(0).rehashAll();
    assert.deepEqual({ ...summary, rows: summary.rows.map(({ result }) => result) }, {
      files: 3, same: 1, accepted: 1, missing: 1, failed: 0, rows: ['accepted', 'missing'],
    });
  });

  test('a caller who leaves the bus stops what he began', async () => {
    const bus = await rig.connectAs(0);
    const stopped = new Promise<void>((resolve) => {
      rig.applications.wait = ({ signal }) => new Promise((done) => {
        signal.addEventListener('abort', () => {
          done();
          resolve();
        });
        bus.close();
      });
    });
    await assert.rejects(rehash(bus, ['a1']));
    await stopped;
    rig.applications.wait = () => Promise.resolve();
    assert.equal((await rig.clientAs(0).rehash(['a1'])).length, 1);
    assert.ok(rig.applications.done.includes('stopped'));
  });

  test('one connection has one Rehash at a time', async () => {
    const bus = await rig.connectAs(0);
    let go: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => {
      rig.applications.wait = () => new Promise((done) => {
        go = done;
        resolve();
      });
    });
    const first = rehash(bus, ['a1']);
    await begun;
    await assert.rejects(rehash(bus, ['a1']), { errorName: 'org.bastionfirewall.Error.Busy' });
    go();
    await first;
  });

  test('more than 500 ids, and ids that are too long, are refused before anybody is asked', async () => {
    const bus = await rig.connectAs(STRANGER.uid);
    for (const ids of [Array.from({ length: 501 }, () => 'a'), ['a'.repeat(161)]]) {
      await assert.rejects(rehash(bus, ids), { errorName: 'org.bastionfirewall.Error.InvalidArgument' });
    }
  });

  test('many changes are told together', async () => {
    const bus = await rig.connectAs(0);
    await bus.call({ destination: BUS_NAME, path: OBJECT_PATH, interface: INTERFACES.helper, member: 'Ping' });
    const changes = collectSignals(bus, 'Changed');
    for (let count = 0; count < 1000; count += 1) rig.applications.listHasChanged();
    await changes.next();
    await bus.callBus('GetId', '', []);
    assert.equal(changes.seen.length, 1);
  });
});
