/** The whole command tree of bastionctl. */
import { EXIT } from '../contract/names.ts';
import { agentVerb } from './agent/verb.ts';
import { completionScript, IDS_COMMAND, SHELLS } from './completion.ts';
import { readAll } from './context.ts';
import type { Context } from './context.ts';
import type { ExitCode } from './errors.ts';
import { printable } from './text/escape.ts';
import type { Entry, Invocation, ProgramText, Verb } from './tree.ts';
import { activityVerbs } from './verbs/activity.ts';
import { applications } from './verbs/applications.ts';
import { doctorVerbs } from './verbs/doctor.ts';
import { history } from './verbs/history.ts';
import { learn } from './verbs/learn.ts';
import { modeVerbs } from './verbs/modes.ts';
import { monitor } from './verbs/monitor.ts';
import { network } from './verbs/network.ts';
import { oneOf } from './verbs/options.ts';
import { profile } from './verbs/profile.ts';
import { prompts } from './verbs/prompts.ts';
import { rescueVerb } from './verbs/rescue.ts';
import { rules } from './verbs/rules.ts';
import { status } from './verbs/status.ts';
import { VERSION } from './version.ts';

/** Somebody pressed Tab: no answer is better than a late one. */
const COMPLETION_TIMEOUT_MS = 1000;
const COMPLETION_ROWS = 1000;
const ID_KINDS = ['rules', 'prompts'] as const;

async function completion(context: Context, { args }: Invocation): Promise<ExitCode> {
  context.io.out(completionScript(oneOf('shell', args[0] ?? '', SHELLS), COMMANDS));
  return Promise.resolve(EXIT.done);
}

async function completionIds(context: Context, { args }: Invocation): Promise<ExitCode> {
  const kind = oneOf('kind', args[0] ?? '', ID_KINDS);
  const client = context.client(COMPLETION_TIMEOUT_MS);
  const rows = kind === 'rules'
    ? await readAll((limit, cursor) => client.listRules(limit, cursor), COMPLETION_ROWS)
    : await readAll((limit, cursor) => client.listPrompts(limit, cursor), COMPLETION_ROWS);
  context.io.out(rows.map((row) => `${printable(row.id)}\n`).join(''));
  return EXIT.done;
}

const hiddenVerbs: readonly Verb[] = [
  {
    name: 'completion', about: 'Print the completion script of a shell', hidden: true,
    args: [{ name: 'shell', about: 'which shell', choices: SHELLS }], run: completion,
  },
  {
    name: IDS_COMMAND, about: 'Print ids for completions', hidden: true,
    args: [{ name: 'kind', about: 'ids of what', choices: ID_KINDS }], run: completionIds,
  },
];

/** In the order of the help. */
export const COMMANDS: readonly Entry[] = [
  status, ...modeVerbs, rules, learn, profile, network, prompts, agentVerb, monitor, history, ...activityVerbs, applications, ...doctorVerbs, rescueVerb,
  ...hiddenVerbs,
];

export const PROGRAM_TEXT: ProgramText = {
  about: 'Bastion Firewall from a terminal: what it does, what it asks, and its rules.',
  version: VERSION,
  examples: [
    'status',
    'prompts answer p7 allow --lifetime always',
    'rules add allow --application /usr/bin/curl --port 443',
    'mode enforcing --confirm 60',
    'pause 30m',
  ],
  after: 'Exit codes: 0 done, 1 refused, 2 wrong usage, 3 not connected, 4 not authorized.\nMore: man bastionctl\n',
};
