/** The rules page as data: rows, what is looked for in them, their order, and the headings above them. */
import type { RuleInfo } from '../../helper/contract/types.ts';
import type { Tier } from '../../helper/contract/vocabulary.ts';
import { _ } from '../i18n.ts';
import { compareText, textOrder } from './format.ts';
import { visible } from './plain-text.ts';
import { findingTitle, FINDING_KINDS } from './rule-review.ts';
import type { Finding } from './rule-review.ts';
import { filterInSteps, mapInSteps, sortInSteps, STEP_ROWS } from './stepwise.ts';

/** One row: the rule, its sentence, who it is about, and what the search looks through. */
export interface RuleRow {
  readonly rule: RuleInfo;
  readonly sentence: string;
  /** The program in words, as the sentence has it. */
  readonly program: string;
  /** Lower case. */
  readonly haystack: string;
}

/** `program`: headings for groups, one's own rules first. The others are one list without headings. */
export const RULE_SORTS = ['program', 'uses', 'newest'] as const;
export type RuleSort = (typeof RULE_SORTS)[number];

/** Of each set an empty one is no condition. */
export interface RuleFilter {
  readonly query: string;
  readonly verdicts: ReadonlySet<'allow' | 'deny' | 'ask'>;
  readonly temporary: boolean;
  readonly tier: Tier | '';
  readonly program: string;
  /** '' for any; a profile's id shows the rules that hold in it alone. */
  readonly profile: string;
  /** Only rules that do nothing; with their reasons as headings. */
  readonly cleanUp: boolean;
}

export const NO_FILTER: RuleFilter = {
  query: '', verdicts: new Set(), temporary: false, tier: '', program: '', profile: '', cleanUp: false,
};

/** A heading in the list. */
export interface Heading {
  readonly key: string;
  readonly title: string;
  readonly count: number;
  /** The group that its switch is for; '' for a heading without one. */
  readonly group: string;
  readonly groupOn: boolean;
  readonly collapsed: boolean;
}

/** Entries are ids of rules, and `#` and the key of a heading. */
export interface RuleView {
  readonly entries: readonly string[];
  readonly headings: ReadonlyMap<string, Heading>;
  /** Rules that the filter lets through, those below collapsed headings too. */
  readonly found: readonly RuleRow[];
}

export function ruleRow(rule: RuleInfo, sentence: string, program = ''): RuleRow {
  const parts = [
    sentence, rule.id, rule.name, rule.path, rule.address, rule.port, rule.protocol, rule.user, rule.group,
    rule.package ?? '', rule.flatpak ?? '', rule.snap ?? '', rule.appimage ?? '', rule.script ?? '', rule.container ?? '', rule.domain ?? '', rule.list ?? '',
    rule.zone ?? '', rule.interface ?? '', rule.profile ?? '',
  ];
  return { rule, sentence, program, haystack: parts.join('\n').toLowerCase() };
}

const TIER_ORDER: Readonly<Record<Tier, number>> = { user: 0, administrator: 1, vendor: 2, 'built-in': 3 };

function byProgramOrder(): (a: RuleRow, b: RuleRow) => number {
  const compare = textOrder();
  return (a, b) => TIER_ORDER[a.rule.tier] - TIER_ORDER[b.rule.tier] || compare(a.sentence, b.sentence) || (a.rule.id < b.rule.id ? -1 : 1);
}

/** The order of two equal ones is that of their ids. */
export function compareRows(sort: RuleSort): (a: RuleRow, b: RuleRow) => number {
  const byProgram = byProgramOrder();
  switch (sort) {
    case 'program': return byProgram;
    case 'uses': return (a, b) => b.rule.hits - a.rule.hits || b.rule.last_hit_ms - a.rule.last_hit_ms || byProgram(a, b);
    case 'newest': return (a, b) => b.rule.created_ms - a.rule.created_ms || byProgram(a, b);
    default: return byProgram;
  }
}

/** All rows in their order, made in steps. */
export function* rowsInSteps(rules: readonly RuleInfo[], make: (rule: RuleInfo) => RuleRow, sort: RuleSort): Generator<void, readonly RuleRow[]> {
  return yield* sortInSteps(yield* mapInSteps(rules, make), compareRows(sort));
}

/** Does a row pass? Every word of the query has to be there. */
export function passes(filter: RuleFilter, isFound: (id: string) => boolean): (row: RuleRow) => boolean {
  const words = filter.query.toLowerCase().split(/\s+/).filter((word) => word !== '');
  const { verdicts, temporary, tier, program, profile, cleanUp } = filter;
  return ({ rule, haystack, program: name }) => {
    if (verdicts.size > 0 && !verdicts.has(rule.action === 'drop' ? 'deny' : rule.action)) return false;
    if (temporary && rule.lifetime === 'always') return false;
    if (tier !== '' && rule.tier !== tier) return false;
    if (program !== '' && name !== program) return false;
    if (profile !== '' && rule.profile !== profile) return false;
    if (cleanUp && !isFound(rule.id)) return false;
    return words.every((word) => haystack.includes(word));
  };
}

export function isFiltered(filter: RuleFilter): boolean {
  const { query, verdicts, temporary, tier, program, profile, cleanUp } = filter;
  return query.trim() !== '' || verdicts.size > 0 || temporary || tier !== '' || program !== '' || profile !== '' || cleanUp;
}

export interface ViewOptions {
  readonly filter: RuleFilter;
  readonly sort: RuleSort;
  /** Keys of headings. A filter opens them all, for what is looked for should be seen. */
  readonly collapsed: ReadonlySet<string>;
  readonly findings: ReadonlyMap<string, Finding>;
}

/** What the list shows of `rows`, which are in their order already. */
export function* viewInSteps(rows: readonly RuleRow[], { filter, sort, collapsed, findings }: ViewOptions): Generator<void, RuleView> {
  const found = yield* filterInSteps(rows, passes(filter, (id) => findings.has(id)));
  if (!filter.cleanUp && sort !== 'program') return { entries: found.map((row) => row.rule.id), headings: new Map(), found };
  const sections = new Map<string, RuleRow[]>();
  const keyOf = filter.cleanUp ? (row: RuleRow): string => `f:${findings.get(row.rule.id)?.kind ?? ''}` : sectionKey;
  for (const [at, row] of found.entries()) {
    if (at % STEP_ROWS === STEP_ROWS - 1) yield;
    const key = keyOf(row);
    const section = sections.get(key);
    if (section === undefined) sections.set(key, [row]);
    else section.push(row);
  }
  const headings = new Map<string, Heading>();
  const entries: string[] = [];
  for (const key of [...sections.keys()].sort(compareSections)) {
    const section = sections.get(key) ?? [];
    const heading = headingOf(key, section, collapsed.has(key) && !isFiltered(filter));
    headings.set(key, heading);
    entries.push(`#${key}`);
    if (!heading.collapsed) for (const row of section) entries.push(row.rule.id);
    yield;
  }
  return { entries, headings, found };
}

/** Rules of a group stand together, whoever made them; the others by who made them. */
function sectionKey({ rule }: RuleRow): string {
  return rule.group === '' ? `t:${rule.tier}` : `g:${rule.group}`;
}

const TIERS_IN_ORDER: readonly Tier[] = ['user', 'administrator', 'vendor', 'built-in'];

/** Reasons in the helper's order, groups by name, then what is in none. */
function compareSections(a: string, b: string): number {
  const rank = (key: string): number => {
    if (key.startsWith('f:')) return FINDING_KINDS.findIndex((kind) => key === `f:${kind}`);
    return key.startsWith('g:') ? 0 : 1 + TIERS_IN_ORDER.findIndex((tier) => key === `t:${tier}`);
  };
  return rank(a) - rank(b) || compareText(a, b);
}

function headingOf(key: string, rows: readonly RuleRow[], collapsed: boolean): Heading {
  const group = key.startsWith('g:') ? key.slice(2) : '';
  const groupOn = rows.every((row) => row.rule.group_enabled !== false);
  return { key, title: headingTitle(key), count: rows.length, group, groupOn, collapsed };
}

function headingTitle(key: string): string {
  const kind = FINDING_KINDS.find((one) => key === `f:${one}`);
  if (kind !== undefined) return findingTitle(kind);
  if (key.startsWith('g:')) return visible(key.slice(2), 64);
  const titles: Readonly<Record<Tier, string>> = {
    user: _('Your rules'), administrator: _('The administrator’s rules'), vendor: _('Part of Bastion Firewall'), 'built-in': _('Built in'),
  };
  const tier = TIERS_IN_ORDER.find((one) => key === `t:${one}`);
  return tier === undefined ? '' : titles[tier];
}

/** What all rows together offer to choose from, and where each is found. */
export interface RuleSummary {
  readonly byId: ReadonlyMap<string, RuleRow>;
  readonly tiers: readonly Tier[];
  readonly profiles: readonly string[];
  /** By name; of too many those with the most rules. */
  readonly programs: readonly string[];
}

/** At most `limit` programs. */
export function* summaryInSteps(rows: readonly RuleRow[], limit: number): Generator<void, RuleSummary> {
  const byId = new Map<string, RuleRow>();
  const tiers = new Set<Tier>();
  const profiles = new Set<string>();
  const counts = new Map<string, number>();
  for (const [at, row] of rows.entries()) {
    if (at % STEP_ROWS === STEP_ROWS - 1) yield;
    byId.set(row.rule.id, row);
    tiers.add(row.rule.tier);
    if (row.rule.profile !== undefined && row.rule.profile !== '') profiles.add(row.rule.profile);
    counts.set(row.program, (counts.get(row.program) ?? 0) + 1);
  }
  const most = yield* sortInSteps([...counts], (a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const programs = most.slice(0, limit).map(([program]) => program).sort(compareText);
  return { byId, tiers: TIERS_IN_ORDER.filter((tier) => tiers.has(tier)), profiles: [...profiles].sort(), programs };
}

/** The ids between two rows as the list shows them, both included, in either direction. */
export function between(entries: readonly string[], one: string, other: string): readonly string[] {
  const [a, b] = [entries.indexOf(one), entries.indexOf(other)];
  if (a === -1 || b === -1) return [other];
  return entries.slice(Math.min(a, b), Math.max(a, b) + 1).filter((entry) => !entry.startsWith('#'));
}
