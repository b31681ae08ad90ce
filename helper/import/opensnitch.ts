/** Rule files of OpenSnitch: one rule, or a list of them. Source: its daemon's packages rule and procmon, versions 1.5 to 1.7. */
import { Draft, baseName, quoted } from './draft.ts';
import type { DraftRule } from './draft.ts';
import { readJson } from './json.ts';
import { flagAt, textAt } from './node.ts';
import type { Lines, Node, TableNode } from './node.ts';
import { conditionsOf, rulesOf } from './opensnitch-match.ts';
import type { Matched } from './opensnitch-match.ts';
import { IMPORT_LIMITS, refuse } from './types.ts';
import type { Imported } from './types.ts';

const GROUP = 'Imported from OpenSnitch';
/** Go's time.ParseDuration. */
const DURATION_PART = /([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)/g;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const HIGHEST_PRIORITY = 1000;

/** Reads a rule or a list of rules. `nowMs` is wall time. Throws BastionError InvalidArgument with line and column, or LimitReached. */
export function importOpenSnitch(text: string, nowMs: number): Imported {
  const { root, lines } = readJson(text);
  const draft = new Draft(lines, GROUP);
  const priorities = prioritiesOf(tablesOf(root, lines));
  for (const table of tablesOf(root, lines)) readRule(draft, table, priorities.get(table) ?? 0, nowMs);
  return draft.done();
}

function tablesOf(root: Node, lines: Lines): readonly TableNode[] {
  const nodes = root.kind === 'list' ? root.items : [root];
  return nodes.map((node) => {
    if (node.kind === 'table' && node.entries.has('operator')) return node;
    return refuse(lines.place(node.at), 'this is no rule of OpenSnitch: it has no "operator".');
  });
}

/**
 * OpenSnitch goes through its rules by name and stops at the first that denies or has precedence; of the others the last
 * counts. So those that stop have an order, which becomes priorities here; neighbours of one action share one.
 */
function prioritiesOf(tables: readonly TableNode[]): ReadonlyMap<TableNode, number> {
  const stopping = tables
    .map((table) => ({ table, name: textAt(table, 'name') ?? '', allows: textAt(table, 'action') === 'allow' }))
    .filter(({ table, allows }) => !allows || flagAt(table, 'precedence') === true)
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const levels = new Map<TableNode, number>();
  let level = 1;
  for (const [index, one] of stopping.toReversed().entries()) {
    const before = stopping.at(-index);
    if (index > 0 && before?.allows !== one.allows) level += 1;
    levels.set(one.table, level);
  }
  // With more turns than there are priorities nothing is let go before what refuses.
  if (level <= HIGHEST_PRIORITY) return levels;
  return new Map(stopping.map(({ table, allows }) => [table, allows ? 0 : 1]));
}

type Lifetime = Pick<DraftRule, 'lifetime' | 'until_ms'> & { readonly note?: string };

function readRule(draft: Draft, table: TableNode, priority: number, nowMs: number): void {
  const { at } = table;
  const source = textAt(table, 'name') ?? '';
  const action = actionOf(textAt(table, 'action'));
  if (action === null) {
    draft.skipped({ at, source, text: 'The action is none of allow, deny and reject.' });
    return;
  }
  const lifetime = lifetimeOf(table, nowMs);
  if (typeof lifetime === 'string') {
    draft.skipped({ at, source, text: lifetime });
    return;
  }
  const { note, ...time } = lifetime;
  const conditions = conditionsOf(table.entries.get('operator')?.value);
  const rules = rulesOf(conditions);
  if (rules.length > IMPORT_LIMITS.rulesOfOne) {
    draft.review({ at, source, text: `This would be more than ${String(IMPORT_LIMITS.rulesOfOne)} rules; make a list of it.` });
    return;
  }
  const notes = [...(note === undefined ? [] : [note]), ...(rules.length > 1 ? [`It is ${String(rules.length)} rules here.`] : [])];
  for (const match of rules) {
    tell({ draft, at, source, notes, problems: conditions.problems, rule: ruleFor(table, match, { action, priority, ...time }) });
  }
}

function ruleFor(table: TableNode, match: Matched, rest: Pick<DraftRule, 'action' | 'priority' | 'lifetime' | 'until_ms'>): DraftRule {
  const name = textAt(table, 'name') ?? '';
  const { priority, ...others } = rest;
  return {
    ...others, ...match,
    ...(priority === 0 || priority === undefined ? {} : { priority }),
    ...(name === '' ? {} : { name: match.path === undefined ? name : `${name} (${baseName(match.path)})` }),
    ...(flagAt(table, 'enabled') === false ? { enabled: false } : {}),
  };
}

function tell(found: {
  readonly draft: Draft; readonly at: number; readonly source: string; readonly rule: DraftRule;
  readonly notes: readonly string[]; readonly problems: readonly string[];
}): void {
  const { draft, at, source, rule, notes, problems } = found;
  const off = rule.enabled === false ? ['It was off and stays off.'] : [];
  if (problems.length > 0) {
    draft.review({ at, source, text: problems.join(' '), rule, advice: 'What is left is off: complete it, then switch it on.' });
  } else if (notes.length > 0) draft.changed({ at, source, text: [...notes, ...off].join(' '), rule });
  else draft.kept({ at, source, text: off[0] ?? 'The same rule.', rule });
}

function actionOf(text: string | null): DraftRule['action'] | null {
  switch (text) {
    case 'allow': return 'allow';
    case 'deny': return 'drop';
    case 'reject': return 'deny';
    default: return null;
  }
}

/** A sentence for a rule that is over or was for one connection. */
function lifetimeOf(table: TableNode, nowMs: number): Lifetime | string {
  const duration = textAt(table, 'duration') ?? '';
  if (duration === 'always') return {};
  if (duration === 'until restart') return { lifetime: 'boot', note: 'It holds until this machine restarts.' };
  if (duration === 'once') return 'It was for one connection.';
  const lengthMs = durationMs(duration);
  if (lengthMs === null) return `${quoted(duration)} is no duration that is known.`;
  const created = Date.parse(textAt(table, 'created') ?? '');
  if (Number.isNaN(created)) return 'It was for a time whose beginning is not written down.';
  const end = Math.floor((created + lengthMs) / 1000) * 1000;
  if (end <= nowMs) return 'It has expired.';
  // One made in the future would hold for longer than it was given.
  if (created > nowMs) return 'Its beginning lies in the future.';
  return { lifetime: 'until', until_ms: end, note: 'It ends when its time is over.' };
}

function durationMs(text: string): number | null {
  if (text.length > 32 || text.replaceAll(DURATION_PART, '') !== '' || text === '') return null;
  let sum = 0;
  for (const [, amount = '', unit = ''] of text.matchAll(DURATION_PART)) sum += Number(amount) * (UNIT_MS[unit] ?? Number.NaN);
  return Number.isSafeInteger(Math.floor(sum)) ? sum : null;
}
