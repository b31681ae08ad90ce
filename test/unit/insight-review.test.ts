import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from '../property.ts';
import type { Rule, RuleMatch } from '../../helper/contract/vocabulary.ts';
import { coversRule, mayMeet } from '../../helper/insight/cover.ts';
import { reviewRules } from '../../helper/insight/review.ts';
import type { ReviewOptions } from '../../helper/insight/review.ts';
import { reviewRows } from '../../helper/insight/rows.ts';
import { findShadows } from '../../helper/insight/shadows.ts';
import { compareRules, rankRule } from '../../helper/policy/order.ts';
import type { RankedRule } from '../../helper/policy/order.ts';
import { RuleIndex } from '../../helper/policy/rule-index.ts';
import { circumstances, flows, moments, rules as anyRules, under } from './policy-arbitrary.ts';
import { ports, rule } from './policy-support.ts';
import { processorTime } from './processor-time.ts';

const NOW_MS = 1_900_000_000_000;
const DAY_MS = 86_400_000;

function ranked(rules: readonly Rule[]): readonly RankedRule[] {
  return rules.map(rankRule).filter((entry) => entry !== null).sort(compareRules);
}

function review(rules: readonly Rule[], change: Partial<ReviewOptions> = {}): readonly (readonly string[])[] {
  const { findings } = reviewRules({
    rules, inForce: new Set(rules.map(({ id }) => id)), lastUsedMs: new Map(), usesKnownSinceMs: null, nowMs: NOW_MS, isGone: () => false,
    ...change,
  });
  return findings.map(({ kind, rule: { id }, by }) => [kind, id, ...(by === null ? [] : [by.id])]);
}

function covers(wide: RuleMatch, narrow: RuleMatch, actions: readonly [Rule['action'], Rule['action']] = ['allow', 'allow']): boolean {
  return coversRule(rule('wide', actions[0], wide), rule('narrow', actions[1], narrow));
}

describe('one rule covers another', () => {
  test('where each of its parts is absent, the same, or wider', () => {
    assert.ok(covers({}, { path: '/a', uid: 1, ...ports(80) }));
    assert.ok(covers({ address: '10.0.0.0/8' }, { address: '10.1.2.3' }));
    assert.ok(covers({ domain: '*.example.org' }, { domain: 'www.example.org' }));
    assert.ok(covers({ domain: '*.org' }, { domain: '*.example.org' }));
    assert.ok(covers({ ports: [{ first: 1, last: 100 }] }, { ports: [{ first: 20, last: 30 }] }));
    assert.ok(covers({ protocols: [6, 17] }, { protocols: [6] }));
    assert.ok(covers({ interface: 'wg*' }, { interface: 'wg0' }));
  });

  test('and not in any other case', () => {
    assert.ok(!covers({ path: '/a' }, {}));
    assert.ok(!covers({ path: '/a' }, { path: '/b' }));
    assert.ok(!covers({ address: '10.0.0.0/8' }, { address: '11.0.0.1' }));
    assert.ok(!covers({ address: '0.0.0.0/0' }, { address: '::1' }));
    assert.ok(!covers({ address: '10.0.0.0/8' }, { domain: 'example.org' }));
    assert.ok(!covers({ domain: '*.example.org' }, { domain: 'example.org' }));
    assert.ok(!covers({ domain: 'example.org' }, { domain: '*.example.org' }));
    assert.ok(!covers(ports(80), { protocols: [1], ...ports(80) }), 'types of ICMP are no ports');
    assert.ok(!covers({ path: '/p', includeChildren: true }, { path: '/p' }));
    assert.ok(!covers({ path: '/python' }, { path: '/python', script: '/s' }));
    assert.ok(!covers({ path: '/a' }, { path: '/a' }, ['allow', 'deny']), 'a denial also holds for what only claims to be the program');
    assert.ok(covers({ path: '/a' }, { path: '/a' }, ['deny', 'allow']));
    assert.ok(!covers(ports(443), { domain: 'example.org', ...ports(443) }), 'an allowance for a name covers its lookup');
    assert.ok(!coversRule(rule('wide', 'allow', {}, { lifetime: { until: 5 } }), rule('narrow', 'allow', {})));
    assert.ok(!coversRule(rule('wide', 'allow', {}, { profile: 'home' }), rule('narrow', 'allow', {})));
  });
});

describe('shadows', () => {
  test('a rule called shadowed never decides anything, in any order and at any time', () => {
    fc.assert(fc.property(anyRules, fc.array(flows, { minLength: 1, maxLength: 20 }), circumstances, moments, (rules, all, other, moment) => {
      const living = rules.filter(({ enabled }) => enabled);
      const { found } = findShadows(ranked(living));
      const hidden = new Set(found.map((shadow) => shadow.rule.id));
      const index = new RuleIndex(living);
      for (const flow of [...all, ...all.map((one) => under(one, other))]) {
        const winner = index.evaluate(flow, moment).rule;
        assert.ok(winner === null || !hidden.has(winner.id), JSON.stringify([winner, found, flow], (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value)));
      }
    }), { numRuns: 2000 });
  });

  test('a covering rule matches whatever the covered one matches, and two that are said to be apart never meet', () => {
    fc.assert(fc.property(anyRules, fc.array(flows, { minLength: 1, maxLength: 20 }), circumstances, moments, (rules, all, other, moment) => {
      const living = rules.filter(({ enabled }) => enabled).slice(0, 12);
      const matches = (one: Rule, flow: Parameters<RuleIndex['evaluate']>[0]): boolean => new RuleIndex([one]).evaluate(flow, moment).rule !== null;
      const looked = [...all, ...all.map((one) => under(one, other))];
      for (const a of living) {
        for (const b of living) {
          if (a === b) continue;
          const covered = coversRule(a, b);
          const [one, another] = [rankRule(a), rankRule(b)];
          const apart = one !== null && another !== null && !mayMeet(one, another);
          if (!covered && !apart) continue;
          for (const flow of looked) {
            if (!matches(b, flow)) continue;
            assert.equal(matches(a, flow), covered ? true : false, `${JSON.stringify(a.match, String)} ${JSON.stringify(b.match, String)}`);
          }
        }
      }
    }), { numRuns: 300 });
  });

  test('10,000 rules are compared in less than a second, also where they are all of one program', () => {
    const rules = Array.from({ length: 10_000 }, (_, number) => rule(`r${String(number)}`, 'allow', {
      ...(number % 2 === 0 ? { path: '/usr/bin/one' } : { path: `/usr/bin/p${String(number)}` }),
      ...(number % 4 === 0 ? ports(number % 60_000) : { address: `10.${String(number >> 8)}.${String(number & 255)}.0/24` }),
    }));
    const hidden = rule('hidden', 'allow', { path: '/usr/bin/one', address: '10.0.2.9' }, { priority: -1 });
    const { result: { found, isComplete }, tookMs } = processorTime(() => findShadows(ranked([...rules, hidden])));
    assert.ok(tookMs < 1000, `${tookMs.toFixed(0)} ms`);
    assert.deepEqual([isComplete, found.map((shadow) => [shadow.rule.id, shadow.by.id])], [true, [['hidden', 'r2']]]);
  });

  test('too many rules alike are not compared to the end, and the answer says so', () => {
    const alike = Array.from({ length: 50 }, (_, number) => rule(`r${String(number)}`, 'allow', { ports: [{ first: number, last: number + 1 }] }));
    assert.equal(findShadows(ranked(alike), 100).isComplete, false);
    const rows = reviewRows({ findings: [], isComplete: false }, NOW_MS);
    assert.match(rows[0]?.text ?? '', /too many rules alike/);
  });
});

describe('findings', () => {
  test('a rule that is said twice, and one that another hides', () => {
    const twice = [rule('a', 'allow', { path: '/a' }, { created: 1 }), rule('b', 'allow', { path: '/a' }, { created: 2 })];
    assert.deepEqual(review(twice), [['duplicate', 'b', 'a']]);
    const hidden = [rule('all', 'deny', {}, { priority: 5 }), rule('web', 'allow', { path: '/a', ...ports(443) })];
    assert.deepEqual(review(hidden), [['shadowed', 'web', 'all']]);
  });

  test('a rule that is switched off hides nothing', () => {
    assert.deepEqual(review([rule('all', 'deny', {}, { priority: 5, enabled: false }), rule('web', 'allow', { path: '/a' })]), []);
  });

  test('one that is over, and one whose program is gone', () => {
    assert.deepEqual(review([rule('old', 'allow', {}, { lifetime: { until: NOW_MS - 1 } })]), [['expired', 'old']]);
    assert.deepEqual(review([rule('x', 'allow', { path: '/opt/x' })], { isGone: (path) => path === '/opt/x' }), [['missing', 'x']]);
    assert.deepEqual(review([rule('k', 'allow', { path: 'kernel' })], { isGone: () => true }), []);
  });

  test('unused is one that decided nothing for a month of known history, and no younger one', () => {
    const rules = [rule('a', 'allow', { path: '/a' }, { created: NOW_MS - 90 * DAY_MS }), rule('young', 'allow', { path: '/b' }, { created: NOW_MS - DAY_MS })];
    const since = (days: number): Partial<ReviewOptions> => ({ usesKnownSinceMs: NOW_MS - days * DAY_MS });
    assert.deepEqual(review(rules, since(40)), [['unused', 'a']]);
    assert.deepEqual(review(rules, since(20)), []);
    assert.deepEqual(review(rules, { usesKnownSinceMs: null }), []);
    assert.deepEqual(review(rules, { ...since(40), lastUsedMs: new Map([['a', NOW_MS - 35 * DAY_MS]]) }), []);
  });

  test('each has a sentence and what can be done', () => {
    const [row] = reviewRows({ findings: [{ kind: 'missing', rule: rule('x', 'allow', { path: '/opt/x' }), by: null, path: '/opt/x', sinceMs: null }], isComplete: true }, NOW_MS);
    assert.deepEqual([row?.text, row?.advice], [
      '“x” names /opt/x, which is not there any more.',
      'If the program was uninstalled, remove it: bastionctl rules remove x; if it moved, name its new path',
    ]);
  });

  test('more findings than a page holds end with how many more there are', () => {
    const findings = Array.from({ length: 700 }, (_, number) => ({
      kind: 'unused' as const, rule: rule(`r${String(number)}`, 'allow'), by: null, path: null, sinceMs: 0,
    }));
    const rows = reviewRows({ findings, isComplete: false }, NOW_MS);
    assert.equal(rows.length, 500);
    assert.match(rows.at(-2)?.text ?? '', /202 more rules/);
  });
});
