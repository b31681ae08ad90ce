/** status: what the firewall does now, and what is wrong with it. */
import type { HelperStatus } from '../../contract/client.ts';
import type { LoadError } from '../../contract/types.ts';
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
export function statusJson(status: HelperStatus): unknown {
  return {
    version: status.version,
    mode: status.mode,
    state: status.state,
    degraded_reasons: status.degradedReasons.map(({ code, text, remedy }) => ({ code, text, remedy })),
    paused_until_ms: status.pausedUntilMs,
    load_errors: status.loadErrors.map(({ file, line, column, message }) => ({ file, line, column, message })),
    statistics: { ...status.statistics },
  };
}

function pauseText(context: Context, untilMs: number): string {
  const now = context.io.now();
  if (untilMs <= now) return '';
  return `until ${context.format.time(untilMs, now)}, ${context.format.span(untilMs - now)} left`;
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

/** The status for people. */
export function statusText(context: Context, status: HelperStatus): string {
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
    { name: 'Paused', value: pauseText(context, status.pausedUntilMs), paint: context.style.warn },
    { name: 'Rules', value: count(numbers.rules) },
    { name: 'Held now', value: `${count(numbers.held)} packets` },
    { name: 'Connections', value: `${count(numbers.connections)}, allowed ${count(numbers.allowed)}, denied ${count(numbers.denied)}` },
    { name: 'Prompts', value: `${count(numbers.prompts)}, of which ${count(numbers.prompts_expired)} expired` },
    { name: 'Packets', value: `${count(numbers.packets)} seen here, ${count(numbers.kernel_decided)} decided in the kernel` },
    { name: 'Unidentified', value: unlessZero(numbers.unidentified, 'packets without a known program'), paint: warn },
    { name: 'Lost', value: unlessZero(lost, 'packets because the queue was full'), paint: warn },
    { name: 'Gate', value: unlessZero(numbers.gate_dropped, 'packets stopped that netfilter had let pass'), paint: warn },
    { name: 'Over limits', value: unlessZero(numbers.over_budget, 'times that one user filled his share of a table'), paint: warn },
    { name: 'Names', value: `${count(numbers.names)} known, ${count(numbers.dns_ignored)} DNS messages ignored` },
    { name: 'Names lost', value: unlessZero(numbers.names_lost, 'for lack of room'), paint: warn },
    { name: 'Rules put back', value: unlessZero(numbers.rules_mended, 'times, after another program changed them'), paint: warn },
    { name: 'Running for', value: span(numbers.uptime_ms) },
    { name: 'Version', value: status.version },
  ]) + problems(context, status);
}

async function run(context: Context): Promise<ExitCode> {
  const client = context.client();
  const status = await client.status();
  if (context.options.json) context.json(statusJson(status));
  else context.io.out(statusText(context, status));
  return EXIT.done;
}

export const status: Verb = {
  name: 'status',
  about: 'Show state, mode, counters, and what is wrong',
  examples: ['status', 'status --json', '--host admin@server.example status'],
  run,
};
