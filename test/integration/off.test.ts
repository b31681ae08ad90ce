/** Off, and back: what a person wanted stays so, and nobody locks himself out. */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Lab } from '../lab/lab.ts';
import { tool } from '../lab/process.ts';
import { clientOf, inTime, noLab, until } from './support.ts';

const skip = noLab();
/** Attaching takes a part of it, on a busy machine more than a second. */
const TRIALS_S = [6, 15, 40] as const;

async function opens(lab: Lab): Promise<boolean> {
  return (await lab.run(['curl', '--silent', '--max-time', '20', `http://${lab.peer4}/`])).status === 0;
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

  test('a mode tried out from off goes back to off unless it is confirmed', async (t) => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    const client = clientOf(lab);
    t.after(() => { client.close(); });
    await client.off();
    await inTime(TRIALS_S, async (seconds) => {
      await client.setMode('enforcing', { confirmSeconds: seconds });
      const refused = !await opens(lab);
      const inForce = (await client.status()).trial !== undefined;
      if (inForce) assert.ok(refused, 'it was tried out');
      await until('off again', async () => ((await client.status()).state === 'off' ? true : null), (seconds + 30) * 1000);
      assert.equal(await opens(lab), true);
      return inForce ? true : null;
    });
    await client.setMode('enforcing', { confirmSeconds: 60 });
    await client.setMode('enforcing');
    assert.equal((await client.status()).state, 'protecting');
  });

  test('after a helper that was killed and followed by another, everything is taken away too', async () => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    await lab.restartHelper('SIGKILL');
    const client = clientOf(lab);
    await client.off();
    assert.equal(await opens(lab), true);
    client.close();
  });

  test('rules of nft that iptables cannot show, in the table that holds, neither lock anybody out nor keep the next helper from starting', async (t) => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    const inNamespace = (...argv: readonly string[]): string => tool('nsenter', [`--net=/run/netns/${lab.clientNamespace}`, '--', ...argv]);
    inNamespace('nft', 'add rule ip mangle OUTPUT ct state new ip daddr 192.0.2.7 counter');
    assert.match(inNamespace('iptables-nft-save'), /is incompatible/u);
    const client = clientOf(lab);
    t.after(() => { client.close(); });
    assert.equal(await opens(lab), false);
    await client.off();
    assert.equal((await client.status()).state, 'off');
    assert.equal(await opens(lab), true);
    await lab.restartHelper('SIGKILL');
    const next = clientOf(lab);
    t.after(() => { next.close(); });
    assert.equal((await next.status()).state, 'off');
    assert.equal(await opens(lab), true);
    assert.match(inNamespace('nft', 'list', 'table', 'ip', 'mangle'), /192\.0\.2\.7/u);
  });

  test('a helper that was killed when it had only noted that it is off leaves nothing in force after the next start', async (context) => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    assert.equal(await opens(lab), false);
    writeFileSync(join(lab.runDir, 'off'), '');
    await lab.restartHelper('SIGKILL');
    assert.deepEqual(await chains(lab), []);
    assert.equal(await opens(lab), true);
    if (lab.pinDir === null) context.diagnostic('no BPF file system here: pins were not looked at');
    else assert.equal(existsSync(join(lab.pinDir, 'links')), false);
  });
});
