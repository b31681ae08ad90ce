/** The activity page: connections live and past, narrowed, grouped, explained, made into rules. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FlowFilter } from '../../helper/contract/types.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import { flowOf, sampleFlows } from './flow-samples.ts';
import { ruleInfoOf } from './samples.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
const OWN_UID = process.getuid?.() ?? 0;
const TITLE = 'Bastion Firewall';
/** More than there is in a window. */
const MOST_TABS = 30;

/** Opens the page with one flow of every kind. The pointer stands beside the list, so that it moves. */
async function open(t: Parameters<typeof DesktopSession.start>[0], setup: (session: DesktopSession) => void = () => undefined, textScale = 1): Promise<DesktopSession> {
  const session = await DesktopSession.start(t, { arguments: [], textScale });
  session.say({ do: 'rules', rules: [ruleInfoOf({ name: 'curl: the web' }), ruleInfoOf({ id: 'all-curl', name: 'curl anywhere', port: '' })] });
  session.say({ do: 'flows', flows: sampleFlows(Date.now()) });
  setup(session);
  await session.connect();
  await session.pointAt(100, 500);
  await session.focus(TITLE);
  await session.key('ctrl+2');
  return session;
}

/** By the keyboard to the first row. */
async function toList(session: DesktopSession): Promise<void> {
  await session.focusInto('push button', 'Everybody’s', 'Tab', MOST_TABS);
  await session.key('Tab');
}

/** Waits for what the list shows: nothing else says that it was drawn. */
async function rowOf(session: DesktopSession, beginning: string): Promise<string> {
  const row = (await session.dump()).find((line) => line.startsWith(`panel: ${beginning}`));
  assert.ok(row !== undefined, `no row begins with ${beginning}`);
  return row;
}

/** The filter of the next look at the list. */
async function filterOf(session: DesktopSession, call = 'indexFlows'): Promise<FlowFilter> {
  return (await session.call(call)).args[0] as FlowFilter;
}

test('activity page: a row is a sentence for a screen reader, and says verdict, place and amount in words', options, async (t) => {
  const session = await open(t);
  await session.shown('label', 'curl');
  assert.match(await rowOf(session, 'curl'), /^panel: curl was allowed to reach example\.org, encrypted web \(443\), at .+\. 148 kB in, 2\.4 kB out\.$/);
  assert.match(await rowOf(session, 'git'), /was refused code\.example\.net/);
  assert.match(await rowOf(session, 'telemetry-agent'), /was silently blocked from metrics\.example\.com/);
  assert.match(await rowOf(session, 'firefox-esr'), /münchen\.de \(xn--mnchen-3ya\.de\)/);
  await session.shown('label', '9 connections');
  await session.screenshot('activity');
  await session.dark(true);
  await session.screenshot('activity-dark');
});

test('activity page: names from outside cannot hide, turn a line around or be taken for markup', options, async (t) => {
  const hostile = 'a\u{202e}b<b>&\n\u{200b}';
  const session = await open(t, (one) => {
    one.say({ do: 'flows', flows: [flowOf({
      id: 'fz', time_ms: Date.now(), path: `/tmp/${hostile}`, host: hostile, names: [hostile], protocol: hostile, rule_id: hostile, interface: hostile,
      source_address: hostile, address: hostile, script: '',
    })] });
  });
  await session.shown('label', 'a\\u{202e}b<b>&\\u{a}\\u{200b}');
  await toList(session);
  await session.key('Return');
  await session.shown('push button', 'Copy Details');
  assert.deepEqual((await session.dump()).filter((line) => /[\u{202e}\u{200b}]/u.test(line)), []);
  await session.screenshot('activity-hostile');
});

test('activity page: each chip and each typed word narrows what the helper is asked for', options, async (t) => {
  const session = await open(t);
  const first = await filterOf(session);
  assert.equal(first.uid, OWN_UID);
  assert.equal(first.since_ms, new Date().setHours(0, 0, 0, 0));
  await session.shown('label', 'curl');
  await session.key('ctrl+f');
  await session.type('entry', 'Search connections', 'BACKUP 22');
  assert.equal((await filterOf(session)).search, 'BACKUP 22');
  await session.gone('label', 'curl');
  await session.shown('label', '1 connection');
  await session.screenshot('activity-search');
  await session.type('entry', 'Search connections', 'nothing-like-this');
  await session.shown('label', 'Nothing Found');
  await session.click('push button', 'Show All');
  await session.shown('label', 'curl');
});

test('activity page: details say why, by which rule, who started it, and lead on', options, async (t) => {
  const session = await open(t, (one) => {
    one.say({ do: 'explanation', flow: 'frs', explanation: { next_rule_id: 'all-curl', because: 'port', missed_rule_id: 'all-curl', missed_because: 'lineage-unsure' } });
  });
  await session.shown('label', 'curl');
  await toList(session);
  await session.key('Return');
  assert.deepEqual((await session.call('explain')).args, ['frs']);
  await session.shown('label', 'Allowed by the rule “curl: the web”, because its ports are more exact.');
  await session.shown('label', 'Next would have been “curl anywhere”. “curl anywhere” would have allowed it, but who started the program is not certain.');
  await session.screenshot('activity-details');
  await session.click('push button', 'Make a Rule From This…');
  await session.shown('label', 'curl may not reach example.org for encrypted web (443).');
  await session.screenshot('activity-make-rule');
});

test('activity page: the details end with Escape, and the rule that decided is one click away', options, async (t) => {
  const session = await open(t);
  await session.shown('label', 'curl');
  await toList(session);
  await session.key('Return');
  await session.click('push button', 'Show Rule');
  await session.shown('label', 'curl may reach any host for encrypted web (443).');
  await session.key('ctrl+2');
  await session.click('push button', 'Close the details');
  await session.gone('push button', 'Close the details');
});

test('activity page: groups come from the helper, open into their connections, and back', options, async (t) => {
  const session = await open(t);
  await session.shown('label', 'curl');
  session.say({ do: 'flows', flows: [...sampleFlows(Date.now()), flowOf({ id: 'f2', time_ms: Date.now() - 900_000 })] });
  await session.focusInto('push button', 'Everybody’s', 'Tab', MOST_TABS);
  await session.key('shift+Tab');
  await session.key('space', 'Down', 'Return');
  assert.equal((await session.call('groupFlows')).args[1], 'application');
  await session.shown('label', '9 groups');
  await session.screenshot('activity-groups');
  await session.key('Tab', 'Tab', 'Return');
  assert.equal((await filterOf(session)).program, 'path:/usr/bin/curl');
  await session.shown('label', '2 connections');
  await session.screenshot('activity-group-open');
  await session.key('alt+Left');
  await session.shown('label', '9 groups');
});

test('activity page: live connections come in at the top, and wait while somebody points at the list', options, async (t) => {
  const session = await open(t);
  assert.deepEqual((await session.call('subscribe')).args, [{ packets: false }]);
  await session.shown('label', '9 connections');
  session.say({ do: 'observe', flows: [flowOf({ id: 'fx0', time_ms: Date.now(), path: '/usr/bin/wget' })] });
  await session.shown('label', 'wget');
  await session.shown('label', '10 connections');
  await session.pointAt(600, 300);
  // Keys come after the pointer's news: when this one has worked, the list knows of the pointer.
  await session.key('ctrl+f');
  await session.shown('entry', 'Search connections');
  session.say({ do: 'observe', flows: [flowOf({ id: 'fx1', time_ms: Date.now(), path: '/usr/bin/rsync' }), flowOf({ id: 'fx2', time_ms: Date.now(), path: '/usr/bin/scp' })] });
  await session.shown('push button', '2 new');
  assert.ok(!(await session.dump()).includes('label: rsync'));
  await session.screenshot('activity-waiting');
  session.say({ do: 'observe', flows: [flowOf({ id: 'fx0', time_ms: Date.now(), path: '/usr/bin/wget', ended_ms: Date.now(), sent_bytes: 1000, received_bytes: 77_000 })] });
  await session.shown('label', 'example.org  ·  encrypted web (443)  ·  77 kB in, 1 kB out');
  await session.click('push button', '2 new');
  await session.shown('label', 'rsync');
  await session.gone('push button', '2 new');
  await session.key('ctrl+1');
  await session.call('unsubscribe');
});

test('activity page: everybody’s connections show a lock, and a refusal goes back to one’s own', options, async (t) => {
  const session = await open(t);
  await session.shown('label', 'curl');
  assert.equal((await filterOf(session)).everybody, undefined);
  session.say({ do: 'refuse', call: 'subscribe', code: 'NotAuthorized', message: '' });
  await session.click('push button', 'Everybody’s');
  await session.shown('label', 'You are not allowed to do this.');
  assert.equal((await filterOf(session)).uid, OWN_UID);
  session.say({ do: 'accept', call: 'subscribe' });
  await session.click('push button', 'Everybody’s');
  // One call asks for the password; the list is read when it was given.
  assert.deepEqual((await session.call('subscribe')).args, [{ packets: false, everybody: true }]);
  assert.deepEqual([(await filterOf(session)).everybody, (await filterOf(session, 'queryFlows')).uid], [true, undefined]);
  await session.shown('label', 'curl');
});

test('activity page: what is empty, switched off, refused or gone says so, with the way on', options, async (t) => {
  const session = await open(t, (one) => { one.say({ do: 'flows', flows: [] }); });
  await session.shown('label', 'Nothing was recorded in this time');
  await session.screenshot('activity-empty');
  await session.click('push button', 'Any Time');
  await session.shown('label', 'Nothing has been recorded yet');
  session.say({ do: 'history', history: { enabled: false } });
  await session.key('ctrl+1', 'ctrl+2');
  await session.shown('label', 'The history is switched off');
  await session.screenshot('activity-off');
  session.say({ do: 'refuse', call: 'indexFlows', code: 'NotAuthorized', message: '' });
  await session.key('ctrl+1', 'ctrl+2');
  await session.shown('label', 'Not Allowed');
  session.say({ do: 'connected', connected: false });
  await session.shown('label', 'This page returns when the firewall service is back.');
  session.say({ do: 'accept', call: 'indexFlows' });
  session.say({ do: 'connected', connected: true });
  await session.shown('label', 'The history is switched off');
});

test('activity page: clearing asks first, and names the password', options, async (t) => {
  const session = await open(t);
  await session.shown('label', 'curl');
  await session.click('push button', 'More', 1);
  await session.click('push button', 'Clear History…');
  // Without a window manager the dialog stands in the corner, and has the keyboard when the pointer is on it.
  await session.pointAt(190, 40);
  await session.keyUntil('alt+l', 'clearHistory');
  await session.shown('label', 'Nothing was recorded in this time');
});

test('activity page: 360 pixels hold a row, large text too, and the details are a page of their own', options, async (t) => {
  const session = await open(t);
  await session.shown('label', 'curl');
  await session.resize(TITLE, 360, 700);
  await session.shown('push button', 'Back');
  await session.screenshot('activity-narrow');
  await session.pointAt(180, 170);
  await toList(session);
  await session.key('Return');
  await session.shown('push button', 'Copy Details');
  await session.screenshot('activity-details-narrow');
  await session.key('alt+Left');
  await session.gone('push button', 'Copy Details');
});

test('activity page: text of twice the size fits into 360 pixels', options, async (t) => {
  const session = await open(t, undefined, 2);
  await session.shown('label', 'curl');
  await session.resize(TITLE, 360, 900);
  await session.shown('push button', 'Back');
  await session.screenshot('activity-narrow-large');
});

/** Processor time of the longest turn since it was last asked for. */
async function stallMs(session: DesktopSession): Promise<number> {
  session.say({ do: 'stall' });
  return Number((await session.call('stall')).args[0]);
}

test('activity page: 100,000 connections are searched and scrolled through without freezing', options, async (t) => {
  const session = await open(t, (one) => { one.say({ do: 'many-flows', count: 100_000, nowMs: Date.now() }); });
  await session.shown('label', '100,000 connections');
  // From the search over the chips to the list: looking for the focus takes seconds where there are so many rows.
  await session.key('ctrl+f');
  await session.shown('entry', 'Search connections');
  await session.key('Tab', 'Tab', 'Tab', 'Tab', 'Tab', 'Tab', 'Tab');
  await stallMs(session);
  for (let page = 0; page < 10; page += 1) await session.key('Next', 'Next', 'Next');
  const scrolled = await stallMs(session);
  await session.key('End');
  await session.shown('label', 'program-199');
  const jumped = await stallMs(session);
  await session.type('entry', 'Search connections', 'host-77 program-3');
  await session.gone('label', '100,000 connections');
  t.diagnostic(`longest stall: scrolling ${String(scrolled)} ms, to the end ${String(jumped)} ms, search ${String(await stallMs(session))} ms`);
});
