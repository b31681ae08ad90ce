/** status: what the firewall does now, and what is wrong with it. */
import type { HelperStatus } from '../../contract/client.ts';
import type { LoadError, Losses, SafeguardInfo } from '../../contract/types.ts';
import { EXIT } from '../../contract/names.ts';
import type { State } from '../../contract/vocabulary.ts';
import type { Context } from '../context.ts';
import type { ExitCode } from '../errors.ts';
import { printable } from '../text/escape.ts';
import type { Paint } from '../text/format.ts';
import { details } from '../text/table.ts';
import type { Verb } from '../tree.ts';

/** What people are told of a state. */
export function stateSentence(state: State): string {
  switch (state) {
    case 'off': return 'off: nothing is filtered';
    case 'paused': return 'paused: everything may connect, except what a rule denies';
    case 'safeguard': return 'safeguard: too many new connections, they are refused without asking';
    case 'degraded': return 'degraded: it works, with the limits below';
    case 'protecting': return 'protecting';
  }
}

function statePaint(context: Context, state: State): Paint {
  switch (state) {
    case 'off': return context.style.bad;
    case 'paused':
    case 'safeguard':
    case 'degraded': return context.style.warn;
    case 'protecting': return context.style.good;
  }
}

/** `50-user.toml:12:3: message`, as compilers write it; escaped. */
export function loadErrorLine(error: LoadError): string {
  const place = error.line === 0 ? error.file : `${error.file}:${String(error.line)}:${String(error.column)}`;
  return `${printable(place)}: ${printable(error.message)}`;
}

/** JSON of `status`; the keys are stable. */
export function statusJson(status: HelperStatus, safeguard: SafeguardInfo | null): unknown {
  return {
    version: status.version,
    mode: status.mode,
    state: status.state,
    degraded_reasons: status.degradedReasons.map(({ code, text, remedy }) => ({ code, text, remedy })),
    paused_until_ms: status.pausedUntilMs,
    trial: status.trial === undefined ? null : { before: status.trial.before, ends_ms: status.trial.endsMs },
    safeguard,
    profile: status.profile,
    load_errors: status.loadErrors.map(({ file, line, column, message }) => ({ file, line, column, message })),
    statistics: { ...status.statistics },
  };
}

function pauseText(context: Context, untilMs: number): string {
  const now = context.io.now();
  if (untilMs <= now) return '';
  return `until ${context.format.time(untilMs, now)}, ${context.format.span(untilMs - now)} left`;
}

function trialText(context: Context, { trial }: HelperStatus): string {
  if (trial === undefined) return '';
  const left = context.format.span(Math.max(trial.endsMs - context.io.now(), 0));
  return `goes back to ${printable(trial.before)} in ${left}, unless you say: bastionctl trial --keep`;
}

function problems(context: Context, status: HelperStatus): string {
  const lines: string[] = [];
  if (status.degradedReasons.length > 0) {
    lines.push('', context.style.strong('What limits it:'));
    for (const { text, remedy } of status.degradedReasons) {
      lines.push(`  ${context.style.warn(printable(text))}`);
      if (remedy !== '') lines.push(`    ${printable(remedy)}`);
    }
  }
  if (status.loadErrors.length > 0) {
    lines.push('', context.style.strong('Files with errors (their last good rules are in force):'));
    for (const error of status.loadErrors) lines.push(`  ${context.style.bad(loadErrorLine(error))}`);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** Who is refused, one line for each of the noisiest programs. */
function safeguardText(context: Context, safeguard: SafeguardInfo | null): string {
  if (safeguard?.on !== true) return '';
  const { count, span } = context.format;
  const whose = { application: 'one program', user: 'the programs of one user', all: 'all programs together' }[safeguard.scope ?? 'all'];
  const lines = [
    '', context.style.strong('Safeguard:'),
    `  ${context.style.warn(`${whose} made ${count(safeguard.rate ?? 0)} new connections a second; ${count(safeguard.refused)} were refused in ${span(Math.max(context.io.now() - safeguard.since_ms, 0))}`)}`,
    ...safeguard.offenders.map(({ path, uid, refused }) => `    ${printable(path === '' ? 'an unknown program' : path)}, user ${String(uid)}: ${count(refused)} refused`),
    '  It ends by itself when it has been quiet for a while, or with: bastionctl end-safeguard',
  ];
  return `${lines.join('\n')}\n`;
}

/** What follows the number. */
const LOSS_WORDS: Readonly<Record<keyof Losses, string>> = {
  packets_over_limit: 'packets because too many were held',
  packets_malformed: 'packets without a sound header',
  packets_not_traced: 'packets for those who watch them',
  sockets_not_ended: 'connections that a denial could not end at once',
  prompts_over_limit: 'connections because too many questions waited',
  identities_refused: 'times that a program was judged by its path alone',
  identities_hung: 'threads in a file system that hangs',
  identities_forgotten: 'programs that are looked up again',
  applications_forgotten: 'applications for lack of room',
  lists_refused: 'lists that were too large or none',
  calls_refused: 'calls because too many waited',
  messages_too_long: 'messages that were too long',
  signals_lost: 'signals that the bus did not take',
  rows_lost: 'rows of live lists',
};

function lossesText(context: Context, losses: Losses): string {
  const words = new Map<string, string>(Object.entries(LOSS_WORDS));
  return Object.entries(losses).filter(([, count]) => count > 0)
    .map(([key, count]) => `${context.format.count(count)} ${words.get(key) ?? printable(key)}`).join(', ');
}

/** The status for people. */
export function statusText(context: Context, status: HelperStatus, safeguard: SafeguardInfo | null): string {
  const { count, span } = context.format;
  const { warn } = context.style;
  const unlessZero = (value: number, what: string): string => (value === 0 ? '' : `${count(value)} ${what}`);
  const { statistics: numbers } = status;
  const lost = numbers.queue_dropped + numbers.queue_user_dropped;
  const mode = status.mode === 'enforcing' ? 'enforcing: programs without a rule are held and asked about'
    : 'learning: programs without a rule may connect, and it is recorded';
  return details([
    { name: 'State', value: stateSentence(status.state), paint: statePaint(context, status.state) },
    { name: 'Mode', value: mode },
    { name: 'On trial', value: trialText(context, status), paint: warn },
    { name: 'Paused', value: pauseText(context, status.pausedUntilMs), paint: context.style.warn },
    { name: 'Profile', value: status.profile },
    { name: 'Rules', value: count(numbers.rules) },
    { name: 'Held now', value: `${count(numbers.held)} packets` },
    { name: 'Connections', value: `${count(numbers.connections)}, allowed ${count(numbers.allowed)}, denied ${count(numbers.denied)}` },
    { name: 'Prompts', value: `${count(numbers.prompts)}, of which ${count(numbers.prompts_expired)} expired` },
    { name: 'Packets', value: `${count(numbers.packets)} seen here, ${count(numbers.kernel_decided)} decided in the kernel` },
    { name: 'Unidentified', value: unlessZero(numbers.unidentified, 'packets without a known program'), paint: warn },
    { name: 'Safeguard', value: unlessZero(numbers.safeguard_refused ?? 0, 'connections refused because there were too many'), paint: warn },
    { name: 'Lost', value: unlessZero(lost, 'packets because the queue was full'), paint: warn },
    { name: 'Gate', value: unlessZero(numbers.gate_dropped, 'packets stopped that netfilter had let pass'), paint: warn },
    { name: 'Over limits', value: unlessZero(numbers.over_budget, 'times that one user filled his share of a table'), paint: warn },
    { name: 'Names', value: `${count(numbers.names)} known, ${count(numbers.dns_ignored)} DNS messages ignored` },
    { name: 'Names lost', value: unlessZero(numbers.names_lost, 'for lack of room'), paint: warn },
    { name: 'History lost', value: unlessZero(numbers.history_lost, 'flows that could not be stored'), paint: warn },
    { name: 'Forgotten', value: unlessZero(numbers.memory_lost ?? 0, 'decisions, for lack of room; they are made again'), paint: warn },
    { name: 'Left out', value: lossesText(context, numbers.losses ?? {}), paint: warn },
    { name: 'Rules put back', value: unlessZero(numbers.rules_mended, 'times, after another program changed them'), paint: warn },
    { name: 'Running for', value: span(numbers.uptime_ms) },
    { name: 'Version', value: status.version },
  ]) + safeguardText(context, safeguard) + problems(context, status);
}

async function run(context: Context): Promise<ExitCode> {
  const client = context.client();
  const status = await client.status();
  const safeguard = status.state === 'safeguard' ? await client.safeguard() : null;
  if (context.options.json) context.json(statusJson(status, safeguard));
  else context.io.out(statusText(context, status, safeguard));
  return EXIT.done;
}

export const status: Verb = {
  name: 'status',
  about: 'Show state, mode, counters, and what is wrong',
  examples: ['status', 'status --json', '--host admin@server.example status'],
  run,
};
