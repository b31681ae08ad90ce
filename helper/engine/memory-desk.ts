/**
 * Keeps what the data path remembers equal to what the rules say: with a change of the rules everything that was remembered
 * is decided again in the same turn, at the end of a memory only what ends. What nobody has decided any more is left out, and
 * the data path asks about it with its next packet.
 */
import { isDeepStrictEqual } from 'node:util';
import type { BootNs } from '../contract/vocabulary.ts';
import type { Ask, DataPath, IdentityNews, Logger, RememberedDecision, RememberedFlow } from '../ports.ts';
import { Alarm } from './alarm.ts';
import { factsOf } from './decide.ts';
import type { Decider, Held } from './decider.ts';
import type { EngineDeps } from './deps.ts';
import { fingerprint } from './fingerprint.ts';
import type { HitSlots } from './hit-slots.ts';
import type { Ledger, LedgerEntry } from './ledger.ts';
import type { Modes } from './modes.ts';
import type { RuleBook } from './rule-book.ts';
import type { Turn } from './turn.ts';

/** Files that are looked at, and processes that are looked for, in one turn: each costs system calls. */
const LOOKS = 1024;
/** How often the files of programs that are remembered are looked at, and how many of them, by turns. */
const FILES_NS = 2_000_000_000n;
const FILES_AT_ONCE = 256;
/** Reading the counts of every rule costs a system call for each: who lists rules more often sees the same counts. */
const COUNT_AGAIN_NS = 1_000_000_000n;

export interface MemoryDeskOptions {
  readonly deps: Pick<EngineDeps, 'clock' | 'identities' | 'lists' | 'processes' | 'schedule'> & { readonly logger: Logger };
  readonly book: RuleBook;
  readonly modes: Modes;
  readonly decider: Decider;
  readonly ledger: Ledger;
  readonly slots: HitSlots;
  /** See `ContainerDesk.digest`. */
  readonly containersDigest: (patterns: readonly string[]) => string;
  /** The flow by what is known of its program now; null where that has to be looked up first. */
  again(ask: Ask): Ask | null;
  /** The flow with the containers that are at its ends now. */
  within(held: Held): Held;
  /** A memory ends, or the file of a program was replaced: `renew` wants a turn. */
  onDue(): void;
}

/** Answers that are asked for many times in one turn, and looked for once. */
class Looks {
  readonly #known = new Map<string, boolean>();
  #left = LOOKS;

  /** True too where too much was looked for already: what has gone, or was replaced, is found out later. */
  is(key: string, look: () => boolean): boolean {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const found = this.#left <= 0 || look();
    this.#left -= 1;
    this.#known.set(key, found);
    return found;
  }
}

/** Of a program that has to be looked at again first: what was known goes on counting, or it is asked about anew. */
type Knowledge = 'as known before' | 'as known now';

function sameMemories(before: readonly LedgerEntry[], after: readonly LedgerEntry[]): boolean {
  return before.length === after.length && before.every((entry, index) => {
    const then = after[index];
    return then?.action === entry.action && isDeepStrictEqual(then.memory, entry.memory);
  });
}

export class MemoryDesk {
  readonly #options: MemoryDeskOptions;
  readonly #endAlarm: Alarm;
  readonly #fileAlarm: Alarm;
  #dataPath: DataPath | null = null;
  /** Of what the data path remembers now; null where that is not known. */
  #policy: bigint | null = null;
  /** Of the ledger's programs, those whose file is another one now. */
  readonly #replaced = new Set<string>();
  #nextFile = 0;
  #countedNs: BootNs | null = null;

  constructor(options: MemoryDeskOptions) {
    this.#options = options;
    const { schedule } = options.deps;
    this.#endAlarm = new Alarm(schedule, () => { options.onDue(); });
    this.#fileAlarm = new Alarm(schedule, () => {
      if (this.#lookAtFiles()) options.onDue();
      else this.#arm();
    });
  }

  /** What an earlier helper let this data path remember is kept if the rules are the same. */
  attach(dataPath: DataPath | null): void {
    const { ledger, slots } = this.#options;
    this.#dataPath = dataPath;
    this.#policy = null;
    this.#arm();
    if (dataPath === null) return;
    this.#set(dataPath);
    const policy = this.#assign();
    if (!dataPath.adopt(policy)) {
      ledger.fill([]);
      dataPath.replaceAll({ programs: [], flows: [], policy });
    }
    slots.begin(dataPath.hits(), dataPath.generation());
    this.#policy = policy;
    this.#arm();
  }

  /** Rules, mode, pause or settings may be others now. Programs are as they were known: of a change there, `refreshAll` tells. */
  refresh(turn: Turn): void {
    if (this.#dataPath === null) return;
    this.#set(this.#dataPath);
    const policy = this.#assign();
    if (policy !== this.#policy) this.#replace(policy, this.#decideAll(turn), this.#dataPath);
    this.#arm();
  }

  /** Programs may be others than they were known as: all is decided again. */
  refreshAll(turn: Turn, news: IdentityNews): void {
    const { ledger } = this.#options;
    if (this.#dataPath === null || this.#policy === null) return;
    const policy = this.#assign();
    const entries = this.#decideAll(turn, 'as known now');
    // No ledger knows what an earlier helper let the data path remember: it is not given up where nothing else changes.
    if (news === 'more' && policy === this.#policy && this.#replaced.size === 0 && sameMemories(ledger.all(), entries)) ledger.fill(entries);
    else this.#replace(policy, entries, this.#dataPath);
    this.#arm();
  }

  /** Decides again what ends now, and everything after a program's file was replaced. */
  renew(turn: Turn): void {
    const { ledger } = this.#options;
    if (this.#dataPath === null || this.#policy === null) return;
    if (this.#replaced.size > 0) this.#replace(this.#policy, this.#decideAll(turn), this.#dataPath);
    else if (ledger.endsNs !== null && ledger.endsNs <= turn.instant.bootNs) this.#decideDue(turn, this.#policy, this.#dataPath);
    this.#arm();
  }

  /** Follows new entries: call it when a turn has ended. */
  follow(): void {
    this.#arm();
  }

  /** Adds what the kernel counted meanwhile to the uses of the rules; emits nothing. */
  countHits(): void {
    const { deps: { clock } } = this.#options;
    const nowNs = clock.bootNs();
    if (this.#dataPath === null || (this.#countedNs !== null && nowNs - this.#countedNs < COUNT_AGAIN_NS)) return;
    this.#countedNs = nowNs;
    this.#count(this.#dataPath);
  }

  /** Decisions that a limit pushed out: they are asked about again. */
  get lost(): number {
    return this.#options.ledger.lost;
  }

  close(): void {
    this.#dataPath = null;
    this.#endAlarm.set(null);
    this.#fileAlarm.set(null);
  }

  #set(dataPath: DataPath): void {
    const { modes } = this.#options;
    dataPath.setGate(modes.gate());
    // Without a history nothing is paid for it.
    dataPath.setTellFlows(modes.settings.history?.enabled !== false);
  }

  #assign(): bigint {
    const { book, containersDigest, deps: { identities, lists }, modes, slots } = this.#options;
    slots.assign(book.countedIds());
    const { settings, zones: { assigned }, mode, pausedUntilNs, sessions, trialTerms: trial } = modes;
    return fingerprint({ rules: book.sum, settings, assigned, mode, pausedUntilNs, trial, sessions, contents: [identities.digest(), lists.digest(), containersDigest(book.sum.containers)] });
  }

  #count(dataPath: DataPath): void {
    const { book, deps: { clock }, slots } = this.#options;
    const wallMs = clock.wallMs();
    slots.count(dataPath.hits(), (ruleId, count) => {
      if (book.has(ruleId)) book.hit(ruleId, wallMs, count);
    });
  }

  #replace(policy: bigint, entries: readonly LedgerEntry[], dataPath: DataPath): void {
    const { ledger, slots } = this.#options;
    const programs: RememberedDecision[] = [];
    const flows: RememberedFlow[] = [];
    for (const { memory } of entries) {
      if (memory.program !== null) programs.push(memory.program);
      else if (memory.flow !== null) flows.push(memory.flow);
    }
    this.#replaced.clear();
    this.#count(dataPath);
    dataPath.replaceAll({ programs, flows, policy });
    slots.begin(dataPath.hits(), dataPath.generation());
    ledger.fill(entries);
    this.#policy = policy;
  }

  #decideAll(turn: Turn, programs: Knowledge = 'as known before'): readonly LedgerEntry[] {
    const files = new Looks();
    return this.#options.ledger.all().map((entry) => this.#decide(entry, files, turn, programs)).filter((entry) => entry !== null);
  }

  /** What goes on under the same key is written again; where anything else changes, all is replaced. */
  #decideDue(turn: Turn, policy: bigint, dataPath: DataPath): void {
    const { ledger } = this.#options;
    const [files, living] = [new Looks(), new Looks()];
    const again: RememberedDecision[] = [];
    const entries: LedgerEntry[] = [];
    let others = false;
    for (const entry of ledger.all()) {
      const { endsNs, key } = entry.memory;
      const due = endsNs !== null && endsNs <= turn.instant.bootNs;
      // A flow of a process that has gone would be written again each minute.
      if (due && !this.#lives(entry, living)) continue;
      const after = due ? this.#decide(entry, files, turn) : entry;
      if (after !== null) entries.push(after);
      const program = after?.memory.key === key ? after.memory.program : null;
      if (due && program !== null) again.push(program);
      else if (due) others = true;
    }
    if (others) {
      this.#replace(policy, entries, dataPath);
      return;
    }
    if (again.length > 0) dataPath.remember(again);
    ledger.fill(entries);
  }

  /** Can the flow still be there? */
  #lives({ memory, held: { ask: { attribution: { owner } } } }: LedgerEntry, living: Looks): boolean {
    if (memory.program !== null || owner === null) return true;
    const { pid, startNs } = owner;
    return living.is(`${String(pid)} ${String(startNs)}`, () => this.#options.deps.processes.alive(pid, startNs));
  }

  /** A failure leaves the flow undecided. */
  #decide(entry: LedgerEntry, files: Looks, turn: Turn, programs: Knowledge = 'as known before'): LedgerEntry | null {
    try {
      const verified = this.#verified(entry, files, programs);
      if (verified === null) return null;
      const held = this.#options.within(verified);
      const after = this.#options.decider.redecide(held, entry.memory, turn);
      if (after?.memory.lasting !== true) return null;
      return { ...after, file: held.ask.attribution.identity.path === null ? '' : entry.file };
    } catch (error: unknown) {
      this.#options.deps.logger.log('error', 'what was remembered could not be decided again', { error: String(error) });
      return null;
    }
  }

  /** Is the program's file still the one that runs? If not, its path is a claim from now on. null: who it is is being looked up. */
  #verified({ held, file }: LedgerEntry, files: Looks, programs: Knowledge): Held | null {
    const { ask } = held;
    const { owner, identity: { path } } = ask.attribution;
    const dataPath = this.#dataPath;
    if (ask.origin !== 'process' || owner === null || path === null || dataPath === null) return held;
    if (!this.#replaced.has(file) && files.is(file, () => dataPath.verify(owner.executable, path))) {
      const known = this.#options.again(ask);
      if (known === null) return programs === 'as known before' ? held : null;
      if (known.attribution === ask.attribution) return held;
      return { ask: known, facts: factsOf(known, held.facts.names, held.facts.containers) };
    }
    const attribution = { ...ask.attribution, identity: { path: null }, claimedPath: path, confidence: 'unknown' } as const;
    const unverified = { ...ask, attribution };
    return { ask: unverified, facts: factsOf(unverified, held.facts.names, held.facts.containers) };
  }

  /** True when one was replaced. */
  #lookAtFiles(): boolean {
    const dataPath = this.#dataPath;
    const programs = new Map<string, LedgerEntry>();
    for (const entry of this.#options.ledger.all()) if (entry.file !== '') programs.set(entry.file, entry);
    const all = [...programs.values()];
    const from = this.#nextFile < all.length ? this.#nextFile : 0;
    this.#nextFile = from + FILES_AT_ONCE;
    for (const { file, held: { ask: { attribution: { owner, identity: { path } } } } } of all.slice(from, this.#nextFile)) {
      if (owner !== null && path !== null && dataPath?.verify(owner.executable, path) === false) this.#replaced.add(file);
    }
    return this.#replaced.size > 0;
  }

  #arm(): void {
    const { deps: { clock }, ledger } = this.#options;
    const idle = this.#dataPath === null || ledger.size === 0;
    this.#endAlarm.set(this.#dataPath === null ? null : ledger.endsNs);
    if (idle) this.#fileAlarm.set(null);
    else if (!this.#fileAlarm.isSet) this.#fileAlarm.set(clock.bootNs() + FILES_NS);
  }
}
