/** The overview: what goes on, what was refused, and the states that end by a button. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import { flowOf, promptOf, ruleInfoOf, statusOf, trafficOf, SAMPLE_NETWORK } from './samples.ts';
import type { TotalsInfo } from '../../helper/contract/types.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };

const MINUTE_MS = 60_000;

/** A quiet quarter of an hour with one download in it. */
function minutes(): readonly TotalsInfo[] {
  const now = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
  return [6, 5, 4, 3, 2, 1].map((ago) => trafficOf('', ago === 3 ? 70_000_000 : 3_000_000 * ago, ago === 2 ? 24_000_000 : 1_000_000, { time_ms: now - ago * MINUTE_MS }));
}

function traffic(step: number): readonly TotalsInfo[] {
  return [
    trafficOf('/usr/bin/curl', 90_000_000 + step * 800_000, 4_000_000 + step * 30_000), trafficOf('/usr/lib/firefox/firefox', 512_000_000 + step * 250_000, 30_000_000 + step * 120_000),
    trafficOf('/usr/bin/ssh', 2_400_000 + step * 900, 800_000 + step * 700), trafficOf('/usr/bin/git', 44_000_000, 1_000_000),
    trafficOf('/usr/lib/systemd/systemd-timesyncd', 4000, 4000), trafficOf('/usr/bin/rsync', 100, 100),
  ];
}

/** Another reading each second, as a helper would give it, until `done`. */
async function flowing<T>(session: DesktopSession, done: Promise<T>): Promise<T> {
  let step = 0;
  session.say({ do: 'traffic', traffic: traffic(step), minutes: minutes() });
  const timer = setInterval(() => {
    step += 1;
    session.say({ do: 'traffic', traffic: traffic(step) });
  }, 500);
  return done.finally(() => { clearInterval(timer); });
}

const now = Date.now();
const REFUSED = [
  flowOf({ id: 'f9', time_ms: now - 4000, action: 'deny', reason: 'default-action', rule_id: '', path: '/usr/bin/curl', host: 'tracker.example', uid: 1000 }),
  flowOf({ id: 'f8', time_ms: now - 9000, action: 'deny', reason: 'default-action', rule_id: '', path: '/usr/bin/curl', host: 'tracker.example', uid: 1000 }),
  flowOf({ id: 'f7', time_ms: now - 200_000, action: 'drop', rule_id: 'telemetry', path: '/opt/vendor/telemetry-agent', host: 'collect.example', port: 8443 }),
  flowOf({ id: 'f6', time_ms: now - 7_200_000, action: 'deny', reason: 'default-action', rule_id: '', path: '', host: '', address: '198.51.100.9', port: 23 }),
];

test('overview: live traffic, the most active programs, and what was refused with what to do about it', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'flows', flows: REFUSED });
  session.say({ do: 'network', network: SAMPLE_NETWORK });
  session.say({ do: 'rules', rules: [ruleInfoOf({ id: 'telemetry', name: 'Vendor telemetry', action: 'drop', path: '/opt/vendor/telemetry-agent' })] });
  await session.resize('Bastion Firewall', 900, 950);
  await flowing(session, (async () => {
    await session.connect();
    await session.shown('label', 'Protecting');
    await session.shown('image', 'Traffic over time, in above and out below');
    await session.shown('label', 'curl');
    await session.call('totals');
    await session.call('totals');
    await session.call('totals');
    await session.shown('label', 'curl to tracker.example');
    await session.screenshot('overview');
    await session.dark(true);
    await session.screenshot('overview-dark');
    await session.dark(false);
    await session.click('push button', 'Allow…');
    await session.shown('label', 'New Rule');
    await session.shown('label', 'curl may reach tracker.example for encrypted web (443), as user 1000.');
    await session.screenshot('overview-allow');
  })());
});

test('overview: at 360 pixels, every counter and the waiting questions are there', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'flows', flows: REFUSED });
  session.say({ do: 'network', network: SAMPLE_NETWORK });
  await flowing(session, (async () => {
    await session.connect();
    await session.resize('Bastion Firewall', 360, 950);
    await session.shown('push button', 'Back');
    await session.call('totals');
    await session.call('totals');
    await session.shown('label', 'Refused');
    await session.shown('label', 'Packets');
    await session.screenshot('overview-narrow');
    await session.pointAt(180, 600);
    await session.scroll(60);
    await session.screenshot('overview-narrow-end');
    session.say({ do: 'raise', prompt: promptOf() });
    await session.shown('label', '1 question waiting');
  })());
});

test('overview: a refusal to show traffic is asked once, and again only when the person wants it', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'refuse', call: 'totals', code: 'NotAuthorized', message: '' });
  await session.connect();
  await session.shown('label', 'Seeing traffic needs a password');
  await session.call('totals');
  // Other news of the helper asks nothing again.
  session.say({ do: 'status', status: { statistics: { ...statusOf().statistics, denied: 987 } } });
  await session.shown('label', '987');
  assert.ok(!session.app.pending.some((line) => /^\{"call":"(?:totals|queryFlows|historyTotals)"/.test(line)));
  session.say({ do: 'accept', call: 'totals' });
  session.say({ do: 'traffic', traffic: traffic(0), minutes: [] });
  await session.click('push button', 'Unlock…');
  await session.shown('label', 'Your own programs.');
});

test('overview: a program’s row leads to its page, a refused one to the rule that did it', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'flows', flows: REFUSED.slice(2, 3) });
  session.say({ do: 'rules', rules: [ruleInfoOf({ id: 'telemetry', name: 'Vendor telemetry', action: 'drop', path: '/opt/vendor/telemetry-agent' })] });
  session.say({ do: 'traffic', traffic: traffic(0), minutes: [] });
  await session.connect();
  await session.shown('label', 'telemetry-agent to collect.example');
  await session.click('push button', 'Edit Rule…');
  await session.shown('label', 'Edit Rule');
});

test('banner: Safeguard Mode is said on every page, and ended by its button', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  await session.connect();
  const safeguard = { on: true, since_ms: Date.now(), refused: 90, scope: 'application', rate: 400, offenders: [{ path: '/opt/noisy/run', uid: 1000, refused: 90, rate: 400 }] };
  session.say({ do: 'answer', call: 'safeguard', value: safeguard });
  session.say({ do: 'status', status: { state: 'safeguard' } });
  await session.shown('label', 'Safeguard Mode');
  await session.screenshot('overview-safeguard');
  await session.focus('Bastion Firewall');
  for (const page of ['2', '3', '4', '5', '6', '7', '8']) {
    await session.key(`ctrl+${page}`);
    await session.shown('label', 'Safeguard Mode. Bastion Firewall detected abnormal network activity and has temporarily paused connections to protect your system. /opt/noisy/run made too many new connections.');
  }
  session.say({ do: 'refuse', call: 'endSafeguard', code: 'NotAuthorized', message: '' });
  await session.click('push button', 'End Safeguard Mode');
  await session.shown('label', 'You are not allowed to do this.');
  session.say({ do: 'accept', call: 'endSafeguard' });
  await session.click('push button', 'End Safeguard Mode');
  await session.gone('push button', 'End Safeguard Mode');
});

test('banner: a mode on trial is kept or taken back, and counts down', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  await session.connect();
  session.say({ do: 'status', status: { trial: { before: 'learning', endsMs: Date.now() + 184_000 } } });
  // No news of the helper comes meanwhile.
  await session.shown('label', 'Unless you keep it, the firewall goes back to learning in 3 min.');
  await session.screenshot('overview-trial');
  await session.focus('Bastion Firewall');
  await session.key('ctrl+6');
  await session.resize('Bastion Firewall', 360, 800);
  await session.shown('push button', 'Keep');
  await session.screenshot('banner-trial-narrow');
  await session.click('push button', 'Keep');
  assert.deepEqual((await session.call('setMode')).args, ['enforcing']);
  session.say({ do: 'status', status: { trial: { before: 'learning', endsMs: Date.now() + 184_000 } } });
  await session.click('push button', 'Go Back');
  assert.deepEqual((await session.call('setMode')).args, ['learning']);
});

test('overview: enforcing is asked about before it begins, and the row says what is until then', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'status', status: { mode: 'learning' } });
  await session.connect();
  await session.click('push button', 'Skip');
  await session.gone('label', 'Your Programs, Your Decision');
  const choose = async (mode: string, key: 'Up' | 'Down'): Promise<void> => {
    const row = (await session.bounds()).find(({ role, name }) => role === 'combo box' && name === 'Mode');
    assert.ok(row !== undefined);
    await session.press(row.x + row.width / 2, row.y + row.height / 2);
    await session.shown('label', mode);
    await session.key(key, 'Return');
  };
  await choose('Enforcing', 'Up');
  await session.shown('label', 'Start Enforcing?');
  await session.click('push button', 'Cancel');
  await session.gone('label', 'Start Enforcing?');
  assert.deepEqual(session.app.pending.filter((line) => line.includes('"setMode"')), []);
  await choose('Enforcing', 'Up');
  await session.click('push button', 'Start Enforcing');
  assert.deepEqual((await session.call('setMode')).args, ['enforcing']);
  await session.gone('label', 'Start Enforcing?');
  await choose('Learning', 'Down');
  assert.deepEqual((await session.call('setMode')).args, ['learning']);
});

test('overview: right to left, with large text and high contrast, the graph runs with the text', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [], textScale: 1.5, environment: { LANG: 'en_US.UTF-8', LANGUAGE: 'qps@rtl', ADW_DEBUG_HIGH_CONTRAST: '1' } });
  await flowing(session, (async () => {
    await session.connect();
    await session.call('totals');
    await session.call('totals');
    await session.call('totals');
    await session.screenshot('overview-right-to-left');
  })());
});
