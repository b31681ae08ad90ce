/** `npm run lab -- [options] COMMAND...`: runs a command inside a fresh lab. Prints to standard error only. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { startDesktop } from './desktop.ts';
import { Lab } from './lab.ts';
import type { LabOptions } from './lab.ts';
import { endChild } from './process.ts';
import { insideUserNamespace, missingRights, reenter, userNamespaceWorks } from './user-namespace.ts';

const HELP = `Usage: npm run lab -- [OPTION...] COMMAND [ARGUMENT...]

Runs COMMAND in a network namespace of its own, guarded by the helper. The machine itself is not touched. At the other end
is a peer with TCP and UDP echo on port 7 and HTTP on port 80.

  --mode MODE        enforcing (default) or learning
  --default ACTION   what happens to a program without a rule: ask (default), deny, drop, allow
  --rules FILE       rules to start with (TOML)
  --as root          run COMMAND as root instead of an ordinary user
  --no-agent         start nothing that answers prompts
  --help             this help

COMMAND finds: BASTION_BUS, BASTION_CTL, BASTION_PEER4, BASTION_PEER6, BASTION_PEER_NS, BASTION_CLIENT_NS,
BASTION_CONFIG_DIR, BASTION_HELPER_PID. The exit status is COMMAND's, 128+n after signal n.
`;

/** As shells have it: the command line is wrong. */
const EXIT_USAGE = 2;
const EXIT_LAB_FAILED = 125;
const DESKTOP_GRACE_MS = 1000;
const PASSED_SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGQUIT'] as const;

const MODES = ['enforcing', 'learning'] as const;
const ACTIONS = ['ask', 'deny', 'drop', 'allow'] as const;

class UsageError extends Error {
  override readonly name = 'UsageError';
}

interface CommandLine {
  readonly lab: LabOptions;
  readonly as: 'user' | 'root';
  readonly agent: boolean;
  readonly command: readonly string[];
}

function oneOf<const V extends readonly string[]>(option: string, value: string, values: V): V[number] {
  const found = values.find((one) => one === value);
  if (found === undefined) throw new UsageError(`${option} is one of ${values.join(', ')}, not '${value}'`);
  return found;
}

function readRules(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error: unknown) {
    throw new UsageError(`--rules: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Options end at the first word that is none, or at `--`; what follows is the command, untouched. */
function parse(words: readonly string[]): CommandLine | 'help' {
  const rest = [...words];
  let lab: LabOptions = { handleSignals: false };
  let as: 'user' | 'root' = 'user';
  let agent = true;
  while (rest[0]?.startsWith('-') === true) {
    const word = rest.shift() ?? '';
    if (word === '--') break;
    const [option = '', ...joined] = word.split('=');
    const value = (): string => {
      const given = joined.length > 0 ? joined.join('=') : rest.shift();
      if (given === undefined) throw new UsageError(`${option} needs a value`);
      return given;
    };
    if (option === '--help' || option === '-h') return 'help';
    if (option === '--mode') lab = { ...lab, mode: oneOf(option, value(), MODES) };
    else if (option === '--default') lab = { ...lab, defaultAction: oneOf(option, value(), ACTIONS) };
    else if (option === '--rules') lab = { ...lab, rules: readRules(value()) };
    else if (option === '--as') as = oneOf(option, value(), ['user', 'root'] as const);
    else if (option === '--no-agent') agent = false;
    else throw new UsageError(`there is no option ${option}`);
  }
  if (rest.length === 0) throw new UsageError('COMMAND is missing');
  return { lab, as, agent, command: rest };
}

function say(line: string): void {
  process.stderr.write(`lab: ${line}\n`);
}

/** Exit status as a shell tells it. */
function statusOf(child: ChildProcess): number {
  return child.exitCode ?? 128 + (child.signalCode === null ? 0 : constants.signals[child.signalCode]);
}

/**
 * Passes signals to the command; the terminal's own Ctrl-C reaches it without us. `signalled` is the signal that came while
 * there was no command yet, which then is not started.
 */
function passSignals(child: () => ChildProcess | null): { readonly signalled: () => NodeJS.Signals | null } {
  let early: NodeJS.Signals | null = null;
  for (const signal of PASSED_SIGNALS) {
    process.on(signal, () => {
      const to = child();
      if (to === null) early ??= signal;
      const fromTerminal = process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT');
      if (!fromTerminal) to?.kill(signal);
    });
  }
  return { signalled: () => early };
}

async function runCommand(line: CommandLine): Promise<number> {
  let command: ChildProcess | null = null;
  const { signalled } = passSignals(() => command);
  const lab = await Lab.create(line.lab);
  let desktop: ChildProcess | null = null;
  try {
    for (const limit of lab.limits) say(limit);
    const signal = signalled();
    if (signal !== null) return 128 + constants.signals[signal];
    // Without a display nothing is started: an agent in the terminal would fight with COMMAND for it.
    if (line.agent) desktop = startDesktop(lab);
    command = lab.spawn(line.command, { as: line.as, stdio: 'inherit', cwd: process.cwd() });
    if (command.exitCode === null && command.signalCode === null) await once(command, 'exit');
    return statusOf(command);
  } finally {
    if (desktop !== null) await endChild(desktop, DESKTOP_GRACE_MS);
    await lab.dispose();
  }
}

/** Where this process may not make namespaces, the same command line runs again in a user namespace. */
async function runAgain(missing: string): Promise<number> {
  if (insideUserNamespace() || !userNamespaceWorks()) {
    say(`network namespaces cannot be made here (${missing}), and user namespaces neither. Run it as root.`);
    return EXIT_LAB_FAILED;
  }
  say(`working in a user namespace (${missing.slice(0, 200)})`);
  const child = reenter(fileURLToPath(import.meta.url), process.argv.slice(2));
  passSignals(() => child);
  await once(child, 'exit');
  return statusOf(child);
}

async function main(): Promise<number> {
  const line = parse(process.argv.slice(2));
  if (line === 'help') {
    process.stderr.write(HELP);
    return 0;
  }
  const missing = missingRights();
  return missing === null ? runCommand(line) : runAgain(missing);
}

try {
  process.exitCode = await main();
} catch (error: unknown) {
  const usage = error instanceof UsageError;
  say(error instanceof Error ? error.message : String(error));
  if (usage) process.stderr.write('Try: npm run lab -- --help\n');
  process.exitCode = usage ? EXIT_USAGE : EXIT_LAB_FAILED;
}
