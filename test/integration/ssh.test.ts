/** ssh on its first attempt: a program that talks first, waits for its server, and gives up quickly. */
import assert from 'node:assert/strict';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Lab } from '../lab/lab.ts';
import type { Result } from '../lab/lab.ts';
import { endChild, startTied, tool, which } from '../lab/process.ts';
import { enterNamespace } from '../lab/network.ts';
import { clientOf, noLab, promptFor, until } from './support.ts';

const sshd = which('sshd');
const skip = noLab() || (sshd === null || which('ssh') === null ? 'ssh and sshd are not installed' : false);
const PORT = 2222;

/** An ssh server at the peer that lets the lab's user in as root by key; returns how to call it, when it listens. */
async function serve(t: TestContext, lab: Lab): Promise<(command: string) => Promise<Result>> {
  const folder = join(lab.folder, 'ssh');
  mkdirSync(folder, { mode: 0o755 });
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  for (const name of ['host', 'user']) tool('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)]);
  chownSync(join(folder, 'user'), lab.user.uid, lab.user.gid);
  writeFileSync(join(folder, 'config'), [
    `Port ${String(PORT)}`, `HostKey ${join(folder, 'host')}`, `AuthorizedKeysFile ${join(folder, 'user.pub')}`,
    'PermitRootLogin prohibit-password', 'StrictModes no', 'UsePAM no', 'PidFile none', '',
  ].join('\n'));
  const server = startTied([...enterNamespace(lab.peerNamespace), sshd ?? '', '-D', '-e', '-f', join(folder, 'config')], {
    stdio: ['ignore', 'ignore', lab.logDescriptor],
  });
  t.after(() => endChild(server, 1000));
  await until('sshd to listen', () => Promise.resolve(lab.logText().includes(`Server listening on 0.0.0.0 port ${String(PORT)}`) ? true : null));
  return (command) => lab.run([
    'ssh', '-F', '/dev/null', '-i', join(folder, 'user'), '-p', String(PORT), '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=no',
    '-o', 'UserKnownHostsFile=/dev/null', '-o', 'ConnectTimeout=25', '-o', 'ConnectionAttempts=1', `root@${lab.peer4}`, command,
  ]);
}

test('ssh succeeds on its first attempt by prompt and by rule', { skip }, async (t) => {
  const lab = await Lab.create();
  t.after(() => lab.dispose());
  const client = clientOf(lab);
  t.after(() => { client.close(); });
  const ssh = await serve(t, lab);
  const held = ssh('echo reached');
  const prompt = await promptFor(client, which('ssh') ?? '');
  assert.equal(prompt.port, PORT);
  await client.answer(prompt.nonce, { action: 'allow', lifetime: 'always', scope: 'host' });
  const byPrompt = await held;
  assert.equal(byPrompt.status, 0, byPrompt.stderr);
  assert.equal(byPrompt.stdout, 'reached\n');
  const asked = (await client.status()).statistics.prompts;
  const byRule = await ssh('echo again');
  assert.equal(byRule.status, 0, byRule.stderr);
  assert.equal((await client.status()).statistics.prompts, asked);
});
