/** What the engine is given. Types only. */
import type { BootNs } from '../contract/vocabulary.ts';
import type { Clock, Containers, ContainerSigns, Identities, LinkMonitor, Lists, Logger, Networks, ProcessRecords, Processes, RuleStore, RunState, Sessions, Users, History } from '../ports.ts';
import type { NameParts } from './name-desk.ts';

export interface EngineDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly processes: Processes;
  /** What the kernel recorded of processes; absent: /proc alone. */
  readonly records?: ProcessRecords;
  readonly users: Users;
  readonly sessions: Sessions;
  readonly store: RuleStore;
  readonly runState: RunState;
  readonly identities: Identities;
  readonly lists: Lists;
  readonly networks: Networks;
  /** Absent: there are none. */
  readonly containers?: Containers;
  readonly containerSigns?: ContainerSigns;
  /** Absent: interfaces are known by their names alone. */
  readonly links?: Pick<LinkMonitor, 'current' | 'onChanged'>;
  /** Where flows are kept longer than in memory; null for nowhere. */
  readonly history?: History | null;
  /** Absent: a program whose file was changed in the last two seconds is remembered for each socket only. */
  readonly trustNewFiles?: boolean;
  /** Reads DNS messages, and knows which servers count. */
  readonly names: NameParts;
  /** 128 random bits as 32 hexadecimal digits. */
  newNonce(): string;
  /** Calls `run` once, at or soon after a time on the boot clock; never before this call returned. Returns the way to cancel. */
  readonly schedule: (atBootNs: BootNs, run: () => void) => () => void;
}
