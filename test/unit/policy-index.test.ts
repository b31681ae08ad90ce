/** What the index of rules says beside the winner, and that it forgets what was taken out. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Rule } from '../../helper/contract/vocabulary.ts';
import type { Facts, Moment } from '../../helper/policy/facts.ts';
import { RuleIndex } from '../../helper/policy/rule-index.ts';
import { PATH, facts, moment, ports, rule, tuple } from './policy-support.ts';

const SHA = 'ab'.repeat(32);
const OTHER = '/usr/bin/other';
const PARENT = { pid: 1, path: OTHER, command: 'other', identity: { path: OTHER } } as const;
const SCHEDULE = { days: [1], fromMinute: 600, toMinute: 700 } as const;

function depends(list: readonly Rule[], flow: Facts = facts(), at: Moment = moment()): { readonly names: boolean; readonly process: boolean } {
  return new RuleIndex(list).evaluate(flow, at).depends;
}

describe('rules that come and go', () => {
  test('hashes are wanted while a rule asks for one: its own, its parent’s, or that it stays as it is', () => {
    const asking = [{ sha256: SHA }, { path: PATH, ancestor: { sha256: SHA } }, { path: PATH, pin: true }] as const;
    for (const match of asking) {
      const index = new RuleIndex([rule('plain', 'allow', { path: PATH })]);
      assert.equal(index.wantsHash, false);
      assert.ok(index.add(rule('asks', 'allow', match)));
      assert.equal(index.wantsHash, true, JSON.stringify(match));
      assert.ok(index.remove('asks'));
      assert.equal(index.wantsHash, false, JSON.stringify(match));
    }
    assert.equal(new RuleIndex([rule('other', 'allow', { path: PATH, ancestor: { path: OTHER } })]).wantsHash, false);
  });

  test('a rule has one place: neither a second one of its id nor one that is switched off comes in', () => {
    const index = new RuleIndex();
    assert.equal(index.entryOf('one'), null);
    assert.equal(index.add(rule('one', 'allow', { path: PATH })), true);
    assert.equal(index.add(rule('one', 'deny', { path: PATH })), false);
    assert.equal(index.add(rule('off', 'deny', { path: PATH }, { enabled: false })), false);
    assert.deepEqual([index.size, index.entryOf('one')?.rule.action, index.entryOf('off')], [1, 'allow', null]);
    assert.equal(index.evaluate(facts(), moment()).rule?.action, 'allow');
    assert.equal(index.remove('off'), false);
    assert.equal(index.remove('one'), true);
    assert.equal(index.remove('one'), false);
    assert.deepEqual([index.size, index.evaluate(facts(), moment()).rule], [0, null]);
  });

  test('what was taken out matches no more, whatever it was found by', () => {
    const flow = facts({
      tuple: tuple({ destinationAddress: '10.77.0.2', destinationPort: 443 }), names: [{ name: 'a.example.org', source: 'program' }],
      ancestors: [PARENT], lineage: 'kernel',
    });
    const matches: Readonly<Record<string, Rule['match']>> = {
      any: {}, path: { path: PATH }, exact: { path: PATH, address: '10.77.0.2' }, prefix: { path: PATH, address: '10.0.0.0/8' },
      domain: { path: PATH, domain: 'a.example.org' }, children: { path: OTHER, includeChildren: true }, network: { address: '10.77.0.0/16' },
    };
    for (const [name, match] of Object.entries(matches)) {
      const index = new RuleIndex([rule(name, 'deny', match), rule('beside', 'ask', match)]);
      assert.equal(index.evaluate(flow, moment()).rule?.id, name);
      index.remove(name);
      assert.equal(index.evaluate(flow, moment()).rule?.id, 'beside', name);
      index.remove('beside');
      assert.equal(index.evaluate(flow, moment()).rule, null, name);
      index.add(rule('again', 'allow', match));
      assert.equal(index.evaluate(flow, moment()).rule?.id, 'again', name);
      const rest = new RuleIndex(Object.entries(matches).map(([id, one]) => rule(id, 'deny', one)));
      rest.remove(name);
      const winners = new Set<string>();
      for (let { rule: won } = rest.evaluate(flow, moment()); won !== null; won = rest.evaluate(flow, moment()).rule) {
        winners.add(won.id);
        rest.remove(won.id);
      }
      assert.deepEqual([...winners].sort(), Object.keys(matches).filter((one) => one !== name).sort(), name);
    }
  });

  test('a full bucket that empties and fills again finds each by its port and user', () => {
    const numbered = (at: number): Rule => rule(`r${String(at)}`, 'deny', { path: PATH, ...ports(1000 + at), ...(at % 2 === 0 ? { uid: 1000 } : {}) });
    const index = new RuleIndex();
    for (let at = 0; at < 40; at += 1) index.add(numbered(at));
    for (let at = 0; at < 40; at += 2) index.remove(`r${String(at)}`);
    for (let at = 0; at < 40; at += 4) index.add(numbered(at));
    const ranges = rule('range', 'ask', { path: PATH, ports: [{ first: 1000, last: 1100 }], protocols: [6] });
    index.add(ranges);
    for (let at = 0; at < 45; at += 1) {
      const there = at < 40 && (at % 2 === 1 || at % 4 === 0);
      const found = index.evaluate(facts({ uid: 1000, tuple: tuple({ destinationPort: 1000 + at }) }), moment()).rule?.id;
      assert.equal(found, there ? `r${String(at)}` : 'range', String(at));
    }
  });

  test('the rules of a program are all that could match it, and null where they are too many to look at', () => {
    const list = [
      rule('own', 'allow', { path: PATH }), rule('all', 'deny'), rule('child', 'allow', { path: OTHER, includeChildren: true }),
      rule('inside', 'allow', { container: 'web' }), rule('other', 'allow', { path: OTHER }),
    ];
    const index = new RuleIndex(list);
    const ids = (): readonly string[] | undefined => index.rulesFor(facts())?.map((entry) => entry.rule.id).sort();
    assert.deepEqual(ids(), ['all', 'child', 'inside', 'own']);
    index.add(rule('new', 'deny', { path: PATH }));
    assert.deepEqual(ids(), ['all', 'child', 'inside', 'new', 'own'], 'a list that was kept is made anew');
    for (let at = 0; at < 130; at += 1) index.add(rule(`many${String(at)}`, 'deny', { ...ports(at + 1) }));
    assert.equal(ids(), undefined);
  });
});

describe('what else a decision rests on', () => {
  test('nothing, where all that could match another flow says the same, comes later or is for another user', () => {
    const names = { path: PATH, domain: 'example.org' };
    const none = { names: false, process: false };
    assert.deepEqual(depends([rule('all', 'deny')]), none);
    assert.deepEqual(depends([rule('all', 'allow'), rule('named', 'allow', names)]), none);
    assert.deepEqual(depends([rule('all', 'allow', {}, { priority: 1 }), rule('named', 'deny', names)]), none);
    assert.deepEqual(depends([rule('all', 'allow'), rule('named', 'deny', { ...names, uid: 4711 })]), none);
    assert.deepEqual(depends([rule('all', 'allow'), rule('named', 'deny', { path: OTHER, domain: 'example.org' })]), none);
  });

  test('the name, where a rule before the winner is for a domain', () => {
    for (const match of [{ path: PATH, domain: 'example.org' }, { domain: 'example.org' }, { path: PATH, domain: 'example.org', uid: 1000 }]) {
      assert.deepEqual(depends([rule('all', 'allow'), rule('named', 'deny', match)], facts({ uid: 1000 })), { names: true, process: false });
    }
  });

  test('the name, where nothing matches or rules for domains are too many to look at', () => {
    assert.deepEqual(depends([rule('named', 'deny', { path: PATH, domain: 'example.org' })]), { names: true, process: false });
    const many = Array.from({ length: 70 }, (_, at) => rule(`n${String(at)}`, 'allow', { path: PATH, domain: `n${String(at)}.example.org` }));
    assert.deepEqual(depends([rule('all', 'allow', { path: PATH }), ...many.slice(0, 60)]), { names: false, process: false });
    assert.deepEqual(depends([rule('all', 'allow', { path: PATH }), ...many]), { names: true, process: false });
  });

  test('the process, where a rule before the winner is for a script, for children or for a container that shares the network', () => {
    const interpreter = facts({ identity: { path: PATH, interpreter: true, script: '/opt/y.py' } });
    const script = rule('script', 'deny', { path: PATH, script: '/opt/x.py' });
    assert.deepEqual(depends([rule('all', 'allow'), script], interpreter), { names: false, process: true });
    assert.deepEqual(depends([rule('all', 'allow'), script]), { names: false, process: false }, 'a program that runs no scripts');
    assert.deepEqual(depends([rule('all', 'allow'), rule('child', 'deny', { path: OTHER, includeChildren: true })], facts({ ancestors: [] })), { names: false, process: true });
    const web = [rule('all', 'allow'), rule('web', 'deny', { container: 'web' }), rule('db', 'deny', { container: 'db' })];
    assert.deepEqual(depends(web, facts(), moment({ sharesNetwork: (name) => name === 'db' })), { names: false, process: true });
    assert.deepEqual(depends(web, facts(), moment({ sharesNetwork: () => false })), { names: false, process: false });
  });

  test('the time, but only of rules that stand before the winner and can still begin to hold', () => {
    const at = moment({ local: { weekday: 1, minute: 10 }, nowMs: 5000 });
    const list = [
      rule('wins', 'allow', { path: PATH }), rule('before', 'deny', { path: PATH, ...ports(443), schedule: SCHEDULE }),
      rule('behind', 'deny', { schedule: SCHEDULE }), rule('over', 'deny', { path: PATH, ...ports(443) }, { lifetime: { until: 4000 } }),
    ];
    const { rule: won, next, dynamic } = new RuleIndex(list).evaluate(facts(), at);
    assert.deepEqual([won?.id, next, dynamic.map(({ id }) => id)], ['wins', null, ['before']]);
  });

  test('the next rule is the one that would win without the winner', () => {
    const list = ['a', 'b', 'c'].map((id, at) => rule(id, 'deny', { path: PATH }, { created: at }));
    for (const order of [list, [...list].reverse()]) {
      const index = new RuleIndex();
      for (const one of order) index.add(one);
      const { rule: first, next } = index.evaluate(facts(), moment());
      assert.deepEqual([first?.id, next?.id], ['a', 'b']);
    }
    assert.equal(new RuleIndex([rule('only', 'deny', { path: OTHER, includeChildren: true })])
      .evaluate(facts({ path: OTHER, ancestors: [PARENT], lineage: 'kernel' }), moment()).next, null, 'a rule is not its own next one');
  });
});
