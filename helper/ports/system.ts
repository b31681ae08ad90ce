/** What every part needs of the machine: time, journal, processes, users, sessions, polkit, networks. Types only. */
import type { Ancestor, BootNs, Owner } from '../contract/vocabulary.ts';

export interface Clock {
  bootNs(): BootNs;
  /** Wall time, milliseconds since 1970. */
  wallMs(): number;
}

export type LogLevel = 'error' | 'warning' | 'info' | 'debug';

/** Boundary logging. Values are escaped by the adapter: no byte from outside reaches the journal raw. */
export interface Logger {
  log(level: LogLevel, message: string, fields?: Readonly<Record<string, string | number | bigint | boolean>>): void;
  setLevel(level: LogLevel): void;
}

/** By what profiles are recognized. All of it comes from the network and can be imitated there. */
export interface NetworkState {
  readonly connections: readonly string[];
  /** Names of wireless networks, as text. */
  readonly ssids: readonly string[];
  /** Of default routes; `mac` null where it is not known (yet). */
  readonly gateways: readonly { readonly address: string; readonly mac: string | null }[];
}

export interface Networks {
  current(): NetworkState;
  /** Returns the way to stop. */
  onChanged(changed: () => void): () => void;
}

/** One address of a network interface, in canonical text form. */
export interface LinkAddress {
  readonly address: string;
  readonly prefixLength: number;
  readonly scope: 'global' | 'link' | 'host' | 'other';
  /** The network gave it for some time. */
  readonly dynamic: boolean;
  /** IPv6 privacy extensions (RFC 8981). */
  readonly temporary: boolean;
  readonly deprecated: boolean;
}

/** One network interface of the helper's network namespace. */
export interface NetworkLink {
  readonly name: string;
  readonly kind: 'loopback' | 'ethernet' | 'wireless' | 'bridge' | 'tunnel' | 'container' | 'virtual' | 'other';
  /** Switched on. */
  readonly up: boolean;
  /** Has a carrier. */
  readonly connected: boolean;
  /** Small hexadecimal digits with colons, '' without one. */
  readonly mac: string;
  /** At most 4,096. */
  readonly addresses: readonly LinkAddress[];
  readonly addressesLeftOut: number;
}

/** The network interfaces of this machine. */
export interface NetworkLinks {
  /** In the kernel's order, at most 2048. Rejects with BastionError NotSupported or Failed. */
  list(): Promise<readonly NetworkLink[]>;
}

/** State that must survive the helper but not the boot (rules until restart, pause, inbox). */
export interface RunState {
  load(): Promise<unknown>;
  save(state: unknown): Promise<void>;
  /** Keeps what `load` gave under another name, which is returned: the next `save` would write over it. */
  setAside(): Promise<string>;
}

export interface Processes {
  /** Nearest first, at most `limit`; empty when the process has gone. Start time is checked against `owner`. */
  ancestors(owner: Owner, limit: number): readonly Ancestor[];
  /** Does this very process still live? */
  alive(pid: number, startNs: BootNs): boolean;
  /** Executable path of a process, null if it has gone or cannot be read. */
  executable(pid: number): string | null;
  /** Command line, at most 4096 bytes, split at NUL. */
  commandLine(pid: number): readonly string[];
}

export interface Users {
  name(uid: number): string;
  /** null for an unknown name. */
  uid(name: string): number | null;
}

/** What the login manager knows of one session. */
export interface Session {
  readonly id: string;
  readonly uid: number;
  readonly active: boolean;
  readonly remote: boolean;
  readonly locked: boolean;
}

export interface Sessions {
  /** Session of a process, null without one (system services, no login manager). */
  ofProcess(pid: number): Promise<Session | null>;
  /** The active local session of the seat, null if there is none. */
  activeLocal(): Session | null;
  list(): readonly Session[];
  onChanged(changed: () => void): () => void;
}

/** polkit. */
export interface Authority {
  /** `subject` is the caller's unique bus name; details are shown in the dialog. Rejects with BastionError Failed, which says why, where it could not be asked. */
  isAuthorized(
    subject: string, action: string, details: Readonly<Record<string, string>>, interactive: boolean,
  ): Promise<boolean>;
}
