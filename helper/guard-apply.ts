/** Puts rules in place that the kernel may not take in full: as many of them as it does. */
import { BastionError, reasonOf } from './contract/errors.ts';
import type { Ruleset, RulesetSpec } from './ports.ts';

/** What is in force, and why it is less than was wanted; null for what is whole. */
export interface AppliedRules {
  readonly spec: RulesetSpec;
  readonly withoutXt: string | null;
  readonly withoutInbound: string | null;
}

/** With what the system said, where the sentence leaves it out. */
function messageOf(error: unknown): string {
  const [message, reason] = [error instanceof Error ? error.message : String(error), reasonOf(error)];
  return message.includes(reason) ? message : `${message} ${reason}`;
}

/** What is tried after `spec`: what leaves comes before what comes in. */
function lesser(spec: RulesetSpec): readonly RulesetSpec[] {
  const { inbound, ...outbound } = spec;
  const plain = spec.xtPrograms === null ? [] : [{ ...spec, xtPrograms: null }];
  if (inbound === undefined) return plain;
  return [outbound, ...plain, ...(spec.xtPrograms === null ? [] : [{ ...outbound, xtPrograms: null }])];
}

/** What says nothing about what the kernel takes, and may pass: another tool disturbed it, or it had no turn. */
const PASSING: ReadonlySet<string> = new Set(['Conflict', 'Busy']);

/** Rejects where nothing of it can be had, and at once with BastionError Conflict or Busy: less would not be the remedy. */
export async function applyWhatGoes(ruleset: Pick<Ruleset, 'apply'>, wanted: RulesetSpec): Promise<AppliedRules> {
  let first: unknown = null;
  let last: unknown = null;
  for (const spec of [wanted, ...lesser(wanted)]) {
    try {
      await ruleset.apply(spec);
    } catch (error: unknown) {
      if (error instanceof BastionError && PASSING.has(error.code)) throw error;
      first ??= error;
      last = error;
      continue;
    }
    return {
      spec,
      withoutXt: spec.xtPrograms === wanted.xtPrograms ? null : messageOf(first),
      withoutInbound: spec.inbound === wanted.inbound ? null : messageOf(first),
    };
  }
  throw last;
}
