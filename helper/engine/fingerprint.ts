/** One number for everything that decides: two helpers with the same one would remember the same. */
import { hash } from 'node:crypto';
import type { BootNs, Mode, PortRange, Rule, RuleMatch } from '../contract/vocabulary.ts';
import type { InterfaceSettings, Settings } from '../ports.ts';
import type { TrialTerms } from './trial.ts';

/** Raised when decisions come to mean something else although rules and settings are the same. */
const MEANING = 3;
/** Of 32 bits. */
const WORDS = 8;

/** Everything in a match, by name: a part that is not here would change what is decided, and nobody would notice. */
const MATCH_KEYS = Object.keys({
  path: 1, package: 1, flatpak: 1, snap: 1, appImage: 1, script: 1, sha256: 1, pin: 1, includeChildren: 1, allScripts: 1, container: 1, ancestor: 1,
  domain: 1, list: 1, zone: 1, interface: 1, uid: 1, address: 1, ports: 1, protocols: 1, schedule: 1, process: 1, session: 1,
} satisfies Record<keyof RuleMatch, 1>) as readonly (keyof RuleMatch)[];

export interface Deciding {
  /** Of the rules in force. */
  readonly rules: RuleSum;
  readonly settings: Settings;
  /** What the zones of interfaces rest on besides settings. */
  readonly assigned: readonly InterfaceSettings[];
  /** In force: a trial goes before the settings. */
  readonly mode: Mode;
  readonly pausedUntilNs: BootNs | null;
  /** What is remembered ends with a trial; null for none. */
  readonly trial: TrialTerms | null;
  readonly sessions: ReadonlySet<string>;
  /** Of lists and trusted programs. */
  readonly contents: readonly string[];
}

/** The same text for the same content, whatever order its keys were made in. */
function partText(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === 'bigint') return String(part);
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1));
  });
}

/** Most rules have ports, and most have one. */
function portsText(ports: readonly PortRange[]): string {
  return ports.map(({ first, last }) => `${String(first)}-${String(last)}`).join(',');
}

function ruleText({ id, action, lifetime, match, priority, profile, tier }: Rule): string {
  // Not the age: it decides only between rules that say the same, and a file knows it less exactly than the memory.
  let text = JSON.stringify([id, action, tier, priority, typeof lifetime === 'object' ? lifetime.until : null, profile ?? null]);
  for (const key of MATCH_KEYS) {
    const value = key === 'ports' && match.ports !== undefined ? portsText(match.ports) : match[key];
    if (value !== undefined) text += `${key}:${typeof value === 'object' ? partText(value) : JSON.stringify(value)}`;
  }
  return text;
}

/**
 * What a set of rules amounts to: the sum of their hashes, so that one rule more or less costs one hash, and the order in which
 * they came does not matter.
 */
export class RuleSum {
  readonly #words = new Uint32Array(WORDS);
  #sessions = 0;
  readonly #containers = new Map<string, number>();

  add(rule: Rule): void {
    this.#count(rule, 1);
  }

  remove(rule: Rule): void {
    this.#count(rule, -1);
  }

  /** Does a rule depend on the login sessions? */
  get namesSessions(): boolean {
    return this.#sessions > 0;
  }

  /** Every name of containers in the rules. */
  get containers(): readonly string[] {
    return [...this.#containers.keys()];
  }

  /** The same for the same rules. */
  toString(): string {
    return this.#words.join(' ');
  }

  #count(rule: Rule, sign: 1 | -1): void {
    if (rule.match.session !== undefined) this.#sessions += sign;
    if (rule.match.container !== undefined) this.#countContainer(rule.match.container, sign);
    const bytes = hash('sha256', ruleText(rule), 'buffer');
    // The array cuts each sum to 32 bits.
    for (let at = 0; at < WORDS; at += 1) this.#words[at] = (this.#words[at] ?? 0) + sign * bytes.readUInt32LE(at * 4);
  }

  #countContainer(name: string, sign: 1 | -1): void {
    const count = (this.#containers.get(name) ?? 0) + sign;
    if (count > 0) this.#containers.set(name, count);
    else this.#containers.delete(name);
  }
}

/** 64 bits, never 0n. */
export function fingerprint({ rules, settings, assigned, mode, pausedUntilNs, trial, sessions, contents }: Deciding): bigint {
  const { defaultAction, untracked, forwarded, interfaces, defaultZone, requireKernelIdentity, zones = [] } = settings;
  const parts = [
    MEANING, mode, defaultAction, untracked, forwarded, requireKernelIdentity,
    interfaces ?? [], defaultZone ?? null, assigned.map(({ name, zone }) => [name, zone]), String(pausedUntilNs), trial === null ? [] : [String(trial.endsNs), trial.opens], contents,
    zones.filter(({ inbound }) => inbound === 'deny').map(({ name, inboundAllow }) => [name, inboundAllow]),
    rules.namesSessions ? [...sessions].sort() : [], rules.toString(),
  ];
  const value = hash('sha256', JSON.stringify(parts), 'buffer').readBigUInt64LE();
  return value === 0n ? 1n : value;
}
