import assert from 'node:assert/strict';
import { flows } from '../unit/history-support.ts';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { BastionError } from '../../helper/contract/errors.ts';
import type { ErrorCode } from '../../helper/contract/errors.ts';
import { NotConnectedError } from '../../helper/contract/client.ts';
import { ACTIONS, BUS_NAME, INTERFACES, OBJECT_PATH } from '../../helper/contract/names.ts';
import type { BusConnection } from '../../helper/contract/transport.ts';
import type { Session } from '../../helper/ports.ts';
import { QUESTIONS_PER_UID } from '../../helper/service/activity.ts';
import { NameTakenError } from '../../helper/service/service.ts';
import { MemoryEngine, flowRecord, promptView, ruleRow, trafficTotal } from './memory-engine.ts';
import { LOCAL, STRANGER, ServiceRig, cannotServe } from './service-rig.ts';
import { until } from '../integration/support.ts';
import { nextEvent, whenConnected } from './waiting.ts';

const ROOT_UID = 0;

function refusedWith(code: ErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof BastionError && error.code === code;
}

describe('service', { skip: cannotServe(), timeout: 300_000 }, () => {
  let rig: ServiceRig;
  before(async () => {
    rig = await ServiceRig.start();
    rig.service?.close();
  });
  after(() => rig.close());
  beforeEach(async () => {
    rig.engine = new MemoryEngine();
    rig.lost = null;
    rig.log.length = 0;
    rig.control.done.length = 0;
    rig.sessions.active = null;
    await rig.serve();
  });
  afterEach(() => {
    rig.disconnectAll();
    rig.service?.close();
  });

  test('tells its state, and every change of it without being asked', async () => {
    const client = rig.clientAs(LOCAL.uid);
    await nextEvent(client, 'status');
    const status = await client.status();
    assert.equal(status.version, '3.0.0');
    assert.equal(status.mode, 'enforcing');
    assert.equal(status.state, 'protecting');
    const paused = nextEvent(client, 'status', (now) => now.state === 'paused');
    await client.pause(60);
    const [now] = await paused;
    assert.equal(now.pausedUntilMs, 60_000);
    const resumed = nextEvent(client, 'status', (after) => after.state === 'protecting');
    await client.resume();
    await resumed;
  });

  test('tells changed counters, and not again while nothing changes but the time', async () => {
    const client = rig.clientAs(LOCAL.uid);
    await nextEvent(client, 'status');
    const told: number[] = [];
    client.on('status', ({ statistics }) => told.push(statistics.packets));
    rig.engine.statistics = { ...rig.engine.statistics, packets: 5 };
    await nextEvent(client, 'status', ({ statistics }) => statistics.packets === 5);
    rig.engine.statistics = { ...rig.engine.statistics, uptime_ms: 99 };
    rig.engine.statistics = { ...rig.engine.statistics, packets: 6, uptime_ms: 100 };
    await nextEvent(client, 'status', ({ statistics }) => statistics.packets === 6);
    assert.deepEqual(told, [5, 6]);
  });

  test('adds, changes, lists in pages, exports and removes rules, and says that they changed', async () => {
    const client = rig.clientAs(ROOT_UID);
    await client.status();
    for (let index = 0; index < 7; index += 1) rig.engine.rows.set(`r${String(index)}`, ruleRow(`r${String(index)}`));
    const changed = nextEvent(client, 'rulesChanged');
    assert.equal(await client.addRule({ id: 'curl', action: 'deny', path: '/usr/bin/curl' }), 'curl');
    await changed;
    assert.equal((await client.getRule('curl')).action, 'deny');
    await client.updateRule('curl', { action: 'allow' });
    assert.equal((await client.getRule('curl')).action, 'allow');
    const first = await client.listRules(5, '');
    const second = await client.listRules(5, first.next);
    assert.deepEqual([...first.rows, ...second.rows].map((row) => row.id), ['r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'curl']);
    assert.equal(second.next, '');
    assert.equal(await client.exportRules('toml'), '# rules\n');
    await client.removeRule('curl');
    await assert.rejects(client.getRule('curl'), refusedWith('NotFound'));
    await assert.rejects(client.exportRules('yaml'), refusedWith('NotSupported'));
  });

  test('a page never has more rows than 500, however many are asked for', async () => {
    for (let index = 0; index < 1200; index += 1) rig.engine.rows.set(`r${String(index)}`, ruleRow(`r${String(index)}`));
    const client = rig.clientAs(ROOT_UID);
    const sizes: number[] = [];
    let next = '';
    do {
      const page = await client.listRules(100_000, next);
      sizes.push(page.rows.length);
      ({ next } = page);
    } while (next !== '');
    assert.deepEqual(sizes, [500, 500, 200]);
  });

  test('passes on what concerns the whole helper', async () => {
    const client = rig.clientAs(ROOT_UID);
    assert.deepEqual(await client.reload(), [{ file: '10-bad.toml', line: 3, column: 7, message: 'Expected a value.' }]);
    assert.equal((await client.selfTest())[0]?.ok, true);
    await client.setLogLevel('debug');
    await client.setMode('learning', { confirmSeconds: 60 });
    await client.off();
    assert.deepEqual(rig.control.done, ['reload', 'selfTest', 'setLogLevel debug', 'off']);
    assert.deepEqual(rig.engine.done, ['setMode learning 60000']);
  });

  test('refuses numbers out of range and keys that it does not know', async () => {
    const client = rig.clientAs(ROOT_UID);
    await assert.rejects(client.pause(0), refusedWith('InvalidArgument'));
    await assert.rejects(client.pause(86_401), refusedWith('InvalidArgument'));
    await assert.rejects(client.setMode('learning', { confirmSeconds: 0 }), refusedWith('InvalidArgument'));
    assert.deepEqual(rig.engine.done, []);
  });

  test('an agent gets what waits at once, what comes, and what ends; its answer decides', async () => {
    rig.engine.raise(promptView('waiting', LOCAL.uid));
    rig.engine.raise(promptView('foreign', 1000));
    const agent = rig.clientAs(LOCAL.uid);
    const raised: string[] = [];
    agent.on('promptRaised', (prompt) => raised.push(prompt.nonce));
    const first = nextEvent(agent, 'promptRaised');
    const registration = await agent.registerAgent();
    assert.deepEqual(registration, { session: `uid:${String(LOCAL.uid)}`, verified: false });
    const [prompt] = await first;
    assert.deepEqual(prompt.lifetimes, ['once', 'process']);
    assert.equal(prompt.ancestors[0]?.command, 'init');
    const second = nextEvent(agent, 'promptRaised', ({ nonce }) => nonce === 'later');
    rig.engine.raise(promptView('later', LOCAL.uid));
    await second;
    const gone = nextEvent(agent, 'promptWithdrawn');
    const result = await agent.answer('later', { action: 'allow', lifetime: 'once' });
    assert.deepEqual(result, { rule_id: '', flows: 1 });
    assert.deepEqual(await gone, ['later', 'answered']);
    await assert.rejects(agent.answer('later', { action: 'allow', lifetime: 'once' }), refusedWith('PromptGone'));
    assert.deepEqual(raised, ['waiting', 'later']);
    assert.deepEqual(rig.engine.answers.map((one) => one.nonce), ['later']);
  });

  test('a prompt whose count grows is sent again once for many changes', async () => {
    const agent = rig.clientAs(LOCAL.uid);
    await agent.registerAgent();
    const first = nextEvent(agent, 'promptRaised');
    rig.engine.raise(promptView('n', LOCAL.uid));
    await first;
    const counts: number[] = [];
    agent.on('promptRaised', ({ count }) => counts.push(count));
    const grown = nextEvent(agent, 'promptRaised', ({ count }) => count === 50);
    for (let count = 2; count <= 50; count += 1) rig.engine.change(promptView('n', LOCAL.uid, { count }));
    await grown;
    assert.deepEqual(counts, [50]);
  });

  test('a second agent for the same session is refused while the first lives, and taken when it has gone', async () => {
    const first = rig.clientAs(LOCAL.uid);
    await first.registerAgent();
    const second = rig.clientAs(LOCAL.uid);
    await assert.rejects(second.registerAgent(), refusedWith('AgentExists'));
    assert.ok(rig.log.some((line) => line.message === 'an agent registered'));
    // The bus tells the end of the first to everybody in the same order: who has seen it knows that the service has, too.
    const watcher = await rig.connectAs(ROOT_UID);
    await watcher.call({ destination: BUS_NAME, path: OBJECT_PATH, interface: INTERFACES.helper, member: 'Ping' });
    const left = new Promise<void>((resolve) => {
      watcher.onSignal((signal) => {
        if (signal.member === 'PropertiesChanged' && JSON.stringify(signal.body()).includes('Agents')) resolve();
      });
    });
    first.close();
    await left;
    assert.equal((await second.registerAgent()).session, `uid:${String(LOCAL.uid)}`);
    assert.equal(rig.service?.counters().agents, 1);
  });

  test('who sees the state because he is at the screen hears nothing while somebody else is, and that all may be new when he is back', async () => {
    const at = (uid: number): Session => ({ id: `uid:${String(uid)}`, uid, active: true, remote: false, locked: false });
    const [here, root] = [await rig.connectAs(LOCAL.uid), await rig.connectAs(ROOT_UID)];
    const heard: Record<'here' | 'root', string[]> = { here: [], root: [] };
    for (const [who, bus] of [['here', here], ['root', root]] as const) {
      bus.onSignal((signal) => { if (signal.path === OBJECT_PATH) heard[who].push(`${signal.interface.split('.').at(-1) ?? ''}.${signal.member}`); });
    }
    const ping = (bus: BusConnection): Promise<unknown> => bus.call({ destination: BUS_NAME, path: OBJECT_PATH, interface: INTERFACES.helper, member: 'Ping' });
    const news = async (): Promise<void> => {
      const before = heard.root.length;
      await rig.clientAs(ROOT_UID).addRule({ action: 'deny', path: '/usr/bin/env' });
      await until('root to hear of it', () => Promise.resolve(heard.root.slice(before).includes('Rules.Changed') ? true : null));
      // In the order in which they were sent: what he was told before this he has heard.
      await ping(here).catch(() => undefined);
    };
    rig.sessions.activate(at(LOCAL.uid));
    await ping(here);
    await ping(root);
    await news();
    assert.ok(heard.here.includes('Rules.Changed'));
    rig.sessions.activate(at(STRANGER.uid));
    heard.here.length = 0;
    const { authority } = rig;
    rig.authority = { isAuthorized: (_subject, action) => Promise.resolve(action !== ACTIONS.view) };
    await news().finally(() => { rig.authority = authority; });
    assert.deepEqual(heard.here, []);
    rig.sessions.activate(at(LOCAL.uid));
    await until('him to hear', () => Promise.resolve(heard.here.length >= 5 ? true : null));
    assert.deepEqual(heard.here.toSorted(), ['Applications.Changed', 'Network.Changed', 'Properties.PropertiesChanged', 'Properties.PropertiesChanged', 'Rules.Changed']);
  });

  test('prompts of system users go to root’s agent and to the active session’s only', async () => {
    const local = rig.clientAs(LOCAL.uid);
    const root = rig.clientAs(ROOT_UID);
    await local.registerAgent();
    await root.registerAgent();
    const shownToLocal: string[] = [];
    local.on('promptRaised', ({ nonce }) => shownToLocal.push(nonce));
    const shownToRoot = nextEvent(root, 'promptRaised', ({ nonce }) => nonce === 'daemon');
    rig.engine.raise(promptView('daemon', 33));
    await shownToRoot;
    const shown = nextEvent(local, 'promptRaised', ({ nonce }) => nonce === 'daemon');
    assert.deepEqual(shownToLocal, []);
    const session = { id: `uid:${String(LOCAL.uid)}`, uid: LOCAL.uid, active: true, remote: false, locked: false };
    rig.sessions.activate(session);
    await shown;
    await assert.rejects(local.answer('daemon', { action: 'allow', lifetime: 'once' }), refusedWith('NotAuthorized'));
    assert.equal((await root.answer('daemon', { action: 'allow', lifetime: 'once' })).flows, 1);
  });

  test('a prompt is held by its agent, its user and root, whose answer may cost more, and by nobody else', async () => {
    const [own, root, stranger] = [rig.clientAs(LOCAL.uid), rig.clientAs(ROOT_UID), rig.clientAs(STRANGER.uid)];
    for (const [nonce, uid] of [['own', LOCAL.uid], ['other', 1000], ['daemon', 33]] as const) rig.engine.raise(promptView(nonce, uid));
    assert.equal(await own.holdPrompt('own'), 30_000);
    assert.equal(await root.holdPrompt('daemon'), 30_000);
    for (const nonce of ['other', 'daemon']) await assert.rejects(own.holdPrompt(nonce), refusedWith('NotAuthorized'), nonce);
    await assert.rejects(stranger.holdPrompt('own'), refusedWith('NotAuthorized'));
    await own.registerAgent();
    rig.sessions.activate({ id: `uid:${String(LOCAL.uid)}`, uid: LOCAL.uid, active: true, remote: false, locked: false });
    assert.equal(await own.holdPrompt('daemon'), 30_000, 'it is asked about the system’s programs');
    await assert.rejects(own.holdPrompt('gone'), refusedWith('PromptGone'));
    assert.deepEqual(rig.engine.done.filter((call) => call.startsWith('renew')), ['renew own', 'renew daemon', 'renew daemon']);
  });

  test('expired prompts are dismissed by those who may see them, all or none, and other agents hear of it', async () => {
    const agent = rig.clientAs(LOCAL.uid);
    await agent.registerAgent();
    const expired = { status: 'expired' } as const;
    for (const [nonce, uid] of [['a', LOCAL.uid], ['b', LOCAL.uid], ['other', 1000]] as const) rig.engine.views.set(nonce, promptView(nonce, uid, expired));
    rig.engine.views.set('waits', promptView('waits', LOCAL.uid));
    const client = rig.clientAs(LOCAL.uid);
    await assert.rejects(client.dismissPrompts(['a', 'other']), refusedWith('NotAuthorized'));
    assert.equal(rig.engine.views.size, 4);
    const heard: string[] = [];
    agent.on('promptWithdrawn', (nonce, why) => heard.push(`${nonce} ${why}`));
    const last = nextEvent(agent, 'promptWithdrawn', (nonce) => nonce === 'b');
    assert.equal(await client.dismissPrompts(['a', 'b', 'b', 'waits', 'gone']), 2);
    await last;
    assert.deepEqual(heard, ['a withdrawn', 'b withdrawn']);
    assert.deepEqual([...rig.engine.views.keys()], ['other', 'waits']);
    await assert.rejects(client.dismissPrompts(Array<string>(257).fill('a')), refusedWith('InvalidArgument'));
  });

  test('a list of prompts has one’s own, and everybody’s for root', async () => {
    for (const [nonce, uid] of [['a', LOCAL.uid], ['b', 1000], ['c', 33]] as const) rig.engine.raise(promptView(nonce, uid));
    const own = await rig.clientAs(LOCAL.uid).listPrompts(0, '');
    assert.deepEqual(own.rows.map((row) => row.nonce), ['a']);
    const all = await rig.clientAs(ROOT_UID).listPrompts(0, '');
    assert.deepEqual(all.rows.map((row) => row.nonce), ['a', 'b', 'c']);
  });

  test('shows flows of one’s own, and everybody’s to root', async () => {
    rig.engine.records.push(flowRecord('f1', LOCAL.uid), flowRecord('f2', 1000), flowRecord('f3', null));
    const local = rig.clientAs(LOCAL.uid);
    assert.deepEqual((await local.queryFlows({}, 0, '')).rows.map((row) => row.id), ['f1']);
    await assert.rejects(local.queryFlows({ uid: 1000 }, 0, ''), refusedWith('NotAuthorized'));
    assert.equal((await local.explain('f1')).rule_id, 'web');
    await assert.rejects(local.explain('f2'), refusedWith('NotAuthorized'));
    const root = rig.clientAs(ROOT_UID);
    assert.deepEqual((await root.queryFlows({}, 0, '')).rows.map((row) => row.id), ['f1', 'f2', 'f3']);
    assert.deepEqual((await root.queryFlows({ uid: 1000 }, 0, '')).rows.map((row) => row.id), ['f2']);
    await assert.rejects(root.explain('f9'), refusedWith('NotFound'));
  });

  test('proposes and simulates from flows of one’s own, from everybody’s for root', async () => {
    rig.insight.asked.length = 0;
    const local = rig.clientAs(LOCAL.uid);
    await local.proposeRules({ since_ms: 7 });
    await assert.rejects(local.proposeRules({ uid: 1000 }), refusedWith('NotAuthorized'));
    await local.simulateRules([{ op: 'remove', id: 'web' }], 9);
    const root = rig.clientAs(ROOT_UID);
    await root.proposeRules({ include_decided: true });
    await root.proposeRules({ uid: 1000 });
    assert.deepEqual(rig.insight.asked, [
      ['propose', { sinceMs: 7, includeDecided: false }, LOCAL.uid], ['simulate', [{ op: 'remove', id: 'web' }], 9, LOCAL.uid],
      ['propose', { sinceMs: 0, includeDecided: true }, null], ['propose', { sinceMs: 0, includeDecided: false }, 1000],
    ]);
    await assert.rejects(root.simulateRules(Array.from({ length: 65 }, () => ({ op: 'remove', id: 'x' })), 0), refusedWith('InvalidArgument'));
    assert.equal((await rig.clientAs(STRANGER.uid).reviewRules().catch(() => 'refused')), 'refused');
  });

  test('tells totals of one’s own programs, and everybody’s to root', async () => {
    rig.engine.traffic.push(
      trafficTotal('/usr/bin/curl', 1000, 9), trafficTotal('/usr/bin/ssh', LOCAL.uid, 5), trafficTotal(null, null, 1),
    );
    const own = await rig.clientAs(LOCAL.uid).totals();
    assert.deepEqual(own.map(({ path, uid }) => [path, uid]), [['/usr/bin/ssh', LOCAL.uid]]);
    const [curl, , unknown] = await rig.clientAs(ROOT_UID).totals();
    assert.deepEqual(curl, {
      application: 'curl', path: '/usr/bin/curl', uid: 1000, user: 'alice', sent_bytes: 9, sent_packets: 2, received_bytes: 9,
      received_packets: 3,
    });
    assert.deepEqual([unknown?.application, unknown?.path, unknown?.user], ['An unknown program', '', '']);
  });

  test('totals have at most 500 rows, the last of which is the sum of all that did not fit', async () => {
    for (let index = 0; index < 700; index += 1) rig.engine.traffic.push(trafficTotal(`/usr/bin/p${String(index)}`, 1000, 1000 - index));
    const rows = await rig.clientAs(ROOT_UID).totals();
    assert.equal(rows.length, 500);
    const last = rows.at(-1);
    assert.deepEqual([last?.application, last?.path, last?.uid, last?.others], ['Other programs', '', 1000, 201]);
    assert.equal(rows.reduce((sum, row) => sum + row.sent_bytes, 0), 700 * 1000 - 699 * 350);
  });

  test('a filter reaches the engine as it was meant, for one’s own flows or everybody’s', async () => {
    const asked = { path: '/usr/bin/curl', application: 'Cu', host: 'Example.ORG.', port: 443, action: 'deny', rule_id: 'web', since_ms: 5, until_ms: 9 } as const;
    const meant = { path: '/usr/bin/curl', application: 'Cu', host: 'example.org', port: 443, action: 'deny', ruleId: 'web', sinceMs: 5, untilMs: 9 };
    await rig.clientAs(LOCAL.uid).queryFlows(asked, 0, '');
    assert.deepEqual(rig.engine.filters.pop(), { ...meant, uid: LOCAL.uid });
    await rig.clientAs(ROOT_UID).queryFlows(asked, 0, '');
    assert.deepEqual(rig.engine.filters.pop(), meant);
    await rig.clientAs(ROOT_UID).queryFlows({ host: '', application: '' }, 0, '');
    assert.deepEqual(rig.engine.filters.pop(), {});
  });

  test('ids and sums take the same filters, one’s own or everybody’s, and everybody’s cost view-all', async () => {
    const asked = { verdict: 'refused', protocol: 'udp', program: 'snap:x', destination: 'Example.org', search: 'Fire 53' } as const;
    const meant = { verdict: 'refused', protocols: [17], program: 'snap:x', destination: 'example.org', words: ['fire', '53'] };
    const [local, root] = [rig.clientAs(LOCAL.uid), rig.clientAs(ROOT_UID)];
    await local.indexFlows(asked, '');
    assert.deepEqual(rig.engine.filters.pop(), { ...meant, uid: LOCAL.uid });
    await root.groupFlows({ ...asked, everybody: true }, 'application');
    assert.deepEqual(rig.engine.filters.pop(), meant);
    for (const filter of [{ everybody: true }, { uid: ROOT_UID }]) {
      await assert.rejects(local.queryFlows(filter, 0, ''), refusedWith('NotAuthorized'));
      await assert.rejects(local.indexFlows(filter, ''), refusedWith('NotAuthorized'));
      await assert.rejects(local.groupFlows(filter, 'destination'), refusedWith('NotAuthorized'));
    }
    await assert.rejects(local.subscribe({ packets: false, everybody: true }), refusedWith('NotAuthorized'));
    await assert.rejects(local.indexFlows({ protocol: 'sctp' }, ''), refusedWith('InvalidArgument'));
    await assert.rejects(local.groupFlows({}, 'user' as 'application'), refusedWith('NotSupported'));
    assert.deepEqual(await local.historyState(), { enabled: true, names: false, keep_days: 7, max_megabytes: 64, failure: '' });
  });

  test('ids come whole over the bus, and sums with what finds their flows again', async () => {
    const root = rig.clientAs(ROOT_UID);
    const before = rig.engine.records.splice(0);
    rig.engine.records.push(...flows(10, 3000, (number) => ({ path: `/usr/bin/p${String(number % 700)}`, identity: { path: `/usr/bin/p${String(number % 700)}` } })).toReversed());
    const ids = (await root.indexFlows({}, '')).rows;
    assert.deepEqual(ids, rig.engine.records.map(({ id }) => id));
    const { rows } = await root.groupFlows({}, 'application');
    assert.equal(rows.reduce((sum, row) => sum + (row.connections ?? 0), 0), rig.engine.records.length);
    assert.deepEqual([rows.length, rows.at(-1)?.others, rows[0]?.program?.slice(0, 15)], [500, 201, 'path:/usr/bin/p']);
    rig.engine.records.splice(0, rig.engine.records.length, ...before);
  });

  test('totals of the history are one’s own, and everybody’s for root; clearing it takes the right to edit rules', async () => {
    const nothing = {
      timeMs: null, path: null, forwardedFrom: null, uid: null, others: null, target: null, port: null, protocol: null,
      allowed: 3, refused: 1, sentBytes: 0, sentPackets: 0, receivedBytes: 0, receivedPackets: 0,
    };
    rig.engine.sums.push(
      { ...nothing, path: '/usr/bin/curl', forwardedFrom: '', uid: 1000 }, { ...nothing, path: '', forwardedFrom: 'Container 3f', others: null },
      { ...nothing, target: 'example.org', port: 443, protocol: 6 }, { ...nothing, timeMs: 60_000 }, { ...nothing, path: '', others: 4 },
    );
    const rows = await rig.clientAs(LOCAL.uid).historyTotals('day', 'application');
    assert.deepEqual(rows.map(({ application, user, destination, protocol, time_ms: time, connections, others }) =>
      [application, user, destination, protocol, time, connections, others]), [
      ['curl', 'alice', undefined, undefined, undefined, 4, undefined], ['Container 3f', '', undefined, undefined, undefined, 4, undefined],
      ['', '', 'example.org', 'tcp', undefined, 4, undefined], ['', '', undefined, undefined, 60_000, 4, undefined],
      ['Other programs', '', undefined, undefined, undefined, 4, 4],
    ]);
    await rig.clientAs(ROOT_UID).historyTotals('week', 'hour');
    await rig.clientAs(LOCAL.uid).historyTotals('month', 'destination', { path: '/usr/bin/curl' });
    await assert.rejects(rig.clientAs(LOCAL.uid).historyTotals('helper', 'application', { path: '/usr/bin/curl' }), refusedWith('NotSupported'));
    await assert.rejects(rig.clientAs(LOCAL.uid).clearHistory(), refusedWith('NotAuthorized'));
    await rig.clientAs(ROOT_UID).clearHistory();
    assert.deepEqual(rig.engine.done.slice(-4), [
      `totals day application ${String(LOCAL.uid)}`, 'totals week hour null', `totals month destination ${String(LOCAL.uid)} /usr/bin/curl`,
      'clear history',
    ]);
  });

  test('one user cannot keep the history from others: more than a few questions at a time are refused', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => { release = resolve; });
    const flows = rig.engine.flows.bind(rig.engine);
    rig.engine.flows = async (...args) => {
      await held;
      return await flows(...args);
    };
    const local = rig.clientAs(LOCAL.uid);
    let busy = 0;
    const asked: Promise<void>[] = [];
    await new Promise<void>((resolve) => {
      for (let number = 0; number < QUESTIONS_PER_UID + 3; number += 1) {
        asked.push(local.queryFlows({}, 0, '').then(() => undefined, (error: unknown) => {
          assert.ok(refusedWith('Busy')(error));
          busy += 1;
          if (busy === 3) resolve();
        }));
      }
    });
    const root = rig.clientAs(ROOT_UID).queryFlows({}, 0, '');
    await assert.rejects(local.explain('f1'), refusedWith('Busy'));
    release();
    await Promise.all([...asked, root]);
    assert.equal(busy, 3);
    rig.engine.flows = flows;
    await local.queryFlows({}, 0, '');
  });

  test('tells of each list with the rules that name it, and begins an update of those that are known', async () => {
    rig.engine.rows.set('no-ads', { ...ruleRow('no-ads', { action: 'deny' }), list: 'ads' });
    const client = rig.clientAs(ROOT_UID);
    assert.deepEqual(await client.listLists(), [{
      id: 'ads', name: 'Advertisers', source: '/etc/bastion/lists/ads.txt', format: 'hosts', entries: 3, domains: 2, prefixes: 1, exceptions: 0,
      ignored: 3, updated_ms: 5, next_ms: 0, error: '', updating: false, used_by: ['no-ads'],
    }]);
    await client.updateLists(['ads']);
    await client.updateLists([]);
    assert.deepEqual(rig.control.done.filter((what) => what.startsWith('updateLists')), ['updateLists ads', 'updateLists']);
    await assert.rejects(client.updateLists(['none']), { code: 'NotFound' });
    await assert.rejects(client.updateLists(Array.from({ length: 33 }, () => 'ads')), { code: 'InvalidArgument' });
    rig.engine.rows.delete('no-ads');
  });

  test('totals of another range or by another thing are not supported', async () => {
    const bus = await rig.connectAs(ROOT_UID);
    for (const body of [['year', 'application'], ['week', 'minute'], ['helper', 'destination'], ['day', 'address']]) {
      await assert.rejects(
        bus.call({ destination: BUS_NAME, path: OBJECT_PATH, interface: INTERFACES.activity, member: 'Totals', signature: 'ss', body }),
        { errorName: 'org.bastionfirewall.Error.NotSupported' },
      );
    }
  });

  test('sends flows live to subscribers: one’s own, and everybody’s to root', async () => {
    const local = rig.clientAs(LOCAL.uid);
    const root = rig.clientAs(ROOT_UID);
    await local.subscribe({ packets: false });
    await root.subscribe({ packets: false });
    const toLocal = nextEvent(local, 'flows');
    const toRoot = nextEvent(root, 'flows');
    rig.engine.observe([flowRecord('f1', 1000), flowRecord('f2', LOCAL.uid), flowRecord('f3', null)]);
    const [own] = await toLocal;
    const [all] = await toRoot;
    assert.deepEqual(own.map((row) => row.id), ['f2']);
    assert.deepEqual(all.map((row) => [row.id, row.uid]), [['f1', 1000], ['f2', LOCAL.uid], ['f3', 0xffff_ffff]]);
  });

  test('traces packets only while somebody who may wants them', async () => {
    const local = rig.clientAs(LOCAL.uid);
    await assert.rejects(local.subscribe({ packets: true }), refusedWith('NotAuthorized'));
    const root = rig.clientAs(ROOT_UID);
    await root.subscribe({ packets: true });
    const seen = nextEvent(root, 'packets');
    const { tuple } = flowRecord('f', 0);
    rig.service?.packets([{ tuple, lengthBytes: 60, interfaceName: 'eth0' }]);
    const [packets] = await seen;
    assert.equal(packets[0]?.address, '192.0.2.1');
    await root.unsubscribe();
    assert.deepEqual(rig.control.done, ['setPacketTrace true', 'setPacketTrace false']);
  });

  test('a client that loses the helper says so, finds the next, and is agent and subscriber again by itself', async () => {
    const client = rig.clientAs(LOCAL.uid);
    await client.registerAgent();
    await client.subscribe({ packets: false });
    const lost = nextEvent(client, 'connected', (there) => !there);
    rig.service?.close();
    await lost;
    assert.equal(client.connected, false);
    await assert.rejects(client.ping(), NotConnectedError);
    const raised = nextEvent(client, 'promptRaised');
    const flows = nextEvent(client, 'flows');
    rig.engine.raise(promptView('held', LOCAL.uid));
    await rig.serve();
    await raised;
    await client.ping();
    // The subscription is asked for in the background: flows that come before it are not for this client.
    const traffic = setInterval(() => { rig.engine.observe([flowRecord('f1', LOCAL.uid)]); }, 20);
    await flows.finally(() => { clearInterval(traffic); });
  });

  test('a client that was told to register before there is a helper is agent as soon as there is one', async () => {
    rig.service?.close();
    const client = rig.clientAs(LOCAL.uid);
    await assert.rejects(client.registerAgent(), NotConnectedError);
    const raised = nextEvent(client, 'promptRaised');
    rig.engine.raise(promptView('held', LOCAL.uid));
    await rig.serve();
    await raised;
  });

  test('a second helper is told that the name is taken, and the first goes on', async () => {
    const first = rig.service;
    await assert.rejects(rig.serve(), NameTakenError);
    rig.service = first;
    await rig.clientAs(LOCAL.uid).ping();
  });

  test('a stranger is refused everything that costs an action', async () => {
    const client = rig.clientAs(STRANGER.uid);
    const calls: readonly (() => Promise<unknown>)[] = [
      () => client.ping(), () => client.status(), () => client.setMode('learning'), () => client.pause(5), () => client.resume(),
      () => client.reload(), () => client.off(), () => client.selfTest(), () => client.setLogLevel('debug'),
      () => client.listRules(0, ''), () => client.getRule('x'), () => client.addRule({ action: 'allow' }),
      () => client.updateRule('x', {}), () => client.removeRule('x'), () => client.exportRules('toml'), () => client.registerAgent(),
      () => client.listPrompts(0, ''), () => client.queryFlows({}, 0, ''), () => client.subscribe({ packets: false }),
      () => client.explain('f1'),
    ];
    rig.engine.raise(promptView('own', STRANGER.uid));
    for (const call of [...calls, () => client.answer('own', { action: 'allow', lifetime: 'once' })]) {
      await assert.rejects(call(), refusedWith('NotAuthorized'), call.toString());
    }
    await assert.rejects(client.unregisterAgent(), refusedWith('NotAnAgent'));
    assert.deepEqual(rig.engine.done, []);
    assert.deepEqual(rig.engine.answers, []);
    assert.deepEqual(rig.control.done, []);
  });

  test('a local user may do what the session allows and nothing else', async () => {
    const client = rig.clientAs(LOCAL.uid);
    rig.engine.raise(promptView('own', LOCAL.uid));
    rig.engine.raise(promptView('other', 1000));
    await client.ping();
    for (const call of [
      () => client.setMode('learning'), () => client.reload(), () => client.off(), () => client.selfTest(),
      () => client.addRule({ action: 'allow' }), () => client.updateRule('x', {}), () => client.removeRule('x'),
      () => client.setLogLevel('debug'),
      () => client.answer('own', { action: 'allow', lifetime: 'always' }),
      () => client.answer('other', { action: 'allow', lifetime: 'once' }),
    ]) {
      await assert.rejects(call(), refusedWith('NotAuthorized'), call.toString());
    }
    assert.deepEqual(rig.engine.done, []);
    assert.deepEqual(rig.engine.answers, []);
  });
});

test('service: the end of the bus is told once, ends the service, and clients wait for the next', { skip: cannotServe() }, async () => {
  const rig = await ServiceRig.start();
  try {
    const client = rig.clientAs(LOCAL.uid);
    await whenConnected(client);
    const lost = nextEvent(client, 'connected', (there) => !there);
    await rig.stopBus();
    await lost;
    await assert.rejects(client.ping(), NotConnectedError);
    assert.match(await rig.whenLost, /^the (?:bus closed the connection|connection to the bus failed)/u);
  } finally {
    await rig.close();
  }
});
