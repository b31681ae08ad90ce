/** What clang-tidy (.clang-tidy says what is on) and gcc's analyzer find in the native code. */
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { analysisFlags } from '../build-native.ts';
import { run } from '../lint.ts';
import type { Finished } from '../lint.ts';

const ROOT = join(import.meta.dirname, '../..');
const PROBE = 'native/probe/probe.c';
const BPF = 'native/bpf/bastion.bpf.c';
const FINDING = /^(?<file>\/.+?|native\/.+?):(?<line>\d+):\d+: (?:warning|error|fatal error): (?<text>.*)$/gmu;

/** The tool cannot be run here; the message says why. */
export class NoTool extends Error {
  override readonly name = 'NoTool';
}

/** Findings as `file:line: text`. A tool that fails without one has its last words told instead. */
function findingsOf(tool: string, source: string, { status, output }: Finished): readonly string[] {
  if (status === 127) throw new NoTool(`${tool}: ${output}`);
  const found = [...output.matchAll(FINDING)].map(({ groups = {} }) => {
    const { file = '', line = '', text = '' } = groups;
    return `${file.startsWith('/') ? relative(ROOT, file) : file}:${line}: ${text}`;
  });
  return found.length === 0 && status !== 0 ? [`${source}:1: ${tool} failed: ${output.slice(-500)}`] : found;
}

/** A finding in a header comes once for each source that includes it. */
export async function clangTidy(): Promise<readonly string[]> {
  const { addon, probe, bpf } = analysisFlags(ROOT);
  const sources = readdirSync(join(ROOT, 'native/src')).filter((name) => name.endsWith('.cpp')).map((name) => ({ source: `native/src/${name}`, flags: addon }));
  const left = [...sources, { source: PROBE, flags: probe }, { source: BPF, flags: bpf }];
  const found: string[] = [];
  const worker = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const { source, flags } = next;
      found.push(...findingsOf('clang-tidy', source, await run('clang-tidy', ['--quiet', source, '--', ...flags])));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return [...new Set(found)].sort();
}

/** Only what is C: of C++ gcc's manual says itself that the analyzer is not for it yet, and it takes every vector for null. */
export async function gccAnalyzer(): Promise<readonly string[]> {
  const { probe } = analysisFlags(ROOT);
  const options = ['-fanalyzer', '-O2', '-Wall', '-Wextra', '-fdiagnostics-plain-output', '-c', PROBE, '-o', '/dev/null'];
  return findingsOf('gcc', PROBE, await run('gcc', [...probe, ...options]));
}
