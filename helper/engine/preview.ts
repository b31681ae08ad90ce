/** Rules as they would be after changes that nobody has made. */
import { assertNever, BastionError } from '../contract/errors.ts';
import type { RuleChange } from '../contract/types.ts';
import type { Rule } from '../contract/vocabulary.ts';
import type { RulePreview } from '../engine-api.ts';
import type { Users } from '../ports.ts';
import { applyEdit, blankDraft, draftOf, ruleOf } from './rule-edit.ts';

/** What a preview looks at. */
export interface PreviewContext {
  /** null for an id that no rule has. */
  rule(id: string): Rule | null;
  isInForce(rule: Rule): boolean;
  readonly users: Users;
  /** Wall time, ms since 1970. */
  readonly nowMs: number;
}

/** Of a rule that is only tried. */
function triedId(taken: (id: string) => boolean): string {
  for (let number = 1; ; number += 1) {
    const id = `tried-${String(number)}`;
    if (!taken(id)) return id;
  }
}

class Preview {
  readonly #context: PreviewContext;
  /** Rules that changes have touched, as they would be; null for those that would be gone. */
  readonly #touched = new Map<string, Rule | null>();

  constructor(context: PreviewContext) {
    this.#context = context;
  }

  apply({ op, id, rule: edit = {} }: RuleChange): void {
    switch (op) {
      case 'add':
        this.#add(id ?? edit.id, edit);
        return;
      case 'update':
        this.#put(this.#changed(this.#rule(id), edit));
        return;
      case 'remove':
        this.#touched.set(this.#rule(id).id, null);
        return;
      case 'enable':
      case 'disable':
        this.#put({ ...this.#rule(id), enabled: op === 'enable' });
        return;
      default:
        assertNever(op);
    }
  }

  result(): RulePreview {
    const ids = [...this.#touched.keys()];
    const inForce = (rules: readonly (Rule | null)[]): readonly Rule[] =>
      rules.filter((rule) => rule !== null).filter((rule) => this.#context.isInForce(rule));
    return { before: inForce(ids.map((id) => this.#context.rule(id))), after: inForce([...this.#touched.values()]) };
  }

  #get(id: string): Rule | null {
    const touched = this.#touched.get(id);
    return touched === undefined ? this.#context.rule(id) : touched;
  }

  #rule(id: string | undefined): Rule {
    if (id === undefined) throw new BastionError('InvalidArgument', 'id: this change needs the id of a rule.');
    const rule = this.#get(id);
    if (rule === null || rule.tier === 'built-in') throw new BastionError('NotFound', 'There is no rule with this id.');
    return rule;
  }

  #put(rule: Rule): void {
    this.#touched.set(rule.id, rule);
  }

  #add(wanted: string | undefined, edit: NonNullable<RuleChange['rule']>): void {
    if (edit.action === undefined) throw new BastionError('InvalidArgument', 'action: allow, deny, drop or ask is needed.');
    const id = wanted ?? triedId((one) => this.#get(one) !== null || this.#touched.has(one));
    if (this.#get(id) !== null) throw new BastionError('Conflict', 'There is a rule with this id already.');
    const { nowMs, users } = this.#context;
    const draft = applyEdit(blankDraft(id), { ...edit, id }, nowMs);
    this.#put(ruleOf(draft, { tier: 'user', created: nowMs, source: null }, users));
  }

  #changed(before: Rule, edit: NonNullable<RuleChange['rule']>): Rule {
    if (edit.id !== undefined && edit.id !== before.id) throw new BastionError('InvalidArgument', 'id: a rule keeps its id.');
    const { nowMs, users } = this.#context;
    const draft = applyEdit(draftOf(before, users), edit, nowMs);
    return ruleOf(draft, before, users, draft.lifetime === before.lifetime ? before.match : {});
  }
}

/** Throws BastionError InvalidArgument, NotFound and Conflict. */
export function previewChanges(changes: readonly RuleChange[], context: PreviewContext): RulePreview {
  const preview = new Preview(context);
  for (const change of changes) preview.apply(change);
  return preview.result();
}
