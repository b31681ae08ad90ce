/** Every way that a program can send, once, in two states in which it may not; test/leaks/matrix.test.ts has all states. */
import { describe, test } from 'node:test';
import { noLab } from '../integration/support.ts';
import { Scene } from '../leaks/matrix-scene.ts';
import { flushRules } from '../leaks/support.ts';

/** On a busy machine. */
const START_LIMIT_MS = 120_000;

describe('an intruder that tries every way to send', { skip: noLab() }, () => {
  test('nothing arrives, also not by the permission of another program: not denied, and not with helper and packet rules gone', async () => {
    await using scene = await Scene.create({ defaultAction: 'deny' });
    const { lab, client } = scene;
    await lab.startHelper(START_LIMIT_MS);
    await scene.prepare();
    await scene.nothingArrives([(tries) => tries(1)]);
    for (const path of scene.intruders) await client.addRule({ action: 'deny', path });
    await scene.nothingArrives([(tries) => tries(1)]);
    await lab.stopHelper('SIGKILL');
    await flushRules(lab);
    await scene.nothingArrives([(tries) => tries(1)]);
  });
});
