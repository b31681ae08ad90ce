/** From the start of the machine to the helper's first rules: what the closed base rules let out, and who takes them away. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { boot, oursInNetfilter } from '../lab/boot-scripts.ts';
import { compile } from '../lab/compile.ts';
import { Lab } from '../lab/lab.ts';
import { ROOT, tool } from '../lab/process.ts';
import { FULL_SIZE, clientOf, noLab, program, until } from '../integration/support.ts';
import { mustHold } from '../must-hold.ts';
import { Talking } from './support.ts';
import { start, strangers, undecided } from './support-boot.ts';

const TRIES = 100;
/** Rounds of the usual pair, and of each of the others. */
const TAKEOVERS = FULL_SIZE ? [50, 20] as const : [2, 1] as const;
const TIMED_STARTS = FULL_SIZE ? 101 : 11;
const SERVER_PORT = '8080';
const FROM_PORT = '45000';
/** A first membership report is sent within 1 s. Source: RFC 3376 section 8.11, RFC 3810 section 9.11. */
const REPORT_LIMIT_MS = 10_000;

const WAYS = [
  { name: 'nft', without: [] },
  { name: 'iptables, where nft is not installed', without: ['nft'] },
] as const;

for (const { name, without } of WAYS) {
  describe(`the closed base rules by ${name}`, { skip: noLab() }, () => {
    test('nothing of programs leaves, root\'s neither, in both families', async () => {
      await using lab = await Lab.create({ startHelper: false });
      assert.match(await start(lab, { without }), /are in place/u);
      await lab.peer.watch();
      const attack = compile('attack.c', lab.folder);
      const traffic = await strangers(lab);
      for (const to of [lab.peer4, lab.peer6]) {
        await lab.run([attack, 'udp', to, '0', '53', 'lab-tag:root;'], { as: 'root' });
        await lab.run(['ping', '-c', '1', '-W', '0.2', to]);
      }
      await lab.run([attack, 'reply4', lab.peer4, 'lab-tag:reply;'], { as: 'root' });
      await lab.run([attack, 'reply6', lab.peer6, 'lab-tag:reply;'], { as: 'root' });
      await lab.run([attack, 'reflect6', lab.peer6, lab.client6, '4444', 'lab-tag:reflected;']);
      for (const one of traffic) await one.total('sent', TRIES, 30_000);
      assert.deepEqual(await undecided(lab), []);
      // The proof that it would have arrived.
      await boot(lab, 'stop', { without });
      await until('all of it', async () => {
        const counts = await lab.peer.counts();
        return ['tcp/443', 'tcp6/443', 'udp/7', 'udp6/7'].every((key) => counts.of(key) > 0) ? true : null;
      });
      await Promise.all(traffic.map((one) => one.end()));
    });

    test('the machine reaches its network: DHCP, neighbours, membership; it is reached, and reaches itself', async () => {
      await using lab = await Lab.create({ startHelper: false });
      await start(lab, { without });
      tool('ip', ['-n', lab.clientNamespace, 'neighbour', 'flush', 'all']);
      await lab.peer.watch();
      const attack = compile('attack.c', lab.folder);
      await lab.run([attack, 'udp', lab.peer4, '68', '67', 'lab-tag:dhcp;'], { as: 'root' });
      await lab.run([attack, 'udp', '198.18.0.1', '68', '67', 'lab-tag:far;'], { as: 'root' });
      await lab.run(['python3', '-c', `
import socket
to = ('ff02::1:2', 547, 0, socket.if_nametoindex('eth0'))
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(('::', 546)); s.sendto(b'lab-tag:dhcpv6;', to)
r = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58); r.setsockopt(41, 18, 255)
r.sendto(bytes([133, 0, 0, 0, 0, 0, 0, 0]), ('ff02::2', 0, 0, to[3]))`], { as: 'root' });
      for (const own of [lab.client4, lab.client6]) {
        assert.equal((await lab.runAtPeer(['ping', '-c', '1', '-W', '10', own])).status, 0, own);
        const refused = await lab.run(['curl', '--silent', '--max-time', '10', `http://${own.includes(':') ? `[${own}]` : own}:9/`]);
        assert.equal(refused.status, 7, 'its own address refuses at once');
      }
      const counts = await until('the membership reports', async () => {
        const seen = await lab.peer.counts();
        return seen.of('icmp6/143') > 0 || seen.of('icmp6/133') > 0 ? seen : null;
      }, REPORT_LIMIT_MS);
      assert.deepEqual(['dhcp', 'dhcpv6', 'far'].map((tag) => counts.of(`tag/${tag}`)), [1, 1, 0]);
      assert.ok(counts.of('icmp6/133') > 0, 'a router solicitation of a program');
    });

    test('servers answer who speaks first, over TCP and UDP', async () => {
      await using lab = await Lab.create({ startHelper: false });
      await start(lab, { without });
      for (const protocol of ['tcp', 'udp'] as const) {
        const server = new Talking(lab.spawn([program('server'), protocol, SERVER_PORT, 'lab-tag:served;']));
        assert.equal(await server.line(), 'listening');
        for (const own of [lab.client4, lab.client6]) {
          await lab.peer.watch();
          await until(`the ${protocol} answer to ${own}`, async () => {
            await lab.runAtPeer([program('sockets'), 'from', protocol, own, SERVER_PORT, FROM_PORT, 'question']);
            return (await lab.peer.counts()).of('tag/served') > 0 ? true : null;
          });
        }
        await server.end();
      }
    });

    test('a second start changes nothing, and stop takes them away', async () => {
      await using lab = await Lab.create({ startHelper: false });
      await start(lab, { without });
      const before = oursInNetfilter(lab);
      assert.match(await start(lab, { without }), /already/u);
      assert.deepEqual(oursInNetfilter(lab), before);
      assert.equal((await boot(lab, 'stop', { without })).status, 0);
      assert.deepEqual(oursInNetfilter(lab), []);
    });
  });
}

describe('the helper takes over', { skip: noLab() }, () => {
  for (const { name, without } of WAYS) {
    for (const backend of ['iptables-nft', 'iptables-legacy'] as const) {
      test(`base rules by ${name}, the helper with ${backend}: nothing undecided leaves, and they are gone`, async () => {
        const rounds = TAKEOVERS[without.length === 0 && backend === 'iptables-nft' ? 0 : 1];
        for (let round = 0; round < rounds; round += 1) {
          await using lab = await Lab.create({ startHelper: false, defaultAction: 'deny', backend });
          await start(lab, { without });
          await lab.peer.watch();
          const traffic = await strangers(lab);
          await lab.startHelper();
          assert.deepEqual(oursInNetfilter(lab).filter((line) => /bastion_boot/iu.test(line)), []);
          for (const one of traffic) await one.total('sent', TRIES, 30_000);
          assert.deepEqual(await undecided(lab), []);
          await Promise.all(traffic.map((one) => one.end()));
          const client = clientOf(lab);
          assert.equal((await client.status()).state, 'protecting');
          client.close();
        }
        mustHold({
          id: `boot-takeover-${without.length === 0 ? 'nft' : 'iptables'}-${backend.slice('iptables-'.length)}`,
          claim: `boot: from the closed base rules (${name}) to the helper's own (${backend})`,
          size: `${String(rounds)} ${rounds === 1 ? 'start' : 'starts'} under TCP and UDP traffic of a program that nobody decided about`,
          undecided: 0, figures: [],
        });
      });
    }
  }

  test('base rules that come while the helper lives are taken away: somebody started them by hand', async () => {
    await using lab = await Lab.create({ defaultAction: 'allow' });
    await start(lab);
    await until('no base rules', () => Promise.resolve(oursInNetfilter(lab).some((line) => line.includes('bastion_boot')) ? null : true));
    assert.equal((await lab.run(['curl', '--silent', '--max-time', '20', `http://${lab.peer4}/`])).status, 0);
  });

  test('a helper that is off takes them away too', async () => {
    await using lab = await Lab.create();
    const client = clientOf(lab);
    await client.off();
    client.close();
    await lab.stopHelper('SIGKILL');
    await start(lab);
    await lab.startHelper();
    assert.deepEqual(oursInNetfilter(lab), []);
  });

  test('bastion=off: the helper starts off, a mode turns it on, and it stays on over a restart', async () => {
    const line = join('/tmp', `bastion-command-line-${String(process.pid)}`);
    writeFileSync(line, 'quiet bastion=off\n');
    const covered = ['unshare', '-m', 'sh', '-c', 'mount --bind "$0" /proc/cmdline && exec "$@"', line, join(ROOT, 'build/bin/bastion-helper')];
    try {
      await using lab = await Lab.create({ defaultAction: 'deny', helperProgram: covered });
      const opens = async (): Promise<boolean> => (await lab.run(['curl', '--silent', '--max-time', '20', `http://${lab.peer4}/`])).status === 0;
      assert.equal(await opens(), true);
      const client = clientOf(lab);
      assert.equal((await client.status()).state, 'off');
      await client.setMode('enforcing');
      assert.equal(await opens(), false);
      client.close();
      await lab.restartHelper();
      assert.equal(await opens(), false);
    } finally {
      rmSync(line);
    }
  });
});

test('how long the start of the base rules takes', { skip: noLab() }, async () => {
  await using lab = await Lab.create({ startHelper: false });
  const script = join(ROOT, 'build/bastion-boot');
  const loop = 'for round in $(seq "$2"); do from=$(date +%s%N); "$1" start --state "$3" > /dev/null || exit; echo $(($(date +%s%N) - from)); "$1" stop > /dev/null; done';
  const { stdout, status } = await lab.run(['sh', '-c', loop, 'sh', script, String(TIMED_STARTS), lab.stateDir], { as: 'root' });
  assert.equal(status, 0);
  const ms = stdout.trim().split('\n').map((line) => Number(line) / 1e6).sort((a, b) => a - b);
  assert.equal(ms.length, TIMED_STARTS);
  const [median = Number.NaN, longest = Number.NaN] = [ms[ms.length >> 1], ms.at(-1)];
  mustHold({
    id: 'boot-time', claim: 'boot: the closed base rules are in place in milliseconds', size: `${String(TIMED_STARTS)} starts`,
    undecided: null, figures: [`bastion-boot start: median ${median.toFixed(1)} ms, longest ${longest.toFixed(1)} ms`],
  });
});
