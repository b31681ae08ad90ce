/** The rules page as data: headings, filters, marks, reasons, many changes at once, work in slices. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runChanges, undoOf } from '../../desktop/client/change-rules.ts';
import { importRows, importSummaryText } from '../../desktop/model/import-text.ts';
import { programChoices, searchChoices } from '../../desktop/model/program-choices.ts';
import { bulkDoneText, planBulk, runProblem } from '../../desktop/model/rule-bulk.ts';
import { effectOf } from '../../desktop/model/rule-effect.ts';
import { between, compareRows, isFiltered, NO_FILTER, ruleRow, summaryInSteps, viewInSteps } from '../../desktop/model/rule-list.ts';
import type { RuleFilter, RuleRow, RuleView, ViewOptions } from '../../desktop/model/rule-list.ts';
import { changedPrograms, isSuspended, ruleMarks } from '../../desktop/model/rule-marks.ts';
import { findingReason, reviewOf } from '../../desktop/model/rule-review.ts';
import { parseScheduleText, scheduleText, scheduleWords } from '../../desktop/model/rule-schedule.ts';
import { runInSlices, sortInSteps } from '../../desktop/model/stepwise.ts';
import type { RuleInfo } from '../../helper/contract/types.ts';
import { applicationOf } from '../desktop/application-samples.ts';
import { findingOf, importSummaryOf, ruleInfoOf, simulationOf, simulationRowOf, statusOf } from '../desktop/samples.ts';
import { StandInClient } from '../desktop/stand-in-client.ts';

const NOW_MS = 1_800_000_000_000;
const nobody = (): null => null;

function rowOf(change: Partial<RuleInfo> & { readonly id: string }, sentence = change.id): RuleRow {
  return ruleRow(ruleInfoOf(change), sentence, change.path ?? '');
}

function finish<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

function view(rows: readonly RuleRow[], change: Partial<Omit<ViewOptions, 'filter'>> & { readonly filter?: Partial<RuleFilter> } = {}): RuleView {
  const { filter, ...others } = change;
  return finish(viewInSteps(rows, { sort: 'program', collapsed: new Set(), findings: new Map(), ...others, filter: { ...NO_FILTER, ...filter } }));
}

const ROWS = [
  rowOf({ id: 'a', group: 'Web' }), rowOf({ id: 'b', group: 'Home', action: 'deny', path: '/usr/bin/ssh' }), rowOf({ id: 'c', lifetime: 'boot' }),
  rowOf({ id: 'd', tier: 'administrator', editable: false, action: 'drop' }), rowOf({ id: 'e', group: 'Home', tier: 'vendor', editable: false, profile: 'work' }),
  rowOf({ id: 'f', tier: 'built-in', editable: false, action: 'ask' }),
];

test('list: groups have a heading each, whoever made their rules, then comes who made the others', () => {
  const { entries, headings } = view(ROWS);
  assert.deepEqual(entries, ['#g:Home', 'b', 'e', '#g:Web', 'a', '#t:user', 'c', '#t:administrator', 'd', '#t:built-in', 'f']);
  assert.deepEqual(headings.get('g:Home'), { key: 'g:Home', title: 'Home', count: 2, group: 'Home', groupOn: true, collapsed: false });
  assert.equal(headings.get('t:user')?.group, '');
});

test('list: a closed heading hides its rules, and a search opens it', () => {
  const collapsed = new Set(['g:Home']);
  assert.deepEqual(view(ROWS, { collapsed }).entries.slice(0, 3), ['#g:Home', '#g:Web', 'a']);
  assert.equal(view(ROWS, { collapsed }).found.length, ROWS.length);
  assert.deepEqual(view(ROWS, { collapsed, filter: { query: 'ssh' } }).entries, ['#g:Home', 'b']);
});

test('list: each chip leaves out what it does not name', () => {
  const found = (filter: Partial<RuleFilter>): string => view(ROWS, { filter }).found.map((row) => row.rule.id).join('');
  assert.equal(found({ verdicts: new Set(['deny']) }), 'bd');
  assert.equal(found({ verdicts: new Set(['allow', 'ask']) }), 'acef');
  assert.equal(found({ temporary: true }), 'c');
  assert.equal(found({ tier: 'vendor' }), 'e');
  assert.equal(found({ program: '/usr/bin/ssh' }), 'b');
  assert.equal(found({ profile: 'work' }), 'e');
  assert.equal(found({ cleanUp: true }), '');
  assert.equal(isFiltered(NO_FILTER), false);
  assert.equal(isFiltered({ ...NO_FILTER, query: ' ' }), false);
});

test('list: by use and by age it is one list without headings', () => {
  const rows = [rowOf({ id: 'a', hits: 1, created_ms: 3 }), rowOf({ id: 'b', hits: 9, created_ms: 1, group: 'Web' }), rowOf({ id: 'c', hits: 9, last_hit_ms: 5, created_ms: 2 })];
  assert.deepEqual(view([...rows].sort(compareRows('uses')), { sort: 'uses' }).entries, ['c', 'b', 'a']);
  assert.deepEqual(view([...rows].sort(compareRows('newest')), { sort: 'newest' }).entries, ['a', 'c', 'b']);
});

test('list: what does nothing is listed by its reason', () => {
  const { findings, note } = reviewOf([
    findingOf({ rule_id: 'b', kind: 'unused' }), findingOf({ rule_id: 'a', kind: 'shadowed', other_id: 'c' }), findingOf({ kind: 'incomplete', rule_id: '', text: 'Too many\u{202e}' }),
  ]);
  const { entries, headings } = view(ROWS, { findings, filter: { cleanUp: true } });
  assert.deepEqual(entries, ['#f:shadowed', 'a', '#f:unused', 'b']);
  assert.equal(headings.get('f:shadowed')?.title, 'Never reached');
  assert.equal(note, 'Too many\\u{202e}');
});

test('list: a range is what stands between two rows, in either direction and without headings', () => {
  const entries = ['#g:Home', 'b', 'e', '#g:Web', 'a'];
  assert.deepEqual(between(entries, 'b', 'a'), ['b', 'e', 'a']);
  assert.deepEqual(between(entries, 'a', 'e'), ['e', 'a']);
  assert.deepEqual(between(entries, '', 'e'), ['e']);
});

test('list: of too many programs those with the most rules are offered', () => {
  const rows = [rowOf({ id: '1', path: 'x' }), rowOf({ id: '2', path: 'b' }), rowOf({ id: '3', path: 'b' }), rowOf({ id: '4', path: 'a' }), rowOf({ id: '5', path: 'a' })];
  assert.deepEqual(finish(summaryInSteps(rows, 2)).programs, ['a', 'b']);
  assert.deepEqual([...finish(summaryInSteps(ROWS, 9)).tiers], ['user', 'administrator', 'vendor', 'built-in']);
  assert.deepEqual(finish(summaryInSteps(ROWS, 9)).profiles, ['work']);
});

test('review: every reason says why, and the click that fits who made the rule', () => {
  const reason = (change: Parameters<typeof findingOf>[0]): string => {
    const [finding] = reviewOf([findingOf(change)]).findings.values();
    return finding === undefined ? '' : findingReason(finding, (id) => (id === 'c' ? 'curl may reach any host.' : ''), NOW_MS);
  };
  assert.equal(reason({ kind: 'duplicate', other_id: 'c' }), 'Another rule says the same: curl may reach any host.');
  assert.equal(reason({ kind: 'shadowed', other_id: 'gone\n' }), 'Another rule goes first and decides everything: gone\\u{a}');
  assert.equal(reason({ kind: 'missing', path: '/opt/x\u{202e}' }), '/opt/x\\u{202e} no longer exists.');
  assert.match(reason({ kind: 'unused', since_ms: NOW_MS - 90 * 86_400_000 }), /^It has not decided anything since /);
  assert.match(reason({ kind: 'expired', since_ms: NOW_MS - 1000 }), /^It expired: /);
});

test('marks: what keeps a rule from doing what it says stands beside it', () => {
  const changed = changedPrograms([applicationOf({ state: 'changed' }), applicationOf({ path: '/usr/bin/git' }), applicationOf({ state: 'changed', kind: 'script', path: '/opt/x.py' })]);
  const texts = (rule: RuleInfo, profile = 'home'): readonly string[] => {
    const { findings } = reviewOf([findingOf({ rule_id: 'gone', kind: 'missing' })]);
    return ruleMarks(rule, { nowMs: NOW_MS, findings, changed, profile }).map((mark) => mark.text);
  };
  assert.deepEqual(texts(ruleInfoOf({ path: '/usr/bin/git' })), []);
  assert.deepEqual(texts(ruleInfoOf({})), ['suspended: the program was changed']);
  assert.deepEqual(texts(ruleInfoOf({ action: 'deny' })), []);
  assert.deepEqual(texts(ruleInfoOf({ path: '', enabled: false, profile: 'work' })), ['switched off', 'waits for the profile work']);
  assert.deepEqual(texts(ruleInfoOf({ path: '', profile: 'home', group_enabled: false })), ['its group is switched off']);
  assert.deepEqual(texts(ruleInfoOf({ id: 'gone', path: '', lifetime: 'until', until_ms: NOW_MS })), ['expired', 'program gone']);
  assert.ok(isSuspended(ruleInfoOf({ path: '/usr/bin/python3', script: '/opt/x.py' }), changed));
});

test('schedule: days and hours are read, written back and told', () => {
  assert.deepEqual(parseScheduleText('mon-fri 09:00-17:30'), { days: [0, 1, 2, 3, 4], from: '09:00', to: '17:30' });
  assert.deepEqual(parseScheduleText('sat-mon'), { days: [0, 5, 6], from: '', to: '' });
  assert.deepEqual(parseScheduleText('mon,tue,wed,thu,fri,sat,sun 00:00-24:00'), { days: [], from: '', to: '' });
  for (const wrong of ['someday', 'mon tue', '9-17', 'mon 09:00', 'mon 09:00-10:00-11:00', 'mon-']) assert.equal(parseScheduleText(wrong), null, wrong);
  assert.equal(scheduleText({ days: [4, 0], from: '9:00', to: '' }), 'mon,fri 09:00-24:00');
  assert.equal(scheduleText({ days: [], from: '', to: '' }), '');
  assert.equal(scheduleWords('mon,fri 09:00-17:30'), 'on Monday and Friday from 09:00 to 17:30');
  assert.equal(scheduleWords('odd\u{202e}'), 'during odd\\u{202e}');
});

test('effect: it says what would have been allowed, refused and asked, and what became of it until now', () => {
  const text = (summary: Parameters<typeof simulationOf>[0], ...rows: Parameters<typeof simulationRowOf>[0][]): string =>
    effectOf(simulationOf(summary), rows.map(simulationRowOf), nobody, NOW_MS).text;
  assert.equal(
    text({ allowed_applications: 1, allowed_connections: 12, refused_applications: 2, refused_connections: 3 }, {}, { change: 'refused', from: 'allow' }, { change: 'refused', from: 'allow' }),
    'Would have allowed 12 connections of curl that were refused. Would have refused 3 connections of 2 programs that were allowed.',
  );
  assert.equal(text({ allowed_applications: 1, allowed_connections: 1 }, { from: 'ask' }), 'Would have allowed 1 connection of curl without asking.');
  assert.equal(text({ asked_applications: 1, asked_connections: 2, unlisted: 1 }, { change: 'asked', from: 'allow' }), 'Would have asked about 2 connections of curl.');
  assert.equal(text({}), 'It would have changed nothing: 420 connections were looked at.');
  assert.equal(text({ flows: 0 }), 'Nothing has been recorded yet to try it on.');
  const many = effectOf(simulationOf({ allowed_applications: 1, allowed_connections: 12, incomplete: true }), Array.from({ length: 9 }, () => simulationRowOf({ host: 'a\u{202e}b' })), nobody, NOW_MS);
  assert.equal(many.rows.length, 5);
  assert.equal(many.rows[0]?.title, 'curl to a\\u{202e}b on port 443');
  assert.equal(many.note, 'A part of the history could not be read.');
});

test('import: what has to be looked at stands first, with its line', () => {
  const item = { file: '', source: 'rule', text: 'says\u{7}' } as const;
  const rows = importRows([{ ...item, outcome: 'kept', line: 1 }, { ...item, outcome: 'review', line: 9 }, { ...item, outcome: 'review', line: 2 }]);
  assert.deepEqual(rows.map((row) => `${row.verdict} ${row.place} ${row.title}`), ['Please check line 2 rule: says\\u{7}', 'Please check line 9 rule: says\\u{7}', 'Unchanged line 1 rule: says\\u{7}']);
  assert.equal(importSummaryText(importSummaryOf({ kept: 12, skipped: 1 })), '12 rules unchanged and 1 left out');
  assert.equal(importSummaryText(importSummaryOf()), 'It contains nothing that could be added.');
});

test('programs: each is offered once, by what a rule names it by', () => {
  const known = [applicationOf({ name: 'curl' }), applicationOf({ kind: 'flatpak', flatpak: 'org.example.App', path: '', name: 'App' }), applicationOf({ kind: 'script', path: '/opt/x.py', interpreter: '/usr/bin/python3', name: 'x.py' })];
  const choices = programChoices(known, [{ key: '/usr/bin/curl', name: 'curl', icon: '' }, { key: 'snap:chat', name: 'Chat', icon: 'chat' }], nobody);
  assert.deepEqual(choices.map((choice) => choice.parts), [{ flatpak: 'org.example.App' }, { snap: 'chat' }, { path: '/usr/bin/curl' }, { script: '/opt/x.py', path: '/usr/bin/python3' }]);
  assert.deepEqual(searchChoices(choices, 'SNAP chat').map((choice) => choice.name), ['Chat']);
});

async function changes(client: StandInClient, ids: readonly string[]): ReturnType<typeof runChanges> {
  const plan = planBulk({ do: 'delete' }, client.rules.filter((rule) => ids.includes(rule.id)), NOW_MS);
  return runChanges(client, plan.changes, { progress: () => undefined, isStopped: () => false });
}

function standIn(calls: string[]): StandInClient {
  const client = new StandInClient(statusOf(), ({ call }) => { calls.push(call); });
  client.connected = true;
  client.rules = Array.from({ length: 12 }, (_value, at) => ruleInfoOf({ id: `r${String(at)}`, created_ms: 1000 - at }));
  return client;
}

test('many changes: an undo makes every rule again, with its id and in the order in which they were made', async () => {
  const calls: string[] = [];
  const client = standIn(calls);
  const before = [...client.rules];
  const result = await changes(client, before.map((rule) => rule.id));
  assert.equal(client.rules.length, 0);
  const back = await runChanges(client, undoOf(result), { progress: () => undefined, isStopped: () => false });
  assert.equal(back.end, 'all');
  assert.deepEqual(client.rules.map((rule) => rule.id), before.map((rule) => rule.id).reverse());
  assert.equal(bulkDoneText({ do: 'delete' }, result.done.length), '12 rules deleted');
});

test('many changes: a refused password ends it before the second call', async () => {
  const calls: string[] = [];
  const client = standIn(calls);
  client.refusals.set('removeRule', { code: 'NotAuthorized' });
  const result = await changes(client, client.rules.map((rule) => rule.id));
  assert.equal(calls.filter((call) => call.startsWith('removeRule')).length, 1);
  assert.equal(result.end, 'refused');
  assert.equal(runProblem(result), 'Nothing was changed: the password was not given.');
});

test('many changes: what cannot be done is counted, what others did already counts as done, and stopping stops', async () => {
  const client = standIn([]);
  const { changes: planned } = planBulk({ do: 'delete' }, client.rules, NOW_MS);
  client.refusals.set('removeRule', { code: 'Failed', message: 'the disk is full' });
  const failed = await runChanges(client, planned, { progress: () => undefined, isStopped: () => false });
  assert.equal(runProblem(failed), '12 rules could not be changed: the disk is full');
  client.refusals.set('removeRule', { code: 'NotFound' });
  const gone = await runChanges(client, planned, { progress: () => undefined, isStopped: () => false });
  assert.equal(gone.done.length, 12);
  assert.deepEqual(undoOf(gone), []);
  client.refusals.clear();
  let seen = 0;
  const stopped = await runChanges(client, planned, { progress: (done) => { seen = done; }, isStopped: () => seen >= 3 });
  assert.equal(stopped.end, 'stopped');
  assert.ok(stopped.done.length < 12);
});

test('many changes: locked rules are left out, and what is so already is not sent', () => {
  const rules = [ruleInfoOf({ id: 'a' }), ruleInfoOf({ id: 'b', enabled: false }), ruleInfoOf({ id: 'c', tier: 'vendor', editable: false }), ruleInfoOf({ id: 'd', tier: 'built-in', editable: false })];
  const ids = (action: Parameters<typeof planBulk>[0]): string => planBulk(action, rules, NOW_MS).changes.map(({ step }) => step.id).join('');
  assert.equal(ids({ do: 'disable' }), 'ac');
  assert.equal(ids({ do: 'enable' }), 'b');
  assert.equal(ids({ do: 'delete' }), 'ab');
  assert.equal(ids({ do: 'group', group: '' }), '');
  assert.equal(planBulk({ do: 'delete' }, rules, NOW_MS).locked, 2);
  assert.equal(planBulk({ do: 'enable' }, rules, NOW_MS).locked, 1);
});

test('slices: sorting in steps is the same as sorting, and can be stopped', async () => {
  const numbers = Array.from({ length: 5000 }, (_value, at) => (at * 7919) % 5003);
  const compare = (a: number, b: number): number => a - b;
  assert.deepEqual(finish(sortInSteps(numbers, compare)), [...numbers].sort(compare));
  const pairs = numbers.map((value, at) => [value % 7, at] as const);
  assert.deepEqual(finish(sortInSteps(pairs, (a, b) => a[0] - b[0])), [...pairs].sort((a, b) => a[0] - b[0]), 'equal ones keep their order');
  assert.deepEqual(finish(sortInSteps([], compare)), []);
  const told = await new Promise<string>((resolve) => {
    const endless = function* (): Generator<void, string> { for (;;) yield; };
    const stop = runInSlices(endless(), () => { resolve('endless'); });
    stop();
    runInSlices((function* (): Generator<void, string> { yield; return 'short'; })(), resolve);
  });
  assert.equal(told, 'short');
});
