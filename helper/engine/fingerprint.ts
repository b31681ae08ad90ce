/** One number for everything that decides: two helpers with the same one would remember the same. */
import { createHash } from 'node:crypto';
import type { BootNs, Mode, Rule } from '../contract/vocabulary.ts';
import type { Settings } from '../ports.ts';

/** Raised when decisions come to mean something else although rules and settings are the same. */
const MEANING = 1;

export interface Deciding {
  /** Those in force, in an order that follows from their ids alone. */
  readonly rules: readonly Rule[];
  readonly settings: Settings;
  /** In force: a trial goes before the settings. */
  readonly mode: Mode;
  readonly pausedUntilNs: BootNs | null;
  readonly sessions: ReadonlySet<string>;
}

/** Rules are many and change one at a time. */
const digests = new WeakMap<Rule, string>();

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function ruleDigest(rule: Rule): string {
  const known = digests.get(rule);
  if (known !== undefined) return known;
  const { id, action, lifetime, match, priority, tier } = rule;
  const { path, uid, address, ports, protocols, schedule, process, session } = match;
  // Not the age: it decides only between rules that say the same, and a file knows it less exactly than the memory.
  const digest = digestOf(JSON.stringify([
    id, action, tier, priority, typeof lifetime === 'object' ? lifetime.until : null, path, uid, address,
    ports?.map(({ first, last }) => [first, last]), protocols,
    schedule === undefined ? null : [schedule.days, schedule.fromMinute, schedule.toMinute],
    process === undefined ? null : [process.pid, String(process.startNs)], session,
  ])).toString('base64');
  digests.set(rule, digest);
  return digest;
}

/** 64 bits, never 0n. */
export function fingerprint({ rules, settings, mode, pausedUntilNs, sessions }: Deciding): bigint {
  const { defaultAction, untracked, forwarded, requireKernelIdentity } = settings;
  const parts = [
    MEANING, mode, defaultAction, untracked, forwarded, requireKernelIdentity, String(pausedUntilNs),
    rules.some(({ match }) => match.session !== undefined) ? [...sessions].sort() : [],
    rules.map(ruleDigest).join(''),
  ];
  const value = digestOf(JSON.stringify(parts)).readBigUInt64LE();
  return value === 0n ? 1n : value;
}
