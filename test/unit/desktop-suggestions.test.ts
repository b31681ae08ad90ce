/** What learning suggests, in words; what is hidden; what the panel says. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { HIDDEN_LIMIT, HiddenSuggestions, hiddenPath } from '../../desktop/client/hidden-suggestions.ts';
import { panelContent } from '../../desktop/model/learning-panel.ts';
import {
  findingText, keptOrder, learningProgress, leftOutLines, leftOutTitle, longDuration, progressText, progressTitle, suggestionKey, suggestionsOf,
} from '../../desktop/model/suggestion.ts';
import type { Proposal, RuleFinding } from '../../helper/contract/types.ts';
import { proposalOf, sampleProposals } from '../desktop/application-samples.ts';
import { statusOf } from '../desktop/samples.ts';

const NOW = 1_800_000_000_000;
const DAY_MS = 86_400_000;
const nobody = (): null => null;

function warningOf(change: Partial<Proposal>, rule: Proposal['rule'] = proposalOf().rule): string {
  const found = suggestionsOf([proposalOf({ ...change, ...(rule === undefined ? {} : { rule }) })], nobody, NOW);
  return found[0]?.warning ?? '';
}

test('a suggestion stays the same when only its name and its numbers change', () => {
  const [first] = suggestionsOf([proposalOf()], nobody, NOW);
  const [second] = suggestionsOf([proposalOf({ connections: 99, rule: { ...proposalOf().rule, name: 'another' } })], nobody, NOW);
  assert.equal(first?.key, second?.key);
  assert.notEqual(first?.key, suggestionKey({ ...proposalOf().rule, port: '80' }));
  assert.equal(suggestionKey({ path: '/a', port: '1' }), suggestionKey({ port: '1', path: '/a' }));
  assert.equal(suggestionsOf([proposalOf(), proposalOf({ connections: 1 })], nobody, NOW).length, 1, 'each once');
});

test('a suggestion is a sentence with the user’s name, what it covers, and where', () => {
  const [one] = suggestionsOf([proposalOf({ rule: { ...proposalOf().rule, user: '1000' } })], nobody, NOW);
  assert.equal(one?.sentence, 'curl may reach example.org for encrypted web (443), as user alice.');
  assert.match(one.detail, /^12 connections since .+, last a moment ago$/u);
  const [firefox] = suggestionsOf(sampleProposals(NOW), nobody, NOW);
  assert.match(firefox?.detail ?? '', /a\.example\.org, b\.example\.net, c\.example\.com and 2 more$/u);
});

test('warnings: the gravest one, and none for an ordinary program', () => {
  assert.equal(warningOf({}), '');
  assert.match(warningOf({ confidence: 'likely' }), /not certain/u);
  assert.match(warningOf({}, { path: '/tmp/x', domain: 'example.org', port: '1' }), /everybody can write/u);
  assert.match(warningOf({}, { path: '/usr/bin/python3', script: '/var/tmp/x.py', domain: 'example.org' }), /everybody can write/u);
  assert.match(warningOf({ destinations: [] }, { path: '/usr/bin/x', domain: '*.xn--80ak6aa92e.com', port: '443' }), /another alphabet/u);
  assert.match(warningOf({ destinations: [] }, { path: '/usr/bin/x' }), /any host on any port/u);
});

test('what nothing is suggested for is told by reason; words of a later helper are left out, and without any its sentence is shown', () => {
  const proposals = sampleProposals(NOW);
  assert.equal(leftOutTitle(proposals), 'Nothing is suggested for 12 connections');
  assert.deepEqual(leftOutLines(proposals), ['10 because it is not certain which program it was', '1 because the program’s file was changed', 'Programs: nc, python3']);
  const old: Proposal = { ...proposalOf({ kind: 'left-out', text: 'Nothing\nis proposed', applications: [] }), reasons: ['constructor'], reason_connections: [1] };
  assert.deepEqual(leftOutLines([old]), ['Nothing\\u{a}is proposed']);
  assert.deepEqual(leftOutLines([]), []);
});

test('progress: connections of hidden suggestions are not covered', () => {
  const proposals = sampleProposals(NOW);
  const none = learningProgress(proposals, proposals, new Set());
  assert.deepEqual([none.programs, none.connections, none.coveredPercent, none.sinceMs], [5, 439, 97, NOW - 3 * DAY_MS]);
  const [firefox] = suggestionsOf(proposals, nobody, NOW);
  assert.equal(learningProgress(proposals, proposals, new Set([firefox?.key ?? ''])).coveredPercent, 3);
  assert.equal(progressTitle(none, NOW), 'Learning for 3 days');
  const empty = learningProgress([], [], new Set());
  assert.deepEqual([empty.coveredPercent, progressTitle(empty, NOW)], [0, 'Learning has begun']);
  assert.match(progressText(empty), /Use your programs as usual/u);
  assert.deepEqual([longDuration(0), longDuration(90 * 60_000), longDuration(5 * 3_600_000)], ['1 minute', '90 minutes', '5 hours']);
});

test('nothing moves while learning goes on: what was there keeps its place', () => {
  assert.deepEqual(keptOrder(['a', 'b', 'c'], ['c', 'd', 'a']), ['a', 'c', 'd']);
  assert.deepEqual(keptOrder([], ['b', 'a']), ['b', 'a']);
});

test('the panel: learning may be ended, a trial says until when, enforcing says what could be tidied up', () => {
  const facts = { open: [], all: [], hidden: new Set<string>(), shown: 0, findings: 0 };
  assert.equal(panelContent(statusOf({ mode: 'learning' }), facts, NOW).canEnforce, true);
  const trial = panelContent(statusOf({ trial: { before: 'learning', endsMs: NOW + 600_000 } }), facts, NOW);
  assert.match(trial.title, /^Enforcing until /u);
  assert.equal(trial.canEnforce, false);
  assert.match(panelContent(statusOf(), facts, NOW).text, /in order\.$/u);
  assert.match(panelContent(statusOf(), { ...facts, findings: 1 }, NOW).text, /tidied up:$/u);
  assert.match(panelContent(statusOf(), { ...facts, shown: 1 }, NOW).text, /left from learning\.$/u);
});

test('findings are told by what they are, without the helper’s own words', () => {
  const finding: RuleFinding = { kind: 'missing', rule_id: 'r', name: 'A\u{202e}', other_id: '', text: 'x', advice: 'y', path: '/gone' };
  assert.equal(findingText(finding, NOW), '“A\\u{202e}” names /gone, which no longer exists.');
  assert.equal(findingText({ ...finding, kind: 'unused', since_ms: NOW - 40 * DAY_MS }, NOW), '“A\\u{202e}” has not been used for 40 days.');
  assert.equal(findingText({ ...finding, kind: 'incomplete' }, NOW), '');
});

test('what a person does not want is kept in a file of his own, bounded, and anything else in it is nothing', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-hidden-'));
  t.after(() => { rmSync(folder, { recursive: true, force: true }); });
  assert.equal(hiddenPath({ XDG_STATE_HOME: folder }), join(folder, 'bastion-firewall/hidden-suggestions.json'));
  assert.match(hiddenPath({ XDG_STATE_HOME: 'relative' }), /\/\.local\/state\/bastion-firewall\//u);
  const path = hiddenPath({ XDG_STATE_HOME: folder });
  const first = new HiddenSuggestions(path);
  for (let index = 0; index <= HIDDEN_LIMIT; index += 1) first.hide(`key ${String(index)}`);
  const again = new HiddenSuggestions(path);
  assert.deepEqual([again.has('key 0'), again.has('key 1'), again.has(`key ${String(HIDDEN_LIMIT)}`)], [false, true, true]);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal((JSON.parse(readFileSync(path, 'utf8')) as readonly unknown[]).length, HIDDEN_LIMIT);
  again.show(['key 1']);
  assert.equal(new HiddenSuggestions(path).has('key 1'), false);
  for (const wrong of ['{}', 'torn [', '[1, "no digest", null]', `["${'x'.repeat(70_000)}"]`]) {
    writeFileSync(path, wrong);
    assert.equal(new HiddenSuggestions(path).has('key 2'), false, wrong.slice(0, 20));
  }
});
