/** What an edited rule would have done to the last 30 days, in sentences. */
import type { RuleChange, RuleEdit, RuleInfo, SimulationInfo, SimulationRow } from '../../helper/contract/types.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { agoText, countText } from './durations.ts';
import { baseName, visible } from './plain-text.ts';
import { programName } from './program-name.ts';
import type { FindProgram } from './program-name.ts';
import { portPhrase } from './service-name.ts';

/** How far back an effect is looked for. */
export const EFFECT_DAYS = 30;
export const EFFECT_MS = EFFECT_DAYS * 86_400_000;
/** More rows do not help to decide. */
const SHOWN_ROWS = 5;

export interface EffectRow {
  readonly icon: string;
  /** `curl to example.org on port 443` */
  readonly title: string;
  /** `12 connections, last yesterday; refused until now` */
  readonly detail: string;
}

export interface Effect {
  readonly text: string;
  readonly rows: readonly EffectRow[];
  /** What is not in it; '' for nothing. */
  readonly note: string;
}

type ChangeKind = SimulationRow['change'];
const KINDS = ['allowed', 'refused', 'asked'] as const;

/** What Simulate takes: the edit as a change of the rule, or as a new one. */
export function effectChange(edit: RuleEdit, old: RuleInfo | null): RuleChange {
  return old === null ? { op: 'add', rule: edit } : { op: 'update', id: old.id, rule: edit };
}

export function effectOf(summary: SimulationInfo, rows: readonly SimulationRow[], find: FindProgram, nowMs: number): Effect {
  const note = noteOf(summary);
  if (summary.flows === 0) return { text: _('Nothing has been recorded yet to try it on.'), rows: [], note };
  const sentences = KINDS.flatMap((kind) => sentenceOf(kind, summary, rows.filter((row) => row.change === kind), find));
  if (sentences.length === 0) {
    const looked = fill(ngettext('It would have changed nothing: {number} connection was looked at.', 'It would have changed nothing: {number} connections were looked at.', summary.flows), { number: countText(summary.flows) });
    return { text: looked, rows: [], note };
  }
  return { text: sentences.join(' '), rows: rows.slice(0, SHOWN_ROWS).map((row) => rowOf(row, find, nowMs)), note };
}

function countsOf(kind: ChangeKind, summary: SimulationInfo): readonly [number, number] {
  switch (kind) {
    case 'allowed': return [summary.allowed_connections, summary.allowed_applications];
    case 'refused': return [summary.refused_connections, summary.refused_applications];
    case 'asked': return [summary.asked_connections, summary.asked_applications];
    default: return [0, 0];
  }
}

/** What became of the connections until now; `other` where rows differ or not all are told. */
function formerly(rows: readonly SimulationRow[], unlisted: number): 'allowed' | 'refused' | 'asked' | 'other' {
  const before = new Set(rows.map(({ from }) => (from === 'allow' ? 'allowed' : from === 'ask' ? 'asked' : 'refused')));
  const [only] = before;
  return before.size === 1 && unlisted === 0 && only !== undefined ? only : 'other';
}

function sentenceOf(kind: ChangeKind, summary: SimulationInfo, rows: readonly SimulationRow[], find: FindProgram): readonly string[] {
  const [connections, applications] = countsOf(kind, summary);
  if (connections === 0) return [];
  const first = rows[0];
  const who = applications === 1 && first !== undefined
    ? nameOf(first, find)
    : fill(ngettext('{number} program', '{number} programs', applications), { number: countText(applications) });
  const place = { number: countText(connections), who };
  const before = formerly(rows, summary.unlisted);
  switch (kind) {
    case 'allowed': return [fill(allowedText(before, connections), place)];
    case 'refused': return [fill(refusedText(before, connections), place)];
    case 'asked': return [fill(askedText(before, connections), place)];
    default: return [];
  }
}

type Before = ReturnType<typeof formerly>;

function allowedText(before: Before, n: number): string {
  if (before === 'refused') return ngettext('Would have allowed {number} connection of {who} that was refused.', 'Would have allowed {number} connections of {who} that were refused.', n);
  if (before === 'asked') return ngettext('Would have allowed {number} connection of {who} without asking.', 'Would have allowed {number} connections of {who} without asking.', n);
  return ngettext('Would have allowed {number} connection of {who}.', 'Would have allowed {number} connections of {who}.', n);
}

function refusedText(before: Before, n: number): string {
  if (before === 'allowed') return ngettext('Would have refused {number} connection of {who} that was allowed.', 'Would have refused {number} connections of {who} that were allowed.', n);
  if (before === 'asked') return ngettext('Would have refused {number} connection of {who} without asking.', 'Would have refused {number} connections of {who} without asking.', n);
  return ngettext('Would have refused {number} connection of {who}.', 'Would have refused {number} connections of {who}.', n);
}

function askedText(before: Before, n: number): string {
  if (before === 'allowed') return ngettext('Would have asked about {number} connection of {who} that was allowed.', 'Would have asked about {number} connections of {who} that were allowed.', n);
  if (before === 'refused') return ngettext('Would have asked about {number} connection of {who} that was refused.', 'Would have asked about {number} connections of {who} that were refused.', n);
  return ngettext('Would have asked about {number} connection of {who}.', 'Would have asked about {number} connections of {who}.', n);
}

function nameOf(row: SimulationRow, find: FindProgram): string {
  const known = row.path === '' ? null : find(row.path);
  return known?.name ?? (row.path === '' ? visible(row.application, 128) || programName('', find) : baseName(row.path));
}

const ICONS: Readonly<Record<ChangeKind, string>> = {
  allowed: 'bastion-firewall-allow-symbolic', refused: 'bastion-firewall-deny-symbolic', asked: 'bastion-firewall-ask-symbolic',
};

function rowOf(row: SimulationRow, find: FindProgram, nowMs: number): EffectRow {
  const place = { who: nameOf(row, find), host: visible(row.host || row.address, 255), port: portPhrase(row.protocol, row.port) };
  const title = row.port === 0 ? fill(_('{who} to {host}'), place) : fill(_('{who} to {host} on {port}'), place);
  const times = fill(ngettext('{number} connection', '{number} connections', row.connections), { number: countText(row.connections) });
  const now: Readonly<Record<ChangeKind, string>> = { allowed: _('would be allowed'), refused: _('would be refused'), asked: _('would be asked about') };
  return { icon: ICONS[row.change], title, detail: fill(_('{verdict}: {times}, last {when}'), { verdict: now[row.change], times, when: agoText(row.last_ms, nowMs) }) };
}

function noteOf({ incomplete, lists_ignored: lists }: SimulationInfo): string {
  const parts = [
    incomplete === true ? _('A part of the history could not be read.') : '',
    lists > 0 ? _('Lists were treated as empty.') : '',
  ];
  return parts.filter((part) => part !== '').join(' ');
}
