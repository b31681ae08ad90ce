/** mode, trial, pause, resume, off, reload, log-level: what the helper is told as a whole. */
import { EXIT } from '../../contract/names.ts';
import { MODES } from '../../contract/vocabulary.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import { requireDurationMs } from '../text/duration.ts';
import type { Invocation, Verb } from '../tree.ts';
import { oneOf, textOption } from './options.ts';
import { loadErrorLine } from './status.ts';
import { modeSentence, trialMs, trialVerb, tryMode } from './trial.ts';

const PAUSE_LIMITS_MS = { low: 1000, high: 86_400_000 } as const;
const DEFAULT_PAUSE = '5m';
const LOG_LEVELS = ['error', 'warning', 'info', 'debug'] as const;

async function mode(context: Context, { args, options }: Invocation): Promise<ExitCode> {
  const confirm = textOption(options, 'confirm');
  if (args[0] === undefined) {
    if (confirm !== undefined) throw new UsageError('--confirm needs a mode: learning or enforcing');
    const client = context.client();
    const { mode: current } = await client.status();
    context.result({ mode: current }, current);
    return EXIT.done;
  }
  const wanted = oneOf('mode', args[0], MODES);
  if (confirm !== undefined) return tryMode(context, wanted, trialMs('--confirm', confirm));
  const client = await context.privilegedClient();
  await client.setMode(wanted);
  context.result({ mode: wanted }, modeSentence(wanted));
  return EXIT.done;
}

async function pause(context: Context, { args }: Invocation): Promise<ExitCode> {
  const ms = requireDurationMs('pause', args[0] ?? DEFAULT_PAUSE, PAUSE_LIMITS_MS.low, PAUSE_LIMITS_MS.high);
  const seconds = Math.round(ms / 1000);
  const client = await context.privilegedClient();
  await client.pause(seconds);
  const untilMs = context.io.now() + seconds * 1000;
  context.result(
    { paused_until_ms: untilMs },
    `Paused for ${context.format.span(ms)}: everything may connect, except what a rule denies. Back before: bastionctl resume`,
  );
  return EXIT.done;
}

async function resume(context: Context): Promise<ExitCode> {
  const client = await context.privilegedClient();
  await client.resume();
  const { state } = await client.status();
  context.result({ state }, `No longer paused. State is ${state}.`);
  return EXIT.done;
}

async function endSafeguard(context: Context): Promise<ExitCode> {
  const client = await context.privilegedClient();
  await client.endSafeguard();
  const { state } = await client.status();
  context.result({ state }, `The safeguard is not on. State is ${state}.`);
  return EXIT.done;
}

async function off(context: Context): Promise<ExitCode> {
  const client = await context.privilegedClient();
  await client.off();
  context.result({ state: 'off' }, 'The firewall is off: nothing is filtered on this machine until it restarts. Back before: bastionctl mode enforcing');
  return EXIT.done;
}

async function reload(context: Context): Promise<ExitCode> {
  const client = await context.privilegedClient();
  const errors = await client.reload();
  if (context.options.json) {
    context.json({ load_errors: errors.map(({ file, line, column, message }) => ({ file, line, column, message })) });
  } else if (errors.length === 0) {
    context.say('Settings and rules are loaded.');
  } else {
    for (const error of errors) context.io.err(`${context.style.bad(loadErrorLine(error))}\n`);
    context.note('Of these files the last good rules are in force.');
  }
  return errors.length === 0 ? EXIT.done : EXIT.refused;
}

async function logLevel(context: Context, { args }: Invocation): Promise<ExitCode> {
  const level = oneOf('log-level', args[0] ?? '', LOG_LEVELS);
  const client = await context.privilegedClient();
  await client.setLogLevel(level);
  const read = 'journalctl -u bastion-firewall.service -f';
  context.result({ log_level: level }, `The helper logs ${level} and above until it restarts. Read it with: ${read}`);
  return EXIT.done;
}

export const modeVerbs: readonly Verb[] = [
  {
    name: 'mode',
    about: 'Show or set the mode',
    text: 'With --confirm the mode goes back by itself unless you confirm it in time, so that nobody locks himself out over ssh.',
    args: [{ name: 'mode', about: 'the new mode', optional: true, choices: MODES }],
    options: [{ name: 'confirm', value: 'SECONDS', about: 'go back by itself unless confirmed within this time, 5 s to 1 h' }],
    examples: ['mode', 'mode learning', 'mode enforcing --confirm 60'],
    run: mode,
  },
  trialVerb,
  {
    name: 'pause',
    about: 'Let everything connect for a while, except what a rule denies',
    args: [{ name: 'duration', about: `30s, 5m, 1h30m; 1 s to 24 h, ${DEFAULT_PAUSE} if not given`, optional: true }],
    examples: ['pause', 'pause 30m'],
    run: pause,
  },
  { name: 'resume', about: 'End a pause', examples: ['resume'], run: resume },
  {
    name: 'end-safeguard',
    about: 'Ask about new connections again, although there were too many',
    text: 'The safeguard also ends by itself when it has been quiet for a while, and begins again where the storm goes on.',
    examples: ['end-safeguard'],
    run: endSafeguard,
  },
  {
    name: 'off',
    about: 'Take the firewall off this machine until a mode is set again',
    text: 'Packet rules and kernel programs are removed, nothing is filtered. The helper stays, and so do your rules.',
    examples: ['off'],
    run: off,
  },
  {
    name: 'reload',
    about: 'Read settings and rule files again',
    text: 'Files that were changed by hand are noticed without it. Exit code 1 when a file has errors.',
    examples: ['reload'],
    run: reload,
  },
  {
    name: 'log-level',
    about: 'Set how much the helper writes to the journal',
    args: [{ name: 'level', about: 'the least that is written', choices: LOG_LEVELS }],
    examples: ['log-level debug'],
    run: logLevel,
  },
];
