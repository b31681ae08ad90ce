/** One run of bastionctl: the command line in, an exit code out. */
import { CommanderError } from 'commander';
import { EXIT } from '../contract/names.ts';
import { Context } from './context.ts';
import type { Connect, GlobalOptions } from './context.ts';
import { describeFailure, UsageError } from './errors.ts';
import type { ExitCode } from './errors.ts';
import type { Io } from './io.ts';
import { printable, shellWord } from './text/escape.ts';
import { makeStyle } from './text/format.ts';
import { makeParser } from './tree.ts';
import type { Found, OptionValues } from './tree.ts';
import { COMMANDS, PROGRAM_TEXT } from './commands.ts';

/** Help and version are no failures; commander tells them by throwing. */
const ANSWERED = new Set(['commander.helpDisplayed', 'commander.version', 'commander.help']);

function globalOptions(values: OptionValues): GlobalOptions {
  const { bus, host } = values;
  if (bus !== undefined && host !== undefined) throw new UsageError('--bus and --host exclude each other');
  return {
    json: values['json'] === true,
    color: values['no-color'] !== true,
    pager: values['no-pager'] !== true,
    askPassword: values['no-ask-password'] !== true,
    bus: typeof bus === 'string' ? bus : undefined,
    host: typeof host === 'string' ? host : undefined,
  };
}

interface Parsed {
  readonly found: Found | null;
  /** Help text or version, to be written to stdout. */
  readonly answer: string;
}

/** Throws UsageError for a line that names no command. */
function parse(args: readonly string[]): Parsed {
  let found: Found | null = null;
  let answer = '';
  const parser = makeParser(COMMANDS, PROGRAM_TEXT, {
    out: (text) => void (answer += text),
    err: (text) => void (answer += text),
  }, (what) => {
    found = what;
  });
  try {
    if (args.length === 0) {
      parser.outputHelp();
      return { found, answer };
    }
    parser.parse(args, { from: 'user' });
  } catch (error: unknown) {
    if (!(error instanceof CommanderError)) throw error;
    if (!ANSWERED.has(error.code)) throw new UsageError(error.message.replace(/^error: /, '').replaceAll('\n', ' '), { cause: error });
  }
  return { found, answer };
}

/** The command named by the first words, for the advice after a line that could not be parsed. */
function commandPath(args: readonly string[]): string {
  const entry = COMMANDS.find((one) => one.name === args[0]);
  if (entry === undefined) return 'bastionctl';
  const verb = 'verbs' in entry ? entry.verbs.find((one) => one.name === args[1]) : undefined;
  return verb === undefined ? `bastionctl ${entry.name}` : `bastionctl ${entry.name} ${verb.name}`;
}

/**
 * Parses and runs; every failure becomes a message on stderr with the next command to try, and an exit code. Never rejects.
 * stdout holds the whole answer or, when the command fails, nothing of it.
 */
export async function run(args: readonly string[], io: Io, connect: Connect): Promise<ExitCode> {
  let context: Context | null = null;
  let path = commandPath(args);
  let elsewhere = false;
  try {
    const { found, answer } = parse(args);
    if (found === null) {
      if (args.length > 0) io.out(answer);
      else io.err(answer);
      return args.length > 0 ? EXIT.done : EXIT.usage;
    }
    path = found.path;
    const options = globalOptions(found.globals);
    elsewhere = options.bus !== undefined || options.host !== undefined;
    context = new Context(io, options, connect);
    return await found.verb.run(context, found.invocation);
  } catch (error: unknown) {
    const line = ['bastionctl', ...args].map(shellWord).join(' ');
    const failure = describeFailure(error, { path, line, unprivileged: process.getuid?.() !== 0, elsewhere });
    const style = makeStyle(io.stderrIsTerminal && !io.env['NO_COLOR'] && !args.includes('--no-color'));
    io.err(`${style.bad('bastionctl:')} ${printable(failure.message)}\n`);
    if (failure.next !== '') io.err(`Try: ${failure.next}\n`);
    return failure.exitCode;
  } finally {
    context?.close();
  }
}
