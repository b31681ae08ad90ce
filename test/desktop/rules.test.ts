/** The rules page: groups, filters, marks, many rules at once, and back again. */
import assert from 'node:assert/strict';
import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { RuleInfo } from '../../helper/contract/types.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import { applicationOf } from './application-samples.ts';
import { findingOf, importSummaryOf, ruleInfoOf, sampleRules } from './samples.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
const CURL = 'curl may reach any host for encrypted web (443).';
const SSH = 'ssh may reach 192.0.2.0/24 for secure shell (22).';
const STEAM = 'steam may reach any host on ports 27000-27050 (UDP).';

async function open(t: TestContext, rules: readonly RuleInfo[], answers: Readonly<Record<string, unknown>> = {}, textScale = 1): Promise<DesktopSession> {
  const session = await DesktopSession.start(t, { arguments: [], textScale });
  for (const [call, value] of Object.entries(answers)) session.say({ do: 'answer', call, value });
  session.say({ do: 'rules', rules });
  await session.connect();
  // Without a window manager the keyboard is where the pointer is.
  await session.pointAt(600, 24);
  await session.focus('Bastion Firewall');
  await session.key('ctrl+3');
  await session.shown('push button', 'Add Rule');
  return session;
}

const REVIEW = [
  findingOf({ rule_id: 'curl-example', kind: 'shadowed', other_id: 'ssh-home' }), findingOf({ rule_id: 'ssh-home', kind: 'missing', path: '/usr/bin/ssh' }),
  findingOf({ rule_id: 'office-hours', kind: 'unused', since_ms: Date.now() - 40 * 86_400_000 }),
];

test('rules page: groups have a heading that closes them and a switch for all of their rules', options, async (t) => {
  const session = await open(t, sampleRules(Date.now()));
  await session.shown('label', SSH);
  await session.shown('push button', 'Home');
  await session.click('push button', 'Home');
  await session.gone('label', SSH);
  await session.click('push button', 'Home');
  await session.shown('label', SSH);
  await session.click('check box', 'Home');
  assert.deepEqual((await session.call('setGroup')).args, ['Home', false]);
  await session.shown('label', 'its group is switched off');
  await session.shown('label', 'Group switched off');
  await session.click('push button', 'Undo');
  assert.deepEqual((await session.call('setGroup')).args, ['Home', true]);
  await session.gone('label', 'its group is switched off');
});

test('rules page: marks say what a rule does not do, and Clean up lists those that do nothing with the reason', options, async (t) => {
  const session = await open(t, sampleRules(Date.now()), { reviewRules: REVIEW, listApplications: [applicationOf({ state: 'changed', path: '/opt/vendor/telemetry-agent' }), applicationOf({ state: 'changed' })] });
  await session.shown('label', 'suspended: the program was changed  ·  never reached');
  await session.shown('label', 'program gone');
  await session.dark(false);
  await session.screenshot('rules-page');
  await session.dark(true);
  await session.screenshot('rules-page-dark');
  await session.dark(false);
  await session.click('push button', 'Clean Up: 3');
  await session.shown('label', `Another rule goes first and decides everything: ${SSH}`);
  await session.shown('label', '/usr/bin/ssh no longer exists.');
  await session.gone('label', STEAM);
  await session.dark(false);
  await session.screenshot('rules-clean-up');
  // The first in the list is the one that is never reached.
  await session.click('push button', 'Delete');
  assert.deepEqual((await session.call('removeRule')).args, ['curl-example']);
  await session.click('push button', 'Undo');
  await session.call('addRule');
  await session.shown('label', CURL);
});

test('rules page: chips filter, and what nothing fits leads back to all rules', options, async (t) => {
  const session = await open(t, sampleRules(Date.now()));
  await session.shown('label', CURL);
  await session.click('push button', 'Denied');
  await session.gone('label', CURL);
  await session.shown('label', 'telemetry-agent may not reach any host.');
  await session.click('push button', 'Temporary');
  await session.shown('label', 'Nothing Found');
  await session.click('push button', 'Show All Rules');
  await session.shown('label', CURL);
  await session.click('push button', 'Clean Up');
  await session.shown('label', 'Nothing to Clean Up');
});

test('rules page: by keyboard alone several rules are selected, deleted, and brought back with their ids', options, async (t) => {
  const rules = Array.from({ length: 8 }, (_value, at) => ruleInfoOf({ id: `rule-${String(at)}`, path: `/usr/bin/tool-${String(at)}`, created_ms: 1_800_000_000_000 + at }));
  const session = await open(t, rules);
  await session.shown('label', 'tool-0 may reach any host for encrypted web (443).');
  await session.focusInto('push button', 'tool-0 may reach any host for encrypted web (443).', 'Tab', 20);
  // Space selects the rule, Shift and Down go on.
  await session.key('space');
  await session.shown('label', '1 rule selected');
  await session.key('shift+Down', 'shift+Down');
  await session.shown('label', '3 rules selected');
  await session.dark(false);
  await session.screenshot('rules-selected');
  await session.key('Delete');
  const removed = [await session.call('removeRule'), await session.call('removeRule'), await session.call('removeRule')].map(({ args }) => args[0]);
  assert.deepEqual(removed, ['rule-0', 'rule-1', 'rule-2']);
  await session.shown('label', '3 rules deleted');
  await session.gone('label', 'tool-1 may reach any host for encrypted web (443).');
  await session.click('push button', 'Undo');
  const added = [await session.call('addRule'), await session.call('addRule'), await session.call('addRule')].map(({ args }) => (args[0] as { readonly id: string }).id);
  assert.deepEqual(added, ['rule-0', 'rule-1', 'rule-2']);
  await session.shown('label', 'tool-1 may reach any host for encrypted web (443).');
});

test('rules page: select all, switch off, move to a group; a refused password changes nothing', options, async (t) => {
  const session = await open(t, sampleRules(Date.now()));
  await session.shown('label', CURL);
  await session.click('push button', 'Select Rules');
  await session.shown('push button', 'Select All');
  await session.click('push button', 'Select All');
  await session.shown('label', '9 rules selected');
  session.say({ do: 'refuse', call: 'updateRule', code: 'NotAuthorized', message: '' });
  await session.click('push button', 'Switch Off');
  await session.shown('label', 'Nothing was changed: the password was not given.');
  session.say({ do: 'accept', call: 'updateRule' });
  await session.click('push button', 'Select Rules');
  await session.click('push button', CURL);
  await session.shown('label', '1 rule selected');
  await session.click('push button', 'Move to a Group', 1);
  await session.shown('text', 'New group');
  await session.dark(false);
  await session.screenshot('rules-group');
  await session.type('text', 'New group', 'Evenings');
  await session.key('Return');
  assert.deepEqual((await session.call('updateRule')).args[1], { group: 'Evenings' });
  await session.shown('push button', 'Evenings');
  await session.shown('label', 'Rule moved');
  await session.click('push button', 'Undo');
  await session.gone('push button', 'Evenings');
});

test('rules page: many changes show how far they are and can be stopped', options, async (t) => {
  const rules = Array.from({ length: 40 }, (_value, at) => ruleInfoOf({ id: `rule-${String(at)}`, path: `/usr/bin/tool-${String(at)}` }));
  const session = await open(t, rules);
  await session.shown('label', 'tool-0 may reach any host for encrypted web (443).');
  await session.click('push button', 'Select Rules');
  await session.click('push button', 'Select All');
  await session.shown('label', '40 rules selected');
  session.say({ do: 'hold', call: 'updateRule' });
  await session.click('push button', 'Switch Off');
  await session.shown('push button', 'Stop');
  await session.screenshot('rules-progress');
  await session.click('push button', 'Stop');
  session.say({ do: 'let-go', call: 'updateRule' });
  await session.gone('push button', 'Stop');
  await session.shown('push button', 'Undo');
});

test('rules page: a link to a rule shows it whatever is filtered', options, async (t) => {
  const session = await open(t, sampleRules(Date.now()));
  await session.shown('label', CURL);
  await session.click('push button', 'Denied');
  await session.gone('label', CURL);
  session.say({ do: 'open', page: 'rules', item: 'curl-example' });
  await session.shown('label', CURL);
  await session.dark(false);
  await session.screenshot('rules-link');
});

test('rules page: an import is a report first, then rules, then nothing again', options, async (t) => {
  const item = { file: '', source: 'rule “web”', text: 'the process is matched by its path only' } as const;
  const report = { items: [{ ...item, outcome: 'review', line: 3 }, { ...item, outcome: 'kept', line: 1 }], summary: importSummaryOf({ kept: 1, review: 1, ids: ['web', 'mail'] }) };
  const session = await open(t, sampleRules(Date.now()), { importRules: report });
  const file = join(session.home, 'theirs.json');
  await writeFile(file, '{}');
  await session.click('push button', 'Order, Import and Export', 1);
  await session.click('menu item', 'Import…');
  await session.shown('push button', 'Choose a File…');
  await session.screenshot('rules-import-choose');
  await session.click('push button', 'Choose a File…');
  await session.chooseFile('Choose a File With Rules', file);
  assert.deepEqual((await session.call('importRules')).args, ['', '{}', true]);
  await session.shown('label', '1 rule unchanged and 1 to check');
  await session.dark(false);
  await session.screenshot('rules-import');
  session.say({ do: 'refuse', call: 'importRules', code: 'NotAuthorized', message: '' });
  await session.click('push button', 'Add 2 Rules');
  await session.shown('label', 'You are not allowed to do this.');
  session.say({ do: 'accept', call: 'importRules' });
  await session.click('push button', 'Add 2 Rules');
  assert.equal((await session.call('importRules')).args[2], false);
  await session.shown('label', '2 rules added');
});

test('rules page: an export is a file in the form that its ending names', options, async (t) => {
  const session = await open(t, sampleRules(Date.now()), { exportRules: '{"rules":[]}' });
  await session.click('push button', 'Order, Import and Export', 1);
  await session.click('menu item', 'Export…');
  const file = join(session.home, 'mine.json');
  await session.chooseFile('Export Rules', file);
  assert.deepEqual((await session.call('exportRules')).args, ['json']);
  await session.shown('label', 'Rules written to mine.json');
  await access(file);
  assert.equal(await readFile(file, 'utf8'), '{"rules":[]}');
});

test('rules page: 360 pixels and large text leave everything in reach', options, async (t) => {
  const session = await open(t, sampleRules(Date.now()), { reviewRules: REVIEW });
  await session.resize('Bastion Firewall', 360, 800);
  await session.shown('label', CURL);
  await session.dark(false);
  await session.screenshot('rules-360');
  await session.click('push button', 'Select Rules');
  await session.visible('push button', 'Switch Off');
  await session.dark(true);
  await session.screenshot('rules-360-select-dark');
  const large = await open(t, sampleRules(Date.now()), { reviewRules: REVIEW }, 2);
  await large.resize('Bastion Firewall', 360, 900);
  await large.shown('label', CURL);
  await large.click('push button', 'Select Rules');
  await large.visible('push button', 'Switch Off');
  await large.dark(false);
  await large.screenshot('rules-360-large');
});
