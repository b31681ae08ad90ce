/** A storm of connections that nobody has decided: who is refused, who goes on, what reaches the other side, and how it ends. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { SafeguardInfo } from '../../helper/contract/types.ts';
import { Lab } from '../lab/lab.ts';
import { FULL_SIZE, clientOf, copyInto, noLab, program, ruleText, until } from './support.ts';

const CONNECTIONS = FULL_SIZE ? 10_000 : 2_000;
const PROGRAMS = FULL_SIZE ? 500 : 100;
const STORM_MS = FULL_SIZE ? 5000 : 1000;
const FIRST_PORT = 20_000;
const CURL = ruleText('curl', 'allow', '/usr/bin/curl');
const SETTINGS = '[safeguard]\nquiet_s = 2';

async function storming(t: TestContext, lab: Lab, argv: readonly string[]): Promise<{ readonly client: HelperClient; readonly ended: Promise<unknown> }> {
  const client = clientOf(lab);
  t.after(() => { client.close(); });
  await client.status();
  const child = lab.spawn(argv);
  return { client, ended: once(child, 'exit') };
}

/** One look says everything: it may be over before a second one. */
function safeguarded(client: HelperClient, programs = 1): Promise<SafeguardInfo> {
  return until('the safeguard', async () => {
    const found = await client.safeguard();
    return found.on && found.offenders.length >= programs ? found : null;
  }, STORM_MS + 30_000);
}

/** It ends by itself, and the helper asks as before. */
async function calm(lab: Lab, client: HelperClient): Promise<void> {
  await until('the end of the safeguard', async () => ((await client.status()).state === 'protecting' ? true : null), 90_000);
  assert.deepEqual(await client.safeguard(), { on: false, since_ms: 0, refused: 0, offenders: [] });
  await until('the line of the journal', () => Promise.resolve(lab.logText().includes('safeguard: it is over') ? true : null));
}

describe('the safeguard', { skip: noLab() }, () => {
  test('one program that storms is refused alone: nothing of it arrives, others connect and are asked about, and it ends by itself', async (t) => {
    const lab = await Lab.create({ settings: SETTINGS, rules: CURL });
    t.after(() => lab.dispose());
    const noisy = copyInto(lab, program('storm'), 'noisy');
    await lab.peer.watch();
    const { client, ended } = await storming(t, lab, [noisy, lab.peer4, String(FIRST_PORT), String(CONNECTIONS), String(STORM_MS)]);
    const { scope, offenders } = await safeguarded(client);
    assert.deepEqual([scope, offenders.map(({ path }) => path)], ['application', [noisy]]);
    for (let visit = 0; visit < 5; visit += 1) {
      const visited = await lab.run(['/usr/bin/curl', '--silent', '--max-time', '20', `http://${lab.peer4}/`]);
      assert.equal(visited.status, 0, visited.stderr);
    }
    await ended;
    const { statistics } = await client.status();
    assert.equal(statistics.safeguard_begins, 1);
    assert.ok((statistics.safeguard_refused ?? 0) > CONNECTIONS / 10);
    await calm(lab, client);
    const counts = await lab.peer.counts();
    assert.equal(counts.of(`syn/${String(FIRST_PORT)}`), 0);
  });

  test('many programs of one user silence that user until they are quiet, and a program with a rule goes on', async (t) => {
    const lab = await Lab.create({ settings: SETTINGS, rules: CURL });
    t.after(() => lab.dispose());
    const programs = Array.from({ length: PROGRAMS }, (_, index) => copyInto(lab, program('storm'), `noisy-${String(index)}`));
    const each = String(CONNECTIONS / PROGRAMS);
    const { client, ended } = await storming(t, lab, [programs[0] ?? '', lab.peer4, String(FIRST_PORT), each, String(STORM_MS), ...programs]);
    assert.equal((await safeguarded(client, 2)).scope, 'user');
    const visited = await lab.run(['/usr/bin/curl', '--silent', '--max-time', '20', `http://${lab.peer4}/`]);
    assert.equal(visited.status, 0, visited.stderr);
    await ended;
    await calm(lab, client);
  });

  test('ended by hand it is over at once, and begins again where the storm goes on', async (t) => {
    const lab = await Lab.create({ settings: '[safeguard]\nquiet_s = 600' });
    t.after(() => lab.dispose());
    const noisy = copyInto(lab, program('storm'), 'noisy');
    const { client, ended } = await storming(t, lab, [noisy, lab.peer4, String(FIRST_PORT), String(CONNECTIONS * 8), String(STORM_MS * 8)]);
    await safeguarded(client);
    await client.endSafeguard();
    await until('a second beginning', async () => (((await client.status()).statistics.safeguard_begins ?? 0) > 1 ? true : null), STORM_MS * 8 + 10_000);
    await ended;
    // What the storm has left in the queue may begin it once more.
    await until('the end', async () => {
      await client.endSafeguard();
      return (await client.status()).state === 'protecting' ? true : null;
    });
  });
});
