/** Flows wait for who their program is; lists, programs and profiles that change are decided again. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Attribution } from '../../helper/contract/vocabulary.ts';
import { WAITING_LIMIT } from '../../helper/engine/identity-desk.ts';
import { Rig, linkOf } from './engine-support.ts';
import { PATH, rule } from './policy-support.ts';

const settled = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });
const packaged = { identity: { path: PATH, package: 'curl', integrity: 'valid' } } as const;
const allowPackage = rule('package', 'allow', { package: 'curl' });

/** What a look that takes its time finds out. */
function late(rig: Rig): (found: Partial<Attribution>) => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<Partial<Attribution>>();
  rig.identities.known.set(PATH, promise);
  return async (found) => {
    resolve(found);
    await settled();
  };
}

describe('waiting for who it is', () => {
  test('a flow is held while its program is looked at, and decided by what is found', async () => {
    const rig = Rig.with([allowPackage]);
    const found = late(rig);
    const id = rig.ask();
    assert.deepEqual(rig.dataPath.told(id), ['hold']);
    assert.equal(rig.raised.length, 0);
    await found(packaged);
    assert.equal(rig.dataPath.last(id).verdict, 'accept');
  });

  test('a flow that ended meanwhile gets no answer', async () => {
    const rig = Rig.with([allowPackage]);
    const found = late(rig);
    const id = rig.ask();
    rig.engine.onEnded([id]);
    await found(packaged);
    assert.deepEqual(rig.dataPath.told(id), ['hold']);
    assert.equal(rig.flows.length, 0);
  });

  test('a look that fails leaves what was known before: the person is asked', async () => {
    const rig = Rig.with([allowPackage]);
    rig.identities.known.set(PATH, Promise.reject(new Error('broken disk')));
    const id = rig.ask();
    await settled();
    assert.equal(rig.raised.length, 1);
    assert.ok(rig.dataPath.told(id).every((verdict) => verdict === 'hold'));
  });

  test('when too many wait, one more is decided by what is known without looking', () => {
    const rig = Rig.with([rule('path', 'allow', { path: '/usr/bin/other' })]);
    late(rig);
    for (let count = 0; count < WAITING_LIMIT; count += 1) rig.ask();
    assert.equal(rig.raised.length, 0);
    rig.ask();
    assert.equal(rig.raised.length, 1);
  });

  test('what waits when the data path goes is never answered', async () => {
    const rig = Rig.with([allowPackage]);
    const found = late(rig);
    const id = rig.ask();
    rig.engine.attach(null);
    await found(packaged);
    assert.deepEqual(rig.dataPath.told(id), ['hold']);
  });
});

describe('changes', () => {
  test('a program whose file is found to be changed loses what its allow rule had let the kernel remember', async () => {
    const rig = Rig.with([rule('curl', 'allow', { path: PATH })]);
    rig.ask();
    assert.equal(rig.recall(), 'accept');
    rig.identities.known.set(PATH, { identity: { path: PATH, integrity: 'changed' } });
    rig.identities.changed('different');
    await settled();
    assert.equal(rig.recall(), null);
    const id = rig.ask();
    assert.equal(rig.dataPath.last(id).verdict, 'hold');
  });

  test('a held flow goes on when its program is trusted again', async () => {
    const rig = Rig.with([rule('curl', 'allow', { path: PATH })]);
    rig.identities.known.set(PATH, { identity: { path: PATH, integrity: 'changed' } });
    const id = rig.ask();
    assert.equal(rig.raised.length, 1);
    rig.identities.known.set(PATH, { identity: { path: PATH, integrity: 'valid' } });
    rig.identities.changed('different');
    await settled();
    assert.equal(rig.dataPath.last(id).verdict, 'accept');
    assert.equal(rig.ended.length, 1);
  });

  test('an address that comes into a refused list is refused, also for an open connection', () => {
    const rig = Rig.with([rule('list', 'deny', { list: 'bad' }, { priority: 1 }), rule('curl', 'allow', { path: PATH })]);
    const first = rig.make();
    rig.engine.onAsks([first]);
    assert.equal(rig.dataPath.last(first.id).verdict, 'accept');
    rig.lists.addresses.set('bad', new Set(['10.77.0.2']));
    rig.lists.changed();
    assert.equal(rig.dataPath.recall(first, rig.time.ns), 'refuse');
  });
});

describe('zones', () => {
  const mac = '02:00:00:00:00:07';
  const allowLab = rule('lab', 'allow', { path: PATH, zone: 'lab' });

  test('an interface that is known by its hardware address has its zone while that is so, and what was decided by it goes with it', () => {
    const rig = Rig.with([allowLab], { interfaces: [{ name: '', mac, zone: 'lab' }] });
    const first = rig.make();
    rig.engine.onAsks([first]);
    assert.equal(rig.dataPath.last(first.id).verdict, 'hold');
    const { policy } = rig.dataPath;
    rig.links.move([linkOf('eth0', { mac })]);
    assert.equal(rig.dataPath.last(first.id).verdict, 'accept');
    assert.notEqual(rig.dataPath.policy, policy);
    assert.equal(rig.dataPath.recall(first, rig.time.ns), 'accept');
    rig.links.move([linkOf('eth0', { mac: '02:00:00:00:00:08' })]);
    assert.equal(rig.dataPath.recall(first, rig.time.ns), null);
    assert.equal(rig.dataPath.policy, policy);
  });

  test('links that change no zone leave what is remembered as it is', () => {
    const rig = Rig.with([allowLab], { interfaces: [{ name: 'eth*', zone: 'lab' }], defaultZone: 'wan' });
    const { generations } = rig.dataPath;
    rig.links.move([linkOf('eth0', { mac })]);
    rig.links.move([linkOf('eth0', { mac }), linkOf('wg0')]);
    assert.equal(rig.dataPath.generations, generations);
  });

  test('the default zone is that of every interface without one, and another one is another policy', () => {
    const rig = Rig.with([allowLab], { defaultZone: 'lab' });
    const first = rig.make();
    rig.engine.onAsks([first]);
    assert.equal(rig.dataPath.last(first.id).verdict, 'accept');
    const { policy } = rig.dataPath;
    rig.load([allowLab], { defaultZone: 'wan' });
    assert.notEqual(rig.dataPath.policy, policy);
    assert.equal(rig.dataPath.recall(first, rig.time.ns), null);
  });
});

describe('profiles', () => {
  const profiles = [
    { id: 'home', name: 'Home', network: { gateway: '192.168.1.1', mac: 'aa:bb:cc:00:11:22' } }, { id: 'travel', name: 'Travel' },
  ];
  const home = { gateways: [{ address: '192.168.1.1', mac: 'aa:bb:cc:00:11:22' }] };
  const atHome = rule('home', 'allow', { path: PATH }, { profile: 'home' });

  test('a rule of a profile counts in its network only, and what was remembered goes with it', () => {
    const rig = Rig.with([atHome], { profiles });
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'hold');
    rig.networks.move(home);
    assert.equal(rig.engine.activeProfile(), 'home');
    rig.ask();
    assert.equal(rig.recall(), 'accept');
    rig.networks.move({ gateways: [{ address: '192.168.1.1', mac: 'aa:bb:cc:00:11:99' }] });
    assert.equal(rig.engine.activeProfile(), null);
    assert.equal(rig.recall(), null);
  });

  test('a profile of a zone is active while an interface of it is connected and has an address', () => {
    const address = { address: '192.0.2.7', prefixLength: 24, scope: 'global', dynamic: true, temporary: false, deprecated: false } as const;
    const rig = Rig.with([atHome], { profiles: [{ id: 'home', name: 'Home', network: { zone: 'lan' } }], interfaces: [{ name: 'eth*', zone: 'lan' }] });
    assert.equal(rig.dataPath.last(rig.ask()).verdict, 'hold');
    rig.links.move([linkOf('eth7')]);
    assert.equal(rig.engine.activeProfile(), null);
    rig.links.move([linkOf('eth7', { addresses: [address] })]);
    assert.equal(rig.engine.activeProfile(), 'home');
    rig.ask();
    assert.equal(rig.recall(), 'accept');
    rig.links.move([linkOf('eth7', { addresses: [address], connected: false })]);
    assert.equal(rig.engine.activeProfile(), null);
    assert.equal(rig.recall(), null);
  });

  test('a profile that was chosen by hand stays in every network, over a restart of the helper too', async () => {
    const rig = Rig.with([atHome], { profiles });
    rig.engine.chooseProfile('travel');
    rig.networks.move(home);
    assert.equal(rig.engine.activeProfile(), 'travel');
    await rig.engine.stop();
    const next = new Rig(rig.runState);
    await next.engine.restore();
    next.load([atHome], { profiles });
    assert.equal(next.engine.activeProfile(), 'travel');
    next.networks.move(home);
    next.engine.chooseProfile(null);
    assert.equal(next.engine.activeProfile(), 'home');
  });

  test('the default profile counts where no network is recognized', () => {
    const rig = Rig.with([], { profiles, defaultProfile: 'travel' });
    assert.deepEqual(rig.engine.profiles().map(({ id, active }) => [id, active]), [['home', false], ['travel', true]]);
    rig.networks.move(home);
    assert.equal(rig.engine.activeProfile(), 'home');
  });

  test('a profile that is not there cannot be chosen, and one that went away counts no more', () => {
    const rig = Rig.with([], { profiles });
    assert.throws(() => { rig.engine.chooseProfile('nowhere'); }, { code: 'NotFound' });
    rig.engine.chooseProfile('travel');
    rig.load([], {});
    assert.equal(rig.engine.activeProfile(), null);
  });
});
