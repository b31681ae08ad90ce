import assert from 'node:assert/strict';
import { test } from 'node:test';
import { localChecks, socketPath, trustProblem } from '../../helper/ctl/doctor/checks.ts';
import type { Finding } from '../../helper/ctl/doctor/checks.ts';
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
  readonly files: Readonly<Record<string, FileFacts | 'denied'>>;
  readonly texts: Readonly<Record<string, string>>;
  readonly commands: Readonly<Record<string, CommandResult>>;
  readonly programs: readonly string[];
  readonly busListens: boolean;
}

const HEALTHY: Machine = {
  kernelRelease: '6.12.5-amd64',
  files: {
    '/sys/kernel/btf/vmlinux': FILE, '/proc/net/netfilter/nfnetlink_queue': FILE, '/run/systemd/system': FOLDER,
    '/usr/share/dbus-1/system.d/org.bastionfirewall.Helper1.conf': FILE,
    '/usr/share/polkit-1/actions/org.bastionfirewall.helper1.policy': FILE,
    '/etc/bastion': FOLDER, '/etc/bastion/bastion.toml': FILE, '/etc/bastion/rules.d': FOLDER, '/etc/bastion/rules.d/50-user.toml': FILE,
  },
  texts: { '/proc/self/mountinfo': MOUNTS, '/sys/kernel/security/lockdown': '[none] integrity confidentiality' },
  commands: {
    'modprobe --dry-run --quiet xt_bpf': { status: 0, stdout: '' },
    'systemctl is-active bastion-firewall.service': { status: 0, stdout: 'active\n' },
    'systemctl is-enabled bastion-firewall.service': { status: 0, stdout: 'enabled\n' },
    'systemctl is-active bastion-daemon.service': { status: 3, stdout: 'inactive\n' },
  },
  programs: ['iptables-nft-restore', 'pkttyagent'],
  busListens: true,
};

function probeOf(machine: Machine): Probe {
  return {
    kernelRelease: machine.kernelRelease,
    uid: 1000,
    readText: (path) => Promise.resolve(machine.texts[path] === undefined ? 'absent' : { text: machine.texts[path] }),
    facts: (path) => Promise.resolve(machine.files[path] ?? 'absent'),
    names: (folder) => Promise.resolve(Object.keys(machine.files).filter((path) => path.startsWith(`${folder}/`)).map((path) => path.slice(folder.length + 1))),
    program: (name) => Promise.resolve(machine.programs.includes(name) ? `/usr/sbin/${name}` : null),
    run: (program, args) => Promise.resolve(machine.commands[[program, ...args].join(' ')] ?? { status: 1, stdout: '' }),
    listens: () => Promise.resolve(machine.busListens),
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
