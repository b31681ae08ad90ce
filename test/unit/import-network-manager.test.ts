/** config.yaml of rust-network-mgr, as people have it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readSettings } from '../../helper/adapters/rule-store/settings.ts';
import { importNetworkManager } from '../../helper/import/network-manager.ts';
import { formatOf } from '../../helper/import/formats.ts';
import { outcomes, sample } from './import-support.ts';

/** Name, zone and what else of each [[interface]]. */
function interfaces(text: string): readonly string[] {
  return importNetworkManager(text).settings.split('\n\n').filter((block) => block.startsWith('[[interface]]'))
    .map((block) => block.split('\n').slice(1).join(' ').replaceAll('"', ''));
}

const BOTH = ['name = eth0 zone = wan dhcp = true', 'name = eth1 zone = lan address = 192.168.1.1'];

/** Every way in which the same two interfaces are written. */
const LOOSE: Readonly<Record<string, string>> = {
  'the handbook’s own example': `     interfaces:
  - name: eth0         # Interface name
    dhcp: true         # Monitor DHCP addresses for this interface
    nftables_zone: wan # Maps to nftables set 'wan_ips' in table 'inet filter'
       - name: eth1
    address: 192.168.1.1/24 # Optional static address info
    nftables_zone: lan # Maps to nftables set 'lan_ips' in table 'inet filter'
# ... other interfaces
`,
  'tabs': 'interfaces:\n\t- name: eth0\n\t\tdhcp: true\n\t\tnftables_zone: wan\n\t- name: eth1\n\t\taddress: 192.168.1.1/24\n\t\tnftables_zone: lan\n',
  'keys at the margin': 'interfaces:\n- name: eth0\ndhcp: true\nnftables_zone: wan\n- name: eth1\naddress: 192.168.1.1/24\nnftables_zone: lan\n',
  'one dash too many': 'interfaces:\n  - name: eth0\n  - dhcp: true\n  - nftables_zone: wan\n  - name: eth1\n  - address: 192.168.1.1/24\n  - nftables_zone: lan\n',
  'no dash at all': 'interfaces:\n  name: eth0\n  dhcp: true\n  nftables_zone: wan\n  name: eth1\n  address: 192.168.1.1/24\n  nftables_zone: lan\n',
  'dashes on lines of their own': 'interfaces:\n -\n  name: eth0\n   dhcp: true\n  nftables_zone: wan\n -\n    name: eth1\n  address: 192.168.1.1/24\n     nftables_zone: lan\n',
  'Windows line ends and a code fence': '```yaml\r\ninterfaces:\r\n  - name: eth0\r\n     dhcp: true\r\n    nftables_zone: "wan"\r\n  - name: \'eth1\'\r\n    address: 192.168.1.1/24\r\n    nftables_zone: lan\r\n```\r\n',
};

describe('rust-network-mgr', () => {
  test('sound YAML is read as YAML, in whatever style', () => {
    const plain = 'interfaces:\n- name: eth0\n  dhcp: true\n  nftables_zone: wan\n- name: eth1\n  address: 192.168.1.1/24\n  nftables_zone: lan\n';
    const flow = 'interfaces: [{name: eth0, dhcp: true, nftables_zone: wan}, {name: eth1, address: 192.168.1.1/24, nftables_zone: lan}]\n';
    for (const text of [plain, flow]) {
      assert.deepEqual(interfaces(text), BOTH);
      assert.ok(!outcomes(importNetworkManager(text)).includes('review the indentation'));
    }
  });

  for (const [name, text] of Object.entries(LOOSE)) {
    test(`${name}: read by its keys, and that is said`, () => {
      assert.equal(formatOf('', text).format, 'network-manager');
      assert.deepEqual(interfaces(text), BOTH);
      assert.ok(outcomes(importNetworkManager(text)).includes('review the indentation'));
    });
  }

  test('what is no key and value is no interface either: the place is told', () => {
    assert.throws(() => importNetworkManager('interfaces:\n  - name: eth0\n\t\tsomething else\n'), /line 3/);
    assert.throws(() => importNetworkManager('interfaces:\n\t- name: [eth0\n'), /line 2/);
    assert.throws(() => importNetworkManager('\tinterfaces:\n  - name: eth0\n   dhcp: true\n     dhcp: false\n'), /line \d/);
  });

  test('the sets are those that it made, also where the zone has another name here', () => {
    const { settings, items } = importNetworkManager('interfaces:\n  - {name: a, nftables_zone: LAN}\n  - {name: b, nftables_zone: guest-net}\n  - {name: c, nftables_zone: 5g}\n');
    assert.match(settings, /name = "lan"\nfamily = "inet"\ntable = "filter"\nset4 = "LAN_ips"\nset6 = "LAN_ipv6"\ncreate = true\nkeep_others = false\n/);
    assert.match(settings, /name = "guest-net"\n.*\n.*\nset4 = "guest_net_ips"/);
    assert.match(settings, /name = "5g"\n.*\n.*\nset4 = "zone_5g_ips"/);
    assert.deepEqual(items.filter(({ source }) => source.startsWith('zone ')).map(({ source, line }) => [source, line]), [['zone LAN', 2], ['zone guest-net', 3], ['zone 5g', 4]]);
    // Two that would be one here.
    assert.deepEqual(outcomes(importNetworkManager('interfaces:\n  - {name: a, nftables_zone: LAN}\n  - {name: b, nftables_zone: lan}\n')).slice(0, 2), ['kept a', 'review b']);
  });

  test('two zones that would have the same sets are not both taken, and that is said', () => {
    for (const [first, second, sets] of [['a-b', 'a_b', 'a_b_ips'], ['5g', 'zone_5g', 'zone_5g_ips']] as const) {
      const imported = importNetworkManager(`interfaces:\n  - {name: a, nftables_zone: ${first}}\n  - {name: b, nftables_zone: ${second}}\n  - {name: c, nftables_zone: ${first}}\n`);
      assert.deepEqual(outcomes(imported).slice(0, 3), ['kept a', 'review b', 'kept c']);
      assert.ok(imported.items.some(({ source, text }) => source === 'b' && text.startsWith(`"${second}" and "${first}" would have the same sets here, ${sets}`)));
      assert.ok(readSettings(imported.settings).ok, imported.settings);
    }
  });

  test('what it proposes is a bastion.toml', () => {
    for (const text of [sample('network.yaml'), ...Object.values(LOOSE)]) {
      const result = readSettings(importNetworkManager(text).settings);
      assert.deepEqual(result.ok ? [] : result.problems, []);
    }
  });

  test('containers are in the docker sets, once, as there', () => {
    const { settings } = importNetworkManager('interfaces:\n  - {name: docker0, nftables_zone: docker}\n');
    assert.equal(settings.match(/set4 = "docker_ips"/g)?.length, 1);
    assert.match(settings, /\[\[container\]\]\nname = "\*"\nzone = "docker"\n/);
  });

  test('the control socket is where its scripts look for it, unless something is there', () => {
    const one = 'interfaces:\n  - {name: a, nftables_zone: lan}\n';
    const socket = (text: string, taken = false): readonly (string | undefined)[] => {
      const { settings, items } = importNetworkManager(text, () => taken);
      return [/socket = "(.*)"/.exec(settings)?.[1], items.find(({ source }) => source === 'socket_path')?.outcome];
    };
    assert.deepEqual(socket(one), ['/run/rust-network-mgr.sock', 'changed']);
    assert.deepEqual(socket(`${one}socket_path: /run/mine.sock\n`), ['/run/mine.sock', 'kept']);
    assert.deepEqual(socket(`${one}socket_path: /var/run/mine.sock\n`), ['/run/mine.sock', 'kept']);
    for (const path of ['/tmp/test.sock', '/run/rust-network-manager/a.sock', 'relative.sock', '/run/../etc/x', '"/run/a\\nb"']) {
      assert.deepEqual(socket(`${one}socket_path: ${path}\n`), ['/run/rust-network-mgr.sock', 'changed'], path);
    }
    assert.deepEqual(socket(one, true), [undefined, 'review']);
  });

  test('an address that is none, and dhcp that is neither, are left out and told', () => {
    for (const [line, outcome] of [['dhcp: maybe', 'review a: dhcp'], ['address: 300.1.1.1', 'review a: address'], ['address: [1, 2]', 'review a: address'], ['address: fd00::1/64', 'changed a: address']] as const) {
      assert.ok(outcomes(importNetworkManager(`interfaces:\n  - name: a\n    nftables_zone: lan\n    ${line}\n`)).includes(outcome), line);
    }
  });
});
