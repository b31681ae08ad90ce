/** Rules that are added together: all are made before the first is written. */
import { BastionError } from '../contract/errors.ts';
import type { RuleEdit, RuleInfo } from '../contract/types.ts';
import type { Rule } from '../contract/vocabulary.ts';
import type { Addition } from '../engine-api.ts';
import type { NewRule } from '../ports.ts';
import type { EngineDeps } from './deps.ts';
import { applyEdit, blankDraft, fileForm, ruleInfoOf, ruleOf } from './rule-edit.ts';

export interface MadeRule {
  readonly rule: Rule;
  /** null for one that lives in memory. */
  readonly form: NewRule | null;
  readonly block: string | undefined;
}

/** What may stand in an edit and is told otherwise, or not at all, in the rule that comes of it. */
const TOLD_OTHERWISE: ReadonlySet<string> = new Set(['lifetime', 'until_ms', 'name', 'address', 'port', 'protocol', 'schedule', 'user']);

/** The rules of `additions`. Throws BastionError InvalidArgument, or Conflict where two have one id. */
export function draftAdditions(additions: readonly Addition[], deps: Pick<EngineDeps, 'clock' | 'users'>): readonly MadeRule[] {
  const nowMs = deps.clock.wallMs();
  const ids = new Set<string>();
  return additions.map(({ edit, block, createdMs = nowMs }) => {
    if (edit.action === undefined || edit.id === undefined) throw new BastionError('InvalidArgument', 'A rule needs an id and an action.');
    if (ids.has(edit.id)) throw new BastionError('Conflict', `Two rules have the id ${edit.id}.`);
    ids.add(edit.id);
    const rule = ruleOf(applyEdit(blankDraft(edit.id), edit, nowMs), { tier: 'user', created: createdMs, source: null }, deps.users);
    requireWhole(edit, ruleInfoOf(rule, { hits: 0, lastHitMs: 0 }, deps.users));
    return { rule, form: fileForm(rule, deps.users), block };
  });
}

/** A part that got lost on the way would make the rule wider: then there is no rule. */
function requireWhole(edit: RuleEdit, info: RuleInfo): void {
  const told = new Map<string, unknown>(Object.entries(info));
  for (const [key, value] of Object.entries(edit)) {
    const wanted: unknown = value;
    if (wanted === undefined || wanted === '' || wanted === false && key !== 'enabled') continue;
    const found = told.get(key);
    const same = TOLD_OTHERWISE.has(key) ? found !== undefined && found !== '' : found === wanted;
    if (!same) throw new BastionError('InvalidArgument', `${key}: this version does not evaluate it`);
  }
}
