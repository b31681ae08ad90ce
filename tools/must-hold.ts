/**
 * `node tools/must-hold.ts`: writes docs/must-hold.md, the table of what must hold whatever happens, out of what the tests
 * measured (build/must-hold/*.json, see test/must-hold.ts). With --print it goes to standard output instead. The same
 * measurements give the same text.
 */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { MUST_HOLD_FOLDER } from '../test/must-hold.ts';
import type { KeptMustHold } from '../test/must-hold.ts';

const TABLE = join(import.meta.dirname, '../docs/must-hold.md');
const ID = /^[a-z0-9-]+$/u;

const KEPT = z.strictObject({
  id: z.string().regex(ID), claim: z.string().min(1), size: z.string().min(1), undecided: z.number().int().min(0).nullable(),
  figures: z.array(z.string()), kernel: z.string().min(1), full: z.boolean(),
});

/** Everything that was kept in `folder`, by id. Throws with the file's name where one is not what a test keeps. */
export function readKept(folder: string): readonly KeptMustHold[] {
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')).sort() : [];
  return files.map((name) => {
    const parsed = KEPT.safeParse(JSON.parse(readFileSync(join(folder, name), 'utf8')));
    if (!parsed.success) throw new Error(`${name}: ${z.prettifyError(parsed.error)}`);
    if (`${parsed.data.id}.json` !== name) throw new Error(`${name} holds ${parsed.data.id}`);
    return parsed.data;
  });
}

/** One line, and nothing in it that Markdown takes for its own. */
function cell(text: string): string {
  return text.replaceAll(/\s+/gu, ' ').trim().replaceAll(/[\\|`*_<>[\]]/gu, String.raw`\$&`);
}

function row({ claim, size, undecided, figures, full }: KeptMustHold): string {
  const cells = [cell(claim), cell(size) + (full ? '' : ' (small)'), undecided === null ? '-' : String(undecided), figures.map(cell).join('<br>')];
  return `| ${cells.join(' | ')} |`;
}

/** The document. */
export function tableOf(kept: readonly KeptMustHold[]): string {
  const rows = [...kept].sort((one, other) => (one.id < other.id ? -1 : Number(one.id > other.id)));
  const kernels = [...new Set(rows.map(({ kernel }) => kernel))].sort().map(cell).join(', ');
  const small = rows.some(({ full }) => !full)
    ? 'What is marked as small was run with the counts of a daily run.\n\n' : '';
  return `# What must hold, whatever happens

Each line is what a test measured in its last run. "Undecided" are packets of programs that nobody had decided about, counted
on the other side of the network: a test with one of them fails, as it does where the promise is not kept. Times are what that
machine took, with what else it had to do; no test asserts them.

Made by \`node tools/must-hold.ts\` after \`BASTION_TEST_SIZE=full npm test\`, \`npm run test:leaks\` and \`npm run test:system\`, on
Linux ${kernels === '' ? '(nothing was measured)' : kernels}.

${small}| what holds | tried | undecided | measured |
|---|---|---|---|
${rows.map((one) => `${row(one)}\n`).join('')}`;
}

if (import.meta.main) {
  const text = tableOf(readKept(MUST_HOLD_FOLDER));
  if (process.argv.includes('--print')) process.stdout.write(text);
  else writeFileSync(TABLE, text);
}
