/** Off, and back: what a person wanted stays so, and nobody locks himself out. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Lab } from '../lab/lab.ts';
import { clientOf, noLab, until } from './support.ts';

const skip = noLab();

async function opens(lab: Lab): Promise<boolean> {
  return (await lab.run(['curl', '--silent', '--max-time', '3', `http://${lab.peer4}/`])).status === 0;
}

async function chains(lab: Lab): Promise<string[]> {
  const { stdout } = await lab.run(['/usr/sbin/iptables-save'], { as: 'root' });
  return stdout.split('\n').filter((line) => line.includes('BASTION'));
}

describe('off', { skip }, () => {
  test('takes everything away, lasts over a restart of the helper, and a mode change ends it', async () => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    let client = clientOf(lab);
    assert.equal(await opens(lab), false);
    await client.off();
    assert.equal((await client.status()).state, 'off');
    assert.deepEqual(await chains(lab), []);
    assert.equal(await opens(lab), true);
    client.close();
    await lab.restartHelper('SIGKILL');
    client = clientOf(lab);
    assert.equal((await client.status()).state, 'off');
    assert.equal(await opens(lab), true);
    await client.setMode('enforcing');
    assert.equal((await client.status()).state, 'protecting');
    assert.equal(await opens(lab), false);
    client.close();
  });

  test('a mode tried out from off goes back to off unless it is confirmed', async () => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    const client = clientOf(lab);
    await client.off();
    await client.setMode('enforcing', { confirmSeconds: 1 });
    assert.equal(await opens(lab), false);
    await until('off again', async () => ((await client.status()).state === 'off' ? true : null));
    assert.equal(await opens(lab), true);
    await client.setMode('enforcing', { confirmSeconds: 60 });
    await client.setMode('enforcing');
    assert.equal((await client.status()).state, 'protecting');
    client.close();
  });
});
