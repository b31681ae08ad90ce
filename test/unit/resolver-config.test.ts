import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from '../property.ts';
import { RESOLVER_LIMITS, parseHosts, parseResolvConf, watchResolverConfig } from '../../helper/adapters/resolver-config.ts';
import type { Logger } from '../../helper/ports.ts';

describe('resolv.conf', () => {
  test('the addresses after nameserver, in canonical text, whatever else is there', () => {
    assert.deepEqual(parseResolvConf([
      '# nameserver 192.0.2.1', 'nameserver 192.0.2.53', '  nameserver\t2001:DB8:0::53 # home', 'nameserver fe80::1%eth0',
      'nameserver ::ffff:192.0.2.54', 'nameserver example.org', 'nameserver', 'search nameserver 192.0.2.2', 'options edns0',
    ].join('\n')), ['192.0.2.53', '2001:db8::53', 'fe80::1', '192.0.2.54']);
  });

  test('hostile text is read to its limits and never throws', () => {
    const many = Array.from({ length: 1000 }, (_, at) => `nameserver 10.0.${String(at >> 8)}.${String(at & 255)}`).join('\n');
    assert.equal(parseResolvConf(many).length, RESOLVER_LIMITS.servers);
    assert.deepEqual(parseResolvConf(`nameserver ${' '.repeat(RESOLVER_LIMITS.lineCharacters)}192.0.2.1`), []);
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => {
      parseResolvConf(text);
      parseHosts(text);
    }));
  });
});

describe('/etc/hosts', () => {
  test('names by address, without what stands for this machine or nothing', () => {
    assert.deepEqual([...parseHosts([
      '127.0.0.1 localhost', '::1 localhost ip6-localhost', '0.0.0.0 tracker.example', '192.0.2.7 Server.LAN server # the printer',
      '192.0.2.7 nas', 'fd77:0::7 server6', '192.0.2.8', '192.0.2.9 bad\u001bname good', 'nonsense',
    ].join('\n'))], [['192.0.2.7', ['server.lan', 'server', 'nas']], ['fd77::7', ['server6']], ['192.0.2.9', ['good']]]);
  });

  test('addresses and names have their limits', () => {
    const addresses = Array.from({ length: 5000 }, (_, at) => `10.1.${String(at >> 8)}.${String(at & 255)} h${String(at)}`);
    const names = Array.from({ length: 20 }, (_, at) => `n${String(at)}`).join(' ');
    const found = parseHosts([`192.0.2.7 ${names}`, ...addresses].join('\n'));
    assert.equal(found.size, RESOLVER_LIMITS.hostAddresses);
    assert.equal(found.get('192.0.2.7')?.length, RESOLVER_LIMITS.namesPerAddress);
  });
});

describe('the files', () => {
  const log: string[] = [];
  const logger: Logger = { log: (level, message, fields) => log.push(`${level} ${message} ${String(fields?.['why'])}`), setLevel: () => undefined };
  let folder = '';
  before(() => { folder = mkdtempSync(join(tmpdir(), 'bastion-resolver-')); });
  after(() => { rmSync(folder, { recursive: true }); });

  async function eventually(holds: () => boolean): Promise<void> {
    for (const endMs = performance.now() + 20_000; !holds();) {
      assert.ok(performance.now() < endMs, 'it did not come true in time');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  test('changes count at once: written again, replaced, and behind a link that leads elsewhere', async () => {
    const [conf, target, hosts] = [join(folder, 'resolv.conf'), join(folder, 'stub.conf'), join(folder, 'hosts')];
    writeFileSync(target, 'nameserver 192.0.2.1\n');
    symlinkSync(target, conf);
    const config = await watchResolverConfig({ resolver: [conf, join(folder, 'none', 'resolv.conf')], hosts }, logger);
    try {
      assert.deepEqual([config.isServer('192.0.2.1'), config.isServer('192.0.2.2'), config.hostNames('192.0.2.7')], [true, false, []]);
      writeFileSync(target, 'nameserver 192.0.2.2\n');
      await eventually(() => config.isServer('192.0.2.2') && !config.isServer('192.0.2.1'));
      writeFileSync(`${conf}.new`, 'nameserver 192.0.2.3\n');
      renameSync(`${conf}.new`, conf);
      await eventually(() => config.isServer('192.0.2.3') && !config.isServer('192.0.2.2'));
      writeFileSync(hosts, '192.0.2.7 server.lan\n');
      await eventually(() => config.hostNames('192.0.2.7')[0] === 'server.lan');
      rmSync(hosts);
      await eventually(() => config.hostNames('192.0.2.7').length === 0);
    } finally {
      config.close();
    }
    assert.deepEqual(log, []);
  });

  test('a file that is too large, a FIFO and a device are not read, which is logged', async () => {
    const [large, fifo] = [join(folder, 'large'), join(folder, 'fifo')];
    writeFileSync(large, `nameserver 192.0.2.9\n${'#'.repeat(RESOLVER_LIMITS.resolverBytes)}`);
    execFileSync('mkfifo', [fifo]);
    const config = await watchResolverConfig({ resolver: [large, fifo], hosts: '/dev/zero' }, logger);
    config.close();
    assert.equal(config.isServer('192.0.2.9'), false);
    assert.equal(log.length, 3, log.join('\n'));
  });
});
