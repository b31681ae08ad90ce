/** A person who takes his time: the very packet that is held waits with him, and for nobody else. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BUS_NAME, INTERFACES, OBJECT_PATH } from '../../helper/contract/names.ts';
import { Lab } from '../lab/lab.ts';
import { clientOf, copyInto, noLab, promptFor, until } from './support.ts';

const CURL_REFUSED = 7;
const TIMEOUT_MS = 5000;
/** `daemon`, who owns no session and no process of the lab. */
const STRANGER = ['setpriv', '--reuid', '1', '--regid', '1', '--clear-groups', '--'];

describe('a prompt whose time is renewed', { skip: noLab() }, () => {
  for (const bpf of [true, false]) {
    test(`its packet goes through after more than the time of the settings, ${bpf ? 'with' : 'without'} BPF, and a stranger cannot renew it`, async (t) => {
      const lab = await Lab.create({ bpf, settings: `prompt_timeout_s = ${String(TIMEOUT_MS / 1000)}` });
      t.after(() => lab.dispose());
      const client = clientOf(lab);
      t.after(() => { client.close(); });
      const path = copyInto(lab, '/usr/bin/curl');
      await lab.peer.watch();
      const held = lab.run([path, '--silent', '--verbose', '--max-time', '25', `http://${lab.peer4}/`]);
      const prompt = await promptFor(client, path);
      assert.equal(prompt.timeout_ms, TIMEOUT_MS);
      const stranger = await lab.run([
        ...STRANGER, 'busctl', `--address=${lab.busAddress}`, 'call', BUS_NAME, OBJECT_PATH, INTERFACES.prompts, 'Hold', 's', prompt.nonce,
      ], { as: 'root' });
      assert.match(stranger.stderr, /not allowed|another user’s/u);
      const startedMs = performance.now();
      await until('more than the time of the settings', async () => {
        assert.ok(await client.holdPrompt(prompt.nonce) > TIMEOUT_MS - 1100);
        return performance.now() - startedMs > TIMEOUT_MS + 3000 ? true : null;
      }, 20_000);
      assert.equal((await client.listPrompts(500, '')).rows[0]?.status, 'pending');
      assert.equal((await lab.peer.counts()).of('syn/80'), 0);
      await client.answer(prompt.nonce, { action: 'allow', lifetime: 'once', scope: 'host' });
      const done = await held;
      assert.equal(done.status, 0, done.stderr);
      const { statistics } = await client.status();
      assert.ok((statistics.prompts_renewed ?? 0) >= 1);
      assert.equal(statistics.prompts_expired, 0);
    });
  }

  test('it is refused in its whole time after the last renewal, waits in the inbox, and leaves it when it is dismissed', async (t) => {
    const lab = await Lab.create({ settings: `prompt_timeout_s = ${String(TIMEOUT_MS / 1000)}` });
    t.after(() => lab.dispose());
    const client = clientOf(lab);
    t.after(() => { client.close(); });
    const path = copyInto(lab, '/usr/bin/curl');
    const held = lab.run([path, '--silent', '--verbose', '--max-time', '25', `http://${lab.peer4}/`]);
    const { nonce } = await promptFor(client, path);
    await until('two seconds', async () => {
      const { rows } = await client.listPrompts(500, '');
      return (rows.find((row) => row.nonce === nonce)?.expires_in_ms ?? 0) < TIMEOUT_MS - 2000 ? true : null;
    });
    const renewedAtMs = performance.now();
    assert.equal(await client.holdPrompt(nonce), TIMEOUT_MS);
    assert.equal((await held).status, CURL_REFUSED);
    const tookMs = performance.now() - renewedAtMs;
    assert.ok(tookMs > TIMEOUT_MS - 100, `${String(tookMs)} ms`);
    assert.equal((await promptFor(client, path, 'expired')).nonce, nonce);
    assert.equal(await client.dismissPrompts([nonce]), 1);
    assert.deepEqual((await client.listPrompts(500, '')).rows, []);
  });
});
