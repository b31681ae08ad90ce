/** Settings and rules as files have them. Types only. */
import type { LoadError } from '../contract/types.ts';
import type { Forwarded, ListFormat, Mode, PortRange, Rule, RuleAction } from '../contract/vocabulary.ts';
import type { HistorySettings } from './history.ts';
import type { LogLevel } from './system.ts';
import type { SetFamily } from './zones.ts';

/** How a profile is recognized: all that is given has to be so. `[[profile]] network` of bastion.toml. */
export interface ProfileNetwork {
  /** Name of a NetworkManager connection. */
  readonly connection?: string;
  /** Name of a wireless network, at most 32 bytes. */
  readonly ssid?: string;
  /** A zone of which an interface is up, with a carrier and an address. */
  readonly zone?: string;
  /** Address of the default gateway, canonical text. */
  readonly gateway?: string;
  /** Hardware address of the gateway, `aa:bb:cc:dd:ee:ff` in small letters. */
  readonly mac?: string;
}

/** A `[[profile]]` of bastion.toml. */
export interface Profile {
  /** `[a-z0-9][a-z0-9_-]{0,31}`, unique. */
  readonly id: string;
  /** The id where none was given. */
  readonly name: string;
  /** Absent: chosen by hand only. */
  readonly network?: ProfileNetwork;
}

/** `[safeguard]` of bastion.toml: undecided connections a second that are too many. */
export interface SafeguardSettings {
  readonly all: number;
  readonly perApp: number;
  readonly perUid: number;
  readonly quietMs: number;
  /** drop: silent; deny: refused at once. */
  readonly action: 'drop' | 'deny';
}

/** One `[[interface]]` of bastion.toml: name or hardware address, or both. */
export interface InterfaceSettings {
  /** `eth0`, or `wg*`; '' where only `mac` counts. */
  readonly name: string;
  /** `aa:bb:cc:dd:ee:ff` in small letters. */
  readonly mac?: string;
  readonly zone: string;
  /** Its addresses that the network gave belong to the zone's sets; absent: all of its addresses do. */
  readonly dhcp?: boolean;
  /** An address that it should have; it is reported where it has not. Canonical text, without a prefix. */
  readonly address?: string;
}

/** What a zone lets in although it refuses new connections; all that is given has to be so. */
export interface AllowedInbound {
  /** A named service such as `ssh`, instead of port and protocol. */
  readonly service?: string;
  readonly ports?: readonly PortRange[];
  readonly protocol?: 'tcp' | 'udp';
  /** Absolute path of the only program that may accept it. */
  readonly application?: string;
  /** Address or CIDR prefix, canonical text. */
  readonly from?: string;
}

/** One `[[zone]]` of bastion.toml. */
export interface ZoneSettings {
  readonly name: string;
  /** Default `inet`. */
  readonly family: SetFamily;
  /** Default `filter`. */
  readonly table: string;
  /** '' for no set of this kind; default `<name>_ips`. */
  readonly set4: string;
  /** Default `<name>_ips6`. */
  readonly set6: string;
  /** Table and sets that are missing are made. */
  readonly create: boolean;
  /** Elements that others put into the sets stay. */
  readonly keepOthers: boolean;
  readonly inbound: 'off' | 'allow' | 'deny';
  readonly inboundAllow: readonly AllowedInbound[];
  /** Line of its `[[zone]]`. */
  readonly line: number;
}

/** `[containers]`, and `[[container]]`: which zone a container belongs to, the first that fits; its label comes before. */
export interface ContainerSettings {
  /** Absolute paths; '' switches the engine off. */
  readonly docker: string;
  readonly podman: string;
  readonly zones: readonly { readonly name?: string; readonly image?: string; readonly network?: string; readonly zone: string }[];
}

/** `[control]` of bastion.toml: a socket that root's scripts write lines to. */
export interface ControlSettings {
  /** Absolute path. */
  readonly socket: string;
  /** Line of it, for what is said about it. */
  readonly line: number;
}

/** Settings of bastion.toml, validated, defaults filled in. */
export interface Settings {
  readonly mode: Mode;
  readonly defaultAction: RuleAction;
  readonly onFailure: 'closed' | 'open';
  readonly untracked: 'drop' | 'pass';
  readonly forwarded: Forwarded;
  readonly requireKernelIdentity: boolean;
  readonly promptTimeoutMs: number;
  readonly queueNumber: number;
  readonly logLevel: LogLevel;
  /** Absent: what is shipped. */
  readonly history?: HistorySettings;
  /** Absent: what is shipped. */
  readonly safeguard?: Partial<SafeguardSettings>;
  /** `[[interface]]`, in the order of the file; the first that fits counts. Absent: none. */
  readonly interfaces?: readonly InterfaceSettings[];
  /** `[[zone]]`, in the order of the file. Absent: none. */
  readonly zones?: readonly ZoneSettings[];
  /** Zone of the interfaces that no `[[interface]]` names. Absent: none. */
  readonly defaultZone?: string;
  /** `[containers]` and `[[container]]`. Absent: what is shipped. */
  readonly containers?: ContainerSettings;
  /** `[control]`: the socket for scripts. Absent: none. */
  readonly control?: ControlSettings;
  /** `[[profile]]`, in the order of the file. Absent: none. */
  readonly profiles?: readonly Profile[];
  /** Id of the profile that is active where no network is recognized and none was chosen. Absent: none. */
  readonly defaultProfile?: string;
  /** `[[list]]`, in the order of the file, at most 32. Absent: none. */
  readonly lists?: readonly ListDefinition[];
}

/** One `[[list]]` of bastion.toml. */
export interface ListDefinition {
  /** `[a-z0-9][a-z0-9_-]{0,31}`: also the name of its file in the state folder. */
  readonly id: string;
  /** Shown name; the id where none was given. */
  readonly name: string;
  /** Absolute path, or null for one that is fetched. */
  readonly file: string | null;
  /** https, or http with a hash; no user or password in it. Null for a file. */
  readonly url: string | null;
  readonly format: ListFormat;
  /** The content must have it: 64 small hexadecimal digits, or null. */
  readonly sha256: string | null;
  /** How often a URL is asked, 1 to 8760 hours. */
  readonly updateHours: number;
}

export interface LoadedRules {
  readonly settings: Settings;
  readonly rules: readonly Rule[];
  readonly errors: readonly LoadError[];
  /** Groups that are switched off; the rules above have it in them already. Absent: none. */
  readonly groupsOff?: readonly string[];
}

/** A rule for `user` tier as text goes into 50-user.toml: what the file can say. */
export interface NewRule {
  readonly id: string;
  readonly name: string;
  readonly action: RuleAction;
  readonly enabled: boolean;
  readonly path: string;
  readonly address: string;
  readonly port: string;
  readonly protocol: string;
  readonly user: string;
  readonly lifetime: 'always' | { readonly until: number };
  readonly schedule: string;
  readonly priority: number;
  readonly group: string;
  /** Parts of `RuleMatch` that are text or yes/no, '' and false for absent; an absent key means the same. */
  readonly package?: string;
  readonly flatpak?: string;
  readonly snap?: string;
  readonly appimage?: string;
  readonly script?: string;
  readonly sha256?: string;
  readonly pin?: boolean;
  readonly includeChildren?: boolean;
  readonly allScripts?: boolean;
  readonly container?: string;
  /** `path:/usr/bin/make`, `package:NAME` and so on. */
  readonly ancestor?: string;
  readonly domain?: string;
  readonly list?: string;
  readonly zone?: string;
  readonly interface?: string;
  readonly profile?: string;
}

/** A rule that is added with others. */
export interface AddedRule {
  readonly rule: NewRule;
  /** The text of its block, comments included, to be taken over as it is; must say the same as `rule`. */
  readonly block?: string;
}

/** bastion.toml and the rule files: one writer (the helper), many readers. */
export interface RuleStore {
  /** Loads everything; a broken file keeps its last good rules in force and is reported. */
  load(): Promise<LoadedRules>;
  /** Calls back after a hand edit has settled; returns the way to stop. */
  watch(changed: () => void): () => void;
  /** Appends one [[rule]] to 50-user.toml. Durable when it resolves. */
  add(rule: NewRule): Promise<void>;
  /** Appends rules and sets overrides in one write: all of them or, when it rejects, none. */
  addAll(rules: readonly AddedRule[], overrides: readonly { readonly rule: string; readonly enabled: boolean }[]): Promise<void>;
  /** Splices changed keys of one block; comments stay. */
  update(id: string, rule: NewRule): Promise<void>;
  remove(id: string): Promise<void>;
  /** Switches a rule of another file off or on by an override in 50-user.toml. */
  setEnabled(id: string, enabled: boolean): Promise<void>;
  /** Switches a group of whatever files off or on by an override in 50-user.toml. */
  setGroup(group: string, enabled: boolean): Promise<void>;
  /** Changes one key of bastion.toml. */
  setMode(mode: Mode): Promise<void>;
  /**
   * What a zone lets in, as its `[[zone]]` of bastion.toml shall say it; it is made where only `[[interface]]` or `default_zone`
   * names the zone. Rejects with BastionError NotFound where nothing does.
   */
  setInbound(zone: string, inbound: Pick<ZoneSettings, 'inbound' | 'inboundAllow'>): Promise<void>;
  /** The text of 50-user.toml. */
  exportText(): Promise<string>;
}
