/** trial: a mode that goes back by itself unless somebody says in time that it is to stay. */
import { NotConnectedError } from '../../contract/client.ts';
import type { HelperStatus } from '../../contract/client.ts';
import { EXIT } from '../../contract/names.ts';
import { MODES } from '../../contract/vocabulary.ts';
import type { Mode } from '../../contract/vocabulary.ts';
import type { Context } from '../context.ts';
import { RefusedError, UsageError } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import { requireDurationMs } from '../text/duration.ts';
import type { Invocation, Verb } from '../tree.ts';
import { confirmWithin } from './confirm.ts';

/** Shorter leaves no time to find out; longer than an hour is no trial any more. */
const TRIAL_LIMITS_MS = { low: 5000, high: 3_600_000 } as const;
const DEFAULT_TRIAL = '5m';

/** What the mode means from now on. */
export function modeSentence(mode: Mode): string {
  return mode === 'enforcing' ? 'Mode is enforcing: programs without a rule are held until they are answered.'
    : 'Mode is learning: programs without a rule may connect, and it is recorded. Deny rules still hold.';
}

function backSentence(before: string): string {
  return before === 'off' ? 'The firewall is off again.' : `Mode is ${before} again.`;
}

/** Ends the trial before its time. A helper that is away ends it by itself. */
async function goBack(context: Context, before: string): Promise<void> {
  const client = await context.privilegedClient();
  const mode = MODES.find((one) => one === before);
  if (mode === undefined) await client.off();
  else await client.setMode(mode);
  context.result({ mode: before }, backSentence(before));
}

/** Is it still on trial? It may have ended while the question stood there, or somebody else has kept it. */
async function keep(context: Context, wanted: Mode): Promise<ExitCode> {
  const client = await context.privilegedClient();
  const { mode, trial } = await client.status();
  if (trial === undefined && mode !== wanted) throw new RefusedError('The trial was over before that.', 'bastionctl trial');
  await client.setMode(wanted);
  context.result({ mode: wanted }, `Mode ${wanted} stays.`);
  return EXIT.done;
}

async function keepOrGoBack(context: Context, wanted: Mode, before: string, ms: number): Promise<ExitCode> {
  try {
    if (await confirmWithin(context, `Keep mode ${wanted}?`, ms)) return await keep(context, wanted);
    // It would go back by itself at the end of the time; somebody who says no does not want to wait for that.
    const client = context.client();
    const { trial, mode, state } = await client.status();
    if (trial === undefined) context.say(state === 'off' ? backSentence(state) : `The trial is over; mode is ${mode}.`);
    else if (before === 'off') context.say('The firewall goes off again by itself. At once: bastionctl trial --back');
    else await goBack(context, before);
  } catch (error: unknown) {
    if (!(error instanceof NotConnectedError)) throw error;
    context.note(`The helper does not answer. It goes back to ${before} by itself when it is there again; until then only denials hold.`);
  }
  return EXIT.refused;
}

/** What comes back after a trial that begins now. */
function beforeOf({ mode, state, trial }: HelperStatus): string {
  if (trial !== undefined) return trial.before;
  return state === 'off' ? state : mode;
}

/** Sets `wanted` for `ms`, and asks on a terminal whether it is to stay. */
export async function tryMode(context: Context, wanted: Mode, ms: number): Promise<ExitCode> {
  const client = await context.privilegedClient();
  const before = beforeOf(await client.status());
  const confirmSeconds = Math.round(ms / 1000);
  await client.setMode(wanted, { confirmSeconds });
  if (context.options.json || !context.io.stdinIsTerminal || !context.io.stdoutIsTerminal) {
    context.result(
      { mode: wanted, confirm_seconds: confirmSeconds, before },
      `${modeSentence(wanted)} It goes back to ${before} in ${context.format.span(ms)}, unless you say: bastionctl trial --keep`,
    );
    return EXIT.done;
  }
  context.say(modeSentence(wanted));
  return keepOrGoBack(context, wanted, before, ms);
}

/** Throws UsageError for a time that is no trial's. */
export function trialMs(name: string, text: string): number {
  return requireDurationMs(name, text, TRIAL_LIMITS_MS.low, TRIAL_LIMITS_MS.high);
}

async function trial(context: Context, { args, options }: Invocation): Promise<ExitCode> {
  const [duration] = args;
  const [wantsKeep, wantsBack] = [options['keep'] === true, options['back'] === true];
  if (!wantsKeep && !wantsBack) return tryMode(context, 'enforcing', trialMs('trial', duration ?? DEFAULT_TRIAL));
  if (wantsKeep && wantsBack) throw new UsageError('--keep and --back exclude each other');
  if (duration !== undefined) throw new UsageError('a trial that runs has its time already: give --keep or --back without one');
  const { mode, trial: running } = await context.client().status();
  if (running === undefined) throw new RefusedError(`No mode is on trial; it is ${mode}.`, 'bastionctl trial 5m');
  if (wantsKeep) return keep(context, mode);
  await goBack(context, running.before);
  return EXIT.done;
}

export const trialVerb: Verb = {
  name: 'trial',
  about: 'Try enforcing for a while, and go back unless you keep it',
  text: 'It goes back by itself to the mode before, or to off: also when the helper is started again meanwhile. When the helper dies in '
    + 'a trial from learning or off, programs without a rule may connect within seconds, as they could before; denials stay.',
  args: [{ name: 'duration', about: `30s, 5m, 1h; 5 s to 1 h, ${DEFAULT_TRIAL} if not given`, optional: true }],
  options: [
    { name: 'keep', about: 'let the mode that is on trial stay' },
    { name: 'back', about: 'end the trial now' },
  ],
  examples: ['trial', 'trial 10m', 'trial --keep', 'trial --back'],
  run: trial,
};
