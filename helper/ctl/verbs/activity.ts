/** history and explain: what was decided, and why. */
import type { FlowInfo } from '../../contract/types.ts';
import { EXIT } from '../../contract/names.ts';
import { readAll } from '../context.ts';
import type { Context } from '../context.ts';
import type { ExitCode } from '../errors.ts';
import { details, table } from '../text/table.ts';
import type { Column } from '../text/table.ts';
import { endpoint } from '../text/words.ts';
import type { Invocation, Verb } from '../tree.ts';
import { flowJson, uidText } from './monitor.ts';
import { numberOption, textOption, uidOf } from './options.ts';
import { actionPaint } from './rules.ts';

const DEFAULT_ROWS = 100;
const MOST_ROWS = 100_000;

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
    { title: 'WHY', cell: (flow) => (flow.rule_id === '' ? flow.reason : `rule ${flow.rule_id}`), flexible: true },
  ];
}

async function history(context: Context, { options }: Invocation): Promise<ExitCode> {
  const limit = numberOption(options, 'limit', 1, MOST_ROWS) ?? DEFAULT_ROWS;
  const path = textOption(options, 'application');
  const user = textOption(options, 'user');
  const filter = { ...(path === undefined ? {} : { path }), ...(user === undefined ? {} : { uid: await uidOf(user) }) };
  const client = user === undefined ? context.client() : await context.privilegedClient();
  const flows = await readAll((rows, cursor) => client.queryFlows(filter, rows, cursor), limit);
  if (context.options.json) context.json(flows.map(flowJson));
  else if (flows.length === 0) context.say('Nothing was decided yet.');
  else await context.show(table(columns(context), flows, context.tableWidth, context.style.strong));
  return EXIT.done;
}

async function explain(context: Context, { args }: Invocation): Promise<ExitCode> {
  const client = await context.privilegedClient();
  const why = await client.explain(args[0] ?? '');
  if (context.options.json) {
    context.json({
      flow: why.flow, text: why.text, action: why.action, reason: why.reason, rule_id: why.rule_id, next_rule_id: why.next_rule_id,
    });
    return EXIT.done;
  }
  context.say(why.text);
  context.io.out(`\n${details([
    { name: 'Flow', value: why.flow },
    { name: 'Action', value: why.action, paint: actionPaint(context, why.action) },
    { name: 'Reason', value: why.reason },
    { name: 'Rule', value: why.rule_id },
    { name: 'Next would be', value: why.next_rule_id },
  ])}`);
  return EXIT.done;
}

export const activityVerbs: readonly Verb[] = [
  {
    name: 'history',
    about: 'List connections that were decided, the newest first',
    options: [
      { name: 'application', value: 'PATH', about: 'only of this program', kind: 'file' },
      { name: 'user', value: 'USER', about: 'only of this user (name or uid)', kind: 'user' },
      { name: 'limit', short: 'n', value: 'NUMBER', about: `so many rows; ${String(DEFAULT_ROWS)} if not given` },
    ],
    examples: ['history', 'history --application /usr/bin/curl --limit 20', 'history --json'],
    run: history,
  },
  {
    name: 'explain',
    about: 'Say why a connection was decided as it was',
    args: [{ name: 'flow', about: 'id of the flow, from history or monitor' }],
    examples: ['explain f7'],
    run: explain,
  },
];
