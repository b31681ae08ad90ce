/** profile: which rules count in which network. */
import { EXIT } from '../../contract/names.ts';
import type { ProfileInfo } from '../../contract/types.ts';
import type { Context } from '../context.ts';
import type { ExitCode } from '../errors.ts';
import { table } from '../text/table.ts';
import type { Column } from '../text/table.ts';
import type { Invocation, Noun } from '../tree.ts';

/** JSON of a row; the keys are stable. */
function profileJson({ id, name, active, chosen, recognized, is_default, has_network }: ProfileInfo): unknown {
  return { id, name, active, chosen, recognized, is_default, has_network };
}

/** Why it is active, or when it would be. */
function reason({ active, chosen, recognized, is_default: isDefault, has_network: hasNetwork }: ProfileInfo): string {
  if (chosen) return 'chosen by hand';
  if (recognized) return active ? 'this is its network' : 'this is its network, but another one was chosen or goes first';
  if (isDefault) return active ? 'no network was recognized' : 'where no network is recognized';
  return hasNetwork ? 'in its network' : 'when it is chosen by hand';
}

const COLUMNS: readonly Column<ProfileInfo>[] = [
  { title: 'ACTIVE', cell: ({ active }) => (active ? 'yes' : '') },
  { title: 'PROFILE', cell: ({ id }) => id },
  { title: 'NAME', cell: ({ name }) => name, flexible: true },
  { title: 'WHY', cell: reason, flexible: true },
];

async function list(context: Context): Promise<ExitCode> {
  const rows = await context.client().profiles();
  if (context.options.json) context.json(rows.map(profileJson));
  else if (rows.length === 0) context.say('There are no profiles. Write a [[profile]] into bastion.toml; see bastion.toml(5).');
  else await context.show(table(COLUMNS, rows, context.tableWidth, context.style.strong));
  return EXIT.done;
}

async function set(context: Context, { args }: Invocation): Promise<ExitCode> {
  const id = args[0] ?? '';
  const client = await context.privilegedClient();
  await client.setProfile(id);
  context.result({ profile: id }, `Profile ${id} is active until the machine restarts, or until you say: bastionctl profile auto`);
  return EXIT.done;
}

async function auto(context: Context): Promise<ExitCode> {
  const client = await context.privilegedClient();
  await client.setProfile('');
  const active = (await client.profiles()).find((one) => one.active)?.id ?? '';
  context.result({ profile: active }, active === '' ? 'The network decides. No profile is active now.' : `The network decides. Profile ${active} is active now.`);
  return EXIT.done;
}

export const profile: Noun = {
  name: 'profile',
  about: 'Which rules count in which network',
  verbs: [
    { name: 'list', about: 'List the profiles, and which one is active', examples: ['profile', 'profile list --json'], run: list },
    {
      name: 'set', about: 'Make a profile the active one, until the machine restarts',
      args: [{ name: 'id', about: 'id of a [[profile]] of bastion.toml' }], examples: ['profile set travel'], run: set,
    },
    { name: 'auto', about: 'Go by the network again', examples: ['profile auto'], run: auto },
  ],
};
