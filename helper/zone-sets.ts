/**
 * Keeps the addresses of zones in sets of nftables: on every change of interfaces and containers the difference goes to the kernel,
 * one atomic transaction for all sets after the other. What others take away is put back. What was put in is remembered, so that a
 * restart, `off` and bastion-rescue take out exactly that.
 */
import { BastionError, reasonOf } from './contract/errors.ts';
import { KeptSet, keyOf, wishesOf } from './kept-set.ts';
import type { Plan } from './kept-set.ts';
import type { AddressSets, Containers, LinkMonitor, Logger, NetworkLink, SetMemory, SetView, ZoneSettings } from './ports.ts';
import { RulesetWatch } from './ruleset-watch.ts';
import { SetReports } from './set-reports.ts';
import { addressesOf, ofZone } from './zones/addresses.ts';
import type { Place, ZoneAddresses } from './zones/addresses.ts';

/** How often sets are compared with the kernel even if nobody told of a change: elements of sets with a time to live end unsaid. */
const CHECK_MS = 60_000;
const FIRST_RETRY_MS = 1000;
/** A set that was read just now and could not be changed is tried so often before its part is tried alone. */
const TRIES = 3;
/** So long elements of the last run stay while an engine has not told its containers. */
const ENGINES_WAIT_MS = 10_000;
/** So long closing waits for what is under way: the kernel's rules have to be left in order within what systemd gives. */
const CLOSE_MS = 1000;

export interface ZoneSetsDeps {
  readonly links: Pick<LinkMonitor, 'current' | 'list' | 'onChanged'>;
  readonly containers: Pick<Containers, 'current' | 'engines' | 'onChanged'> | null;
  readonly sets: AddressSets;
  readonly memory: SetMemory;
  readonly logger: Logger;
  /** Where bastion.toml puts an interface. */
  placeOf(link: NetworkLink): Place | null;
  /** A steady clock, milliseconds. */
  nowMs(): number;
}

export class ZoneSets {
  readonly #deps: ZoneSetsDeps;
  readonly #watch: RulesetWatch;
  readonly #kept = new Map<string, KeptSet>();
  readonly #reports: SetReports;
  readonly #stops: (() => void)[] = [];
  /** Transactions that the kernel has taken. */
  #changes = 0;
  #isOff = false;
  #ready = false;
  /** Were all interfaces told once? */
  #linksKnown = false;
  #closed = false;
  #again = false;
  #running: Promise<void> | null = null;
  #failures = 0;
  #retryMs = FIRST_RETRY_MS;
  #retry: NodeJS.Timeout | null = null;
  #check: NodeJS.Timeout | null = null;
  #holdUntilMs = 0;
  #zones: readonly ZoneSettings[] = [];

  constructor(deps: ZoneSetsDeps) {
    this.#deps = deps;
    this.#reports = new SetReports(deps.logger);
    this.#watch = new RulesetWatch({ ruleset: deps.sets, logger: deps.logger, nowMs: () => deps.nowMs(), look: (by) => this.#putBack(by) });
  }

  get changes(): number {
    return this.#changes;
  }

  /**
   * Takes over what the last run left, and begins with what `configure` said; nothing is changed before the interfaces are known.
   * `isOff`: what is ours only leaves.
   */
  async start(isOff: boolean): Promise<void> {
    this.#isOff = isOff;
    for (const { addresses, version, ...name } of await this.#deps.memory.load()) {
      this.#kept.set(keyOf(name), new KeptSet(name, version, null, addresses));
    }
    if (this.#closed) return;
    this.#stops.push(this.#deps.links.onChanged(() => {
      this.#linksKnown = true;
      void this.#kick();
    }));
    try {
      await this.#deps.links.list();
      this.#linksKnown = true;
    } catch (error: unknown) {
      this.#deps.logger.log('warning', 'the network interfaces could not be listed; the sets of zones wait for them', { why: reasonOf(error) });
    }
    // It may have been closed meanwhile: what runs from here on is nothing then.
    if (this.#deps.containers !== null) this.#stops.push(this.#deps.containers.onChanged(() => void this.#kick()));
    this.#ready = true;
    this.#holdUntilMs = this.#deps.nowMs() + ENGINES_WAIT_MS;
    await this.configure(this.#zones);
  }

  /** bastion.toml as it is now. Resolves when the sets are as it says, or it is known why not. */
  async configure(zones: readonly ZoneSettings[]): Promise<void> {
    this.#zones = zones;
    if (!this.#ready) return;
    const wishes = new Map(wishesOf(zones).map((wish) => [keyOf(wish.name), wish]));
    for (const kept of this.#kept.values()) {
      kept.wish = null;
      kept.look = true;
    }
    for (const [key, wish] of wishes) {
      const known = this.#kept.get(key);
      if (known?.version === wish.version) known.wish = wish;
      else this.#kept.set(key, new KeptSet(wish.name, wish.version, wish, new Set()));
    }
    await this.#kick();
  }

  /** Takes out what is ours. Never rejects: what could not be taken out is told in the journal, and bastion-rescue knows of it. */
  async turnOff(): Promise<void> {
    this.#isOff = true;
    this.#lookAtAll();
    await this.#kick();
  }

  async turnOn(): Promise<void> {
    if (!this.#isOff) return;
    this.#isOff = false;
    this.#lookAtAll();
    await this.#kick();
  }

  /** The sets of a zone, IPv4 first. */
  views(zone: string): readonly SetView[] {
    return [...this.#kept.values()].filter(({ wish }) => wish?.zone === zone).map((kept) => kept.view()).sort((a, b) => a.version - b.version);
  }

  /** What `views` tells is different now. Returns the way to stop. */
  onChanged(changed: () => void): () => void {
    return this.#reports.onChanged(changed);
  }

  /** The elements stay; resolves when nothing is under way, or what is takes too long: it is remembered then. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const stop of this.#stops) stop();
    this.#rest();
    if (this.#running === null) return;
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => { late.resolve(undefined); }, CLOSE_MS);
    await Promise.race([this.#running, late.promise]);
    clearTimeout(timer);
  }

  /** As long as the interfaces are not known nothing is wanted of any set, which does not mean that nothing should be there. */
  get #mayChange(): boolean {
    return this.#ready && !this.#closed && (this.#linksKnown || this.#isOff);
  }

  #lookAtAll(): void {
    for (const kept of this.#kept.values()) kept.look = true;
  }

  /** A round from now on, after the one that runs. Resolves when nothing is left to do at once. */
  #kick(): Promise<void> {
    if (!this.#mayChange) return Promise.resolve();
    this.#again = true;
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false;
      this.#arrange();
      try {
        await this.#round();
      } catch (error: unknown) {
        // nft is missing, or the run folder takes nothing.
        this.#allFailed(reasonOf(error));
      }
      this.#forgetDone();
      this.#reports.tell(this.#kept, this.#changes);
    }
    // In the same turn as the last look at `#again`: whoever kicks from now on starts another one.
    this.#running = null;
  }

  /** Whoever has no sets has no watch and no timer. */
  #arrange(): void {
    if (this.#kept.size === 0 || this.#isOff) {
      this.#rest();
      return;
    }
    // Before the first look, so that no change is missed.
    this.#watch.start();
    this.#check ??= setInterval(() => {
      this.#lookAtAll();
      void this.#kick();
    }, CHECK_MS).unref();
  }

  #rest(): void {
    this.#watch.stop();
    if (this.#check !== null) clearInterval(this.#check);
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#check = null;
    this.#retry = null;
  }

  async #round(): Promise<void> {
    for (const kept of this.#kept.values()) {
      if (this.#closed) return;
      if (kept.look) await this.#read(kept);
    }
    // While a set was read it was closed, or turned on before the interfaces are known.
    if (!this.#mayChange) return;
    const plans = this.#plans();
    if (plans.length === 0) {
      this.#settled();
      return;
    }
    this.#remember(plans);
    try {
      await this.#change(plans);
      this.#settled();
    } catch (error: unknown) {
      if (error instanceof BastionError && error.code === 'NotSupported') throw error;
      await this.#failed(plans, error);
    }
  }

  async #read(kept: KeptSet): Promise<void> {
    try {
      await kept.read(this.#deps.sets);
    } catch (error: unknown) {
      if (error instanceof BastionError && error.code === 'NotSupported') throw error;
      kept.failed(`The set could not be read: ${reasonOf(error)}`);
      this.#tryLater();
    }
  }

  /** From one moment of interfaces and containers. */
  #plans(): readonly Plan[] {
    const { links: { current: links }, containers } = this.#deps;
    const all: ReadonlyMap<string, ZoneAddresses> = addressesOf(links, containers?.current ?? [], (link) => this.#deps.placeOf(link));
    const isConnecting = containers?.engines.some(({ state }) => state === 'connecting') === true;
    const holds = isConnecting && this.#deps.nowMs() < this.#holdUntilMs;
    const leftOut = new Map<string, number>();
    for (const link of links) {
      const zone = link.addressesLeftOut === 0 ? undefined : this.#deps.placeOf(link)?.zone;
      if (zone !== undefined) leftOut.set(zone, (leftOut.get(zone) ?? 0) + link.addressesLeftOut);
    }
    return [...this.#kept.values()].flatMap((kept) => {
      const zone = kept.wish?.zone ?? '';
      const plan = kept.plan(ofZone(all, zone)[kept.version], { isOff: this.#isOff, holds, leftOut: leftOut.get(zone) ?? 0 });
      return plan === null ? [] : [plan];
    });
  }

  /** Before the kernel has them: a helper that is killed in between leaves nothing that nobody knows of. */
  #remember(plans: readonly Plan[]): void {
    const coming = new Map(plans.map(({ kept, difference }) => [kept, difference.ours]));
    this.#deps.memory.save([...this.#kept.values()].map((kept) => ({
      ...kept.name, version: kept.version, addresses: new Set([...kept.ours, ...coming.get(kept) ?? []]),
    })));
  }

  async #change(plans: readonly Plan[]): Promise<void> {
    await this.#deps.sets.change(plans.map(({ change }) => change));
    for (const { kept, difference } of plans) kept.applied(difference);
    this.#changes += 1;
    // What has left is forgotten: an element of somebody else with the same address is not ours.
    if (plans.some(({ difference }) => difference.remove.length > 0)) this.#remember([]);
  }

  /** Somebody else was faster, mostly: what is there is read, and the difference to that is sent. */
  async #failed(plans: readonly Plan[], error: unknown): Promise<void> {
    this.#failures += 1;
    for (const { kept } of plans) kept.look = true;
    this.#again = true;
    this.#deps.logger.log('debug', 'a change of address sets was not taken', { why: reasonOf(error), times: this.#failures });
    if (this.#failures < TRIES) return;
    // One set at fault must not keep the others from what they should hold.
    this.#failures = 0;
    for (const plan of plans) {
      if (this.#closed) return;
      try {
        await this.#change([plan]);
      } catch (alone: unknown) {
        plan.kept.look = false;
        plan.kept.failed(`The set could not be filled: ${reasonOf(alone)}`);
        this.#tryLater();
      }
    }
  }

  #allFailed(why: string): void {
    for (const kept of this.#kept.values()) {
      kept.failed(why);
      kept.look = false;
    }
    this.#tryLater();
  }

  #settled(): void {
    this.#failures = 0;
    if ([...this.#kept.values()].some(({ state }) => state === 'failed')) return;
    this.#retryMs = FIRST_RETRY_MS;
  }

  /** Later and later, up to the check of every minute. */
  #tryLater(): void {
    if (this.#retry !== null || this.#closed || this.#retryMs >= CHECK_MS) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#retryMs *= 2;
      this.#lookAtAll();
      void this.#kick();
    }, this.#retryMs).unref();
  }

  #forgetDone(): void {
    for (const [key, kept] of this.#kept) if (kept.isDone) this.#kept.delete(key);
    if (this.#kept.size === 0) this.#rest();
  }

  async #putBack(by: string): Promise<boolean> {
    const before = this.#changes;
    this.#lookAtAll();
    await this.#kick();
    if (this.#changes === before) return false;
    this.#reports.putBack(by, this.#deps.nowMs());
    return true;
  }
}
