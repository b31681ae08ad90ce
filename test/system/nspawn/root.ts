/** The root folder of one system: the image, over it the staged product, over it what this system itself changes. */
import { randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stage } from '../../../tools/stage.ts';
import { compile } from '../../lab/compile.ts';
import { ADDRESSES } from '../../lab/network.ts';
import { tool } from '../../lab/process.ts';
import { image } from './image.ts';

/** Programs inside. */
export const UNDECIDED = '/opt/rig/undecided';
export const ADDRESS_CLIENT = '/opt/rig/addresses';
export const ALLOWED = '/opt/rig/allowed';
/** What the senders that begin at the boot say of themselves. */
export const PROBE_REPORT = '/run/rig-undecided';
export const ADDRESS_REPORT = '/run/rig-addresses';
export const UNDECIDED_PORT = 4001;
export const TAG = 'undecided';

const OVERLAY = 'index=off,metacopy=off';
/** Nothing of the machine outside is theirs to wait for, and a login prompt on the console hides what is written there. */
const MASKED = ['console-getty.service', 'getty.target', 'apt-daily.timer', 'apt-daily-upgrade.timer', 'dpkg-db-backup.timer', 'e2scrub_all.timer', 'fstrim.timer'];

const SETTINGS = 'mode = "enforcing"\ndefault_action = "ask"\nprompt_timeout_s = 5\n';
const RULES = `[[rule]]
id = "rig-allowed"
action = "allow"
application = { path = "${ALLOWED}" }
`;

/** A sender from the first moment: nothing is waited for. It outlives everything but the system. */
function sender(argv: readonly string[]): string {
  return `[Unit]
DefaultDependencies=no

[Service]
ExecStart=${argv.join(' ')}

[Install]
WantedBy=sysinit.target
`;
}

/** As a service that manages the network does it: after network-pre.target, without which nothing has an address. */
const NETWORK_UNIT = `[Unit]
DefaultDependencies=no
Wants=network-pre.target network.target
After=network-pre.target
Before=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/ip -batch /etc/rig-network

[Install]
WantedBy=multi-user.target
`;

const NETWORK = [
  'link set lo up',
  'link set eth0 up',
  `address add ${ADDRESSES.client4}/24 dev eth0`,
  `address add ${ADDRESSES.client6}/64 dev eth0 nodad`,
  `route add default via ${ADDRESSES.peer4}`,
  `route add ::/0 via ${ADDRESSES.peer6}`,
].join('\n');

/**
 * Another command line, for the units that read it: the kernel's own belongs to the machine outside, and a service may have a
 * /proc of its own.
 */
const COMMAND_LINE = `[Service]
BindReadOnlyPaths=/etc/rig-cmdline:/proc/cmdline
`;

export interface RootOptions {
  /** Debian's name of the release; default: this machine's. */
  readonly release?: string;
  /** Units of the system that are enabled beside ours. */
  readonly enable?: readonly string[];
  /** A system on which the product was never installed. */
  readonly plain?: boolean;
  /** The kernel command line that they see. */
  readonly commandLine?: string;
}

const ENABLED = ['bastion-firewall.service', 'bastion-firewall-boot.service'];
const RIG_UNITS = ['rig-undecided.service', 'rig-addresses.service', 'rig-network.service'];

/** A file below the root, with every folder on its way. */
export function put(root: string, path: string, content: string, mode = 0o644): void {
  const target = join(root, path);
  mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
  writeFileSync(target, content);
  chmodSync(target, mode);
}

export function copyProgram(root: string, from: string, path: string): void {
  const target = join(root, path);
  mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
  copyFileSync(from, target);
  chmodSync(target, 0o755);
}

function putRig(root: string, folder: string): void {
  const prober = compile('../system/nspawn/prober.c', folder);
  copyProgram(root, prober, UNDECIDED);
  copyProgram(root, prober, ADDRESS_CLIENT);
  copyProgram(root, compile('../integration/support-native/traffic.c', folder), ALLOWED);
  const { peer4, peer6 } = ADDRESSES;
  const units = '/etc/systemd/system';
  put(root, `${units}/rig-undecided.service`, sender([UNDECIDED, 'undecided', peer4, peer6, String(UNDECIDED_PORT), TAG, PROBE_REPORT]));
  put(root, `${units}/rig-addresses.service`, sender([ADDRESS_CLIENT, 'addresses', peer4, 'eth0', ADDRESS_REPORT]));
  put(root, `${units}/rig-network.service`, NETWORK_UNIT);
  put(root, '/etc/rig-network', `${NETWORK}\n`);
  // A fixed one: systemd enables every unit at the first boot of a machine without.
  put(root, '/etc/machine-id', `${randomBytes(16).toString('hex')}\n`, 0o444);
  for (const name of MASKED) {
    const link = join(root, units, name);
    rmSync(link, { force: true });
    symlinkSync('/dev/null', link);
  }
}

/**
 * Lays everything below `folder` and mounts it at `folder`/root, whose path is given back. What is written there the system
 * inside sees, and it stays from one boot to the next.
 */
export async function layRoot(folder: string, { release, enable = [], plain = false, commandLine }: RootOptions): Promise<string> {
  const base = await image(release);
  const staged = join(folder, 'product');
  if (plain) mkdirSync(staged);
  else stage(staged, { packages: ['bastion-firewall'] });
  const [root, upper, work] = ['root', 'changes', 'work'].map((name) => join(folder, name)) as [string, string, string];
  for (const path of [root, upper, work]) mkdirSync(path, { mode: 0o755 });
  tool('mount', ['-t', 'overlay', 'overlay', '-o', `${OVERLAY},lowerdir=${staged}:${base},upperdir=${upper},workdir=${work}`, root]);
  putRig(root, folder);
  if (!plain) {
    put(root, '/etc/bastion/bastion.toml', SETTINGS, 0o640);
    put(root, '/etc/bastion/rules.d/10-rig.toml', RULES, 0o640);
  }
  if (commandLine !== undefined) {
    put(root, '/etc/rig-cmdline', `${commandLine}\n`);
    for (const unit of ENABLED) put(root, `/etc/systemd/system/${unit}.d/rig.conf`, COMMAND_LINE);
  }
  tool('systemctl', ['--root', root, 'enable', ...RIG_UNITS, ...plain ? [] : ENABLED, ...enable]);
  return root;
}
