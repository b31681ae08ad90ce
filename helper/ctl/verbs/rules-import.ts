/** rules import, rules export. */
import { writeFileAtomic } from '../../adapters/atomic-file.ts';
import { BastionError } from '../../contract/errors.ts';
import { EXIT, EXPORT_FORMATS, IMPORT_FORMATS } from '../../contract/names.ts';
import type { ImportItemInfo, ImportSummary } from '../../contract/types.ts';
import type { Context } from '../context.ts';
import { RefusedError, UsageError } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import { printableLines } from '../text/escape.ts';
import type { Paint } from '../text/format.ts';
import { table } from '../text/table.ts';
import type { Column } from '../text/table.ts';
import type { Invocation, Verb } from '../tree.ts';
import { readForeignFiles } from './import-files.ts';
import type { ForeignFiles } from './import-files.ts';
import { oneOf, textOption } from './options.ts';

const EXPORT_MODE = 0o644;
/** More ids than this make no command that a person would read. */
const MOST_UNDO_IDS = 20;
/** As rust-network-mgr does, unless its variable names another. */
const NETWORK_MANAGER_FILE = '/etc/rust-network-mgr/config.yaml';
/** The helper reads the files itself. */
const ORIGINAL: ForeignFiles = { text: '', placeOf: (file, line) => ({ file, line }), fromStdin: false };

interface Report {
  readonly items: readonly ImportItemInfo[];
  readonly summary: ImportSummary;
}

function outcomePaint(context: Context, outcome: ImportItemInfo['outcome']): Paint {
  switch (outcome) {
    case 'kept': return context.style.good;
    case 'changed':
    case 'review': return context.style.warn;
    case 'skipped': return context.style.bad;
  }
}

function columns(context: Context, files: ForeignFiles): readonly Column<ImportItemInfo>[] {
  const where = (item: ImportItemInfo): string => {
    const { file, line } = files.placeOf(item.file, item.line);
    return file === '' ? String(line) : `${file}:${String(line)}`;
  };
  return [
    { title: 'OUTCOME', cell: (item) => item.outcome, paint: (item) => outcomePaint(context, item.outcome) },
    { title: 'LINE', spare: 2, cell: where },
    { title: 'WHAT', cell: (item) => item.source, flexible: true },
    { title: 'RULE', spare: 3, cell: (item) => item.rule_id ?? '-', flexible: true },
    { title: 'WHY', cell: (item) => item.text, flexible: true },
  ];
}

function plural(count: number, one: string): string {
  return `${String(count)} ${one}${count === 1 ? '' : 's'}`;
}

function totals({ kept, changed, review, skipped }: ImportSummary): string {
  return `${String(kept)} kept, ${String(changed)} changed, ${String(review)} to review (off), ${String(skipped)} skipped.`;
}

/** The report for people; what goes into other files comes last. */
async function showReport(context: Context, files: ForeignFiles, { items, summary }: Report): Promise<void> {
  if (summary.guess !== '') context.note(`Format ${summary.format}: ${summary.guess}`);
  const rows = items.length === 0 ? '' : table(columns(context, files), items, context.tableWidth, context.style.strong);
  const { settings, applications, dry_run: dryRun } = summary;
  const forSettings = settings === '' ? '' : `\nFor bastion.toml, if you want it (nothing is written there):\n\n${printableLines(settings)}`;
  const trusted = dryRun ? 'These would be trusted by their hash (applications.toml)' : 'These are trusted by their hash now (applications.toml)';
  const forTrust = applications === '' ? '' : `\n${trusted}:\n\n${printableLines(applications)}`;
  await context.show([rows, forSettings, forTrust].join(''));
  context.say(totals(summary));
}

function reportJson(files: ForeignFiles, { items, summary }: Report): unknown {
  const { ids, settings, applications, ...rest } = summary;
  return {
    ...rest, ids, settings, applications,
    items: items.map((item) => ({ ...item, ...files.placeOf(item.file, item.line), rule_id: item.rule_id ?? null, rule: item.rule ?? null })),
  };
}

/** `y` and nothing else. */
async function confirm(context: Context, question: string): Promise<boolean> {
  const { io } = context;
  io.out(`${question} [y/N] `);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const keyboard = io.keyboard((key) => {
    resolve(key === 'y');
  });
  void io.untilStopped().then(() => {
    resolve(false);
  });
  try {
    return await promise;
  } finally {
    keyboard.close();
    io.out('\n');
  }
}

/** The places of a merged text in the words of the files that it was made of. */
function inFiles(files: ForeignFiles, error: unknown): unknown {
  if (!(error instanceof BastionError)) return error;
  const message = error.message.replace(/^line ([0-9]+)(?=, column)/, (all, digits: string) => {
    const { file, line } = files.placeOf('', Number(digits));
    return file === '' ? all : `${file}, line ${String(line)}`;
  });
  return new BastionError(error.code, message, { cause: error });
}

async function run(context: Context, files: ForeignFiles, format: string, dryRun: boolean): Promise<Report> {
  const client = await context.privilegedClient();
  try {
    return await client.importRules(format, files.text, dryRun);
  } catch (error: unknown) {
    throw inFiles(files, error);
  }
}

function tellDone(context: Context, { summary }: Report): void {
  const { ids, dry_run, applications } = summary;
  if (dry_run) context.say(`Nothing was written; ${plural(ids.length, 'rule')} would be added.`);
  else if (ids.length === 0) context.say(applications === '' ? 'Nothing was added.' : 'No rule was added; the programs above are trusted.');
  else context.say(`Added ${plural(ids.length, 'rule')}.`);
  if (dry_run || ids.length === 0) return;
  if (ids.length <= MOST_UNDO_IDS) context.say(`To undo: bastionctl rules remove ${ids.join(' ')}`);
  else context.say('To undo: bastionctl rules remove with the ids; --json tells them.');
}

/** Where the only file of a format is. */
function usualPlace({ io }: Context, format: unknown): string | undefined {
  if (format !== 'network-manager') return undefined;
  const named = io.env['RUST_NETWORK_MGR_CONFIG'] ?? '';
  return named === '' ? NETWORK_MANAGER_FILE : named;
}

async function importRules(context: Context, { args, options }: Invocation): Promise<ExitCode> {
  const original = options['from-original'] === true;
  const path = args[0] ?? (original ? undefined : usualPlace(context, options['format']));
  if (original === (path !== undefined)) throw new UsageError('name one file or folder, - for standard input, or --from-original');
  const named = textOption(options, 'format');
  if (original && named !== undefined) throw new UsageError('--from-original knows its formats');
  const format = original ? 'original' : named === undefined ? '' : oneOf('--format', named, IMPORT_FORMATS);
  const files = path === undefined ? ORIGINAL : await readForeignFiles(path);
  const dryRun = options['dry-run'] === true;
  const { json } = context.options;
  const asks = !dryRun && options['yes'] !== true;
  if (asks && (json || files.fromStdin || !context.io.stdinIsTerminal || !context.io.stdoutIsTerminal)) {
    throw new UsageError('nobody can be asked here; add --yes, or --dry-run to only look');
  }
  const first = await run(context, files, format, dryRun || asks);
  if (json) {
    context.json(reportJson(files, first));
    return EXIT.done;
  }
  await showReport(context, files, first);
  const { ids, applications } = first.summary;
  if (!asks || (ids.length === 0 && applications === '')) {
    tellDone(context, first);
    return EXIT.done;
  }
  if (!await confirm(context, `Add ${plural(ids.length, 'rule')}${applications === '' ? '' : ' and trust these programs'}?`)) {
    throw new RefusedError('Nothing was added.', '');
  }
  tellDone(context, await run(context, files, format, false));
  return EXIT.done;
}

async function exportRules(context: Context, { options }: Invocation): Promise<ExitCode> {
  const format = oneOf('--format', textOption(options, 'format') ?? 'toml', EXPORT_FORMATS);
  const output = textOption(options, 'output');
  const text = await context.client().exportRules(format);
  if (output !== undefined && output !== '-') {
    await writeFileAtomic(output, Buffer.from(text), EXPORT_MODE).catch((error: unknown) => {
      throw new RefusedError(`${output} cannot be written: ${error instanceof Error ? error.message : String(error)}`, 'check the folder', { cause: error });
    });
    context.result({ format, output }, `Wrote ${output}.`);
  } else if (context.options.json) context.json({ format, text });
  else if (context.io.stdoutIsTerminal) await context.show(printableLines(text));
  else context.io.out(text);
  return EXIT.done;
}

export const importVerb: Verb = {
  name: 'import',
  about: 'Add the rules of another program or machine',
  text: 'Reads a file, a folder of them, or - for standard input, tells what of it is kept, changed, to be reviewed or skipped, and asks. '
    + 'What cannot be said exactly is imported switched off. Nothing is replaced; importing the same file again adds nothing. '
    + `With --format network-manager the file may be left out: it is then what RUST_NETWORK_MGR_CONFIG names, else ${NETWORK_MANAGER_FILE}.`,
  args: [{ name: 'file', about: 'file or folder; - for standard input', optional: true, kind: 'file' }],
  options: [
    { name: 'format', value: 'FORMAT', about: 'format, instead of telling it from the content', choices: IMPORT_FORMATS },
    { name: 'from-original', about: 'rules.json and config.json of Bastion Firewall 2, from their place' },
    { name: 'dry-run', about: 'only report' },
    { name: 'yes', short: 'y', about: 'do not ask' },
  ],
  examples: [
    'rules import --from-original --dry-run',
    'rules import /etc/opensnitchd/rules',
    'rules import blocklist.lsrules --yes',
    'rules import --format network-manager --dry-run',
    'rules import - --format bastion --yes < my-rules.toml',
  ],
  run: importRules,
};

export const exportVerb: Verb = {
  name: 'export',
  about: 'Print your rules',
  text: 'toml is the rule file that the helper writes, with its comments; json is every rule; bastion-rules is rules.json of Bastion '
    + 'Firewall 2, and refuses rules that it cannot say.',
  options: [
    { name: 'format', value: 'FORMAT', about: 'toml (as it is without this), json or bastion-rules', choices: EXPORT_FORMATS },
    { name: 'output', short: 'o', value: 'FILE', about: 'write a file instead', kind: 'file' },
  ],
  examples: ['rules export > my-rules.toml', 'rules export --format json --output rules.json'],
  run: exportRules,
};
