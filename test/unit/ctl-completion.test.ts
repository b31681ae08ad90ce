import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { bastionctl } from './ctl-support.ts';

const script = (await bastionctl(['completion', 'bash'])).stdout;

/** What bash offers at the end of the line; `bastionctl` itself is a function that prints ids. */
function offered(...words: readonly string[]): readonly string[] {
  const line = words.map((word) => `'${word}'`).join(' ');
  const program = `bastionctl() { echo "$2-1"; echo "$2-2"; }\n${script}\nCOMP_WORDS=(bastionctl ${line}); COMP_CWORD=${String(words.length)}\n_bastionctl; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', program], { encoding: 'utf8' }).split('\n').filter((word) => word !== '');
}

test('completion bash: commands, their verbs, choices, options and ids', () => {
  assert.deepEqual(offered('sta'), ['status']);
  assert.deepEqual(offered('rules', 'e'), ['edit', 'enable', 'export']);
  assert.deepEqual(offered('mode', ''), ['enforcing', 'learning']);
  assert.deepEqual(offered('--bus', 'x', 'log-level', 'd'), ['debug']);
  assert.deepEqual(offered('prompts', 'answer', '--scope', 'd'), ['domain']);
  assert.deepEqual(offered('prompts', 'answer', ''), ['prompts-1', 'prompts-2']);
  assert.deepEqual(offered('prompts', 'answer', 'p1', 'a'), ['allow']);
  assert.deepEqual(offered('prompts', 'dismiss', 'p1', ''), ['prompts-1', 'prompts-2']);
  assert.deepEqual(offered('rules', 'remove', 'a', ''), ['rules-1', 'rules-2']);
  assert.deepEqual(offered('rules', 'add', 'allow', '--pri'), ['--priority']);
  assert.deepEqual(offered('rules', 'add', '--application', '/usr/bin/en').filter((path) => path === '/usr/bin/env'), ['/usr/bin/env']);
});

test('completion: hidden commands are offered nowhere, and each shell has a script', async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { stdout, exitCode, connected } = await bastionctl(['completion', shell]);
    assert.equal(exitCode, 0);
    assert.deepEqual(connected, []);
    assert.ok(stdout.endsWith('\n'));
    assert.match(stdout, /log-level/);
  }
  assert.deepEqual(offered('completion'), []);
});

test('completion-ids: one id on a line', async () => {
  assert.equal((await bastionctl(['completion-ids', 'rules'])).stdout, 'curl-web\n');
  assert.equal((await bastionctl(['completion-ids', 'prompts'])).stdout, 'p7\n');
});
