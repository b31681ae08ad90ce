/** What can be looked at without the helper: kernel, tools, unit, bus, files; each finding with what to do about it. */
import { BUS_NAME } from '../../contract/names.ts';
import { ownFilesProblem, ownFilesRemedy } from '../../adapters/own-files.ts';
import { awayChecks } from './away.ts';
import { UNIT, failed, ok, unknown } from './finding.ts';
import type { Finding } from './finding.ts';
import type { FileFacts, Probe } from './probe.ts';

type CheckFunction = (probe: Probe) => Promise<Finding | readonly Finding[]>;

const OLDEST_KERNEL = [6, 1] as const;
const CONFIG_FOLDER = '/etc/bastion';
/** Permissions that a group or others may not have on what decides about traffic. */
const WRITABLE_BY_OTHERS = 0o022;
const READABLE_BY_OTHERS = 0o004;

async function kernel(probe: Probe): Promise<Finding> {
  const [major = 0, minor = 0] = probe.kernelRelease.split('.').map((part) => Number.parseInt(part, 10));
  const enough = major > OLDEST_KERNEL[0] || (major === OLDEST_KERNEL[0] && minor >= OLDEST_KERNEL[1]);
  const name = 'kernel';
  return Promise.resolve(enough
    ? ok(name, `Linux ${probe.kernelRelease}`)
    : failed(name, `Linux ${probe.kernelRelease} is older than ${OLDEST_KERNEL.join('.')}`, 'install a newer kernel'));
}

async function typeInformation(probe: Probe): Promise<Finding> {
  const name = 'kernel type information';
  return typeof await probe.facts('/sys/kernel/btf/vmlinux') === 'object'
    ? ok(name, '/sys/kernel/btf/vmlinux is there')
    : failed(
      name, 'the kernel has no BTF: programs are identified through /proc only', 'use a kernel built with CONFIG_DEBUG_INFO_BTF=y',
    );
}

async function lockdown(probe: Probe): Promise<Finding> {
  const name = 'kernel lockdown';
  const found = await probe.readText('/sys/kernel/security/lockdown');
  if (typeof found !== 'object') return unknown(name, 'cannot be read here');
  return found.text.includes('[confidentiality]')
    ? failed(
      name, 'confidentiality: kernel programs may not read what they need', 'put lockdown=integrity on the kernel command line',
    )
    : ok(name, found.text.trim());
}

async function mounts(probe: Probe): Promise<readonly Finding[]> {
  const found = await probe.readText('/proc/self/mountinfo');
  const lines = typeof found === 'object' ? found.text.split('\n') : [];
  const mountedAs = (type: string): string | null => {
    const line = lines.find((one) => one.includes(` - ${type} `));
    return line?.split(' ')[4] ?? null;
  };
  const cgroup = mountedAs('cgroup2');
  const bpf = mountedAs('bpf');
  return [
    cgroup === null
      ? failed('cgroup v2', 'is not mounted: the kernel cannot record who opens connections', 'boot with systemd.unified_cgroup_hierarchy=1')
      : ok('cgroup v2', cgroup),
    bpf === null
      ? failed('bpffs', 'is not mounted: decisions cannot outlive the helper', 'mount -t bpf bpf /sys/fs/bpf')
      : ok('bpffs', bpf),
  ];
}

async function queueModule(probe: Probe): Promise<Finding> {
  const name = 'packet queue (nfnetlink_queue)';
  const found = await probe.facts('/proc/net/netfilter/nfnetlink_queue');
  if (typeof found === 'object') return ok(name, 'is in the kernel');
  const { status } = await probe.run('modprobe', ['--dry-run', '--quiet', 'nfnetlink_queue']);
  if (status === 0) return ok(name, 'is loaded when it is needed');
  return status === null ? unknown(name, 'cannot be looked up here')
    : failed(name, 'is missing from this kernel', 'install the kernel\'s module package (linux-modules-extra on Ubuntu)');
}

async function bpfMatch(probe: Probe): Promise<Finding> {
  const name = 'netfilter match (xt_bpf)';
  const { status } = await probe.run('modprobe', ['--dry-run', '--quiet', 'xt_bpf']);
  if (status === 0) return ok(name, 'is there');
  return unknown(name, 'cannot be looked up here; the self test says whether it works');
}

async function tools(probe: Probe): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const backends = await Promise.all(['iptables-nft', 'iptables-legacy'].map((name) => probe.program(`${name}-restore`)));
  const found = backends.filter((path) => path !== null);
  findings.push(found.length > 0 ? ok('iptables', found.join(', '))
    : failed('iptables', 'is not installed', 'sudo apt-get install iptables'));
  const passwords = await probe.program('pkttyagent');
  findings.push(passwords !== null ? ok('pkttyagent', passwords)
    : unknown('pkttyagent', 'is not installed: passwords cannot be asked for in a terminal', 'sudo apt-get install polkitd'));
  return findings;
}

async function unit(probe: Probe): Promise<readonly Finding[]> {
  if (typeof await probe.facts('/run/systemd/system') !== 'object') return [unknown(UNIT, 'systemd does not run here')];
  const [active, enabled] = await Promise.all(
    ['is-active', 'is-enabled'].map((verb) => probe.run('systemctl', [verb, UNIT])),
  );
  const activeWord = active?.stdout.trim() ?? '';
  const enabledWord = enabled?.stdout.trim() ?? '';
  return [
    activeWord === 'active' ? ok(UNIT, 'is running') : failed(UNIT, `is ${activeWord || 'not known'}`, `sudo systemctl start ${UNIT}`),
    enabledWord.startsWith('enabled') || enabledWord === 'static' ? ok('start at boot', enabledWord)
      : failed('start at boot', `is ${enabledWord || 'not known'}`, `sudo systemctl enable ${UNIT}`),
  ];
}

/** The first unix path of a D-Bus address, null for other transports. */
export function socketPath(address: string): string | null {
  for (const one of address.split(';')) {
    const path = /^unix:(?:.*,)?path=([^,]+)/.exec(one)?.[1];
    if (path !== undefined) return decodeURIComponent(path.replaceAll(/%(?![0-9A-Fa-f]{2})/g, '%25'));
  }
  return null;
}

async function bus(probe: Probe, address: string): Promise<Finding> {
  const name = 'D-Bus';
  const path = socketPath(address);
  if (path === null) return unknown(name, `cannot be looked at: ${address}`);
  return await probe.listens(path) ? ok(name, path) : failed(name, `nobody listens on ${path}`, 'sudo systemctl start dbus.socket');
}

async function installed(probe: Probe): Promise<readonly Finding[]> {
  const files = [
    ['D-Bus policy', [`/usr/share/dbus-1/system.d/${BUS_NAME}.conf`, `/etc/dbus-1/system.d/${BUS_NAME}.conf`]],
    ['polkit actions', ['/usr/share/polkit-1/actions/org.bastionfirewall.helper1.policy']],
  ] as const;
  return Promise.all(files.map(async ([name, paths]) => {
    for (const path of paths) if (typeof await probe.facts(path) === 'object') return ok(name, path);
    return failed(name, `${paths[0]} is missing`, 'sudo apt-get install --reinstall bastion-firewall');
  }));
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** What is wrong with a file that the helper trusts; '' when nothing is. */
export function trustProblem(found: FileFacts, wanted: 'file' | 'folder'): string {
  if (found.kind !== wanted) return `is no ${wanted} but a ${found.kind}`;
  if (found.uid !== 0) return `belongs to uid ${String(found.uid)}, not to root`;
  if ((found.mode & WRITABLE_BY_OTHERS) !== 0) return `may be written by others (mode ${octal(found.mode)})`;
  if (wanted === 'file' && (found.mode & READABLE_BY_OTHERS) !== 0) return `may be read by everybody (mode ${octal(found.mode)})`;
  return '';
}

async function configuration(probe: Probe): Promise<readonly Finding[]> {
  const rulesFolder = `${CONFIG_FOLDER}/rules.d`;
  const ruleFiles = (await probe.names(rulesFolder)).filter((name) => name.endsWith('.toml'));
  const wanted: readonly (readonly [string, 'file' | 'folder', string])[] = [
    [CONFIG_FOLDER, 'folder', '755'],
    [`${CONFIG_FOLDER}/bastion.toml`, 'file', '640'],
    [rulesFolder, 'folder', '755'],
    ...((await probe.names(CONFIG_FOLDER)).includes('applications.toml') ? [[`${CONFIG_FOLDER}/applications.toml`, 'file', '640'] as const] : []),
    ...ruleFiles.map((name) => [`${rulesFolder}/${name}`, 'file', '640'] as const),
  ];
  return Promise.all(wanted.map(async ([path, kind, mode]) => {
    const found = await probe.facts(path);
    if (found === 'absent') return unknown(path, 'is not there; the helper uses its defaults');
    if (found === 'denied') return unknown(path, 'may not be looked at', 'run it again with sudo');
    const problem = trustProblem(found, kind);
    if (problem === '') return ok(path, `mode ${octal(found.mode)}, root`);
    const mend = `sudo chown root:root ${path} && sudo chmod ${mode} ${path}`;
    return failed(path, problem, found.kind === kind ? mend : 'put the file itself there: links are not followed');
  }));
}

async function predecessor(probe: Probe): Promise<readonly Finding[]> {
  const { stdout } = await probe.run('systemctl', ['show', '--property=Id', '--value', 'bastion-daemon.service']);
  const active = await probe.run('systemctl', ['is-active', 'bastion-daemon.service']);
  if (active.stdout.trim() !== 'active' || stdout.trim() === UNIT) return [];
  return [failed(
    'version 2', 'the original bastion-daemon.service still runs and wants the same packets',
    'sudo systemctl disable --now bastion-daemon.service',
  )];
}

async function productFiles(probe: Probe): Promise<Finding> {
  const name = 'installed files';
  const found = await probe.ownFiles();
  if (found.record === null) return unknown(name, 'there is no list to verify them by');
  const problem = ownFilesProblem(found);
  return problem === '' ? ok(name, `${String(found.checked)} are as they were installed`) : failed(name, problem, ownFilesRemedy(found));
}

/** All local checks, in the order in which things build on one another. `address` is the bus that is used. */
export async function localChecks(probe: Probe, address: string): Promise<readonly Finding[]> {
  const checks: readonly CheckFunction[] = [
    kernel, typeInformation, lockdown, mounts, queueModule, bpfMatch, tools, (one) => bus(one, address), installed, unit,
    awayChecks, predecessor, configuration, productFiles,
  ];
  return (await Promise.all(checks.map((check) => check(probe)))).flat();
}
