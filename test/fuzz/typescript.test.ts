/** Everything that TypeScript reads of what others write, guided by what code an input reaches. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { finish, ROOT } from '../lab/process.ts';
import type { FuzzReport } from './fuzz-one.ts';
import { FINDINGS, SECONDS } from './options.ts';

const TARGETS = readdirSync(join(ROOT, 'test/fuzz/targets')).map((file) => file.replace(/\.ts$/u, '')).sort();
/** For the start, for all of the corpus, and for making a finding short, on a busy machine. */
const BESIDES_MS = 120_000;

/** The input that was being tried when the process was ended. */
function lastTried(path: string): string {
  const bytes = readFileSync(path);
  return bytes.length < 4 ? 'none' : JSON.stringify(bytes.subarray(4, 4 + bytes.readUInt32LE(0)).toString('latin1'));
}

async function fuzz(name: string): Promise<FuzzReport> {
  mkdirSync(FINDINGS, { recursive: true });
  const current = join(FINDINGS, `current-${name}`);
  const args = ['--no-warnings', join(ROOT, 'test/fuzz/fuzz-one.ts'), name, String(SECONDS), current];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, NODE_TEST_CONTEXT: '' } });
  const { status, signal, stdout, stderr } = await finish(child, undefined, SECONDS * 1000 + BESIDES_MS);
  assert.equal(status, 0, `${signal === 'SIGKILL' ? 'an input has no end' : stderr}; tried last: ${lastTried(current)}`);
  return JSON.parse(stdout) as FuzzReport;
}

describe('fuzzing TypeScript', { concurrency: 2 }, () => {
  for (const name of TARGETS) {
    test(`${name} is read as it is meant, or refused`, async (context) => {
      const { runs, functions, found, finding } = await fuzz(name);
      if (finding !== null) assert.fail(`${finding.message}\n${finding.path} belongs into test/fuzz/corpus/${name}`);
      context.diagnostic(`${String(runs)} inputs, ${String(functions)} functions, ${String(found)} inputs reached something new`);
      assert.ok(runs > 0 && functions > 0);
    });
  }
});
