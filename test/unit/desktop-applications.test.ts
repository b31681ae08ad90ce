/** Applications in words, their order, the rules that name them, and what the history says of one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flowsKey, trafficPath } from '../../desktop/client/application-record.ts';
import { Refresher } from '../../desktop/client/refresher.ts';
import { applicationRow, countWords, dayStart, shownApplications } from '../../desktop/model/application-list.ts';
import type { ApplicationView } from '../../desktop/model/application-list.ts';
import { countedElsewhere, destinationRows, graphOf, rangeStart, refusedRow, starterRows } from '../../desktop/model/application-record.ts';
import { blockRule, canBeNamed, draftRule, names } from '../../desktop/model/application-rule.ts';
import {
  applicationFacts, applicationIcon, applicationName, hashText, placeText, rehashText, stateWords, summaryText, useText,
} from '../../desktop/model/application-text.ts';
import type { ApplicationInfo, RehashInfo, TotalsInfo } from '../../helper/contract/types.ts';
import { applicationOf, changedApplication, KNOWN_SHA256, OTHER_SHA256, sampleApplications } from '../desktop/application-samples.ts';
import { flowOf } from '../desktop/flow-samples.ts';
import { ruleInfoOf } from '../desktop/samples.ts';

const NOW = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const nobody = (): null => null;
const ALL: ApplicationView = { query: '', chips: new Set(), order: 'seen' };

function shownIds(applications: readonly ApplicationInfo[], view: Partial<ApplicationView>): readonly string[] {
  const rows = applications.map((info) => applicationRow(info, nobody));
  return shownApplications(rows, { ...ALL, ...view }, NOW).map(({ info }) => info.id);
}

function totalOf(change: Partial<TotalsInfo>): TotalsInfo {
  return { application: '', path: '', uid: 0, user: '', sent_bytes: 0, sent_packets: 0, received_bytes: 0, received_packets: 0, ...change };
}

test('each state has a word, a shape and a sentence of its own', () => {
  const looks = sampleApplications(NOW).map((info) => stateWords(info));
  assert.deepEqual(new Set(looks.map(({ look }) => look)), new Set(['good', 'changed', 'plain', 'missing', 'unknown']));
  const shapes = new Map(looks.map(({ look, icon }) => [look, icon]));
  assert.equal(new Set(shapes.values()).size, shapes.size, 'no two looks share an icon');
  assert.match(stateWords(changedApplication({ reason: 'package-wrong', package: 'curl' })).sentence, /the package curl installed/u);
  assert.match(stateWords(changedApplication({ reason: 'not-trusted' })).sentence, /applications\.toml/u);
  assert.equal(stateWords(applicationOf({ reason: 'first-seen', package: 'curl' })).word, 'as first seen');
  assert.equal(stateWords(applicationOf({ reason: 'of-a-later-version', package: '' })).look, 'plain', 'an unknown reason is never green');
});

test('names and icons come from desktop files of the system, hostile names are made harmless', () => {
  const find = (program: string): { readonly name: string; readonly icon: string } | null =>
    (program === 'flatpak:org.example.Notes' ? { name: 'Notes', icon: 'org.example.Notes' } : null);
  const notes = applicationOf({ kind: 'flatpak', flatpak: 'org.example.Notes', name: 'org.example.Notes' });
  assert.deepEqual([applicationName(notes, find), applicationIcon(notes, find)], ['Notes', 'org.example.Notes']);
  const evil = applicationOf({ name: 'cu\u{202e}lr\n<b>', path: '/tmp/\u{200b}x', package: '' });
  assert.equal(applicationName(evil, nobody), 'cu\\u{202e}lr\\u{a}<b>');
  assert.equal(placeText(evil), '/tmp/\\u{200b}x');
  assert.equal(applicationName(applicationOf({ name: '' }), nobody), 'An unknown program');
  assert.equal(applicationIcon(applicationOf({ kind: 'script' }), nobody), 'text-x-script');
});

test('changed files come first in every order; chips and words narrow the list together', () => {
  const applications = [
    applicationOf({ id: 'b', name: 'beta', last_seen_ms: NOW - 1000, received_bytes: 5, rules: 1 }),
    applicationOf({ id: 'a', name: 'Alpha', last_seen_ms: NOW - 9 * 24 * HOUR_MS, received_bytes: 9_000_000 }),
    changedApplication({ id: 'c', name: 'zeta', last_seen_ms: 0, sent_bytes: 0, received_bytes: 0 }),
  ];
  assert.deepEqual(shownIds(applications, {}), ['c', 'b', 'a']);
  assert.deepEqual(shownIds(applications, { order: 'name' }), ['c', 'a', 'b']);
  assert.deepEqual(shownIds(applications, { order: 'traffic' }), ['c', 'a', 'b']);
  assert.deepEqual(shownIds(applications, { chips: new Set(['rules']) }), ['c', 'b']);
  assert.deepEqual(shownIds(applications, { chips: new Set(['rules', 'today']) }), ['b']);
  assert.deepEqual(shownIds(applications, { query: 'PACKAGE alpha' }), []);
  assert.deepEqual(shownIds(applications, { query: 'CURL alpha' }), ['a']);
  assert.ok(dayStart(NOW) <= NOW && NOW - dayStart(NOW) <= 24 * HOUR_MS);
  const rows = applications.map((info) => applicationRow(info, nobody));
  assert.equal(countWords(rows, rows), '3 applications, 1 changed');
  assert.equal(countWords(rows.slice(0, 1), rows), '1 of 3 applications');
});

test('what is known of an application is told where there is something to tell', () => {
  const quiet = applicationOf({ last_seen_ms: 0, first_seen_ms: 0, sent_bytes: 0, received_bytes: 0, allowed: 0, refused: 0 });
  assert.equal(useText(quiet, NOW), 'not seen yet');
  assert.equal(useText(applicationOf({ last_seen_ms: NOW - 180_000, rules: 2 }), NOW), 'seen 3 minutes ago  ·  1.5 MB  ·  2 rules');
  const titles = (info: ApplicationInfo): readonly string[] => applicationFacts(info, NOW).map(({ title }) => title);
  assert.deepEqual(titles(quiet), ['File', 'Package', 'SHA-256']);
  assert.ok(titles(changedApplication()).includes('Known SHA-256') && titles(changedApplication()).includes('Current SHA-256'));
  assert.equal(hashText(KNOWN_SHA256).split(' ').length, 8);
});

test('what a rehash came to is said without claiming more than happened', () => {
  const row: RehashInfo = { id: 'c1', name: 'backup', path: '/x', old_sha256: KNOWN_SHA256, new_sha256: OTHER_SHA256, state: 'valid', result: 'accepted' };
  assert.match(rehashText(row, 'backup'), /in force again/u);
  assert.match(rehashText({ ...row, state: 'changed' }, 'backup'), /still not the one of its package/u);
  assert.match(rehashText({ ...row, result: 'other-hash' }, 'backup'), /Nothing was accepted/u);
  assert.equal(summaryText({ files: 1, same: 1, accepted: 0, missing: 0, failed: 0, rows: [] }), '1 file checked: 1 unchanged.');
  assert.equal(summaryText({ files: 0, same: 0, accepted: 0, missing: 0, failed: 0, rows: [] }), '0 files checked.');
});

test('a rule names an application by what stays the same over its updates, and blocking goes before every other rule', () => {
  assert.deepEqual(draftRule(applicationOf({ kind: 'flatpak', flatpak: 'org.example.Notes' }), 'allow'), { flatpak: 'org.example.Notes', action: 'allow', protocol: '' });
  assert.deepEqual(blockRule(applicationOf({ kind: 'script', path: '/home/a/x.py', interpreter: '/usr/bin/python3' })), {
    script: '/home/a/x.py', path: '/usr/bin/python3', action: 'deny', lifetime: 'always', priority: 1000,
  });
  assert.ok(!canBeNamed(applicationOf({ path: '', package: '' })));
  const script = applicationOf({ kind: 'script', path: '/home/a/x.py', interpreter: '/usr/bin/python3', package: '' });
  assert.ok(names(ruleInfoOf({ script: '/home/a/x.py', path: '/usr/bin/python3' }), script));
  assert.ok(!names(ruleInfoOf({ path: '/usr/bin/python3' }), script), 'the interpreter’s rule is not the script’s');
  assert.ok(!names(ruleInfoOf({ script: '/home/a/x.py', path: '/usr/bin/python3' }), applicationOf({ path: '/usr/bin/python3' })));
  assert.ok(names(ruleInfoOf({ path: '', package: 'curl' }), applicationOf()));
  assert.ok(!names(ruleInfoOf({ path: '' }), applicationOf({ path: '', package: '' })), 'a rule for every program names none');
});

test('the graph has every step of its range, also those that the history leaves out', () => {
  const at = Math.floor(NOW / HOUR_MS) * HOUR_MS;
  const { samples, options } = graphOf([totalOf({ time_ms: at, received_bytes: 7, sent_bytes: 3 })], 'day', NOW);
  assert.equal(samples.length, 24);
  assert.deepEqual(samples.at(-1), { timeMs: at, spanMs: HOUR_MS, inBytes: 7, outBytes: 3 });
  assert.ok(samples.slice(0, -1).every(({ inBytes }) => inBytes === 0));
  assert.equal(options.startMs, rangeStart('day', NOW));
});

test('destinations: the first ten and one row for the others, names that deceive beside their other form', () => {
  const many = Array.from({ length: 12 }, (_none, index) => totalOf({ destination: `host-${String(index)}.example.org`, allowed: 2, refused: index === 0 ? 1 : 0, received_bytes: index === 1 ? 0 : 1000 }));
  const rows = destinationRows([...many, totalOf({ destination: '', others: 4, allowed: 6, refused: 0 })]);
  assert.equal(rows.length, 11);
  assert.deepEqual(rows[0], { title: 'host-0.example.org', subtitle: '3 connections, 1 of them refused', value: '1 kB', host: 'host-0.example.org' });
  assert.equal(rows[1]?.value, '');
  assert.deepEqual(rows.at(-1), { title: 'Other destinations', subtitle: '10 connections', value: '', host: '' });
  assert.equal(destinationRows([totalOf({ destination: 'xn--mnchen-3ya.de', allowed: 1, refused: 0 })])[0]?.title, 'münchen.de (xn--mnchen-3ya.de)');
  assert.deepEqual(destinationRows([]), []);
});

test('who started it: each way once, and nothing of the one that starts everything', () => {
  const bash = { pid: 0, path: '/usr/bin/bash', command: 'bash' };
  const xterm = { pid: 0, path: '/usr/bin/xterm', command: 'xterm' };
  const systemd = { pid: 1, path: '/usr/lib/systemd/systemd', command: 'systemd' };
  const rows = starterRows([[bash, xterm, systemd], [bash, xterm], [], [systemd], [{ ...bash, script: '/home/a/build.sh' }]], nobody);
  assert.deepEqual(rows, [
    { title: 'bash', subtitle: 'itself started by xterm' }, { title: 'The system, at its start or on request', subtitle: '' },
    { title: 'build.sh', subtitle: '' },
  ]);
  assert.equal(starterRows(Array.from({ length: 9 }, (_none, index) => [{ ...bash, path: `/usr/bin/p${String(index)}` }]), nobody).length, 5);
});

test('what the history counts under another program is looked for there, or said to be elsewhere', () => {
  const script = applicationOf({ kind: 'script', path: '/home/a/x.py', interpreter: '/usr/bin/python3' });
  assert.deepEqual([trafficPath(script), flowsKey(script)], [null, 'path:/home/a/x.py']);
  assert.match(countedElsewhere(script), /\/usr\/bin\/python3/u);
  const notes = applicationOf({ kind: 'flatpak', flatpak: 'org.example.Notes', path: '/var/x' });
  assert.deepEqual([trafficPath(notes), flowsKey(notes)], ['/var/x', 'flatpak:org.example.Notes']);
  assert.equal(flowsKey(applicationOf({ kind: 'package', path: '' })), null);
  assert.equal(refusedRow(flowOf({ action: 'deny', reason: 'prompt-expired', time_ms: NOW - 180_000 }), NOW).subtitle, 'encrypted web (443)  ·  3 minutes ago  ·  nobody answered in time');
});

test('a refresher reads once for any number of wishes, never two at a time, and not at all while nobody looks', async () => {
  let reads = 0;
  let finish: () => void = () => undefined;
  let nowMs = 0;
  const refresher = new Refresher(() => new Promise<void>((resolve) => { reads += 1; finish = resolve; }), () => nowMs, 60_000);
  const settle = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });
  refresher.ask();
  assert.equal(reads, 0);
  refresher.start();
  for (let wish = 0; wish < 5; wish += 1) refresher.ask();
  assert.equal(reads, 1);
  finish();
  await settle();
  assert.equal(reads, 1, 'the next one waits its time');
  nowMs += 60_000;
  refresher.now();
  assert.equal(reads, 2);
  refresher.ask();
  refresher.stop();
  finish();
  await settle();
  assert.equal(reads, 2);
});
