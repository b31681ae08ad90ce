/** Rules as sentences, in the list and in the editor. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkForm, fieldOfMessage } from '../../desktop/model/rule-check.ts';
import type { FormField } from '../../desktop/model/rule-check.ts';
import { changedPart, draftForm, editOf, emptyForm, formOf, isRestorable, localMs, restoreOf, revertOf, sameContent } from '../../desktop/model/rule-form.ts';
import type { RuleForm } from '../../desktop/model/rule-form.ts';
import { HelperSession } from '../../desktop/client/session.ts';
import { compareRows, NO_FILTER, passes, ruleRow } from '../../desktop/model/rule-list.ts';
import type { RuleRow } from '../../desktop/model/rule-list.ts';
import { RuleSources } from '../../desktop/ui/rule-sources.ts';
import { isExpired, ruleSubtitle, ruleText } from '../../desktop/model/rule-text.ts';
import { NO_NETWORK, ruleInfoOf, statusOf } from '../desktop/samples.ts';
import { StandInClient } from '../desktop/stand-in-client.ts';

const NOW_MS = 1_800_000_000_000;
const nobody = (): null => null;
const searchRows = (rows: readonly RuleRow[], query: string): readonly RuleRow[] => rows.filter(passes({ ...NO_FILTER, query }, () => false));
const form = (change: Partial<RuleForm>): RuleForm => ({ ...emptyForm(), path: '/usr/bin/curl', ...change });
const at = (from: string, to: string, days: readonly number[] = []): Partial<RuleForm> => ({ schedule: { days, from, to } });

test('rule: a sentence says who, whether, where and when', () => {
  const cases: readonly [string, Parameters<typeof ruleInfoOf>[0]][] = [
    ['curl may reach any host for encrypted web (443).', {}],
    ['curl may not reach any host.', { action: 'deny', port: '', protocol: '' }],
    ['Any program is silently blocked from 192.0.2.0/24 on ports 80, 8000-8080 (TCP).', { action: 'drop', path: '', address: '192.0.2.0/24', port: '80,8000-8080' }],
    ['Ask when curl wants to reach any host on port 53.', { action: 'ask', port: '53', protocol: '' }],
    ['curl may reach any host over ICMP, as user bob, on Monday from 09:00 to 17:00, until this computer restarts.', { port: '', protocol: 'icmp', user: 'bob', schedule: 'mon 09:00-17:00', lifetime: 'boot' }],
  ];
  const more: readonly [string, Parameters<typeof ruleInfoOf>[0]][] = [
    ['The script tool.py run by python3 may reach example.org for encrypted web (443), while its file is the trusted one.', { path: '/usr/bin/python3', script: '/opt/tool.py', domain: 'example.org', pin: true }],
    ['Programs of the package firefox-esr may reach any name below example.org for encrypted web (443), in the profile work.', { path: '', package: 'firefox-esr', domain: '*.example.org', profile: 'work' }],
    ['The Flatpak org.mozilla.firefox may not reach the list ads for encrypted web (443).', { path: '', action: 'deny', flatpak: 'org.mozilla.firefox', list: 'ads' }],
    ['curl may reach any host for encrypted web (443), and the programs that it starts, started by make, in the zone home, through wg*.', { include_children: true, ancestor: 'path:/usr/bin/make', zone: 'home', interface: 'wg*' }],
  ];
  const containers: typeof cases = [
    ['The container web may reach any host for encrypted web (443).', { path: '', container: 'web' }],
    ['Containers web-* may not reach any host for encrypted web (443).', { path: '', container: 'web-*', action: 'deny' }],
  ];
  for (const [sentence, change] of [...cases, ...more, ...containers]) assert.equal(ruleText(ruleInfoOf(change), nobody, NOW_MS), sentence);
});

test('rule: text from a rule file cannot hide or turn the sentence', () => {
  assert.equal(ruleText(ruleInfoOf({ path: '/x/a\u{202e}b' }), nobody, NOW_MS), 'a\\u{202e}b may reach any host for encrypted web (443).');
});

test('rule: the second line says whose it is, what it is called, and how much it is used', () => {
  assert.equal(ruleSubtitle(ruleInfoOf({}), NOW_MS), 'not used yet');
  assert.equal(
    ruleSubtitle(ruleInfoOf({ tier: 'administrator', hits: 1, last_hit_ms: NOW_MS - 5000 }), NOW_MS),
    'The administrator’s rule  ·  used 1 time, last a moment ago',
  );
  assert.equal(ruleSubtitle(ruleInfoOf({ name: 'Web', group: 'Home' }), NOW_MS), 'Web  ·  Home  ·  not used yet');
  assert.equal(ruleSubtitle(ruleInfoOf({ name: 'Web', group: 'Home' }), NOW_MS, false), 'Web  ·  not used yet');
  assert.ok(isExpired(ruleInfoOf({ lifetime: 'until', until_ms: NOW_MS - 1 }), NOW_MS));
});

test('list: one’s own rules come first, and every word of a search must be there', () => {
  const rows = [
    ruleRow(ruleInfoOf({ id: 'v', tier: 'vendor', group: 'System' }), 'aaa may reach any host.'),
    ruleRow(ruleInfoOf({ id: 'b' }), 'git may reach any host.'),
    ruleRow(ruleInfoOf({ id: 'a' }), 'curl may reach any host.'),
    ruleRow(ruleInfoOf({ id: 'adm', tier: 'administrator' }), 'chat may not reach any host.'),
  ].sort(compareRows('program'));
  assert.deepEqual(rows.map((row) => row.rule.id), ['a', 'b', 'adm', 'v']);
  assert.deepEqual(searchRows(rows, ' REACH  git ').map((row) => row.rule.id), ['b']);
  assert.deepEqual(searchRows(rows, 'system').map((row) => row.rule.id), ['v']);
  assert.deepEqual(searchRows(rows, 'curl nothing'), []);
  assert.equal(searchRows(rows, '').length, 4);
});

test('form: mistakes are found next to their field', () => {
  const wrong: readonly [FormField, Partial<RuleForm>][] = [
    ['path', { path: 'curl' }], ['path', { path: '/usr/bin/' }], ['path', { path: '/usr/../bin/curl' }],
    ['address', { address: 'example' }], ['address', { address: '192.0.2.1/33' }], ['address', { address: '2001:db8::/129' }],
    ['address', { address: '192.0.2.1/8/8' }], ['address', { address: '192.0.2.1/x' }],
    ['port', { port: '0' }], ['port', { port: '65536' }], ['port', { port: '90-80' }], ['port', { port: 'http' }], ['port', { port: '80,' }],
    ['port', { port: '80', protocol: '47' }], ['protocol', { protocol: 'sctp!' }], ['protocol', { protocol: '256' }],
    ['user', { user: 'a b' }], ['from', at('9 o’clock', '')], ['from', at('25:00', '26:00')], ['from', at('24:00', '')], ['to', at('09:00', '09:00')], ['to', at('', '24:01')],
    ['package', { package: 'Firefox' }], ['flatpak', { flatpak: 'firefox' }], ['snap', { snap: '-x' }], ['appimage', { appimage: 'x.AppImage' }], ['script', { script: 'x.py' }],
    ['sha256', { sha256: 'abc' }], ['ancestor', { ancestor: 'make' }], ['ancestor', { ancestor: 'kernel' }], ['path', { path: 'kernel', package: 'curl' }],
    ['path', { path: '', allScripts: true }], ['script', { script: '/x.py', allScripts: true }], ['form', { path: '', pin: true, action: 'deny' }],
    ['form', { address: '192.0.2.1', domain: 'example.org' }], ['domain', { domain: '*.*.org' }], ['domain', { domain: '192.0.2.1' }], ['domain', { domain: 'a b' }],
    ['zone', { zone: 'Home Net' }], ['interface', { interface: 'a*b' }], ['interface', { interface: 'sixteencharacter' }], ['profile', { profile: 'At Work' }],
    ['untilDate', { lifetime: 'until', untilDate: '2027-02-30', untilTime: '10:00' }], ['untilTime', { lifetime: 'until', untilDate: '2030-02-03', untilTime: '24:00' }],
    ['untilTime', { lifetime: 'until', untilDate: '2020-02-03', untilTime: '10:00' }], ['port', { port: '256', protocol: 'icmp' }],
    ['priority', { priority: '1001' }], ['priority', { priority: 'high' }], ['name', { name: 'x'.repeat(129) }],
    ['group', { group: 'x'.repeat(65) }], ['form', { path: '', address: '', port: '' }],
  ];
  for (const [field, change] of wrong) {
    assert.ok(checkForm(form(change), NOW_MS).has(field), `${field} should be wrong in ${JSON.stringify(change)}`);
  }
});

test('form: what is right is let through', () => {
  const right: readonly Partial<RuleForm>[] = [
    {}, { address: '192.0.2.7' }, { address: '2001:db8::/32' }, { port: '80, 443,8000-8080' }, { protocol: 'tcp,udp', port: '53' },
    { protocol: '47', port: '' }, at('09:00', '17:30', [0, 4]), at('22:00', '06:00'), at('', '24:00'), at('09:00', ''), at('', '', [5, 6]),
    { port: '8', protocol: 'icmp' }, { path: 'kernel' }, { domain: '*.example.org' }, { domain: 'münchen.example' }, { interface: 'wg*' }, { interface: 'eth0' }, { zone: 'home' },
    { path: '', flatpak: 'org.mozilla.firefox' }, { path: '', snap: 'firefox' }, { path: '', package: 'firefox-esr' }, { path: '', sha256: 'A'.repeat(64) },
    { script: '/opt/x.py', ancestor: 'code', ancestorKey: 'package', pin: true, includeChildren: true }, { lifetime: 'until', untilDate: '2030-2-3', untilTime: '9:05' }, { priority: '-1000' },
    { action: 'deny', path: '' },
  ];
  for (const change of right) assert.deepEqual([...checkForm(form(change), NOW_MS)], [], JSON.stringify(change));
});

test('form: an edit names every field, a lifetime of an hour becomes a time', () => {
  assert.deepEqual(editOf(form({ port: '80, 443', lifetime: 'hour' }), null, NOW_MS), {
    action: 'allow', path: '/usr/bin/curl', address: '', port: '80,443', protocol: 'tcp', user: '', schedule: '', priority: 0,
    group: '', lifetime: 'until', until_ms: NOW_MS + 3_600_000,
  });
});

test('form: editing a rule that lasts a session leaves its lifetime alone', () => {
  const rule = ruleInfoOf({ lifetime: 'session' });
  assert.equal(editOf(formOf(rule), rule, NOW_MS).lifetime, undefined);
});

test('form: undoing a deletion asks for the same rule with the same id', () => {
  const rule = ruleInfoOf({ id: 'x', name: 'X', enabled: false, lifetime: 'until', until_ms: NOW_MS, priority: -3, group: 'g' });
  const edit = restoreOf(rule);
  assert.equal(edit.id, 'x');
  assert.equal(edit.name, 'X');
  assert.equal(edit.enabled, false);
  assert.equal(edit.until_ms, NOW_MS);
  assert.equal(edit.priority, -3);
});

test('form: every part that a rule names comes back as it was, and makes it narrow', () => {
  const others = { package: 'firefox-esr', domain: '*.example.org', pin: true, include_children: true, ancestor: 'snap:make', zone: 'home', profile: 'work' };
  const rule = ruleInfoOf({ id: 'x', path: '', port: '', ...others });
  const kept = Object.entries(others);
  for (const edit of [editOf(formOf(rule), rule, NOW_MS), restoreOf(rule)]) {
    for (const [key, value] of kept) assert.equal(Object.entries(edit).find(([one]) => one === key)?.[1], value, key);
  }
  assert.deepEqual([...checkForm(formOf(rule), NOW_MS)], []);
  assert.ok(searchRows([ruleRow(rule, '')], 'firefox-esr home').length === 1);
});

test('form: the helper’s complaint goes to the field that it names', () => {
  assert.equal(fieldOfMessage('rule.port: expected a port').field, 'port');
  assert.equal(fieldOfMessage('address: no such network').field, 'address');
  assert.equal(fieldOfMessage('There are too many rules.').field, 'form');
});

test('form: what is emptied is taken away, and what is not touched is not sent', () => {
  const rule = ruleInfoOf({ id: 'x', package: 'curl', pin: true, profile: 'work', ancestor: 'path:/usr/bin/make', schedule: 'mon,tue 09:00-17:00' });
  assert.deepEqual(changedPart(editOf(formOf(rule), rule, NOW_MS), rule), {});
  const emptied = { ...formOf(rule), package: '', pin: false, profile: '', ancestor: '', schedule: { days: [], from: '', to: '' } };
  assert.deepEqual(changedPart(editOf(emptied, rule, NOW_MS), rule), { package: '', pin: false, profile: '', ancestor: '', schedule: '' });
});

test('form: a time that was not touched keeps its seconds, another one is that of the clock on the wall', () => {
  const rule = ruleInfoOf({ lifetime: 'until', until_ms: NOW_MS + 3_612_000 });
  assert.deepEqual(changedPart(editOf(formOf(rule), rule, NOW_MS), rule), {});
  const later = { ...formOf(rule), untilDate: '2030-02-03', untilTime: '9:05' };
  assert.deepEqual(changedPart(editOf(later, rule, NOW_MS), rule), { until_ms: new Date(2030, 1, 3, 9, 5).getTime(), lifetime: 'until' });
  assert.equal(localMs('2027-02-29', '10:00'), null);
});

test('form: undoing an edit sends what the rule said before, and nothing else', () => {
  const rule = ruleInfoOf({ id: 'x', port: '443', domain: 'example.org' });
  assert.deepEqual(revertOf(rule, { port: '80', domain: '', zone: 'home', pin: true }, NOW_MS), { port: '443', domain: 'example.org', zone: '', pin: false });
  assert.deepEqual(revertOf(rule, { lifetime: 'until', until_ms: NOW_MS + 1 }, NOW_MS), { lifetime: 'always' });
  assert.equal(revertOf(ruleInfoOf({ lifetime: 'session' }), { lifetime: 'always' }, NOW_MS), null);
});

test('form: a rule of one process or session, and one that is over, is not made again as another one', () => {
  for (const lifetime of ['once', 'process', 'session'] as const) assert.equal(isRestorable(ruleInfoOf({ lifetime }), NOW_MS), false);
  assert.equal(isRestorable(ruleInfoOf({ lifetime: 'until', until_ms: NOW_MS }), NOW_MS), false);
  assert.equal(isRestorable(ruleInfoOf({ lifetime: 'until', until_ms: NOW_MS + 1 }), NOW_MS), true);
  assert.equal(restoreOf(ruleInfoOf({ lifetime: 'session' })).lifetime, undefined);
});

test('form: a draft fills in what it says, and use does not make two rules differ', () => {
  const filled = draftForm({ action: 'deny', flatpak: 'org.example.App', domain: 'example.org', port: '443' });
  assert.deepEqual([filled.action, filled.flatpak, filled.domain, filled.port, filled.path], ['deny', 'org.example.App', 'example.org', '443', '']);
  assert.ok(sameContent(ruleInfoOf({ hits: 1 }), ruleInfoOf({ hits: 2, line: 9 })));
  assert.ok(!sameContent(ruleInfoOf({}), ruleInfoOf({ enabled: false })));
  assert.ok(!sameContent(ruleInfoOf({ lifetime: 'session' }), ruleInfoOf({ lifetime: 'process' })));
});

test('rule editor: offers the zones of bastion.toml with what belongs to them, and those that only a rule names', async () => {
  const client = new StandInClient(statusOf(), () => undefined);
  client.connected = true;
  client.rules = [ruleInfoOf({ id: 'a', zone: 'guests' }), ruleInfoOf({ id: 'b', zone: 'lan', group: 'Home' })];
  client.net = { ...NO_NETWORK, zones: [{ id: 'lan', patterns: ['eth0', 'wg*'], interfaces: ['eth0'], addresses: [], used_by: ['b'] }] };
  const session = new HelperSession(client, { nowMs: () => 0, wallMs: () => NOW_MS });
  session.loadRules();
  const listed = new Promise<void>((resolve) => { session.rulesChanged.on(resolve); });
  const sources = new RuleSources(session, () => undefined);
  sources.read();
  assert.deepEqual(sources.zones(), [], 'without an answer there is nothing to offer');
  await listed;
  await new Promise((next) => { setImmediate(next); });
  assert.deepEqual(sources.zones(), [{ value: 'guests' }, { value: 'lan', detail: 'eth0, wg*' }]);
  assert.deepEqual(sources.groups(), [{ value: 'Home' }]);
});

test('editor: a rule for a container stays one, whatever else is changed, and takes no program besides', () => {
  const rule = ruleInfoOf({ path: '', container: 'web-*', action: 'deny' });
  assert.equal(formOf(rule).container, 'web-*');
  assert.equal(restoreOf(rule).container, 'web-*');
  assert.deepEqual(changedPart(editOf({ ...formOf(rule), port: '25' }, rule, NOW_MS), rule), { port: '25' });
  assert.deepEqual(changedPart(editOf({ ...formOf(rule), container: '', path: '/usr/bin/curl' }, rule, NOW_MS), rule), { path: '/usr/bin/curl', container: '' });
  const wrong = (change: Partial<RuleForm>): boolean => checkForm(form({ path: '', container: 'web', ...change }), NOW_MS).has('container');
  assert.ok(!wrong({}));
  assert.ok(!wrong({ container: '*' }));
  assert.ok(wrong({ container: 'we/b' }));
  assert.ok(wrong({ path: '/usr/bin/curl' }));
  assert.ok(wrong({ ancestor: '/usr/bin/make' }));
});
