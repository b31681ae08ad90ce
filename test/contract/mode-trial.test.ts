/** A mode on trial: one password for setting and keeping it, and never a way to another mode. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { BastionError } from '../../helper/contract/errors.ts';
import type { HelperClient } from '../../helper/contract/client.ts';
import { ACTIONS } from '../../helper/contract/names.ts';
import type { Mode } from '../../helper/contract/vocabulary.ts';
import { ModeTrial } from '../../helper/service/mode-trial.ts';
import type { Authority } from '../../helper/ports.ts';
import { MemoryEngine } from './memory-engine.ts';
import { LOCAL, ServiceRig, cannotServe } from './service-rig.ts';

function isNotAuthorized(error: unknown): boolean {
  return error instanceof BastionError && error.code === 'NotAuthorized';
}

test('ModeTrial: covers the mode on trial and the one before, for its connection, until its time is over', () => {
  const clock = { nowNs: 0n, bootNs: () => clock.nowNs, wallMs: () => 0 };
  const [alice, other] = [{ name: ':1.1', uid: 1000, pid: 1 }, { name: ':1.2', uid: 1000, pid: 1 }];
  const trial = new ModeTrial(clock);
  assert.equal(trial.covers(alice, 'enforcing'), false);
  trial.start(alice, 'enforcing', 'learning', 60);
  for (const mode of ['enforcing', 'learning'] as const) assert.deepEqual([trial.covers(alice, mode), trial.covers(other, mode)], [true, false]);
  clock.nowNs = 60_000_000_000n;
  assert.equal(trial.covers(alice, 'enforcing'), false);
});

test('ModeTrial: a trial inside another does not lead to the mode that was on trial', () => {
  const clock = { bootNs: () => 0n, wallMs: () => 0 };
  const [alice, bob] = [{ name: ':1.1', uid: 1000, pid: 1 }, { name: ':1.2', uid: 1001, pid: 2 }];
  const trial = new ModeTrial(clock);
  trial.start(alice, 'learning', 'enforcing', 60);
  trial.start(bob, 'enforcing', 'learning', 60);
  assert.deepEqual([trial.covers(bob, 'enforcing'), trial.covers(bob, 'learning'), trial.covers(alice, 'learning')], [true, false, false]);
});

describe('a mode on trial', { skip: cannotServe(), timeout: 300_000 }, () => {
  let rig: ServiceRig;
  let authority: Authority;
  /** How often a person was asked for the password that set-mode costs; every time the answer is `password`. */
  let asked = 0;
  let password = true;
  before(async () => {
    rig = await ServiceRig.start();
    rig.service?.close();
    ({ authority } = rig);
    rig.authority = {
      isAuthorized: (subject, action, ...rest) => {
        if (action !== ACTIONS.setMode && action !== ACTIONS.disable) return authority.isAuthorized(subject, action, ...rest);
        asked += 1;
        return Promise.resolve(password);
      },
    };
  });
  after(() => rig.close());
  beforeEach(async () => {
    rig.engine = new MemoryEngine();
    [asked, password] = [0, true];
    await rig.serve();
  });
  afterEach(() => {
    rig.disconnectAll();
    rig.service?.close();
  });

  async function onTrial(mode: Mode): Promise<HelperClient> {
    const client = rig.clientAs(LOCAL.uid);
    await client.setMode(mode, { confirmSeconds: 60 });
    password = false;
    return client;
  }

  test('is kept by who set it without a second password', async () => {
    const client = await onTrial('learning');
    await client.setMode('learning');
    assert.equal(asked, 1);
    assert.deepEqual(rig.engine.done, ['setMode learning 60000', 'setMode learning']);
    // It is no trial any more: what comes now costs a password again.
    await assert.rejects(client.setMode('enforcing'), isNotAuthorized);
  });

  test('is given up by who set it without a second password', async () => {
    const client = await onTrial('learning');
    await client.setMode('enforcing');
    assert.deepEqual([asked, rig.engine.mode], [1, 'enforcing']);
  });

  test('is not kept by another connection, not lengthened, and not kept after somebody turned the firewall off', async () => {
    const client = await onTrial('learning');
    await assert.rejects(rig.clientAs(LOCAL.uid).setMode('learning'), isNotAuthorized);
    await assert.rejects(client.setMode('learning', { confirmSeconds: 3600 }), isNotAuthorized);
    password = true;
    await rig.clientAs(LOCAL.uid).off();
    password = false;
    await assert.rejects(client.setMode('learning'), isNotAuthorized);
    assert.deepEqual(rig.engine.done, ['setMode learning 60000']);
  });

  test('is not kept when somebody else decides while the confirmation is on its way', async () => {
    const client = await onTrial('learning');
    const usual = rig.authority;
    const meanwhile = rig.clientAs(LOCAL.uid);
    rig.authority = {
      isAuthorized: async (...question) => {
        rig.authority = usual;
        password = true;
        await meanwhile.setMode('enforcing');
        password = false;
        return usual.isAuthorized(...question);
      },
    };
    await assert.rejects(client.setMode('learning'), isNotAuthorized);
    assert.equal(rig.engine.mode, 'enforcing');
  });
});
