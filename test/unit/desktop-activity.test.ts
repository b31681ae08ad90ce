/** The activity page without its window: filters, the list, sentences, drafts, exports. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { exportFlows } from '../../desktop/client/flow-export.ts';
import { FlowSource } from '../../desktop/client/flow-source.ts';
import { NO_FILTER, isNarrowed, parseTime, programOfKeyName, timeField, wireFilter } from '../../desktop/model/activity-filter.ts';
import { flowDraft } from '../../desktop/model/flow-draft.ts';
import { detailsText, explainSentences, flowDetails, lineageTree } from '../../desktop/model/flow-explain.ts';
import { exportName } from '../../desktop/model/flow-export.ts';
import { FlowList, LIST_LIMIT, ROWS_KEPT, flowNumber } from '../../desktop/model/flow-list.ts';
import { flowTexts, groupTexts } from '../../desktop/model/flow-text.ts';
import { flowWriter } from '../../helper/contract/flow-export.ts';
import { ORDER_REASONS, OBSTACLES } from '../../helper/contract/types.ts';
import type { Explanation, FlowInfo } from '../../helper/contract/types.ts';
import { REASONS } from '../../helper/contract/vocabulary.ts';
import { explanationOf, flowOf, manyFlows } from '../desktop/flow-samples.ts';
import { StandInClient } from '../desktop/stand-in-client.ts';
import { statusOf } from '../desktop/samples.ts';

const NOW_MS = new Date(2027, 2, 12, 14, 5).getTime();
const nobody = (): null => null;
const context = { find: nobody, nowMs: NOW_MS, uid: flowOf().uid };
const id = (number: number): string => `f${number.toString(36)}`;
const hostile = 'a\u{202e}b\n<b>';

function client(flows: readonly FlowInfo[]): StandInClient {
  const one = new StandInClient(statusOf(), () => undefined);
  one.connected = true;
  one.flows = flows;
  return one;
}

/** Resolves when the source says that something changed and `look` is content. */
function until(source: FlowSource, look: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const stops = [source.changed, source.filled].map((emitter) => emitter.on(() => {
      if (!look()) return;
      for (const stop of stops) stop();
      resolve();
    }));
  });
}

test('filter: times are of the clock on the wall, everything else goes as it is', () => {
  assert.deepEqual(wireFilter(NO_FILTER, 1000, NOW_MS), { since_ms: new Date(2027, 2, 12).getTime(), uid: 1000 });
  assert.deepEqual(wireFilter({ ...NO_FILTER, range: 'hour', everybody: true, verdict: 'refused' }, 1000, NOW_MS), { since_ms: NOW_MS - 3_600_000, everybody: true, verdict: 'refused' });
  assert.deepEqual(wireFilter({ ...NO_FILTER, range: 'own', fromMs: 5, toMs: 9, protocol: 'udp', program: 'snap:x', destination: 'a', search: '  b  c ' }, 1, NOW_MS), {
    since_ms: 5, until_ms: 9, uid: 1, protocol: 'udp', program: 'snap:x', destination: 'a', search: 'b c',
  });
  const long = wireFilter({ ...NO_FILTER, search: 'x '.repeat(5000) }, 1, NOW_MS).search ?? '';
  assert.equal(long, 'x x x x x x x x');
  assert.deepEqual([isNarrowed(NO_FILTER), isNarrowed({ ...NO_FILTER, range: 'all', search: ' ' }), isNarrowed({ ...NO_FILTER, protocol: 'tcp' })], [false, false, true]);
});

test('filter: a time is read as it is written, and what is none is not guessed at', () => {
  assert.equal(parseTime('2027-03-11 09:30', NOW_MS), new Date(2027, 2, 11, 9, 30).getTime());
  assert.equal(parseTime(' 2027-03-11 ', NOW_MS), new Date(2027, 2, 11).getTime());
  assert.equal(parseTime('09:30', NOW_MS), new Date(2027, 2, 12, 9, 30).getTime());
  assert.equal(parseTime(timeField(NOW_MS), 0), NOW_MS);
  for (const wrong of ['', 'yesterday', '2027-02-30', '25:00', '12:60', '2027-13-01', '9', '2027-03-11 9']) assert.equal(parseTime(wrong, NOW_MS), null, wrong);
});

test('list: live flows wait in order, none twice, and none is lost between past and present', () => {
  const list = new FlowList();
  list.observe([flowOf({ id: id(12) })]);
  list.append([id(12), id(10), id(7)]);
  assert.deepEqual([list.length, list.waiting], [3, 0]);
  list.observe([flowOf({ id: id(13) }), flowOf({ id: id(15) }), flowOf({ id: id(10), ended_ms: 5 }), flowOf({ id: id(8) })]);
  list.observe([flowOf({ id: id(13), ended_ms: 6 })]);
  assert.deepEqual([list.length, list.waiting, list.row(id(10))?.ended_ms, list.row(id(13))?.ended_ms], [3, 2, 5, 6]);
  assert.equal(list.release(), 2);
  assert.deepEqual(Array.from({ length: 5 }, (_none, at) => flowNumber(list.idAt(at))), [15, 13, 12, 10, 7]);
  assert.deepEqual([list.positionOf(id(12)), list.positionOf(id(11)), list.release(), list.rowAt(4)], [2, -1, 0, null]);
});

test('list: at its limits it forgets rows, keeps the newest ids, and says that it is cut', () => {
  const list = new FlowList();
  const ids = Array.from({ length: LIST_LIMIT + 2 }, (_none, at) => id(1_000_000 - at));
  assert.equal(list.append(ids.slice(0, LIST_LIMIT - 1)), true);
  assert.equal(list.isCut, false);
  assert.equal(list.append(ids.slice(LIST_LIMIT - 1)), false);
  assert.deepEqual([list.length, list.isCut], [LIST_LIMIT, true]);
  const rows = manyFlows(ROWS_KEPT + 10, NOW_MS);
  list.put(rows);
  assert.deepEqual([list.row(rows[9]?.id ?? ''), list.row(rows[10]?.id ?? '')?.id], [null, rows[10]?.id]);
  list.observe([flowOf({ id: id(1_000_001) })]);
  list.release();
  assert.deepEqual([list.length, list.idAt(0)], [LIST_LIMIT, id(1_000_001)]);
  list.clear();
  assert.deepEqual([list.length, list.isCut], [0, false]);
});

test('source: ids at once, rows where somebody looks, and what has left the history is not asked for again', async () => {
  const helper = client(manyFlows(1000, NOW_MS));
  const source = new FlowSource(helper);
  source.load({});
  await until(source, () => source.isWhole);
  assert.deepEqual([source.list.length, source.rowAt(0)?.id], [1000, helper.flows[0]?.id]);
  const gone = helper.flows[777];
  helper.flows = helper.flows.filter((flow) => flow !== gone);
  assert.equal(source.rowAt(777), null);
  await until(source, () => source.rowAt(778) !== null);
  await new Promise((resolve) => { setImmediate(resolve); });
  let asked = 0;
  const query = helper.queryFlows.bind(helper);
  helper.queryFlows = (...args) => {
    asked += 1;
    return query(...args);
  };
  assert.equal(source.rowAt(777), null);
  await new Promise((resolve) => { setImmediate(resolve); });
  assert.equal(asked, 0);
});

test('source: only the last question counts, and a refusal is told', async () => {
  const helper = client(manyFlows(200, NOW_MS));
  const source = new FlowSource(helper);
  source.load({});
  source.load({ search: 'program-7' });
  await until(source, () => source.state.kind === 'ready');
  assert.ok(source.list.length < 200);
  helper.refusals.set('indexFlows', { code: 'NotAuthorized' });
  source.load({ everybody: true });
  await until(source, () => source.state.kind === 'failed');
  helper.refusals.clear();
  source.load({});
  await until(source, () => source.state.kind === 'ready');
  source.observe([flowOf({ id: 'fzzzzz', time_ms: NOW_MS, lost: 3 })]);
  assert.deepEqual([source.list.waiting, source.hasLost], [1, true]);
  source.load({ search: 'nothing' });
  await until(source, () => source.list.length === 0);
  source.observe([flowOf({ id: 'fzzzzz1', time_ms: NOW_MS })]);
  assert.deepEqual([source.list.waiting, source.hasLost], [0, false]);
});

test('row: who, where, what and how much, also of others and of what nobody knows', () => {
  const texts = flowTexts(flowOf({ ended_ms: NOW_MS, sent_bytes: 1200, received_bytes: 5_000_000, time_ms: NOW_MS }), context);
  assert.deepEqual([texts.name, texts.where, texts.verdict, texts.amount], ['curl', 'example.org  ·  encrypted web (443)', 'Allowed', '5 MB in, 1.2 kB out']);
  assert.match(texts.sentence, /^curl was allowed to reach example\.org, encrypted web \(443\), at .+\. 5 MB in, 1\.2 kB out\.$/);
  assert.equal(flowTexts(flowOf({ uid: 4242 }), context).name, 'curl (user 4242)');
  assert.equal(flowTexts(flowOf({ path: '', uid: 0xffff_ffff }), context).name, 'An unknown program');
  assert.equal(flowTexts(flowOf({ flatpak: 'org.example.Fox' }), { ...context, find: (name) => (name === 'flatpak:org.example.Fox' ? { name: 'Fox', icon: 'fox' } : null) }).icon, 'fox');
  assert.deepEqual(['allow', 'deny', 'drop', 'ask'].map((action) => flowTexts(flowOf({ action: action as 'ask' }), context).verdict), ['Allowed', 'Refused', 'Dropped', 'Refused']);
});

test('row: names from outside are shown harmlessly in every part, and short enough', () => {
  const long = `${hostile}${'x'.repeat(5000)}`;
  const all = { path: `/tmp/${long}`, host: long, address: long, protocol: long, rule_id: long, interface: long, source_address: long, names: [long] };
  for (const flow of [flowOf(all), flowOf({ ...all, forwarded_from: long }), flowOf({ ...all, script: `/s/${long}` }), flowOf({ ...all, flatpak: long }), flowOf({ ...all, direction: 'in' })]) {
    const why = { ...explanationOf(flow), package: long, user: long, command: long, by_name: long, rule_id: long, next_rule_id: long, missed_rule_id: long, missed_because: 'several', ancestors: [{ pid: 1, path: `/${long}`, command: long }, { pid: 2, path: '', command: long }] };
    const { sentence, ...parts } = flowTexts(flow, context);
    const shown: readonly string[] = [sentence, ...Object.values<string>(parts), ...explainSentences(why, nobody), ...flowDetails(flow, why, nobody).map(({ text }) => text)];
    for (const text of shown) {
      assert.ok(!/[\u{202e}]/u.test(text) && text.length < 6000, text.slice(0, 80));
      assert.ok(!text.includes('b\n<b>'));
    }
  }
  const group = groupTexts({ application: long, path: long, uid: 1, user: long, program: `flatpak:${long}`, sent_bytes: 0, sent_packets: 0, received_bytes: 0, received_packets: 0, connections: 3, refused: 1, last_ms: NOW_MS }, context);
  assert.ok(!Object.values<string>({ ...group }).some((text) => text.includes('\u{202e}')));
  assert.ok(!programOfKeyName(`from:${long}`, nobody).includes('\u{202e}'));
});

test('group: a program, a destination, what did not fit', () => {
  const row = { application: '', path: '', uid: context.uid, user: 'alice', sent_bytes: 1000, sent_packets: 0, received_bytes: 2000, received_packets: 0, connections: 1204, allowed: 1192, refused: 12, last_ms: NOW_MS };
  assert.match(groupTexts({ ...row, program: 'path:/usr/bin/curl' }, context).sentence, /^curl: 1,204 connections, 12 refused, 2 kB in, 1 kB out, last at /);
  assert.equal(groupTexts({ ...row, uid: 7, program: 'path:/usr/bin/curl' }, context).name, 'curl (alice)');
  assert.equal(groupTexts({ ...row, destination: 'xn--mnchen-3ya.de' }, context).name, 'münchen.de (xn--mnchen-3ya.de)');
  assert.equal(groupTexts({ ...row, destination: '', others: 1 }, context).name, '1 other destination');
  assert.equal(groupTexts({ ...row, others: 30 }, context).name, '30 other programs');
});

test('explanation: every reason and every obstacle has its sentence', () => {
  const why = (change: Partial<Explanation>): readonly string[] => explainSentences({ ...explanationOf(flowOf()), ...change }, (one) => ({ web: 'The web', all: 'All' })[one] ?? null);
  assert.deepEqual(why({ rule_id: 'web', next_rule_id: 'all', because: 'program' }), ['Allowed by the rule “The web”, because it names the program more exactly.', 'Next would have been “All”.']);
  assert.deepEqual(why({ rule_id: 'web' }), ['Allowed by the rule “The web”, the only one that matches.']);
  assert.deepEqual(why({ rule_id: 'old' }), ['Allowed by the rule “old”, which no longer exists.']);
  for (const reason of REASONS) assert.match(why({ reason, action: 'deny' })[0] ?? '', /^Refused.*\.$/, reason);
  for (const because of ORDER_REASONS) assert.match(why({ rule_id: 'web', next_rule_id: 'all', because })[0] ?? '', /, because .+\.$/, because);
  for (const missed of OBSTACLES) assert.match(why({ missed_rule_id: 'all', missed_because: missed })[1] ?? '', /^“All” would have allowed it/, missed);
  assert.equal(why({ missed_rule_id: 'all', missed_because: 'of a later version' }).length, 1);
});

test('explanation: who started it is a tree, and all of it can be copied', () => {
  const flow = flowOf();
  const why = explanationOf(flow);
  assert.equal(lineageTree(flow, why, nobody), 'xterm  /usr/bin/xterm\n└ build.sh  /home/alice/build.sh\n   └ curl  (4711)');
  const text = detailsText(['curl.'], explainSentences(why, nobody), flowDetails(flow, why, nobody));
  for (const part of ['curl.', 'Package: from the package curl, as installed', 'Started by:\nxterm', 'Names: example.org', 'Sent from: 192.0.2.2:40000, eth0', `Connection: ${flow.id}`]) assert.ok(text.includes(part), part);
});

test('draft: the program by what survives its updates, the destination by its name, and the other answer where a rule decided', () => {
  const cases: readonly (readonly [Partial<FlowInfo>, Partial<Explanation>, object])[] = [
    [{}, {}, { action: 'deny', path: '/usr/bin/curl', domain: 'example.org', protocol: 'tcp', port: '443' }],
    [{ action: 'deny', reason: 'default-action' }, { by_name: '' }, { action: 'allow', path: '/usr/bin/curl', address: '203.0.113.7', protocol: 'tcp', port: '443' }],
    [{ reason: 'mode-learning' }, { named_by: 'flatpak', flatpak: 'org.example.Fox' }, { action: 'allow', flatpak: 'org.example.Fox', domain: 'example.org', protocol: 'tcp', port: '443' }],
    [{ reason: 'prompt-answer', protocol: 'icmp', port: 8 }, { named_by: 'script', script: '/s.py' }, { action: 'allow', script: '/s.py', domain: 'example.org', protocol: 'icmp' }],
    [{ direction: 'in', reason: 'reply', port: 50_000 }, { by_name: '', named_by: 'snap', snap: 'x' }, { action: 'allow', snap: 'x', address: '203.0.113.7', protocol: 'tcp' }],
  ];
  for (const [flow, why, draft] of cases) {
    const one = flowOf(flow);
    assert.deepEqual(flowDraft(one, { ...explanationOf(one), ...why }), { kind: 'draft', draft });
  }
});

test('draft: what no rule could name makes none, and says why', () => {
  const unsure = flowOf({ reason: 'no-owner', action: 'deny', path: '' });
  const { named_by: named, ...why } = explanationOf(unsure);
  assert.equal(named, 'path');
  assert.equal(flowDraft(unsure, why).kind, 'none');
  assert.equal(flowDraft(flowOf({ reason: 'mode-learning' }), why).kind, 'none');
  assert.equal(flowDraft(flowOf({ forwarded_from: 'a container' }), explanationOf(flowOf())).kind, 'none');
});

test('export: no cell becomes a formula, nothing invisible is written', () => {
  const flow = flowOf({ application: '=HYPERLINK("x")', path: `/a,"b\u{202e}`, host: '\t+1' });
  const row = flowWriter('csv').row(flow, true);
  assert.ok(row.includes(`,"'=HYPERLINK(""x"")",`) && row.includes('"/a,""b\\u{202e}"') && !row.includes('\t'));
  const json = flowWriter('json').row(flow, false);
  assert.ok(json.startsWith(',\n{') && !json.includes('\u{202e}'));
  assert.deepEqual(JSON.parse(json.slice(1)), flow);
  assert.equal(exportName('csv', Date.UTC(2027, 2, 12)), 'connections-2027-03-12.csv');
});

test('export: whatever a name begins with, its cell in a spreadsheet is a text', () => {
  const begins = ['=', '+', '-', '@', ' =', '\t=', '\r=', '\n=', '\u00a0=', '\uff1d', '\uff0b', '\uff0d', '\uff20', '"=', ';=', 'x;='];
  for (const begin of begins) {
    const name = `${begin}cmd|'/C calc'!A0`;
    const row = flowWriter('csv').row(flowOf({ application: name, path: name, host: name, interface: name, rule_id: name }), true);
    const cells = [...row.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,"\r]*))(?=,|\r\n$)/gu)].map(([, quoted, plain = '']) => quoted?.replaceAll('""', '"') ?? plain);
    assert.equal(cells.filter((cell) => cell.includes('cmd|')).length, 5, row);
    for (const cell of cells) assert.doesNotMatch(cell, /^[\s=+\-@\uff1d\uff0b\uff0d\uff20]/u, row);
    assert.doesNotMatch(row, /(?:^|,)[^",]*;/u, 'a semicolon stands inside quotes');
  }
});

const folder = mkdtempSync(join(tmpdir(), 'bastion-export-'));
after(() => { rmSync(folder, { recursive: true }); });

test('export: a file is whole or not there', async () => {
  const helper = client(manyFlows(250, NOW_MS));
  const path = join(folder, 'all.json');
  assert.deepEqual(await exportFlows(helper, {}, 'json', path), { flows: 250, isCut: false });
  assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')), helper.flows);
  assert.deepEqual(await exportFlows(helper, {}, 'csv', join(folder, 'some.csv'), 150), { flows: 150, isCut: true });
  assert.equal(readFileSync(join(folder, 'some.csv'), 'utf8').split('\r\n').length, 152);
  helper.refusals.set('queryFlows', { code: 'Busy' });
  await assert.rejects(exportFlows(helper, {}, 'csv', join(folder, 'none.csv')));
  assert.deepEqual(readdirSync(folder).sort(), ['all.json', 'some.csv']);
});
