/** An answer that is also for what a program starts, on real packets: the kernel says who started whom, nobody else. */
import assert from 'node:assert/strict';
import { chmodSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { PromptInfo } from '../../helper/contract/types.ts';
import { Lab } from '../lab/lab.ts';
import { clientOf, copyInto, noLab, until } from './support.ts';

/** A prompt that one waits for, by what it says. */
function promptWhere(client: HelperClient, what: string, wanted: (prompt: PromptInfo) => boolean): Promise<PromptInfo> {
  return until(what, async () => (await client.listPrompts(500, '')).rows.find((row) => row.status === 'pending' && wanted(row)) ?? null);
}

/** Shell words that connect by themselves, without another program. */
function connectTo(lab: Lab): string {
  return `exec 3<>/dev/tcp/${lab.peer4}/80`;
}

function fetchWith(curl: string, lab: Lab): string {
  return `${curl} --silent --output /dev/null --max-time 20 http://${lab.peer4}:80/; exit $?`;
}

/** Runs what is expected to be asked about, and denies it. */
async function askedAbout(lab: Lab, client: HelperClient, argv: readonly string[], path: string): Promise<PromptInfo> {
  const running = lab.run(argv);
  const prompt = await promptWhere(client, `a prompt for ${path}`, (row) => row.path === path);
  await client.answer(prompt.nonce, { action: 'deny', lifetime: 'once', scope: 'host' });
  assert.notEqual((await running).status, 0);
  return prompt;
}

describe('an answer for what a program starts too', { skip: noLab() }, () => {
  test('lets out its children, grandchildren and what it becomes, and nobody else’s', async () => {
    await using lab = await Lab.create();
    const [curl, builder, other] = [copyInto(lab, '/usr/bin/curl'), copyInto(lab, '/bin/bash', 'builder'), copyInto(lab, '/bin/bash', 'other')];
    const client = clientOf(lab);
    try {
      const first = lab.run([builder, '-c', connectTo(lab)]);
      const prompt = await promptWhere(client, 'a prompt for builder', (row) => row.path === builder);
      assert.equal(prompt.named_by, 'path');
      const answered = await lab.ctl(['prompts', 'answer', prompt.id, 'allow', '--lifetime', 'always', '--scope', 'port', '--children']);
      assert.equal(answered.status, 0, answered.stderr);
      assert.match(answered.stdout, /So may the programs that it starts\./u);
      assert.equal((await first).status, 0);
      assert.equal((await lab.run([builder, '-c', fetchWith(curl, lab)])).status, 0, 'its child');
      assert.equal((await lab.run([builder, '-c', `${other} -c '${fetchWith(curl, lab)}'; exit $?`])).status, 0, 'its grandchild');
      assert.equal((await lab.run([builder, '-c', `exec ${curl} --silent --output /dev/null --max-time 20 http://${lab.peer4}:80/`])).status, 0, 'what it became');
      assert.equal((await client.listPrompts(500, '')).rows.length, 0, 'nobody was asked');
      await askedAbout(lab, client, [other, '-c', fetchWith(curl, lab)], curl);
      // A name says nothing: the child of another calls itself as the builder does.
      await askedAbout(lab, client, [other, '-c', `exec -a ${builder} ${curl} --silent --max-time 20 http://${lab.peer4}:80/`], curl);
    } finally {
      client.close();
    }
  });

  test('of a script: the children of that script, not those of another one that the same interpreter runs', async () => {
    await using lab = await Lab.create();
    const curl = copyInto(lab, '/usr/bin/curl');
    const bash = realpathSync('/bin/bash');
    const script = (name: string, text: string): string => {
      const path = join(dirname(curl), name);
      writeFileSync(path, `#!${bash}\n${text}\n`);
      chmodSync(path, 0o755);
      return path;
    };
    const build = script('build.sh', `if [ "$1" = self ]; then ${connectTo(lab)}; exit; fi\n${fetchWith(curl, lab)}`);
    const other = script('other.sh', fetchWith(curl, lab));
    const client = clientOf(lab);
    try {
      const first = lab.run([build, 'self']);
      const prompt = await promptWhere(client, 'a prompt for build.sh', (row) => row.script === build);
      assert.deepEqual([prompt.named_by, prompt.script_evidence, prompt.application], ['script', 'exec', 'build.sh (bash)']);
      await client.answer(prompt.nonce, { action: 'allow', lifetime: 'always', scope: 'port', include_children: true });
      assert.equal((await first).status, 0);
      assert.equal((await lab.run([build])).status, 0, 'its child');
      assert.equal((await lab.run([bash, build])).status, 0, 'however the script was started');
      assert.equal((await client.listPrompts(500, '')).rows.length, 0, 'nobody was asked');
      const asked = await askedAbout(lab, client, [other], curl);
      assert.equal(asked.ancestors[0]?.script, other);
      await askedAbout(lab, client, [bash, '-c', fetchWith(curl, lab), build], curl);
    } finally {
      client.close();
    }
  });
});
