/** The files by which a session finds the product: valid by the tools of those who read them, translated, and of one mind. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { DESKTOP_ACTIONS } from '../../desktop/options.ts';
import { SEARCH_NAME, SEARCH_PATH } from '../../desktop/session/search-provider.ts';
import { PLACES, buildSessionFiles } from '../../tools/session-files.ts';

const ROOT = join(import.meta.dirname, '../..');
const FOLDER = 'build/test-install';
const HOMEPAGE = 'https://www.example.org/bastion';
const PYTHON = '/usr/bin/python3';
const run = promisify(execFile);
const place = (path: string): string => join(ROOT, FOLDER, path);
const text = (path: string): Promise<string> => readFile(place(path), 'utf8');

before(async () => { await buildSessionFiles({ root: ROOT, folder: FOLDER, homepage: HOMEPAGE }); });
after(async () => { await rm(place(''), { recursive: true, force: true }); });

/** Runs a validator that says on its output what is wrong; the test is skipped with the reason where it is not installed. */
async function validate(t: TestContext, program: string, args: readonly string[]): Promise<string | null> {
  if (!(await access(program).then(() => true, () => false))) {
    t.skip(`${program} is not installed`);
    return null;
  }
  const { stdout, stderr } = await run(program, [...args], { env: { LC_ALL: 'C.UTF-8', HOME: place(''), PATH: '/usr/bin:/bin' } })
    .catch((error: unknown) => error as { readonly stdout: string; readonly stderr: string });
  return `${stdout}${stderr}`.trim();
}

test('session files: each is where a package installs it', async () => {
  for (const path of Object.values(PLACES)) await access(place(path));
  assert.ok((await readdir(place('usr/share/man/man1'))).includes('bastion-firewall-desktop.1'));
});

test('session files: desktop-file-validate finds nothing in the entries', async (t) => {
  const entries = ['usr/share/applications/org.bastionfirewall.Desktop.desktop', 'etc/xdg/autostart/org.bastionfirewall.Desktop.desktop'];
  const output = await validate(t, '/usr/bin/desktop-file-validate', entries.map(place));
  if (output !== null) assert.equal(output, '');
});

test('session files: appstreamcli finds no error and no warning in the description', async (t) => {
  const output = await validate(t, '/usr/bin/appstreamcli', ['validate', '--no-net', '--no-color', place('usr/share/metainfo/org.bastionfirewall.Desktop.metainfo.xml')]);
  if (output !== null) assert.doesNotMatch(output, /^[EW]:/m);
});

test('session files: the schema compiles without a warning', async (t) => {
  const target = place('schemas');
  await mkdir(target, { recursive: true });
  const output = await validate(t, '/usr/bin/glib-compile-schemas', ['--strict', `--targetdir=${target}`, place('usr/share/glib-2.0/schemas')]);
  if (output !== null) assert.equal(output, '');
});

test('session files: the polkit file, the settings and the metainfo are well-formed and keep every action', async (t) => {
  const output = await validate(t, '/usr/bin/xmllint', ['--noout', '--nonet', '--nowarning', ...[
    'usr/share/polkit-1/actions/org.bastionfirewall.helper1.policy', 'usr/share/glib-2.0/schemas/org.bastionfirewall.Desktop.gschema.xml',
  ].map(place)]);
  if (output !== null) assert.equal(output, '');
  const source = await readFile(join(ROOT, 'data/polkit/org.bastionfirewall.helper1.policy'), 'utf8');
  const merged = await text('usr/share/polkit-1/actions/org.bastionfirewall.helper1.policy');
  const actions = (content: string): readonly string[] => [...content.matchAll(/<action id="([^"]+)"/g)].map(([, id = '']) => id);
  const allowed = (content: string): readonly string[] => [...content.matchAll(/<allow_\w+>\w+/g)].map(([whole]) => whole);
  assert.deepEqual(actions(merged), actions(source));
  assert.deepEqual(allowed(merged), allowed(source));
});

test('session files: systemd finds nothing to say about the user unit', async (t) => {
  const unit = place('bastion-firewall-desktop.service');
  await writeFile(unit, (await text('usr/lib/systemd/user/bastion-firewall-desktop.service')).replace('/usr/bin/bastion-firewall-desktop', '/bin/true'));
  const output = await validate(t, '/usr/bin/systemd-analyze', ['--man=no', 'verify', unit]);
  // The system's own manager looks at it where there is no session; the target of sessions is not known there.
  if (output !== null) assert.doesNotMatch(output, /bastion-firewall-desktop\.service:\d|Unknown|Failed to parse/);
});

test('session files: one start for each session: systemd’s sessions by the unit, the others by the entry, which systemd skips', async () => {
  const entry = await text('etc/xdg/autostart/org.bastionfirewall.Desktop.desktop');
  const unit = await text('usr/lib/systemd/user/bastion-firewall-desktop.service');
  assert.match(entry, /^X-systemd-skip=true$/m);
  assert.match(entry, /^X-GNOME-HiddenUnderSystemd=true$/m);
  assert.match(entry, /^Exec=bastion-firewall-desktop --autostart$/m);
  assert.match(unit, /^ExecStart=\/usr\/bin\/bastion-firewall-desktop --autostart$/m);
  assert.match(unit, /^WantedBy=graphical-session\.target$/m);
  assert.match(unit, /^Restart=on-failure$/m);
  assert.match(unit, /^StartLimitBurst=\d+$/m);
});

test('session files: the icon’s actions are those that the program takes, by its command line and over D-Bus', async () => {
  const entry = await text('usr/share/applications/org.bastionfirewall.Desktop.desktop');
  assert.deepEqual(/^Actions=(.*);$/m.exec(entry)?.[1]?.split(';'), [...DESKTOP_ACTIONS]);
  for (const action of DESKTOP_ACTIONS) assert.ok(entry.includes(`[Desktop Action ${action}]`) && entry.includes(`--action=${action}\n`));
  assert.match(entry, /^DBusActivatable=true$/m);
  const service = await text('usr/share/dbus-1/services/org.bastionfirewall.Desktop.service');
  assert.match(service, /^Name=org\.bastionfirewall\.Desktop\nExec=\/usr\/bin\/bastion-firewall-desktop --gapplication-service$/m);
});

test('session files: the shell asks the search provider that the program serves, and starts nothing for it', async () => {
  const provider = await text('usr/share/gnome-shell/search-providers/org.bastionfirewall.Desktop.search-provider.ini');
  assert.ok(provider.includes(`\nBusName=${SEARCH_NAME}\n`));
  assert.ok(provider.includes(`\nObjectPath=${SEARCH_PATH}\n`));
  assert.match(provider, /^AutoStart=false$/m);
  assert.match(provider, /^DesktopId=org\.bastionfirewall\.Desktop\.desktop$/m);
});

test('session files: pictures of the description are there, small, and named by the homepage; without one there are none', async () => {
  const metainfo = await text('usr/share/metainfo/org.bastionfirewall.Desktop.metainfo.xml');
  for (const [, image = ''] of metainfo.matchAll(/<image [^>]*>([^<]+)</g)) {
    assert.ok(image.startsWith(`${HOMEPAGE}/screenshots/`));
    const { length } = await readFile(join(ROOT, 'data/desktop', image.slice(HOMEPAGE.length + 1)));
    assert.ok(length < 200_000, `${image} has ${String(length)} bytes`);
  }
  assert.match(metainfo, /<url type="homepage">/);
  await buildSessionFiles({ root: ROOT, folder: `${FOLDER}/bare`, homepage: '' });
  const bare = await text('bare/usr/share/metainfo/org.bastionfirewall.Desktop.metainfo.xml');
  assert.doesNotMatch(bare, /<screenshot|<url|<image/);
});

const RENDER = `
import sys, gi
gi.require_version("GdkPixbuf", "2.0")
from gi.repository import GdkPixbuf
for line in sys.stdin:
    size, path = line.strip().split(" ", 1)
    pixels = GdkPixbuf.Pixbuf.new_from_file_at_size(path, int(size), int(size))
    alpha = bytes(pixels.get_pixels())[3::4] if pixels.get_has_alpha() else b""
    print(pixels.get_width(), pixels.get_height(), alpha.hex())
`;

test('session files: every icon can be drawn, and the shield’s states differ in shape at 16 pixels', async (t) => {
  const usable = await run(PYTHON, ['-c', 'import gi; gi.require_version("GdkPixbuf", "2.0"); from gi.repository import GdkPixbuf']).then(() => true, () => false);
  if (!usable) {
    t.skip('python3-gi or GdkPixbuf is not installed');
    return;
  }
  const folder = place('usr/share/icons/hicolor');
  const icons = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
  assert.ok(icons.some((path) => path.endsWith('scalable/apps/org.bastionfirewall.Desktop.svg')));
  const child = run(PYTHON, ['-c', RENDER]);
  child.child.stdin?.end(icons.map((path) => `16 ${path}\n`).join(''));
  const drawn = (await child).stdout.trim().split('\n');
  assert.equal(drawn.length, icons.length);
  const shapes = new Map<string, string>();
  for (const [index, line] of drawn.entries()) {
    const path = icons[index] ?? '';
    const [width, height, alpha = ''] = line.split(' ');
    assert.deepEqual([width, height], ['16', '16'], path);
    const covered = [...Buffer.from(alpha, 'hex')].filter((value) => value > 128).length;
    assert.ok(covered > 16, `${path} is nearly empty`);
    if (!/bastion-firewall-(?:protecting|learning|prompt|degraded|paused|safeguard|off)-symbolic/.test(path)) continue;
    for (const [other, shape] of shapes) assert.ok(difference(shape, alpha) >= 8, `${path} looks like ${other}`);
    shapes.set(path, alpha);
  }
  assert.equal(shapes.size, 7);
});

/** Pixels that are covered in one and not in the other. */
function difference(one: string, other: string): number {
  const [a, b] = [Buffer.from(one, 'hex'), Buffer.from(other, 'hex')];
  return [...a].filter((value, index) => Math.abs(value - (b[index] ?? 0)) > 100).length;
}
