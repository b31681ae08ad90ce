/** history: what was decided, how much of it, as files for other programs, and away with it. */
import { BastionError } from '../../contract/errors.ts';
import { FLOW_FORMATS, flowJson, flowWriter } from '../../contract/flow-export.ts';
import { RULE_ACTIONS } from '../../contract/vocabulary.ts';
import type { FlowFilter, FlowInfo, TotalsInfo } from '../../contract/types.ts';
import { EXIT, WIRE_LIMITS } from '../../contract/names.ts';
import { readAll } from '../context.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import { timeAt } from '../text/duration.ts';
import { table } from '../text/table.ts';
import type { Column } from '../text/table.ts';
import { endpoint } from '../text/words.ts';
import type { Invocation, Noun, OptionSpec, OptionValues } from '../tree.ts';
import { uidText } from './monitor.ts';
import { numberOption, oneOf, textOption, uidOf } from './options.ts';
import { actionPaint } from './rules.ts';

const DEFAULT_ROWS = 100;
const MOST_ROWS = 100_000;
/** An export may be as long as the history is. */
const MOST_EXPORTED = 100_000_000;
const MOST_PORT = 65_535;
const RANGES = ['hour', 'day', 'week', 'month'] as const;
const SUMS = ['application', 'destination', 'minute', 'hour', 'day'] as const;

const FILTERS: readonly OptionSpec[] = [
  { name: 'since', value: 'TIME', about: 'only from then on: 2h (two hours ago), or a date such as 2027-01-31T12:00' },
  { name: 'until', value: 'TIME', about: 'only before then' },
  { name: 'app', value: 'TEXT', about: 'only of programs whose path has this in it' },
  { name: 'application', value: 'PATH', about: 'only of this program', kind: 'file' },
  { name: 'destination', value: 'HOST', about: 'only to this name or one below it, or to this address' },
  { name: 'port', value: 'NUMBER', about: 'only to this port' },
  { name: 'action', value: 'ACTION', about: 'only what was decided so', choices: RULE_ACTIONS.filter((action) => action !== 'ask') },
  { name: 'rule', value: 'ID', about: 'only what this rule decided', kind: 'rule' },
  { name: 'user', value: 'USER', about: 'only of this user (name or uid)', kind: 'user' },
];

async function filterOf(context: Context, options: OptionValues): Promise<FlowFilter> {
  const time = (name: string): number | undefined => {
    const text = textOption(options, name);
    return text === undefined ? undefined : timeAt(`--${name}`, text, context.io.now());
  };
  const found = {
    since_ms: time('since'), until_ms: time('until'), application: textOption(options, 'app'), path: textOption(options, 'application'),
    host: textOption(options, 'destination'), port: numberOption(options, 'port', 0, MOST_PORT), rule_id: textOption(options, 'rule'),
  };
  const action = textOption(options, 'action');
  const user = textOption(options, 'user');
  return {
    ...(Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined)) as FlowFilter),
    ...(action === undefined ? {} : { action: oneOf('--action', action, RULE_ACTIONS) }),
    ...(user === undefined ? {} : { uid: await uidOf(user, context.options.host !== undefined) }),
  };
}

function columns(context: Context): readonly Column<FlowInfo>[] {
  const now = context.io.now();
  return [
    { title: 'FLOW', cell: (flow) => flow.id },
    { title: 'TIME', cell: (flow) => context.format.time(flow.time_ms, now) },
    { title: 'ACTION', cell: (flow) => flow.action, paint: (flow) => actionPaint(context, flow.action) },
    { title: 'APPLICATION', cell: (flow) => flow.application, flexible: true },
    { title: 'UID', spare: 3, cell: (flow) => uidText(flow.uid), right: true },
    { title: 'HOST', spare: 2, cell: (flow) => flow.host, flexible: true },
    { title: 'ADDRESS', cell: (flow) => endpoint(flow.address, flow.port, flow.protocol), flexible: true },
    { title: 'PROTOCOL', spare: 4, cell: (flow) => flow.protocol },
    { title: 'SENT', spare: 1, cell: (flow) => (flow.sent_bytes === undefined ? '' : context.format.size(flow.sent_bytes)), right: true },
    { title: 'RECEIVED', spare: 1, cell: (flow) => (flow.received_bytes === undefined ? '' : context.format.size(flow.received_bytes)), right: true },
    { title: 'WHY', cell: (flow) => (flow.rule_id === '' ? flow.reason : `rule ${flow.rule_id}`), flexible: true },
  ];
}

/** A call for flows of others may cost a password. */
async function clientFor(context: Context, filter: FlowFilter): ReturnType<Context['privilegedClient']> {
  return filter.uid === undefined ? context.client() : await context.privilegedClient();
}

async function list(context: Context, { options }: Invocation): Promise<ExitCode> {
  const limit = numberOption(options, 'limit', 1, MOST_ROWS) ?? DEFAULT_ROWS;
  const filter = await filterOf(context, options);
  const client = await clientFor(context, filter);
  const flows: FlowInfo[] = [];
  try {
    await readAll(async (rows, cursor) => {
      const page = await client.queryFlows(filter, rows, cursor);
      flows.push(...page.rows);
      return page;
    }, limit);
  } catch (error: unknown) {
    // The youngest are in the helper's memory, also while the history on disk cannot be read.
    if (flows.length === 0 || !(error instanceof BastionError)) throw error;
    context.note(error.message);
  }
  if (context.options.json) context.json(flows.map(flowJson));
  else if (flows.length === 0) context.say(Object.keys(filter).length === 0 ? 'Nothing was decided yet.' : 'Nothing like that was decided.');
  else await context.show(table(columns(context), flows, context.tableWidth, context.style.strong));
  return EXIT.done;
}

/** Page after page, each written before the next is asked for: however long the history is, little of it is in memory. */
async function exportAll(context: Context, { options }: Invocation): Promise<ExitCode> {
  const format = oneOf('--format', textOption(options, 'format') ?? (context.options.json ? 'json' : 'csv'), FLOW_FORMATS);
  const limit = numberOption(options, 'limit', 1, MOST_EXPORTED) ?? MOST_EXPORTED;
  const filter = await filterOf(context, options);
  const client = await clientFor(context, filter);
  const { head, row, tail } = flowWriter(format);
  let cursor = textOption(options, 'cursor') ?? '';
  let started = false;
  let written = 0;
  while (written < limit) {
    const page = await client.queryFlows(filter, Math.min(WIRE_LIMITS.pageRows, limit - written), cursor);
    const rows = page.rows.map((flow, index) => row(flow, written + index === 0)).join('');
    context.io.out(started ? rows : head + rows);
    started = true;
    await context.io.flush();
    written += page.rows.length;
    const before = cursor;
    cursor = page.next;
    if (cursor === '' || cursor === before) break;
  }
  context.io.out(tail);
  if (cursor !== '') context.note(`There is more: --cursor ${cursor}`);
  return EXIT.done;
}

function destinationText({ destination, port, protocol, others }: TotalsInfo): string {
  if (destination === undefined) return '';
  return destination === '' && others !== undefined ? 'Other destinations' : endpoint(destination, port ?? 0, protocol ?? '');
}

function totalColumns({ format, io }: Context, by: (typeof SUMS)[number]): readonly Column<TotalsInfo>[] {
  const count = (value: number | undefined): string => format.count(value ?? 0);
  const what: readonly Column<TotalsInfo>[] = by === 'application'
    ? [{ title: 'APPLICATION', cell: (row) => row.application, flexible: true }, { title: 'USER', cell: (row) => row.user }]
    : by === 'destination'
      ? [{ title: 'DESTINATION', cell: destinationText, flexible: true }, { title: 'PROTOCOL', cell: (row) => row.protocol ?? '' }]
      : [{ title: 'FROM', cell: (row) => format.time(row.time_ms ?? 0, io.now()) }];
  const bytes: readonly Column<TotalsInfo>[] = by === 'destination' ? [] : [
    { title: 'SENT', cell: (row) => format.size(row.sent_bytes), right: true },
    { title: 'RECEIVED', cell: (row) => format.size(row.received_bytes), right: true },
  ];
  return [
    ...what,
    { title: 'CONNECTIONS', cell: (row) => count(row.connections), right: true },
    { title: 'REFUSED', cell: (row) => count(row.refused), right: true },
    ...bytes,
  ];
}

async function totals(context: Context, { options }: Invocation): Promise<ExitCode> {
  const range = oneOf('--range', textOption(options, 'range') ?? 'day', RANGES);
  const by = oneOf('--by', textOption(options, 'by') ?? 'application', SUMS);
  const rows = await context.client().historyTotals(range, by);
  if (context.options.json) context.json(rows);
  else if (rows.length === 0) context.say('Nothing was counted in that time.');
  else await context.show(table(totalColumns(context, by), rows, context.tableWidth, context.style.strong));
  return EXIT.done;
}

async function clear(context: Context, { options }: Invocation): Promise<ExitCode> {
  if (options['yes'] !== true) throw new UsageError('the history of all users goes, and does not come back; add --yes if you want that');
  await (await context.privilegedClient()).clearHistory();
  context.result({ cleared: true }, 'The history is empty.');
  return EXIT.done;
}

export const history: Noun = {
  name: 'history',
  about: 'What was decided: list, add up, export, clear',
  verbs: [
    {
      name: 'list',
      about: 'List connections that were decided, the newest first',
      options: [
        ...FILTERS, { name: 'limit', short: 'n', value: 'NUMBER', about: `so many rows; ${String(DEFAULT_ROWS)} if not given` },
      ],
      examples: ['history', 'history --since 2h --action deny', 'history --app firefox --destination example.org', 'history --json'],
      run: list,
    },
    {
      name: 'totals',
      about: 'Add up connections and bytes, by program, by destination or in time',
      text: 'A range ends now. Sums by minute are for an hour, by hour for a day or a week, by day (UTC) for a week or a month.',
      options: [
        { name: 'range', value: 'RANGE', about: 'day if not given', choices: RANGES },
        { name: 'by', value: 'WHAT', about: 'application if not given', choices: SUMS },
      ],
      examples: ['history totals', 'history totals --range week --by destination', 'history totals --range hour --by minute --json'],
      run: totals,
    },
    {
      name: 'export',
      about: 'Write connections as CSV or JSON to standard output',
      text: 'The newest first. In CSV, what a spreadsheet would take for a formula has an apostrophe before it.',
      options: [
        { name: 'format', value: 'FORMAT', about: 'csv if not given', choices: FLOW_FORMATS },
        ...FILTERS,
        { name: 'limit', short: 'n', value: 'NUMBER', about: 'so many rows; all if not given' },
        { name: 'cursor', value: 'FLOW', about: 'go on where an export with --limit ended, as it said' },
      ],
      examples: ['history export > history.csv', 'history export --format json --since 1d'],
      run: exportAll,
    },
    {
      name: 'clear',
      about: 'Forget what was decided, of all users, for good',
      options: [{ name: 'yes', about: 'yes, all of it' }],
      examples: ['history clear --yes'],
      run: clear,
    },
  ],
};
