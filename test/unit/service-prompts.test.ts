import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACTIONS, INTERFACES } from '../../helper/contract/names.ts';
import type { Answer } from '../../helper/contract/types.ts';
import { requirementOf } from '../../helper/service/authorize.ts';
import { answerCost, forReceiver } from '../../helper/service/prompts.ts';
import { isRootOwned } from '../../helper/service/trust.ts';
import { promptView } from '../contract/memory-engine.ts';

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
