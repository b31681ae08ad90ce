/**
 * `npm run analyze -- [--only TOOL]`: static analysis that takes too long for each test run. One line for each tool, what it found
 * below it as `file:line: text`; exit status 0 only if all of them ran and none found anything. ESLint's rules against careless
 * code are in eslint.config.mjs and part of `npm run lint`.
 */
import { parseArgs } from 'node:util';
import { licences } from './analyze/licences.ts';
import { NoTool, clangTidy, gccAnalyzer } from './analyze/native.ts';
import { secrets } from './analyze/secrets.ts';

const TOOLS = new Map<string, () => Promise<readonly string[]> | readonly string[]>([
  ['clang-tidy', clangTidy], ['gcc', gccAnalyzer], ['secrets', secrets], ['licences', licences],
]);

/** Is it clean? */
async function analyze(name: string, look: () => Promise<readonly string[]> | readonly string[]): Promise<boolean> {
  const startedMs = performance.now();
  const { said, found } = await attempt(look);
  process.stdout.write(`${said}: ${name} (${((performance.now() - startedMs) / 1000).toFixed(1)} s)\n`);
  for (const finding of found) process.stdout.write(`${finding}\n`);
  return said === 'ok';
}

async function attempt(look: () => Promise<readonly string[]> | readonly string[]): Promise<{ readonly said: string; readonly found: readonly string[] }> {
  try {
    const found = await look();
    return { said: found.length === 0 ? 'ok' : `${String(found.length)} findings`, found };
  } catch (error: unknown) {
    if (!(error instanceof NoTool)) throw error;
    return { said: 'not run', found: [error.message] };
  }
}

const { only } = parseArgs({ options: { only: { type: 'string' } } }).values;
if (only !== undefined && !TOOLS.has(only)) {
  process.stderr.write(`there is no ${only}; the tools are ${[...TOOLS.keys()].join(', ')}\n`);
  process.exit(2);
}
// One after the other: the first one takes all processors.
for (const [name, look] of TOOLS) if (only === undefined || only === name) if (!await analyze(name, look)) process.exitCode = 1;
