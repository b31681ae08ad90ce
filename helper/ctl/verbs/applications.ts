/** applications: what each program sent and received, and whether its file is as it was. */
import { APPLICATION_STATES } from '../../contract/types.ts';
import type { ApplicationInfo, TotalsInfo } from '../../contract/types.ts';
import { EXIT } from '../../contract/names.ts';
import { readAll } from '../context.ts';
import type { Context } from '../context.ts';
import type { ExitCode } from '../errors.ts';
import type { Paint } from '../text/format.ts';
import { details, table } from '../text/table.ts';
import type { Column } from '../text/table.ts';
import type { Invocation, Noun } from '../tree.ts';
import { applicationNamed, knownApplications } from './application-lookup.ts';
import { numberOption, oneOf, textOption } from './options.ts';
import { rehashVerb } from './rehash.ts';

const MOST_ROWS = 500;
/** In the place of a user who is not one, as in TotalsInfo. */
const NO_UID = 0xffff_ffff;

/** A program of one user with its traffic, and what is known of its file. */
interface Row {
  readonly totals: TotalsInfo;
  readonly application: ApplicationInfo | undefined;
}

/** JSON of a row; the keys are stable. What is known of the file is left out where nothing is. */
function rowJson({ totals: row, application: known }: Row): unknown {
  return {
    application: row.application, path: row.path, uid: row.uid, user: row.user, sent_bytes: row.sent_bytes,
    sent_packets: row.sent_packets, received_bytes: row.received_bytes, received_packets: row.received_packets,
    ...(row.others === undefined ? {} : { others: row.others }),
    ...(known === undefined ? {} : {
      id: known.id, kind: known.kind, state: known.state, reason: known.reason, trusted: known.trusted, rules: known.rules,
      package: known.package, sha256: known.sha256, known_sha256: known.known_sha256, first_seen_ms: known.first_seen_ms,
      last_seen_ms: known.last_seen_ms, allowed: known.allowed, refused: known.refused,
    }),
  };
}

function reasonWords(reason: string): string {
  switch (reason) {
    case 'package': return 'as installed';
    case 'trusted': return 'trusted';
    case 'accepted': return 'accepted';
    default: return 'as first seen';
  }
}

/** The state of a file in words. */
export function stateWords({ state, reason }: Pick<ApplicationInfo, 'state' | 'reason'>): string {
  switch (state) {
    case 'valid': return reasonWords(reason);
    case 'changed': return 'changed';
    case 'missing': return 'missing';
    case 'unknown': return 'not checked';
  }
}

function statePaint(context: Context, state: ApplicationInfo['state']): Paint {
  switch (state) {
    case 'valid': return context.style.good;
    case 'changed': return context.style.bad;
    case 'missing':
    case 'unknown': return context.style.faint;
  }
}

function columns(context: Context): readonly Column<Row>[] {
  const { format } = context;
  return [
    {
      title: 'APPLICATION', flexible: true,
      cell: ({ totals }) => (totals.others === undefined ? totals.application : `${totals.application} (${format.count(totals.others)})`),
    },
    {
      title: 'FILE', cell: ({ application }) => (application === undefined ? '' : stateWords(application)),
      paint: ({ application }) => statePaint(context, application?.state ?? 'unknown'),
    },
    { title: 'USER', cell: ({ totals }) => totals.user },
    { title: 'SENT', cell: ({ totals }) => format.size(totals.sent_bytes), right: true },
    { title: 'RECEIVED', cell: ({ totals }) => format.size(totals.received_bytes), right: true },
    { title: 'PACKETS SENT', spare: 2, cell: ({ totals }) => format.count(totals.sent_packets), right: true },
    { title: 'PACKETS RECEIVED', spare: 2, cell: ({ totals }) => format.count(totals.received_packets), right: true },
    { title: 'PATH', spare: 1, cell: ({ totals }) => totals.path, flexible: true },
  ];
}

function silent(application: ApplicationInfo): Row {
  const totals = {
    application: application.name, path: application.path, uid: NO_UID, user: '', sent_bytes: 0, sent_packets: 0, received_bytes: 0,
    received_packets: 0,
  };
  return { totals, application };
}

/** Each program and user with traffic, the most first; then the programs without any. */
function joined(totals: readonly TotalsInfo[], known: readonly ApplicationInfo[]): readonly Row[] {
  const byPath = new Map(known.filter(({ path }) => path !== '').map((one) => [one.path, one]));
  const rows = totals.map((one) => ({ totals: one, application: one.path === '' ? undefined : byPath.get(one.path) }));
  const shown = new Set(rows.map(({ application }) => application));
  return [...rows, ...known.filter((one) => !shown.has(one)).map(silent)];
}

async function list(context: Context, { options }: Invocation): Promise<ExitCode> {
  const limit = numberOption(options, 'limit', 1, MOST_ROWS) ?? MOST_ROWS;
  const given = textOption(options, 'state');
  const state = given === undefined ? undefined : oneOf('--state', given, APPLICATION_STATES);
  const client = context.client();
  const filter = state === undefined ? {} : { state };
  const known = await readAll((count, cursor) => client.listApplications(filter, count, cursor));
  const all = joined(await client.totals(), known);
  const rows = (state === undefined ? all : all.filter(({ application }) => application !== undefined)).slice(0, limit);
  if (context.options.json) context.json(rows.map(rowJson));
  else if (rows.length > 0) await context.show(table(columns(context), rows, context.tableWidth, context.style.strong));
  else context.say(state === undefined ? 'No program sent or received anything yet.' : 'There is no such application.');
  return EXIT.done;
}

function kindWords({ kind, interpreter }: ApplicationInfo): string {
  switch (kind) {
    case 'program': return '';
    case 'script': return `script, run by ${interpreter}`;
    case 'appimage': return 'AppImage';
    case 'flatpak': return 'Flatpak';
    case 'snap': return 'Snap';
    case 'package': return 'distribution package';
  }
}

async function show(context: Context, { args }: Invocation): Promise<ExitCode> {
  const one = applicationNamed(await knownApplications(context.client()), args[0] ?? '');
  if (context.options.json) {
    context.json(one);
    return EXIT.done;
  }
  const { count, size, time } = context.format;
  const when = (ms: number): string => (ms === 0 ? '' : time(ms, context.io.now()));
  const change = one.changed_ms === undefined ? ''
    : `${when(one.changed_ms)}, ${one.changed_by === 'package' ? 'by an update of its package' : 'accepted by hand'}; before: ${one.changed_from ?? ''}`;
  context.io.out(details([
    { name: 'Application', value: one.name },
    { name: 'Id', value: one.id },
    { name: 'Kind', value: kindWords(one) },
    { name: 'Path', value: one.path },
    { name: 'Package', value: one.package },
    { name: 'Flatpak', value: one.flatpak },
    { name: 'Snap', value: one.snap },
    { name: 'File', value: stateWords(one), paint: statePaint(context, one.state) },
    { name: 'SHA-256', value: one.sha256 },
    { name: 'Known SHA-256', value: one.known_sha256 === one.sha256 ? '' : one.known_sha256 },
    { name: 'Last change', value: change },
    { name: 'Rules', value: count(one.rules) },
    { name: 'First seen', value: when(one.first_seen_ms) },
    { name: 'Last seen', value: when(one.last_seen_ms) },
    { name: 'Connections', value: `${count(one.allowed)} allowed, ${count(one.refused)} refused` },
    { name: 'Traffic', value: `${size(one.sent_bytes)} sent, ${size(one.received_bytes)} received` },
  ]));
  if (one.state === 'changed') context.say('\nRules that allow it wait until its file is accepted: bastionctl applications rehash');
  return EXIT.done;
}

export const applications: Noun = {
  name: 'applications',
  about: 'What each program sent and received, and whether its file is as it was',
  verbs: [
    {
      name: 'list',
      about: 'List what each program sent and received, the most bytes first, and whether its file is as it was',
      text: 'Since the helper started. Programs that have a rule or spoke before are listed too.',
      options: [
        { name: 'limit', short: 'n', value: 'NUMBER', about: `so many rows; ${String(MOST_ROWS)} if not given, which is the most` },
        { name: 'state', value: 'STATE', about: 'only those whose file is so', choices: APPLICATION_STATES },
      ],
      examples: ['applications', 'applications --limit 10', 'applications list --state changed', 'applications --json'],
      run: list,
    },
    {
      name: 'show',
      about: 'Show all that is known of one program',
      args: [{ name: 'application', about: 'its id, or the path of its file', kind: 'file' }],
      examples: ['applications show /usr/bin/curl'],
      run: show,
    },
    rehashVerb,
  ],
};
