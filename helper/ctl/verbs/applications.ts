/** applications: what each program sent and received. */
import type { TotalsInfo } from '../../contract/types.ts';
import { EXIT } from '../../contract/names.ts';
import type { Context } from '../context.ts';
import type { ExitCode } from '../errors.ts';
import { table } from '../text/table.ts';
import type { Column } from '../text/table.ts';
import type { Invocation, Verb } from '../tree.ts';
import { numberOption } from './options.ts';

const MOST_ROWS = 500;

/** JSON of a row; the keys are stable. */
function totalsJson(row: TotalsInfo): unknown {
  return {
    application: row.application, path: row.path, uid: row.uid, user: row.user, sent_bytes: row.sent_bytes,
    sent_packets: row.sent_packets, received_bytes: row.received_bytes, received_packets: row.received_packets,
    ...(row.others === undefined ? {} : { others: row.others }),
  };
}

function columns({ format }: Context): readonly Column<TotalsInfo>[] {
  return [
    {
      title: 'APPLICATION', flexible: true,
      cell: (row) => (row.others === undefined ? row.application : `${row.application} (${format.count(row.others)})`),
    },
    { title: 'USER', cell: (row) => row.user },
    { title: 'SENT', cell: (row) => format.size(row.sent_bytes), right: true },
    { title: 'RECEIVED', cell: (row) => format.size(row.received_bytes), right: true },
    { title: 'PACKETS SENT', spare: 2, cell: (row) => format.count(row.sent_packets), right: true },
    { title: 'PACKETS RECEIVED', spare: 2, cell: (row) => format.count(row.received_packets), right: true },
    { title: 'PATH', spare: 1, cell: (row) => row.path, flexible: true },
  ];
}

async function run(context: Context, { options }: Invocation): Promise<ExitCode> {
  const limit = numberOption(options, 'limit', 1, MOST_ROWS) ?? MOST_ROWS;
  const rows = (await context.client().totals()).slice(0, limit);
  if (context.options.json) context.json(rows.map(totalsJson));
  else if (rows.length === 0) context.say('No program sent or received anything yet.');
  else await context.show(table(columns(context), rows, context.tableWidth, context.style.strong));
  return EXIT.done;
}

export const applications: Verb = {
  name: 'applications',
  about: 'List what each program sent and received, the most bytes first',
  text: 'Since the helper started.',
  options: [
    { name: 'limit', short: 'n', value: 'NUMBER', about: `so many rows; ${String(MOST_ROWS)} if not given, which is the most` },
  ],
  examples: ['applications', 'applications --limit 10', 'applications --json'],
  run,
};
