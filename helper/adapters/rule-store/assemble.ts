/** The files' rules put together: unique ids, overrides, users as numbers, the limit on rules. */
import { lstat, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoadError } from '../../contract/types.ts';
import type { Rule, RuleMatch } from '../../contract/vocabulary.ts';
import { LIMITS } from './limits.ts';
import type { RuleContent } from './rule-block.ts';
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
}

interface Placed {
  readonly id: string;
  readonly rule: FileRule;
  readonly source: Source;
}

/** `folderOf` tells the folder of a source, for messages. Sources are in their order of precedence for ids. */
export async function assemble(
  sources: readonly Source[], folderOf: (source: Source) => string,
  deps: { readonly lookup: UserLookup; readonly ruleLimit: number },
): Promise<Assembled> {
  const errors: LoadError[] = [];
  const complain = ({ rule, source }: Pick<Placed, 'source'> & { readonly rule: { readonly line: number; readonly column: number } }, message: string): void => {
    errors.push({ file: join(folderOf(source), source.name), line: rule.line, column: rule.column, message });
  };
  const unique = withUniqueIds(sources, complain);
  const enabled = enabledStates(sources, unique, complain);
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
    const { user } = placed.rule.content;
    const uid = user === '' ? undefined : users.get(user) ?? null;
    if (uid === null) {
      waitsForUsers = true;
      complain(placed, `The user ${shown(user)} is not known on this machine, so this rule waits and matches nothing.`);
      continue;
    }
    rules.push(toRule(placed, uid, enabled.get(placed.id) ?? placed.rule.content.enabled));
  }
  await warnAboutLinks(kept, complain);
  return { rules, errors, rulesOverLimit, waitsForUsers };
}

type Complain = (
  where: { readonly rule: { readonly line: number; readonly column: number }; readonly source: Source }, message: string,
) => void;

/** A repeated id loses its rule, unless the rule denies: that one holds under an id of its own. */
function withUniqueIds(sources: readonly Source[], complain: Complain): Placed[] {
  const files = new Map<string, string>();
  const placed: Placed[] = [];
  const repeated: { readonly rule: FileRule; readonly source: Source }[] = [];
  for (const source of sources) {
    for (const rule of source.file.rules) {
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
    const { id, action } = rule.content;
    const denies = action === 'deny' || action === 'drop';
    const ending = denies ? 'It is in force all the same, because it denies.' : 'It is not in force.';
    complain({ rule, source }, `The id ${shown(id)} is used in ${files.get(id) ?? ''} already; give this rule another one. ${ending}`);
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
      const { rule: id, enabled } = override.content;
      const action = actions.get(id);
      if (action === undefined) {
        complain({ rule: override, source }, `There is no rule ${shown(id)} that this override could switch. Remove it.`);
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

function toRule({ id, rule, source }: Placed, uid: number | undefined, enabled: boolean): Rule {
  const { content } = rule;
  return {
    id, enabled,
    name: content.name,
    action: content.action,
    match: toMatch(content, uid),
    lifetime: content.lifetime,
    priority: content.priority,
    tier: source.tier,
    group: content.group,
    created: content.created,
    source: { file: source.name, line: rule.line },
  };
}

function toMatch(content: RuleContent, uid: number | undefined): RuleMatch {
  return {
    ...(content.path === null ? {} : { path: content.path }),
    ...(uid === undefined ? {} : { uid }),
    ...(content.address === null ? {} : { address: content.address }),
    ...(content.ports === null ? {} : { ports: content.ports }),
    ...(content.protocols === null ? {} : { protocols: content.protocols }),
    ...(content.schedule === null ? {} : { schedule: content.schedule }),
  };
}

/** A path that is a link never equals the path of a running program: say so, since the rule would silently do nothing. */
async function warnAboutLinks(placed: readonly Placed[], complain: Complain): Promise<void> {
  const targets = new Map<string, string>();
  for (const one of placed) {
    const { path, enabled } = one.rule.content;
    if (path === null || !enabled || one.source.tier === 'vendor') continue;
    let target = targets.get(path);
    if (target === undefined) {
      if (targets.size >= LIMITS.linkChecks) return;
      target = await targetOf(path);
      targets.set(path, target);
    }
    if (target === path) continue;
    complain(one, `${shown(path)} is a link, and programs are known by the file itself. Write application = { path = "${target}" }.`);
  }
}

async function targetOf(path: string): Promise<string> {
  try {
    await lstat(path);
    return await realpath(path);
  } catch {
    return path;
  }
}
