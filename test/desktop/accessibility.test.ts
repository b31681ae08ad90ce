/** Everything that is shown, as another process finds it: every control has a name, and the keyboard comes to all of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { PAGE_IDS } from '../../desktop/ui/page.ts';
import type { PageId } from '../../desktop/ui/page.ts';
import { sampleApplications, sampleProposals } from './application-samples.ts';
import { AccessibleWalk, SHORTCUTS } from './accessible-walk.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import { sampleFlows } from './flow-samples.ts';
import { NO_NETWORK, SAMPLE_NETWORK, promptOf, ruleInfoOf, sampleRules, statusOf, trafficOf } from './samples.ts';
import type { StandInCommand } from './stand-in-main.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
const TITLE = 'Bastion Firewall';
const CURL = 'curl may reach any host for encrypted web (443).';
/** A text that stands on the page when its content is there. */
const CONTENT = {
  overview: 'Since the service started', activity: 'git', rules: CURL, applications: '8 applications, 1 changed',
  suggestions: 'curl may reach example.org for encrypted web (443).', network: 'Zones', inbox: 'store.example.net', preferences: 'This Session',
} as const;
/** Of a window of one column, whose pages are one step back: the toolkit says that they are there. */
const SIDEBAR = ['Main Menu'];
/** What every page reads, to be refused or held. */
const READS = ['listApplications', 'proposeRules', 'queryFlows', 'indexFlows', 'listInterfaces', 'listPrompts', 'listRules'] as const;
const KEPT = promptOf({ id: 'p7', nonce: 'kept', path: '/usr/bin/backup', application: 'backup', destination: 'store.example.net', status: 'expired', expires_in_ms: 0, lifetimes: ['until', 'always'], default_lifetime: 'always' });

function samples(nowMs: number): readonly StandInCommand[] {
  return [
    { do: 'rules', rules: sampleRules(nowMs) }, { do: 'flows', flows: sampleFlows(nowMs) }, { do: 'network', network: SAMPLE_NETWORK },
    { do: 'traffic', traffic: [trafficOf('/usr/bin/curl', 100_000, 2000)] }, { do: 'keep', prompt: KEPT },
    { do: 'answer', call: 'listApplications', value: sampleApplications(nowMs) },
    { do: 'answer', call: 'proposeRules', value: sampleProposals(nowMs) },
  ];
}

async function start(t: TestContext, commands: readonly StandInCommand[]): Promise<{ readonly session: DesktopSession; readonly walk: AccessibleWalk }> {
  const session = await DesktopSession.start(t, { arguments: [] });
  for (const command of commands) session.say(command);
  await session.connect();
  // The X server shows the window before a screen reader finds it.
  await session.shown('frame', TITLE);
  await session.pointAt(600, 24);
  await session.focus(TITLE);
  return { session, walk: new AccessibleWalk(session) };
}

/** Every page, when `ready` says that it is as it shall be. */
async function eachPage(
  session: DesktopSession, ids: readonly PageId[], ready: (id: PageId) => Promise<void>, run: (id: PageId) => Promise<unknown>,
): Promise<void> {
  for (const id of ids) {
    await session.focus(TITLE);
    await session.key(`ctrl+${String(PAGE_IDS.indexOf(id) + 1)}`);
    await ready(id);
    await run(id);
  }
}

for (const half of [PAGE_IDS.slice(0, 4), PAGE_IDS.slice(4)]) {
  test(`accessibility: every control of the pages ${half.join(', ')} has a name, and Tab comes to it`, options, async (t) => {
    const { session, walk } = await start(t, samples(Date.now()));
    await eachPage(session, half, (id) => session.shown('label', CONTENT[id]), (id) => walk.tabThrough(id, TITLE));
    assert.deepEqual(walk.faults, []);
  });
}

test('accessibility: pages that are empty, not connected or not allowed have names too', options, async (t) => {
  const { session, walk } = await start(t, [{ do: 'network', network: NO_NETWORK }]);
  const drawn = (): Promise<void> => session.dark(false);
  await eachPage(session, PAGE_IDS, drawn, (id) => walk.look(`${id}, empty`));
  for (const call of READS) session.say({ do: 'refuse', call, code: 'NotAuthorized', message: '' });
  session.say({ do: 'connected', connected: false });
  await eachPage(session, PAGE_IDS, drawn, (id) => walk.look(`${id}, not connected`));
  session.say({ do: 'connected', connected: true });
  await eachPage(session, PAGE_IDS, drawn, (id) => walk.look(`${id}, not allowed`));
  assert.deepEqual(walk.faults, []);
});

test('accessibility: at 360 pixels every control of every page has a name, and Tab comes to it', options, async (t) => {
  const { session, walk } = await start(t, [{ do: 'network', network: NO_NETWORK }]);
  await session.resize(TITLE, 360, 720);
  await session.shown('push button', 'Back');
  await eachPage(session, PAGE_IDS, () => session.dark(false), (id) => walk.tabThrough(`${id}, 360 pixels`, TITLE, SIDEBAR));
  assert.deepEqual(walk.faults, []);
});

test('accessibility: pages that read, fail, and a state that is told on every page have names too', options, async (t) => {
  const { session, walk } = await start(t, [
    ...READS.map((call): StandInCommand => ({ do: 'hold', call })),
    { do: 'status', status: statusOf({
      state: 'degraded', degradedReasons: [{ code: 'no-bpf', text: 'The kernel refuses cgroup BPF.', remedy: 'Boot another kernel.' }],
      loadErrors: [{ file: '50-user.toml', line: 3, column: 7, message: 'expected "=" after a key' }],
    }) },
  ]);
  const drawn = (): Promise<void> => session.dark(false);
  await eachPage(session, PAGE_IDS, drawn, (id) => walk.look(`${id}, reading`));
  for (const call of READS) session.say({ do: 'refuse', call, code: 'Failed', message: 'The disk is full.' });
  for (const call of READS) session.say({ do: 'let-go', call });
  await eachPage(session, PAGE_IDS, drawn, (id) => walk.look(`${id}, failed`));
  assert.deepEqual(walk.faults, []);
});

test('accessibility: Ctrl+? lists the keys, with names, Tab and Escape', options, async (t) => {
  const { session, walk } = await start(t, []);
  await session.key('ctrl+question');
  await session.shown('label', 'Go to a Page');
  await session.screenshot('shortcuts');
  await walk.dialog(SHORTCUTS, TITLE);
  assert.deepEqual(walk.faults, []);
});

test('accessibility: every field and choice of the rule editor has a name, and Tab comes to it', options, async (t) => {
  const { session, walk } = await start(t, samples(Date.now()));
  await session.key('ctrl+n');
  await session.focus('New Rule');
  await session.click('push button', 'More');
  await session.shown('text', 'To, like 17:30');
  await walk.dialog('New Rule', TITLE);
  assert.deepEqual(walk.faults, []);
});

test('accessibility: what a toast offers is reached by Tab, which leads on from it, and Ctrl+Z takes back without it', options, async (t) => {
  const { session, walk } = await start(t, [{ do: 'rules', rules: [ruleInfoOf({ id: 'one' })] }]);
  await session.key('ctrl+3');
  await session.click('push button', 'Delete');
  await session.call('removeRule');
  await session.key('ctrl+z');
  await session.call('addRule');
  await session.click('push button', 'Delete');
  await session.shown('push button', 'Undo');
  await walk.look('toast');
  await session.focusInto('push button', 'Undo', 'shift+Tab', 8);
  await session.focusInto('push button', 'Add Rule', 'Tab', 20);
  assert.deepEqual(walk.faults, []);
});

test('accessibility: the program picker and the question before edits are lost have names, Tab and Escape, which loses no edit', options, async (t) => {
  const { session, walk } = await start(t, samples(Date.now()));
  await session.key('ctrl+n');
  await session.focus('New Rule');
  await session.click('push button', 'Pick a Program');
  await session.focus('Pick a Program');
  await walk.tabThrough('Pick a Program', 'Pick a Program');
  await session.key('Escape');
  await session.gone('frame', 'Pick a Program');
  await session.type('text', 'Ports (empty: any port)', '8443');
  await session.shown('push button', 'Save');
  await session.focus('New Rule');
  await session.key('Escape');
  await session.shown('frame', 'Discard Changes?');
  await session.focus('Discard Changes?');
  await walk.tabThrough('Discard Changes?', 'Discard Changes?');
  await session.key('Escape');
  await session.gone('frame', 'Discard Changes?');
  await session.shown('frame', 'New Rule');
  await session.click('push button', 'Cancel');
  await session.click('push button', 'Discard');
  await session.gone('frame', 'New Rule');
  assert.deepEqual(walk.faults, []);
});

test('accessibility: the main menu and the first steps have names, Tab and Escape', options, async (t) => {
  const { session, walk } = await start(t, samples(Date.now()));
  await session.key('F10');
  await session.shown('menu item', 'First Steps');
  await walk.look('main menu');
  await session.click('menu item', 'First Steps');
  await walk.dialog('First Steps', TITLE);
  assert.deepEqual(walk.faults, []);
});

test('accessibility: the dialog before all files are hashed has names, Tab and Escape', options, async (t) => {
  const { session, walk } = await start(t, samples(Date.now()));
  await session.key('ctrl+4');
  await session.click('push button', 'Rehash All…');
  await walk.dialog('Rehash All Files', TITLE);
  assert.deepEqual(walk.faults, []);
});

test('accessibility: the question and the list of questions have names, and Tab comes to every choice', options, async (t) => {
  const session = await DesktopSession.start(t);
  const walk = new AccessibleWalk(session);
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf({ timeout_ms: 120_000, expires_in_ms: 120_000 }) });
  await session.shown('push button', 'Deny');
  await session.click('push button', 'Details');
  await session.focus('curl wants to connect');
  await walk.tabThrough('question', 'curl wants to connect');
  for (const [nonce, path] of [['b', '/usr/bin/git'], ['c', '/usr/bin/ssh']] as const) {
    session.say({ do: 'raise', prompt: promptOf({ id: nonce, nonce, path, application: path.slice(9), timeout_ms: 120_000, expires_in_ms: 120_000 }) });
  }
  await session.click('push button', '2 more are waiting');
  await session.dark(false);
  await walk.look('list of questions');
  assert.deepEqual(walk.faults, []);
});
