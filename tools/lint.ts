/** `npm run lint`: types, ESLint with the layers, shell scripts, well-formed XML. Exit status 0 only if all is clean. */
import { spawn } from 'node:child_process';
import { open, readdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SKIPPED_FOLDERS = new Set(['node_modules', 'build', 'coverage', '.git']);
const XML_ENDINGS = ['.xml', '.policy', '.ui', '.svg', '.conf'];
/** Enough for a `#!` line or the first tag. */
const HEAD_BYTES = 128;

/** One check of the linter. */
export interface LintResult {
  /** A sentence, shown as the test's name by the test runner. */
  readonly name: string;
  readonly outcome: 'clean' | 'findings' | 'skipped';
  /** What the tool printed, or why the check was skipped. */
  readonly output: string;
  readonly durationMs: number;
}

export interface Finished {
  readonly status: number;
  readonly output: string;
}

/** Runs a tool in the project's root; a tool that is not there has status 127. */
export function run(command: string, args: readonly string[]): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.once('error', (error) => { resolve({ status: 127, output: error.message }); });
    child.once('close', (status) => {
      resolve({ status: status ?? 1, output: Buffer.concat(chunks).toString('utf8').trim() });
    });
  });
}

async function timed(name: string, work: () => Promise<Omit<LintResult, 'name' | 'durationMs'>>): Promise<LintResult> {
  const startedMs = performance.now();
  const result = await work();
  return { name, ...result, durationMs: performance.now() - startedMs };
}

function judged(finished: Finished): Omit<LintResult, 'name' | 'durationMs'> {
  return { outcome: finished.status === 0 ? 'clean' : 'findings', output: finished.output };
}

async function* filesBelow(folder: string): AsyncGenerator<string> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const file = join(folder, entry.name);
    if (entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name)) yield* filesBelow(file);
    else if (entry.isFile()) yield file;
  }
}

async function head(file: string): Promise<string> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

interface Sources {
  /** Shell -> its scripts. */
  readonly shell: ReadonlyMap<string, readonly string[]>;
  readonly xml: readonly string[];
}

async function findSources(): Promise<Sources> {
  const shell = new Map<string, string[]>();
  const xml: string[] = [];
  for await (const file of filesBelow(ROOT)) {
    const start = await head(file);
    const interpreter = /^#! *\/(?:usr\/)?bin\/(?:env +)?(sh|dash|bash)\b/.exec(start)?.[1];
    if (interpreter !== undefined) shell.set(interpreter, [...(shell.get(interpreter) ?? []), file]);
    if (XML_ENDINGS.some((ending) => file.endsWith(ending)) && start.trimStart().startsWith('<')) xml.push(file);
  }
  return { shell, xml };
}

async function checkShell(shell: Sources['shell']): Promise<Omit<LintResult, 'name' | 'durationMs'>> {
  const findings: string[] = [];
  for (const [interpreter, files] of shell) {
    for (const file of files) {
      const { status, output } = await run(interpreter, ['-n', file]);
      if (status !== 0) findings.push(`${relative(ROOT, file)}: ${output}`);
    }
  }
  return { outcome: findings.length === 0 ? 'clean' : 'findings', output: findings.join('\n') };
}

/** Scripts that run as root, most of them: quoting and the like are errors. */
async function checkShellHabits(shell: Sources['shell']): Promise<Omit<LintResult, 'name' | 'durationMs'>> {
  const files = [...shell.values()].flat();
  if (files.length === 0) return { outcome: 'clean', output: '' };
  const finished = await run('shellcheck', ['--format=gcc', ...files]);
  if (finished.status === 127) return { outcome: 'skipped', output: 'shellcheck is not installed (package shellcheck)' };
  return judged(finished);
}

async function checkXml(files: readonly string[]): Promise<Omit<LintResult, 'name' | 'durationMs'>> {
  if (files.length === 0) return { outcome: 'clean', output: '' };
  const finished = await run('xmllint', ['--noout', '--nonet', ...files]);
  if (finished.status === 127) return { outcome: 'skipped', output: 'xmllint is not installed (package libxml2-utils)' };
  return judged(finished);
}

/** Runs every check; a check that finds something does not stop the others. */
export async function lint(): Promise<readonly LintResult[]> {
  const sources = await findSources();
  const tool = (name: string, ...args: readonly string[]): Promise<Finished> =>
    run(process.execPath, [join(ROOT, 'node_modules', name), ...args]);
  return await Promise.all([
    timed('lint: the types are right', async () => judged(await tool('typescript/bin/tsc', '-p', '.', '--pretty', 'false'))),
    timed('lint: ESLint finds nothing, layers included', async () =>
      judged(await tool('eslint/bin/eslint.js', '.', '--max-warnings', '0'))),
    timed('lint: shell scripts parse', () => checkShell(sources.shell)),
    timed('lint: shellcheck finds nothing', () => checkShellHabits(sources.shell)),
    timed('lint: XML files are well-formed', () => checkXml(sources.xml)),
  ]);
}

async function main(): Promise<void> {
  const results = await lint();
  for (const { name, outcome, output, durationMs } of results) {
    process.stdout.write(`${outcome === 'clean' ? 'ok' : outcome}: ${name} (${(durationMs / 1000).toFixed(1)} s)\n`);
    if (outcome !== 'clean') process.stdout.write(`${output}\n`);
  }
  process.exitCode = results.some(({ outcome }) => outcome === 'findings') ? 1 : 0;
}

if (import.meta.main) await main();
