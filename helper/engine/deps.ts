/** What the engine is given. Types only. */
import type { BootNs } from '../contract/vocabulary.ts';
import type { Clock, Logger, Processes, RuleStore, RunState, Sessions, Users } from '../ports.ts';
import type { NameParts } from './name-desk.ts';

export interface EngineDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly processes: Processes;
  readonly users: Users;
  readonly sessions: Sessions;
  readonly store: RuleStore;
  readonly runState: RunState;
  /** Reads DNS messages, and knows which servers count. */
  readonly names: NameParts;
  /** 128 random bits as 32 hexadecimal digits. */
  newNonce(): string;
  /** Calls `run` once, at or soon after a time on the boot clock; never before this call returned. Returns the way to cancel. */
  readonly schedule: (atBootNs: BootNs, run: () => void) => () => void;
}
