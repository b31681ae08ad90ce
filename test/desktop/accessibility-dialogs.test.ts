/** Dialogs, side panels and menus, as another process finds them: every control has a name, the keyboard comes to it, and Escape leads back. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { ABOUT, AccessibleWalk } from './accessible-walk.ts';
import { changedApplication, sampleFlowsOf, sampleProposals, sampleSeries } from './application-samples.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import { sampleFlows } from './flow-samples.ts';
import { importSummaryOf, promptOf, ruleInfoOf, sampleRules } from './samples.ts';
import type { StandInCommand } from './stand-in-main.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
const TITLE = 'Bastion Firewall';
const BACKUP = '/usr/local/bin/backup';

/** The window on a page, by the number of its key. */
async function start(t: TestContext, page: number, commands: readonly StandInCommand[]): Promise<{ readonly session: DesktopSession; readonly walk: AccessibleWalk }> {
  const session = await DesktopSession.start(t, { arguments: [] });
  for (const command of commands) session.say(command);
  await session.connect();
  await session.shown('frame', TITLE);
  await session.pointAt(600, 24);
  await session.focus(TITLE);
  await session.key(`ctrl+${String(page)}`);
  return { session, walk: new AccessibleWalk(session) };
}

test('accessibility: the page of an application and the dialogs on it have names, Tab and Escape', options, async (t) => {
  const now = Date.now();
  const { session, walk } = await start(t, 4, [
    { do: 'answer', call: 'listApplications', value: [changedApplication({ first_seen_ms: now - 9e8, last_seen_ms: now - 60_000 })] },
    { do: 'answer', call: 'historyTotals hour', value: sampleSeries(now) },
    { do: 'flows', flows: sampleFlowsOf(BACKUP, now) }, { do: 'rules', rules: [ruleInfoOf({ id: 'backup-ssh', path: BACKUP, port: '22', hits: 3 })] },
  ]);
  await session.shown('label', '1 application, 1 changed');
  await walk.menu('Order', TITLE, ['Name', 'Most traffic']);
  await session.focusInto('list item', 'backup, changed, /usr/local/bin/backup', 'Tab', 20);
  await session.key('Return');
  await session.shown('label', 'Where It Connects');
  await walk.tabThrough('application', TITLE);
  await session.click('push button', 'Rehash…');
  await session.shown('push button', 'Accept File');
  await walk.dialog('Accept This File?', TITLE);
  await session.click('push button', 'Block Everything…');
  await session.focused('push button', 'Cancel');
  await walk.look('block everything');
  assert.deepEqual(walk.faults, []);
});

test('accessibility: the explanation of a connection, the menu of the history and a time of one’s own have names, Tab and Escape', options, async (t) => {
  const { session, walk } = await start(t, 2, [{ do: 'flows', flows: sampleFlows(Date.now()) }, { do: 'rules', rules: sampleRules(Date.now()) }]);
  await session.shown('label', 'git');
  await walk.menu('More', TITLE);
  await session.focusInto('push button', 'Time, Today', 'Tab', 20);
  // The last of the list asks for a time of one's own.
  await session.key('space');
  await session.dark(false);
  await walk.look('times');
  await session.key('End', 'Return');
  await session.shown('frame', 'Custom Range');
  await walk.dialog('Custom Range', TITLE);
  // The list is behind the last of the chips.
  await session.focusInto('push button', 'Everybody’s', 'Tab', 20);
  await session.key('Tab', 'Home');
  await session.key('Return');
  await session.shown('push button', 'Copy Details');
  await walk.tabThrough('explanation', TITLE);
  await session.key('Escape');
  await session.gone('push button', 'Copy Details');
  assert.deepEqual(walk.faults, []);
});

test('accessibility: the import of rules and the menus of the rules page have names, Tab and Escape', options, async (t) => {
  const item = { file: '', source: 'rule “web”', text: 'the process is matched by its path only' } as const;
  const report = { items: [{ ...item, outcome: 'review', line: 3 }, { ...item, outcome: 'kept', line: 1 }], summary: importSummaryOf({ kept: 1, review: 1, ids: ['web', 'mail'] }) };
  const { session, walk } = await start(t, 3, [{ do: 'rules', rules: sampleRules(Date.now()) }, { do: 'answer', call: 'importRules', value: report }]);
  const file = join(session.home, 'theirs.json');
  await writeFile(file, '{}');
  await session.shown('label', 'curl may reach any host for encrypted web (443).');
  await walk.menu('Order, Import and Export', TITLE);
  await session.click('push button', 'Order, Import and Export', 1);
  await session.click('menu item', 'Import…');
  await session.shown('push button', 'Choose a File…');
  await session.focus('Import Rules');
  await walk.tabThrough('import, no file', 'Import Rules');
  await session.click('push button', 'Choose a File…');
  await session.chooseFile('Choose a File With Rules', file);
  await session.shown('label', '1 rule unchanged and 1 to check');
  await walk.dialog('Import Rules', TITLE);
  assert.deepEqual(walk.faults, []);
});

test('accessibility: a question of the inbox has names, Tab and Escape', options, async (t) => {
  const kept = promptOf({ id: 'p7', nonce: 'kept', status: 'expired', expires_in_ms: 0, lifetimes: ['until', 'always'], default_lifetime: 'always' });
  const { session, walk } = await start(t, 7, [{ do: 'keep', prompt: kept }]);
  await session.click('push button', 'Answer…');
  await session.shown('push button', 'Deny');
  await walk.dialog('curl wants to connect', TITLE);
  assert.deepEqual(walk.faults, []);
});

test('accessibility: the window about the program has names, Tab and Escape', options, async (t) => {
  const { session, walk } = await start(t, 5, [{ do: 'answer', call: 'proposeRules', value: sampleProposals(Date.now()) }]);
  await session.key('F10');
  await session.click('menu item', 'About Bastion Firewall');
  await walk.dialog(ABOUT, TITLE);
  assert.deepEqual(walk.faults, []);
});
