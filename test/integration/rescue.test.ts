/** Rescue: whatever state the firewall is in, nothing of it is left and traffic flows. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readlinkSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { boot, oursInNetfilter, rescue, unitFolder } from '../lab/boot-scripts.ts';
import { Lab } from '../lab/lab.ts';
import type { Result } from '../lab/lab.ts';
import { ROOT, tool } from '../lab/process.ts';
import { mustHold } from '../must-hold.ts';
import { noLab } from './support.ts';

const skip = noLab();
const UNITS = ['bastion-firewall.service', 'bastion-firewall-boot.service', 'bastion-firewall-rest.service'];

async function opens(lab: Lab): Promise<boolean> {
  for (const address of [lab.peer4, `[${lab.peer6}]`]) {
    const { status } = await lab.run(['curl', '--silent', '--max-time', '3', `http://${address}/`]);
    if (status !== 0) return false;
  }
  return true;
}

/** Programs that are attached to the lab's cgroup. */
function attached(lab: Lab): number {
  if (lab.cgroup === null) return 0;
  // A headline, then a line for each.
  return Math.max(0, tool('bpftool', ['cgroup', 'show', lab.cgroup]).trim().split('\n').length - 1);
}

function inNamespace(lab: Lab, ...argv: readonly string[]): string {
  return tool('nsenter', [`--net=/run/netns/${lab.clientNamespace}`, '--', ...argv]);
}

async function assertNothingLeft(lab: Lab): Promise<void> {
  assert.deepEqual(oursInNetfilter(lab), []);
  assert.equal(lab.pinDir !== null && existsSync(lab.pinDir), false, 'pins');
  assert.equal(attached(lab), 0, 'programs in the cgroup');
  for (const unit of UNITS) assert.equal(readlinkSync(join(unitFolder(lab), unit)), '/dev/null');
  assert.equal(await opens(lab), true);
}

function assertDone({ status, stdout, stderr }: Result): void {
  assert.equal(status, 0, stdout + stderr);
  assert.equal(stderr, '');
  assert.match(stdout, /To come back: systemctl unmask bastion-firewall\.service .* && systemctl start bastion-firewall\.service/u);
}

/** What becomes of the helper before somebody calls for rescue. */
const CASES: readonly { readonly name: string; readonly bring: (lab: Lab) => Promise<void> }[] = [
  { name: 'a live helper', bring: () => Promise.resolve() },
  { name: 'a helper that hangs', bring: (lab) => { process.kill(lab.helperPid, 'SIGSTOP'); return Promise.resolve(); } },
  { name: 'a helper that was stopped', bring: (lab) => lab.stopHelper() },
  { name: 'a helper that was killed', bring: (lab) => lab.stopHelper('SIGKILL') },
];

describe('rescue', { skip }, () => {
  for (const { name, bring } of CASES) {
    test(`${name}: nothing is left, traffic flows, and a second rescue finds nothing`, async () => {
      await using lab = await Lab.create({ defaultAction: 'deny' });
      assert.equal(await opens(lab), false);
      assert.ok(attached(lab) > 0 || lab.cgroup === null);
      await bring(lab);
      assertDone(await rescue(lab));
      await assertNothingLeft(lab);
      const again = await rescue(lab);
      assertDone(again);
      assert.match(again.stdout, /^Nothing of Bastion Firewall is in force/u);
    });
  }

  test('iptables-legacy, a helper that was killed, and rules that another tool doubled', async () => {
    await using lab = await Lab.create({ defaultAction: 'deny', backend: 'iptables-legacy' });
    await lab.stopHelper('SIGKILL');
    inNamespace(lab, 'iptables-legacy', '-t', 'mangle', '-A', 'POSTROUTING', '-j', 'BASTION_HOLD');
    inNamespace(lab, 'iptables-nft', '-t', 'mangle', '-N', 'BASTION_OLD');
    inNamespace(lab, 'ip6tables-nft', '-t', 'filter', '-A', 'OUTPUT', '-m', 'owner', '--gid-owner', '998', '-m', 'comment', '--comment', 'BASTION_BYPASS', '-j', 'ACCEPT');
    inNamespace(lab, 'iptables-nft', '-t', 'filter', '-A', 'OUTPUT', '-m', 'conntrack', '--ctstate', 'NEW', '-j', 'NFQUEUE', '--queue-num', '1', '--queue-bypass');
    inNamespace(lab, 'iptables-nft', '-t', 'filter', '-A', 'INPUT', '-m', 'comment', '--comment', 'BASTION_INBOUND', '-j', 'DROP');
    assertDone(await rescue(lab));
    await assertNothingLeft(lab);
  });

  test('the rules of others stay as they are, also those that only look like ours', async () => {
    await using lab = await Lab.create();
    const others = [
      ['iptables-nft', '-t', 'filter', '-A', 'OUTPUT', '-m', 'comment', '--comment', 'x -j BASTION_HOLD', '-j', 'ACCEPT'],
      ['iptables-nft', '-t', 'filter', '-A', 'OUTPUT', '-m', 'comment', '--comment', 'about -j NFQUEUE --queue-num 1 here', '-j', 'ACCEPT'],
      ['iptables-nft', '-t', 'filter', '-A', 'OUTPUT', '-p', 'udp', '-j', 'NFQUEUE', '--queue-num', '11', '--queue-bypass'],
      ['iptables-nft', '-t', 'mangle', '-A', 'OUTPUT', '-j', 'MARK', '--set-mark', '5'],
      ['iptables-nft', '-t', 'nat', '-A', 'POSTROUTING', '-j', 'MASQUERADE'],
    ];
    for (const rule of others) inNamespace(lab, ...rule);
    const listed = (): string[] => inNamespace(lab, 'iptables-nft-save').split('\n').filter((line) => line.startsWith('-A') && !/-[jg] BASTION_[A-Z_]+$|^-A BASTION/u.test(line));
    const before = listed();
    assert.equal(before.length, others.length);
    assertDone(await rescue(lab));
    assert.deepEqual(listed(), before);
  });

  test('the closed base rules, and chains in a table that iptables-nft cannot show', async () => {
    await using lab = await Lab.create({ startHelper: false });
    await boot(lab, 'start');
    inNamespace(lab, 'iptables-nft', '-t', 'mangle', '-N', 'BASTION_HOLD');
    inNamespace(lab, 'iptables-nft', '-t', 'mangle', '-A', 'BASTION_HOLD', '-j', 'DROP');
    inNamespace(lab, 'iptables-nft', '-t', 'mangle', '-A', 'OUTPUT', '-j', 'BASTION_HOLD');
    inNamespace(lab, 'nft', 'add chain ip mangle mine { type filter hook output priority 5; }');
    assert.match(inNamespace(lab, 'iptables-nft-save'), /incompatible/u);
    assert.equal(await opens(lab), false);
    assertDone(await rescue(lab));
    await assertNothingLeft(lab);
  });

  test('a dry run names everything and changes nothing', async () => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    const before = oursInNetfilter(lab);
    const { status, stdout } = await rescue(lab, ['--dry-run']);
    assert.equal(status, 0);
    for (const word of ['mask bastion-firewall.service', `stop the helper, process ${String(lab.helperPid)}`, 'iptables-nft', 'ip6tables-nft', 'kernel programs']) {
      assert.ok(stdout.includes(word), `${word}: ${stdout}`);
    }
    assert.deepEqual(oursInNetfilter(lab), before);
    assert.deepEqual(readdirSync(unitFolder(lab)), []);
    assert.equal(await opens(lab), false);
  });

  test('a unit of the administrator in the way of masking is named, and the rest is done all the same', async () => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    mkdirSync(unitFolder(lab));
    writeFileSync(join(unitFolder(lab), 'bastion-firewall.service'), '[Unit]\n');
    const { status, stderr } = await rescue(lab);
    assert.equal(status, 1);
    assert.match(stderr, /in the way of masking/u);
    assert.deepEqual(oursInNetfilter(lab), []);
    assert.equal(await opens(lab), true);
  });

  test('what the environment says does not matter: PATH, IFS, a shell\'s start file', async () => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    const folder = join(lab.folder, 'hostile');
    mkdirSync(folder);
    const proof = join(folder, 'proof');
    for (const name of ['nft', 'id', 'rm', 'readlink', 'env.sh']) writeFileSync(join(folder, name), `#!/bin/sh\ntouch ${proof}\n`, { mode: 0o755 });
    const env = { PATH: `${folder}:/usr/sbin:/usr/bin:/sbin:/bin`, IFS: '/a', ENV: join(folder, 'env.sh'), BASH_ENV: join(folder, 'env.sh'), CDPATH: folder, LC_ALL: 'de_DE.UTF-8' };
    assertDone(await rescue(lab, [], env));
    assert.equal(existsSync(proof), false);
    await assertNothingLeft(lab);
  });

  test('an ordinary user is told what it takes, and a wrong word is usage', async () => {
    await using lab = await Lab.create({ startHelper: false });
    const refused = await lab.run([join(lab.tree, 'build/bin/bastion-rescue')]);
    assert.deepEqual([refused.status, refused.stderr], [lab.user.uid === 0 ? 0 : 4, 'bastion-rescue: this takes root: sudo bastion-rescue\n']);
    assert.equal((await rescue(lab, ['--everything'])).status, 2);
    assert.equal((await rescue(lab, ['--pin', 'relative'])).status, 2);
    assert.match((await rescue(lab, ['--help'])).stdout, /^Usage: bastion-rescue/u);
  });

  test('a folder of pins that is no BPF file system is left alone', async () => {
    await using lab = await Lab.create({ startHelper: false });
    const precious = join(lab.folder, 'precious');
    mkdirSync(precious);
    writeFileSync(join(precious, 'file'), 'kept');
    const { status, stderr } = await rescue(lab, ['--pin', precious]);
    assert.equal(status, 1);
    assert.match(stderr, /not on a BPF file system/u);
    assert.equal(readFileSync(join(precious, 'file'), 'utf8'), 'kept');
  });

  test('elements of sets: names that are words of nft or have backslashes, ranges, and what has gone already', async () => {
    await using lab = await Lab.create({ startHelper: false });
    const set = (name: string, more: object = {}): object => ({ add: { set: { family: 'inet', table: 'mine', name, type: 'ipv4_addr', ...more } } });
    const put = (name: string, elem: readonly unknown[]): object => ({ add: { element: { family: 'inet', table: 'mine', name, elem } } });
    inNamespace(lab, 'nft', '-j', JSON.stringify({ nftables: [
      { add: { table: { family: 'inet', name: 'mine' } } }, set('timeout'), set('a\\b'), set('ranges', { flags: ['interval'] }),
      put('timeout', ['192.0.2.1', '198.51.100.9']), put('a\\b', ['192.0.2.2']), put('ranges', ['192.0.2.3']),
    ] }));
    const memory = join(lab.runDir, 'set-elements');
    const lines = ['timeout 192.0.2.1', 'a\\b 192.0.2.2', 'ranges 192.0.2.3', 'timeout 192.0.2.77', 'ranges 192.0.2.77', 'gone 192.0.2.1'];
    mkdirSync(lab.runDir, { recursive: true });
    writeFileSync(memory, lines.map((line) => `inet mine ${line}\n`).join(''), { mode: 0o600 });
    assert.match((await rescue(lab, ['--dry-run'])).stdout, /Would: remove 3 addresses from sets/u);
    const done = await rescue(lab);
    assertDone(done);
    assert.match(done.stdout, /Done: remove 3 addresses from sets/u);
    const listed = inNamespace(lab, 'nft', 'list', 'ruleset');
    assert.ok(listed.includes('198.51.100.9') && !listed.includes('192.0.2.'), listed);
    assert.equal(existsSync(memory), false);
  });

  test('elements of sets: a failure that does not say that the element has gone is told, and what is remembered stays', async () => {
    await using lab = await Lab.create({ startHelper: false });
    inNamespace(lab, 'nft', 'add table inet mine; add set inet mine six { type ipv6_addr; }; add set inet mine four { type ipv4_addr; flags interval; }; add element inet mine four { 192.0.2.0/30 }');
    const memory = join(lab.runDir, 'set-elements');
    mkdirSync(lab.runDir, { recursive: true });
    for (const line of ['inet mine six 192.0.2.1\n', 'inet mine four 192.0.2.1\n']) {
      writeFileSync(memory, line, { mode: 0o600 });
      const { status, stderr } = await rescue(lab);
      assert.equal(status, 1, line);
      assert.match(stderr, /NOT DONE: 1 addresses of .*set-elements could not be removed/u);
      assert.equal(readFileSync(memory, 'utf8'), line);
    }
  });

  test('bastionctl rescue needs no bus, and its exit codes are those of bastionctl', async () => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    await lab.stopHelper('SIGKILL');
    const env = { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nowhere' };
    assert.equal((await lab.run([join(lab.tree, 'build/bin/bastionctl'), 'rescue', '--yes'], { env })).status, lab.user.uid === 0 ? 0 : 4);
    assert.equal((await lab.run([join(ROOT, 'build/bin/bastionctl'), 'rescue'], { as: 'root', env })).status, 2);
    // Units, runtime folders and pins of the machine are hidden from it.
    const covered = `
      mount --make-rprivate /
      mkdir -p /run/systemd /etc/systemd/system
      mount -t tmpfs none /run/systemd; mount -t tmpfs none /etc/systemd/system
      mount --bind "$1" /sys/fs/bpf; shift
      "$@" && readlink /etc/systemd/system/bastion-firewall.service`;
    const pins = lab.pinDir === null ? lab.folder : join(lab.pinDir, '..');
    const { status, stdout, stderr } = await lab.run(
      ['unshare', '-m', 'sh', '-c', covered, 'sh', pins, join(ROOT, 'build/bin/bastionctl'), 'rescue', '--yes'], { as: 'root', env });
    assert.equal(status, 0, stdout + stderr);
    assert.ok(stdout.endsWith('/dev/null\n'), stdout);
    assert.deepEqual(oursInNetfilter(lab), []);
    assert.equal(await opens(lab), true);
  });

  test('it can come back: a helper that is started again protects as before', async () => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    assertDone(await rescue(lab));
    await lab.stopHelper();
    await lab.startHelper();
    assert.equal(await opens(lab), false);
    mustHold({
      id: 'rescue', claim: 'rescue: nothing is left, and traffic flows', undecided: null,
      size: `helper ${CASES.map(({ name }) => name.replace('a helper that ', '').replace('a live helper', 'alive')).join(', ')}; iptables-nft and -legacy`,
      figures: ['chains, jumps, tables, pins and attached programs left: 0'],
    });
  });
});
