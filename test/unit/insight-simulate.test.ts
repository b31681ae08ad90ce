import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from '../property.ts';
import type { Rule } from '../../helper/contract/vocabulary.ts';
import { simulationAnswer } from '../../helper/insight/rows.ts';
import { Simulation } from '../../helper/insight/simulate.ts';
import type { Decide, RuleChanges, Simulated } from '../../helper/insight/simulate.ts';
import { recordedFacts } from '../../helper/policy/recorded.ts';
import type { RecordedFlow } from '../../helper/policy/recorded.ts';
import { RuleIndex } from '../../helper/policy/rule-index.ts';
import { learned, MOMENTS, START_MS } from './insight-support.ts';
import { rules as anyRules } from './policy-arbitrary.ts';
import { ports, rule } from './policy-support.ts';

const NOW_MS = START_MS + 1_000_000;
const askByDefault: Decide = (_record, _facts, winner) => winner?.action ?? 'ask';

function simulate(flows: readonly RecordedFlow[], present: readonly Rule[], changes: Partial<RuleChanges>, rowLimit?: number): Simulated {
  const simulation = new Simulation({ present, changes: { before: [], after: [], ...changes }, moments: MOMENTS, decide: askByDefault, nowMs: NOW_MS }, rowLimit);
  for (const flow of flows) simulation.take(flow);
  return simulation.result();
}

function text(simulated: Simulated): string {
  return simulationAnswer(simulated, 0, false, String).summary.text;
}

const web = rule('web', 'allow', { path: '/usr/bin/curl', ...ports(443) });

describe('simulation', () => {
  test('says what a new denial would have refused, by application and destination', () => {
    const flows = [learned({ name: 'example.org' }), learned({ name: 'example.org' }), learned({ path: '/usr/bin/wget' }), learned({ port: 80 })];
    const simulated = simulate(flows, [], { after: [rule('no', 'deny', ports(443))] });
    assert.equal(text(simulated), 'Would have refused 2 applications, 3 connections.');
    assert.deepEqual(simulated.rows.map(({ path, host, address, tally, to, ruleAfter }) => [path, host || address, tally.connections, to, ruleAfter]), [
      ['/usr/bin/curl', 'example.org', 2, 'deny', 'no'], ['/usr/bin/wget', '203.0.113.7', 1, 'deny', 'no'],
    ]);
    assert.deepEqual(simulated.rows[0]?.tally.examples, flows.slice(0, 2).map(({ id }) => id));
  });

  test('says what would be newly allowed, and what would be asked about when a rule goes', () => {
    assert.equal(text(simulate([learned()], [], { after: [web] })), 'Would have allowed 1 application, 1 connection.');
    assert.equal(text(simulate([learned()], [web], { before: [web] })), 'Would have asked about 1 application, 1 connection.');
    assert.equal(text(simulate([learned()], [web], { before: [web], after: [{ ...web, action: 'drop' }] })), 'Would have refused 1 application, 1 connection.');
  });

  test('a change that another rule outranks changes nothing, and the sentence says how much was looked at', () => {
    const first = rule('first', 'allow', {}, { tier: 'user', priority: 9 });
    assert.equal(text(simulate([learned(), learned()], [first], { after: [rule('no', 'deny')] })), 'Nothing would have been different in 2 recorded connections.');
    assert.equal(text(simulate([], [], { after: [web] })), 'There is no recorded connection to compare with.');
  });

  test('a rule that is over, or switched off, is in neither set', () => {
    const over = rule('over', 'deny', {}, { lifetime: { until: NOW_MS } });
    assert.equal(simulate([learned()], [], { after: [over] }).sums.refused.tally.connections, 0);
    assert.equal(simulate([learned()], [], { after: [{ ...web, action: 'deny', enabled: false }] }).sums.refused.tally.connections, 0);
  });

  test('deny in place of drop is no difference', () => {
    const denied = rule('no', 'deny');
    assert.equal(simulate([learned()], [denied], { before: [denied], after: [{ ...denied, action: 'drop' }] }).rows.length, 0);
  });

  test('more destinations than there is room for are counted and not listed', () => {
    const flows = Array.from({ length: 9 }, (_, index) => learned({ address: `203.0.113.${String(index)}` }));
    const simulated = simulate(flows, [], { after: [rule('no', 'deny')] }, 4);
    assert.deepEqual([simulated.rows.length, simulated.unlisted, simulated.sums.refused.tally.connections], [4, 5, 9]);
  });

  test('whatever changes, the sums are those of asking both sets about each flow', () => {
    const flow = fc.record({
      path: fc.constantFrom('/a', '/b'), uid: fc.constantFrom(0, 1000), address: fc.constantFrom('10.0.0.1', '10.0.1.1', '2001:db8::1'),
      port: fc.constantFrom(53, 80, 443), protocol: fc.constantFrom(6, 17),
    });
    fc.assert(fc.property(anyRules, anyRules, fc.array(flow, { maxLength: 20 }), (all, more, changes) => {
      const flows = changes.map((one) => learned({ ...one, timeMs: START_MS }));
      const before = all.slice(0, 5);
      const after = more.slice(0, 5).map((one) => ({ ...one, id: `new-${one.id}` }));
      const living = (rules: readonly Rule[]): RuleIndex =>
        new RuleIndex(rules.filter(({ lifetime }) => typeof lifetime !== 'object' || lifetime.until > NOW_MS));
      const [now, then] = [living(all), living([...all.slice(5), ...after])];
      const outcome = (index: RuleIndex, one: RecordedFlow): string => {
        const action = index.evaluate(recordedFacts(one), MOMENTS.at(one.timeMs)).rule?.action ?? 'ask';
        return action === 'drop' ? 'deny' : action;
      };
      const different = flows.filter((one) => outcome(now, one) !== outcome(then, one));
      const { sums, rows } = simulate(flows, all, { before, after });
      const counted = sums.refused.tally.connections + sums.asked.tally.connections + sums.allowed.tally.connections;
      assert.equal(counted, different.length);
      assert.equal(rows.reduce((sum, row) => sum + row.tally.connections, 0), different.length);
      assert.equal(sums.allowed.tally.connections, different.filter((one) => outcome(then, one) === 'allow').length);
    }), { numRuns: 300 });
  });
});
