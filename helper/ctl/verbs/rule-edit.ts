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
  { name: 'package', value: 'NAME', about: 'programs of this package' },
  { name: 'flatpak', value: 'ID', about: 'this Flatpak application' },
  { name: 'snap', value: 'NAME', about: 'this snap' },
  { name: 'appimage', value: 'PATH', about: 'this AppImage', kind: 'file' },
  { name: 'script', value: 'PATH', about: 'this script, whichever interpreter runs it', kind: 'file' },
  { name: 'sha256', value: 'HASH', about: 'only with this SHA-256' },
  { name: 'container', value: 'NAME', about: 'this container of Docker or Podman, or web-* for several' },
  { name: 'pin', about: 'only while its file is the trusted one' },
  { name: 'include-children', about: 'also the programs that it starts' },
  { name: 'all-scripts', about: 'whatever script the interpreter runs' },
  { name: 'ancestor', value: 'PROGRAM', about: 'only if started by it: path:/usr/bin/make, package:NAME, ...' },
  { name: 'to', value: 'ADDRESS', about: 'address or prefix: 192.0.2.7, 2001:db8::/32' },
  { name: 'domain', value: 'NAME', about: 'example.org, or *.example.org for all below it' },
  { name: 'list', value: 'ID', about: 'destinations of this list' },
  { name: 'zone', value: 'NAME', about: 'only by an interface of this zone' },
  { name: 'interface', value: 'NAME', about: 'only by this interface: eth0, wg*' },
  { name: 'port', value: 'PORT', about: 'port, list or range: 443, 80,443, 8000-8080' },
  { name: 'protocol', value: 'PROTOCOL', about: 'tcp, udp, icmp or a number; several with commas' },
  { name: 'user', value: 'USER', about: 'only for this user', kind: 'user' },
  { name: 'lifetime', value: 'TIME', about: 'always, boot, a time like 1h, or a date' },
  { name: 'schedule', value: 'WHEN', about: 'days and hours: "mon,tue 09:00-17:30"' },
  { name: 'profile', value: 'ID', about: 'only in this profile' },
  { name: 'priority', value: 'NUMBER', about: '-1000 to 1000; higher goes first' },
  { name: 'group', value: 'NAME', about: 'group in lists' },
  { name: 'name', value: 'TEXT', about: 'name for people' },
  { name: 'id', value: 'ID', about: 'id instead of one that is made' },
];

const SWITCHES = [['pin', 'pin'], ['include-children', 'include_children'], ['all-scripts', 'all_scripts']] as const;

/** Options whose text goes to the helper as it is, but for `any`. */
const TEXTS = [
  'package', 'flatpak', 'snap', 'sha256', 'container', 'ancestor', 'domain', 'list', 'zone', 'interface', 'port', 'protocol', 'user', 'schedule',
  'profile',
] as const;

export const EDIT_OPTIONS: readonly OptionSpec[] = [
  ...RULE_OPTIONS.filter((one) => one.name !== 'id'),
  ...SWITCHES.map(([name]) => ({ name: `no-${name}`, about: `take --${name} away` })),
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
    context.note(`Note: ${real} is a script. Its connections are made by its interpreter, which this rule does not name; --script names it.`);
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

/** The absolute path of a script or an AppImage. */
function filePath(context: Context, option: string, text: string): string {
  if (text === 'any' || text === '') return '';
  if (context.options.host !== undefined && !text.startsWith('/')) throw new UsageError(`--${option}: with --host the whole path is needed`);
  return resolve(text);
}

async function common(context: Context, options: OptionValues): Promise<RuleEdit> {
  const edit: { -readonly [K in keyof RuleEdit]: RuleEdit[K] } = {};
  const application = textOption(options, 'application');
  if (application !== undefined) edit.path = application === 'any' ? '' : await applicationPath(context, application);
  for (const name of TEXTS) {
    const text = textOption(options, name);
    if (text !== undefined) edit[name] = condition(text);
  }
  for (const name of ['appimage', 'script'] as const) {
    const text = textOption(options, name);
    if (text !== undefined) edit[name] = filePath(context, name, text);
  }
  for (const [name, key] of SWITCHES) {
    if (options[name] === true) edit[key] = true;
    else if (options[`no-${name}`] === true) edit[key] = false;
  }
  const [to, name, group, lifetime] = ['to', 'name', 'group', 'lifetime'].map((one) => textOption(options, one));
  const priority = numberOption(options, 'priority', -PRIORITY_LIMIT, PRIORITY_LIMIT);
  if (to !== undefined) edit.address = condition(to);
  if (name !== undefined) edit.name = name;
  if (group !== undefined) edit.group = group;
  if (priority !== undefined) edit.priority = priority;
  return { ...edit, ...(lifetime === undefined ? {} : lifetimeEdit(context, lifetime)) };
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
