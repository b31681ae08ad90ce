/** What the history knows of one application, as rows and samples. */
import type { AncestorInfo, ApplicationInfo, FlowInfo, TotalsInfo } from '../../helper/contract/types.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { sizeText } from './format.ts';
import { agoText, countText } from './durations.ts';
import type { GraphOptions, GraphSample } from './graph-model.ts';
import { showHost } from './host-name.ts';
import { visible } from './plain-text.ts';
import { ancestorName } from './program-name.ts';
import type { FindProgram } from './program-name.ts';
import { serviceName } from './service-name.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Ranges of the graph. */
export const RECORD_RANGES = ['hour', 'day', 'month'] as const;
export type RecordRange = (typeof RECORD_RANGES)[number];
/** By which step the history has the series of a range; see Activity.Totals. */
export const RANGE_STEPS: Readonly<Record<RecordRange, string>> = { hour: 'minute', day: 'hour', month: 'day' };
const SPANS: Readonly<Record<RecordRange, { readonly stepMs: number; readonly steps: number }>> = {
  hour: { stepMs: MINUTE_MS, steps: 60 }, day: { stepMs: HOUR_MS, steps: 24 }, month: { stepMs: DAY_MS, steps: 30 },
};
/** More destinations than this are counted, not listed. */
export const DESTINATION_ROWS = 10;
/** Different ways to be started that are listed. */
export const STARTERS_LIMIT = 5;

export interface GraphContent {
  readonly samples: readonly GraphSample[];
  readonly options: GraphOptions;
}

/** Where the range begins, ms since 1970. */
export function rangeStart(range: RecordRange, nowMs: number): number {
  const { stepMs, steps } = SPANS[range];
  return (Math.floor(nowMs / stepMs) + 1 - steps) * stepMs;
}

/** Every step of the range: one that nothing is known of is zero, because the history leaves out what is nothing. */
export function graphOf(series: readonly TotalsInfo[], range: RecordRange, nowMs: number): GraphContent {
  const { stepMs, steps } = SPANS[range];
  const startMs = rangeStart(range, nowMs);
  const byTime = new Map(series.map((one) => [one.time_ms ?? 0, one]));
  const samples = Array.from({ length: steps }, (_unused, index) => {
    const timeMs = startMs + index * stepMs;
    const known = byTime.get(timeMs);
    return { timeMs, spanMs: stepMs, inBytes: known?.received_bytes ?? 0, outBytes: known?.sent_bytes ?? 0 };
  });
  return { samples, options: { startMs, endMs: startMs + steps * stepMs, unit: 'amount', axis: 'clock' } };
}

export interface DestinationRow {
  readonly title: string;
  readonly subtitle: string;
  /** Amount at the row's end, '' where none is known. */
  readonly value: string;
  /** What the Activity page searches for; '' for the others. */
  readonly host: string;
}

/** The name, with the other way to write it where letters could deceive. */
export function hostText(host: string): string {
  const { name, other } = showHost(host);
  return other === '' ? name : `${name} (${other})`;
}

function connectionsText({ allowed = 0, refused = 0 }: TotalsInfo): string {
  const all = fill(ngettext('{number} connection', '{number} connections', allowed + refused), { number: countText(allowed + refused) });
  if (refused === 0) return all;
  if (allowed === 0) return fill(ngettext('{number} refused', '{number} refused', refused), { number: countText(refused) });
  return fill(_('{connections}, {refused} of them refused'), { connections: all, refused: countText(refused) });
}

/** The first few, and one row for all others. */
export function destinationRows(totals: readonly TotalsInfo[]): readonly DestinationRow[] {
  const known = totals.filter(({ destination = '', others }) => destination !== '' && others === undefined).slice(0, DESTINATION_ROWS);
  const rows = known.map((total) => {
    const { destination = '', port = 0, protocol = '' } = total;
    const bytes = total.sent_bytes + total.received_bytes;
    return {
      title: hostText(destination),
      subtitle: protocol === '' ? connectionsText(total) : `${serviceName(protocol, port)}  ·  ${connectionsText(total)}`,
      value: bytes === 0 ? '' : sizeText(bytes), host: destination,
    };
  });
  const rest = totals.filter((total) => !known.includes(total));
  return rest.length === 0 ? rows : [...rows, othersRow(rest)];
}

function othersRow(rest: readonly TotalsInfo[]): DestinationRow {
  const sum = rest.reduce((all, one) => all + (one.allowed ?? 0) + (one.refused ?? 0), 0);
  const text = fill(ngettext('{number} connection', '{number} connections', sum), { number: countText(sum) });
  return { title: _('Other destinations'), subtitle: text, value: '', host: '' };
}

const REASONS: Readonly<Record<string, () => string>> = {
  rule: () => _('by a rule'),
  'prompt-answer': () => _('you denied it'),
  'prompt-expired': () => _('nobody answered in time'),
  'default-action': () => _('by the default for unknown connections'),
  'no-owner': () => _('no program could be found'),
  remembered: () => _('as decided before'),
};

export interface RefusedRow {
  readonly title: string;
  readonly subtitle: string;
}

/** `example.org`, `encrypted web (443) · 3 minutes ago · by a rule`. */
export function refusedRow(flow: FlowInfo, nowMs: number): RefusedRow {
  const reason = REASONS[flow.reason]?.() ?? '';
  const parts = [serviceName(flow.protocol, flow.port), agoText(flow.time_ms, nowMs), reason];
  return { title: hostText(flow.host || flow.address), subtitle: parts.filter((part) => part !== '').join('  ·  ') };
}

export interface StarterRow {
  readonly title: string;
  readonly subtitle: string;
}

/** Who starts everything says nothing. */
const MANAGERS = /\/(?:systemd|init)$/u;

/** Each way once: `bash`, `itself started by xterm, gnome-session`. */
export function starterRows(lineages: readonly (readonly AncestorInfo[])[], find: FindProgram): readonly StarterRow[] {
  const rows = new Map<string, StarterRow>();
  for (const lineage of lineages) {
    const end = lineage.findIndex(({ path }) => MANAGERS.test(path));
    const known = end < 0 ? lineage : lineage.slice(0, end);
    const names = known.map((one) => ancestorName(one, find)).filter((name) => name !== '');
    const [nearest, ...others] = names.length > 0 || lineage.length === 0 ? names : [_('The system, at its start or on request')];
    if (nearest === undefined) continue;
    const subtitle = others.length === 0 ? '' : fill(_('itself started by {programs}'), { programs: others.join(', ') });
    rows.set(`${nearest}\n${subtitle}`, { title: nearest, subtitle });
  }
  return [...rows.values()].slice(0, STARTERS_LIMIT);
}

/** Why there is no graph of the application's own; '' where there is one. */
export function countedElsewhere({ kind, interpreter }: Pick<ApplicationInfo, 'kind' | 'interpreter'>): string {
  switch (kind) {
    case 'script': return interpreter === ''
      ? _('The traffic of a script is counted with the program that runs it.')
      : fill(_('The traffic of a script is counted with the program that runs it, {program}.'), { program: visible(interpreter) });
    case 'appimage': return _('The traffic of an AppImage is counted with the program inside it.');
    case 'package': return _('No program of this package has connected yet.');
    default: return '';
  }
}
