/**
 * Which containers are at the ends of a flow, by what the engines of containers say at this moment. A forwarded flow is told by
 * its addresses and by the interface that it came by, a flow of the machine's own network by the cgroup of its process.
 */
import type { ContainerEnd } from '../contract/vocabulary.ts';
import { containerMatches, containerText } from '../policy/containers.ts';
import type { Ask, Container, ContainerEngine, Containers, ContainerSigns } from '../ports.ts';
import { Alarm } from './alarm.ts';
import type { Held } from './decider.ts';
import type { EngineDeps } from './deps.ts';

/** Ends that are told of one flow: more than one container with the same address is rare, and nobody is sure of any then. */
const ENDS_LIMIT = 8;
/**
 * Addresses that containers gave up; see `released`. Over this all that is forwarded is asked about, until so many of them are old:
 * the oldest that leave for it would be old before those that stay.
 */
const RELEASED_LIMIT = 512;
/**
 * How long an address counts as given up: as long as a flow of the former owner is still used from outside. TCP sends into nothing
 * for at most 924.6 s (Linux, tcp_retries2 = 15), and conntrack keeps what is not answered for 300 s more (nf_conntrack_tcp_timeout_
 * unacknowledged); UDP it keeps for 120 s. A flow that is silent for all that time may stay in conntrack for days, but whoever has
 * the address then can go on with it only if it knows the sequence numbers: anything else is INVALID.
 */
const RELEASED_NS = 1260n * 1_000_000_000n;
/** Processes' control groups whose container is known. */
const GROUPS_LIMIT = 4096;

const NOBODY: readonly ContainerEnd[] = [];

/** An address that a container lost. */
interface Release {
  /** Who had it. */
  readonly id: string;
  /** Another one has it, or had it meanwhile. */
  readonly isHandedOn: boolean;
  readonly atNs: bigint;
}

interface Snapshot {
  /** Those that run, and those that ran when their engine was heard of last. None that a user's own engine tells of. */
  readonly known: readonly Container[];
  readonly byAddress: ReadonlyMap<string, readonly Container[]>;
  readonly onOwnNetwork: readonly Container[];
  /** Engines that cannot be asked now. */
  readonly away: ReadonlySet<ContainerEngine>;
}

export interface ContainerDeskOptions {
  /** Absent: there are none. */
  readonly containers?: Containers | undefined;
  readonly signs?: ContainerSigns | undefined;
  readonly clock: EngineDeps['clock'];
  readonly schedule: EngineDeps['schedule'];
}

function endOf({ engine, id, name, image }: Container, side: ContainerEnd['side'], certain: boolean): ContainerEnd {
  return { engine, id, name, image, side, certain };
}

function senders(ends: readonly ContainerEnd[] | undefined): string {
  return (ends ?? NOBODY).filter(({ side }) => side === 'sender').map(({ id }) => id).sort().join(' ');
}

/** What flows know of containers, for the engine and for netfilter. */
export class ContainerDesk {
  readonly #options: ContainerDeskOptions;
  #snapshot: Snapshot | null = null;
  /** By the number of a cgroup, which is not used again before the machine restarts. */
  readonly #groups = new Map<bigint, readonly ContainerEnd[]>();
  /** Id of who has an address now. */
  readonly #owners = new Map<string, string>();
  /** The oldest first. */
  readonly #released = new Map<string, Release>();
  readonly #releasedAlarm: Alarm;
  #changed: () => void = () => undefined;
  #last: readonly Container[] = [];

  constructor(options: ContainerDeskOptions) {
    this.#options = options;
    this.#releasedAlarm = new Alarm(options.schedule, () => {
      this.#forgetReleased();
      this.#changed();
    });
    this.#noteOwners();
  }

  /** Tells of every change, after it is taken in, and when a released address is old. Returns the way to stop. */
  onChanged(changed: () => void): () => void {
    this.#changed = changed;
    const stop = this.#options.containers?.onChanged(() => {
      this.#snapshot = null;
      this.#groups.clear();
      this.#noteOwners();
      changed();
    });
    return () => {
      stop?.();
      this.#releasedAlarm.set(null);
    };
  }

  /** The containers at the ends of the flow, the sender first. The same list again while nothing changes and it is of a process. */
  of({ attribution: { owner, evidence }, interfaceName, origin, tuple }: Pick<Ask, 'attribution' | 'interfaceName' | 'origin' | 'tuple'>): readonly ContainerEnd[] {
    const { away, byAddress, known: containers, onOwnNetwork } = this.#now();
    if (origin === 'forwarded') {
      const [from, to] = [byAddress.get(tuple.sourceAddress) ?? [], byAddress.get(tuple.destinationAddress) ?? []];
      if (from.length === 0 && to.length === 0) return NOBODY;
      const arrived = from.length > 0 && this.#options.signs?.leadsTo(interfaceName, tuple.sourceAddress) === true;
      const ends = [
        ...from.map((one) => endOf(one, 'sender', arrived && this.#ownerOf(tuple.sourceAddress) === one.id)),
        ...to.map((one) => endOf(one, 'receiver', this.#ownerOf(tuple.destinationAddress) === one.id)),
      ];
      return ends.slice(0, ENDS_LIMIT);
    }
    if (origin !== 'process' || owner === null || onOwnNetwork.length === 0) return NOBODY;
    const known = owner.cgroup === 0n ? undefined : this.#groups.get(owner.cgroup);
    if (known !== undefined) return known;
    const { id = null, certain = false } = this.#options.signs?.ofProcess(owner) ?? {};
    const container = id === null ? undefined : containers.find((one) => one.id === id);
    const ends = container === undefined ? NOBODY : [endOf(container, 'sender', certain && evidence === 'kernel' && !away.has(container.engine))];
    // What cannot be read any more says nothing of the other processes there.
    if (certain) this.#keep(owner.cgroup, ends);
    return ends;
  }

  /**
   * A flow that was looked at before, as it is now. Where another container has the sender's address meanwhile, nobody is sure any
   * more whose it was.
   */
  again(held: Held): Held {
    const ends = this.of(held.ask);
    const { containers: before } = held.facts;
    if (ends === before || (ends.length === 0 && before === undefined)) return held;
    const doubtful = held.ask.origin === 'forwarded' && before !== undefined && senders(before) !== senders(ends);
    const now = doubtful ? [...ends, ...before].map((end) => ({ ...end, certain: false })).slice(0, ENDS_LIMIT) : ends;
    return { ...held, facts: { ...held.facts, containers: now } };
  }

  /** The flow with its sender in words, where that is certain. */
  named(ask: Ask): Ask {
    const { owner } = ask.attribution;
    if (ask.origin !== 'forwarded' || owner?.forwardedFrom === undefined) return ask;
    const sender = this.of(ask).find(({ side, certain }) => side === 'sender' && certain);
    if (sender === undefined) return ask;
    const forwardedFrom = `${containerText(sender)}, ${ask.tuple.sourceAddress}`;
    return { ...ask, attribution: { ...ask.attribution, owner: { ...owner, forwardedFrom } } };
  }

  /** See `Moment.sharesNetwork`. */
  readonly sharesNetwork = (pattern: string): boolean => this.#now().onOwnNetwork.some((one) => containerMatches(pattern, one));

  /** Every address that a container of this name has now, in canonical text. */
  addressesOf(pattern: string): readonly string[] {
    const found = this.#now().known.filter((one) => !one.hostNetwork && containerMatches(pattern, one));
    return [...new Set(found.flatMap(({ addresses }) => addresses.map(({ address }) => address)))].sort();
  }

  /**
   * Addresses that a moment ago belonged to another container, or to one that is gone: an open flow from there may have been allowed
   * to somebody else. null: too many to be told apart.
   */
  get released(): readonly string[] | null {
    return this.#released.size > RELEASED_LIMIT ? null : [...this.#released.keys()].sort();
  }

  /** One text for all that decides of the containers that these name; '' for nothing. */
  digest(patterns: readonly string[]): string {
    if (patterns.length === 0) return '';
    const { away, known } = this.#now();
    return known
      .filter((one) => patterns.some((pattern) => containerMatches(pattern, one)))
      .map(({ engine, id, name, hostNetwork, addresses }) => JSON.stringify([
        id, name, hostNetwork, hostNetwork && away.has(engine), addresses.map(({ address }) => [address, this.#ownerOf(address)]).sort(),
      ]))
      .sort().join('\n');
  }

  #keep(cgroup: bigint, ends: readonly ContainerEnd[]): void {
    const oldest = this.#groups.keys().next();
    if (this.#groups.size >= GROUPS_LIMIT && oldest.done !== true) this.#groups.delete(oldest.value);
    this.#groups.set(cgroup, ends);
  }

  /** Id of the container that alone has the address now, as its engine says; '' for none. */
  #ownerOf(address: string): string {
    return this.#options.containers?.withAddress(address)?.id ?? '';
  }

  #now(): Snapshot {
    if (this.#snapshot !== null) return this.#snapshot;
    const byAddress = new Map<string, Container[]>();
    const away = new Set((this.#options.containers?.engines ?? []).filter(({ state }) => state !== 'connected').map(({ engine }) => engine));
    const known = this.#knownNow(away);
    for (const container of known) {
      if (container.hostNetwork) continue;
      for (const address of new Set(container.addresses.map((one) => one.address))) {
        const those = byAddress.get(address);
        if (those === undefined) byAddress.set(address, [container]);
        else those.push(container);
      }
    }
    this.#snapshot = { known, byAddress, onOwnNetwork: known.filter(({ hostNetwork }) => hostNetwork), away };
    return this.#snapshot;
  }

  /**
   * Containers may go on while their engine is away: what refuses them holds until it tells of them again. What a user's own engine
   * says is that user's claim.
   */
  #knownNow(away: ReadonlySet<ContainerEngine>): readonly Container[] {
    const current = (this.#options.containers?.current ?? []).filter(({ ownerUid = 0 }) => ownerUid === 0);
    const ids = new Set(current.map(({ id }) => id));
    const known = [...current, ...this.#last.filter(({ engine, id }) => away.has(engine) && !ids.has(id))];
    this.#last = known;
    return known;
  }

  /** Another one's open flows must not become its own. */
  #noteOwners(): void {
    const { byAddress } = this.#now();
    this.#forgetReleased();
    for (const [address, id] of this.#owners) {
      if (byAddress.has(address)) continue;
      this.#owners.delete(address);
      this.#release(address, id, this.#released.has(address));
    }
    for (const address of byAddress.keys()) {
      const id = this.#ownerOf(address);
      const before = this.#owners.get(address);
      const lost = this.#released.get(address);
      if (before !== undefined && before !== id) this.#release(address, before, true);
      else if (before === undefined && lost !== undefined) {
        if (lost.isHandedOn || lost.id !== id) this.#release(address, lost.id, true);
        else this.#released.delete(address);
      }
      this.#owners.set(address, id);
    }
    this.#armReleased();
  }

  #release(address: string, id: string, isHandedOn: boolean): void {
    this.#released.delete(address);
    this.#released.set(address, { id, isHandedOn, atNs: this.#options.clock.bootNs() });
    const [oldest] = this.#released.keys();
    if (this.#released.size > RELEASED_LIMIT + 1 && oldest !== undefined) this.#released.delete(oldest);
  }

  #forgetReleased(): void {
    const oldNs = this.#options.clock.bootNs() - RELEASED_NS;
    for (const [address, { atNs }] of this.#released) if (atNs <= oldNs) this.#released.delete(address);
    this.#armReleased();
  }

  #armReleased(): void {
    const [oldest] = this.#released.values();
    this.#releasedAlarm.set(oldest === undefined ? null : oldest.atNs + RELEASED_NS);
  }
}
