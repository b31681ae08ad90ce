/** The system packages: which are missing, under which name this release has them, and their installation. */
import { statSync } from 'node:fs';
import path from 'node:path';
import { ROOT, SetupError, capture, logFile, runLogged, say, writeAtomic } from './progress.mjs';

/**
 * Each entry is a package or its names in different releases, the preferred first. Recommended packages are never
 * relied on. Debian 12 and 13 and Ubuntu 24.04 have one name of each.
 */
export const PACKAGES = {
  build: [
    'g++', 'clang', 'llvm', 'make', 'python3', 'libbpf-dev', 'libnetfilter-queue-dev', 'libmnl-dev', 'libcairo2-dev',
    ['libgirepository1.0-dev', 'libgirepository-1.0-dev'], ['pkg-config', 'pkgconf'], 'gettext',
  ],
  run: [
    'iptables', 'nftables', 'iproute2', 'dbus', ['polkitd', 'policykit-1'], 'systemd', 'procps', 'util-linux',
    'gir1.2-gtk-4.0', 'gir1.2-adw-1', 'gir1.2-girepository-2.0', 'gir1.2-notify-0.7', 'libharfbuzz-gobject0',
    'librsvg2-common', 'adwaita-icon-theme', 'fonts-cantarell',
  ],
  test: [
    'xvfb', 'xdotool', 'x11-utils', 'at-spi2-core', 'gir1.2-atspi-2.0', 'python3-gi', 'dunst', 'imagemagick', 'curl', 'openssh-client',
    'openssh-server', ['iputils-ping', 'inetutils-ping'], 'libxml2-utils', 'shellcheck', 'desktop-file-utils', 'appstream', ['bpftool', 'linux-tools-common'],
    'gnome-shell', 'gnome-shell-extension-appindicator', 'gjs', 'libgl1-mesa-dri', 'xfce4-panel', 'xfwm4', 'xfce4-notifyd',
    'systemd-container', 'mmdebstrap', 'debhelper', 'dpkg-dev', 'lintian', 'flatpak', 'flatpak-builder',
    'libclang-rt-dev',
  ],
  // Asked for by `npm run analyze` alone.
  analyze: ['clang-tidy'],
};

/** Packages that only tests use are not asked for again sooner than this after a failure. */
const RETRY_AFTER_MS = 24 * 3600 * 1000;
const FAILED_STAMP = path.join(ROOT, 'build/cache/packages-failed');
const APT = [
  'env', 'DEBIAN_FRONTEND=noninteractive', 'NEEDRESTART_SUSPEND=1',
  'apt-get', '-q', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Use-Pty=0',
];

function names(entry) {
  return Array.isArray(entry) ? entry : [entry];
}

/** The entries as people read them. */
function list(entries) {
  return entries.map((entry) => names(entry)[0]).join(' ');
}

/** Installed packages and what they provide. */
async function installed() {
  const { stdout } = await capture('dpkg-query', ['-W', '-f', '${db:Status-Status}\t${Package}\t${Provides}\n']);
  const found = new Set();
  for (const line of stdout.split('\n')) {
    const [status, name, provides = ''] = line.split('\t');
    if (status !== 'installed' || name === undefined) continue;
    found.add(name);
    for (const provided of provides.split(',')) found.add(provided.trim().split(' ')[0]);
  }
  return found;
}

/** Entries of the given groups of which no name is installed. */
export async function missingPackages(groups) {
  const have = await installed();
  return groups.flatMap((group) => PACKAGES[group]).filter((entry) => !names(entry).some((name) => have.has(name)));
}

/** The command that an administrator runs for these entries. */
export function installCommand(entries) {
  return `apt-get install --no-install-recommends ${list(entries)}`;
}

/** Names that apt can install here. */
async function available(entries) {
  const { stdout } = await capture('apt-cache', ['policy', ...new Set(entries.flatMap(names))]);
  const found = new Set();
  let name = '';
  for (const line of stdout.split('\n')) {
    if (/^\S.*:$/.test(line)) name = line.slice(0, -1);
    else if (/^ {2}Candidate: (?!\(none\))/.test(line)) found.add(name);
  }
  return found;
}

/** The words before a command that make it run as root, or null if that is not possible here. */
async function asRoot() {
  if (process.getuid() === 0) return [];
  if ((await capture('sudo', ['-n', 'true'])).status === 0) return ['sudo', '-n'];
  const canAsk = process.stdin.isTTY === true && (await capture('sudo', ['--version'])).status === 0;
  return canAsk ? ['sudo'] : null;
}

async function apt(prefix, log, args) {
  const [command, ...rest] = [...prefix, ...APT, ...args];
  return await runLogged(log, command, rest, { stdin: prefix.length > 0 ? 'inherit' : 'ignore' });
}

async function install(prefix, entries, log) {
  let updated = false;
  const update = async () => { updated = true; await apt(prefix, log, ['update']); };
  let known = await available(entries);
  if (entries.some((entry) => !names(entry).some((name) => known.has(name)))) {
    await update();
    known = await available(entries);
  }
  // One name that apt does not know would keep all the others from being installed.
  const chosen = entries.map((entry) => names(entry).find((name) => known.has(name))).filter((name) => name !== undefined);
  if (chosen.length === 0) return;
  const args = ['install', '-y', '--no-install-recommends', ...chosen];
  if ((await apt(prefix, log, args)) === 0 || updated) return;
  // Old package lists name files that the mirror no longer has.
  await update();
  await apt(prefix, log, args);
}

function failedLately() {
  try {
    return Date.now() - statSync(FAILED_STAMP).mtimeMs < RETRY_AFTER_MS;
  } catch {
    return false;
  }
}

async function installGroup(prefix, groups, log, doing) {
  const missing = await missingPackages(groups);
  if (missing.length === 0) return 0;
  doing(`installing ${list(missing)}`);
  await install(prefix, missing, log);
  return missing.length - (await missingPackages(groups)).length;
}

/**
 * Installs what is missing of the groups that everything needs and of `more`. What only tests use may be missing: it is named, and
 * tried again a day later. Without root the command for an administrator is told, and the steps that need a package say so when
 * they must run.
 */
export async function ensurePackages(doing, more = []) {
  const always = ['build', 'run', ...more];
  const missing = await missingPackages([...always, 'test']);
  if (missing.length === 0) return null;
  const needed = await missingPackages(always);
  if (needed.length === 0 && failedLately()) return `without ${list(missing)} (only tests use them)`;
  if ((await capture('apt-get', ['--version'])).status !== 0) {
    throw new SetupError('this system has no apt-get; install what Debian calls so', { mend: installCommand(missing) });
  }
  const prefix = await asRoot();
  if (prefix === null) {
    say('set-up: these system packages are missing, and only an administrator can install them:');
    say(`  sudo ${installCommand(missing)}`);
    return `${String(missing.length)} missing, going on without them`;
  }
  const log = logFile('packages');
  const neededCount = await installGroup(prefix, always, log, doing);
  const left = await missingPackages(always);
  if (left.length > 0) {
    throw new SetupError(`apt-get could not install ${list(left)}`, {
      log, mend: `sudo apt-get update && sudo ${installCommand(left)}`,
    });
  }
  const count = neededCount + await installGroup(prefix, ['test'], log, doing);
  const leftForTests = await missingPackages(['test']);
  if (leftForTests.length > 0) {
    writeAtomic(FAILED_STAMP, '');
    say(`set-up: some tests will be skipped without: ${installCommand(leftForTests)}`);
  }
  return `${String(count)} installed`;
}

/** Throws with the administrator's command when a step that must run now lacks packages of the build. */
export async function requireBuildPackages(what) {
  const missing = await missingPackages(['build']);
  if (missing.length === 0) return;
  throw new SetupError(`${what} needs system packages that are missing`, { mend: `sudo ${installCommand(missing)}` });
}
