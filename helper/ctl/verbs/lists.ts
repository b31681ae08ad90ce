/** rules lists: the lists of destinations that bastion.toml names. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { HelperClient } from '../../contract/client.ts';
import { EXIT } from '../../contract/names.ts';
import type { ListInfo } from '../../contract/types.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import { table } from '../text/table.ts';
import type { Column } from '../text/table.ts';
import type { Invocation, Verb } from '../tree.ts';

const UPDATE = 'update';
/** A signal can be lost with the connection. */
const LOOK_AGAIN_MS = 2000;
/** One request ends after five minutes, and they are made one after the other. */
const LONGEST_MS = 3_600_000;

/** JSON of a list; the keys are stable. */
function listJson(list: ListInfo): unknown {
  return {
    id: list.id, name: list.name, source: list.source, format: list.format, entries: list.entries, domains: list.domains,
    prefixes: list.prefixes, exceptions: list.exceptions, ignored: list.ignored, updated_ms: list.updated_ms, next_ms: list.next_ms,
    error: list.error, updating: list.updating, used_by: list.used_by,
  };
}

function stateText(list: ListInfo): string {
  if (list.updating) return 'updating';
  return list.error === '' ? 'ok' : list.error;
}

function columns(context: Context): readonly Column<ListInfo>[] {
  const { time, count } = context.format;
  const now = context.io.now();
  const at = (ms: number): string => (ms === 0 ? '' : time(ms, now));
  return [
    { title: 'ID', cell: (list) => list.id },
    { title: 'FORMAT', spare: 3, cell: (list) => list.format },
    { title: 'NAMES', cell: (list) => count(list.domains), right: true },
    { title: 'ADDRESSES', cell: (list) => count(list.prefixes), right: true },
    { title: 'EXCEPTIONS', spare: 5, cell: (list) => count(list.exceptions), right: true },
    { title: 'LEFT OUT', spare: 4, cell: (list) => count(list.ignored), right: true },
    { title: 'UPDATED', cell: (list) => at(list.updated_ms) },
    { title: 'NEXT', spare: 2, cell: (list) => at(list.next_ms) },
    { title: 'RULES', spare: 1, cell: (list) => list.used_by.join(', '), flexible: true },
    {
      title: 'STATE', cell: stateText, flexible: true,
      paint: (list) => (list.error === '' ? context.style.good : context.style.bad),
    },
  ];
}

async function show(context: Context, lists: readonly ListInfo[]): Promise<void> {
  if (context.options.json) context.json(lists.map(listJson));
  else if (lists.length === 0) context.say('bastion.toml names no lists. See bastion.toml(5), "Lists".');
  else await context.show(table(columns(context), lists, context.tableWidth, context.style.strong));
}

/** Reads the lists again with each change until none of `ids` is being updated. */
async function settled(client: HelperClient, ids: readonly string[]): Promise<readonly ListInfo[]> {
  const patience = AbortSignal.timeout(LONGEST_MS);
  for (;;) {
    let tell: () => void = () => undefined;
    const changed = new Promise<void>((resolve) => { tell = resolve; });
    const stop = client.on('rulesChanged', () => { tell(); });
    try {
      const lists = (await client.listLists()).filter(({ id }) => ids.length === 0 || ids.includes(id));
      if (patience.aborted || lists.every(({ updating }) => !updating)) return lists;
      await Promise.race([changed, sleep(LOOK_AGAIN_MS, undefined, { ref: false })]);
    } finally {
      stop();
    }
  }
}

async function update(context: Context, ids: readonly string[]): Promise<ExitCode> {
  const client = await context.privilegedClient();
  await client.updateLists(ids);
  const lists = await settled(client, ids);
  await show(context, lists);
  return lists.some(({ error }) => error !== '') ? EXIT.refused : EXIT.done;
}

async function lists(context: Context, { args }: Invocation): Promise<ExitCode> {
  const [verb, ...ids] = args;
  if (verb === UPDATE) return update(context, ids);
  if (verb !== undefined) throw new UsageError(`there is no 'rules lists ${verb}'; write: bastionctl rules lists ${UPDATE} [LIST...]`);
  await show(context, await context.client().listLists());
  return EXIT.done;
}

export const listsVerb: Verb = {
  name: 'lists',
  about: 'Show or update the lists that rules can name',
  text: 'Without an argument: every list, with what is in it, when it was updated and what went wrong. With update: fetches '
    + 'lists, or reads their files again, all of them or those that are named, and waits for the outcome. A list that cannot '
    + 'be read keeps what it said before; the status is then 1.',
  args: [
    { name: 'update', about: 'update instead of showing', optional: true, choices: [UPDATE] },
    { name: 'list', about: 'id of a list', optional: true, variadic: true },
  ],
  examples: ['rules lists', 'rules lists update', 'rules lists update ads'],
  run: lists,
};
