/** The network over the bus: what is told, to whom, and page by page. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BUS_NAME, INTERFACES, OBJECT_PATH } from '../../helper/contract/names.ts';
import { ETH0 } from './memory-network.ts';
import { LOCAL, STRANGER, ServiceRig, cannotServe, collectSignals } from './service-rig.ts';

describe('contract: network', { skip: cannotServe() }, () => {
  let rig: ServiceRig;
  before(async () => {
    rig = await ServiceRig.start();
  });
  after(() => rig.close());

  test('interfaces are told with their addresses and zone', async () => {
    const { rows, next } = await rig.clientAs(LOCAL.uid).listInterfaces(10, '');
    assert.equal(next, '');
    assert.deepEqual(rows, [{
      name: 'eth0', kind: 'ethernet', up: true, connected: true, mac: '02:00:00:00:00:01', zone: 'home',
      addresses: [
        { address: '192.0.2.7', prefix: 24, scope: 'global', dynamic: true, temporary: false, deprecated: false },
        { address: '2001:db8::7', prefix: 64, scope: 'global', dynamic: true, temporary: true, deprecated: false },
      ],
    }]);
  });

  test('what is not as bastion.toml says of an interface is told with it', async () => {
    rig.network.links = [{ ...ETH0, problem: 'The address 192.0.2.9 of bastion.toml is not on this interface.' }];
    const { rows } = await rig.clientAs(LOCAL.uid).listInterfaces(10, '');
    assert.equal(rows[0]?.problem, 'The address 192.0.2.9 of bastion.toml is not on this interface.');
    rig.network.links = [ETH0];
  });

  test('a long list comes in pages, and an interface that has gone does not end it', async () => {
    rig.network.links = Array.from({ length: 1200 }, (_, index) => ({ ...ETH0, name: `eth${String(index)}`, addressesLeftOut: 1 }));
    const client = rig.clientAs(LOCAL.uid);
    const first = await client.listInterfaces(500, '');
    assert.equal(first.rows.length, 500);
    assert.equal(first.rows[0]?.addresses_left_out, 1);
    rig.network.links = rig.network.links.filter(({ name }) => name !== 'eth499');
    const second = await client.listInterfaces(500, first.next);
    assert.equal(second.rows[0]?.name, 'eth500');
    rig.network.links = [ETH0];
  });

  test('zones are told with what belongs to them', async () => {
    const { rows } = await rig.clientAs(LOCAL.uid).listZones(10, '');
    assert.deepEqual(rows, [{ id: 'home', patterns: ['eth*'], interfaces: ['eth0'], addresses: ['192.0.2.7/24', '2001:db8::7/64'], used_by: [], containers: [], sets: [], inbound: 'off', inbound_allow: [] }]);
  });

  test('the current network is told', async () => {
    assert.deepEqual(await rig.clientAs(LOCAL.uid).network(), {
      connections: ['Home'], ssids: ['Home 5G'], gateways: [{ address: '192.0.2.1', mac: '' }], profile: rig.engine.activeProfile() ?? '',
      engines: [], inbound_by: 'nobody',
    });
  });

  test('who may not see the state sees no network', async () => {
    const client = rig.clientAs(STRANGER.uid);
    for (const refused of [client.listInterfaces(10, ''), client.listZones(10, ''), client.network()]) {
      await assert.rejects(refused, { code: 'NotAuthorized' });
    }
  });

  test('Changed is told without content, many changes as one', async () => {
    const bus = await rig.connectAs(LOCAL.uid);
    await bus.call({ destination: BUS_NAME, path: OBJECT_PATH, interface: INTERFACES.helper, member: 'Ping' });
    const signals = collectSignals(bus, 'Changed');
    for (let count = 0; count < 50; count += 1) rig.network.change();
    const signal = await signals.next();
    assert.equal(signal.signature, '');
    assert.equal(signals.seen.length, 1);
  });

  test('the safeguard names the programs of who asks, and everybody’s to who may see everything', async () => {
    const offender = (uid: number): { readonly application: string; readonly uid: number; readonly refused: number; readonly rate: number } => (
      { application: `/opt/of-${String(uid)}`, uid, refused: 9, rate: 3 });
    rig.engine.guard = { sinceMs: 5, refused: 18, trips: [{ scope: 'all', application: null, uid: null, rate: 700 }], offenders: [offender(LOCAL.uid), offender(4242)] };
    const own = await rig.clientAs(LOCAL.uid).safeguard();
    assert.deepEqual([own.on, own.scope, own.rate, own.refused], [true, 'all', 700, 18]);
    assert.deepEqual(own.offenders.map(({ uid }) => uid), [LOCAL.uid]);
    assert.deepEqual((await rig.clientAs(0).safeguard()).offenders.map(({ path }) => path), [`/opt/of-${String(LOCAL.uid)}`, '/opt/of-4242']);
    rig.engine.guard = null;
    assert.deepEqual(await rig.clientAs(0).safeguard(), { on: false, since_ms: 0, refused: 0, offenders: [] });
  });

  test('the safeguard is ended by who may edit rules, and by nobody else', async () => {
    await assert.rejects(rig.clientAs(LOCAL.uid).endSafeguard(), { code: 'NotAuthorized' });
    assert.ok(!rig.engine.done.includes('endSafeguard'));
    await rig.clientAs(0).endSafeguard();
    assert.ok(rig.engine.done.includes('endSafeguard'));
  });
});
