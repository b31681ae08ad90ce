/** applications rehash: accepts what files have now, with the old and the new hash. */
import type { HelperClient } from '../../contract/client.ts';
import { EXIT } from '../../contract/names.ts';
import type { ApplicationInfo, RehashInfo, RehashSummary } from '../../contract/types.ts';
import type { Context } from '../context.ts';
import { RefusedError, UsageError } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import { table } from '../text/table.ts';
import type { Column } from '../text/table.ts';
import type { Invocation, Verb } from '../tree.ts';
import { applicationNamed, knownApplications } from './application-lookup.ts';
import { confirm } from './confirm.ts';

/** Enough to compare by eye; --json and `show` have all 64. */
const SHORT_HASH = 16;
/** As many as one call takes. */
const MOST_TARGETS = 500;

function resultWords(result: RehashInfo['result']): string {
  switch (result) {
    case 'same': return 'as before';
    case 'accepted': return 'accepted';
    case 'missing': return 'missing';
    case 'failed': return 'could not be read';
    case 'other-hash': return 'changed again';
  }
}

function short(hash: string): string {
  return hash.slice(0, SHORT_HASH);
}

function columns({ style }: Context): readonly Column<RehashInfo>[] {
  return [
    { title: 'APPLICATION', cell: (row) => row.name, flexible: true },
    {
      title: 'RESULT', cell: (row) => resultWords(row.result),
      paint: (row) => (row.result === 'same' ? style.faint : row.result === 'accepted' ? style.good : style.bad),
    },
    { title: 'OLD', cell: (row) => short(row.old_sha256) },
    { title: 'NEW', cell: (row) => short(row.new_sha256) },
    { title: 'PATH', cell: (row) => row.path, flexible: true },
  ];
}

/** Draws how far it is where somebody looks; returns the way to stop. */
function followProgress(context: Context, client: HelperClient): () => void {
  const { io, format, options } = context;
  if (!io.stderrIsTerminal || options.json) return () => undefined;
  const stop = client.on('rehashProgress', (done, total) => {
    const percent = total === 0 ? 100 : Math.floor((done / total) * 100);
    io.err(`\r\x1b[K${String(percent)} % of ${format.size(total)}`);
  });
  return () => {
    stop();
    io.err('\r\x1b[K');
  };
}

async function watched<T>(context: Context, client: HelperClient, work: () => Promise<T>): Promise<T> {
  const stop = followProgress(context, client);
  try {
    return await work();
  } finally {
    stop();
  }
}

/** Somebody at a terminal sees what is accepted before; a script has said it all. */
async function agreed(context: Context, found: readonly ApplicationInfo[], question: string): Promise<boolean> {
  const { io, options } = context;
  if (options.json || !io.stdinIsTerminal || !io.stdoutIsTerminal) return true;
  const changed = found.filter(({ state }) => state === 'changed');
  if (changed.length > 0) {
    io.out(table<ApplicationInfo>([
      { title: 'CHANGED', cell: (one) => one.name, flexible: true },
      { title: 'OLD', cell: (one) => short(one.known_sha256) },
      { title: 'NEW', cell: (one) => short(one.sha256) },
      { title: 'PATH', cell: (one) => one.path, flexible: true },
    ], changed, context.tableWidth, context.style.strong));
  }
  return confirm(context, question);
}

function isGood({ result }: RehashInfo): boolean {
  return result === 'same' || result === 'accepted';
}

async function rehashSome(context: Context, words: readonly string[], yes: boolean): Promise<ExitCode> {
  if (words.length > MOST_TARGETS) throw new UsageError(`at most ${String(MOST_TARGETS)} applications at a time; or use --all`);
  const client = await context.privilegedClient();
  const known = await knownApplications(client);
  const found = [...new Set(words.map((word) => applicationNamed(known, word)))];
  if (!yes && !(await agreed(context, found, `Accept ${found.length === 1 ? 'this file' : 'these files'} as they are now?`))) throw notConfirmed();
  // What was shown is what is accepted: a file that changes again meanwhile is not.
  const ids = found.map(({ id, state, sha256, kind }) => (state === 'changed' && kind !== 'flatpak' && kind !== 'snap' ? `${id}=${sha256}` : id));
  const rows = await watched(context, client, () => client.rehash(ids));
  if (context.options.json) context.json(rows);
  else context.io.out(table(columns(context), rows, context.tableWidth, context.style.strong));
  return rows.every(isGood) ? EXIT.done : EXIT.refused;
}

function summarySentence({ format }: Context, { files, same, accepted, missing, failed }: RehashSummary): string {
  const { count } = format;
  return `${count(files)} files: ${count(same)} as before, ${count(accepted)} accepted, ${count(missing)} missing, ${count(failed)} not readable.`;
}

async function rehashAll(context: Context, yes: boolean): Promise<ExitCode> {
  const client = await context.privilegedClient();
  const known = yes ? [] : await knownApplications(client);
  if (!yes && !(await agreed(context, known, 'Accept the files of all applications as they are now?'))) throw notConfirmed();
  const summary = await watched(context, client, () => client.rehashAll());
  if (context.options.json) context.json(summary);
  else {
    if (summary.rows.length > 0) context.io.out(table(columns(context), summary.rows, context.tableWidth, context.style.strong));
    context.say(summarySentence(context, summary));
  }
  return summary.failed === 0 ? EXIT.done : EXIT.refused;
}

function notConfirmed(): RefusedError {
  return new RefusedError('Nothing was accepted.', 'bastionctl applications list --state changed');
}

async function rehash(context: Context, { args, options }: Invocation): Promise<ExitCode> {
  const yes = options['yes'] === true;
  if (options['all'] === true) {
    if (args.length > 0) throw new UsageError('give applications or --all, not both');
    return rehashAll(context, yes);
  }
  if (args.length === 0) throw new UsageError('name an application, or use --all');
  return rehashSome(context, args, yes);
}

export const rehashVerb: Verb = {
  name: 'rehash',
  about: 'Hash files of programs anew and accept what they have now',
  text: 'Rules that allow a program whose file was changed wait for this. On a terminal the old and the new hash are shown first. '
    + 'Exit code 1 when a file is missing, cannot be read or changed again meanwhile.',
  args: [{ name: 'application', about: 'its id, or the path of its file', variadic: true, optional: true, kind: 'file' }],
  options: [
    { name: 'all', about: 'every application' },
    { name: 'yes', short: 'y', about: 'do not ask' },
  ],
  examples: ['applications rehash /usr/local/bin/tool', 'applications rehash --all'],
  run: rehash,
};
