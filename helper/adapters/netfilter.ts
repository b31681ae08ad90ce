/** The netfilter rules of the helper: port `Ruleset` on iptables-nft or iptables-legacy. */
import { readFile } from 'node:fs/promises';
import { BastionError, reasonOf } from '../contract/errors.ts';
import type { Logger, Ruleset, RulesetCheck, RulesetMend, RulesetSpec } from '../ports.ts';
import type { NativeBinding } from '../../native/binding.ts';
import { BOOT_TABLE } from './netfilter/boot-rules.ts';
import { BUILT_IN, checkSpec, mappedUidRanges, rulesOf } from './netfilter/rules.ts';
import type { Family, TableRules } from './netfilter/rules.ts';
import { OwnTools, describeChange } from './netfilter/changes.ts';
import { CHAIN_PREFIX, parseSaved } from './netfilter/saved.ts';
import type { SavedTables } from './netfilter/saved.ts';
import { RefusedPackets } from './netfilter/refused.ts';
import { BACKENDS, emptyChains, findTools, listCounters, listRules, restoreRules } from './netfilter/tool.ts';
import type { Backend, Tools } from './netfilter/tool.ts';
import { faults, faultyTables, transaction } from './netfilter/transaction.ts';
import type { Applied } from './netfilter/transaction.ts';

const FAMILIES: readonly Family[] = [4, 6];

/** Another tool may change a table between our listing and our restore; each attempt starts from a fresh listing. */
const ATTEMPTS = 4;

/** Calls that may wait for the one that runs; the helper itself never has more than two. */
const WAITING_LIMIT = 8;

/** A sentence about rules stays readable in a status page. */
const DETAIL_LIMIT = 2000;

function familyName(family: Family): string {
  return family === 4 ? 'IPv4' : 'IPv6';
}

function requireTools(backend: Backend, family: Family): Tools {
  const tools = findTools(backend, family);
  if (tools === null) {
    throw new BastionError('NotSupported', `The tools of ${backend} for ${familyName(family)} are not installed (package iptables).`);
  }
  return tools;
}

/** At the same time: what takes long is the tools' start. Rejects, when both are through, with the first error. */
async function bothFamilies<T>(work: (family: Family) => Promise<T>): Promise<T[]> {
  const outcomes = await Promise.allSettled(FAMILIES.map(work));
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
}

async function uidRanges(): Promise<string[]> {
  const ranges = mappedUidRanges(await readFile('/proc/self/uid_map', 'utf8'));
  if (ranges.length === 0) throw new BastionError('NotSupported', 'The user namespace maps no user.');
  return ranges;
}

export interface RulesetOptions {
  readonly backend?: Backend;
  readonly logger: Logger;
  readonly native: Pick<NativeBinding, 'watchNetfilter' | 'removeBaseRules'>;
  /** Processes whose changes are the helper's own, where others start some too. */
  readonly ownTools?: OwnTools;
}

class IptablesRuleset implements Ruleset {
  readonly backend: Backend;
  readonly builtIn = BUILT_IN;
  readonly #logger: Logger;
  readonly #native: RulesetOptions['native'];
  readonly #ownTools: OwnTools;
  readonly #applied = new Map<Family, Applied>();
  readonly #refused = new RefusedPackets({
    list: async (family) => listCounters(requireTools(this.backend, family)), nowMs: () => performance.now(),
  });
  #running: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(backend: Backend, { logger, native, ownTools = new OwnTools() }: RulesetOptions) {
    this.backend = backend;
    this.#logger = logger;
    this.#native = native;
    this.#ownTools = ownTools;
  }

  apply(spec: RulesetSpec): Promise<void> {
    return this.#inTurn(async () => {
      checkSpec(spec);
      const ranges = await uidRanges();
      await this.#refused.duringChange(() => bothFamilies(async (family) => {
        const wanted = rulesOf(family, spec, ranges);
        const tools = requireTools(this.backend, family);
        const saved = await this.#settle(tools, family, wanted, await this.#refused.replacing(family, spec.inbound));
        this.#applied.set(family, { wanted, saved });
      }));
      await this.#cleanOtherBackend();
      // Not before both families hold: nothing leaves in between.
      this.#removeBaseRules();
    });
  }

  check(): Promise<RulesetCheck> {
    return this.#inTurn(async () => {
      const found: string[] = [];
      for (const family of FAMILIES) {
        const applied = this.#applied.get(family);
        if (applied === undefined) {
          found.push(`${familyName(family)}: no rules were applied`);
          continue;
        }
        const now = parseSaved(await listRules(requireTools(this.backend, family)));
        found.push(...faults(applied.wanted, now, applied.saved).map((fault) => `${familyName(family)} ${fault}`));
      }
      const detail = found.length === 0 ? `one set of rules in ${this.backend}` : found.join('; ').slice(0, DETAIL_LIMIT);
      return { intact: found.length === 0, detail };
    });
  }

  mend(): Promise<RulesetMend> {
    return this.#inTurn(async () => {
      const mended = bothFamilies((family) => this.#mendFamily(family));
      const found = (await mended.catch((error: unknown) => { throw new BastionError('Failed', reasonOf(error), { cause: error }); })).flat();
      if (this.#removeBaseRules()) found.push('the closed rules of the start were there again');
      return { mended: found.length > 0, detail: found.join('; ').slice(0, DETAIL_LIMIT) };
    });
  }

  watch(changed: (by: string) => void): { close(): void } {
    return this.#native.watchNetfilter({ legacy: this.backend === 'iptables-legacy' }, (changes) => {
      const by = describeChange(changes, this.#ownTools);
      if (by !== null) changed(by);
    });
  }

  refusedInbound(): Promise<ReadonlyMap<string, number>> {
    // Not in turn: whoever asks for it must not keep the rules waiting.
    return this.#refused.current();
  }

  remove(): Promise<void> {
    return this.#inTurn(async () => {
      this.#applied.clear();
      const failures: unknown[] = [];
      await this.#refused.duringChange(() => bothFamilies((family) => this.#removeFamily(family).catch((error: unknown) => { failures.push(error); })));
      await this.#cleanOtherBackend();
      try {
        this.#removeBaseRules();
      } catch (error: unknown) {
        failures.push(error);
      }
      if (failures.length > 0) {
        const why = `Some of the firewall rules could not be removed: ${reasonOf(failures[0])} To remove them without the helper: sudo bastion-rescue`;
        throw new BastionError('Failed', why, { cause: failures[0] });
      }
    });
  }

  /**
   * What differed, in words. Tables without a fault are left alone: a commit takes the kernel 10 ms or more. It is not verified once more: whoever changes it again is told of by the watch. The listing that
   * counts stays the one after `apply`: a foreign rule must not become ours here.
   */
  async #mendFamily(family: Family): Promise<string[]> {
    const applied = this.#applied.get(family);
    if (applied === undefined) throw new BastionError('Failed', `No ${familyName(family)} rules were applied.`);
    const tools = requireTools(this.backend, family);
    let last: unknown = null;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const now = parseSaved(await listRules(tools));
      const found = faults(applied.wanted, now, applied.saved);
      if (found.length === 0) return [];
      try {
        await this.#restore(tools, transaction(now, applied.wanted, faultyTables(found)));
        return found.map((fault) => `${familyName(family)} ${fault}`);
      } catch (error: unknown) {
        last = error;
      }
    }
    throw new BastionError('Failed', `The ${familyName(family)} rules could not be put back: ${reasonOf(last)}`, { cause: last });
  }

  /**
   * Makes it so and verifies it; the listing that was verified. Throws BastionError Conflict where the rules could be put in
   * place and somebody else changed them each time. `replaced` hears that they are new, also where they are not verified after.
   */
  async #settle(tools: Tools, family: Family, wanted: readonly TableRules[], replaced?: () => void): Promise<SavedTables> {
    let last: unknown = null;
    let code: 'Conflict' | 'Failed' = 'Failed';
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      try {
        await this.#restore(tools, transaction(parseSaved(await listRules(tools)), wanted));
      } catch (error: unknown) {
        last = error;
        continue;
      }
      replaced?.();
      try {
        const saved = parseSaved(await listRules(tools));
        const wrong = faults(wanted, saved, null);
        if (wrong.length === 0) return saved;
        code = 'Conflict';
        last = new Error(wrong.join('; ').slice(0, DETAIL_LIMIT));
      } catch (error: unknown) {
        last = error;
      }
    }
    throw new BastionError(code, `The ${familyName(family)} rules could not be put in place: ${reasonOf(last)}`, { cause: last });
  }

  async #restore(tools: Tools, text: string): Promise<void> {
    if (text !== '') await restoreRules(tools, text, (pid) => { this.#ownTools.add(pid); });
  }

  /** Where iptables-nft cannot use a table, ours are emptied instead: what is left of them does nothing. */
  async #removeFamily(family: Family): Promise<void> {
    const replaced = await this.#refused.replacing(family, undefined);
    try {
      await this.#settle(requireTools(this.backend, family), family, [], replaced);
    } catch (error: unknown) {
      if (this.backend !== 'iptables-nft') throw error;
      await emptyChains(family, CHAIN_PREFIX).catch(() => { throw error; });
      replaced();
      this.#logger.log('warning', 'chains could not be removed and were emptied instead', { family, why: reasonOf(error) });
    }
  }

  /** The other backend's rules are in force too; a table that cannot be listed there holds nothing of ours. */
  async #cleanOtherBackend(): Promise<void> {
    const backend = BACKENDS.find((other) => other !== this.backend);
    if (backend === undefined) return;
    await bothFamilies(async (family) => {
      const tools = findTools(backend, family);
      if (tools === null) return;
      try {
        const text = transaction(parseSaved(await listRules(tools)), []);
        if (text === '') return;
        await this.#settle(tools, family, []);
        this.#logger.log('info', 'removed earlier rules of the other backend', { backend, family });
      } catch (error: unknown) {
        const why = reasonOf(error);
        this.#logger.log('warning', 'could not look for earlier rules of the other backend', { backend, family, why });
      }
    });
  }

  /** False where there are none. Throws BastionError Conflict: the rules with the kernel's programs are not at fault. */
  #removeBaseRules(): boolean {
    // The kernel names the thread that commits, which is this process's first.
    this.#ownTools.add(process.pid);
    try {
      const removed = this.#native.removeBaseRules();
      if (removed) this.#logger.log('info', 'the closed rules of the start have done their work and were removed', { table: BOOT_TABLE });
      return removed;
    } catch (error: unknown) {
      const why = `The closed rules of the start (table inet ${BOOT_TABLE}) could not be removed: ${reasonOf(error)}`;
      throw new BastionError('Conflict', why, { cause: error });
    }
  }

  /** One at a time: two transactions built from the same listing would undo each other. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= WAITING_LIMIT) throw new BastionError('Busy');
    this.#waiting += 1;
    const turn = this.#running.then(work);
    this.#running = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#waiting -= 1;
    }
  }
}

/**
 * `backend`: iptables-nft if its tools are there, else iptables-legacy. Nothing is changed before `apply`.
 * Throws BastionError NotSupported when the tools are missing.
 */
export function createRuleset(options: RulesetOptions): Ruleset {
  const usable = (backend: Backend): boolean => FAMILIES.every((family) => findTools(backend, family) !== null);
  const backend = options.backend ?? BACKENDS.find(usable);
  if (backend === undefined || !usable(backend)) {
    throw new BastionError('NotSupported', 'Neither iptables-nft nor iptables-legacy is installed (package iptables).');
  }
  return new IptablesRuleset(backend, options);
}
