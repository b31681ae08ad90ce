/** prompts: what waits for an answer, and answering it. */
import type { HelperClient } from '../../contract/client.ts';
import { DISMISS_LIMIT } from '../../contract/types.ts';
import type { Answer, PromptInfo } from '../../contract/types.ts';
import { EXIT } from '../../contract/names.ts';
import { BastionError } from '../../contract/errors.ts';
import { SCOPES } from '../../contract/vocabulary.ts';
import { readAll } from '../context.ts';
import type { Context } from '../context.ts';
import { offersChildren } from '../agent/model.ts';
import { UsageError } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import { parseLifetime } from '../text/duration.ts';
import { table } from '../text/table.ts';
import type { Column } from '../text/table.ts';
import { answerSentence } from '../text/words.ts';
import type { Invocation, Noun, OptionValues } from '../tree.ts';
import { uidText } from './monitor.ts';
import { oneOf, textOption } from './options.ts';

const ANSWERS = ['allow', 'deny', 'drop'] as const;

/** What is known of the program; '' and false where it is not. */
function programJson(prompt: PromptInfo): object {
  return {
    path: prompt.path, confidence: prompt.confidence, package: prompt.package ?? '', flatpak: prompt.flatpak ?? '', snap: prompt.snap ?? '',
    appimage: prompt.appimage ?? '', interpreter: prompt.interpreter ?? false, script: prompt.script ?? '',
    script_evidence: prompt.script_evidence ?? '', sha256: prompt.sha256 ?? '', integrity: prompt.integrity ?? '', trusted: prompt.trusted ?? false,
    named_by: prompt.named_by ?? '', container: prompt.container ?? '', image: prompt.image ?? '',
    ancestors: prompt.ancestors.map(({ pid, path, command, script = '' }) => ({ pid, path, command, script })),
  };
}

/** JSON of a prompt: these keys, relied on from outside. `expires_in_ms` is 0 for one that has expired. */
export function promptJson(prompt: PromptInfo): unknown {
  return {
    id: prompt.id,
    application: prompt.application,
    destination: prompt.destination,
    address: prompt.address,
    port: prompt.port,
    protocol: prompt.protocol,
    uid: prompt.uid,
    count: prompt.count,
    expires_in_ms: prompt.expires_in_ms,
    ...programJson(prompt),
  };
}

function columns(context: Context): readonly Column<PromptInfo>[] {
  return [
    { title: 'ID', cell: (prompt) => prompt.id },
    { title: 'APPLICATION', cell: (prompt) => prompt.application, flexible: true },
    { title: 'DESTINATION', cell: (prompt) => prompt.destination, flexible: true },
    { title: 'ADDRESS', spare: 4, cell: (prompt) => prompt.address, flexible: true },
    { title: 'PORT', cell: (prompt) => (prompt.port === 0 ? '' : String(prompt.port)), right: true },
    { title: 'PROTOCOL', spare: 5, cell: (prompt) => prompt.protocol },
    { title: 'USER', spare: 3, cell: (prompt) => prompt.user || uidText(prompt.uid) },
    { title: 'COUNT', spare: 2, cell: (prompt) => context.format.count(prompt.count), right: true },
    {
      title: 'EXPIRES',
      cell: (prompt) => (prompt.status === 'expired' ? 'expired' : context.format.span(prompt.expires_in_ms)),
      paint: (prompt) => (prompt.status === 'expired' ? context.style.faint : context.style.warn),
    },
  ];
}

async function list(context: Context, { options }: Invocation): Promise<ExitCode> {
  const client = context.client();
  const every = await readAll((limit, cursor) => client.listPrompts(limit, cursor));
  const shown = options['all'] === true ? every : every.filter((prompt) => prompt.status === 'pending');
  if (context.options.json) {
    context.json(shown.map(promptJson));
    return EXIT.done;
  }
  const hidden = every.length - shown.length;
  if (shown.length === 0) context.say('No prompt waits.');
  else await context.show(table(columns(context), shown, context.tableWidth, context.style.strong));
  if (hidden > 0) {
    context.note(`${String(hidden)} expired, still to be answered for the next attempt: bastionctl prompts list --all`);
  }
  return EXIT.done;
}

async function findPrompt(client: HelperClient, id: string): Promise<PromptInfo> {
  const found = (await readAll((limit, cursor) => client.listPrompts(limit, cursor))).find((prompt) => prompt.id === id);
  if (found === undefined) throw noPrompt(id);
  return found;
}

function noPrompt(id: string): BastionError {
  return new BastionError('NotFound', `There is no prompt '${id}'; it may have been answered already.`);
}

/**
 * The lifetime of an answer that names none: what the helper proposes if this caller may choose it without a password, else
 * the longest that he may.
 */
function freeLifetime(prompt: PromptInfo): string {
  const root = process.getuid?.() === 0;
  if (root || prompt.lifetimes.includes(prompt.default_lifetime)) return prompt.default_lifetime;
  return prompt.lifetimes.at(-1) ?? 'once';
}

/** The answer that the options and the prompt's proposals make together. Throws UsageError. */
export function answerFor(prompt: PromptInfo, action: Answer['action'], options: OptionValues, nowMs: number): Answer {
  const scopeText = textOption(options, 'scope');
  const scope = scopeText === undefined ? prompt.default_scope : oneOf('--scope', scopeText, SCOPES);
  if (scopeText !== undefined && !prompt.scopes.includes(scope)) {
    throw new UsageError(`--scope: this prompt can be answered for ${prompt.scopes.join(', ')}`);
  }
  const answer: Answer = { action, scope, ...parseLifetime(textOption(options, 'lifetime') ?? freeLifetime(prompt), nowMs) };
  if (options['children'] !== true) return answer;
  if (!offersChildren(prompt, answer.lifetime ?? '')) {
    const why = prompt.named_by === undefined || prompt.named_by === 'container' ? 'this program could not be named by a rule' : `not with the lifetime ${answer.lifetime ?? ''}, which is for this process alone`;
    throw new UsageError(`--children: ${why}`);
  }
  return { ...answer, include_children: true };
}

async function answer(context: Context, { args, options }: Invocation): Promise<ExitCode> {
  const action = oneOf('answer', args[1] ?? '', ANSWERS);
  // Wrong options are told before anything is asked of the helper.
  const lifetime = textOption(options, 'lifetime');
  if (lifetime !== undefined) parseLifetime(lifetime, context.io.now());
  const client = await context.privilegedClient();
  const prompt = await findPrompt(client, args[0] ?? '');
  const wanted = answerFor(prompt, action, options, context.io.now());
  const { rule_id, flows } = await client.answer(prompt.nonce, wanted);
  if (context.options.json) {
    context.json({ rule_id, flows });
    return EXIT.done;
  }
  context.say(answerSentence(prompt, action, wanted.scope ?? prompt.default_scope, lifetimeName(wanted, lifetime), wanted.include_children));
  if (rule_id !== '') context.say(`Rule ${rule_id} says so; take it back with: bastionctl rules remove ${rule_id}`);
  if (prompt.status === 'expired' && action === 'allow') {
    context.say(`Its connection had been refused already: try again in ${prompt.application}.`);
  }
  return EXIT.done;
}

function lifetimeName(wanted: Answer, text: string | undefined): string {
  return wanted.lifetime === 'until' ? text ?? 'a while' : wanted.lifetime ?? 'once';
}

/** What still waits is not dismissed: it runs out of time by itself, or is answered. */
async function dismiss(context: Context, { args, options }: Invocation): Promise<ExitCode> {
  const all = options['all'] === true;
  if (all === args.length > 0) throw new UsageError('name the prompts, or give --all for every expired one');
  const client = await context.privilegedClient();
  const every = await readAll((limit, cursor) => client.listPrompts(limit, cursor));
  const wanted = all ? every.filter(({ status }) => status === 'expired') : args.map((id) => expiredOf(every, id));
  let dismissed = 0;
  for (let from = 0; from < wanted.length; from += DISMISS_LIMIT) {
    dismissed += await client.dismissPrompts(wanted.slice(from, from + DISMISS_LIMIT).map(({ nonce }) => nonce));
  }
  const count = dismissed === 1 ? '1 prompt' : `${context.format.count(dismissed)} prompts`;
  context.result({ dismissed }, dismissed === 0 ? 'Nothing was there to be dismissed.' : `Dismissed ${count}; nothing was answered.`);
  return EXIT.done;
}

function expiredOf(every: readonly PromptInfo[], id: string): PromptInfo {
  const found = every.find((prompt) => prompt.id === id);
  if (found === undefined) throw noPrompt(id);
  if (found.status !== 'expired') throw new UsageError(`the prompt '${id}' still waits; answer it with: bastionctl prompts answer ${id} deny`);
  return found;
}

export const prompts: Noun = {
  name: 'prompts',
  about: 'List, answer and dismiss what waits',
  verbs: [
    {
      name: 'list',
      about: 'List the prompts that wait',
      options: [{ name: 'all', about: 'also those that expired and can be answered for the next attempt' }],
      examples: ['prompts', 'prompts list --json'],
      run: list,
    },
    {
      name: 'answer',
      about: 'Answer a prompt',
      text: 'Without --lifetime the answer holds as long as the helper proposes and you may choose without a password. '
        + 'deny refuses at once, drop in silence.',
      args: [
        { name: 'id', about: 'id of the prompt', kind: 'prompt' },
        { name: 'answer', about: 'what to do', choices: ANSWERS },
      ],
      options: [
        { name: 'lifetime', value: 'TIME', about: 'once, process, session, boot, always, a time like 1h, or a date' },
        { name: 'scope', value: 'SCOPE', about: 'how wide it reaches', choices: SCOPES },
        { name: 'children', about: 'also for programs that it starts; not with once and process' },
      ],
      examples: [
        'prompts answer p7 allow',
        'prompts answer p7 allow --lifetime always --scope port',
        'prompts answer p7 deny --lifetime 1h',
        'prompts answer p7 allow --lifetime always --children',
      ],
      run: answer,
    },
    {
      name: 'dismiss',
      about: 'Take expired prompts out of the inbox without an answer',
      text: 'It decides nothing: the program is asked about again at its next attempt.',
      args: [{ name: 'id', about: 'id of the prompt', optional: true, variadic: true, kind: 'prompt' }],
      options: [{ name: 'all', about: 'every expired one' }],
      examples: ['prompts dismiss p7', 'prompts dismiss --all'],
      run: dismiss,
    },
  ],
};
