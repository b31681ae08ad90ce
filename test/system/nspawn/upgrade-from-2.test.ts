/** This package in the place of Bastion Firewall 2: what it knew is taken over, its files stay, and nothing else of it does. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../../lab/process.ts';
import { builtPackage, noPackages } from '../packages.ts';
import { noSystem } from './image.ts';
import { HELPER_UNIT, SystemMachine } from './machine.ts';
import { put } from './root.ts';
import { running } from './support.ts';

const INSTALL_LIMIT_MS = 120_000;
const RULES = '/etc/bastion/rules.json';
const CONFIG = '/etc/bastion/config.json';
const REPORT = '/var/lib/bastion/import-report.txt';
/** Programs that are there are kept, one that is not is for review, and so is a name that every program can take. */
const RULES_TEXT = '{ "applications": {}, "/usr/bin/dpkg:443": true, "/usr/bin/tar:*": false, "/opt/gone:80": true, "@name:steam:27018": true }\n';
const CONFIG_TEXT = '{ "mode": "enforcement", "timeout_seconds": 60, "allow_localhost": true, "queue_num": 1 }\n';

const UNIT = `[Unit]
Description=Bastion Firewall 2

[Service]
ExecStart=/usr/bin/bastion-daemon

[Install]
WantedBy=multi-user.target
`;

/** What version 2.0.33 did when it was installed; its rules of netfilter stay as they do after a crash. */
const POSTINST = `#!/bin/sh
set -e
useradd -r -U -d /var/lib/bastion -s /usr/sbin/nologin bastion
mkdir -p /var/log/bastion
touch /var/log/bastion-daemon.log
iptables -I OUTPUT -m state --state NEW -j NFQUEUE --queue-num 1 --queue-bypass
iptables -I OUTPUT -m owner --uid-owner 0 -m comment --comment BASTION_BYPASS -j ACCEPT
systemctl daemon-reload
systemctl enable --now bastion-daemon bastion-firewall
`;

function version2(folder: string): string {
  const tree = join(folder, 'version-2');
  mkdirSync(tree, { mode: 0o755 });
  put(tree, 'DEBIAN/control', [
    'Package: bastion-firewall', 'Version: 2.0.33', 'Architecture: all', 'Maintainer: nobody <nobody@example.org>', 'Description: version 2', '',
  ].join('\n'));
  put(tree, 'DEBIAN/postinst', POSTINST, 0o755);
  put(tree, 'usr/bin/bastion-daemon', '#!/bin/sh\nexec sleep infinity\n', 0o755);
  put(tree, 'usr/bin/bastion-gui', '#!/bin/sh\n', 0o755);
  for (const unit of ['bastion-daemon', 'bastion-firewall']) put(tree, `lib/systemd/system/${unit}.service`, UNIT);
  put(tree, 'etc/xdg/autostart/bastion-tray.desktop', '[Desktop Entry]\nType=Application\nName=Bastion\nExec=/usr/bin/bastion-gui\n');
  put(tree, 'usr/lib/python3/dist-packages/bastion/__init__.py', '');
  const deb = join(folder, 'bastion-firewall_2.0.33_all.deb');
  execFileSync('dpkg-deb', ['--root-owner-group', '-Znone', '--build', tree, deb]);
  return deb;
}

async function install(machine: SystemMachine, deb: string): Promise<string> {
  const inside = `/opt/rig/${basename(deb)}`;
  copyFileSync(deb, join(machine.root, inside));
  return apt(machine, 'install', inside);
}

/** Gives what was said, on both streams. */
function apt(machine: SystemMachine, ...args: readonly string[]): Promise<string> {
  return machine.must(['sh', '-c', 'exec apt-get -q -y --no-install-recommends "$@" 2>&1', 'sh', ...args], INSTALL_LIMIT_MS);
}

async function there(machine: SystemMachine, ...paths: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(paths.map(async (path) => [path, (await machine.run(['sh', '-c', '[ -e "$0" ] || [ -L "$0" ]', path])).status] as const));
  return found.filter(([, status]) => status === 0).map(([path]) => path);
}

interface Listed {
  readonly id: string;
  readonly action: string;
  readonly enabled: boolean;
}

async function rules(machine: SystemMachine): Promise<readonly string[]> {
  const listed = JSON.parse(await machine.must(['bastionctl', 'rules', 'list', '--json'])) as readonly Listed[];
  return listed.map(({ id, action, enabled }) => `${id} ${action}${enabled ? '' : ' off'}`);
}

async function mode(machine: SystemMachine): Promise<unknown> {
  return (JSON.parse(await machine.must(['bastionctl', 'status', '--json'])) as { readonly mode?: unknown }).mode;
}

test('the package takes the place of version 2: rules and settings once, its files untouched, nothing else left', { skip: noSystem() || noPackages() }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-version-2-'));
  t.after(() => { rmSync(folder, { recursive: true, force: true }); });
  const ours = builtPackage('bastion-firewall');
  await using machine = await SystemMachine.started({ plain: true });
  machine.put(`/etc/systemd/system/${HELPER_UNIT}.d/rig.conf`, '[Service]\nWatchdogSec=30\n');
  await install(machine, version2(folder));
  machine.put(RULES, RULES_TEXT);
  machine.put(CONFIG, CONFIG_TEXT);
  machine.put('/usr/lib/python3/dist-packages/bastion/__pycache__/__init__.pyc', 'x');
  const before = await machine.must(['stat', '-c', '%n %a %u %s %y %i', RULES, CONFIG]);
  const { MainPID: old } = await machine.unit('bastion-daemon.service', 'MainPID');
  assert.notEqual(old, '0', 'version 2 runs');

  const said = await install(machine, ours);
  await running(machine);
  assert.match(said, /Rules of Bastion Firewall 2: [1-9][0-9]* kept, /u);
  assert.equal(await mode(machine), 'learning', 'enforcing begins when somebody chooses it');
  const imported = await rules(machine);
  assert.ok(imported.some((rule) => /^dpkg-port-443\S* allow$/u.test(rule)), imported.join('\n'));
  assert.ok(imported.some((rule) => /^tar-\S* deny$/u.test(rule)), imported.join('\n'));
  assert.ok(imported.some((rule) => rule.endsWith(' allow off')), imported.join('\n'));
  const settings = await machine.must(['cat', '/etc/bastion/bastion.toml']);
  assert.match(settings, /^prompt_timeout_s = 60$/mu);
  assert.match(await machine.must(['cat', REPORT]), /^mode = "enforcing"$/mu, 'what is for a person to choose is told');
  assert.equal((await machine.must(['stat', '-c', '%a', REPORT])).trim(), '600');

  assert.deepEqual([await machine.must(['cat', RULES]), await machine.must(['cat', CONFIG])], [RULES_TEXT, CONFIG_TEXT]);
  assert.equal(await machine.must(['stat', '-c', '%n %a %u %s %y %i', RULES, CONFIG]), before);
  assert.deepEqual(await there(machine, '/etc/xdg/autostart/bastion-tray.desktop', '/usr/bin/bastion-daemon', '/usr/bin/bastion-gui',
    '/etc/systemd/system/multi-user.target.wants/bastion-daemon.service', '/usr/lib/python3/dist-packages/bastion', `/proc/${old}`), []);
  assert.doesNotMatch(await machine.must(['iptables-save', '-t', 'filter']), /NFQUEUE|BASTION_BYPASS/u);
  assert.equal((await machine.unit('bastion-daemon.service', 'Id')).Id, HELPER_UNIT, 'its name leads to this one');
  assert.equal((await machine.must(['systemctl', 'is-enabled', HELPER_UNIT])).trim(), 'enabled');

  const [first = ''] = imported;
  await machine.must(['bastionctl', 'rules', 'remove', first.slice(0, first.indexOf(' '))]);
  assert.doesNotMatch(await apt(machine, 'install', '--reinstall', `/opt/rig/${basename(ours)}`), /Bastion Firewall 2/u);
  await running(machine);
  assert.ok(!(await rules(machine)).includes(first), 'what was imported and removed does not come back');

  await apt(machine, 'purge', 'bastion-firewall');
  assert.deepEqual(await there(machine, '/etc/bastion', '/var/lib/bastion', '/var/log/bastion', '/var/log/bastion-daemon.log'), []);
  assert.notEqual((await machine.run(['getent', 'passwd', 'bastion'])).status, 0);

  // Its files without its package, and one of them broken.
  machine.put(RULES, '{ "/usr/bin/curl:443": true');
  const refused = await install(machine, ours);
  await running(machine);
  assert.match(refused, /were not imported: .*rules\.json/u);
  assert.match(refused, /sudo bastionctl rules import --from-original/u);
  assert.equal(await machine.must(['cat', RULES]), '{ "/usr/bin/curl:443": true');

  // What autopkgtest runs on an installed package.
  copyFileSync(join(ROOT, 'debian/tests/smoke'), join(machine.root, 'opt/rig/smoke'));
  const smoke = await machine.guarded(['/bin/sh', '/opt/rig/smoke']);
  assert.equal(smoke.status, 0, `${smoke.stdout}${smoke.stderr}`);
});
