import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from '../property.ts';
import ipaddr from 'ipaddr.js';
import type { Rule } from '../../helper/contract/vocabulary.ts';
import type { Facts, Moment } from '../../helper/policy/facts.ts';
import { matchesLasting, matchesNow } from '../../helper/policy/facts.ts';
import { compareRules, orderStep, rankRule } from '../../helper/policy/order.ts';
import type { RankedRule } from '../../helper/policy/order.ts';
import { remembering } from '../../helper/policy/remembering.ts';
import { RuleIndex } from '../../helper/policy/rule-index.ts';
import { advanceWall } from '../../helper/policy/time.ts';
import type { WallMark } from '../../helper/policy/time.ts';
import { circumstances, flows, moments, rules, under } from './policy-arbitrary.ts';
import { facts, moment, PATH, ports, rule, tuple } from './policy-support.ts';

function ranked(one: Rule): RankedRule {
  const entry = rankRule(one);
  assert.ok(entry !== null);
  return entry;
}

function winner(list: readonly Rule[], flow: Facts = facts(), at: Moment = moment()): string | null {
  return new RuleIndex(list).evaluate(flow, at).rule?.id ?? null;
}

describe('order', () => {
  const all = { path: PATH, address: '10.77.0.2', ...ports(443), protocols: [6], uid: 1000 };
  const pairs: readonly (readonly [string, string, Rule, Rule])[] = [
    ['tier', "an administrator's deny before a user's exact allow",
      rule('a', 'deny', {}, { tier: 'administrator' }), rule('b', 'allow', all)],
    ['tier', "a user's rule before an administrator's allow",
      rule('a', 'deny'), rule('b', 'allow', all, { tier: 'administrator', priority: 1000 })],
    ['tier', "a user's allow before an administrator's ask", rule('a', 'allow'), rule('b', 'ask', all, { tier: 'administrator' })],
    ['tier', "an administrator's allow before a vendor's deny",
      rule('a', 'allow', {}, { tier: 'administrator' }), rule('b', 'deny', all, { tier: 'vendor' })],
    ['tier', "a vendor's rule before a built-in one", rule('a', 'allow', {}, { tier: 'vendor' }), rule('b', 'deny', all, { tier: 'built-in' })],
    ['priority', 'the higher priority before the more specific', rule('a', 'allow', {}, { priority: 1 }), rule('b', 'deny', all)],
    ['program', 'a named program before everything else that is specific',
      rule('a', 'allow', { path: PATH }), rule('b', 'deny', { address: '10.77.0.2', ...ports(443), protocols: [6], uid: 1000 })],
    ['address', 'an exact address before a prefix', rule('a', 'allow', { address: '10.77.0.2' }), rule('b', 'deny', { address: '10.77.0.0/31' })],
    ['address', 'a longer prefix before a shorter one',
      rule('a', 'allow', { address: '10.77.0.0/24' }), rule('b', 'deny', { address: '10.0.0.0/8', ...ports(443) })],
    ['address', 'even the shortest prefix before any', rule('a', 'allow', { address: '0.0.0.0/0' }), rule('b', 'deny')],
    ['port', 'one port before a range', rule('a', 'allow', ports(443)), rule('b', 'deny', { ports: [{ first: 1, last: 1000 }], protocols: [6] })],
    ['protocol', 'a protocol before none', rule('a', 'allow', { protocols: [6] }), rule('b', 'deny', { uid: 1000 })],
    ['user', 'a user before none', rule('a', 'allow', { uid: 1000 }), rule('b', 'deny')],
    ['action', 'deny before allow', rule('b', 'deny', {}, { created: 9 }), rule('a', 'allow')],
    ['action', 'deny before ask, ask before allow', rule('b', 'ask', {}, { created: 9 }), rule('a', 'allow')],
    ['age', 'the older before the younger', rule('b', 'deny', {}, { created: 1 }), rule('a', 'deny', {}, { created: 2 })],
    ['id', 'the id at last', rule('a', 'deny'), rule('b', 'deny')],
  ];
  for (const [step, name, first, second] of pairs) {
    test(`compareRules: ${name}`, () => {
      assert.ok(compareRules(ranked(first), ranked(second)) < 0);
      assert.ok(compareRules(ranked(second), ranked(first)) > 0);
      assert.equal(orderStep(ranked(first), ranked(second)), step);
      assert.equal(winner([second, first]), first.id);
    });
  }

  test('compareRules: is a strict total order over rules with different ids', () => {
    fc.assert(fc.property(rules, (list) => {
      const entries = list.slice(0, 12).map(ranked);
      for (const a of entries) {
        assert.equal(compareRules(a, a), 0);
        for (const b of entries) {
          if (a === b) continue;
          assert.ok(compareRules(a, b) !== 0);
          assert.equal(Math.sign(compareRules(a, b)), -Math.sign(compareRules(b, a)));
          for (const c of entries) {
            if (compareRules(a, b) < 0 && compareRules(b, c) < 0) assert.ok(compareRules(a, c) < 0);
          }
        }
      }
    }), { numRuns: 50 });
  });
});

describe('matching', () => {
  test('evaluate: no rule is no decision', () => {
    assert.deepEqual(new RuleIndex().evaluate(facts(), moment()), { rule: null, next: null, dynamic: [], depends: { names: false, process: false } });
  });

  test('evaluate: a switched-off rule, a double id and an address that is none never match', () => {
    const list = [
      rule('off', 'allow', {}, { enabled: false }), rule('bad', 'allow', { address: 'example.org' }),
      rule('one', 'deny', { uid: 7 }), rule('one', 'allow'),
    ];
    assert.equal(winner(list), null);
  });

  test('evaluate: a rule for ports that names no protocol does not open ping', () => {
    const echo = facts({ tuple: tuple({ protocol: 1, destinationPort: 8 }) });
    assert.equal(winner([rule('low', 'allow', { ports: [{ first: 1, last: 1024 }] })], echo), null);
    assert.equal(winner([rule('echo', 'deny', { protocols: [1, 58], ...ports(8) })], echo), 'echo');
  });

  test('evaluate: one rule denies ICMP of both versions and leaves the web alone', () => {
    const list = [rule('no-ping', 'deny', { protocols: [1, 58] }), rule('web', 'allow', { path: PATH, protocols: [6] })];
    assert.equal(winner(list, facts({ path: '/bin/ping', tuple: tuple({ protocol: 1, destinationPort: 8 }) })), 'no-ping');
    const v6 = tuple({ family: 6, protocol: 58, destinationAddress: '2001:db8::1', destinationPort: 128 });
    assert.equal(winner(list, facts({ path: '/bin/ping', tuple: v6 })), 'no-ping');
    assert.equal(winner(list), 'web');
  });

  test('evaluate: a prefix of one family never matches the other', () => {
    const v6 = facts({ tuple: tuple({ family: 6, destinationAddress: '2001:db8::1' }) });
    assert.equal(winner([rule('all4', 'allow', { address: '0.0.0.0/0' })], v6), null);
    assert.equal(winner([rule('all6', 'allow', { address: '::/0' })], v6), 'all6');
  });

  test('evaluate: a flow without a known owner matches no rule that names a user or a program', () => {
    const nobody = facts({ path: null, uid: null, process: null, confidence: 'unknown', evidence: 'none' });
    assert.equal(winner([rule('u', 'allow', { uid: 0 }), rule('p', 'deny', { path: PATH })], nobody), null);
    assert.equal(winner([rule('ntp', 'allow', { ...ports(443), protocols: [6] })], nobody), 'ntp');
  });

  const identities: readonly (readonly [string, Partial<Facts>, boolean, string | null, string | null])[] = [
    ['a certain program', {}, true, 'allow', 'deny'],
    ['a likely program', { confidence: 'likely', evidence: 'sock_diag' }, false, 'allow', 'deny'],
    ['a likely program where the kernel must identify', { confidence: 'likely', evidence: 'sock_diag' }, true, null, 'deny'],
    ['a claimed path', { path: null, claimedPath: PATH, confidence: 'unknown' }, false, null, 'deny'],
    ['an unknown program', { path: null, confidence: 'unknown' }, false, null, null],
  ];
  for (const [name, change, requireKernelIdentity, allowed, denied] of identities) {
    test(`evaluate: ${name} ${allowed === null ? 'matches no allow rule' : 'matches an allow rule'}, ${denied === null ? 'no' : 'a'} deny rule`, () => {
      const at = moment({ requireKernelIdentity });
      assert.equal(winner([rule('allow', 'allow', { path: PATH })], facts(change), at), allowed);
      assert.equal(winner([rule('deny', 'deny', { path: PATH })], facts(change), at), denied);
    });
  }

  test('evaluate: a claimed path does not raise a question above a refusal', () => {
    const claimed = facts({ path: null, claimedPath: PATH, confidence: 'unknown' });
    assert.equal(winner([rule('ask', 'ask', { path: PATH }), rule('deny-all', 'deny')], claimed), 'deny-all');
  });

  test('evaluate: a rule for one process matches neither its successor with the same pid nor its exec', () => {
    const list = [rule('p', 'allow', { path: PATH, process: { pid: 100, startNs: 5n } })];
    assert.equal(winner(list), 'p');
    assert.equal(winner(list, facts({ process: { pid: 100, startNs: 6n } })), null);
    assert.equal(winner(list, facts({ path: '/usr/bin/nc' })), null);
  });

  test('evaluate: a rule for a session ends with the session', () => {
    const list = [rule('s', 'allow', { session: 's1' })];
    assert.equal(winner(list), 's');
    assert.equal(winner(list, facts(), moment({ sessions: new Set(['s2']) })), null);
  });

  test('evaluate: an until rule ends at its millisecond', () => {
    const list = [rule('u', 'allow', {}, { lifetime: { until: 1_800_000_000_000 } })];
    assert.equal(winner(list, facts(), moment({ nowMs: 1_799_999_999_999 })), 'u');
    assert.equal(winner(list, facts(), moment({ nowMs: 1_800_000_000_000 })), null);
  });
});

/** The specification in its plainest form: every rule looked at, the address by the library's own matching. */
function naive(list: readonly Rule[], flow: Facts, at: Moment): readonly (string | null)[] {
  const address = ipaddr.parse(flow.tuple.destinationAddress);
  const found = list
    .filter((one) => {
      if (!one.enabled) return false;
      if (one.match.address !== undefined) {
        const [network, bits] = one.match.address.includes('/')
          ? ipaddr.parseCIDR(one.match.address)
          : ([ipaddr.parse(one.match.address), address.kind() === 'ipv4' ? 32 : 128] as const);
        if (network.kind() !== address.kind() || !address.match(network, bits)) return false;
      }
      return matchesLasting(one, flow, at) && matchesNow(one, flow, at);
    })
    .map(ranked)
    .sort(compareRules);
  return [found[0]?.rule.id ?? null, found[1]?.rule.id ?? null];
}

describe('index', () => {
  test('evaluate: equals looking at every rule', () => {
    fc.assert(fc.property(rules, fc.array(flows, { minLength: 1, maxLength: 8 }), moments, (list, several, at) => {
      const index = new RuleIndex(list);
      for (const flow of several) {
        const { rule: first, next } = index.evaluate(flow, at);
        assert.deepEqual([first?.id ?? null, next?.id ?? null], naive(list, flow, at));
      }
    }), { numRuns: 400 });
  });

  test('add and remove: lead to the same decisions as building anew', () => {
    fc.assert(fc.property(rules, fc.array(fc.nat(39)), flows, moments, (list, removed, flow, at) => {
      const index = new RuleIndex();
      for (const one of list) index.add(one);
      const gone = new Set(removed.map((number) => `r${String(number)}`));
      for (const id of gone) index.remove(id);
      const left = list.filter((one) => !gone.has(one.id));
      assert.deepEqual(index.evaluate(flow, at), new RuleIndex(left).evaluate(flow, at));
      assert.equal(index.size, left.filter((one) => one.enabled).length);
    }), { numRuns: 200 });
  });

  test('evaluate: what makes a decision temporary is in the order of the rules, whatever was added first', () => {
    const schedule = { days: [0], fromMinute: 0, toMinute: 541 } as const;
    const list = [rule('wide', 'allow', { path: PATH, address: '10.0.0.0/8', schedule }), rule('exact', 'drop', { path: PATH, address: '10.0.0.1', schedule })];
    const flow = facts({ tuple: tuple({ destinationAddress: '10.0.0.1' }) });
    const monday = moment({ local: { weekday: 1, minute: 10 } });
    for (const order of [list, [...list].reverse()]) {
      const index = new RuleIndex();
      for (const one of order) index.add(one);
      assert.deepEqual(index.evaluate(flow, monday).dynamic.map(({ id }) => id), [...list].map(ranked).sort(compareRules).map((one) => one.rule.id));
    }
  });

  test('evaluate: a full bucket of ports and users decides as a small one', () => {
    const list = Array.from({ length: 300 }, (_, at) =>
      rule(`r${String(at)}`, at % 2 === 0 ? 'allow' : 'deny', { path: PATH, ...ports(at), uid: at % 3 === 0 ? 1000 : 7 }));
    const index = new RuleIndex(list);
    for (let port = 0; port < 310; port += 1) {
      const flow = facts({ tuple: tuple({ destinationPort: port }) });
      assert.equal(index.evaluate(flow, moment()).rule?.id ?? null, naive(list, flow, moment())[0]);
    }
    for (const one of list) assert.ok(index.remove(one.id));
    assert.equal(index.evaluate(facts(), moment()).rule, null);
  });

  test('evaluate: looks at no more rules among 50,000 than among 50', () => {
    const many = (count: number): Rule[] => Array.from({ length: count }, (_, at) => {
      const match = { path: `/opt/p${String(at % 500)}`, address: `10.${String(at >> 16)}.${String((at >> 8) & 255)}.${String(at & 255)}` };
      return rule(`r${String(at)}`, 'allow', match);
    });
    // Reading `match.uid` is the first thing that is asked of every candidate: so count it.
    let looked = 0;
    const counted = (one: Rule): Rule => ({
      ...one,
      get match() {
        looked += 1;
        return one.match;
      },
    });
    const cost = (count: number): number => {
      const index = new RuleIndex(many(count).map(counted));
      looked = 0;
      index.evaluate(facts({ path: '/opt/p7', tuple: tuple({ destinationAddress: '10.0.0.7' }) }), moment());
      return looked;
    };
    assert.ok(cost(50) > 0);
    assert.equal(cost(50_000), cost(50));
  });
});

describe('remembering', () => {
  const evaluate = (list: readonly Rule[], flow: Facts, at: Moment): ReturnType<typeof remembering> =>
    remembering(flow, new RuleIndex(list).evaluate(flow, at), at.nowMs);

  test('remembering: a plain rule of a certain program is remembered for the program without end', () => {
    assert.deepEqual(evaluate([rule('a', 'allow', { path: PATH })], facts(), moment()), { for: 'program', form: 'exact', lastsMs: null });
  });

  test('remembering: an owner found through /proc is remembered for the socket and not for long', () => {
    const likely = facts({ confidence: 'likely', evidence: 'sock_diag' });
    assert.deepEqual(evaluate([rule('a', 'allow', { path: PATH })], likely, moment()), { for: 'socket', lastsMs: 10_000 });
  });

  test('remembering: a connection whose socket is known is remembered as long as the rules stay, whoever owns it', () => {
    const likely = facts({ confidence: 'likely', evidence: 'sock_diag' });
    const memory = (list: readonly Rule[]): unknown =>
      remembering(likely, new RuleIndex(list).evaluate(likely, moment()), moment().nowMs, { stream: true });
    assert.deepEqual(memory([rule('a', 'allow', { path: PATH })]), { for: 'socket', lastsMs: null });
    const ends = rule('b', 'allow', { path: PATH }, { lifetime: { until: moment().nowMs + 500 }, priority: 1 });
    assert.deepEqual(memory([rule('a', 'allow', { path: PATH }), ends]), { for: 'socket', lastsMs: 500 });
  });

  test('remembering: a rule for another process keeps the decision from covering the whole program', () => {
    const list = [
      rule('other', 'deny', { path: PATH, process: { pid: 9, startNs: 9n } }, { priority: 1 }), rule('a', 'allow', { path: PATH }),
    ];
    assert.equal(evaluate(list, facts(), moment()).for, 'socket');
  });

  test('remembering: a schedule ends the memory at the next full minute', () => {
    const list = [rule('a', 'allow', { schedule: { days: [0, 1, 2, 3, 4, 5, 6], fromMinute: 0, toMinute: 1440 } })];
    assert.deepEqual(evaluate(list, facts(), moment({ nowMs: 60_000 * 7 + 59_000 })), { for: 'socket', lastsMs: 1_000 });
  });

  test('remembering: the earliest end of any rule that stood before bounds it', () => {
    const at = moment();
    const list = [rule('short', 'allow', {}, { lifetime: { until: at.nowMs + 250 } }), rule('a', 'allow', { uid: 7 })];
    assert.deepEqual(evaluate(list, facts(), at), { for: 'program', form: 'exact', lastsMs: 250 });
    const far = [rule('long', 'allow', {}, { lifetime: { until: at.nowMs + 86_400_000 } })];
    assert.deepEqual(evaluate(far, facts(), at), { for: 'program', form: 'exact', lastsMs: 60_000 });
  });

  test('remembering: what the kernel repeats for a program is what the rules would say again', () => {
    const later = fc.record({ passedMs: fc.nat(120_000), how: circumstances });
    fc.assert(fc.property(rules, flows, moments, later, (list, flow, at, { passedMs, how }) => {
      const index = new RuleIndex(list);
      const before = index.evaluate(flow, at);
      const memory = remembering(flow, before, at.nowMs);
      if (memory.for !== 'program' || (memory.lastsMs !== null && passedMs >= memory.lastsMs)) return;
      // Another process, every session ended, and local time as it may be by then.
      for (const minute of [0, 540, 600, 1100, 1439]) {
        const then = { ...at, nowMs: at.nowMs + passedMs, local: { weekday: (at.local.weekday + 1) % 7, minute }, sessions: new Set<string>() };
        const after = index.evaluate(under(flow, how), then);
        assert.equal(after.rule?.action, before.rule?.action);
      }
    }), { numRuns: 2000 });
  });

  test('remembering: what is repeated for a socket is what the rules would say again to the same process', () => {
    fc.assert(fc.property(rules, flows, moments, fc.nat(60_000), (list, flow, at, passedMs) => {
      const index = new RuleIndex(list);
      const before = index.evaluate(flow, at);
      const memory = remembering(flow, before, at.nowMs);
      if (memory.for !== 'socket' || memory.lastsMs === null || passedMs >= memory.lastsMs) return;
      // The full minute is not reached where a schedule counts, so the local time is still the same one.
      assert.equal(index.evaluate(flow, { ...at, nowMs: at.nowMs + passedMs }).rule?.id, before.rule?.id);
    }), { numRuns: 300 });
  });
});

describe('wall time', () => {
  const run = (steps: readonly (readonly [bigint, number])[]): WallMark | null =>
    steps.reduce<WallMark | null>((mark, [bootNs, wallMs]) => advanceWall(mark, bootNs, wallMs), null);

  test('advanceWall: follows a clock that goes forward', () => {
    assert.equal(run([[0n, 1_000], [5_000_000n, 90_000]])?.wallMs, 90_000);
  });

  test('advanceWall: a clock set back does not prolong anything', () => {
    assert.equal(run([[0n, 100_000], [1_000_000n, 100_001], [2_000_000n, 50_000]])?.wallMs, 100_002);
  });

  test('advanceWall: never runs backwards and never slower than the boot clock', () => {
    const step = fc.record({ bootNs: fc.bigInt({ min: 0n, max: 10_000_000n }), wallMs: fc.nat(1_000_000) });
    fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      let mark: WallMark | null = null;
      let bootNs = 0n;
      let first: WallMark | null = null;
      for (const { bootNs: passed, wallMs } of steps) {
        bootNs += passed;
        const after: WallMark = advanceWall(mark, bootNs, wallMs);
        if (mark !== null) assert.ok(after.wallMs >= mark.wallMs);
        first ??= after;
        mark = after;
        assert.ok(after.wallMs >= first.wallMs + Number((bootNs - first.bootNs) / 1_000_000n) - 1);
      }
    }));
  });
});
