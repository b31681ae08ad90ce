/** Forwarded packets: what decides them, what is asked, and which rules of netfilter hold them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { forwardRules } from '../../helper/adapters/netfilter/forward.ts';
import { rulesOf } from '../../helper/adapters/netfilter/rules.ts';
import { createNamespaces } from '../../helper/adapters/namespaces.ts';
import type { Forwarded, Rule, Tuple } from '../../helper/contract/vocabulary.ts';
import { decide, factsOf } from '../../helper/engine/decide.ts';
import type { Posture } from '../../helper/engine/decide.ts';
import { forwardSpec } from '../../helper/engine/forwarding.ts';
import { remembering } from '../../helper/policy/remembering.ts';
import { RuleIndex } from '../../helper/policy/rule-index.ts';
import { choices } from '../../helper/prompt/choices.ts';
import { questionKey } from '../../helper/prompt/question.ts';
import type { Ask, ForwardSpec, RulesetSpec } from '../../helper/ports.ts';
import { moment, PATH, ports, rule, tuple } from './policy-support.ts';
import { question } from './prompt-support.ts';

const nobody = createNamespaces({ root: '/nonexistent' });

function ask(change: Partial<Tuple> = {}): Ask {
  const flow = tuple(change);
  return {
    id: 1, tuple: flow, attribution: nobody.forwardedOwner(flow, 'docker0'), interfaceName: 'docker0', lengthBytes: 60,
    dnsQuestion: null, heldAtNs: 1n, answersPeer: false, origin: 'forwarded', held: true,
  };
}

function decided(rules: readonly Rule[], forwarded: Forwarded, change: Partial<Posture> = {}): string {
  const held = { ask: ask(), facts: factsOf(ask()) };
  const posture: Posture = { mode: 'enforcing', paused: false, defaultAction: 'allow', untracked: 'pass', forwarded, ...change };
  const { action, reason } = decide(held, new RuleIndex(rules).evaluate(held.facts, moment()), posture);
  return `${action} ${reason}`;
}

describe('the decision about a forwarded flow', () => {
  const here = { address: '10.77.0.2' };
  for (const [wanted, name, rules, setting, change] of [
    ['allow forwarded', 'pass', [], 'pass', {}],
    ['ask forwarded', 'ask, whatever the default action', [], 'ask', {}],
    ['deny forwarded', 'deny, whatever the default action', [], 'deny', {}],
    ['drop forwarded', 'drop', [], 'drop', {}],
    ['deny rule', 'pass and a rule that denies the address', [rule('a', 'deny', here)], 'pass', {}],
    ['allow rule', 'deny and a rule that allows the port', [rule('a', 'allow', ports(443))], 'deny', {}],
    ['deny forwarded', 'deny and a rule that allows a program', [rule('a', 'allow', { path: PATH })], 'deny', {}],
    ['deny forwarded', 'deny and a rule that allows root', [rule('a', 'allow', { uid: 0 })], 'deny', {}],
    ['deny forwarded', 'deny and a rule that allows the process 0', [rule('a', 'allow', { process: { pid: 0, startNs: 0n } })], 'deny', {}],
    ['allow forwarded', 'pass and a rule that denies root', [rule('a', 'deny', { uid: 0 })], 'pass', {}],
    ['ask rule', 'deny and a rule that asks', [rule('a', 'ask', here)], 'deny', {}],
    ['allow forwarded', 'pass and a rule that asks', [rule('a', 'ask', here)], 'pass', {}],
    ['allow mode-learning', 'deny while learning', [], 'deny', { mode: 'learning' }],
    ['allow paused', 'deny while paused', [], 'deny', { paused: true }],
    ['drop rule', 'a rule that drops, while paused', [rule('a', 'drop', here)], 'pass', { paused: true }],
  ] as const) {
    test(`${name}: ${wanted}`, () => { assert.equal(decided(rules, setting, change), wanted); });
  }

  test('it is remembered for the one flow and ten seconds at most, and not beyond the end of a rule', () => {
    const facts = factsOf(ask());
    const nowMs = moment().nowMs;
    const memory = (rules: readonly Rule[]): unknown => remembering(facts, new RuleIndex(rules).evaluate(facts, moment()), nowMs);
    assert.deepEqual(memory([]), { for: 'socket', lastsMs: 10_000 });
    assert.deepEqual(memory([rule('a', 'allow', {}, { lifetime: { until: nowMs + 3000 } })]), { for: 'socket', lastsMs: 3000 });
  });

  test('a prompt about it offers no lasting answer, and two senders are never asked about in one', () => {
    const prompt = (change: Partial<Tuple>): ReturnType<typeof question> => {
      const { attribution: { owner }, tuple: flow } = ask(change);
      assert.ok(owner !== null);
      return question({ owner, tuple: flow, path: null, confidence: 'unknown', evidence: 'none' });
    };
    const facts = { system: true, hasSession: true, requireKernelIdentity: false, expired: false };
    assert.deepEqual(choices(prompt({}), facts).lifetimes, ['once']);
    assert.equal(questionKey(prompt({ sourcePort: 1 })), questionKey(prompt({ sourcePort: 2 })));
    assert.notEqual(questionKey(prompt({})), questionKey(prompt({ sourceAddress: '172.30.0.9' })));
  });
});

describe('forwardSpec', () => {
  test('pass holds nothing unless a rule without program and user denies, and then only what the rule names', () => {
    const others = [
      rule('program', 'deny', { path: PATH }), rule('user', 'deny', { uid: 0 }), rule('session', 'deny', { session: 's1' }),
      rule('off', 'deny', {}, { enabled: false }), rule('allow', 'allow'), rule('ask', 'ask'),
    ];
    assert.equal(forwardSpec('pass', others), null);
    const denied = rule('denied', 'drop', { address: '192.0.2.0/24', protocols: [17] });
    assert.deepEqual(forwardSpec('pass', [...others, denied]), {
      holdsAll: false, denied: [{ address: '192.0.2.0/24', protocols: [17] }],
    });
    assert.deepEqual(forwardSpec('ask', others), { holdsAll: true, denied: [] });
  });

  test('a denial with a schedule is held all the time, because only the engine knows when it holds', () => {
    const schedule = { days: [0], fromMinute: 0, toMinute: 1 };
    assert.equal(forwardSpec('pass', [rule('a', 'deny', { schedule, address: '192.0.2.1' })])?.denied.length, 1);
  });

  test('at the limit every denial is told apart, and over it every packet is held', () => {
    const many = Array.from({ length: 256 }, (_, at) => rule(`r${String(at)}`, 'deny', { address: `192.0.2.${String(at)}` }));
    assert.equal(forwardSpec('pass', many)?.denied.length, 256);
    assert.deepEqual(forwardSpec('pass', [...many, rule('more', 'deny', ports(25))]), { holdsAll: false, denied: 'any' });
  });
});

describe('forwardRules', () => {
  const spec = (forward: ForwardSpec, bypass = false): RulesetSpec => ({ queueNumber: 7, bypass, refuseMark: 1, xtPrograms: null, forward });
  const queued = (forward: ForwardSpec, family: 4 | 6 = 4): string[] => forwardRules(family, spec(forward))
    .filter((text) => text.includes('NFQUEUE')).map((text) => text.replace(/ ?-j NFQUEUE --queue-num 7/u, '').trim());

  test('each part of a denial is a match, in its own family, and a port without a protocol means every protocol with ports', () => {
    const only = (denied: ForwardSpec['denied'] & readonly unknown[]): ForwardSpec => ({ holdsAll: false, denied });
    const bypassed = (text: string): string => `${text} --queue-bypass`;
    assert.deepEqual(queued(only([{ address: '192.0.2.0/24' }])), [bypassed('-d 192.0.2.0/24')]);
    assert.deepEqual(queued(only([{ address: '192.0.2.0/24' }]), 6), []);
    assert.deepEqual(queued(only([{ protocols: [1, 58] }]), 6), [bypassed('-p 58')]);
    assert.deepEqual(
      queued(only([{ protocols: [6], ports: [{ first: 25, last: 25 }, { first: 80, last: 90 }] }])),
      [bypassed('-p 6 -m multiport --dports 25,80:90')],
    );
    assert.equal(queued(only([{ ports: [{ first: 25, last: 25 }] }])).length, 5);
  });

  test('what a match cannot say is held rather than passed: many ports, an address of an unknown spelling', () => {
    const many = Array.from({ length: 8 }, (_, at) => ({ first: at * 10 + 1, last: at * 10 + 2 }));
    assert.deepEqual(queued({ holdsAll: false, denied: [{ protocols: [6], ports: many }] }), ['-p 6 --queue-bypass']);
    assert.deepEqual(queued({ holdsAll: false, denied: [{ address: '192.0.2.1 -j ACCEPT\n-A OUTPUT' }] }), ['--queue-bypass']);
  });

  test('without a listener new flows pass only where the setting or on_failure says so', () => {
    const last = (forward: ForwardSpec, bypass: boolean): string => forwardRules(4, spec(forward, bypass)).at(-1) ?? '';
    assert.equal(last({ holdsAll: true, denied: [] }, false), '-j NFQUEUE --queue-num 7');
    assert.equal(last({ holdsAll: true, denied: [] }, true), '-j NFQUEUE --queue-num 7 --queue-bypass');
    assert.equal(last({ holdsAll: false, denied: 'any' }, false), '-j NFQUEUE --queue-num 7 --queue-bypass');
  });

  test('there are no chains for what is not held, and refusals to a false source are silent where everything is', () => {
    const chains = (forward?: ForwardSpec): string[] =>
      rulesOf(4, { queueNumber: 7, bypass: false, refuseMark: 1, xtPrograms: null, ...(forward === undefined ? {} : { forward }) }, ['0-1'])
        .flatMap((table) => table.chains.map((chain) => `${chain.base} ${chain.name} ${chain.rules[0]?.includes('connmark') === true ? 'silent' : ''}`))
        .filter((text) => !/^(?:OUTPUT|POSTROUTING) /u.test(text)).map((text) => text.trim());
    assert.deepEqual(chains(), []);
    assert.deepEqual(chains({ holdsAll: false, denied: [] }), []);
    assert.deepEqual(chains({ holdsAll: false, denied: 'any' }), ['FORWARD BASTION_FORWARD', 'FORWARD BASTION_REFUSE_FORWARD']);
    assert.deepEqual(chains({ holdsAll: true, denied: [] }), [
      'FORWARD BASTION_FORWARD', 'PREROUTING BASTION_SOURCE', 'FORWARD BASTION_REFUSE_FORWARD silent',
    ]);
  });

  test('no first SYN passes by state, and denials are looked at before open flows pass', () => {
    const rules = forwardRules(4, spec({ holdsAll: true, denied: [{ address: '192.0.2.1' }] }));
    for (const text of rules.filter((one) => one.includes('RETURN') && one.includes('conntrack') && !one.includes('RELATED'))) {
      assert.match(text, /^(?:-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN|! -p tcp) /u);
    }
    const at = (part: string): number => rules.findIndex((text) => text.includes(part));
    assert.ok(at('-d 192.0.2.1') < at('ESTABLISHED') && at('REPLY') < at('-d 192.0.2.1'));
  });
});
