/** What the engine and the service need of the world. Types only; adapters/ has one file for each port. */
export type * from './ports/data-path.ts';
export type * from './ports/dns.ts';
export type * from './ports/history.ts';
export type * from './ports/lists.ts';
export type * from './ports/process-records.ts';
export type * from './ports/programs.ts';
export type * from './ports/rule-store.ts';
export type * from './ports/ruleset.ts';
export type * from './ports/system.ts';
export type * from './ports/zones.ts';
