import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACTIONS, INTERFACES } from '../../helper/contract/names.ts';
import type { Answer } from '../../helper/contract/types.ts';
import { requirementOf } from '../../helper/service/authorize.ts';
import { answerCost, forReceiver } from '../../helper/service/prompts.ts';
import { isRootOwned } from '../../helper/service/trust.ts';
import { promptView, ruleRow } from '../contract/memory-engine.ts';

const ALICE = { name: ':1.5', uid: 1000, pid: 50 };

test('answerCost: what an answer costs depends on whose prompt it is, how long it holds and who gives it', () => {
  const cases: readonly (readonly [string, number, Answer, boolean, string | null])[] = [
    ['once for an own program', 1000, { action: 'allow', lifetime: 'once' }, false, null],
    ['process for an own program', 1000, { action: 'deny', lifetime: 'process' }, false, null],
    ['always by anybody', 1000, { action: 'allow', lifetime: 'always' }, false, ACTIONS.editRules],
    ['session by anybody', 1000, { action: 'allow', lifetime: 'session' }, false, ACTIONS.editRules],
    ['always by the package’s agent', 1000, { action: 'allow', lifetime: 'always' }, true, null],
    ['a system prompt, even once, even by the agent', 33, { action: 'allow', lifetime: 'once' }, true, ACTIONS.editRules],
    ['another user’s prompt', 1001, { action: 'deny', lifetime: 'once' }, true, ACTIONS.editRules],
  ];
  for (const [what, uid, answer, verified, cost] of cases) {
    assert.equal(answerCost(promptView('n', uid), answer, ALICE, verified), cost, what);
  }
});

test('answerCost: an answer without a lifetime costs what the default lifetime costs', () => {
  const view = promptView('n', 1000, { default_lifetime: 'always' });
  assert.equal(answerCost(view, { action: 'allow' }, ALICE, false), ACTIONS.editRules);
});

test('answerCost: an answer that undoes a rule that forbids costs edit-rules, whoever gives it', () => {
  const view = promptView('n', 1000, { user: 'alice' });
  const closed = ruleRow('closed', { action: 'deny', address: '192.0.2.0/24' });
  const always = { action: 'allow', lifetime: 'always', scope: 'any' } as const;
  const cases: readonly (readonly [string, Answer, Partial<typeof closed>, boolean])[] = [
    ['anything, past a closed network', always, {}, true],
    ['anything while it runs', { ...always, lifetime: 'process' }, { action: 'drop' }, true],
    ['the port, on a closed network', { ...always, scope: 'port' }, {}, true],
    ['the port that is closed', { ...always, scope: 'port' }, { port: '80,400-500', protocol: 'tcp' }, true],
    ['this host, at hours that are closed', { ...always, scope: 'host' }, { schedule: 'mon 09:00-17:00' }, true],
    ['this host', { ...always, scope: 'host' }, {}, false],
    ['the flows that wait and no more', { ...always, lifetime: 'once' }, {}, false],
    ['a denial', { ...always, action: 'deny' }, {}, false],
    ['another port than the closed one', { ...always, scope: 'port' }, { port: '80,500-600' }, false],
    ['another protocol than the closed one', { ...always, scope: 'port' }, { protocol: 'udp,icmp' }, false],
    ['what is closed for others', always, { user: 'bob' }, false],
    ['what is closed for another program', always, { path: '/usr/bin/wget' }, false],
    ['a rule that goes first in any case', always, { priority: 1 }, false],
    ['an administrator’s rule, which always goes first', always, { tier: 'administrator' }, false],
    ['a rule that is switched off', always, { enabled: false }, false],
    ['a rule that allows', always, { action: 'allow' }, false],
  ];
  for (const [what, answer, rule, costs] of cases) {
    assert.equal(answerCost(view, answer, ALICE, true, [{ ...closed, ...rule }]), costs ? ACTIONS.editRules : null, what);
  }
});

test('answerCost: an answer by name costs edit-rules where a forbidden address, or a name below it, could come of it', () => {
  const always = { action: 'allow', lifetime: 'always', scope: 'host' } as const;
  const view = promptView('n', 1000, { user: 'alice', by_name: 'example.org', pattern: '*.example.org' });
  const lookup = promptView('n', 1000, { user: 'alice', by_name: 'example.org', pattern: '*.example.org', is_lookup: true, port: 53, protocol: 'udp' });
  const network = { address: '192.0.2.0/24' };
  const cases: readonly (readonly [string, typeof view, Answer, Partial<ReturnType<typeof ruleRow>>, boolean])[] = [
    ['a closed network', view, always, network, true],
    ['a closed network on another port', view, always, { ...network, port: '80', protocol: 'tcp' }, false],
    ['the same for a lookup, which opens every port', lookup, always, { ...network, port: '80', protocol: 'tcp' }, true],
    ['a closed name', view, always, { domain: 'ads.example.org' }, false],
    ['a list', view, always, { list: 'ads' }, false],
    ['all names of the owner, one of which is closed', view, { ...always, scope: 'domain' }, { domain: 'ads.example.org' }, true],
    ['all names of the owner, some of which a list may hold', view, { ...always, scope: 'domain' }, { list: 'ads' }, true],
    ['a denial', view, { ...always, action: 'deny' }, network, false],
  ];
  for (const [what, asked, answer, rule, costs] of cases) {
    assert.equal(answerCost(asked, answer, ALICE, true, [{ ...ruleRow('closed', { action: 'deny' }), ...rule }]), costs ? ACTIONS.editRules : null, what);
  }
});

test('forReceiver: an agent that is not the package’s is offered once and process only', () => {
  const view = promptView('n', 1000);
  assert.deepEqual(forReceiver(view, false).lifetimes, ['once', 'process']);
  assert.deepEqual(forReceiver(view, true).lifetimes, view.info.lifetimes);
});

test('requirementOf: what is not in the table may not be called', () => {
  for (const [interfaceName, member] of [
    [INTERFACES.helper, 'Explode'], [INTERFACES.helper, 'toString'], ['constructor', 'name'], ['', ''], [INTERFACES.rules, '__proto__'],
  ] as const) {
    assert.equal(requirementOf(interfaceName, member), null);
  }
  assert.equal(requirementOf(INTERFACES.helper, 'Off'), ACTIONS.disable);
});

test('isRootOwned: false for what is missing, relative, or below a folder that others can write', () => {
  for (const path of ['bin/sh', '/no/such/file', '/tmp', '/proc/self/cwd/../tmp/x']) assert.equal(isRootOwned(path), false, path);
});
