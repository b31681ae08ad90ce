/** What learning suggests, as rows: sentence, what it covers, what to think of, and what nothing is suggested for. */
import type { Proposal, RuleEdit, RuleFinding } from '../../helper/contract/types.ts';
import { assertNever } from '../../helper/contract/errors.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { agoText, clockText, countText } from './durations.ts';
import { percentText } from './format.ts';
import { showHost } from './host-name.ts';
import { visible } from './plain-text.ts';
import type { FindProgram } from './program-name.ts';
import { ruleText } from './rule-text.ts';

export interface Suggestion {
  /** What the rule says, without its name: the same as long as the suggestion is the same. */
  readonly key: string;
  readonly rule: RuleEdit;
  readonly sentence: string;
  readonly detail: string;
  /** '' for none. */
  readonly warning: string;
  readonly connections: number;
}

/** Folders that everybody can write to: what lies there may be anybody's. */
const OPEN_FOLDERS = ['/tmp/', '/var/tmp/', '/dev/shm/', '/run/lock/'];
const SHOWN_DESTINATIONS = 3;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export function suggestionKey(rule: RuleEdit): string {
  const entries = Object.entries(rule).filter(([key]) => key !== 'name' && key !== 'group');
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Rows that suggest a rule. */
export function suggestionsOf(proposals: readonly Proposal[], find: FindProgram, nowMs: number): readonly Suggestion[] {
  const byKey = new Map<string, Suggestion>();
  for (const proposal of proposals) {
    const { kind, rule } = proposal;
    if (kind !== 'rule' || rule === undefined) continue;
    const key = suggestionKey(rule);
    byKey.set(key, {
      key, rule, sentence: sentenceOf(rule, proposal.users, find, nowMs), detail: detailText(proposal, nowMs),
      warning: warningText(proposal, rule), connections: proposal.connections,
    });
  }
  return [...byKey.values()];
}

/** A rule names its user by a number; people know the name. */
function sentenceOf(rule: RuleEdit, users: readonly string[], find: FindProgram, nowMs: number): string {
  const user = rule.user === undefined || rule.user === '' ? '' : (users[0] ?? rule.user);
  return ruleText({
    ...rule, action: rule.action ?? 'allow', path: rule.path ?? '', address: rule.address ?? '', port: rule.port ?? '',
    protocol: rule.protocol ?? '', user, lifetime: rule.lifetime ?? 'always', schedule: rule.schedule ?? '',
  }, find, nowMs);
}

/** `412 connections since 12 March, 14:05, last 3 minutes ago  ·  a.example.org, b.example.org and 3 more`. */
function detailText(proposal: Proposal, nowMs: number): string {
  const times = fill(ngettext('{number} connection since {since}, last {when}', '{number} connections since {since}, last {when}', proposal.connections), {
    number: countText(proposal.connections), since: clockText(proposal.first_ms, nowMs), when: agoText(proposal.last_ms, nowMs),
  });
  const [only, ...others] = proposal.destinations;
  if (only === undefined || others.length === 0) return times;
  const shown = proposal.destinations.slice(0, SHOWN_DESTINATIONS).map((host) => showHost(host).name);
  const more = proposal.destinations.length - shown.length;
  const hosts = shown.join(', ');
  const list = more === 0 ? hosts : fill(ngettext('{hosts} and {number} more', '{hosts} and {number} more', more), { hosts, number: countText(more) });
  return `${times}  ·  ${list}`;
}

function warningText(proposal: Proposal, rule: RuleEdit): string {
  const file = rule.script ?? rule.appimage ?? rule.path ?? '';
  if (proposal.confidence !== 'certain') return _('It is not certain that it was this program.');
  if (OPEN_FOLDERS.some((folder) => file.startsWith(folder))) return _('Its file lies in a folder that everybody can write to.');
  if (rule.all_scripts === true) return _('The rule covers whatever script the program runs.');
  const hosts = [rule.domain?.replace(/^\*\./u, '') ?? '', ...proposal.destinations];
  if (hosts.some((host) => host !== '' && showHost(host).deceptive)) return _('A name has letters of another alphabet that look like familiar ones.');
  const anywhere = (rule.address ?? '') === '' && (rule.domain ?? '') === '';
  return anywhere && (rule.port ?? '') === '' ? _('The rule covers any host on any port.') : '';
}

const LEFT_OUT: Readonly<Record<string, (number: number) => string>> = {
  uncertain: (number) => ngettext('{number} because it is not certain which program it was', '{number} because it is not certain which program it was', number),
  changed: (number) => ngettext('{number} because the program’s file was changed', '{number} because the programs’ files were changed', number),
  'claimed-script': (number) => ngettext('{number} from a script that only the program itself names', '{number} from scripts that only the program itself names', number),
  interpreter: (number) => ngettext('{number} from an unknown script', '{number} from unknown scripts', number),
  forwarded: (number) => ngettext('{number} from a container or another machine', '{number} from containers or other machines', number),
  asked: (number) => ngettext('{number} because a rule asks about it', '{number} because a rule asks about them', number),
  refused: (number) => ngettext('{number} because a rule for it would also allow what was refused', '{number} because a rule for them would also allow what was refused', number),
  crowded: (number) => ngettext('{number} because there were too many different ones', '{number} because there were too many different ones', number),
};

/** Each reason with its number; the programs that it was about. Empty where nothing was left out. */
export function leftOutLines(proposals: readonly Proposal[]): readonly string[] {
  const row = proposals.find(({ kind }) => kind === 'left-out');
  if (row === undefined) return [];
  const { reasons = [], reason_connections: counts = [] } = row;
  const known = reasons.flatMap((reason, index) => {
    const number = counts[index] ?? 0;
    const text = Object.hasOwn(LEFT_OUT, reason) ? LEFT_OUT[reason]?.(number) : undefined;
    return text === undefined ? [] : [fill(text, { number: countText(number) })];
  });
  const names = row.applications.slice(0, 8).map((name) => visible(name, 64)).join(', ');
  return [...(known.length === 0 ? [visible(row.text)] : known), ...(names === '' ? [] : [fill(_('Programs: {names}'), { names })])];
}

export function leftOutTitle(proposals: readonly Proposal[]): string {
  const number = proposals.find(({ kind }) => kind === 'left-out')?.connections ?? 0;
  return fill(ngettext('Nothing is suggested for {number} connection', 'Nothing is suggested for {number} connections', number), { number: countText(number) });
}

/** What learning has come to. */
export interface LearningProgress {
  /** ms since 1970; 0 while nothing was learnt. */
  readonly sinceMs: number;
  readonly programs: number;
  readonly connections: number;
  /** 0 to 100: decided by a rule now, or by one of the suggestions. */
  readonly coveredPercent: number;
}

/** `all`: proposals that include what rules decide by now; `open`: those that do not; `hidden`: keys that the person does not want. */
export function learningProgress(all: readonly Proposal[], open: readonly Proposal[], hidden: ReadonlySet<string>): LearningProgress {
  const sum = (rows: readonly Proposal[]): number => rows.reduce((total, row) => total + row.connections, 0);
  const connections = Math.max(sum(all), sum(open));
  const uncovered = sum(open.filter(({ kind, rule }) => kind === 'left-out' || (rule !== undefined && hidden.has(suggestionKey(rule)))));
  const firsts = all.map((row) => row.first_ms).filter((ms) => ms > 0);
  return {
    sinceMs: firsts.length === 0 ? 0 : Math.min(...firsts),
    programs: new Set(all.flatMap((row) => row.applications)).size,
    connections,
    coveredPercent: connections === 0 ? 0 : Math.floor(((connections - uncovered) * 100) / connections),
  };
}

/** `3 days`, `5 hours`, `12 minutes`; at least one minute. */
export function longDuration(ms: number): string {
  const days = Math.floor(ms / DAY_MS);
  if (days >= 2) return fill(ngettext('{number} day', '{number} days', days), { number: countText(days) });
  const hours = Math.floor(ms / HOUR_MS);
  if (hours >= 2) return fill(ngettext('{number} hour', '{number} hours', hours), { number: countText(hours) });
  const minutes = Math.max(1, Math.floor(ms / MINUTE_MS));
  return fill(ngettext('{number} minute', '{number} minutes', minutes), { number: countText(minutes) });
}

export function progressTitle({ sinceMs }: LearningProgress, nowMs: number): string {
  return sinceMs === 0 ? _('Learning has begun') : fill(_('Learning for {time}'), { time: longDuration(nowMs - sinceMs) });
}

export function progressText({ programs, connections, coveredPercent }: LearningProgress): string {
  if (connections === 0) return _('Use your programs as usual. What they connect to is recorded, and suggested here as rules.');
  const percent = percentText(coveredPercent / 100);
  return fill(ngettext(
    '{number} program. {percent} of its connections are covered by your rules and these suggestions.',
    '{number} programs. {percent} of their connections are covered by your rules and these suggestions.', programs,
  ), { number: countText(programs), percent });
}

/**
 * The order in which keys are shown: what was there keeps its place, what is new comes last, so that nothing moves under the
 * pointer while learning goes on.
 */
export function keptOrder(before: readonly string[], now: readonly string[]): readonly string[] {
  const there = new Set(now);
  const kept = before.filter((key) => there.has(key));
  const known = new Set(kept);
  return [...kept, ...now.filter((key) => !known.has(key))];
}

/** What could be tidied up, in one sentence; '' for rows that are about no rule. */
export function findingText(finding: RuleFinding, nowMs: number): string {
  const name = visible(finding.name || finding.rule_id, 128);
  const since = finding.since_ms === undefined ? '' : longDuration(nowMs - finding.since_ms);
  switch (finding.kind) {
    case 'expired': return fill(_('“{name}” has expired.'), { name });
    case 'duplicate': return fill(_('“{name}” says the same as another rule.'), { name });
    case 'shadowed': return fill(_('“{name}” never decides anything: another rule goes before it.'), { name });
    case 'missing': return fill(_('“{name}” names {path}, which no longer exists.'), { name, path: visible(finding.path ?? '', 256) });
    case 'unused': return since === ''
      ? fill(_('“{name}” has not been used.'), { name })
      : fill(_('“{name}” has not been used for {time}.'), { name, time: since });
    case 'incomplete': return '';
    default: return assertNever(finding.kind);
  }
}
