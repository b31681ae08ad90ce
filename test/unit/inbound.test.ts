/** What comes in: how bastion.toml says it, what netfilter makes of it, who may answer, and how an edit is written. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { InboundKeepers, isUfwEnabled } from '../../helper/adapters/inbound-keepers.ts';
import { inboundChains, refusedIn } from '../../helper/adapters/netfilter/inbound.ts';
import { isInboundAsMeant, withInbound } from '../../helper/adapters/rule-store/inbound-edit.ts';
import { readSettings } from '../../helper/adapters/rule-store/settings.ts';
import { INBOUND_SERVICES } from '../../helper/contract/inbound-services.ts';
import { InboundLimits, inboundSpec } from '../../helper/engine/inbound.ts';
import { allowRow, allowedInbound } from '../../helper/inbound-text.ts';
import type { Facts } from '../../helper/policy/facts.ts';
import { parsePorts } from '../../helper/policy/text.ts';
import type { Settings } from '../../helper/ports.ts';

function read(text: string): Settings {
  const result = readSettings(text);
  assert.ok(result.ok, JSON.stringify(result));
  return result.settings;
}

function complaints(text: string): readonly string[] {
  const result = readSettings(text);
  return result.ok ? [] : result.problems.map(({ line, column, message }) => `${String(line)}:${String(column)} ${message}`);
}

const WAN = `
[[interface]]
name = "wg*"
zone = "vpn"

[[interface]]
name = "eth0"
zone = "wan"

# The street.
[[zone]]
name = "wan"
inbound = "deny"  # but for these
allow = [
  "ssh",  # for the family
  { port = "80,443,6000-6010", protocol = "tcp", application = "/usr/sbin/nginx", from = "192.168.7.9/16" },
]
`;

test('inbound: services, tables and prefixes are read to what they mean', () => {
  const [wan] = read(WAN).zones ?? [];
  assert.equal(wan?.inbound, 'deny');
  assert.deepEqual(wan.inboundAllow, [
    { service: 'ssh' },
    {
      ports: [{ first: 80, last: 80 }, { first: 443, last: 443 }, { first: 6000, last: 6010 }], protocol: 'tcp',
      application: '/usr/sbin/nginx', from: '192.168.0.0/16',
    },
  ]);
  assert.equal(read('[[zone]]\nname = "lan"\n').zones?.[0]?.inbound, 'off');
});

for (const [entry, expected] of [
  ['"shh"', '3:10 There is no service "shh". Did you mean "ssh"?'],
  ['{ service = "ssh", port = "22" }', '3:12 A service says port and protocol itself'],
  ['{ port = "0x" }', '3:12 "port": "0x" is no port or range of ports'],
  ['{ port = "70000" }', '3:12 "port": "70000" is no port'],
  ['{ port = "9-8" }', '3:12 "port": "9-8" is no port'],
  ['{ protocol = "sctp" }', '3:12 "protocol" is "tcp" or "udp"'],
  ['{ application = "nginx" }', '3:12 "application": "nginx" is no path of a program'],
  ['{ from = "10.0.0.0/33" }', '3:12 "from": "10.0.0.0/33" is no address'],
  ['{ from = "somewhere" }', '3:12 "from": "somewhere" is no address'],
  ['{ }', '3:10 An entry of "allow" without a key would let in everything'],
  ['{ ports = "22" }', '3:12 There is no key "allow.ports" here. Did you mean "port"?'],
  ['22', '3:10 Write the name of a service'],
] as const) {
  test(`inbound: allow = [${entry}] is refused with its place`, () => {
    const [first = ''] = complaints(`[[zone]]\nname = "wan"\nallow = [${entry}]\n`);
    assert.ok(first.startsWith(expected), first);
  });
}

test('inbound: an unknown policy and too many entries are refused', () => {
  assert.match(complaints('[[zone]]\nname = "wan"\ninbound = "dney"\n')[0] ?? '', /^3:1 "dney" is no value for "inbound".*Did you mean "deny"\?$/);
  assert.match(complaints(`[[zone]]\nname = "wan"\nallow = [${'"ssh",'.repeat(65)}]\n`)[0] ?? '', /at most 64/);
});

test('inbound: every service has ports that can be read', () => {
  for (const [name, entries] of INBOUND_SERVICES) {
    assert.match(name, /^[a-z0-9-]{2,32}$/);
    for (const { ports } of entries) assert.ok(parsePorts(ports).ok, name);
  }
});

test('inbound: nothing is in netfilter where no zone refuses', () => {
  assert.equal(inboundSpec(read(WAN.replace('"deny"', '"off"')), []), null);
  assert.equal(inboundSpec(read(WAN.replace('"deny"', '"allow"')), []), null);
  assert.deepEqual(inboundChains(4, undefined), []);
});

test('inbound: interfaces by name, by hardware address and by the default zone, the first that fits', () => {
  const zones = read(WAN).zones ?? [];
  const spec = inboundSpec({
    zones, defaultZone: 'wan', interfaces: [{ name: 'wg*', zone: 'vpn' }, { name: '', mac: '02:00:00:00:00:01', zone: 'wan' }, { name: 'eth*', mac: '02:00:00:00:00:02', zone: 'lan' }],
  }, [{ name: 'dock0', mac: '02:00:00:00:00:01' }, { name: 'usb0', mac: '02:00:00:00:00:02' }, { name: 'eth7', mac: '02:00:00:00:00:02' }]);
  assert.deepEqual(spec?.ways, [
    { interface: 'wg*', zone: 'vpn' }, { interface: 'dock0', zone: 'wan' }, { interface: 'eth7', zone: 'lan' }, { interface: '', zone: 'wan' },
  ]);
  const [first, chain] = inboundChains(4, spec);
  assert.deepEqual(first?.rules.slice(-4), ['-i "wg+" -j RETURN', '-i "dock0" -g BASTION_INBOUND_1', '-i "eth7" -j RETURN', '-g BASTION_INBOUND_1']);
  assert.deepEqual(chain?.rules, [
    '-p tcp -m multiport --dports 22 -j RETURN', '-s 192.168.0.0/16 -p tcp -m multiport --dports 80,443,6000:6010 -j RETURN', '-j DROP',
  ]);
  assert.deepEqual(inboundChains(6, spec)[1]?.rules, ['-p tcp -m multiport --dports 22 -j RETURN', '-j DROP']);
});

test('inbound: what only one program may accept opens no protocol of which the program is not known', () => {
  const spec = inboundSpec({ ...read(WAN), zones: (read(WAN).zones ?? []).map((zone) => ({ ...zone, inboundAllow: [{ application: '/usr/sbin/nginx' }] })) }, []);
  assert.deepEqual(inboundChains(4, spec ?? undefined)[1]?.rules, ['-p tcp -j RETURN', '-p udp -j RETURN', '-j DROP']);
});

test('inbound: a name of an interface or a prefix brings nothing else into the rules', () => {
  const rules = inboundChains(4, {
    ways: [{ interface: 'a"b\\', zone: 'z' }], zones: [{ name: 'z', allow: [{ from: '1.2.3.4 -j ACCEPT' }] }],
  }).flatMap((chain) => chain.rules);
  assert.ok(rules.includes('-i "a\\"b\\\\" -g BASTION_INBOUND_1'));
  assert.ok(!rules.some((rule) => rule.includes('ACCEPT')));
});

test('inbound: more ports than one match takes become several', () => {
  const ports = Array.from({ length: 20 }, (_, index) => ({ first: 1000 + index * 10, last: 1005 + index * 10 }));
  const [, chain] = inboundChains(4, { ways: [], zones: [{ name: 'z', allow: [{ protocol: 'udp', ports }] }] });
  assert.equal(chain?.rules.length, 4);
  for (const rule of chain.rules.slice(0, -1)) assert.ok((/--dports (\S+)/u.exec(rule)?.[1] ?? '').split(/[,:]/u).length <= 15, rule);
});

test('inbound: what a zone refused is read out of the counters', () => {
  const listing = '*mangle\n[7:420] -A BASTION_INBOUND_1 -p tcp -m multiport --dports 22 -j RETURN\n[3:180] -A BASTION_INBOUND_1 -j DROP\n[5:5] -A BASTION_INBOUND_2 -j DROP\n[9:9] -A OTHER -j DROP\n';
  assert.deepEqual([...refusedIn(listing, { ways: [], zones: [{ name: 'wan', allow: [] }, { name: 'lan', allow: [] }] })], [['wan', 3], ['lan', 5]]);
});

function answer(path: string, sourcePort: number, more: Partial<Facts['tuple']> = {}, interfaceName = 'eth0'): Facts {
  return {
    path, claimedPath: null, confidence: 'certain', evidence: 'kernel', uid: 33, process: null, interfaceName,
    tuple: { family: 4, protocol: 6, sourceAddress: '192.168.0.2', sourcePort, destinationAddress: '192.168.9.9', destinationPort: 50_000, ...more },
  };
}

test('inbound: a port that is for one program is nobody else’s, from where the entry says, by that zone', () => {
  const limits = InboundLimits.of(read(WAN), (name) => (name === 'eth0' ? 'wan' : 'lan'));
  const refuses = (facts: Facts): boolean | undefined => limits?.refuses(facts, { requireKernelIdentity: true });
  assert.equal(refuses(answer('/usr/sbin/nginx', 443)), false);
  assert.equal(refuses(answer('/usr/bin/nc', 443)), true);
  assert.equal(refuses(answer('/usr/bin/nc', 6005)), true);
  assert.equal(refuses({ ...answer('/usr/sbin/nginx', 443), confidence: 'likely' }), true);
  // What another entry lets in for everybody, what no entry is about, and other zones.
  assert.equal(refuses(answer('/usr/bin/nc', 22)), false);
  assert.equal(refuses(answer('/usr/bin/nc', 8080)), false);
  assert.equal(refuses(answer('/usr/bin/nc', 443, { destinationAddress: '10.0.0.9' })), false);
  assert.equal(refuses(answer('/usr/bin/nc', 443, {}, 'eth1')), false);
  assert.equal(refuses(answer('/usr/bin/nc', 443, { protocol: 17 })), false);
  assert.equal(InboundLimits.of(read(WAN.replace(', application = "/usr/sbin/nginx"', '')), () => 'wan'), null);
});

test('inbound: an edit keeps comments and everything else, and makes a zone that only an interface names', () => {
  const settings = read(WAN);
  const wan = settings.zones?.[0] ?? null;
  const same = { inbound: 'allow', inboundAllow: wan?.inboundAllow ?? [] } as const;
  assert.equal(withInbound(WAN, 'wan', same, wan), WAN.replace('inbound = "deny"', 'inbound = "allow"'));
  const other = { inbound: 'deny', inboundAllow: [{ service: 'https', from: 'fd00::/8' }] } as const;
  const changed = withInbound(WAN, 'wan', other, wan);
  assert.ok(changed.includes('inbound = "deny"  # but for these\nallow = [{ service = "https", from = "fd00::/8" }]\n'), changed);
  assert.ok(isInboundAsMeant(settings, read(changed), 'wan', other));
  assert.ok(!isInboundAsMeant(settings, read(changed.replace('"vpn"', '"nvp"')), 'wan', other));
  const made = withInbound(WAN, 'vpn', { inbound: 'deny', inboundAllow: [] }, null);
  assert.equal(made, `${WAN}\n[[zone]]\nname = "vpn"\ninbound = "deny"\n`);
  assert.ok(isInboundAsMeant(settings, read(made), 'vpn', { inbound: 'deny', inboundAllow: [] }));
});

test('inbound: an edit leaves a zone its sets, or none, whatever decides that', () => {
  for (const [text, inbound, services, expected] of [
    ['[[zone]]\nname = "lan"\n', 'deny', ['ssh'], '[[zone]]\nname = "lan"\ninbound = "deny"\nallow = ["ssh"]\nset4 = "lan_ips"\nset6 = "lan_ips6"\n'],
    ['[[zone]]\nname = "lan"\n', 'off', ['ssh'], '[[zone]]\nname = "lan"\nallow = ["ssh"]\nset4 = "lan_ips"\nset6 = "lan_ips6"\n'],
    ['[[zone]]\nname = "lan"\n', 'off', [], '[[zone]]\nname = "lan"\n'],
    ['[[zone]]\nname = "lan"\nallow = ["ssh"]\n', 'off', [], '[[zone]]\nname = "lan"\nset4 = ""\nset6 = ""\n'],
    ['[[zone]]\nname = "lan"\nfamily = "ip"\n', 'deny', [], '[[zone]]\nname = "lan"\nfamily = "ip"\ninbound = "deny"\n'],
  ] as const) {
    const before = read(text);
    const edit = { inbound, inboundAllow: services.map((service) => ({ service })) };
    const changed = withInbound(text, 'lan', edit, before.zones?.[0] ?? null);
    assert.equal(changed, expected);
    assert.ok(isInboundAsMeant(before, read(changed), 'lan', edit), changed);
    assert.ok(!isInboundAsMeant(before, read(changed.replace('"lan"', '"nal"')), 'lan', edit));
  }
});

test('inbound: what is let in keeps its text and its comments while it says the same', () => {
  const text = '[[zone]]\nname = "wan"\ninbound = "off"\nallow = [\n  { port = "443,80, 81" },  # the web\n]\n';
  const before = read(text);
  const [wan] = before.zones ?? [];
  const edit = { inbound: 'deny', inboundAllow: allowedInbound({ policy: 'deny', allow: (wan?.inboundAllow ?? []).map(allowRow) }) } as const;
  const changed = withInbound(text, 'wan', edit, wan ?? null);
  assert.equal(changed, text.replace('"off"', '"deny"'));
  assert.ok(isInboundAsMeant(before, read(changed), 'wan', edit));
});

test('inbound: ufw counts where it is on and its chains are there, firewalld where it has its name', async (t) => {
  for (const [config, on] of [['ENABLED=yes\n', true], ['# ENABLED=yes\nENABLED=no\n', false], ['ENABLED="yes" # on\n', true], ['ENABLED=yes\nENABLED=no', false], ['', false]] as const) {
    assert.equal(isUfwEnabled(config), on, config);
  }
  const folder = mkdtempSync(join(tmpdir(), 'bastion-ufw-'));
  t.after(() => { rmSync(folder, { recursive: true }); });
  const ufwConfig = join(folder, 'ufw.conf');
  writeFileSync(ufwConfig, 'ENABLED=yes\n');
  const bus = (owned: boolean): ConstructorParameters<typeof InboundKeepers>[0] => ({
    callBus: () => Promise.resolve([owned]), addMatch: () => Promise.resolve(), onSignal: () => () => undefined,
  });
  const find = (owned: boolean, chains: boolean): Promise<string | null> => new InboundKeepers(bus(owned), { ufwConfig, hasUfwChains: () => Promise.resolve(chains) }).find();
  assert.deepEqual([await find(false, true), await find(false, false), await find(true, true)], ['ufw', null, 'firewalld']);
});
