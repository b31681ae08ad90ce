/** The options of `rules add` and `rules edit` as the wire wants them. */
import { access, constants, open, realpath } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import type { RuleEdit } from '../../contract/types.ts';
import { KERNEL_PATH, RULE_ACTIONS } from '../../contract/vocabulary.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../errors.ts';
import { parseLifetime } from '../text/duration.ts';
import type { ArgumentSpec, OptionSpec, OptionValues } from '../tree.ts';
import { numberOption, oneOf, textOption } from './options.ts';

const PRIORITY_LIMIT = 1000;

export const RULE_ACTION_ARGUMENT = {
  name: 'action', about: 'allow, deny (refuse at once), drop (refuse in silence) or ask', choices: RULE_ACTIONS,
} as const satisfies ArgumentSpec;

export const RULE_OPTIONS: readonly OptionSpec[] = [
  { name: 'application', value: 'PATH', about: "the program; 'kernel' is the kernel itself", kind: 'file' },
  { name: 'to', value: 'ADDRESS', about: 'address or prefix: 192.0.2.7, 2001:db8::/32' },
  { name: 'port', value: 'PORT', about: 'port, list or range: 443, 80,443, 8000-8080' },
  { name: 'protocol', value: 'PROTOCOL', about: 'tcp, udp, icmp or a number; several with commas' },
  { name: 'user', value: 'USER', about: 'only for this user', kind: 'user' },
  { name: 'lifetime', value: 'TIME', about: 'always, boot, a time like 1h, or a date' },
  { name: 'schedule', value: 'WHEN', about: 'days and hours: "mon,tue 09:00-17:30"' },
  { name: 'priority', value: 'NUMBER', about: '-1000 to 1000; higher goes first' },
  { name: 'group', value: 'NAME', about: 'group in lists' },
  { name: 'name', value: 'TEXT', about: 'name for people' },
  { name: 'id', value: 'ID', about: 'id instead of one that is made' },
];

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(() => true, () => false);
}

async function inPath(name: string, context: Context): Promise<string> {
  for (const folder of (context.io.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name);
    if (folder.startsWith('/') && await isExecutable(path)) return path;
  }
  throw new UsageError(`--application: there is no program '${name}' in PATH; give its whole path`);
}

/** Two bytes tell a script, whose connections are its interpreter's. */
async function isScript(path: string): Promise<boolean> {
  try {
    await using file = await open(path, 'r');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer.toString('latin1') === '#!';
  } catch {
    return false;
  }
}

/**
 * `kernel` as it is, else the absolute path that the kernel will report: links followed where the file is on this machine. Says on stderr what was
 * changed, and that a script's connections belong to its interpreter.
 */
async function applicationPath(context: Context, text: string): Promise<string> {
  if (text === '') throw new UsageError('--application: the path is empty');
  if (text === KERNEL_PATH) return text;
  if (context.options.host !== undefined) {
    if (!text.startsWith('/')) throw new UsageError('--application: with --host the whole path is needed');
    return text;
  }
  const path = text.includes('/') ? resolve(text) : await inPath(text, context);
  const real = await realpath(path).catch(() => null);
  if (real === null) {
    context.note(`Note: there is no ${path} now.`);
    return path;
  }
  if (real !== path) context.note(`Note: ${path} is ${real}; the rule names that.`);
  if (await isScript(real)) {
    context.note(`Note: ${real} is a script. Its connections are made by its interpreter, which this rule does not name.`);
  }
  return real;
}

function lifetimeEdit(context: Context, text: string): Pick<RuleEdit, 'lifetime' | 'until_ms'> {
  const parsed = parseLifetime(text, context.io.now());
  switch (parsed.lifetime) {
    case 'until': return { lifetime: 'until', until_ms: parsed.until_ms };
    case 'always':
    case 'boot': return { lifetime: parsed.lifetime };
    case 'once':
    case 'process':
    case 'session':
      throw new UsageError(
        `--lifetime: '${text}' belongs to an answer (bastionctl prompts answer); a rule holds always, until boot, or until a time`,
      );
  }
}

/** `any` and '' take a condition away. */
function condition(text: string): string {
  return text === 'any' ? '' : text;
}

async function common(context: Context, options: OptionValues): Promise<RuleEdit> {
  const text = (name: string): string | undefined => textOption(options, name);
  const application = text('application');
  const named = application !== undefined && application !== 'any';
  const path = named ? await applicationPath(context, application) : '';
  const [to, port, protocol, user, schedule, name, group, lifetime] =
    ['to', 'port', 'protocol', 'user', 'schedule', 'name', 'group', 'lifetime'].map(text);
  const priority = numberOption(options, 'priority', -PRIORITY_LIMIT, PRIORITY_LIMIT);
  return {
    ...(application === undefined ? {} : { path }),
    ...(to === undefined ? {} : { address: condition(to) }),
    ...(port === undefined ? {} : { port: condition(port) }),
    ...(protocol === undefined ? {} : { protocol: condition(protocol) }),
    ...(user === undefined ? {} : { user: condition(user) }),
    ...(schedule === undefined ? {} : { schedule: condition(schedule) }),
    ...(name === undefined ? {} : { name }),
    ...(group === undefined ? {} : { group }),
    ...(priority === undefined ? {} : { priority }),
    ...(lifetime === undefined ? {} : lifetimeEdit(context, lifetime)),
  };
}

/** Throws UsageError for what can be known to be wrong here; the helper checks everything again. */
export async function addEdit(context: Context, action: string, options: OptionValues): Promise<RuleEdit> {
  const id = textOption(options, 'id');
  const edit = await common(context, options);
  return { action: oneOf('action', action, RULE_ACTIONS), ...edit, ...(id === undefined ? {} : { id }) };
}

/** Only what is to change. */
export async function changeEdit(context: Context, options: OptionValues): Promise<RuleEdit> {
  const action = textOption(options, 'action');
  const edit = await common(context, options);
  return action === undefined ? edit : { action: oneOf('--action', action, RULE_ACTIONS), ...edit };
}
