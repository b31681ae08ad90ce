/** rules simulate and rules review: what changed rules would have done, and rules that do nothing. */
import { readFile, stat } from 'node:fs/promises';
import type { SimulationAnswer } from '../../contract/client.ts';
import type { RuleChange, RuleEdit, RuleFinding, SimulationRow } from '../../contract/types.ts';
import { RULE_ACTIONS } from '../../contract/vocabulary.ts';
import { EXIT } from '../../contract/names.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import { timeAt } from '../text/duration.ts';
import { printable } from '../text/escape.ts';
import { rulesOfToml } from '../text/rule-toml.ts';
import { table } from '../text/table.ts';
import type { Column } from '../text/table.ts';
import { endpoint } from '../text/words.ts';
import type { Invocation, OptionSpec, OptionValues, Verb } from '../tree.ts';
import { textOption } from './options.ts';
import { addEdit, RULE_OPTIONS } from './rule-edit.ts';

/** A million flows take some seconds. */
export const LOOKING_MS = 90_000;
/** As many as one call takes. */
const MOST_CHANGES = 64;
const LARGEST_FILE_BYTES = 1_048_576;

/** Wall time, ms since 1970, of `--since 7d` or a date; 0 when it was not given. Throws UsageError. */
export function sinceOption(context: Context, options: OptionValues): number {
  const text = textOption(options, 'since');
  return text === undefined ? 0 : timeAt('--since', text, context.io.now());
}

export const SINCE_OPTION: OptionSpec = { name: 'since', value: 'TIME', about: 'only from then on: 2h (two hours ago), or a date; everything recorded if not given' };

function rowJson(row: SimulationRow): unknown {
  return {
    change: row.change, from: row.from, to: row.to, application: row.application, path: row.path, uid: row.uid, user: row.user,
    host: row.host, address: row.address, port: row.port, protocol: row.protocol, connections: row.connections, first_ms: row.first_ms,
    last_ms: row.last_ms, rule_before: row.rule_before, rule_after: row.rule_after, examples: row.examples,
  };
}

function columns(context: Context): readonly Column<SimulationRow>[] {
  const paint = { refused: context.style.bad, asked: context.style.warn, allowed: context.style.good };
  return [
    { title: 'WOULD BE', cell: (row) => row.change, paint: (row) => paint[row.change] },
    { title: 'APPLICATION', cell: (row) => row.application, flexible: true },
    { title: 'USER', spare: 3, cell: (row) => row.user },
    { title: 'TO', cell: (row) => endpoint(row.host || row.address, row.port, row.protocol), flexible: true },
    { title: 'PROTOCOL', spare: 4, cell: (row) => row.protocol },
    { title: 'CONNECTIONS', cell: (row) => context.format.count(row.connections), right: true },
    { title: 'NOW', spare: 1, cell: (row) => (row.rule_before === '' ? row.from : `${row.from}, rule ${row.rule_before}`), flexible: true },
    { title: 'THEN', spare: 1, cell: (row) => (row.rule_after === '' ? row.to : `${row.to}, rule ${row.rule_after}`), flexible: true },
    { title: 'FOR EXAMPLE', spare: 2, cell: (row) => row.examples[0] ?? '' },
  ];
}

async function showSimulation(context: Context, { summary, rows }: SimulationAnswer): Promise<void> {
  if (context.options.json) {
    context.json({ summary: { ...summary, incomplete: summary.incomplete === true }, rows: rows.map(rowJson) });
    return;
  }
  context.say(summary.text);
  if (summary.lists_ignored > 0) {
    context.note(`${context.format.count(summary.lists_ignored)} rules for lists were taken to match nothing.`);
  }
  if (summary.incomplete === true) context.note('A part of the stored history could not be read.');
  if (rows.length === 0) return;
  await context.show(`\n${table(columns(context), rows, context.tableWidth, context.style.strong)}`);
  if (summary.unlisted > 0) context.note(`${context.format.count(summary.unlisted)} more connections are not listed.`);
}

/** Asks what the changes would have done, and shows it. */
export async function simulate(context: Context, changes: readonly RuleChange[], sinceMs: number): Promise<ExitCode> {
  context.client(LOOKING_MS);
  const client = await context.privilegedClient();
  await showSimulation(context, await client.simulateRules(changes, sinceMs));
  return EXIT.done;
}

function idsOf(options: OptionValues, name: string): readonly string[] {
  return textOption(options, name)?.split(',').map((id) => id.trim()).filter((id) => id !== '') ?? [];
}

async function fileEdits(file: string): Promise<readonly RuleEdit[]> {
  const found = await stat(file).catch(() => null);
  if (found === null) throw new UsageError(`there is no file '${printable(file)}'`);
  if (!found.isFile() || found.size > LARGEST_FILE_BYTES) throw new UsageError(`'${printable(file)}' is no file of at most 1 MiB`);
  return rulesOfToml(await readFile(file, 'utf8'), file);
}

async function changesOf(context: Context, { args, options }: Invocation): Promise<readonly RuleChange[]> {
  const [file] = args;
  const action = textOption(options, 'add');
  const edits = [
    ...(file === undefined ? [] : await fileEdits(file)),
    ...(action === undefined ? [] : [await addEdit(context, action, options)]),
  ];
  const known = new Set(edits.map(({ id }) => id).filter((id) => id !== undefined));
  const present = known.size === 0 ? new Set<string>() : await presentIds(context, known);
  return [
    ...(['remove', 'disable', 'enable'] as const).flatMap((op) => idsOf(options, op).map((id) => ({ op, id }))),
    // A rule of the file whose id is there already takes its place.
    ...edits.flatMap((rule): readonly RuleChange[] => {
      const { id } = rule;
      return id !== undefined && present.has(id) ? [{ op: 'remove', id }, { op: 'add', rule }] : [{ op: 'add', rule }];
    }),
  ];
}

async function presentIds(context: Context, wanted: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  const client = context.client(LOOKING_MS);
  const found = await Promise.all([...wanted].slice(0, MOST_CHANGES).map((id) => client.getRule(id).then(() => [id], () => [])));
  return new Set(found.flat());
}

async function run(context: Context, invocation: Invocation): Promise<ExitCode> {
  const sinceMs = sinceOption(context, invocation.options);
  const changes = await changesOf(context, invocation);
  if (changes.length === 0) throw new UsageError('say what to try: a file of rules, --add, --remove, --enable or --disable');
  if (changes.length > MOST_CHANGES) throw new UsageError(`at most ${String(MOST_CHANGES)} changes can be tried at a time`);
  return await simulate(context, changes, sinceMs);
}

export const simulateVerb: Verb = {
  name: 'simulate',
  about: 'Say what other rules would have done to the recorded connections',
  text: 'Nothing is changed. FILE holds [[rule]] tables as the rule files do; a rule whose id is there takes its place. With --add '
    + 'the other options say the rule, as for add. Your own connections, or everybody\'s for root.',
  args: [{ name: 'file', about: 'rules to try', optional: true, kind: 'file' }],
  options: [
    { name: 'add', value: 'ACTION', about: 'try one more rule', choices: RULE_ACTIONS },
    { name: 'remove', value: 'IDS', about: 'without these rules; several with commas', kind: 'rule' },
    { name: 'disable', value: 'IDS', about: 'with these rules switched off', kind: 'rule' },
    { name: 'enable', value: 'IDS', about: 'with these rules switched on', kind: 'rule' },
    SINCE_OPTION,
    ...RULE_OPTIONS,
  ],
  examples: [
    'rules simulate --add deny --application /usr/bin/curl --since 7d',
    'rules simulate --remove firefox-web',
    'rules simulate my-rules.toml --json',
  ],
  run,
};

function findingJson(finding: RuleFinding): unknown {
  return {
    kind: finding.kind, rule_id: finding.rule_id, name: finding.name, other_id: finding.other_id, text: finding.text,
    advice: finding.advice, since_ms: finding.since_ms ?? null, path: finding.path ?? null,
  };
}

async function review(context: Context): Promise<ExitCode> {
  context.client(LOOKING_MS);
  const client = await context.privilegedClient();
  const findings = await client.reviewRules();
  if (context.options.json) {
    context.json(findings.map(findingJson));
    return EXIT.done;
  }
  if (findings.length === 0) {
    context.say('Every rule does something, as far as the history tells.');
    return EXIT.done;
  }
  const lines = findings.map(({ kind, text, advice }) =>
    `${context.style.strong(kind.padEnd(10))} ${printable(text)}\n${advice === '' ? '' : `${' '.repeat(11)}${printable(advice)}\n`}`);
  await context.show(lines.join(''));
  return EXIT.done;
}

export const reviewVerb: Verb = {
  name: 'review',
  about: 'List rules that do nothing: expired, said twice, hidden behind others, for missing programs, unused',
  text: 'A rule is called unused when it has decided nothing for 30 days, and the history is as old.',
  examples: ['rules review', 'rules review --json'],
  run: review,
};
