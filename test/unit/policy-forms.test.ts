/** How wide a decision is remembered: never wider than what the rules say of every destination that the form stands for. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from '../property.ts';
import type { Rule, RuleAction, Tuple } from '../../helper/contract/vocabulary.ts';
import type { Facts, Moment } from '../../helper/policy/facts.ts';
import { widestForm } from '../../helper/policy/forms.ts';
import type { Outcomes, Wide, WideForm } from '../../helper/policy/forms.ts';
import { RuleIndex } from '../../helper/policy/rule-index.ts';
import { circumstances, flows, moments, rules, under } from './policy-arbitrary.ts';
import { facts, moment, PATH, ports, rule, tuple } from './policy-support.ts';

const ENFORCING: Outcomes = { none: 'ask', ask: 'ask' };
const LEARNING: Outcomes = { none: 'allow', ask: 'allow' };
const REPLY: Outcomes = { none: 'allow', ask: 'ask' };

function actionOf(index: RuleIndex, flow: Facts, at: Moment, outcomes: Outcomes): RuleAction {
  const action = index.evaluate(flow, at).rule?.action ?? null;
  if (action === null) return outcomes.none;
  return action === 'ask' ? outcomes.ask : action;
}

function wide(list: readonly Rule[], flow: Facts, outcomes: Outcomes, at: Moment = moment(), reply = false): Wide | null {
  const index = new RuleIndex(list);
  const named = index.rulesFor(flow);
  if (named === null) return null;
  return widestForm({ rules: named, facts: flow, moment: at, action: actionOf(index, flow, at, outcomes), outcomes, reply });
}

/** Another flow that has the form's key too. */
function within(form: WideForm, { family, destinationAddress, protocol, destinationPort }: Tuple, other: Tuple): Tuple {
  switch (form) {
    case 'program':
      return other;
    case 'any-address':
      return { ...other, protocol, destinationPort };
    default:
      return { ...other, family, destinationAddress };
  }
}

describe('widestForm', () => {
  test('says of every destination, process and later moment that it covers what the rules say when they are asked', () => {
    const action = fc.constantFrom<RuleAction>('allow', 'allow', 'ask', 'deny', 'drop');
    const outcomes = fc.record({ none: action, ask: fc.constantFrom<RuleAction>('ask', 'allow') });
    const others = fc.array(fc.record({ tuple: flows.map((flow) => flow.tuple), how: circumstances, lookup: fc.boolean() }), { minLength: 20, maxLength: 20 });
    const later = fc.record({ passedMs: fc.nat(120_000), minute: fc.constantFrom(0, 540, 600, 1100, 1439), sessions: fc.constantFrom([], ['s1']) });
    let found = 0;
    fc.assert(fc.property(
      rules, fc.integer({ min: 0, max: 40 }), flows, moments, outcomes, fc.boolean(), others, later,
      (all, size, flow, at, outcome, reply, more, { passedMs, minute, sessions }) => {
        if (flow.confidence !== 'certain') return;
        const list = all.slice(0, size);
        const index = new RuleIndex(list);
        const wanted = actionOf(index, flow, at, outcome);
        const form: Wide | null = wide(list, flow, outcome, at, reply);
        if (form === null || (form.lastsMs !== null && passedMs >= form.lastsMs)) return;
        found += 1;
        const local = { weekday: (at.local.weekday + 1) % 7, minute };
        const then = { ...at, nowMs: at.nowMs + passedMs, local, sessions: new Set<string>(sessions) };
        for (const { tuple: other, how, lookup } of more) {
          const going = within(form.form, flow.tuple, other);
          const isLookup = lookup && going.protocol === 17 && going.destinationPort === 53;
          const one: Facts = { ...under(flow, how), isLookup, tuple: going };
          assert.equal(actionOf(index, one, then, outcome), wanted, JSON.stringify([form, one.tuple]));
        }
      },
    ), { numRuns: 3000 });
    assert.ok(found > 100, `only ${String(found)} forms were looked at`);
  });

  const web = { path: PATH, ...ports(443), protocols: [6] };
  const cases: readonly (readonly [string, WideForm | null, readonly Rule[], Outcomes])[] = [
    ['a rule for the program alone', 'program', [rule('a', 'allow', { path: PATH })], ENFORCING],
    ['a rule for one port', 'any-address', [rule('a', 'allow', web)], ENFORCING],
    ['a rule for one address', 'any-port', [rule('a', 'allow', { path: PATH, address: '10.77.0.2' })], ENFORCING],
    ['a rule for one address and port', null, [rule('a', 'allow', { ...web, address: '10.77.0.2' })], ENFORCING],
    ['a prefix', 'any-port', [rule('a', 'allow', { path: PATH, address: '10.0.0.0/8' })], ENFORCING],
    ['a denied port of any program', 'any-address',
      [rule('a', 'allow', { path: PATH }), rule('mail', 'deny', ports(25), { priority: 1 })], ENFORCING],
    ['a denied address of any program', 'any-port',
      [rule('a', 'allow', { path: PATH }), rule('bad', 'deny', { address: '192.0.2.0/24' }, { priority: 1 })], ENFORCING],
    ['a denied address behind a rule for the program', 'program',
      [rule('a', 'allow', { path: PATH }, { priority: 1 }), rule('bad', 'deny', { address: '192.0.2.0/24' })], ENFORCING],
    ['a denied address of another program', 'program',
      [rule('a', 'allow', { path: PATH }), rule('bad', 'deny', { path: '/bin/other', address: '192.0.2.1' })], ENFORCING],
    ['a denied port of another user', 'program', [rule('a', 'allow', { path: PATH }), rule('b', 'deny', { path: PATH, uid: 7, ...ports(25) })], ENFORCING],
    ['two rules that say the same', 'program', [rule('a', 'deny', { path: PATH }), rule('b', 'deny', web)], ENFORCING],
    ['refusing in silence is another action than refusing', 'any-port',
      [rule('a', 'deny', { path: PATH }), rule('b', 'drop', { path: PATH, address: '10.9.9.9' })], ENFORCING],
    ['the default action', 'program', [], { none: 'allow', ask: 'ask' }],
    ['the default action and a rule that asks', 'any-address', [rule('a', 'ask', ports(25))], { none: 'allow', ask: 'ask' }],
    ['learning, and a rule that asks', 'program', [rule('a', 'ask', ports(25))], LEARNING],
    ['learning, and a denied port', 'any-address', [rule('a', 'deny', ports(25))], LEARNING],
    ['a schedule for what is allowed anyway', 'program',
      [rule('a', 'allow', { path: PATH }), rule('b', 'allow', { schedule: { days: [0], fromMinute: 0, toMinute: 60 } }, { priority: 1 })], ENFORCING],
    ['a schedule that may deny', null,
      [rule('a', 'allow', { path: PATH }), rule('b', 'deny', { schedule: { days: [0], fromMinute: 0, toMinute: 60 } }, { priority: 1 })], ENFORCING],
    ['another process that is denied', null,
      [rule('a', 'allow', { path: PATH }), rule('b', 'deny', { path: PATH, process: { pid: 9, startNs: 9n } }, { priority: 1 })], ENFORCING],
  ];
  for (const [name, form, list, outcomes] of cases) {
    test(`${name}: ${form ?? 'only as it is'}`, () => { assert.equal(wide(list, facts(), outcomes)?.form ?? null, form); });
  }

  test('what a server answers is remembered for the whole program, and for one peer where a rule names another', () => {
    const peer = facts({ tuple: tuple({ protocol: 17, destinationPort: 51_000 }) });
    assert.equal(wide([], peer, REPLY, moment(), true)?.form, 'program');
    assert.equal(wide([rule('bad', 'deny', { address: '192.0.2.1' })], peer, REPLY, moment(), true)?.form, 'any-port');
  });

  test('a form lasts as long as the rule that it needs, and a minute at most', () => {
    const at = moment();
    const until = (ms: number): Rule => rule(`u${String(ms)}`, 'allow', { path: PATH }, { lifetime: { until: at.nowMs + ms } });
    assert.deepEqual(wide([until(2500)], facts(), ENFORCING, at), { form: 'program', lastsMs: 2500 });
    assert.deepEqual(wide([until(2500), until(9000)], facts(), ENFORCING, at), { form: 'program', lastsMs: 9000 });
    assert.deepEqual(wide([until(86_400_000)], facts(), ENFORCING, at), { form: 'program', lastsMs: 60_000 });
    assert.deepEqual(wide([until(2500), rule('a', 'allow', { path: PATH })], facts(), ENFORCING, at), { form: 'program', lastsMs: null });
  });

  test('more rules than can be looked at each leave it at the destination, whatever they say', () => {
    const many = (count: number): readonly Rule[] => Array.from({ length: count }, (_, at) => rule(`r${String(at)}`, 'allow', { path: PATH, ...ports(at + 1) }));
    const all = rule('all', 'allow', { path: PATH });
    assert.equal(wide([all, ...many(127)], facts(), ENFORCING)?.form, 'program');
    assert.equal(wide([all, ...many(128)], facts(), ENFORCING), null);
  });

  test('rulesFor: a rule that comes or goes is seen at once', () => {
    const index = new RuleIndex([rule('a', 'allow', { path: PATH })]);
    assert.equal(index.rulesFor(facts())?.length, 1);
    index.add(rule('b', 'deny', ports(25)));
    assert.deepEqual(index.rulesFor(facts())?.map((entry) => entry.rule.id), ['a', 'b']);
    index.remove('a');
    assert.deepEqual(index.rulesFor(facts())?.map((entry) => entry.rule.id), ['b']);
  });
});
