/** The commands as data: one declaration makes the parser, the help, the completions and the list in the manual's test. */
import { Argument, Command, Option } from 'commander';
import type { Context } from './context.ts';
import { UsageError } from './errors.ts';
import type { ExitCode } from './errors.ts';

/** What a completion offers for a value. */
export type ValueKind = 'none' | 'file' | 'rule' | 'prompt' | 'user';

export interface ArgumentSpec {
  readonly name: string;
  readonly about: string;
  readonly optional?: boolean;
  /** Takes all that follow. */
  readonly variadic?: boolean;
  readonly choices?: readonly string[];
  readonly kind?: ValueKind;
}

export interface OptionSpec {
  /** Without dashes. */
  readonly name: string;
  readonly short?: string;
  /** Name of its value in the help; absent for a switch. */
  readonly value?: string;
  readonly about: string;
  readonly choices?: readonly string[];
  readonly kind?: ValueKind;
}

/** Values by option name; a switch that was given is `true`. */
export type OptionValues = Readonly<Record<string, string | true | undefined>>;

export interface Invocation {
  readonly args: readonly string[];
  readonly options: OptionValues;
}

export interface Verb {
  readonly name: string;
  readonly about: string;
  /** More than `about`: paragraphs for --help. */
  readonly text?: string;
  readonly args?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  /** Lines after `bastionctl `. */
  readonly examples?: readonly string[];
  /** For completions and the build, not for people. */
  readonly hidden?: boolean;
  run(context: Context, invocation: Invocation): Promise<ExitCode>;
}

/** A thing with verbs of its own; without one, the first of them runs, with its options. */
export interface Noun {
  readonly name: string;
  readonly about: string;
  readonly verbs: readonly [Verb, ...Verb[]];
}

export type Entry = Verb | Noun;

export function isNoun(entry: Entry): entry is Noun {
  return 'verbs' in entry;
}

/** Options that every command takes, before or after its name. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { name: 'json', about: 'print JSON with stable keys' },
  { name: 'bus', value: 'ADDRESS', about: 'D-Bus address instead of the system bus' },
  { name: 'host', short: 'H', value: '[USER@]HOST', about: 'the helper of another machine, over ssh' },
  { name: 'no-color', about: 'no colours' },
  { name: 'no-pager', about: 'do not page long output' },
  { name: 'no-ask-password', about: 'fail instead of asking for a password' },
];

/** Which command the parser found; `path` is `bastionctl rules add`. */
export interface Found {
  readonly path: string;
  readonly verb: Verb;
  readonly invocation: Invocation;
  readonly globals: OptionValues;
}

function argument(spec: ArgumentSpec): Argument {
  const text = spec.variadic === true ? `${spec.name}...` : spec.name;
  const made = new Argument(spec.optional === true ? `[${text}]` : `<${text}>`, spec.about);
  return spec.choices === undefined ? made : made.choices(spec.choices).argParser(choiceOf(spec.name, spec.choices));
}

/** Says what is wrong in our words; the library's name their parts as programmers do. */
function choiceOf(name: string, choices: readonly string[]): (text: string) => string {
  return (text) => {
    if (!choices.includes(text)) throw new UsageError(`${name}: '${text}' is not one of ${choices.join(', ')}`);
    return text;
  };
}

function option(spec: OptionSpec): Option {
  const flags = `${spec.short === undefined ? '' : `-${spec.short}, `}--${spec.name}${spec.value === undefined ? '' : ` <${spec.value}>`}`;
  const made = new Option(flags, spec.about);
  return spec.choices === undefined ? made : made.choices(spec.choices).argParser(choiceOf(`--${spec.name}`, spec.choices));
}

/** Values as they were given, by the names of the declaration: commander's camel case and `no-` logic stay in here. */
function valuesOf(command: Command, specs: readonly OptionSpec[]): OptionValues {
  const values: Record<string, string | true | undefined> = {};
  for (const spec of specs) {
    const attribute = option(spec).attributeName();
    const value: unknown = command.getOptionValue(attribute);
    if (spec.name.startsWith('no-')) values[spec.name] = value === false ? true : undefined;
    else if (typeof value === 'string' || value === true) values[spec.name] = value;
  }
  return values;
}

function examplesText(examples: readonly string[] | undefined): string {
  if (examples === undefined || examples.length === 0) return '';
  return `\nExamples:\n${examples.map((line) => `  bastionctl ${line}\n`).join('')}`;
}

/** What was given after a verb's name and was taken for the noun's, because the noun has the options of its first verb. */
function takenByNoun(parent: Command, own: readonly OptionSpec[], verb: Verb): OptionValues {
  const taken = valuesOf(parent, own);
  for (const [name, value] of Object.entries(taken)) {
    if (value === undefined || verb.options?.some((spec) => spec.name === name) === true) continue;
    throw new UsageError(`unknown option '--${name}'`);
  }
  return Object.fromEntries(Object.entries(taken).filter(([, value]) => value !== undefined));
}

function addVerb(
  parent: Command, verb: Verb, path: string, found: (what: Found) => void, root: Command, own: readonly OptionSpec[] = [],
): Command {
  const command = parent.command(verb.name, { hidden: verb.hidden === true })
    .summary(verb.about)
    .description(verb.text === undefined ? `${verb.about}.` : `${verb.about}.\n\n${verb.text}`)
    .addHelpText('after', examplesText(verb.examples));
  for (const spec of verb.args ?? []) command.addArgument(argument(spec));
  for (const spec of verb.options ?? []) command.addOption(option(spec));
  return command.action(() => found({
    path: `${path} ${verb.name}`,
    verb,
    invocation: { args: command.args, options: { ...valuesOf(command, verb.options ?? []), ...takenByNoun(parent, own, verb) } },
    globals: valuesOf(root, GLOBAL_OPTIONS),
  }));
}

function addNoun(root: Command, noun: Noun, found: (what: Found) => void): void {
  const command = root.command(noun.name)
    .summary(noun.about)
    .description(`${noun.about}. Without a command: ${noun.verbs[0].name}.`)
    .allowExcessArguments();
  const own = noun.verbs[0].options ?? [];
  for (const spec of own) command.addOption(option(spec));
  const path = `bastionctl ${noun.name}`;
  for (const verb of noun.verbs) addVerb(command, verb, path, found, root, own);
  const names = noun.verbs.map((verb) => verb.name);
  command.action(() => {
    if (command.args.length > 0) {
      throw new UsageError(`there is no '${noun.name} ${command.args[0] ?? ''}'; the commands are ${names.join(', ')}`);
    }
    found({
      path: `${path} ${noun.verbs[0].name}`,
      verb: noun.verbs[0],
      invocation: { args: [], options: valuesOf(command, own) },
      globals: valuesOf(root, GLOBAL_OPTIONS),
    });
  });
}

/** What the help says above the list of commands. */
export interface ProgramText {
  readonly about: string;
  readonly version: string;
  readonly examples: readonly string[];
  readonly after: string;
}

export interface ParserOutput {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** The whole parser; it calls `found` for the one command that the line names, and throws CommanderError for the rest. */
export function makeParser(
  entries: readonly Entry[], text: ProgramText, output: ParserOutput, found: (what: Found) => void,
): Command {
  const root = new Command('bastionctl')
    .description(text.about)
    .version(`bastionctl ${text.version}`, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .addHelpText('after', `${examplesText(text.examples)}\n${text.after}`)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: output.out, writeErr: output.err, outputError: () => undefined })
    .exitOverride()
    .showSuggestionAfterError();
  for (const spec of GLOBAL_OPTIONS) root.addOption(option(spec));
  for (const entry of entries) {
    if (isNoun(entry)) addNoun(root, entry, found);
    else addVerb(root, entry, 'bastionctl', found, root);
  }
  return root;
}
