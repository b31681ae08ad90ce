/**
 * `node tools/leak-matrix.ts`: writes docs/leak-matrix.md, the table of every way to send in every state, out of what the tests
 * measured (build/leak-matrix/*.json, see test/leak-matrix.ts). With --print it goes to standard output instead. The same
 * measurements give the same text.
 */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { COLUMNS, LEAK_MATRIX_FOLDER } from '../test/leak-matrix.ts';
import type { KeptColumn, MeasuredWay } from '../test/leak-matrix.ts';

const TABLE = join(import.meta.dirname, '../docs/leak-matrix.md');
const WORD = /^[a-zA-Z0-9-]+$/u;

const KEPT = z.strictObject({
  column: z.enum(COLUMNS), kernel: z.string().regex(/^[\w.+-]+$/u), full: z.boolean(),
  ways: z.array(z.strictObject({
    name: z.string().regex(WORD), as: z.enum(['user', 'root']), attempts: z.number().int().min(0), arrived: z.number().int().min(0),
    note: z.string().regex(/^[\w .,:;()-]*$/u),
  })),
});

/** Every column that was kept in `folder`, in the order of the table. Throws with the file's name where one is not what a test keeps. */
export function readColumns(folder: string): readonly KeptColumn[] {
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
  const columns = files.map((name) => {
    const parsed = KEPT.safeParse(JSON.parse(readFileSync(join(folder, name), 'utf8')));
    if (!parsed.success) throw new Error(`${name}: ${z.prettifyError(parsed.error)}`);
    return parsed.data;
  });
  return columns.sort((one, other) => COLUMNS.indexOf(one.column) - COLUMNS.indexOf(other.column));
}

function find(column: KeptColumn | undefined, { name, as }: MeasuredWay): MeasuredWay | undefined {
  return column?.ways.find((way) => way.name === name && way.as === as);
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |\n`;
}

function table(ways: readonly MeasuredWay[], states: readonly KeptColumn[]): string {
  const head = ['way', 'allowed', ...states.map(({ column }) => column)];
  const rows = ways.map((way) => {
    const cells = states.map((state) => {
      const measured = find(state, way);
      return measured === undefined ? '-' : `${String(measured.arrived)} of ${String(measured.attempts)}`;
    });
    return line([way.name, way.arrived > 0 ? 'arrives' : 'never', ...cells]);
  });
  return line(head) + line(head.map(() => '---')) + rows.join('');
}

/** The document. */
export function documentOf(columns: readonly KeptColumn[]): string {
  const allowed = columns.find(({ column }) => column === 'allowed');
  const beyond = columns.find(({ column }) => column === 'beyond');
  const states = columns.filter((column) => column !== allowed && column !== beyond);
  const known = allowed?.ways ?? [];
  const tried = known.filter(({ note }) => note === '');
  const measured = states.flatMap((state) => tried.flatMap((way) => find(state, way) ?? []));
  const sum = (of: 'attempts' | 'arrived'): string => measured.reduce((all, way) => all + way[of], 0).toLocaleString('en');
  const kernels = [...new Set(columns.map(({ kernel }) => kernel))].sort().join(', ');
  const lacking = known.filter(({ note }) => note !== '').map(({ name, note }) => `${name} (${note})`).join(', ');
  return `# Every way to send, in every state

Each row is a way to send, each column a state in which the program may not. A cell says how many packets of how many attempts
reached the other side of the network, where they were counted by a text in their payload, or by their port where the first packet
carries none. A test fails with the first one, but for those that are explained at the end. "Allowed" is the same program with
everything allowed: that a way arrives then is what gives the other cells a meaning. "Never" are parts of a datagram whose flow
nobody can tell, and a network that leads nowhere.

**${sum('arrived')} of ${sum('attempts')} attempts arrived**: ${String(tried.length)} ways in ${String(states.length)} states, on Linux ${kernels === '' ? '(nothing was measured)' : kernels}.
Made by \`node tools/leak-matrix.ts\` after \`npm run test:leaks\`${columns.some(({ full }) => !full) ? '; with `BASTION_TEST_SIZE=full` it is 1,000,000 attempts' : ' with `BASTION_TEST_SIZE=full`'}.
Each way is a short function of that name in \`test/integration/programs\` (\`leak.c\`, \`ways.c\`, \`detours.c\`); the states are in
\`test/leaks/matrix.test.ts\`.

## Ways of every program

${table(tried.filter(({ as }) => as === 'user'), states)}
## Ways that take the rights of root

${table(tried.filter(({ as }) => as === 'root'), states)}${lacking === '' ? '' : `
The kernel of this run lacks, or did not grant: ${lacking}.
`}
## What arrives, and why

In the column "starting", before the helper has rules of its own, TCP segments arrive that open no connection, written by root itself
(\`header-ack\`, \`header-reset\`, \`bare-reset\`): the base rules of the boot know no socket and take them for a server's answer.
They take CAP_NET_RAW.

The rest is out of scope, or let pass on purpose; here of a program that no rule is about. [What is in scope](security.md) says more.

${line(['way', 'arrived', 'why'])}${line(['---', '---', '---'])}${(beyond?.ways ?? []).map(({ name, attempts, arrived, note }) => line([name, `${String(arrived)} of ${String(attempts)}`, note])).join('')}`;
}

if (import.meta.main) {
  const text = documentOf(readColumns(LEAK_MATRIX_FOLDER));
  if (process.argv.includes('--print')) process.stdout.write(text);
  else writeFileSync(TABLE, text);
}
