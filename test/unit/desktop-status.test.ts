/** State in words, the tray's menu, program names, catalogues, settings and options. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { mo, po } from 'gettext-parser';
import { _, fill, ngettext, parseCatalogue, setCatalogue, wantedLanguages } from '../../desktop/i18n.ts';
import { indexEntries, parseDesktopEntry } from '../../desktop/model/desktop-entry.ts';
import { placeText, stateWords, trayShield, trayTooltip } from '../../desktop/model/status-text.ts';
import type { Knowledge } from '../../desktop/model/status-text.ts';
import { trayMenu } from '../../desktop/model/tray-menu.ts';
import { parseOptions } from '../../desktop/options.ts';
import { DEFAULT_SETTINGS, readSettings, settingsPath, writeSettings } from '../../desktop/settings.ts';
import { statusOf } from '../desktop/samples.ts';

const NOW_MS = 1_800_000_000_000;
const known = (change: Partial<Knowledge> = {}): Knowledge => (
  { connected: true, sinceMs: NOW_MS, status: statusOf(), waiting: 0, agentProblem: null, ...change }
);

test('status: every state has its own shield, and learning is not called protecting', () => {
  const shields: readonly [string, Knowledge][] = [
    ['protecting', known()],
    ['learning', known({ status: statusOf({ mode: 'learning' }) })],
    ['degraded', known({ status: statusOf({ state: 'degraded' }) })],
    ['paused', known({ status: statusOf({ state: 'paused', pausedUntilMs: NOW_MS + 60_000 }) })],
    ['safeguard', known({ status: statusOf({ state: 'safeguard' }) })],
    ['off', known({ status: statusOf({ state: 'off' }) })],
    ['off', known({ connected: false })],
    ['off', known({ status: null })],
  ];
  for (const [shield, knowledge] of shields) assert.equal(stateWords(knowledge, NOW_MS).shield, shield);
});

test('status: not connected says since when and what still protects', () => {
  const words = (status: Knowledge['status']): string => stateWords(known({ connected: false, status }), NOW_MS).text;
  assert.match(words(statusOf()), /^Since .*New connections are refused/);
  assert.match(words(statusOf({ mode: 'learning' })), /network stays open/);
  assert.match(words(statusOf({ state: 'off' })), /nothing protects/);
  assert.match(words(null), /not running or cannot be reached/);
});

test('status: waiting prompts go before the state in the tray, but never hide that the firewall is off', () => {
  assert.equal(trayShield(known({ waiting: 2 }), NOW_MS), 'prompt');
  assert.equal(trayShield(known({ waiting: 2, connected: false }), NOW_MS), 'off');
  assert.equal(trayTooltip(known({ waiting: 2 }), NOW_MS), 'Protecting  ·  2 prompts waiting');
  const paused = known({ status: statusOf({ state: 'paused', pausedUntilMs: NOW_MS + 290_000 }) });
  assert.equal(trayTooltip(paused, NOW_MS), 'Paused, 5 min left');
});

test('status: a mistake in a file is named with line and column', () => {
  assert.equal(placeText({ file: '50-user.toml', line: 3, column: 7 }), '50-user.toml, line 3, column 7');
  assert.equal(placeText({ file: 'rules.d', line: 0, column: 0 }), 'rules.d');
});

test('tray menu: offers mode and pause only while the helper can be asked', () => {
  const labels = (knowledge: Knowledge): readonly string[] => (
    trayMenu(knowledge, NOW_MS).flatMap((entry) => (entry.kind === 'separator' ? [] : [entry.label]))
  );
  assert.deepEqual(labels(known()), ['Protecting', 'Mode', 'Pause', 'Open Bastion Firewall', 'Quit']);
  assert.deepEqual(labels(known({ waiting: 1 })), ['Protecting', '1 prompt waiting', 'Mode', 'Pause', 'Open Bastion Firewall', 'Quit']);
  assert.deepEqual(labels(known({ connected: false })), ['Not connected', 'Open Bastion Firewall', 'Quit']);
  assert.ok(labels(known({ status: statusOf({ state: 'paused', pausedUntilMs: NOW_MS + 1 }) })).includes('Resume'));
});

test('desktop entry: interpreters, hidden entries and other types name nothing', () => {
  const entry = (lines: readonly string[]) => parseDesktopEntry(['[Desktop Entry]', 'Type=Application', ...lines].join('\n'), ['de']);
  assert.deepEqual(entry(['Name=Files', 'Name[de]=Dateien', 'Exec=nautilus %U', 'Icon=files']), {
    name: 'Dateien', icon: 'files', command: 'nautilus', plain: true,
  });
  assert.equal(entry(['Name=Tool', 'Exec=python3 /opt/tool.py']), null);
  assert.equal(entry(['Name=Tool', 'Exec=env X=1 tool']), null);
  assert.equal(entry(['Name=Tool', 'Exec=tool', 'Hidden=true']), null);
  assert.equal(parseDesktopEntry('[Desktop Entry]\nType=Link\nName=x\nExec=y', []), null);
  assert.equal(entry(['Name=A B', 'Exec="/opt/a b/run" --x', '[Desktop Action new]', 'Exec=other'])?.command, '/opt/a b/run');
  assert.equal(entry(['Name=A B', 'Exec="/opt/a b/run" --x'])?.plain, false);
});

test('desktop entry: two names for one program cancel out, an entry without arguments goes before others', () => {
  const one = { name: 'Writer', icon: 'w', command: 'office', plain: false };
  const resolve = (command: string): string => `/usr/bin/${command}`;
  assert.equal(indexEntries([one, { ...one, name: 'Calc' }], resolve).size, 0);
  const office = { ...one, name: 'Office', plain: true };
  assert.equal(indexEntries([one, office], resolve).get('/usr/bin/office')?.name, 'Office');
  assert.equal(indexEntries([{ ...one, command: 'bash' }], resolve).size, 0);
});

test('catalogue: languages are taken in gettext’s order and the C locale means none', () => {
  assert.deepEqual(wantedLanguages({ LANGUAGE: 'fr:pt_BR', LANG: 'de_DE.UTF-8' }), ['fr', 'pt_BR', 'pt', 'de_DE', 'de']);
  assert.deepEqual(wantedLanguages({ LANGUAGE: 'fr', LANG: 'C.UTF-8' }), []);
  assert.deepEqual(wantedLanguages({ LC_ALL: 'sr_RS@latin', LANG: 'de' }), ['sr_RS@latin', 'sr_RS', 'sr']);
  assert.deepEqual(wantedLanguages({ LANG: '../../etc' }), []);
});

test('catalogue: texts and plural forms come from a compiled file, what is missing stays', (t) => {
  const source = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "Quit"\nmsgstr "Ende"\n\n'
    + 'msgid "{number} rule"\nmsgid_plural "{number} rules"\nmsgstr[0] "{number} Regel"\nmsgstr[1] "{number} Regeln"\n';
  setCatalogue(parseCatalogue(mo.compile(po.parse(source)), 'de'));
  t.after(() => { setCatalogue(null); });
  assert.equal(_('Quit'), 'Ende');
  assert.equal(_('Open'), 'Open');
  assert.equal(fill(ngettext('{number} rule', '{number} rules', 1), { number: '1' }), '1 Regel');
  assert.equal(fill(ngettext('{number} rule', '{number} rules', 4), { number: '4' }), '4 Regeln');
});

test('settings: survive a restart, are private, and anything strange is the default', (t) => {
  const home = mkdtempSync(join(tmpdir(), 'bastion-settings-'));
  t.after(() => { rmSync(home, { recursive: true }); });
  const path = settingsPath({ XDG_CONFIG_HOME: home });
  assert.deepEqual(readSettings(path), DEFAULT_SETTINGS);
  writeSettings(path, { prompts: 'window' });
  assert.deepEqual(readSettings(path), { prompts: 'window' });
  assert.deepEqual(readdirSync(dirname(path)), ['desktop.json']);
  for (const text of ['', '[]', '{"prompts": 3}', 'x'.repeat(70_000)]) {
    writeFileSync(path, text);
    assert.deepEqual(readSettings(path), DEFAULT_SETTINGS);
  }
});

test('options: a wrong one is named with the way to the right ones', () => {
  assert.deepEqual(parseOptions(['--background'], '1'), { kind: 'run', options: { background: true, window: false } });
  assert.deepEqual(parseOptions(['--version'], '3.0.0'), { kind: 'print', text: '3.0.0\n' });
  assert.deepEqual(parseOptions(['--backgruond'], '1'), {
    kind: 'wrong', text: 'bastion-firewall-desktop: unknown option "--backgruond"; try --help\n',
  });
});

test('catalogue: the German one is complete and keeps every place for a value', () => {
  const folder = join(import.meta.dirname, '../../po');
  const template = po.parse(readFileSync(join(folder, 'bastion-firewall.pot'))).translations[''] ?? {};
  const german = po.parse(readFileSync(join(folder, 'de.po'))).translations[''] ?? {};
  const places = (text: string): string => [...text.matchAll(/\{\w+\}/g)].map(([place]) => place).sort().join(' ');
  for (const { msgid } of Object.values(template)) {
    if (msgid === '') continue;
    const forms = german[msgid]?.msgstr ?? [];
    assert.ok(forms.length > 0 && forms.every((form) => form !== ''), `not translated: ${msgid}`);
    for (const form of forms) assert.equal(places(form), places(msgid), msgid);
  }
});
