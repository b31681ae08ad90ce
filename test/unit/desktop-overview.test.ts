/** What the overview and the network page say, without the toolkit. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statistics } from '../../helper/contract/types.ts';
import { FIGURE_GROUPS, figuresOf } from '../../desktop/model/figures.ts';
import { ROWS_SHOWN, hereRows, interfaceRow, moreNote, zoneRow } from '../../desktop/model/network-text.ts';
import { profileChoices, profileRows } from '../../desktop/model/profiles.ts';
import { draftOf, refusedRows } from '../../desktop/model/refused.ts';
import { needsBanner, stateWords } from '../../desktop/model/status-text.ts';
import type { Knowledge } from '../../desktop/model/status-text.ts';
import { SHOWN_MS, TrafficLog } from '../../desktop/model/traffic.ts';
import type { HelperStatus } from '../../helper/contract/client.ts';
import type { NetworkZone } from '../../helper/contract/types.ts';
import { NO_NETWORK, SAMPLE_NETWORK, flowOf, ruleInfoOf, statusOf, trafficOf, withChosen } from '../desktop/samples.ts';

const NOW_MS = 1_800_000_000_000;
const nobody = (): null => null;

function known(status: Partial<HelperStatus>): Knowledge {
  return { connected: true, sinceMs: NOW_MS, status: statusOf(status), waiting: 0, agentProblem: null };
}

test('figures: every counter of the contract is shown once, with words of its own', () => {
  const numbers = { ...statusOf().statistics, memory_lost: 7, losses: { calls_refused: 2, rows_lost: 3 } };
  const shown = FIGURE_GROUPS.flatMap((group) => figuresOf(group, numbers));
  assert.deepEqual(shown.map(({ key }) => key).sort(), Object.keys(statistics.keys).sort());
  assert.equal(new Set(shown.map(({ title }) => title)).size, shown.length);
  for (const { text, value } of shown) assert.ok(text.endsWith('.') && value !== '');
  assert.equal(shown.find(({ key }) => key === 'losses')?.value, '5');
});

test('figures: a counter that an older helper does not have is left out', () => {
  assert.ok(!figuresOf('upkeep', statusOf().statistics).some(({ key }) => key === 'memory_lost'));
});

test('traffic: what came between two readings is a sample; the first reading is none', () => {
  const log = new TrafficLog();
  log.add([trafficOf('/usr/bin/curl', 1000, 100)], NOW_MS);
  assert.deepEqual(log.samples(NOW_MS), []);
  log.add([trafficOf('/usr/bin/curl', 3000, 150), trafficOf('/usr/bin/ssh', 50, 60)], NOW_MS + 1000);
  assert.deepEqual(log.samples(NOW_MS + 1000), [{ timeMs: NOW_MS, spanMs: 1000, inBytes: 2050, outBytes: 110 }]);
  const [first] = log.programs(5);
  assert.deepEqual([first?.path, first?.inSpeed, first?.outSpeed, first?.inBytes], ['/usr/bin/curl', 2000, 50, 3000]);
});

test('traffic: a helper that begins anew, a pause and a clock that goes back make gaps and never negative traffic', () => {
  const log = new TrafficLog();
  log.add([trafficOf('/usr/bin/curl', 5000, 5000)], NOW_MS);
  log.add([trafficOf('/usr/bin/curl', 10, 10)], NOW_MS + 1000);
  log.add([trafficOf('/usr/bin/curl', 9000, 9000)], NOW_MS + 60_000);
  log.add([trafficOf('/usr/bin/curl', 9500, 9500)], NOW_MS + 50_000);
  assert.deepEqual(log.samples(NOW_MS + 60_000), [{ timeMs: NOW_MS, spanMs: 1000, inBytes: 0, outBytes: 0 }]);
  log.restart();
  log.add([trafficOf('/usr/bin/curl', 1, 1)], NOW_MS + 61_000);
  assert.equal(log.samples(NOW_MS + 61_000).length, 1);
});

test('traffic: the most active lately goes first and stays there for a while', () => {
  const log = new TrafficLog();
  const rows = (curl: number, ssh: number) => [trafficOf('/usr/bin/backup', 9_000_000_000, 0), trafficOf('/usr/bin/curl', curl, 0), trafficOf('/usr/bin/ssh', ssh, 0)];
  log.add(rows(0, 0), NOW_MS);
  assert.equal(log.programs(1)[0]?.path, '/usr/bin/backup');
  log.add(rows(100_000, 0), NOW_MS + 1000);
  log.add(rows(100_000, 20_000), NOW_MS + 2000);
  assert.deepEqual(log.programs(2).map(({ path }) => path), ['/usr/bin/curl', '/usr/bin/ssh']);
  for (let second = 3; second < 120; second += 1) log.add(rows(100_000, 20_000 + second * 1000), NOW_MS + second * 1000);
  assert.equal(log.programs(1)[0]?.path, '/usr/bin/ssh');
});

test('traffic: minutes of the history fill what was not seen live, and no more', () => {
  const log = new TrafficLog();
  const minute = Math.floor(NOW_MS / 60_000) * 60_000;
  log.setMinutes([trafficOf('', 600_000, 0, { time_ms: minute - 240_000 }), trafficOf('', 60_000, 0, { time_ms: minute - 60_000 })], minute + 30_000);
  const filled = log.samples(minute + 30_000);
  assert.deepEqual(filled.map(({ timeMs, inBytes }) => [timeMs - minute, inBytes]), [[-240_000, 600_000], [-180_000, 0], [-120_000, 0], [-60_000, 60_000]]);
  log.add([trafficOf('/usr/bin/curl', 0, 0)], minute - 31_000);
  log.add([trafficOf('/usr/bin/curl', 500, 0)], minute - 30_000);
  const mixed = log.samples(minute + 30_000);
  assert.deepEqual(mixed.slice(3).map(({ timeMs, spanMs, inBytes }) => [timeMs - minute, spanMs, inBytes]),
    [[-60_000, 29_000, 29_000], [-31_000, 1000, 500], [-30_000, 30_000, 30_000]]);
  log.setMinutes([], minute);
  assert.equal(log.samples(minute).length, 1);
});

test('traffic: an hour of readings keeps what the graph shows, and rows of many programs are nobody’s', () => {
  const log = new TrafficLog();
  for (let second = 0; second < 3600; second += 1) log.add([trafficOf('/usr/bin/curl', second * 10, 0), trafficOf('', second, 0, { others: 12 })], NOW_MS + second * 1000);
  assert.ok(log.samples(NOW_MS + 3_600_000).length <= SHOWN_MS / 1000 + 61);
  assert.equal(log.programs(5).length, 1);
  assert.equal(log.isOnly(process.getuid?.() ?? -1), true);
  assert.equal(log.isOnly(4711), false);
});

test('refused: alike connections are one row, the newest first', () => {
  const flows = [
    flowOf({ id: 'f1', time_ms: NOW_MS - 60_000, action: 'deny', rule_id: '' }), flowOf({ id: 'f2', time_ms: NOW_MS - 1000, action: 'deny', rule_id: '' }),
    flowOf({ id: 'f3', time_ms: NOW_MS - 2000, action: 'drop', rule_id: '', port: 80 }),
  ];
  const rows = refusedRows(flows, [], nobody, NOW_MS, 5);
  assert.deepEqual(rows.map(({ flow, count, title }) => [flow.id, count, title]), [['f2', 2, 'curl to example.org'], ['f3', 1, 'curl to example.org']]);
  assert.equal(rows[0]?.text, 'encrypted web (443)  ·  2 times  ·  a moment ago');
  assert.equal(refusedRows(flows, [], nobody, NOW_MS, 1).length, 1);
});

test('refused: a draft is as narrow as the connection was', () => {
  const draft = draftOf(flowOf({ rule_id: '' }), nobody);
  assert.deepEqual(draft, {
    action: 'allow', path: '/usr/bin/curl', protocol: 'tcp', user: '1000', port: '443', domain: 'example.org', name: 'curl to example.org',
  });
  assert.equal(draftOf(flowOf({ name_sources: ['machine'] }), nobody).address, '203.0.113.7');
  assert.equal(draftOf(flowOf({ host: '', names: [], name_sources: [] }), nobody).address, '203.0.113.7');
  assert.equal(draftOf(flowOf({ protocol: 'icmp', port: 8 }), nobody).port, undefined);
  assert.ok((draftOf(flowOf({ path: `/opt/${'x'.repeat(4000)}` }), nobody).name ?? '').length <= 128);
});

test('refused: who cannot be named, or is refused by the administrator, gets no way to allow it', () => {
  const remedy = (change: Parameters<typeof flowOf>[0], rules = [ruleInfoOf({ id: 'mine' }), ruleInfoOf({ id: 'theirs', editable: false })]) =>
    refusedRows([flowOf({ action: 'deny', rule_id: '', ...change })], rules, nobody, NOW_MS, 1)[0]?.remedy.kind;
  assert.equal(remedy({}), 'allow');
  assert.equal(remedy({ rule_id: 'mine' }), 'edit');
  assert.equal(remedy({ rule_id: 'theirs' }), 'none');
  assert.equal(remedy({ rule_id: 'unknown' }), 'none');
  assert.equal(remedy({ path: '' }), 'none');
  assert.equal(remedy({ path: 'kernel' }), 'none');
  assert.equal(remedy({ path: '/usr/bin/python3.11' }), 'none');
  assert.equal(remedy({ forwarded_from: 'Container x' }), 'none');
});

test('refused: hostile names are shown harmlessly', () => {
  const [row] = refusedRows([flowOf({ path: '/tmp/<b>\u{202e}x\n', host: 'a\u{202e}b.example', rule_id: '' })], [], nobody, NOW_MS, 1);
  assert.ok(row !== undefined && !/[\u{202e}\n]/u.test(row.title + row.text), row?.title);
});

test('trial: says what comes back and when, with both ways out; what stops the firewall goes first', () => {
  const trial = (before: string) => ({ trial: { before, endsMs: NOW_MS + 40_000 } });
  const words = stateWords(known(trial('learning')), NOW_MS);
  assert.deepEqual([words.title, words.text, words.remedy, words.other], [
    'Enforcing, on trial', 'Unless you keep it, the firewall goes back to learning in 40 s.', 'keep-trial', 'end-trial',
  ]);
  assert.ok(needsBanner(words));
  assert.match(stateWords(known({ mode: 'learning', ...trial('off') }), NOW_MS).text, /switched off again in 40 s/);
  assert.equal(stateWords(known({ ...trial('learning'), state: 'safeguard' }), NOW_MS).remedy, 'end-safeguard');
  assert.equal(stateWords(known({ ...trial('learning'), state: 'paused' }), NOW_MS).remedy, 'resume');
  assert.equal(stateWords(known({ ...trial('learning'), state: 'degraded' }), NOW_MS).shield, 'degraded');
  assert.ok(!needsBanner(stateWords(known({}), NOW_MS)));
});

test('profiles: the network or one by hand, each with its reason', () => {
  const { profiles } = SAMPLE_NETWORK;
  assert.deepEqual(profileChoices(profiles), {
    choices: [{ id: '', text: 'By the network (At home now)' }, { id: 'home', text: 'At home' }, { id: 'travel', text: 'Travelling' }], selected: 0,
  });
  const byHand = withChosen(SAMPLE_NETWORK, 'travel').profiles;
  assert.equal(profileChoices(byHand).selected, 2);
  assert.deepEqual(profileRows(byHand).map(({ id, inUse, chosen }) => [id, inUse, chosen]), [['', false, false], ['home', false, false], ['travel', true, true]]);
  assert.equal(profileRows(byHand)[2]?.text, 'In use, chosen by hand until this computer restarts.');
  assert.deepEqual([profileRows([]), profileChoices([]).choices], [[], []]);
});

test('network: an interface says its state, its zone and what is special of each address', () => {
  const [wlan] = SAMPLE_NETWORK.interfaces.map(interfaceRow);
  assert.equal(wlan?.title, 'wlan0');
  assert.deepEqual(wlan.text.split('\n'), [
    'wireless  ·  connected  ·  zone home', '192.0.2.57/24  (given by the network)', '2001:db8::b1c3:22ff/64  (changes to protect privacy)',
    '2001:db8::5eff:fe10:1/64  (given by the network, not used for new connections)', 'fe80::5eff:fe10:1/64  (this network only)',
  ]);
  const eth = SAMPLE_NETWORK.interfaces.at(-1);
  assert.ok(eth !== undefined);
  assert.equal(interfaceRow({ ...eth, addresses_left_out: 3 }).text, 'wired  ·  switched off  ·  zone home\n3 more addresses');
});

test('network: a zone says who belongs to it', () => {
  const row = (zone: NetworkZone): string => zoneRow(zone, NO_NETWORK.state).text;
  assert.deepEqual(SAMPLE_NETWORK.zones.map(row), ['wlan0 and eth0\n192.0.2.57/24 and 2001:db8::b1c3:22ff/64', 'wg0\n198.51.100.4/32']);
  const crowd = Array.from({ length: 30 }, (_, index) => `veth${String(index)}`);
  assert.match(row({ id: 'x', patterns: ['veth*'], interfaces: crowd, addresses: [], used_by: [] }), /veth7 and 22 more$/);
  assert.match(row({ id: 'x', patterns: ['wg*'], interfaces: [], addresses: [], used_by: [] }), /^None of its interfaces is present now\./);
});

test('network: where the computer is, and what is not known of it', () => {
  assert.deepEqual(hereRows(SAMPLE_NETWORK).map(({ title, text }) => `${title}: ${text}`), [
    'Connection: Home', 'Wireless network: Home 5G', 'Gateway: 192.0.2.1 (02:00:5e:10:00:ff)', 'Profile: At home',
  ]);
  const nothing = hereRows({ ...SAMPLE_NETWORK, state: { connections: [], ssids: [], gateways: [], profile: '' }, profiles: [] });
  assert.deepEqual(nothing.map(({ text }) => text), ['None that NetworkManager reports', 'None', 'None']);
  assert.equal(moreNote(ROWS_SHOWN, 'bastionctl network'), '');
  assert.equal(moreNote(ROWS_SHOWN + 1, 'bastionctl network'), '1 more is listed by “bastionctl network”.');
});
