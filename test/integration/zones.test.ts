/** Zones on the real helper: an administrator's rules with sets drop and accept packets by the addresses that interfaces have. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import { Lab } from '../lab/lab.ts';
import { mustHold } from '../must-hold.ts';
import { FULL_SIZE, clientOf, noLab, until } from './support.ts';
import { elementsOf, nft, startMonitor } from './support-sets.ts';

const ZONES = `
[[interface]]
name = "eth0"
zone = "wan"

[[zone]]
name = "wan"
`;

/** Only what is for an address of the zone comes in. */
const TABLE = `
table inet filter {
  set wan_ips { type ipv4_addr; }
  set wan_ips6 { type ipv6_addr; }
  chain input {
    type filter hook input priority 0; policy accept;
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
    meta l4proto { icmp, ipv6-icmp } ip daddr @wan_ips accept
    meta l4proto { icmp, ipv6-icmp } ip6 daddr @wan_ips6 accept
    meta l4proto { icmp, ipv6-icmp } drop
  }
}
`;
const PINGS = FULL_SIZE ? 20 : 4;
const PAIRS = FULL_SIZE ? 50 : 10;
const BURSTS = FULL_SIZE ? 20 : 4;
const CHANGES = 50;

function key(addresses: Iterable<string>): string {
  return [...addresses].sort().join(' ');
}

/** Lines for `ip`, each of which changes one address; `there` and `states` go along. */
function burstOf(burst: number, there: Set<string>, states: string[]): readonly string[] {
  return Array.from({ length: CHANGES }, (_, change) => {
    const pair = (burst * 7 + change) % PAIRS;
    const address = `10.80.${String(pair)}.${String((burst + change) % 5 + 1)}`;
    const verb = there.delete(address) ? 'del' : 'add';
    if (verb === 'add') there.add(address);
    states.push(key(there));
    return `address ${verb} ${address}/32 dev many${String(pair)}`;
  });
}

/** How many transactions of the set `nft monitor` told, contents after one that were none of `states` in their order, and the last one. */
function replayed(told: string, content: Set<string>, states: readonly string[]): readonly [number, readonly string[], string] {
  const strange: string[] = [];
  let steps = 0;
  let at = 0;
  for (const transaction of told.split(/^# new generation .*$/mu)) {
    const changes = [...transaction.matchAll(/^(add|create|delete) element inet filter wan_ips \{([^}]*)\}/gmu)];
    if (changes.length === 0) continue;
    steps += 1;
    for (const [, verb, elements = ''] of changes) {
      for (const element of elements.split(',').map((one) => one.trim())) if (verb === 'delete') content.delete(element); else content.add(element);
    }
    const found = states.indexOf(key(content), at);
    if (found === -1) strange.push(key(content));
    else at = found;
  }
  return [steps, strange, key(content)];
}

describe('zones on the real helper', { skip: noLab(), timeout: 300_000 }, () => {
  let lab: Lab;
  let client: HelperClient;
  before(async () => {
    lab = await Lab.create({ startHelper: false, mode: 'learning' });
    writeFileSync(join(lab.configDir, 'bastion.toml'), ZONES, { flag: 'a' });
    await nft(lab, TABLE);
    await lab.startHelper();
    client = clientOf(lab);
  });
  after(async () => {
    client.close();
    await lab.dispose();
  });

  function ip(...args: readonly string[]): void {
    execFileSync('ip', ['-netns', lab.clientNamespace, ...args]);
  }

  function batch(lines: readonly string[]): void {
    execFileSync('ip', ['-netns', lab.clientNamespace, '-batch', '-'], { input: lines.join('\n') });
  }

  /** How many of `count` pings of the peer are answered. */
  async function answered(address: string, count: number, seconds = 20): Promise<number> {
    const { stdout } = await lab.runAtPeer(['ping', '-n', '-q', '-c', String(count), '-i', '0.05', '-W', String(seconds), address]);
    return Number(/(\d+) received/u.exec(stdout)?.[1] ?? -1);
  }

  const filled = (four: number): Promise<true> => until(`${String(four)} addresses in the set`, async () => (
    (await elementsOf(lab, 'inet filter wan_ips')).length === four ? true : null));

  test('packets for the addresses that the interface has are let in by the sets, and no others', async () => {
    await filled(1);
    await until('the IPv6 address', async () => ((await elementsOf(lab, 'inet filter wan_ips6')).includes('fd77::2') ? true : null));
    assert.deepEqual(await elementsOf(lab, 'inet filter wan_ips'), [lab.client4]);
    assert.equal(await answered(lab.client4, PINGS), PINGS);
    assert.equal(await answered(lab.client6, PINGS), PINGS);
    // An address of the machine that belongs to no zone.
    ip('link', 'add', 'other0', 'type', 'veth', 'peer', 'name', 'other1');
    ip('address', 'add', '10.77.0.50/32', 'dev', 'other0');
    ip('link', 'set', 'other0', 'up');
    assert.equal(await answered('10.77.0.50', 2, 1), 0);
    ip('link', 'del', 'other0');
    ip('address', 'add', '10.77.0.50/24', 'dev', 'eth0');
    await filled(2);
    assert.equal(await answered('10.77.0.50', PINGS), PINGS);
    await nft(lab, 'delete element inet filter wan_ips { 10.77.0.50 }');
    await filled(2);
    ip('address', 'del', '10.77.0.50/24', 'dev', 'eth0');
    await filled(1);
    mustHold({
      id: 'zone-sets-packets', claim: 'an administrator’s inet filter table drops and accepts packets by the sets of a zone',
      size: `${String(PINGS * 3)} packets of each kind, IPv4 and IPv6`, undecided: null, figures: ['all for addresses of the zone answered, none for another'],
    });
  });

  test('after bursts of changes the set equals the addresses of the interfaces, and held on its way only what they had at some moment', async () => {
    writeFileSync(join(lab.configDir, 'bastion.toml'), '\n[[interface]]\nname = "many*"\nzone = "wan"\n', { flag: 'a' });
    await client.reload();
    batch(Array.from({ length: PAIRS }, (_, pair) => `link add many${String(pair)} up type veth peer name far${String(pair)}`));
    const monitor = await startMonitor(lab);
    const there = new Set<string>([lab.client4]);
    const states = [key(there)];
    const lags: number[] = [];
    for (let burst = 0; burst < BURSTS; burst += 1) {
      batch(burstOf(burst, there, states));
      const start = performance.now();
      await until('the set to equal the addresses', async () => (key(await elementsOf(lab, 'inet filter wan_ips')) === key(there) ? true : null));
      lags.push(performance.now() - start);
    }
    await until('the monitor to have told of the last one', () => Promise.resolve(replayed(monitor.told(), new Set([lab.client4]), states)[2] === key(there) ? true : null));
    await monitor.close();
    const [steps, strange] = replayed(monitor.told(), new Set([lab.client4]), states);
    assert.deepEqual(strange, []);
    assert.ok(steps >= BURSTS, String(steps));
    batch(Array.from({ length: PAIRS }, (_, pair) => `link del many${String(pair)}`));
    await filled(1);
    mustHold({
      id: 'zone-sets-bursts', claim: 'bursts of address changes: the set equals the addresses, and every state on the way was one of the interfaces',
      size: `${String(BURSTS * CHANGES)} changes over ${String(PAIRS)} veth interfaces`, undecided: null,
      figures: [`${String(steps)} transactions`, `equal after the last change of a burst: longest ${Math.max(...lags).toFixed(0)} ms, the look at it included`],
    });
  });

  test('ListZones tells the sets with what is in them', async () => {
    const { rows } = await client.listZones(10, '');
    const wan = rows.find(({ id }) => id === 'wan');
    assert.deepEqual(wan?.sets?.map(({ name, version, state, problem, elements, others }) => [name, version, state, problem, elements, others]), [
      ['inet filter wan_ips', 4, 'current', '', [lab.client4], 0], ['inet filter wan_ips6', 6, 'current', '', [lab.client6], 0],
    ]);
  });

  test('a helper that is killed and started again finds its elements, and takes out those that have gone meanwhile', async () => {
    ip('address', 'add', '10.77.0.51/24', 'dev', 'eth0');
    await filled(2);
    await lab.stopHelper('SIGKILL');
    ip('address', 'del', '10.77.0.51/24', 'dev', 'eth0');
    assert.equal((await elementsOf(lab, 'inet filter wan_ips')).length, 2);
    client.close();
    await lab.startHelper();
    client = clientOf(lab);
    await filled(1);
  });

  test('off takes the elements out, a mode puts them back, and a zone that leaves bastion.toml takes its own along', async () => {
    await client.off();
    assert.deepEqual(await elementsOf(lab, 'inet filter wan_ips'), []);
    await client.setMode('learning');
    await filled(1);
    const file = join(lab.configDir, 'bastion.toml');
    writeFileSync(file, 'mode = "learning"\n');
    await client.reload();
    await filled(0);
  });
});
