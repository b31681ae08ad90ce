/**
 * Names that DNS answers gave for addresses, each with the program that asked. Pure: what may enter is decided before, see
 * engine/name-desk.ts. A name is shown for as long as it may still explain a connection; for a decision only its TTL counts.
 */
import type { BootNs, ExecutableId, KnownName } from '../contract/vocabulary.ts';
import { SharedTable } from './shared-table.ts';
import type { SharedLimits } from './shared-table.ts';

export const NAME_LIMITS: SharedLimits = { total: 32_768, perUser: 4096, kept: 512 };
/** Names told for one address. */
export const NAMES_SHOWN = 8;
/** Names kept for one address and program, and for one address and all services of the system; the oldest leaves. */
export const NAMES_KEPT = 32;

const NS_PER_S = 1_000_000_000n;
/** A longer TTL is cut to a day: what is never asked again is nobody's name after that. */
const LONGEST_TTL_S = 86_400;
/** An answer with TTL 0 is for the connection that follows it, and a program takes a moment to make that. Source: RFC 1035 3.2.1. */
const SHORTEST_FRESH_S = 10;
/** Programs go on using an address after its TTL; so long its name is still shown. */
const SHOWN_AFTER_TTL_S = 3600;
/** How often a full table is searched for what is over. */
const PRUNE_EVERY_NS = 60n * NS_PER_S;

/** Whose question it was: one program of one user. */
export interface Asker {
  readonly executable: ExecutableId;
  readonly uid: number;
  /** Whose share of the table it fills: the uid, or one number for all who are no users of this machine. */
  readonly budget: number;
  /** A service of the system, which may have asked on behalf of any program. */
  readonly system: boolean;
}

export interface NamedAddress {
  /** Canonical text; IPv4 where it is a mapped one. */
  readonly address: string;
  readonly ttlS: number;
}

interface Entry {
  readonly budget: number;
  readonly key: string;
  readonly name: string;
  /** The lists of `#lists` that it is in. */
  readonly lists: readonly string[];
  readonly freshUntilNs: BootNs;
  readonly shownUntilNs: BootNs;
}

/** One text for one program of one user. */
export function programKey(executable: ExecutableId, uid: number): string {
  const { device, inode, generation, ctimeSec } = executable;
  return [String(device), String(inode), String(generation), String(ctimeSec), String(uid)].join('.');
}

function listKey(program: string, address: string): string {
  return `${program} ${address}`;
}

/** No program's key. */
const SYSTEM = 'system';

export class NameTable {
  readonly #entries: SharedTable<Entry>;
  /** By program and address, and by address for what services of the system asked; the newest last. */
  readonly #lists = new Map<string, Set<Entry>>();
  readonly #prunedNs = new Map<number, BootNs>();
  readonly #limits: SharedLimits;
  #crowdedOut = 0;

  constructor(limits: SharedLimits = NAME_LIMITS) {
    this.#limits = limits;
    this.#entries = new SharedTable(limits, (entry) => { this.#forget(entry); });
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Names that were left out, or left early, because of a limit. */
  get lost(): number {
    return this.#entries.evicted + this.#entries.refused + this.#crowdedOut;
  }

  /** What one answer said of the name that `asker` asked for. */
  record(asker: Asker, name: string, addresses: readonly NamedAddress[], nowNs: BootNs): void {
    const program = programKey(asker.executable, asker.uid);
    for (const { address, ttlS } of addresses) {
      const seconds = Math.min(Math.max(Math.trunc(ttlS), 0), LONGEST_TTL_S);
      this.#prune(asker.budget, nowNs);
      const own = listKey(program, address);
      const entry: Entry = {
        budget: asker.budget, key: `${own} ${name}`, name, lists: asker.system ? [own, listKey(SYSTEM, address)] : [own],
        freshUntilNs: nowNs + BigInt(Math.max(seconds, SHORTEST_FRESH_S)) * NS_PER_S,
        shownUntilNs: nowNs + BigInt(seconds + SHOWN_AFTER_TTL_S) * NS_PER_S,
      };
      if (this.#entries.set(entry.budget, entry.key, entry)) for (const list of entry.lists) this.#enlist(list, entry);
    }
  }

  /**
   * The names that a flow of this program to this address may have come from: those that it asked for itself, then `hosts`,
   * then those that services of the system asked for; the most recent first, each once, at most `NAMES_SHOWN`. Names that
   * other programs asked for are not told, of whichever user. `program` is null where nobody knows it.
   */
  namesFor(program: string | null, address: string, hosts: readonly string[], nowNs: BootNs): readonly KnownName[] {
    const named: readonly KnownName[] = [
      ...(program === null ? [] : this.#shown(listKey(program, address), nowNs)).map((name): KnownName => ({ name, source: 'program' })),
      ...hosts.map((name): KnownName => ({ name, source: 'hosts' })),
      ...this.#shown(listKey(SYSTEM, address), nowNs).map((name): KnownName => ({ name, source: 'machine' })),
    ];
    if (named.length < 2) return named;
    const seen = new Set<string>();
    return named.filter(({ name }) => !seen.has(name) && seen.add(name)).slice(0, NAMES_SHOWN);
  }

  /** Did an answer to this program's own question, whose TTL has not ended, give this address for this name? */
  gave(program: string, name: string, address: string, nowNs: BootNs): boolean {
    for (const entry of this.#lists.get(listKey(program, address)) ?? []) {
      if (entry.name === name && entry.freshUntilNs > nowNs) return true;
    }
    return false;
  }

  /** The newest first. */
  #shown(list: string, nowNs: BootNs): readonly string[] {
    const entries = this.#lists.get(list);
    if (entries === undefined) return [];
    return [...entries].reverse().filter((entry) => entry.shownUntilNs > nowNs).map(({ name }) => name);
  }

  #enlist(list: string, entry: Entry): void {
    const entries = this.#lists.get(list) ?? new Set<Entry>();
    this.#lists.set(list, entries.add(entry));
    if (entries.size <= NAMES_KEPT) return;
    const [oldest] = entries;
    if (oldest !== undefined && this.#entries.delete(oldest.budget, oldest.key)) this.#crowdedOut += 1;
  }

  #prune(budget: number, nowNs: BootNs): void {
    const full = this.#entries.size >= this.#limits.total || this.#entries.sizeOf(budget) >= this.#limits.perUser;
    if (!full || nowNs - (this.#prunedNs.get(budget) ?? 0n) < PRUNE_EVERY_NS) return;
    this.#prunedNs.set(budget, nowNs);
    this.#entries.prune(budget, (entry) => entry.shownUntilNs <= nowNs);
  }

  #forget(entry: Entry): void {
    for (const list of entry.lists) {
      const entries = this.#lists.get(list);
      entries?.delete(entry);
      if (entries?.size === 0) this.#lists.delete(list);
    }
  }
}
