/** Interfaces, address sets and containers as zones need them of the world. Types only. */
import type { Owner } from '../contract/vocabulary.ts';
import type { NetworkLink, NetworkLinks } from './system.ts';

/** The network interfaces as the kernel tells of them, from one consistent moment to the next. */
export interface LinkMonitor extends NetworkLinks {
  /** As last told; empty until the first listing is there. Every value was the kernel's at one moment. */
  readonly current: readonly NetworkLink[];
  /** After each change, at once; what the kernel tells together is told together. Returns the way to stop. */
  onChanged(changed: () => void): () => void;
  /** `resyncs`: how often everything was read again, because the kernel had more to tell than we took, or its socket failed. */
  readonly counters: { readonly changes: number; readonly resyncs: number };
  close(): void;
}

/** Families of tables that can hold sets of addresses of both kinds, or of one. Source: nft(8), ADDRESS FAMILIES. */
export type SetFamily = 'inet' | 'ip' | 'ip6' | 'bridge' | 'netdev';

/** A set of an nftables table. */
export interface SetName {
  readonly family: SetFamily;
  readonly table: string;
  readonly set: string;
}

/** A set that belongs to a zone, as it is now. */
export interface SetView extends SetName {
  readonly version: 4 | 6;
  /** current: holds what it should. waiting: not looked at yet. missing: there is no such set. failed: it could not be read or filled. */
  readonly state: 'current' | 'waiting' | 'missing' | 'failed';
  /** What is wrong and the command that mends it; '' for nothing. */
  readonly problem: string;
  /** Content in the kernel when it was last looked at, in canonical text. */
  readonly elements: readonly string[];
  /** Elements that are not ours. */
  readonly others: number;
}

/** An element of a set in canonical text: one address, or a range where `first` and `last` differ. */
export interface SetElement {
  readonly first: string;
  readonly last: string;
  /** Seconds until the kernel takes it out; null for never. */
  readonly expiresS: number | null;
}

/** What was found where a set should be. `problem`: a sentence for people. */
export type FoundSet =
  | {
      readonly state: 'there';
      readonly elements: readonly SetElement[];
      /** The set gives its elements a time to live. */
      readonly endsAlone: boolean;
    }
  | { readonly state: 'missing' }
  | { readonly state: 'failed'; readonly problem: string };

/** A change of one set, in a transaction with others. */
export interface SetChange extends SetName {
  readonly version: 4 | 6;
  /** The table and the set are made first where they are missing. */
  readonly make: boolean;
  /** The set gives its elements a time to live: those that are added here without one get the longest there is. */
  readonly endsAlone: boolean;
  /** Must be there just so. */
  readonly remove: readonly SetElement[];
  /** Must not be there; after `remove`. */
  readonly add: readonly SetElement[];
}

/** Sets of nftables: their elements only. */
export interface AddressSets {
  /** As the kernel has it now. Rejects with BastionError NotSupported where nft is not installed, Failed. */
  read(name: SetName, version: 4 | 6): Promise<FoundSet>;
  /**
   * All changes in one atomic transaction, or none of them: rejects with BastionError Failed (the cause has the tool's words) where
   * something is not as it was said to be, or the outcome is not known; NotSupported where nft is not installed.
   */
  change(changes: readonly SetChange[]): Promise<void>;
  /** Tells of every change of the rules or sets of this machine that was not the helper's own, and by whom. Throws where the kernel does not let us watch. */
  watch(changed: (by: string) => void): { close(): void };
}

/** The elements that we have put into sets, remembered until the machine restarts. */
export interface SetMemory {
  /** Those of the last run of the helper; empty where nothing is known. */
  load(): Promise<readonly RememberedSet[]>;
  /** In place when it returns. Throws where it cannot be written. */
  save(sets: readonly RememberedSet[]): void;
}

export interface RememberedSet extends SetName {
  readonly version: 4 | 6;
  readonly addresses: ReadonlySet<string>;
}

export type ContainerEngine = 'docker' | 'podman';

/** One address of a container in one of its engine's networks. */
export interface ContainerAddress {
  /** Name of the engine's network. */
  readonly network: string;
  /** Canonical text. */
  readonly address: string;
  readonly prefixLength: number;
}

/** A container that an engine runs. Everything but the id and the addresses is its maker's free text, bounded. */
export interface Container {
  readonly engine: ContainerEngine;
  /** 64 hexadecimal digits. */
  readonly id: string;
  /** Without the slash in front; at most 128 characters. */
  readonly name: string;
  /** As it was started from, such as `nginx:latest`; at most 256 characters. */
  readonly image: string;
  readonly state: 'running' | 'paused';
  /** By its label org.bastionfirewall.zone, else by `[[container]]` of bastion.toml; '' for none. */
  readonly zone: string;
  /** Shares the machine's own network: what it sends is told by its process, not by an address. */
  readonly hostNetwork: boolean;
  /** At most 64; those of another container where it shares that one's network. */
  readonly addresses: readonly ContainerAddress[];
  /** Whose engine says all this, where it is not root's: a claim of that user, which no rule may trust. Then without addresses. */
  readonly ownerUid?: number;
}

/** What is known of one engine's socket. */
export interface EngineView {
  readonly engine: ContainerEngine;
  /** Absolute path of the socket. */
  readonly socket: string;
  /** absent: there is no socket. forbidden: it cannot be opened. failing: it answers nothing that can be used. */
  readonly state: 'connected' | 'connecting' | 'absent' | 'forbidden' | 'failing';
  /** A sentence for people; '' where nothing is wrong. */
  readonly problem: string;
}

/** The containers of all engines. */
export interface Containers {
  /** Running and paused ones, by engine and name, at most 4096. */
  readonly current: readonly Container[];
  readonly engines: readonly EngineView[];
  /** The container with this address in a network of its own, null for none or for more than one: they may share a network. */
  withAddress(address: string): Container | null;
  /** The container with this id. */
  withId(id: string): Container | null;
  onChanged(changed: () => void): () => void;
}

/** What tells the flows of containers from those of others. */
export interface ContainerSigns {
  /**
   * The container that the process behind a socket of the machine's own network is in, by its cgroup; an id of null for none,
   * also where the cgroup is one that a user has made. `certain`: the kernel recorded the cgroup, and it is this one.
   */
  ofProcess(owner: Owner): { readonly id: string | null; readonly certain: boolean };
  /** Is the address behind this interface, and behind no other one more closely? Else the source of a packet is a false one. */
  leadsTo(interfaceName: string, address: string): boolean;
}
