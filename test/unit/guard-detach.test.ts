/** Off takes away what it can: half of it would let nobody out, and nobody could be asked about it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Guard } from '../../helper/guard.ts';
import type { GuardDeps } from '../../helper/guard.ts';
import type { DegradedReason } from '../../helper/contract/types.ts';

interface Seen {
  readonly deps: GuardDeps;
  readonly done: string[];
  readonly reasons: (readonly DegradedReason[])[];
}

function depsOf(remove: () => Promise<void>): Seen {
  const done: string[] = [];
  const reasons: (readonly DegradedReason[])[] = [];
  const unused = (): never => { throw new Error('not in this test'); };
  const deps: GuardDeps = {
    logger: { log: () => undefined, setLevel: () => undefined },
    ruleset: {
      backend: 'iptables-nft', builtIn: [], apply: unused, check: unused, mend: unused, watch: unused, refusedInbound: unused,
      remove: () => { done.push('rules'); return remove(); },
    },
    refuseMark: 1,
    openDataPath: unused,
    removePins: () => { done.push('pins'); },
    onDataPath: unused,
    onDegraded: (found) => { reasons.push(found); },
    onMended: unused,
    bootNs: () => 0n,
  };
  return { deps, done, reasons };
}

test('guard: off takes away what an earlier helper pinned, where nothing was opened', async () => {
  const { deps, done, reasons } = depsOf(() => Promise.resolve());
  await new Guard(deps).detach();
  assert.deepEqual(done, ['rules', 'pins']);
  assert.deepEqual(reasons, [[]]);
});

test('guard: rules that cannot be removed are told, and keep nothing else in force', async () => {
  const { deps, done, reasons } = depsOf(() => Promise.reject(new Error('they cannot be listed')));
  const guard = new Guard(deps);
  await assert.rejects(guard.detach(), /they cannot be listed/u);
  assert.deepEqual(done, ['rules', 'pins']);
  assert.equal(reasons.length, 1);
  await assert.rejects(guard.detach(), /they cannot be listed/u);
});
