/** The package's life on a system that never had it: installed, chosen, booted, updated, put back, removed, purged. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { makePackages } from '../../../tools/package.ts';
import { mustHold } from '../../must-hold.ts';
import { which } from '../../lab/process.ts';
import { noSystem } from './image.ts';
import { HELPER_UNIT, SystemMachine } from './machine.ts';
import { ALLOWED } from './root.ts';
import { allowedWorks, attached, decideAllowed, running, staysSilent } from './support.ts';

const INSTALL_LIMIT_MS = 120_000;
const NEXT = '3.0.1';
/** What apt, dpkg, systemd and the journal keep of their own, and what systems change while they run. */
const NOT_OURS = /^\/(?:dev|proc|run|sys|tmp|var\/(?:cache|log|tmp|lib\/(?:apt|dpkg|systemd))|opt\/rig|etc\/ld\.so\.cache)(?:\/|$)/u;

/** The same package with another version. */
function repacked(folder: string, deb: string, version: string): string {
  const tree = join(folder, 'tree');
  const target = join(folder, `next-${version}.deb`);
  execFileSync('dpkg-deb', ['--raw-extract', deb, tree]);
  const control = join(tree, 'DEBIAN/control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/mu, `Version: ${version}`));
  execFileSync('dpkg-deb', ['--root-owner-group', '-Znone', '--build', tree, target]);
  rmSync(tree, { recursive: true });
  return target;
}

async function install(machine: SystemMachine, deb: string, ...options: readonly string[]): Promise<string> {
  const inside = `/opt/rig/${basename(deb)}`;
  copyFileSync(deb, join(machine.root, inside));
  return apt(machine, 'install', ...options, inside);
}

function apt(machine: SystemMachine, ...args: readonly string[]): Promise<string> {
  return machine.must(['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-y', '--no-install-recommends', ...args], INSTALL_LIMIT_MS);
}

interface Trace {
  readonly files: readonly string[];
  readonly units: string;
  readonly ruleset: string;
  readonly pins: string;
}

async function trace(machine: SystemMachine): Promise<Trace> {
  const found = await machine.must(['find', '/', '-xdev', '-not', '-type', 'd', '-printf', '%p %m %s\n']);
  return {
    files: found.split('\n').filter((line) => !NOT_OURS.test(line)).sort(),
    units: await machine.must(['systemctl', 'list-unit-files', '--no-legend', '--plain']),
    ruleset: await machine.must(['nft', 'list', 'ruleset']),
    pins: await machine.must(['ls', '/sys/fs/bpf']),
  };
}

async function mode(machine: SystemMachine): Promise<unknown> {
  return (JSON.parse(await machine.must(['bastionctl', 'status', '--json'])) as { readonly mode?: unknown }).mode;
}

const missing = noSystem() || (which('dh') === null && 'not installed: debhelper');

test('the package is installed, keeps a rule over a boot, is updated and put back without an open moment, and leaves nothing behind', { skip: missing }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-packages-'));
  t.after(() => { rmSync(folder, { recursive: true, force: true }); });
  const deb = makePackages({ folder: join(folder, 'made'), compression: 'none' }).find((path) => basename(path).startsWith('bastion-firewall_'));
  assert.ok(deb !== undefined);
  await using machine = await SystemMachine.started({ plain: true });
  // The time that a hang may take is another test's; this one installs on a machine that may be busy with others.
  machine.put(`/etc/systemd/system/${HELPER_UNIT}.d/rig.conf`, '[Service]\nWatchdogSec=30\n');
  const before = await trace(machine);

  const said = await install(machine, deb);
  assert.match(said, /begins in learning mode/u);
  await running(machine);
  await attached(machine);
  assert.equal(await mode(machine), 'learning', 'enforcing begins when somebody chooses it');

  await machine.must(['bastionctl', 'rules', 'add', 'allow', '--application', ALLOWED, '--id', 'allowed']);
  await machine.must(['bastionctl', 'mode', 'enforcing']);
  await machine.peer.watch();
  await decideAllowed(machine);
  await staysSilent(machine, 'enforcing');
  const exposure = /Overall exposure level for \S+ (\S+)/u.exec(await machine.must(['systemd-analyze', 'security', '--no-pager', HELPER_UNIT]))?.[1] ?? '';

  await machine.powerOff();
  await machine.boot();
  const { pid } = await running(machine);
  assert.equal(await mode(machine), 'enforcing');
  await staysSilent(machine, 'from the first moment of the next boot');
  await allowedWorks(machine, 'after the boot');

  await install(machine, repacked(folder, deb, NEXT));
  const updated = await running(machine, pid);
  await staysSilent(machine, 'updated');
  await allowedWorks(machine, 'updated');
  await install(machine, deb, '--allow-downgrades');
  await running(machine, updated.pid);
  await staysSilent(machine, 'put back');
  await allowedWorks(machine, 'put back');
  assert.equal(await mode(machine), 'enforcing');

  await apt(machine, 'remove', 'bastion-firewall');
  const removed = await trace(machine);
  assert.deepEqual([removed.ruleset, removed.pins], [before.ruleset, before.pins]);
  assert.ok(removed.files.some((line) => line.startsWith('/etc/bastion/bastion.toml ')), 'settings stay until they are purged');
  await machine.probed(1);

  await apt(machine, 'purge', 'bastion-firewall');
  const purged = await trace(machine);
  assert.deepEqual(purged.files.filter((line) => !before.files.includes(line)), []);
  assert.deepEqual(before.files.filter((line) => !purged.files.includes(line)), []);
  assert.deepEqual([purged.units, purged.ruleset, purged.pins], [before.units, before.ruleset, before.pins]);
  mustHold({
    id: 'system-package', claim: 'The package: installed, booted, updated, put back, removed, purged', size: 'once', undecided: 0,
    figures: [`systemd-analyze security: exposure ${exposure}`, 'files, units, packet rules and pins afterwards as before'],
  });
});
