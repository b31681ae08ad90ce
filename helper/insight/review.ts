/** Rule hygiene: rules that do nothing, and why. Nothing is claimed that is not proved. */
import type { Rule } from '../contract/vocabulary.ts';
import { isOver } from '../policy/facts.ts';
import { compareRules, rankRule } from '../policy/order.ts';
import { coversRule } from './cover.ts';
import { findShadows } from './shadows.ts';
import type { Shadow } from './shadows.ts';

/**
 * expired: its end has passed. duplicate: another one says the same. shadowed: another one goes before it and matches all that
 * it matches. missing: the file that it names is gone. unused: it decided nothing for a month or longer.
 */
export const FINDINGS = ['expired', 'duplicate', 'shadowed', 'missing', 'unused'] as const;
export type FindingKind = (typeof FINDINGS)[number];

export interface Finding {
  readonly kind: FindingKind;
  readonly rule: Rule;
  /** The rule that takes its place, for duplicate and shadowed. */
  readonly by: Rule | null;
  /** The path that is gone, for missing. */
  readonly path: string | null;
  /** Since when it was looked at, ms since 1970, for unused; its end, for expired. */
  readonly sinceMs: number | null;
}

export interface ReviewOptions {
  /** Every rule but the built-in ones, switched-off ones included. */
  readonly rules: readonly Rule[];
  /** Ids of those in force. */
  readonly inForce: ReadonlySet<string>;
  /** Last use that anybody knows of, by id, ms since 1970. */
  readonly lastUsedMs: ReadonlyMap<string, number>;
  /** From when on every use is known; null when nothing is. */
  readonly usesKnownSinceMs: number | null;
  readonly nowMs: number;
  /** Is a file of this path certainly not there? */
  readonly isGone: (path: string) => boolean;
}

export interface Review {
  readonly findings: readonly Finding[];
  /** False: there were too many rules alike to compare them all. */
  readonly isComplete: boolean;
}

/** Shorter, and a rule for something monthly would be called unused. */
export const UNUSED_MS = 30 * 86_400_000;

function finding(kind: FindingKind, rule: Rule, change: Partial<Finding> = {}): Finding {
  return { kind, rule, by: null, path: null, sinceMs: null, ...change };
}

function isDuplicate({ rule, by }: Shadow): boolean {
  return rule.action === by.action && coversRule(rule, by);
}

function goneFile({ match }: Rule, isGone: (path: string) => boolean): string | null {
  const files = [match.script, match.appImage, match.path].filter((path) => path?.startsWith('/') === true);
  return files.find((path) => path !== undefined && isGone(path)) ?? null;
}

/** Since when the rule, which could have decided, has not; null where it has, or where that is not known for long enough. */
function unusedSince(rule: Rule, { lastUsedMs, usesKnownSinceMs, nowMs }: ReviewOptions): number | null {
  if (usesKnownSinceMs === null) return null;
  const sinceMs = Math.max(usesKnownSinceMs, rule.created);
  return nowMs - sinceMs >= UNUSED_MS && (lastUsedMs.get(rule.id) ?? 0) < sinceMs ? sinceMs : null;
}

/** At most one finding for each rule: the first of FINDINGS that is true of it. Sorted by kind, then by id. */
export function reviewRules(options: ReviewOptions): Review {
  const { rules, inForce, nowMs, isGone } = options;
  const isLiving = (rule: Rule): boolean => inForce.has(rule.id) && rule.enabled && !isOver(rule, nowMs);
  const ranked = rules.filter(isLiving).map(rankRule).filter((entry) => entry !== null).sort(compareRules);
  const { found, isComplete } = findShadows(ranked);
  const shadows = new Map(found.map((shadow) => [shadow.rule.id, shadow]));
  const findings = rules.flatMap((rule) => {
    if (typeof rule.lifetime === 'object' && isOver(rule, nowMs)) return [finding('expired', rule, { sinceMs: rule.lifetime.until })];
    const shadow = shadows.get(rule.id);
    if (shadow !== undefined) return [finding(isDuplicate(shadow) ? 'duplicate' : 'shadowed', rule, { by: shadow.by })];
    // The vendor's rules are for whichever of their programs is installed.
    if (rule.tier === 'vendor') return [];
    const path = goneFile(rule, isGone);
    if (path !== null) return [finding('missing', rule, { path })];
    const sinceMs = isLiving(rule) ? unusedSince(rule, options) : null;
    return sinceMs === null ? [] : [finding('unused', rule, { sinceMs })];
  });
  findings.sort((a, b) => FINDINGS.indexOf(a.kind) - FINDINGS.indexOf(b.kind) || (a.rule.id < b.rule.id ? -1 : 1));
  return { findings, isComplete };
}
