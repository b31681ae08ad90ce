/** Between a rule, its text forms in a file, and what Add and Update carry. Every field is validated here. */
import { BastionError } from '../contract/errors.ts';
import type { RuleEdit, RuleInfo } from '../contract/types.ts';
import type { Lifetime, Rule, RuleMatch } from '../contract/vocabulary.ts';
import { parseRuleId } from '../policy/program.ts';
import {
  conflictIn, formatAncestor, formatPorts, formatProtocols, formatSchedule, PART_READERS, parseAddress, parseAncestor, parsePorts,
  parseProfile, parseProtocols, parseSchedule,
} from '../policy/text.ts';
import type { Parsed } from '../policy/text.ts';
import { wholeSeconds } from '../policy/time.ts';
import type { NewRule, Users } from '../ports.ts';

/** A rule's lasting form: a file can hold the first two lifetimes, `boot` lives in memory. */
export type RuleDraft = Omit<NewRule, 'lifetime'> & { readonly lifetime: Lifetime };

const HIGHEST_UID = 0xffff_fffe;
const PRIORITY_LIMIT = 1000;
const LABEL_LENGTH = 128;

/** Keys of an edit and of a draft that are one word, '' and absent for any. */
const WORDS = ['package', 'flatpak', 'snap', 'appimage', 'script', 'sha256', 'container', 'ancestor', 'domain', 'list', 'zone', 'interface', 'profile'] as const;

/** Keys of a draft that are yes or no, and what the contract calls them. */
const FLAGS = [['pin', 'pin'], ['includeChildren', 'include_children'], ['allScripts', 'all_scripts']] as const;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Extras = Mutable<Pick<RuleDraft, (typeof WORDS)[number] | (typeof FLAGS)[number][0]>>;

function take<T>(field: string, result: Parsed<T>): T {
  if (!result.ok) throw new BastionError('InvalidArgument', `${field}: ${result.message}.`);
  return result.value;
}

function label(field: string, text: string): string {
  if (text.length > LABEL_LENGTH || /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u.test(text)) {
    throw new BastionError('InvalidArgument', `${field}: at most ${String(LABEL_LENGTH)} characters on one line.`);
  }
  return text;
}

function userId(text: string, users: Users): number | undefined {
  if (text === '') return undefined;
  if (/^(?:0|[1-9][0-9]{0,9})$/.test(text)) {
    const uid = Number(text);
    if (uid <= HIGHEST_UID) return uid;
  }
  const uid = users.uid(text);
  if (uid === null) throw new BastionError('InvalidArgument', 'user: there is no user of this name.');
  return uid;
}

function priorityOf(priority: number): number {
  if (Number.isInteger(priority) && Math.abs(priority) <= PRIORITY_LIMIT) return priority;
  const limit = String(PRIORITY_LIMIT);
  throw new BastionError('InvalidArgument', `priority: a whole number from -${limit} to ${limit}.`);
}

function definedMatch(match: { readonly [K in keyof RuleMatch]: RuleMatch[K] | undefined }): RuleMatch {
  return Object.fromEntries(Object.entries(match).filter(([, value]) => value !== undefined));
}

/** The text forms of a rule, as its file would hold them. */
export function draftOf(rule: Rule, users: Users): RuleDraft {
  const { match } = rule;
  return {
    id: rule.id,
    name: rule.name,
    action: rule.action,
    enabled: rule.groupOff?.enabled ?? rule.enabled,
    path: match.path ?? '',
    address: match.address ?? '',
    port: formatPorts(match.ports),
    protocol: formatProtocols(match.protocols),
    user: match.uid === undefined ? '' : users.name(match.uid),
    lifetime: rule.lifetime,
    schedule: formatSchedule(match.schedule),
    priority: rule.priority,
    group: rule.group,
    ...extrasOf(rule),
  };
}

function extrasOf({ match, profile }: Rule): Extras {
  const extras: Extras = {};
  for (const key of WORDS) {
    const value = key === 'ancestor' ? formatAncestor(match.ancestor)
      : key === 'profile' ? profile : match[key === 'appimage' ? 'appImage' : key];
    if (value !== undefined && value !== '') extras[key] = value;
  }
  for (const [key] of FLAGS) if (match[key] === true) extras[key] = true;
  return extras;
}

function editedExtras(base: RuleDraft, edit: RuleEdit): Extras {
  const extras: Extras = {};
  for (const key of WORDS) {
    const value = edit[key] ?? base[key];
    if (value !== undefined && value !== '') extras[key] = value;
  }
  for (const [key, name] of FLAGS) if (edit[name] ?? base[key] ?? false) extras[key] = true;
  return extras;
}

function editedLifetime(before: Lifetime, edit: RuleEdit, nowMs: number): Lifetime {
  const name = edit.lifetime ?? (edit.until_ms === undefined ? null : 'until');
  if (name === null) return before;
  if (name !== 'until') {
    if (edit.until_ms !== undefined) throw new BastionError('InvalidArgument', "until_ms: only with the lifetime 'until'.");
    return name;
  }
  if (edit.until_ms === undefined) throw new BastionError('InvalidArgument', "until_ms: the lifetime 'until' needs a time.");
  const until = wholeSeconds(edit.until_ms);
  if (until <= nowMs) throw new BastionError('InvalidArgument', 'until_ms: this time has passed.');
  return { until };
}

/** `edit` over `base`; absent keys stay. Throws BastionError InvalidArgument. */
export function applyEdit(base: RuleDraft, edit: RuleEdit, nowMs: number): RuleDraft {
  return {
    id: take('id', parseRuleId(edit.id ?? base.id)),
    name: label('name', edit.name ?? base.name),
    action: edit.action ?? base.action,
    enabled: edit.enabled ?? base.enabled,
    path: edit.path ?? base.path,
    address: edit.address ?? base.address,
    port: edit.port ?? base.port,
    protocol: edit.protocol ?? base.protocol,
    user: edit.user ?? base.user,
    lifetime: editedLifetime(base.lifetime, edit, nowMs),
    schedule: edit.schedule ?? base.schedule,
    priority: priorityOf(edit.priority ?? base.priority),
    group: label('group', edit.group ?? base.group),
    ...editedExtras(base, edit),
  };
}

function matchOf(draft: RuleDraft, users: Users, bound: Pick<RuleMatch, 'process' | 'session'>): RuleMatch {
  const match = definedMatch({
    path: take('path', PART_READERS.path(draft.path)),
    package: take('package', PART_READERS.package(draft.package ?? '')),
    flatpak: take('flatpak', PART_READERS.flatpak(draft.flatpak ?? '')),
    snap: take('snap', PART_READERS.snap(draft.snap ?? '')),
    appImage: take('appimage', PART_READERS.appImage(draft.appimage ?? '')),
    script: take('script', PART_READERS.script(draft.script ?? '')),
    sha256: take('sha256', PART_READERS.sha256(draft.sha256 ?? '')),
    container: take('container', PART_READERS.container(draft.container ?? '')),
    pin: draft.pin === true ? true : undefined,
    includeChildren: draft.includeChildren === true ? true : undefined,
    allScripts: draft.allScripts === true ? true : undefined,
    ancestor: take('ancestor', parseAncestor(draft.ancestor ?? '')),
    domain: take('domain', PART_READERS.domain(draft.domain ?? '')),
    list: take('list', PART_READERS.list(draft.list ?? '')),
    zone: take('zone', PART_READERS.zone(draft.zone ?? '')),
    interface: take('interface', PART_READERS.interface(draft.interface ?? '')),
    uid: userId(draft.user, users),
    address: take('address', parseAddress(draft.address)),
    ports: take('port', parsePorts(draft.port)),
    protocols: take('protocol', parseProtocols(draft.protocol)),
    schedule: take('schedule', parseSchedule(draft.schedule)),
    process: bound.process,
    session: bound.session,
  });
  const conflict = conflictIn(match);
  if (conflict !== null) throw new BastionError('InvalidArgument', `${conflict}.`);
  return match;
}

/** The rule that a draft says. `bound` keeps the process or session of a rule in memory. */
export function ruleOf(
  draft: RuleDraft,
  origin: Pick<Rule, 'tier' | 'created' | 'source'>,
  users: Users,
  bound: Pick<RuleMatch, 'process' | 'session'> = {},
): Rule {
  const profile = take('profile', parseProfile(draft.profile ?? ''));
  return {
    id: draft.id,
    name: draft.name === '' ? draft.id : draft.name,
    action: draft.action,
    enabled: draft.enabled,
    match: matchOf(draft, users, bound),
    lifetime: draft.lifetime,
    priority: draft.priority,
    tier: origin.tier,
    group: draft.group,
    ...(profile === undefined ? {} : { profile }),
    created: origin.created,
    source: origin.source,
  };
}

/** What goes into 50-user.toml, in canonical text; null for a lifetime that no file holds. */
export function fileForm(rule: Rule, users: Users): NewRule | null {
  const { lifetime } = rule;
  if (lifetime !== 'always' && typeof lifetime !== 'object') return null;
  return { ...draftOf(rule, users), lifetime };
}

/** An empty rule: matches everything, does nothing until an action is set. */
export function blankDraft(id: string): RuleDraft {
  return {
    id, name: '', action: 'deny', enabled: true, path: '', address: '', port: '', protocol: '', user: '', lifetime: 'always',
    schedule: '', priority: 0, group: '',
  };
}

/** Can this rule be edited over D-Bus? Others can only be switched off and on. */
export function isEditable(rule: Rule): boolean {
  return rule.tier === 'user';
}

/** A rule as the contract tells it. */
export function ruleInfoOf(rule: Rule, use: { readonly hits: number; readonly lastHitMs: number }, users: Users): RuleInfo {
  const { lifetime, includeChildren, allScripts, ...text } = draftOf(rule, users);
  return {
    ...text,
    ...(includeChildren === undefined ? {} : { include_children: includeChildren }),
    ...(allScripts === undefined ? {} : { all_scripts: allScripts }),
    ...(rule.groupOff === undefined ? {} : { group_enabled: false }),
    lifetime: typeof lifetime === 'object' ? 'until' : lifetime,
    ...(typeof lifetime === 'object' ? { until_ms: lifetime.until } : {}),
    tier: rule.tier,
    editable: isEditable(rule),
    file: rule.source?.file ?? '',
    line: rule.source?.line ?? 0,
    created_ms: rule.created,
    hits: use.hits,
    last_hit_ms: use.lastHitMs,
  };
}
