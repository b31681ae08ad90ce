/** What an import does to the rules that are there: nothing is replaced, and what is there already is not added again. */
import { createHash } from 'node:crypto';
import { BastionError } from '../contract/errors.ts';
import type { ImportItemInfo, RuleEdit, RuleInfo } from '../contract/types.ts';
import type { Imported, ImportItem } from './types.ts';

/** Keys of a rule that are not what it says but where it is and what became of it. */
const NOT_CONTENT: ReadonlySet<string> = new Set(['id', 'tier', 'editable', 'file', 'line', 'created_ms', 'hits', 'last_hit_ms', 'group_enabled']);
const HASH_LENGTH = 10;
const LONGEST_STEM = 50;

export interface PlanDeps {
  /** Every rule by its id; what is planned is put in. */
  readonly existing: Map<string, RuleInfo>;
  /** Throws BastionError for a rule that this machine does not take. */
  preview(edit: RuleEdit): RuleInfo;
}

export interface PlannedRule {
  readonly edit: RuleEdit;
  readonly block?: string;
  readonly createdMs?: number;
}

export interface Plan {
  readonly items: readonly ImportItemInfo[];
  readonly rules: readonly PlannedRule[];
  readonly overrides: readonly { readonly rule: string; readonly enabled: boolean }[];
}

interface Step {
  readonly item: ImportItemInfo;
  readonly rule?: PlannedRule;
  readonly override?: Plan['overrides'][number];
}

/** `file` names the file in the report where there are several. */
export function planImport(imported: Imported, deps: PlanDeps, file = ''): Plan {
  const steps = imported.items.map((item) => step(item, deps, file));
  return {
    items: steps.map((one) => one.item),
    rules: steps.flatMap(({ rule }) => (rule === undefined ? [] : [rule])),
    overrides: steps.flatMap(({ override }) => (override === undefined ? [] : [override])),
  };
}

function step(item: ImportItem, deps: PlanDeps, file: string): Step {
  const { outcome, line, source, text, rule, override } = item;
  const told = { outcome, file, line, source, text };
  if (override !== undefined) return overrideStep(told, override, deps);
  if (rule === undefined) return { item: told };
  const id = rule.id ?? '';
  const info = previewOf(rule, deps);
  if (typeof info === 'string') return { item: { ...told, outcome: 'skipped', text: `Not imported: ${info}${info.endsWith('.') ? '' : '.'}` } };
  const before = deps.existing.get(id);
  if (before === undefined) {
    deps.existing.set(id, info);
    const { block, createdMs } = item;
    return {
      item: { ...told, rule },
      rule: { edit: rule, ...(block === undefined ? {} : { block }), ...(createdMs === undefined ? {} : { createdMs }) },
    };
  }
  if (item.block === undefined || contentOf(before) === contentOf(info)) {
    return { item: { ...told, outcome: 'skipped', text: `It is there already, as rule ${id}.` } };
  }
  return renamed(told, item, info, deps);
}

/** Somebody else has the id: ours gets another one, the same in every import. */
function renamed(told: ImportItemInfo, item: ImportItem, info: RuleInfo, deps: PlanDeps): Step {
  const old = item.rule?.id ?? '';
  const hash = createHash('sha256').update(contentOf(info)).digest('hex').slice(0, HASH_LENGTH);
  const id = `${old.slice(0, LONGEST_STEM)}-${hash}`;
  if (deps.existing.has(id)) return { item: { ...told, outcome: 'skipped', text: `It is there already, as rule ${id}.` } };
  const rule = { ...item.rule, id };
  deps.existing.set(id, { ...info, id });
  return {
    item: { ...told, outcome: 'changed', rule, text: `Another rule has the id ${old}; this one is ${id}.` },
    rule: { edit: rule, ...(item.createdMs === undefined ? {} : { createdMs: item.createdMs }) },
  };
}

function overrideStep(told: ImportItemInfo, override: Plan['overrides'][number], deps: PlanDeps): Step {
  const rule = deps.existing.get(override.rule);
  if (rule === undefined || rule.tier === 'built-in') return { item: { ...told, outcome: 'skipped', text: `There is no rule ${override.rule} here that can be switched.` } };
  if (rule.enabled === override.enabled) return { item: { ...told, outcome: 'skipped', text: 'It is so already.' } };
  if (rule.tier === 'user') return { item: { ...told, outcome: 'review', text: `The rule ${override.rule} is one of your own here: switch it by hand.` } };
  deps.existing.set(override.rule, { ...rule, enabled: override.enabled });
  return { item: told, override };
}

function previewOf(rule: RuleEdit, deps: PlanDeps): RuleInfo | string {
  try {
    return deps.preview(rule);
  } catch (error: unknown) {
    if (error instanceof BastionError) return error.message;
    throw error;
  }
}

/** What a rule says, as one text. */
function contentOf(info: RuleInfo): string {
  const name = info.name === info.id ? '' : info.name;
  const entries = Object.entries({ ...info, name }).filter(([key]) => !NOT_CONTENT.has(key));
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
