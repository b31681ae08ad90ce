/** Names that somebody chose to deceive, in what opens: details, the editor, questions, reports, short messages, a portal. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { PAGE_IDS } from '../../desktop/ui/page.ts';
import type { PageId } from '../../desktop/ui/page.ts';
import { until } from '../integration/support.ts';
import { changedApplication, sampleSeries } from './application-samples.ts';
import { PortalStub, WatcherStub, unpacked } from './bus-services.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import type { SessionOptions } from './desktop-session.ts';
import { explanationOf, flowOf } from './flow-samples.ts';
import { COMPLAINT, LITERAL, NARROW_PX, assertHarmless, faults } from './hostile-looks.ts';
import { HOSTILE_NAMES, mixed, spoiled, spoiledAll } from './hostile-samples.ts';
import { importSummaryOf, promptOf, ruleInfoOf, simulationOf, simulationRowOf } from './samples.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
const TITLE = 'Bastion Firewall';
const MARKUP = HOSTILE_NAMES['markup'] ?? '';
const KINDS = Object.keys(HOSTILE_NAMES);
const MOST_TABS = 30;
/** Of a question before something that matters, whatever it names. */
const QUESTION_PX = 390;
/** Numbers of the names that texts begin with, so that each text has been several of them. */
const STARTS = [0, 5, 10] as const;
/** All of them in one line of the helper's, the first with a word that no window is wide enough for. */
const MESSAGE = [MARKUP, 'W'.repeat(120), ...Object.values(HOSTILE_NAMES).map((name) => name.slice(0, 40))].join(' ');

/** The helper refuses this call, and says why. */
function refuse(session: DesktopSession, call: string): void {
  session.say({ do: 'refuse', call, code: 'InvalidArgument', message: MESSAGE });
}

/** The window, 360 pixels wide, with one of its pages. */
async function openPage(t: TestContext, page: PageId, setUp: (session: DesktopSession) => void, more: SessionOptions = {}): Promise<DesktopSession> {
  const session = await DesktopSession.start(t, { arguments: [], ...more });
  await session.shown('label', 'Overview');
  setUp(session);
  await session.connect();
  await session.pointAt(180, 24);
  await session.focus(TITLE);
  await session.resize(TITLE, NARROW_PX, 900);
  await session.shown('push button', 'Back');
  await session.key(`ctrl+${String(PAGE_IDS.indexOf(page) + 1)}`);
  return session;
}

/** Opens the only rule: its sentence is a button. */
async function openRule(session: DesktopSession): Promise<void> {
  const name = await until('the sentence of the rule', async () => {
    const found = (await session.tree()).find((one) => one.role === 'push button' && one.name.includes(' may '));
    return found?.name ?? null;
  }, 20_000);
  await session.click('push button', name);
}

/** Presses the row of the only application, once it has been drawn. */
async function pressApplication(session: DesktopSession): Promise<void> {
  const row = await until('the application', async () => (
    (await session.bounds()).find(({ role, name, width }) => role === 'list item' && name.includes(', changed') && width > 0) ?? null
  ), 20_000);
  await session.press(row.x + 60, row.y + 20);
}

const FLOW = flowOf({ time_ms: Date.now(), script: '/opt/script.py', flatpak: '', rule_id: 'curl-example' });
/** Everything that the details of a connection can say. */
const EXPLAINED = {
  ...explanationOf(FLOW), program: 'x', lineage: 'x', evidence_text: 'x', next_text: 'x', next_rule_id: 'other', missed_rule_id: 'other', missed_because: 'x',
  because: 'x', by_name: 'x', text: 'x',
};

for (const from of STARTS) {
  test(`hostile names: why a connection was decided is plain text, names from number ${String(from)} on`, options, async (t) => {
    const session = await openPage(t, 'activity', (one) => {
      one.say({ do: 'rules', rules: [spoiled(ruleInfoOf({ name: 'x' }), MARKUP), mixed(ruleInfoOf({ id: 'other', name: 'x' }), from)] });
      one.say({ do: 'flows', flows: [mixed(FLOW, from)] });
      one.say({ do: 'explanation', flow: FLOW.id, explanation: { ...mixed(EXPLAINED, from), flow_info: mixed(FLOW, from + 7) } });
    });
    await session.focusInto('push button', 'Everybody’s', 'Tab', MOST_TABS);
    await session.key('Tab', 'Return');
    await session.shown('push button', 'Copy Details');
    await session.dark(false);
    await session.screenshot(`hostile-details-${String(from)}`);
    await assertHarmless(session, `details, from ${String(from)}`);
  });
}

for (const from of STARTS) {
  test(`hostile names: the rule editor spells out what a field cannot show, and its sentence and effect are plain text, names from number ${String(from)} on`, options, async (t) => {
    const rule = ruleInfoOf({ name: 'x', group: 'x', port: '443', user: 'x', domain: 'x', profile: 'x', zone: 'x', interface: 'x', package: 'x', script: '/opt/x', ancestor: 'path:/opt/x' });
    const effect = { summary: simulationOf({ allowed_connections: 20, allowed_applications: 20 }), rows: spoiledAll(() => simulationRowOf()) };
    const session = await openPage(t, 'rules', (one) => {
      one.say({ do: 'rules', rules: [mixed(rule, from)] });
      one.say({ do: 'answer', call: 'simulateRules', value: effect });
      one.say({ do: 'answer', call: 'profiles', value: spoiledAll((id) => ({ id, name: 'x', active: false, chosen: false, recognized: false, is_default: false, has_network: true })) });
    });
    await openRule(session);
    await session.shown('label', 'Edit Rule');
    await session.resize('Edit Rule', NARROW_PX, 900);
    await session.dark(false);
    await session.screenshot(`hostile-editor-${String(from)}`);
    await assertHarmless(session, `editor, from ${String(from)}`, { asItIs: ['text'] });
  });
}

test('hostile names: what the helper complains of is one plain text in a short message, a question, the editor and a page', options, async (t) => {
  const session = await openPage(t, 'rules', (one) => {
    one.say({ do: 'rules', rules: [ruleInfoOf({ group: 'Home' }), ruleInfoOf({ id: 'b', path: '/usr/bin/ssh', group: 'Home' })] });
    for (const call of ['setGroup', 'updateRule', 'addRule', 'importRules', 'listApplications', 'groupFlows', 'indexFlows', 'proposeRules', 'listInterfaces']) refuse(one, call);
  });
  await session.click('check box', 'Home');
  await assertHarmless(session, 'a short message');
  await session.screenshot('hostile-message');
  for (const page of ['activity', 'applications', 'suggestions', 'network'] as const) {
    await session.focus(TITLE);
    await session.key(`ctrl+${String(PAGE_IDS.indexOf(page) + 1)}`);
    await session.shown('push button', 'Try Again');
    await session.dark(false);
    await session.screenshot(`hostile-refused-${page}`);
    await assertHarmless(session, `the page ${page}, refused`);
  }
  await session.key(`ctrl+${String(PAGE_IDS.indexOf('rules') + 1)}`);
  await session.click('push button', 'curl may reach any host for encrypted web (443).');
  await session.type('text', 'Ports (empty: any port)', '80');
  await session.click('push button', 'Save');
  await session.call('updateRule');
  await session.resize('Edit Rule', NARROW_PX, 900);
  await session.dark(false);
  await session.screenshot('hostile-editor-refused');
  await assertHarmless(session, 'a refusal in the editor');
});

test('hostile names: the report of an import, and what it complains of, are plain text', options, async (t) => {
  const outcomes = ['review', 'changed', 'skipped', 'kept'] as const;
  const items = spoiledAll((_kind, at) => ({ file: 'x', line: at, source: 'x', text: 'x', outcome: outcomes[at % 4] ?? 'kept' }))
    .map((item, at) => ({ ...item, outcome: outcomes[at % 4] ?? 'kept' }));
  const session = await openPage(t, 'rules', (one) => {
    one.say({ do: 'rules', rules: [ruleInfoOf({})] });
    one.say({ do: 'answer', call: 'importRules', value: { items, summary: importSummaryOf({ review: 14, ids: KINDS, guess: MESSAGE, settings: MESSAGE, applications: MESSAGE }) } });
  });
  const file = join(session.home, 'theirs.json');
  await writeFile(file, '{}');
  await session.click('push button', 'Order, Import and Export', 1);
  await session.click('menu item', 'Import…');
  await session.click('push button', 'Choose a File…');
  await session.chooseFile('Choose a File With Rules', file);
  await session.shown('label', '14 to check');
  await session.resize('Import Rules', NARROW_PX, 800);
  await session.dark(false);
  await session.screenshot('hostile-import');
  await assertHarmless(session, 'the report');
  refuse(session, 'importRules');
  await session.click('push button', `Add ${String(KINDS.length)} Rules`);
  await session.call('importRules');
  await assertHarmless(session, 'the report, refused');
});

for (const from of STARTS) {
  test(`hostile names: the page of an application, the question before blocking it, and what is said after, names from number ${String(from)} on`, options, async (t) => {
    const now = Date.now();
    const application = mixed(changedApplication({ interpreter: '/usr/bin/x', package: 'x', first_seen_ms: now - 9e8, last_seen_ms: now }), from);
    const flows = spoiledAll((_kind, at) => flowOf({ id: `f${(900 - at).toString(36)}`, time_ms: now - at * 1000, ended_ms: now, sent_bytes: 1000, ...(at % 2 === 0 ? { action: 'deny', reason: 'default-action' } : {}) }));
    const session = await openPage(t, 'applications', (one) => {
      one.say({ do: 'answer', call: 'listApplications', value: [application] });
      one.say({ do: 'answer', call: 'historyTotals hour', value: sampleSeries(now) });
      one.say({ do: 'flows', flows: flows.map((flow) => ({ ...flow, path: application.path })) });
      one.say({ do: 'rules', rules: spoiledAll((id) => ruleInfoOf({ id, name: 'x', domain: 'x', group: 'x' })).map((rule) => ({ ...rule, path: application.path })) });
      for (const flow of flows) one.say({ do: 'explanation', flow: flow.id, explanation: mixed(EXPLAINED, from) });
    });
    await pressApplication(session);
    await session.shown('label', 'Where It Connects');
    await session.screenshot(`hostile-application-${String(from)}`);
    await assertHarmless(session, `application, from ${String(from)}`);
    await session.click('push button', 'Block Everything…');
    await session.focused('push button', 'Cancel');
    await session.dark(false);
    await session.screenshot(`hostile-block-${String(from)}`);
    await assertHarmless(session, `question, from ${String(from)}`, { width: QUESTION_PX });
    refuse(session, 'addRule');
    await session.click('push button', 'Block Everything');
    await session.call('addRule');
    await session.dark(false);
    await assertHarmless(session, `question, refused, from ${String(from)}`, { width: QUESTION_PX });
    session.say({ do: 'accept', call: 'addRule' });
    await session.click('push button', 'Block Everything');
    await session.call('addRule');
    await session.shown('push button', 'Undo');
    await session.dark(false);
    await session.screenshot(`hostile-blocked-${String(from)}`);
    await assertHarmless(session, `what is said, from ${String(from)}`);
  });
}

test('hostile names: what is asked before a changed file is accepted, and why it is not, are plain text', options, async (t) => {
  const session = await openPage(t, 'applications', (one) => {
    one.say({ do: 'answer', call: 'listApplications', value: [spoiled(changedApplication({ interpreter: '/usr/bin/x', package: 'x' }), MARKUP)] });
    for (const call of ['rehash', 'rehashAll']) refuse(one, call);
  });
  await pressApplication(session);
  await session.click('push button', 'Rehash…');
  await session.focused('push button', 'Cancel');
  await session.resize('Accept This File', NARROW_PX, 700);
  await session.dark(false);
  await assertHarmless(session, 'before');
  await session.click('push button', 'Accept File');
  await session.call('rehash');
  await session.dark(false);
  await session.screenshot('hostile-rehash');
  await assertHarmless(session, 'refused');
});

test('hostile names: a question at 360 pixels and with text of twice the size is as wide as any other', options, async (t) => {
  const session = await DesktopSession.start(t, { textScale: 2 });
  await session.connect();
  const prompts = spoiledAll((kind) => promptOf({
    id: kind, nonce: `nonce-${kind}`, package: 'curl', package_summary: 'A tool', script: '/usr/bin/script', raised_ms: Date.now(), timeout_ms: 120_000, expires_in_ms: 120_000,
  }));
  const widths: number[] = [];
  for (const prompt of [promptOf({ timeout_ms: 120_000, expires_in_ms: 120_000 }), ...prompts]) {
    session.say({ do: 'raise', prompt });
    await session.shown('push button', 'Deny');
    await session.resize('', NARROW_PX, 900);
    await session.dark(false);
    if (prompt.id === 'markup' || prompt.id === 'long') await session.screenshot(`hostile-prompt-360-${prompt.id}`);
    const bounds = await session.bounds();
    widths.push(Math.max(...bounds.filter(({ role }) => role === 'frame').map(({ width }) => width)));
    const outside = bounds.filter(({ role, x, width }) => role !== 'panel' && (x < 0 || x + width > NARROW_PX)).map(({ role, name }) => `${role} ${name.slice(0, 60)}`);
    assert.deepEqual(outside, [], `${prompt.id}: outside of the window`);
    assert.deepEqual(faults((await session.words()).flatMap(({ said }) => said)), [], prompt.id);
    session.say({ do: 'end', nonce: prompt.nonce, why: 'withdrawn' });
    await session.gone('push button', 'Deny');
  }
  assert.equal(new Set(widths).size, 1, `widths: ${widths.join(', ')}`);
  assert.doesNotMatch(session.app.stderr, COMPLAINT);
});

test('hostile names: through the portal a question is plain text, with no markup and no second line', options, async (t) => {
  const portals: PortalStub[] = [];
  t.after(() => { portals.forEach((portal) => { portal.stop(); }); });
  const session = await DesktopSession.start(t, {
    environment: { NOTIFY_FORCE_PORTAL: '1' }, before: async (address) => { portals.push(await PortalStub.start(address)); },
  });
  const [portal] = portals;
  assert.ok(portal !== undefined);
  await session.connect();
  for (const prompt of spoiledAll((kind) => promptOf({ id: kind, nonce: `nonce-${kind}`, script: '/usr/bin/script' }))) {
    session.say({ do: 'raise', prompt });
    const { content } = await portal.added.next();
    const { title, body, buttons } = content as { readonly title: string; readonly body: string; readonly buttons: readonly { readonly label: string }[] };
    assert.deepEqual(faults([title, body, ...buttons.map(({ label }) => label)]), [], prompt.id);
    // The portal takes no markup: nothing is escaped for it either.
    if (prompt.id === 'markup') assert.ok(title.includes(LITERAL) && body.includes(LITERAL), `${title}\n${body}`);
    session.say({ do: 'end', nonce: prompt.nonce, why: 'withdrawn' });
    await portal.removed.next();
  }
  const own = session.app.stderr.split('\n').filter((line) => !line.includes('libnotify-'));
  assert.doesNotMatch(own.join('\n'), COMPLAINT);
});

test('hostile names: the shield’s own words in the tray are plain text, whatever the helper says of its state', options, async (t) => {
  const hosts: WatcherStub[] = [];
  t.after(() => { hosts.forEach((host) => { host.stop(); }); });
  const session = await DesktopSession.start(t, { before: async (address) => { hosts.push(await WatcherStub.start(address)); } });
  const [host] = hosts;
  assert.ok(host !== undefined);
  const { sender } = await host.registered.next();
  await session.connect();
  await host.signals.next((name) => name === 'NewIcon');
  const shown = async (): Promise<readonly string[]> => {
    const [properties] = await host.call(sender, '/StatusNotifierItem', 'org.freedesktop.DBus.Properties', 'GetAll', 's', ['org.kde.StatusNotifierItem']);
    const [, layout] = await host.call(sender, '/MenuBar', 'com.canonical.dbusmenu', 'GetLayout', 'iias', [0, -1, []]);
    return textsOf([unpacked(properties), unpacked(layout)]);
  };
  const asked = (texts: readonly string[]): boolean => texts.includes('Deny Once');
  for (const [kind, name] of Object.entries(HOSTILE_NAMES)) {
    session.say({ do: 'status', status: { state: 'degraded', profile: name, degradedReasons: [{ code: 'x', text: name, remedy: name }] } });
    const prompt = spoiled(promptOf({ id: kind, nonce: kind }), name);
    session.say({ do: 'raise', prompt });
    const texts = await until(`${kind}: the question in the menu`, async () => {
      const found = await shown();
      return asked(found) ? found : null;
    }, 20_000);
    assert.deepEqual(faults(texts), [], kind);
    session.say({ do: 'end', nonce: prompt.nonce, why: 'withdrawn' });
    await until(`${kind}: no question in the menu`, async () => (asked(await shown()) ? null : true), 20_000);
  }
  assert.doesNotMatch(session.app.stderr, COMPLAINT);
});

/** Every text in a value. */
function textsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : [];
}
