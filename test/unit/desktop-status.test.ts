/** State in words, the tray's menu, program names, catalogues and options. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mo, po } from 'gettext-parser';
import { _, fill, ngettext, parseCatalogue, setCatalogue, wantedLanguages } from '../../desktop/i18n.ts';
import { indexEntries, parseDesktopEntry } from '../../desktop/model/desktop-entry.ts';
import { installSteps } from '../../desktop/model/installation.ts';
import { placeText, stateWords, trayShield, trayTooltip } from '../../desktop/model/status-text.ts';
import type { Knowledge } from '../../desktop/model/status-text.ts';
import { parseOptions } from '../../desktop/options.ts';
import { iconOutside } from '../../desktop/sandbox.ts';
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

test('status: a Flatpak says how to get the firewall where it was never there, and nobody else does', () => {
  const never = known({ connected: false, status: null });
  assert.deepEqual(installSteps(never, true).map(({ command }) => command), ['sudo apt install ./bastion-firewall_*.deb', 'systemctl status bastion-firewall']);
  for (const steps of [installSteps(never, false), installSteps(known(), true), installSteps(known({ connected: false }), true)]) assert.deepEqual(steps, []);
});

test('icons: outside a sandbox ours are found under the name of the application only', () => {
  assert.equal(iconOutside('bastion-firewall-paused-symbolic', true), 'org.bastionfirewall.Desktop-paused-symbolic');
  assert.equal(iconOutside('firefox', true), 'firefox');
  assert.equal(iconOutside('bastion-firewall-paused-symbolic', false), 'bastion-firewall-paused-symbolic');
});

test('status: waiting prompts go before the state in the tray, but never hide that the firewall is off', () => {
  assert.equal(trayShield(known({ waiting: 2 }), NOW_MS), 'prompt');
  assert.equal(trayShield(known({ waiting: 2, connected: false }), NOW_MS), 'off');
  assert.equal(trayTooltip(known({ waiting: 2 }), NOW_MS), 'Protecting  ·  2 questions waiting');
  const paused = known({ status: statusOf({ state: 'paused', pausedUntilMs: NOW_MS + 290_000 }) });
  assert.equal(trayTooltip(paused, NOW_MS), 'Paused, 5 min left');
});

test('status: a mistake in a file is named with line and column', () => {
  assert.equal(placeText({ file: '50-user.toml', line: 3, column: 7 }), '50-user.toml, line 3, column 7');
  assert.equal(placeText({ file: 'rules.d', line: 0, column: 0 }), 'rules.d');
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

test('desktop entry: a Flatpak and a Snap are found by their name, the main application first, whatever command starts them', () => {
  const entry = (name: string, key: string, id: string) => parseDesktopEntry(`[Desktop Entry]\nType=Application\nName=${name}\nExec=/usr/bin/flatpak run x\n${key}`, [], id);
  const [mail, helper, snap, forged] = [
    entry('Mail', 'X-Flatpak=org.example.Mail', 'org.example.Mail'), entry('Mail helper', 'X-Flatpak=org.example.Mail', 'org.example.Mail.helper'),
    entry('Chat', 'X-SnapInstanceName=chat', 'chat_chat'), entry('Forged', 'X-Flatpak=../evil /x', 'x'),
  ];
  assert.equal(forged, null);
  assert.ok(mail !== null && helper !== null && snap !== null);
  const index = indexEntries([helper, mail, snap], () => '/usr/bin/flatpak');
  assert.deepEqual([...index].map(([key, { name }]) => [key, name]), [['flatpak:org.example.Mail', 'Mail'], ['snap:chat', 'Chat']]);
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

test('catalogue: a file that is none, or is cut off anywhere, is refused and never read past its end', () => {
  const bytes = mo.compile(po.parse('msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgctxt "verb"\nmsgid "Open"\nmsgstr "Öffnen"\n'));
  assert.deepEqual(parseCatalogue(bytes, 'de').forms, new Map([['verb\u{4}Open', ['Öffnen']]]));
  for (let length = 0; length < bytes.length - 1; length += 1) assert.throws(() => parseCatalogue(bytes.subarray(0, length), 'de'), RangeError);
  assert.throws(() => parseCatalogue(Buffer.alloc(64), 'de'), RangeError);
});

test('options: a wrong one is named with the way to the right ones', () => {
  assert.deepEqual(parseOptions(['--background'], '1'), { kind: 'run', options: { background: true, window: false, autostart: false, action: '' } });
  assert.deepEqual(parseOptions(['--version'], '3.0.0'), { kind: 'print', text: '3.0.0\n' });
  assert.deepEqual(parseOptions(['--backgruond'], '1'), {
    kind: 'wrong', text: 'bastion-firewall-desktop: unknown option "--backgruond"; try --help\n',
  });
});
