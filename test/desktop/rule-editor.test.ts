/** The rule editor: every key of a rule, the effect before saving, and edits that are never lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import { applicationOf } from './application-samples.ts';
import { ruleInfoOf, sampleRules, simulationOf, simulationRowOf } from './samples.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
const CURL = 'curl may reach any host for encrypted web (443).';
const PATH_FIELD = 'Program, by its full path';

async function open(t: TestContext, answers: Readonly<Record<string, unknown>> = {}, textScale = 1): Promise<DesktopSession> {
  const session = await DesktopSession.start(t, { arguments: [], textScale });
  for (const [call, value] of Object.entries(answers)) session.say({ do: 'answer', call, value });
  session.say({ do: 'rules', rules: sampleRules(Date.now()) });
  await session.connect();
  await session.pointAt(300, 24);
  await session.focus('Bastion Firewall');
  await session.key('ctrl+3');
  await session.shown('label', CURL);
  return session;
}

const EFFECT = {
  summary: simulationOf({ allowed_applications: 1, allowed_connections: 12, refused_applications: 1, refused_connections: 3 }),
  rows: [simulationRowOf({ last_ms: Date.now() - 86_400_000 }), simulationRowOf({ change: 'refused', from: 'allow', to: 'deny', connections: 3, host: 'tracker.example.net', last_ms: Date.now() })],
};

test('rule editor: says what the rule would have done to the last 30 days, with the connections, before it is saved', options, async (t) => {
  const session = await open(t, { simulateRules: EFFECT });
  await session.click('push button', CURL);
  await session.shown('label', 'Nothing is changed yet.');
  await session.type('text', 'Ports (empty: any port)', '80,443');
  const { args: [changes, since] } = await session.call('simulateRules');
  assert.deepEqual(changes, [{ op: 'update', id: 'curl-example', rule: { port: '80,443' } }]);
  assert.ok(Math.abs(Date.now() - 30 * 86_400_000 - Number(since)) < 60_000);
  await session.shown('label', 'Would have allowed 12 connections of curl that were refused. Would have refused 3 connections of curl that were allowed.');
  await session.click('push button', 'Show the connections');
  await session.shown('label', 'curl to tracker.example.net on port 443');
  await session.dark(false);
  await session.screenshot('rule-editor-effect');
  await session.click('push button', 'Save');
  assert.deepEqual((await session.call('updateRule')).args, ['curl-example', { port: '80,443' }]);
  await session.shown('label', 'Rule saved');
  await session.click('push button', 'Undo');
  assert.deepEqual((await session.call('updateRule')).args, ['curl-example', { port: '443' }]);
  await session.shown('label', CURL);
});

test('rule editor: looking for the effect can be stopped, begun again, and never holds up the saving', options, async (t) => {
  const session = await open(t, { simulateRules: EFFECT });
  session.say({ do: 'hold', call: 'simulateRules' });
  await session.click('push button', CURL);
  await session.shown('label', 'Nothing is changed yet.');
  await session.type('text', 'Ports (empty: any port)', '80');
  await session.click('push button', 'Stop calculating the effect');
  await session.shown('label', 'Stopped.');
  await session.shown('push button', 'Calculate the effect');
  await session.click('push button', 'Save');
  await session.call('updateRule');
  await session.shown('label', 'Rule saved');
});

test('rule editor: a password that is not given loses nothing, and closing asks before it throws anything away', options, async (t) => {
  const session = await open(t);
  await session.click('push button', CURL);
  await session.type('text', 'Ports (empty: any port)', '8443');
  session.say({ do: 'refuse', call: 'updateRule', code: 'NotAuthorized', message: '' });
  await session.click('push button', 'Save');
  await session.shown('label', 'The password was not given. Your changes are still here.');
  await session.click('push button', 'Cancel');
  await session.dark(false);
  await session.screenshot('rule-editor-discard');
  // The pointer is above the question; its first button keeps what there is.
  await session.key('Return');
  session.say({ do: 'accept', call: 'updateRule' });
  await session.click('push button', 'Save');
  assert.deepEqual((await session.call('updateRule')).args, ['curl-example', { port: '8443' }]);
  await session.gone('label', 'Edit Rule');
});

test('rule editor: a rule that others change or delete meanwhile is told, and the edit stays', options, async (t) => {
  const session = await open(t);
  await session.click('push button', CURL);
  await session.type('text', 'Ports (empty: any port)', '8443');
  session.say({ do: 'rules', rules: [ruleInfoOf({ id: 'curl-example', domain: 'example.org' })] });
  await session.shown('label', 'This rule was changed in the meantime. Saving replaces it with what you see here.');
  await session.dark(false);
  await session.screenshot('rule-editor-conflict');
  session.say({ do: 'rules', rules: [ruleInfoOf({ id: 'other' })] });
  await session.shown('label', 'This rule was deleted in the meantime. Saving adds it again.');
  await session.click('push button', 'Save');
  const [made] = (await session.call('addRule')).args as readonly { readonly id: string; readonly port: string }[];
  assert.equal(made?.id, 'curl-example');
  assert.equal(made.port, '8443');
});

test('rule editor: a known program is picked from a list, and a program is more than a path', options, async (t) => {
  const session = await open(t, { listApplications: [applicationOf({ kind: 'flatpak', flatpak: 'org.example.Zebra', path: '', name: 'Zebra chat' })] });
  await session.key('ctrl+n');
  await session.shown('label', 'New Rule');
  await session.click('push button', 'Pick a Program');
  await session.shown('entry', 'Search programs');
  await session.type('entry', 'Search programs', 'zebra');
  await session.shown('label', 'Flatpak org.example.Zebra');
  await session.screenshot('rule-editor-pick');
  await session.focus('Pick a Program');
  await session.key('Return');
  await session.shown('label', 'The Flatpak org.example.Zebra may reach any host over TCP.');
  await session.shown('text', 'Id of the Flatpak');
});

test('rule editor: days, hours, profile and group are chosen below More, and mistakes stand beside them', options, async (t) => {
  const session = await open(t, { profiles: [{ id: 'work', name: 'At work', active: false, chosen: false, recognized: false, is_default: false, has_network: false }] });
  await session.key('ctrl+n');
  await session.shown('label', 'New Rule');
  await session.type('text', PATH_FIELD, '/usr/bin/curl');
  await session.click('push button', 'More');
  await session.click('push button', 'Mon');
  await session.click('push button', 'Fri');
  await session.type('text', 'From, like 09:00 (empty: all day)', '9');
  await session.click('push button', 'Save');
  await session.shown('label', 'A time of day like 09:00.');
  await session.dark(false);
  await session.screenshot('rule-editor-more');
  await session.type('text', 'From, like 09:00 (empty: all day)', '9:00');
  await session.type('text', 'To, like 17:30', '17:30');
  await session.type('text', 'Group', 'Office');
  await session.type('text', 'Only in the profile', 'work');
  await session.shown('label', 'curl may reach any host over TCP, in the profile work, on Monday and Friday from 09:00 to 17:30.');
  await session.click('push button', 'Save');
  const [made] = (await session.call('addRule')).args as readonly { readonly schedule: string; readonly group: string; readonly profile: string }[];
  assert.deepEqual([made?.schedule, made?.group, made?.profile], ['mon,fri 09:00-17:30', 'Office', 'work']);
  await session.click('push button', 'Undo');
  await session.call('removeRule');
});

test('rule editor: by keyboard alone a rule is opened, edited and saved', options, async (t) => {
  const session = await open(t);
  await session.focusInto('push button', CURL, 'Tab', 40);
  await session.key('Return');
  await session.shown('label', 'Edit Rule');
  await session.focus('Edit Rule');
  await session.key('ctrl+a');
  await session.keys('/usr/bin/wget');
  await session.shown('label', 'wget may reach any host for encrypted web (443).');
  await session.key('alt+s');
  assert.deepEqual((await session.call('updateRule')).args, ['curl-example', { path: '/usr/bin/wget' }]);
  await session.shown('label', 'Rule saved');
});

test('rule editor: 360 pixels and large text, light and dark', options, async (t) => {
  const session = await open(t, { simulateRules: EFFECT }, 1.5);
  await session.key('ctrl+n');
  await session.shown('label', 'New Rule');
  await session.type('text', PATH_FIELD, '/usr/bin/curl');
  await session.click('push button', 'More');
  await session.resize('New Rule', 360, 900);
  await session.shown('label', 'curl may reach any host over TCP.');
  await session.dark(true);
  await session.screenshot('rule-editor-360-dark');
});
