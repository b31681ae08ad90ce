/** The BPF object and the addon agree on every structure that both touch. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '../..');

test('wire structures: offsets and sizes in the object\'s type information are those of the addon', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-wire-'));
  try {
    const program = join(folder, 'layout');
    const source = join(import.meta.dirname, 'support-native/layout.cpp');
    const compiled = spawnSync('g++', ['-std=c++20', '-Wno-invalid-offsetof', '-o', program, source, '-lbpf'], { encoding: 'utf8' });
    assert.equal(compiled.status, 0, compiled.stderr);
    const compared = spawnSync(program, [join(ROOT, 'build/native/bastion.bpf.o')], { encoding: 'utf8' });
    assert.equal(compared.stdout, '');
    assert.equal(compared.status, 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
