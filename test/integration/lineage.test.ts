/** A prompt says who started the program, although whoever did has ended before the program spoke. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { Lab } from '../lab/lab.ts';
import { clientOf, copyInto, noLab, promptFor } from './support.ts';

describe('who started it', { skip: noLab() }, () => {
  test('is shown in the prompt after it has ended, and after another helper has taken over', async () => {
    await using lab = await Lab.create();
    const curl = copyInto(lab, '/usr/bin/curl');
    const starter = copyInto(lab, realpathSync('/bin/sh'), 'starter');
    const start = join(dirname(curl), 'start');
    execFileSync('mkfifo', ['-m', '666', start]);
    for (const port of ['8001', '8002']) {
      const command = `(read -r go < ${start}; exec ${curl} --silent --max-time 20 http://${lab.peer4}:${port}/) > /dev/null 2>&1 &`;
      assert.equal((await lab.run([starter, '-c', command])).status, 0);
      if (port === '8002') await lab.restartHelper('SIGKILL');
      writeFileSync(start, 'go\n');
      const client = clientOf(lab);
      try {
        const prompt = await promptFor(client, curl);
        assert.equal(prompt.ancestors[0]?.path, starter);
        assert.ok(prompt.ancestors.length > 1, 'and who started that');
        await client.answer(prompt.nonce, { action: 'deny', lifetime: 'once', scope: 'host' });
      } finally {
        client.close();
      }
    }
  });
});
