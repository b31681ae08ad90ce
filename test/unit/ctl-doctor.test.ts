import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OwnFiles } from '../../helper/adapters/own-files.ts';
import { localChecks, socketPath, trustProblem } from '../../helper/ctl/doctor/checks.ts';
import type { Finding } from '../../helper/ctl/doctor/finding.ts';
import type { CommandResult, FileFacts, Probe } from '../../helper/ctl/doctor/probe.ts';

const FILE: FileFacts = { kind: 'file', mode: 0o640, uid: 0, gid: 0 };
const FOLDER: FileFacts = { kind: 'folder', mode: 0o755, uid: 0, gid: 0 };
const BUS = 'unix:path=/run/dbus/system_bus_socket';

const MOUNTS = [
  '30 24 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw',
  '31 24 0:27 / /sys/fs/bpf rw shared:5 - bpf bpf rw',
].join('\n');

interface Machine {
  readonly kernelRelease: string;
  readonly uid: number;
  readonly files: Readonly<Record<string, FileFacts | 'denied'>>;
  readonly texts: Readonly<Record<string, string>>;
  readonly commands: Readonly<Record<string, CommandResult>>;
  readonly programs: readonly string[];
  readonly busListens: boolean;
  readonly ownFiles: OwnFiles;
}

const HEALTHY: Machine = {
  kernelRelease: '6.12.5-amd64',
  uid: 0,
  files: {
    '/sys/kernel/btf/vmlinux': FILE, '/proc/net/netfilter/nfnetlink_queue': FILE, '/run/systemd/system': FOLDER,
    '/usr/share/dbus-1/system.d/org.bastionfirewall.Helper1.conf': FILE,
    '/usr/share/polkit-1/actions/org.bastionfirewall.helper1.policy': FILE,
    '/sys/fs/bpf/bastion': FOLDER,
    '/etc/bastion': FOLDER, '/etc/bastion/bastion.toml': FILE, '/etc/bastion/rules.d': FOLDER, '/sys/fs/bpf/bastion/maps/settings': FILE, '/sys/fs/bpf/bastion/links/on_egress': FILE,
    '/etc/bastion/rules.d/50-user.toml': FILE,
  },
  texts: { '/proc/self/mountinfo': MOUNTS, '/sys/kernel/security/lockdown': '[none] integrity confidentiality', '/var/lib/bastion/boot': 'closed\n' },
  commands: {
    'modprobe --dry-run --quiet xt_bpf': { status: 0, stdout: '' },
    'systemctl is-active bastion-firewall.service': { status: 0, stdout: 'active\n' },
    'systemctl is-enabled bastion-firewall.service': { status: 0, stdout: 'enabled\n' },
    'systemctl show --property=WatchdogUSec --value bastion-firewall.service': { status: 0, stdout: '3s\n' },
    'systemctl show --property=NRestarts --value bastion-firewall.service': { status: 0, stdout: '0\n' },
    'systemctl show --property=LoadState --value bastion-firewall-boot.service': { status: 0, stdout: 'loaded\n' },
    'systemctl show --property=LoadState --value bastion-firewall-rest.service': { status: 0, stdout: 'loaded\n' },
    'systemctl is-active bastion-daemon.service': { status: 3, stdout: 'inactive\n' },
  },
  programs: ['iptables-nft-restore', 'pkttyagent'],
  busListens: true,
  ownFiles: { record: 'dpkg', checked: 40, changed: [], missing: [] },
};

function probeOf(machine: Machine): Probe {
  return {
    kernelRelease: machine.kernelRelease,
    uid: machine.uid,
    readText: (path) => Promise.resolve(machine.texts[path] === undefined ? 'absent' : { text: machine.texts[path] }),
    facts: (path) => Promise.resolve(machine.files[path] ?? 'absent'),
    names: (folder) => Promise.resolve(Object.keys(machine.files).filter((path) => path.startsWith(`${folder}/`)).map((path) => path.slice(folder.length + 1))),
    program: (name) => Promise.resolve(machine.programs.includes(name) ? `/usr/sbin/${name}` : null),
    run: (program, args) => Promise.resolve(machine.commands[[program, ...args].join(' ')] ?? { status: 1, stdout: '' }),
    listens: () => Promise.resolve(machine.busListens),
    ownFiles: () => Promise.resolve(machine.ownFiles),
  };
}

async function failures(change: Partial<Machine>): Promise<readonly Finding[]> {
  const findings = await localChecks(probeOf({ ...HEALTHY, ...change }), BUS);
  return findings.filter((one) => one.result === 'failed');
}

test('doctor: a healthy machine has no finding', async () => {
  assert.deepEqual(await failures({}), []);
});

test('doctor: each fault is named, and says what to do', async () => {
  const withoutTypes = Object.fromEntries(Object.entries(HEALTHY.files).filter(([path]) => path !== '/sys/kernel/btf/vmlinux'));
  const wanted: readonly (readonly [string, Partial<Machine>])[] = [
    ['kernel', { kernelRelease: '5.10.0' }],
    ['kernel type information', { files: withoutTypes }],
    ['kernel lockdown', { texts: { ...HEALTHY.texts, '/sys/kernel/security/lockdown': 'none integrity [confidentiality]' } }],
    ['bpffs', { texts: { ...HEALTHY.texts, '/proc/self/mountinfo': MOUNTS.split('\n')[0] ?? '' } }],
    ['iptables', { programs: ['pkttyagent'] }],
    ['D-Bus', { busListens: false }],
    ['bastion-firewall.service', { commands: { ...HEALTHY.commands, 'systemctl is-active bastion-firewall.service': { status: 3, stdout: 'failed\n' } } }],
    ['version 2', { commands: { ...HEALTHY.commands, 'systemctl is-active bastion-daemon.service': { status: 0, stdout: 'active\n' } } }],
    ['/etc/bastion/rules.d/50-user.toml', { files: { ...HEALTHY.files, '/etc/bastion/rules.d/50-user.toml': { ...FILE, mode: 0o666 } } }],
    ['/etc/bastion/bastion.toml', { files: { ...HEALTHY.files, '/etc/bastion/bastion.toml': { ...FILE, kind: 'link' } } }],
  ];
  for (const [name, change] of wanted) {
    const found = await failures(change);
    assert.deepEqual(found.map((one) => one.name), [name]);
    assert.notEqual(found[0]?.remedy, '', name);
  }
});

/** What a command says, in place of what it says on a healthy machine. */
function saying(command: string, stdout: string, status = 0): Partial<Machine> {
  return { commands: { ...HEALTHY.commands, [command]: { status, stdout } } };
}

test('doctor: what holds while the helper is away or hangs, each with what to do', async () => {
  const show = (property: string, unit: string): string => `systemctl show --property=${property} --value ${unit}`;
  const withoutPins = Object.fromEntries(Object.entries(HEALTHY.files).filter(([path]) => !path.includes('/links/')));
  const wanted: readonly (readonly [string, Partial<Machine>, RegExp])[] = [
    ['watchdog', saying(show('WatchdogUSec', 'bastion-firewall.service'), '0\n'), /systemctl revert/],
    ['watchdog', saying(show('WatchdogUSec', 'bastion-firewall.service'), 'infinity\n'), /systemctl revert/],
    ['bastion-firewall-boot.service', saying(show('LoadState', 'bastion-firewall-boot.service'), 'masked\n'), /systemctl unmask bastion-firewall-boot/],
    ['bastion-firewall-rest.service', saying(show('LoadState', 'bastion-firewall-rest.service'), 'not-found\n'), /--reinstall/],
    ['base rules', saying('nft list table inet bastion_boot', 'table inet bastion_boot {\n}\n'), /nft delete table inet bastion_boot/],
    ['pins', { files: withoutPins }, /systemctl restart/],
    ['/var/lib/bastion/boot', { texts: { ...HEALTHY.texts, '/var/lib/bastion/boot': 'opne\n' } }, /systemctl restart/],
  ];
  for (const [name, change, remedy] of wanted) {
    const found = await failures(change);
    assert.deepEqual(found.map((one) => one.name), [name]);
    assert.match(found[0]?.remedy ?? '', remedy);
  }
});

test('doctor: an ordinary user is told what only root may look at, and that is no failure', async () => {
  const findings = await localChecks(probeOf({ ...HEALTHY, uid: 1000 }), BUS);
  for (const name of ['base rules', 'pins']) {
    const found = findings.find((one) => one.name === name);
    assert.equal(found?.result, 'unknown');
    assert.match(found.remedy, /sudo/);
  }
  assert.ok(findings.every(({ result }) => result !== 'failed'));
});

test('doctor: no pins are no failure while the firewall is off, or where it does without the kernel', async () => {
  const files = Object.fromEntries(Object.entries(HEALTHY.files).filter(([path]) => !path.startsWith('/sys/fs/bpf/bastion/')));
  assert.deepEqual((await failures({ files })).map(({ name }) => name), ['pins']);
  assert.deepEqual(await failures({ files: { ...files, '/run/bastion/off': FILE } }), []);
  const without = Object.fromEntries(Object.entries(files).filter(([path]) => path !== '/sys/fs/bpf/bastion'));
  assert.deepEqual(await failures({ files: without }), []);
});

test('doctor: a helper that was started again is worth a look, and without systemd nothing is asked', async () => {
  const again = await localChecks(probeOf({ ...HEALTHY, ...saying('systemctl show --property=NRestarts --value bastion-firewall.service', '3\n') }), BUS);
  assert.match(again.find(({ name }) => name === 'restarts')?.detail ?? '', /3 times/);
  const files = Object.fromEntries(Object.entries(HEALTHY.files).filter(([path]) => path !== '/run/systemd/system'));
  const none = await localChecks(probeOf({ ...HEALTHY, files }), BUS);
  assert.ok(!none.some(({ name }) => ['watchdog', 'pins', 'base rules'].includes(name)));
});

test('doctor: what may not be looked at is no failure', async () => {
  assert.deepEqual(await failures({ files: { ...HEALTHY.files, '/etc/bastion/bastion.toml': 'denied' } }), []);
});

test('doctor: a file is trusted only when nobody but root may change it', () => {
  assert.equal(trustProblem(FILE, 'file'), '');
  assert.match(trustProblem({ ...FILE, uid: 1000 }, 'file'), /uid 1000/);
  assert.match(trustProblem({ ...FILE, mode: 0o660 }, 'file'), /written by others \(mode 0660\)/);
  assert.match(trustProblem({ ...FILE, mode: 0o644 }, 'file'), /read by everybody/);
  assert.match(trustProblem({ ...FOLDER, kind: 'link' }, 'folder'), /no folder but a link/);
});

test('doctor: the socket of an address', () => {
  assert.equal(socketPath('unix:path=/run/a%20b,guid=1'), '/run/a b');
  assert.equal(socketPath('tcp:host=x,port=1;unix:guid=1,path=/y'), '/y');
  assert.equal(socketPath('unix:abstract=/z'), null);
});

test('doctor: files of the product that are not as installed are named, with what to do', async () => {
  const changed = ['/usr/lib/bastion/helper/main.mjs', '/a', '/b', '/c'];
  const [found, ...others] = await failures({ ownFiles: { record: 'dpkg', checked: 40, changed, missing: ['/d'] } });
  assert.equal(others.length, 0);
  assert.equal(found?.detail, 'Files of Bastion Firewall itself are not as they were installed: /usr/lib/bastion/helper/main.mjs, /a, /b and 1 more; missing: /d.');
  assert.match(found.remedy, /--reinstall bastion-firewall/);
});
