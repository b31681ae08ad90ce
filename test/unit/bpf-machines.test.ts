/** The kernel programs compile for every machine that there are packages for, and are the same ones. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bpfCommand } from '../../tools/build-native.ts';

const ROOT = join(import.meta.dirname, '../..');

test('the BPF programs compile for amd64 and arm64, to the same bytes', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-bpf-'));
  t.after(() => { rmSync(folder, { recursive: true }); });
  const output = join(folder, 'bastion.bpf.o');
  const [amd64, arm64] = (['x64', 'arm64'] as const).map((machine) => {
    const [program, ...args] = bpfCommand(ROOT, machine, output);
    // A warning is a finding too.
    execFileSync(program, [...args, '-Werror'], { stdio: ['ignore', 'pipe', 'pipe'] });
    return readFileSync(output);
  });
  assert.ok(amd64 !== undefined && arm64 !== undefined && amd64.length > 0);
  assert.ok(amd64.equals(arm64), 'nothing in them is of one machine only');
});
