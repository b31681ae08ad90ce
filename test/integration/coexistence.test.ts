/** Other firewalls and tools beside ours, the real programs of Debian's packages: theirs stays, ours is whole, both hold. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { LaidPackage, unpacked } from '../lab/debian-packages.ts';
import { LabDocker } from '../lab/engines.ts';
import { Lab } from '../lab/lab.ts';
import { ROOT } from '../lab/process.ts';
import { noLab, until } from './support.ts';
import { RulesBed, listing, oursIn } from './support-rules.ts';

const skip = noLab();
const START_LIMIT_MS = 30_000;
/** Of the administrator, in both families. */
const ADMIN_RULE = '-A INPUT -p udp -m udp --dport 9999 -m comment --comment "of the administrator -j BASTION_HOLD" -j DROP';

interface Scene extends AsyncDisposable {
  readonly lab: Lab;
  readonly bed: RulesBed;
  readonly other: LaidPackage;
}

/** A lab whose helper runs, and the package over its system; null after `context.skip`. */
async function scene(context: TestContext, name: string): Promise<Scene | null> {
  let root: string;
  try {
    root = await unpacked(name);
  } catch (error: unknown) {
    context.skip(error instanceof Error ? error.message : String(error));
    return null;
  }
  const lab = await Lab.create({ defaultAction: 'deny', backend: 'iptables-nft' });
  try {
    const bed = await RulesBed.make(lab);
    const other = await LaidPackage.lay(lab, root);
    return { lab, bed, other, [Symbol.asyncDispose]: () => lab.dispose() };
  } catch (error: unknown) {
    await lab.dispose();
    throw error;
  }
}

async function does(other: LaidPackage, argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
  const done = await other.run(argv, env);
  assert.equal(done.status, 0, `${argv.join(' ')}: ${done.stdout}${done.stderr}`);
}

/** Ours is one whole set that enforces, and what the pattern describes of theirs is there. */
async function bothHold({ lab, bed }: Scene, theirs: RegExp): Promise<void> {
  await bed.back();
  await bed.enforces();
  // What is ours was put back at once; a tool that is slower must not lose to that.
  await bed.back();
  assert.match((await listing(lab)).join('\n'), theirs);
}

async function addAdminRule(lab: Lab): Promise<void> {
  for (const program of ['iptables-restore', 'ip6tables-restore']) {
    const done = await lab.run([program, '--noflush'], { as: 'root', input: `*filter\n${ADMIN_RULE}\nCOMMIT\n` });
    assert.equal(done.status, 0, done.stderr);
  }
}

function countOf(lines: readonly string[], wanted: string): number {
  return lines.filter((line) => line === wanted).length;
}

describe('beside another firewall', { skip }, () => {
  test('ufw: enable, a rule, reload, disable', async (context) => {
    await using made = await scene(context, 'ufw');
    if (made === null) return;
    const { other, lab } = made;
    // What the package's postinst copies.
    await does(other, ['sh', '-c', 'cd /usr/share/ufw && cp iptables/*.rules *.init ufw.conf /etc/ufw/ && chmod 640 /etc/ufw/*.rules']);
    await does(other, ['ufw', '--force', 'enable']);
    await bothHold(made, /^-A INPUT -j ufw-before-input$/mu);
    await does(other, ['ufw', 'allow', '2222/tcp']);
    for (let round = 0; round < 3; round += 1) {
      await does(other, ['ufw', 'reload']);
      await bothHold(made, /^-A ufw-user-input -p tcp -m tcp --dport 2222 -j ACCEPT$/mu);
    }
    const status = await other.run(['ufw', 'status']);
    assert.match(status.stdout, /^2222\/tcp +ALLOW/mu);
    await does(other, ['ufw', 'disable']);
    await bothHold(made, /^:BASTION_HOLD -$/mu);
    assert.doesNotMatch((await listing(lab)).join('\n'), /2222/u);
  });

  test('firewalld: start, reload, stop, start again', async (context) => {
    await using made = await scene(context, 'firewalld');
    if (made === null) return;
    const { other, lab } = made;
    const bus = join(lab.folder, 'firewalld-bus');
    writeFileSync(`${bus}.conf`, `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd"><busconfig><type>system</type><listen>unix:path=${bus}</listen>
<auth>EXTERNAL</auth><policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/></policy></busconfig>`);
    const daemon = other.start(['dbus-daemon', '--nofork', '--print-address', `--config-file=${bus}.conf`]);
    await once(daemon.stdout ?? daemon, 'data');
    const env = { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${bus}` };
    const tables = async (): Promise<string> => (await lab.run(['nft', 'list', 'tables'], { as: 'root' })).stdout;
    for (let round = 0; round < 2; round += 1) {
      const firewalld = other.start(['firewalld', '--nofork', '--nopid'], env);
      firewalld.stdout?.resume();
      firewalld.stderr?.resume();
      await until('firewalld', async () => ((await other.run(['firewall-cmd', '--state'], env)).status === 0 ? true : null), START_LIMIT_MS);
      await bothHold(made, /^:BASTION_HOLD -$/mu);
      assert.match(await tables(), /^table inet firewalld$/mu);
      await does(other, ['firewall-cmd', '--reload'], env);
      await bothHold(made, /^:BASTION_HOLD -$/mu);
      assert.match(await tables(), /^table inet firewalld$/mu);
      await does(other, ['firewall-cmd', '--add-port=2222/tcp'], env);
      assert.match((await other.run(['firewall-cmd', '--list-ports'], env)).stdout, /2222\/tcp/u);
      const ended = once(firewalld, 'exit');
      firewalld.kill('SIGTERM');
      await ended;
      await bothHold(made, /^:BASTION_HOLD -$/mu);
    }
  });

  test('Docker: the daemon starts, makes a network, and starts again', async (context) => {
    await using made = await scene(context, 'docker.io');
    if (made === null) return;
    const docker = await LabDocker.over(made.lab, made.other);
    for (let round = 0; round < 2; round += 1) {
      await docker.start();
      await bothHold(made, /^-A FORWARD -j DOCKER-USER$/mu);
      await docker.run('network', 'create', `net${String(round)}`);
      await bothHold(made, /^-A FORWARD -o br-\w+ -j DOCKER$/mu);
      await docker.stop();
    }
    await bothHold(made, /^-A FORWARD -j DOCKER-USER$/mu);
  });

  test('nft -f of a configuration that flushes everything first', async () => {
    await using lab = await Lab.create({ defaultAction: 'deny', backend: 'iptables-nft' });
    const bed = await RulesBed.make(lab);
    const input = 'flush ruleset\ntable inet admin {\n chain input {\n type filter hook input priority filter; policy accept;\n udp dport 9999 drop\n }\n}\n';
    for (let round = 0; round < 3; round += 1) {
      const loaded = await lab.run(['nft', '-f', '-'], { as: 'root', input });
      assert.equal(loaded.status, 0, loaded.stderr);
      await bed.back();
      await bed.enforces();
      assert.match((await lab.run(['nft', 'list', 'ruleset'], { as: 'root' })).stdout, /table inet admin \{[^}]*udp dport 9999 drop/u);
    }
  });
});

describe('netfilter-persistent', { skip }, () => {
  /** As the package of Bastion Firewall does. */
  async function install(other: LaidPackage): Promise<void> {
    for (const name of ['05-bastion-firewall', '90-bastion-firewall']) {
      const plugin = join(ROOT, 'data/netfilter-persistent/bastion-firewall');
      await does(other, ['install', '-m', '755', plugin, `/usr/share/netfilter-persistent/plugins.d/${name}`]);
    }
  }

  /** As after a boot: no helper, no pinned programs, no rules. */
  async function boot({ lab }: Scene): Promise<void> {
    await lab.stopHelper();
    assert.ok(lab.pinDir !== null, 'this machine gives root no bpffs');
    for (const entry of readdirSync(lab.pinDir)) rmSync(join(lab.pinDir, entry), { recursive: true });
    assert.equal((await lab.run(['nft', 'flush', 'ruleset'], { as: 'root' })).status, 0);
  }

  /** What `netfilter-persistent save` wrote. */
  async function saved({ other }: Scene): Promise<string[]> {
    const files = await Promise.all(['v4', 'v6'].map((family) => other.run(['cat', `/etc/iptables/rules.${family}`])));
    return files.flatMap((file) => file.stdout.split('\n'));
  }

  test('with our plugin the saved rules hold nothing of ours and all of the administrator\'s, and load at boot', async (context) => {
    await using made = await scene(context, 'iptables-persistent');
    if (made === null) return;
    const { lab, other } = made;
    await addAdminRule(lab);
    await install(other);
    await does(other, ['sh', '-c', 'mkdir -p /etc/iptables && netfilter-persistent save']);
    const lines = await saved(made);
    assert.equal(countOf(lines, ADMIN_RULE), 2);
    assert.deepEqual(lines.filter((line) => line.includes('BASTION_')), [ADMIN_RULE, ADMIN_RULE]);
    assert.equal((await other.run(['stat', '-c', '%a %U', '/etc/iptables/rules.v4'])).stdout, '640 root\n');
    await does(other, ['netfilter-persistent', 'start']);
    await made.bed.back();
    await made.bed.enforces();
    await boot(made);
    await does(other, ['netfilter-persistent', 'start']);
    assert.equal(countOf(await listing(lab), ADMIN_RULE), 2);
    await lab.startHelper();
    await bothHold(made, /--dport 9999/u);
    assert.equal(countOf(await listing(lab), ADMIN_RULE), 2);
  });

  test('rules of ours that were saved without it: harmless while the helper runs, refused as a whole at boot, and mended by the plugin', async (context) => {
    await using made = await scene(context, 'iptables-persistent');
    if (made === null) return;
    const { lab, other } = made;
    await addAdminRule(lab);
    await does(other, ['sh', '-c', 'mkdir -p /etc/iptables && netfilter-persistent save']);
    assert.ok(oursIn(await saved(made)).length > 20);
    for (let round = 0; round < 2; round += 1) {
      await does(other, ['netfilter-persistent', 'start']);
      await bothHold(made, /--dport 9999/u);
    }
    await boot(made);
    const failed = await other.run(['netfilter-persistent', 'start']);
    assert.match(failed.stdout, /IPv4 rules failed test load[^]*IPv6 rules failed test load/u);
    assert.deepEqual(await listing(lab), []);
    // The plugin mends such files before they are loaded.
    await install(other);
    await does(other, ['netfilter-persistent', 'start']);
    assert.equal(countOf(await listing(lab), ADMIN_RULE), 2);
    await lab.startHelper();
    await bothHold(made, /--dport 9999/u);
    assert.equal(countOf(await listing(lab), ADMIN_RULE), 2);
  });
});
