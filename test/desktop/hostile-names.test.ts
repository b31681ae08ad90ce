/** Names that somebody chose to deceive, wherever they are shown: seen whole, as plain text, and nothing else moves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { PAGE_IDS } from '../../desktop/ui/page.ts';
import type { PageId } from '../../desktop/ui/page.ts';
import { applicationOf, changedApplication, proposalOf } from './application-samples.ts';
import { NotificationStub, WatcherStub, unpacked } from './bus-services.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import { flowOf } from './flow-samples.ts';
import { COMPLAINT, NARROW_PX, UNSEEN, assertHarmless, faults } from './hostile-looks.ts';
import { HOSTILE_NAMES, spoiledAll } from './hostile-samples.ts';
import { SAMPLE_NETWORK, findingOf, importSummaryOf, promptOf, ruleInfoOf, simulationOf, simulationRowOf, trafficOf } from './samples.ts';
import type { StandInCommand } from './stand-in-main.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
const TITLE = 'Bastion Firewall';
/** The question's window, which nothing in it makes wider. */
const PROMPT_PX = 440;
const KINDS = Object.keys(HOSTILE_NAMES);

const flowId = (at: number): string => `f${(1000 - at).toString(36)}`;
const PROMPTS = spoiledAll((kind, at) => promptOf({
  id: kind, nonce: `nonce-${kind}`, package: 'curl', package_summary: 'A tool', script: at % 2 === 0 ? '/usr/bin/script' : '', lifetimes: ['once', 'always'],
  raised_ms: Date.now(), timeout_ms: 120_000, expires_in_ms: 120_000,
}));
const RULES = spoiledAll((kind) => ruleInfoOf({
  id: kind, name: 'x', group: 'x', address: '', port: 'x', protocol: 'x', user: 'x', domain: 'x', profile: 'x', zone: 'x', interface: 'x', package: 'x',
}));
const FLOWS = spoiledAll((_kind, at) => flowOf({ id: flowId(at), time_ms: Date.now() - at * 1000, ...(at % 2 === 0 ? { action: 'deny', reason: 'default-action' } : {}) }));
const REASONS = spoiledAll(() => ({ code: 'x', text: 'x', remedy: 'x' }));

/** Everything that a helper tells, spoiled. */
function commands(): readonly StandInCommand[] {
  const applications = [...spoiledAll((kind) => applicationOf({ id: kind })), ...spoiledAll((kind) => changedApplication({ id: `changed-${kind}`, interpreter: '/usr/bin/x' }))];
  return [
    { do: 'status', status: { state: 'degraded', version: '3.0.0', profile: HOSTILE_NAMES['markup'] ?? '', degradedReasons: REASONS, loadErrors: spoiledAll(() => ({ file: 'x', line: 1, column: 1, message: 'x' })) } },
    { do: 'rules', rules: RULES }, { do: 'flows', flows: FLOWS },
    { do: 'traffic', traffic: spoiledAll((_kind, at) => trafficOf('/usr/bin/x', 1000 * at, 10)), minutes: [] },
    { do: 'network', network: {
      interfaces: SAMPLE_NETWORK.interfaces.flatMap((one) => spoiledAll(() => one)).slice(0, 20), zones: spoiledAll(() => ({ id: 'x', patterns: ['x'], interfaces: ['x'], addresses: ['x'], used_by: ['x'] })),
      state: { connections: Object.values(HOSTILE_NAMES), ssids: Object.values(HOSTILE_NAMES), gateways: spoiledAll(() => ({ address: 'x', mac: 'x' })), profile: 'home' },
      profiles: spoiledAll((id) => ({ id, name: 'x', active: false, chosen: false, recognized: false, is_default: false, has_network: true })),
    } },
    { do: 'answer', call: 'listApplications', value: applications },
    { do: 'answer', call: 'proposeRules', value: [
      ...spoiledAll(() => proposalOf({ rule: { action: 'allow', name: 'x', group: 'x', path: '/usr/bin/x', domain: 'x' } })),
      ...spoiledAll(() => proposalOf({ kind: 'left-out', reasons: ['x'], reason_connections: [1] })),
    ] },
    { do: 'answer', call: 'reviewRules', value: spoiledAll((kind) => findingOf({ kind: 'missing', rule_id: kind, path: '/usr/bin/x' })) },
    { do: 'answer', call: 'simulateRules', value: { summary: simulationOf({ allowed_connections: 20, allowed_applications: 20 }), rows: spoiledAll(() => simulationRowOf()) } },
    { do: 'answer', call: 'listLists', value: spoiledAll((id) => ({
      id, name: 'x', source: 'x', format: 'x', entries: 1, domains: 1, prefixes: 0, exceptions: 0, ignored: 0, updated_ms: 0, next_ms: 0, error: 'x', updating: false, used_by: ['x'],
    })) },
    { do: 'answer', call: 'selfTest', value: spoiledAll(() => ({ name: 'x', ok: false, detail: 'x' })) },
    { do: 'answer', call: 'importRules', value: { items: spoiledAll(() => ({ file: 'x', line: 1, source: 'x', text: 'x', outcome: 'review' })), summary: importSummaryOf({ review: 14, ids: KINDS }) } },
    ...PROMPTS.map((prompt): StandInCommand => ({ do: 'keep', prompt: { ...prompt, status: 'expired', expires_in_ms: 0 } })),
  ];
}

async function openWindow(t: TestContext): Promise<DesktopSession> {
  const session = await DesktopSession.start(t, { arguments: [] });
  await session.shown('label', 'Overview');
  for (const command of commands()) session.say(command);
  await session.connect();
  await session.pointAt(180, 400);
  await session.focus(TITLE);
  await session.resize(TITLE, NARROW_PX, 900);
  await session.shown('push button', 'Back');
  return session;
}

async function openPage(session: DesktopSession, page: PageId): Promise<void> {
  await session.key(`ctrl+${String(PAGE_IDS.indexOf(page) + 1)}`);
  // The answer comes when it has been drawn.
  await session.dark(false);
}

for (const page of PAGE_IDS) {
  test(`hostile names: the page ${page} shows them as plain text and keeps its width`, options, async (t) => {
    const session = await openWindow(t);
    await openPage(session, page);
    await session.screenshot(`hostile-${page}`);
    await assertHarmless(session, page);
  });
}

test('hostile names: a question, its details and the list of those that wait keep to the window', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  for (const prompt of PROMPTS) session.say({ do: 'raise', prompt });
  await session.shown('push button', 'Deny');
  await session.shown('push button', `${String(PROMPTS.length - 1)} more are waiting`);
  await session.click('push button', 'Details');
  await session.shown('label', 'Started by');
  await session.screenshot('hostile-prompt');
  const texts = async (): Promise<readonly string[]> => (await session.words()).flatMap(({ said }) => said);
  assert.deepEqual(faults(await texts()), []);
  await session.click('push button', `${String(PROMPTS.length - 1)} more are waiting`);
  await session.shown('label', `${String(PROMPTS.length)} programs are waiting`);
  await session.screenshot('hostile-prompt-list');
  assert.deepEqual(faults(await texts()), []);
  assert.deepEqual((await session.bounds()).filter(({ role, width }) => role === 'frame' && width > PROMPT_PX), []);
  assert.doesNotMatch(session.app.stderr, COMPLAINT);
});

test('hostile names: each as a notification and in the tray’s menu is one line of text, and a server takes none for markup', options, async (t) => {
  const stubs: { readonly server: NotificationStub; readonly host: WatcherStub }[] = [];
  t.after(() => { for (const { server, host } of stubs) { server.stop(); host.stop(); } });
  const session = await DesktopSession.start(t, {
    before: async (address) => { stubs.push({ server: await NotificationStub.start(address), host: await WatcherStub.start(address) }); },
  });
  const [stub] = stubs;
  assert.ok(stub !== undefined);
  const { sender } = await stub.host.registered.next();
  await session.connect();
  for (const prompt of PROMPTS) {
    session.say({ do: 'raise', prompt });
    const { summary, body, actions } = await stub.server.shown.next();
    assert.deepEqual(faults([summary, ...actions.values()]), [], prompt.id);
    assert.doesNotMatch(body, /<|&(?!(?:amp|lt|gt|quot|apos);)/u, `${prompt.id}: markup in the body`);
    assert.doesNotMatch(body, UNSEEN, prompt.id);
    const [, layout] = await stub.host.call(sender, '/MenuBar', 'com.canonical.dbusmenu', 'GetLayout', 'iias', [0, -1, []]);
    const labels = [...JSON.stringify(unpacked(layout)).matchAll(/"label":("(?:[^"\\]|\\.)*")/gu)].map(([, label = '""']) => JSON.parse(label) as string);
    assert.deepEqual(faults(labels), [], `${prompt.id}: the tray’s menu`);
    session.say({ do: 'end', nonce: prompt.nonce, why: 'withdrawn' });
    await stub.server.closed.next();
  }
  assert.doesNotMatch(session.app.stderr, COMPLAINT);
});
