/** Rules as sentences, in the list and in the editor. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkForm, editOf, emptyForm, fieldOfMessage, formOf, restoreOf } from '../../desktop/model/rule-form.ts';
import type { FormField, RuleForm } from '../../desktop/model/rule-form.ts';
import { ruleRow, searchRows, sortRows } from '../../desktop/model/rule-list.ts';
import { isExpired, ruleSubtitle, ruleText } from '../../desktop/model/rule-text.ts';
import { ruleInfoOf } from '../desktop/samples.ts';

const NOW_MS = 1_800_000_000_000;
const nobody = (): null => null;
const form = (change: Partial<RuleForm>): RuleForm => ({ ...emptyForm(), path: '/usr/bin/curl', ...change });

test('rule: a sentence says who, whether, where and when', () => {
  const cases: readonly [string, Parameters<typeof ruleInfoOf>[0]][] = [
    ['curl may reach any host for encrypted web (443).', {}],
    ['curl may not reach any host.', { action: 'deny', port: '', protocol: '' }],
    ['Any program is silently cut off from 192.0.2.0/24 on ports 80, 8000-8080 (TCP).', { action: 'drop', path: '', address: '192.0.2.0/24', port: '80,8000-8080' }],
    ['Ask when curl wants to reach any host on port 53.', { action: 'ask', port: '53', protocol: '' }],
    ['curl may reach any host over ICMP, as user bob, during mon 09:00-17:00, until this computer restarts.', { port: '', protocol: 'icmp', user: 'bob', schedule: 'mon 09:00-17:00', lifetime: 'boot' }],
  ];
  for (const [sentence, change] of cases) assert.equal(ruleText(ruleInfoOf(change), nobody, NOW_MS), sentence);
});

test('rule: text from a rule file cannot hide or turn the sentence', () => {
  assert.equal(ruleText(ruleInfoOf({ path: '/x/a\u{202e}b' }), nobody, NOW_MS), 'a\\u{202e}b may reach any host for encrypted web (443).');
});

test('rule: the second line says whose it is, whether it holds, and how much it is used', () => {
  assert.equal(ruleSubtitle(ruleInfoOf({}), NOW_MS), 'not used yet');
  assert.equal(
    ruleSubtitle(ruleInfoOf({ tier: 'administrator', hits: 1, last_hit_ms: NOW_MS - 5000 }), NOW_MS),
    'The administrator’s rule  ·  used 1 time, last a moment ago',
  );
  assert.equal(ruleSubtitle(ruleInfoOf({ enabled: false }), NOW_MS), 'switched off  ·  not used yet');
  const expired = ruleInfoOf({ lifetime: 'until', until_ms: NOW_MS - 1 });
  assert.ok(isExpired(expired, NOW_MS));
  assert.match(ruleSubtitle(expired, NOW_MS), /^expired/);
});

test('list: one’s own rules come first, and every word of a search must be there', () => {
  const rows = sortRows([
    ruleRow(ruleInfoOf({ id: 'v', tier: 'vendor', group: 'System' }), 'aaa may reach any host.'),
    ruleRow(ruleInfoOf({ id: 'b' }), 'git may reach any host.'),
    ruleRow(ruleInfoOf({ id: 'a' }), 'curl may reach any host.'),
    ruleRow(ruleInfoOf({ id: 'adm', tier: 'administrator' }), 'chat may not reach any host.'),
  ]);
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
    ['port', { port: '80', protocol: 'icmp' }], ['protocol', { protocol: 'sctp!' }], ['protocol', { protocol: '256' }],
    ['user', { user: 'a b' }], ['schedule', { schedule: 'weekdays' }], ['schedule', { schedule: 'mon 25:00-26:00' }],
    ['priority', { priority: '1001' }], ['priority', { priority: 'high' }], ['name', { name: 'x'.repeat(129) }],
    ['group', { group: 'x'.repeat(65) }], ['form', { path: '', address: '', port: '' }],
  ];
  for (const [field, change] of wrong) {
    assert.ok(checkForm(form(change)).has(field), `${field} should be wrong in ${JSON.stringify(change)}`);
  }
});

test('form: what is right is let through', () => {
  const right: readonly Partial<RuleForm>[] = [
    {}, { address: '192.0.2.7' }, { address: '2001:db8::/32' }, { port: '80, 443,8000-8080' }, { protocol: 'tcp,udp', port: '53' },
    { protocol: '47', port: '' }, { schedule: 'mon,fri 09:00-17:30' }, { schedule: '22:00-06:00' }, { priority: '-1000' },
    { action: 'deny', path: '' },
  ];
  for (const change of right) assert.deepEqual([...checkForm(form(change))], [], JSON.stringify(change));
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

test('form: the helper’s complaint goes to the field that it names', () => {
  assert.equal(fieldOfMessage('rule.port: expected a port').field, 'port');
  assert.equal(fieldOfMessage('address: no such network').field, 'address');
  assert.equal(fieldOfMessage('There are too many rules.').field, 'form');
});
