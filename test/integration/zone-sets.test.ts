/** The addresses of zones in sets of nftables, with the real nft in a namespace. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { rescue } from '../lab/boot-scripts.ts';
import { Lab } from '../lab/lab.ts';
import { endChild } from '../lab/process.ts';
import { mustHold } from '../must-hold.ts';
import { FULL_SIZE, noLab, until } from './support.ts';
import { Keeper, elementsOf, nft, startMonitor, zone } from './support-sets.ts';

const UPDATES = FULL_SIZE ? 1000 : 40;
const KILLS = FULL_SIZE ? 40 : 4;

/** As an administrator has it. */
const TABLE = `
table inet filter {
  set wan_ips { type ipv4_addr; }
  set wan_ips6 { type ipv6_addr; }
  chain out { type filter hook output priority 0; policy accept; }
}
`;

/** How many elements each transaction that `nft monitor` told has changed. */
function transactionsOf(told: string): readonly number[] {
  return told.split(/^# new generation .*$/mu).map((one) => one.split('\n').filter((line) => line.includes('element')).length).filter((lines) => lines > 0);
}

describe('sets of zones', { skip: noLab(), timeout: 300_000 }, () => {
  let lab: Lab;
  let keeper: Keeper;
  before(async () => { lab = await Lab.create({ startHelper: false }); });
  after(() => lab.dispose());
  beforeEach(async () => {
    await nft(lab, `flush ruleset\n${TABLE}`);
    keeper = new Keeper(lab);
  });
  afterEach(async () => {
    await keeper.ask({ zones: [], turn: 'off' }).catch(() => undefined);
    await keeper.close();
  });

  test('sets that an administrator made are filled, IPv4 and IPv6, and his own elements stay', async () => {
    await nft(lab, 'add element inet filter wan_ips { 198.51.100.9, 192.0.2.1 }');
    const views = await keeper.ask({ zones: [zone('wan')], links: { wan: ['192.0.2.1', '192.0.2.2', '2001:db8::1', 'fe80::1'] }, start: 'on' });
    assert.deepEqual(views.map(({ state, problem, others }) => [state, problem, others]), [['current', '', 2], ['current', '', 0]]);
    assert.deepEqual(await elementsOf(lab, 'inet filter wan_ips'), ['192.0.2.1', '192.0.2.2', '198.51.100.9']);
    assert.deepEqual(await elementsOf(lab, 'inet filter wan_ips6'), ['2001:db8::1']);
    await keeper.ask({ links: {}, until: { state: 'current', elements: ['192.0.2.1', '198.51.100.9'] } });
    assert.deepEqual(await elementsOf(lab, 'inet filter wan_ips'), ['192.0.2.1', '198.51.100.9']);
    assert.deepEqual(await elementsOf(lab, 'inet filter wan_ips6'), []);
  });

  test('without keep_others a set holds the addresses of its zone and nothing else', async () => {
    await nft(lab, 'add element inet filter wan_ips { 198.51.100.9 }');
    await keeper.ask({ zones: [zone('wan', { keepOthers: false, set6: '' })], links: { wan: ['192.0.2.1'] }, start: 'on' });
    assert.deepEqual(await elementsOf(lab, 'inet filter wan_ips'), ['192.0.2.1']);
  });

  test('a set that is missing is told with the command that makes it; once it is made, it is filled', async () => {
    await nft(lab, 'flush ruleset');
    const [view] = await keeper.ask({ zones: [zone('wan', { set6: '' })], links: { wan: ['192.0.2.1'] }, start: 'on' });
    assert.equal(view?.state, 'missing');
    const command = /To make it: (nft .*)$/u.exec(view.problem)?.[1] ?? '';
    const made = await lab.run(['sh', '-c', command], { as: 'root' });
    assert.equal(made.status, 0, made.stderr);
    await keeper.ask({ until: { state: 'current', elements: ['192.0.2.1'] } });
    assert.deepEqual(await elementsOf(lab, 'inet filter wan_ips'), ['192.0.2.1']);
  });

  test('with create = true table and sets are made, and no chain', async () => {
    await nft(lab, 'flush ruleset');
    await keeper.ask({ zones: [zone('wan', { create: true })], links: { wan: ['192.0.2.1'] }, start: 'on' });
    const text = await nft(lab, 'list ruleset');
    assert.match(text, /table inet filter \{\s+set wan_ips \{\s+type ipv4_addr\s+elements = \{ 192\.0\.2\.1 \}\s+\}\s+set wan_ips6 \{\s+type ipv6_addr\s+\}\s+\}/u);
    assert.doesNotMatch(text, /chain|flags/u);
  });

  test('a set of another type, a map and a constant set are explained, and the other set of the zone is filled', async () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ['set wan_ips { type ipv6_addr; }', /holds ipv6_addr; addresses of IPv4 need a set with type ipv4_addr/u],
      ['set wan_ips { type ipv4_addr . inet_service; }', /holds ipv4_addr \. inet_service;/u],
      ['map wan_ips { type ipv4_addr : mark; }', /is a map/u],
      ['set wan_ips { type ipv4_addr; flags constant; elements = { 203.0.113.1 } }', /has the flag constant/u],
    ];
    await keeper.ask({ zones: [zone('wan')], links: { wan: ['192.0.2.1', '2001:db8::1'] }, start: 'on' });
    for (const [made, problem] of cases) {
      await nft(lab, `flush ruleset\ntable inet filter {\n${made}\nset wan_ips6 { type ipv6_addr; }\n}\n`);
      const [first, second] = await keeper.ask({ zones: [zone('wan')] });
      assert.equal(first?.state, 'failed', made);
      assert.match(first.problem, problem);
      assert.equal(second?.state, 'current');
      assert.deepEqual(await elementsOf(lab, 'inet filter wan_ips6'), ['2001:db8::1']);
    }
  });

  test('of an interval set that joins neighbours only the addresses that go are taken out, and ranges of others stay whole', async () => {
    await nft(lab, `flush ruleset\ntable inet filter {\nset wan_ips { type ipv4_addr; flags interval; auto-merge; elements = { 10.0.0.0/24, 192.0.2.4 } }\n}\n`);
    const zones = [zone('wan', { set6: '' })];
    await keeper.ask({ zones, links: { wan: ['192.0.2.1', '192.0.2.2', '192.0.2.3', '10.0.0.7'] }, start: 'on' });
    assert.deepEqual(await elementsOf(lab, 'inet filter wan_ips'), ['10.0.0.0/24', '192.0.2.1-192.0.2.4']);
    await keeper.ask({ links: { wan: ['192.0.2.1', '192.0.2.3'] }, until: { state: 'current' } });
    await keeper.ask({ zones });
    assert.deepEqual(await elementsOf(lab, 'inet filter wan_ips'), ['10.0.0.0/24', '192.0.2.1', '192.0.2.3-192.0.2.4']);
    await keeper.ask({ turn: 'off' });
    assert.deepEqual(await elementsOf(lab, 'inet filter wan_ips'), ['10.0.0.0/24', '192.0.2.4']);
  });

  test('in a set whose elements end after a minute ours stay for weeks, also where a rule had put one in before', async () => {
    await nft(lab, `flush ruleset\ntable inet filter {\nset wan_ips { type ipv4_addr; flags dynamic,timeout; timeout 1m; elements = { 192.0.2.2, 192.0.2.3 } }\n}\n`);
    await keeper.ask({ zones: [zone('wan', { set6: '' })], links: { wan: ['192.0.2.1', '192.0.2.2'] }, start: 'on' });
    const elements = await elementsOf(lab, 'inet filter wan_ips');
    assert.equal(elements.length, 3);
    for (const element of elements) {
      if (element.startsWith('192.0.2.3')) assert.match(element, /expires [0-5]?\d?s?/u);
      else assert.match(element, /timeout 24d20h.* expires 24d20h/u);
    }
  });

  test('what somebody takes out, a deleted table that is made again and a flushed ruleset are right again', async () => {
    const zones = [zone('wan', { set6: '' })];
    const full = { state: 'current', elements: ['192.0.2.1', '192.0.2.2'] } as const;
    await keeper.ask({ zones, links: { wan: ['192.0.2.1', '192.0.2.2'] }, start: 'on' });
    await nft(lab, 'delete element inet filter wan_ips { 192.0.2.1 }');
    await until('the element to be put back', async () => (await elementsOf(lab, 'inet filter wan_ips')).length === 2 ? true : null);
    await nft(lab, 'delete table inet filter');
    await keeper.ask({ until: { state: 'missing' } });
    await nft(lab, TABLE);
    await keeper.ask({ until: full });
    assert.deepEqual(await elementsOf(lab, 'inet filter wan_ips'), full.elements);
    await nft(lab, `flush ruleset\n${TABLE}`);
    await until('the sets to be full again', async () => (await elementsOf(lab, 'inet filter wan_ips')).length === 2 ? true : null);
  });

  test('elements leave with the firewall, with the zone and with the interface, and come back', async () => {
    const wan = zone('wan', { set6: '' });
    await nft(lab, 'add element inet filter wan_ips { 198.51.100.9 }');
    await keeper.ask({ zones: [wan], links: { wan: ['192.0.2.1'] }, start: 'on' });
    await keeper.ask({ turn: 'off' });
    assert.deepEqual(await elementsOf(lab, 'inet filter wan_ips'), ['198.51.100.9']);
    await keeper.ask({ turn: 'on' });
    assert.deepEqual(await elementsOf(lab, 'inet filter wan_ips'), ['192.0.2.1', '198.51.100.9']);
    await keeper.ask({ zones: [] });
    assert.deepEqual(await elementsOf(lab, 'inet filter wan_ips'), ['198.51.100.9']);
  });

  test('under nft monitor only differences pass, each in one transaction, and an element that stays is never missing', async () => {
    const zones = [zone('wan')];
    // Its own answers tell whether a packet ever missed the element.
    await nft(lab, 'add rule inet filter out ip daddr 127.0.0.9 ip daddr @wan_ips counter accept\nadd rule inet filter out ip daddr 127.0.0.9 counter drop');
    await keeper.ask({ zones, links: { wan: ['127.0.0.9'] }, start: 'on' });
    const monitor = await startMonitor(lab);
    const script = `const s = require('node:dgram').createSocket('udp4'); process.stdin.resume().on('end', () => process.exit());
      process.stdout.write('on\\n'); const send = () => s.send('x', 9, '127.0.0.9', () => setImmediate(send)); send();`;
    const sender = lab.spawn([process.execPath, '-e', script], { as: 'root', stdio: ['pipe', 'pipe', 'inherit'] });
    if (sender.stdout !== null) await once(sender.stdout, 'data');
    for (let update = 1; update <= UPDATES; update += 1) {
      const wan = ['127.0.0.9', `192.0.2.${String(update % 250)}`, `2001:db8::${(update % 250 + 1).toString(16)}`];
      await keeper.ask({ links: { wan }, until: { state: 'current', elements: wan } });
    }
    await until('the monitor to have told of the last one', () => Promise.resolve(transactionsOf(monitor.told()).length >= UPDATES ? true : null));
    await endChild(sender, 5000);
    await monitor.close();
    const told = monitor.told();
    const chain = await nft(lab, 'list chain inet filter out');
    const [matched, missed] = [...chain.matchAll(/counter packets (\d+)/gu)].map(([, packets]) => Number(packets));
    assert.ok((matched ?? 0) > 0, chain);
    assert.equal(missed, 0, chain);
    assert.doesNotMatch(told, /flush|127\.0\.0\.9|(?:add|delete) (?:set|table)/u);
    const transactions = transactionsOf(told);
    // Both sets change with it: two elements come, and two of the one before leave.
    assert.equal(transactions.length, UPDATES);
    assert.ok(transactions.every((lines) => lines <= 4), told.slice(-2000));
    mustHold({
      id: 'zone-sets-atomic', claim: 'address sets change by differences in one transaction; an element that stays is never missing',
      size: `${String(UPDATES)} changes of two sets, ${String(matched)} packets that looked the element up`, undecided: null,
      figures: [`${String(transactions.length)} transactions, no flush, 0 lookups missed`],
    });
  });

  test('killed at any moment, the next keeper takes out what was ours and leaves what others put in', async () => {
    const zones = [zone('wan', { set6: '' })];
    await nft(lab, 'add element inet filter wan_ips { 198.51.100.9 }');
    await keeper.ask({ zones, links: { wan: ['192.0.2.1'] }, start: 'on' });
    for (let kill = 1; kill <= KILLS; kill += 1) {
      const before = (await elementsOf(lab, 'inet filter wan_ips')).length;
      assert.ok(before >= 1);
      for (let change = 0; change < 5; change += 1) keeper.tell({ links: { wan: [`192.0.2.${String(kill * 5 + change)}`, `203.0.113.${String(kill)}`] } });
      // Some are killed before the first transaction, some after it.
      if (kill % 3 !== 0) await keeper.answer();
      await keeper.kill();
      keeper = new Keeper(lab);
      await keeper.ask({ zones, links: { wan: [`192.0.2.${String(kill)}`] }, start: 'on' });
      assert.deepEqual(await elementsOf(lab, 'inet filter wan_ips'), [`192.0.2.${String(kill)}`, '198.51.100.9'].sort());
    }
    mustHold({
      id: 'zone-sets-killed', claim: 'kill -9 while address sets change: right with the next start, elements of others stay', size: `${String(KILLS)} times`,
      undecided: null, figures: ['no element of ours left, none of others lost'],
    });
  });

  test('bastion-rescue takes out what was put in, and only that', async () => {
    await nft(lab, 'add element inet filter wan_ips { 198.51.100.9 }');
    await keeper.ask({ zones: [zone('wan')], links: { wan: ['192.0.2.1', '2001:db8::1'] }, start: 'on' });
    await keeper.kill();
    const done = await rescue(lab);
    assert.equal(done.status, 0, `${done.stdout}${done.stderr}`);
    assert.match(done.stdout, /Done: remove 2 addresses from sets of nftables/u);
    assert.deepEqual(await elementsOf(lab, 'inet filter wan_ips'), ['198.51.100.9']);
    assert.deepEqual(await elementsOf(lab, 'inet filter wan_ips6'), []);
    assert.ok(!existsSync(join(lab.runDir, 'set-elements')));
  });
});
