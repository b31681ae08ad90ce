/** The files' rules put together: unique ids, overrides, users as numbers, the limit on rules. */
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoadError } from '../../contract/types.ts';
import type { Rule } from '../../contract/vocabulary.ts';
import type { Settings } from '../../ports.ts';
import { Breath } from './breath.ts';
import { LIMITS } from './limits.ts';
import { References } from './references.ts';
import type { FileRule } from './rule-file.ts';
import type { Source } from './sources.ts';
import { shown } from './text.ts';

/** Finds the number of a user; null for a name that nobody has (now). */
export type UserLookup = (name: string) => Promise<number | null>;

export interface Assembled {
  readonly rules: readonly Rule[];
  readonly errors: readonly LoadError[];
  /** Rules that were left out because of the limit. */
  readonly rulesOverLimit: number;
  /** A rule waits for a user who is not known yet. */
  readonly waitsForUsers: boolean;
  readonly groupsOff: readonly string[];
}

/** Files that are looked up side by side. */
const LOOKS_AT_ONCE = 32;

interface Placed {
  readonly id: string;
  readonly rule: FileRule;
  readonly source: Source;
}

/** `folderOf` tells the folder of a source, for messages. Sources are in their order of precedence for ids. */
export async function assemble(
  sources: readonly Source[], folderOf: (source: Source) => string,
  deps: { readonly lookup: UserLookup; readonly ruleLimit: number; readonly settings: Settings },
): Promise<Assembled> {
  const errors: LoadError[] = [];
  const complain: Complain = ({ rule, source }, message) => {
    // Beyond the limit they are only counted.
    const told = errors.length < LIMITS.problems;
    errors.push(told ? { file: join(folderOf(source), source.name), line: rule.line, column: rule.column, message: message() } : UNTOLD);
  };
  const breath = new Breath();
  const unique = await withUniqueIds(sources, complain, breath);
  const enabled = enabledStates(sources, unique, complain);
  const groups = groupStates(sources);
  const references = new References(deps.settings);
  const kept = withinLimit(unique, deps.ruleLimit);
  const rulesOverLimit = unique.length - kept.length;
  if (rulesOverLimit > 0) {
    const message = `There are more than ${String(deps.ruleLimit)} rules; ${String(rulesOverLimit)} are not in force. Rules that deny or drop were kept first.`;
    errors.push({ file: '', line: 0, column: 0, message });
  }
  const users = await usersOf(kept, deps.lookup);
  let waitsForUsers = false;
  const rules: Rule[] = [];
  for (const placed of kept) {
    if (breath.isDue) await breath.take();
    const { content } = placed.rule;
    const uid = content.user === '' ? undefined : users.get(content.user) ?? null;
    if (uid === null) {
      waitsForUsers = true;
      complain(placed, () => `The user ${shown(content.user)} is not known on this machine, so this rule waits and matches nothing.`);
      continue;
    }
    if (!references.has(content)) complain(placed, () => references.missing(content));
    rules.push(toRule(placed, uid, switchOf(placed, enabled.get(placed.id), groups)));
  }
  await warnAboutLinks(kept, complain);
  return { rules, errors, rulesOverLimit, waitsForUsers, groupsOff: [...groups.off] };
}

const UNTOLD: LoadError = { file: '', line: 0, column: 0, message: '' };

type Complain = (
  where: { readonly rule: { readonly line: number; readonly column: number }; readonly source: Source }, message: () => string,
) => void;

/** A repeated id loses its rule, unless the rule denies: that one holds under an id of its own. */
async function withUniqueIds(sources: readonly Source[], complain: Complain, breath: Breath): Promise<Placed[]> {
  const files = new Map<string, string>();
  const placed: Placed[] = [];
  const repeated: { readonly rule: FileRule; readonly source: Source }[] = [];
  for (const source of sources) {
    for (const rule of source.file.rules) {
      if (breath.isDue) await breath.take();
      const { id } = rule.content;
      if (files.has(id)) {
        repeated.push({ rule, source });
      } else {
        files.set(id, source.name);
        placed.push({ id, rule, source });
      }
    }
  }
  for (const { rule, source } of repeated) {
    if (breath.isDue) await breath.take();
    const { id, action } = rule.content;
    const denies = action === 'deny' || action === 'drop';
    const ending = denies ? 'It is in force all the same, because it denies.' : 'It is not in force.';
    complain({ rule, source }, () => `The id ${shown(id)} is used in ${files.get(id) ?? ''} already; give this rule another one. ${ending}`);
    if (!denies) continue;
    const own = freeId(id, files);
    files.set(own, source.name);
    placed.push({ id: own, rule, source });
  }
  return placed;
}

function freeId(id: string, taken: ReadonlyMap<string, string>): string {
  for (let number = 2; ; number += 1) {
    const ending = `.${String(number)}`;
    const candidate = id.slice(0, LIMITS.idLength - ending.length) + ending;
    if (!taken.has(candidate)) return candidate;
  }
}

/** What overrides make of `enabled`. One that is read from a broken file may only forbid more. */
function enabledStates(sources: readonly Source[], placed: readonly Placed[], complain: Complain): Map<string, boolean> {
  const states = new Map<string, boolean>();
  if (!sources.some((source) => source.file.overrides.length > 0)) return states;
  const actions = new Map(placed.map((one) => [one.id, one.rule.content.action]));
  for (const source of sources) {
    for (const override of source.file.overrides) {
      const { of, name: id, enabled } = override.content;
      if (of === 'group') continue;
      const action = actions.get(id);
      if (action === undefined) {
        complain({ rule: override, source }, () => `There is no rule ${shown(id)} that this override could switch. Remove it.`);
        continue;
      }
      const allows = action === 'allow' || action === 'ask';
      if (source.state !== 'saved' || enabled !== allows) states.set(id, enabled);
    }
  }
  return states;
}

function withinLimit(placed: readonly Placed[], limit: number): readonly Placed[] {
  if (placed.length <= limit) return placed;
  const denies = ({ rule }: Placed): boolean => rule.content.action === 'deny' || rule.content.action === 'drop';
  return [...placed.filter(denies), ...placed.filter((one) => !denies(one))].slice(0, limit);
}

async function usersOf(placed: readonly Placed[], lookup: UserLookup): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  const names = new Set(placed.map(({ rule }) => rule.content.user));
  names.delete('');
  for (const name of [...names].slice(0, LIMITS.userNames)) {
    const uid = /^\d+$/.test(name) ? Number(name) : await lookup(name);
    if (uid !== null) found.set(name, uid);
  }
  return found;
}

interface Groups {
  readonly off: ReadonlySet<string>;
  /** Switched off by a broken file: that may only forbid more. */
  readonly allowingOff: ReadonlySet<string>;
}

/** Which groups are switched off. The last override of a group counts. */
function groupStates(sources: readonly Source[]): Groups {
  const off = new Set<string>();
  const allowingOff = new Set<string>();
  for (const { file, state } of sources) {
    const set = state === 'saved' ? allowingOff : off;
    for (const { content: { of, name, enabled } } of file.overrides) {
      if (of !== 'group') continue;
      if (enabled) set.delete(name);
      else set.add(name);
    }
  }
  return { off, allowingOff };
}

type Switch = Pick<Rule, 'enabled' | 'groupOff'>;

function switchOf({ rule: { content } }: Placed, override: boolean | undefined, groups: Groups): Switch {
  const enabled = override ?? content.enabled;
  if (content.group === '') return { enabled };
  const allows = content.action === 'allow' || content.action === 'ask';
  const off = groups.off.has(content.group) || (allows && groups.allowingOff.has(content.group));
  return off ? { enabled: false, groupOff: { enabled } } : { enabled };
}

/** The rule of the last load where nothing of it is different. */
function toRule({ id, rule, source }: Placed, uid: number | undefined, state: Switch): Rule {
  const { content, built } = rule;
  const isSame = built?.id === id && built.tier === source.tier && built.match.uid === uid && built.enabled === state.enabled
    && built.groupOff?.enabled === state.groupOff?.enabled;
  if (isSame) return built;
  rule.built = {
    id,
    name: content.name,
    action: content.action,
    ...state,
    match: uid === undefined ? content.match : { ...content.match, uid },
    lifetime: content.lifetime,
    priority: content.priority,
    tier: source.tier,
    group: content.group,
    ...(content.profile === '' ? {} : { profile: content.profile }),
    created: content.created,
    source: { file: source.name, line: rule.line },
  };
  return rule.built;
}

/** A path that is a link never equals the path of a running program: say so, since the rule would silently do nothing. */
async function warnAboutLinks(placed: readonly Placed[], complain: Complain): Promise<void> {
  const named = new Map<string, Placed[]>();
  for (const one of placed) {
    const { match: { path }, enabled } = one.rule.content;
    if (path === undefined || !enabled || one.source.tier === 'vendor') continue;
    const others = named.get(path);
    if (others !== undefined) others.push(one);
    else if (named.size < LIMITS.linkChecks) named.set(path, [one]);
  }
  const paths = [...named.keys()];
  for (let at = 0; at < paths.length; at += LOOKS_AT_ONCE) {
    const some = paths.slice(at, at + LOOKS_AT_ONCE);
    const targets = await Promise.all(some.map(targetOf));
    for (const [index, path] of some.entries()) {
      const target = targets[index] ?? path;
      if (target === path) continue;
      for (const one of named.get(path) ?? []) {
        complain(one, () => `${shown(path)} is a link, and programs are known by the file itself. Write application = { path = "${target}" }.`);
      }
    }
  }
}

/** The path itself where there is no such file. */
async function targetOf(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}
