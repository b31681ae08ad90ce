/** What a person is told once, and what the preferences make of what is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Proposal } from '../../helper/contract/types.ts';
import { LEARNED_AFTER_MS, learnedEnough, welcome } from '../../desktop/model/guidance.ts';
import { Settings, inMemory } from '../../desktop/model/settings.ts';
import { adaptNotice } from '../../desktop/model/state-notices.ts';
import { checkRows, checkSummary, listRow } from '../../desktop/model/preferences.ts';
import { statusOf } from '../desktop/samples.ts';

const NOW_MS = 1_800_000_000_000;
const learning = statusOf({ mode: 'learning' });

function proposalOf(change: Partial<Proposal> = {}): Proposal {
  return {
    kind: 'rule', text: 'curl may reach example.org.', rule: { action: 'allow' }, applications: ['/usr/bin/curl'], destinations: [], users: [],
    connections: 3, first_ms: NOW_MS - LEARNED_AFTER_MS - 1, last_ms: NOW_MS, coverage: 40, examples: [], confidence: 'certain', ...change,
  };
}

test('guidance: the first steps are offered only while the firewall learns, and once', () => {
  assert.equal(welcome(learning, false)?.title, 'Bastion Firewall is learning');
  assert.equal(welcome(learning, true), null);
  assert.equal(welcome(statusOf(), false), null);
  assert.equal(welcome(statusOf({ mode: 'learning', state: 'off' }), false), null);
  assert.equal(welcome(null, false), null);
});

test('guidance: learning is enough after days with suggestions, counted without what is no rule', () => {
  const left = proposalOf({ kind: 'left-out' });
  assert.equal(learnedEnough(learning, [proposalOf(), proposalOf(), left], NOW_MS)?.title, 'Bastion Firewall has learned enough: 2 suggestions');
  assert.equal(learnedEnough(learning, [proposalOf()], NOW_MS)?.title, 'Bastion Firewall has learned enough: 1 suggestion');
  assert.equal(learnedEnough(learning, [left], NOW_MS), null);
  assert.equal(learnedEnough(learning, [], NOW_MS), null);
  assert.equal(learnedEnough(learning, [proposalOf({ first_ms: NOW_MS - 1000 })], NOW_MS), null);
  assert.equal(learnedEnough(statusOf(), [proposalOf()], NOW_MS), null);
});

test('preferences: changes of the state can be kept quiet, the safeguard only made to heed Do Not Disturb', () => {
  const settings = new Settings(inMemory());
  const notice = { title: 'Limited protection', body: '', urgency: 'normal', icon: '' } as const;
  const safeguard = { ...notice, urgency: 'critical' } as const;
  assert.equal(adaptNotice(notice, settings), notice);
  assert.equal(adaptNotice(safeguard, settings), safeguard);
  settings.set('notify-state', false);
  settings.set('safeguard-always-told', false);
  assert.equal(adaptNotice(notice, settings), null);
  assert.equal(adaptNotice(safeguard, settings)?.urgency, 'normal');
});

test('preferences: what failed in the self-test stands first, in words and not in colour alone', () => {
  const checks = [{ name: 'queue', ok: true, detail: 'there' }, { name: 'gate\u{202e}', ok: false, detail: 'not attached' }];
  assert.deepEqual(checkRows(checks).map((row) => row.title), ['gate\\u{202e}: failed', 'queue: passed']);
  assert.equal(checkSummary(checks), '1 of 2 checks failed.');
  assert.equal(checkSummary(checks.slice(0, 1)), '1 check passed.');
  assert.equal(checkSummary([]), 'The service checked nothing.');
  assert.equal(checkRows(Array.from({ length: 500 }, () => ({ name: 'x', ok: true, detail: '' }))).length, 64);
});

test('preferences: a list says how much it holds, how old it is, who uses it, and why it is not as it should be', () => {
  const list = {
    id: 'ads', name: 'Advertisers', source: '/x', format: 'hosts', entries: 12_345, domains: 12_345, prefixes: 0, exceptions: 0, ignored: 0,
    updated_ms: NOW_MS - 7_200_000, next_ms: 0, error: '', updating: false, used_by: ['a'],
  } as const;
  assert.deepEqual(listRow({ ...list, used_by: ['a'] }, NOW_MS), {
    title: 'Advertisers', text: '12,345 entries  ·  changed 2 hours ago  ·  1 rule uses it', icon: 'view-list-symbolic',
  });
  const broken = listRow({ ...list, used_by: [], error: 'the server\nsays no', updated_ms: 0, entries: 0 }, NOW_MS);
  assert.equal(broken.text, 'not up to date: the server\\u{a}says no  ·  0 entries  ·  nothing loaded yet  ·  no rule uses it');
  assert.equal(broken.icon, 'dialog-warning-symbolic');
});
