/** What a GNOME session of a test stands on: a home of its own, settings, the application's own files, a session bus. */
import { execFile } from 'node:child_process';
import { access, chown, copyFile, mkdir, readFile, readdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { becomeUser } from '../lab/user.ts';
import type { LabUser } from '../lab/user.ts';
import { NOON_ZONE } from './noon.ts';
import { LineProcess } from './processes.ts';

const run = promisify(execFile);
const EXTENSION = 'ubuntu-appindicators@ubuntu.com';
const SERVICES = '/usr/share/dbus-1/services';
/** What the shell starts by its name on the bus. Others of the machine must not start in a test. */
const WANTED_SERVICES = ['org.gnome.Shell.Notifications', 'org.gnome.ScreenSaver', 'org.a11y.Bus'];
const DESKTOP_ID = 'org.bastionfirewall.Desktop';

/** What is missing for a real GNOME Shell, '' if nothing. */
export async function missingForShell(): Promise<string> {
  const needed = [
    ['/usr/bin/gnome-shell', 'gnome-shell'], ['/usr/bin/gjs', 'gjs'], ['/usr/bin/dbus-daemon', 'dbus'],
    [`/usr/share/gnome-shell/extensions/${EXTENSION}/extension.js`, 'gnome-shell-extension-appindicator'],
    ['/usr/bin/convert', 'imagemagick'],
  ] as const;
  for (const [path, name] of needed) {
    if (!(await access(path).then(() => true, () => false))) return `${name} is not installed`;
  }
  const { stdout } = await run('/usr/bin/gnome-shell', ['--version']);
  return stdout.startsWith('GNOME Shell 43.') ? '' : `the rig knows GNOME Shell 43, here is ${stdout.trim()}`;
}

/** Root may join, because the test looks on. The folder keeps everybody else out. */
const busConfig = (folder: string): string => `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=${folder}/bus</listen><servicedir>${folder}/services</servicedir>
<policy context="default"><allow user="*"/><allow send_destination="*" eavesdrop="true"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>`;

export interface GnomeSettings {
  readonly dark?: boolean;
  readonly highContrast?: boolean;
  /** Size of text against the usual, default 1. */
  readonly textScale?: number;
  /** false: no tray host. */
  readonly tray?: boolean;
  readonly doNotDisturb?: boolean;
}

/** The keyfile of GSettings' keyfile backend. */
function keyfile(settings: GnomeSettings): string {
  const { dark = false, highContrast = false, textScale = 1, tray = true, doNotDisturb = false } = settings;
  const groups: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'org/gnome/shell': {
      'enabled-extensions': tray ? `['${EXTENSION}']` : '@as []', 'disable-extension-version-validation': 'true',
      'welcome-dialog-last-shown-version': "'99'", 'favorite-apps': '@as []',
    },
    'org/gnome/desktop/interface': {
      'enable-animations': 'false', 'toolkit-accessibility': 'false', 'color-scheme': dark ? "'prefer-dark'" : "'default'",
      'font-name': "'Cantarell 11'", 'enable-hot-corners': 'false', 'text-scaling-factor': String(textScale),
    },
    'org/gnome/desktop/a11y/interface': { 'high-contrast': String(highContrast) },
    'org/gnome/desktop/session': { 'idle-delay': 'uint32 0' },
    'org/gnome/desktop/screensaver': { 'lock-enabled': 'true' },
    'org/gnome/desktop/notifications': { 'show-banners': String(!doNotDisturb) },
    'org/gnome/desktop/background': { 'picture-options': "'none'", 'primary-color': "'#3d4a5c'" },
    // A busy machine lets go of a key late.
    'org/gnome/desktop/peripherals/keyboard': { repeat: 'false' },
    'org/gnome/mutter': { 'center-new-windows': 'true' },
    // The first steps and what is told once are behind this person.
    'org/bastionfirewall/Desktop': { 'assistant-done': 'true', 'welcome-told': 'true', 'suggestions-told': 'true' },
  };
  return Object.entries(groups)
    .map(([name, values]) => `[${name}]\n${Object.entries(values).map(([key, value]) => `${key}=${value}`).join('\n')}\n`)
    .join('\n');
}

/** Writes the settings; the session follows a change while it runs. */
export async function writeGnomeSettings(folder: string, user: LabUser, settings: GnomeSettings): Promise<void> {
  const path = join(folder, 'config/glib-2.0/settings/keyfile');
  // In one step: the shell would take a file that is half written for one that sets nothing.
  await writeFile(`${path}.new`, keyfile(settings));
  await chown(`${path}.new`, user.uid, user.gid);
  await rename(`${path}.new`, path);
}

/** Fills an empty folder; returns the environment of everything in the session. */
export async function makeGnomeHome(
  folder: string, user: LabUser, tree: string, systemBus: string, settings: GnomeSettings,
): Promise<NodeJS.ProcessEnv> {
  for (const part of ['runtime', 'services', 'config/glib-2.0/settings', 'data/applications', 'data/icons', 'share/gnome-shell/search-providers', 'cache', 'shots']) {
    await mkdir(join(folder, part), { recursive: true, mode: 0o700 });
  }
  await writeFile(join(folder, 'config/glib-2.0/settings/keyfile'), keyfile(settings));
  await writeFile(join(folder, 'bus.conf'), busConfig(folder));
  for (const name of WANTED_SERVICES) {
    await copyFile(join(SERVICES, `${name}.service`), join(folder, 'services', `${name}.service`)).catch(() => undefined);
  }
  const entry = await readFile(join(tree, `data/desktop/${DESKTOP_ID}.desktop`), 'utf8');
  const program = join(tree, 'build/bin/bastion-firewall-desktop');
  await writeFile(join(folder, `data/applications/${DESKTOP_ID}.desktop`), entry.replaceAll(/^Exec=\S+/gm, `Exec=${program}`));
  // The shell looks for search providers where packages put them, and not in a person's home.
  await copyFile(join(tree, `data/desktop/${DESKTOP_ID}.search-provider.ini`), join(folder, `share/gnome-shell/search-providers/${DESKTOP_ID}.search-provider.ini`));
  await symlink(join(tree, 'data/icons/hicolor'), join(folder, 'data/icons/hicolor'));
  await run('chown', ['-R', `${String(user.uid)}:${String(user.gid)}`, folder]);
  return {
    PATH: '/usr/bin:/bin', HOME: folder, USER: user.name, XDG_RUNTIME_DIR: join(folder, 'runtime'), XDG_CONFIG_HOME: join(folder, 'config'),
    XDG_DATA_HOME: join(folder, 'data'), XDG_DATA_DIRS: `${join(folder, 'share')}:/usr/local/share:/usr/share`,
    XDG_CACHE_HOME: join(folder, 'cache'), XDG_SESSION_TYPE: 'wayland', XDG_CURRENT_DESKTOP: 'GNOME',
    LANG: 'C.UTF-8', LIBGL_ALWAYS_SOFTWARE: '1', GSETTINGS_BACKEND: 'keyfile', DBUS_SYSTEM_BUS_ADDRESS: systemBus,
    DBUS_SESSION_BUS_ADDRESS: `unix:path=${folder}/bus`, WAYLAND_DISPLAY: 'wayland-0', GDK_BACKEND: 'wayland', GSK_RENDERER: 'cairo',
    GTK_A11Y: 'atspi', TZ: NOON_ZONE,
  };
}

/** Whatever a program of the session has started and left. */
export async function killSession(folder: string): Promise<void> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/u.test(name)) continue;
    const environment = await readFile(join('/proc', name, 'environ'), 'latin1').catch(() => '');
    if (!environment.split('\0').includes(`XDG_RUNTIME_DIR=${join(folder, 'runtime')}`)) continue;
    try {
      process.kill(Number(name), 'SIGKILL');
    } catch {
      continue;
    }
  }
}

/** Starts a program of the session, as its user. */
export function startAs(user: LabUser, argv: readonly string[], environment: NodeJS.ProcessEnv): LineProcess {
  // After the change of the user, which would take the tie away: nothing outlives the test, however that ends.
  const [program = '', ...rest] = [...becomeUser(user), 'setpriv', '--pdeathsig', 'KILL', '--', ...argv];
  return new LineProcess(program, rest, environment);
}
