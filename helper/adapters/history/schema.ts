/**
 * The tables of STATE/history.sqlite. One row a flow, small because everything that repeats (programs, destinations, lineages,
 * short texts) has a table of its own; totals are kept beside the flows and outlive them.
 */
import type { DatabaseSync } from 'node:sqlite';

export { readFlows } from './stored-flow.ts';
export type { StoredFlow } from './stored-flow.ts';

/** The database file, in the helper's state folder. */
export const HISTORY_FILE = 'history.sqlite';
/** Raised when a table changes; a file with a number that `UPGRADES` does not know is set aside. */
export const SCHEMA_VERSION = 2;
/** `BsHi`: what file(1) and the helper know the file by. */
const APPLICATION_ID = 0x4273_4869;

/**
 * `used` is the number of a flow that refers to the row, at most `USED_STEP` below the last one that does: written that seldom,
 * it still tells what nothing refers to any more without looking through the flows.
 */
export const USED_STEP = 10_000;

/** Lengths of time that totals are kept for. A bucket's number is wall time divided by the length. */
export const LEVELS = [
  { name: 'minute', code: 0, lengthMs: 60_000 },
  { name: 'hour', code: 1, lengthMs: 3_600_000 },
  { name: 'day', code: 2, lengthMs: 86_400_000 },
] as const;
export type Level = (typeof LEVELS)[number];

/** The program that stands for those of one user that were too many for a bucket, and the target that stands for the rest. */
export const OTHERS = { application: 1, target: 0 } as const;

const TABLES = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- One program as it was known: its identity as JSON (see stored-flow.ts), with what queries look at in columns of their own.
CREATE TABLE programs (
  id INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE, path TEXT NOT NULL, label TEXT NOT NULL, used INTEGER NOT NULL
) STRICT;
-- names: JSON, the likeliest first; target: the first name, else the address.
CREATE TABLE destinations (
  id INTEGER PRIMARY KEY, address TEXT NOT NULL, port INTEGER NOT NULL, protocol INTEGER NOT NULL, names TEXT NOT NULL,
  target TEXT NOT NULL, used INTEGER NOT NULL, UNIQUE (address, port, protocol, names)
) STRICT;
-- The programs that started a program, the nearest first, as JSON.
CREATE TABLE lineages (id INTEGER PRIMARY KEY, ancestors TEXT NOT NULL UNIQUE, used INTEGER NOT NULL) STRICT;
-- Rule ids, interfaces, own addresses, command names, and the words of the vocabulary.
CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, used INTEGER NOT NULL) STRICT;

CREATE TABLE flows (
  number INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, program INTEGER NOT NULL, lineage INTEGER, destination INTEGER NOT NULL,
  source INTEGER NOT NULL, source_port INTEGER NOT NULL, uid INTEGER, pid INTEGER, interface INTEGER NOT NULL,
  length INTEGER NOT NULL, action INTEGER NOT NULL, reason INTEGER NOT NULL, rule INTEGER, next_rule INTEGER,
  confidence INTEGER NOT NULL, evidence INTEGER NOT NULL, command INTEGER NOT NULL, flags INTEGER NOT NULL,
  ended_ms INTEGER, sent_bytes INTEGER, received_bytes INTEGER
) STRICT;
CREATE INDEX flows_by_time ON flows (time_ms);

-- uid is -1 where no user is known. others: stands for programs that were too many.
CREATE TABLE applications (
  id INTEGER PRIMARY KEY, path TEXT NOT NULL, label TEXT NOT NULL, uid INTEGER NOT NULL, others INTEGER NOT NULL,
  UNIQUE (path, label, uid, others)
) STRICT;
CREATE TABLE targets (
  id INTEGER PRIMARY KEY, target TEXT NOT NULL, port INTEGER NOT NULL, protocol INTEGER NOT NULL,
  UNIQUE (target, port, protocol)
) STRICT;
-- Flows by program and destination; target 0 for destinations that were too many.
CREATE TABLE connections (
  level INTEGER NOT NULL, bucket INTEGER NOT NULL, application INTEGER NOT NULL, target INTEGER NOT NULL,
  allowed INTEGER NOT NULL, refused INTEGER NOT NULL, PRIMARY KEY (level, bucket, application, target)
) STRICT, WITHOUT ROWID;
-- Bytes and packets of IP datagrams by program.
CREATE TABLE traffic (
  level INTEGER NOT NULL, bucket INTEGER NOT NULL, application INTEGER NOT NULL,
  sent_bytes INTEGER NOT NULL, sent_packets INTEGER NOT NULL, received_bytes INTEGER NOT NULL, received_packets INTEGER NOT NULL,
  PRIMARY KEY (level, bucket, application)
) STRICT, WITHOUT ROWID;
`;

/** From each earlier version to the next. */
const UPGRADES: Readonly<Record<number, string>> = {
  1: `ALTER TABLE flows ADD COLUMN ended_ms INTEGER; ALTER TABLE flows ADD COLUMN sent_bytes INTEGER;
    ALTER TABLE flows ADD COLUMN received_bytes INTEGER`,
};

/** A file that is no history of this version. */
export class ForeignFileError extends Error {
  override readonly name = 'ForeignFileError';
}

/** One whole number out of the first row; 0 where there is none. */
export function numberOf(database: DatabaseSync, sql: string, ...parameters: readonly (number | string)[]): number {
  const [value] = Object.values(database.prepare(sql).get(...parameters) ?? {});
  return typeof value === 'number' ? value : 0;
}

/**
 * Makes the tables in an empty file, and looks whether another one is ours, which is brought to this version. Throws ForeignFileError, and what SQLite throws of
 * a damaged file.
 */
export function prepareTables(database: DatabaseSync): void {
  const version = numberOf(database, 'PRAGMA user_version');
  if (version === 0 && numberOf(database, 'SELECT count(*) FROM sqlite_schema') === 0) {
    database.exec(`BEGIN IMMEDIATE; ${TABLES}
      INSERT INTO applications VALUES (${String(OTHERS.application)}, '', '', -1, 1);
      PRAGMA user_version = ${String(SCHEMA_VERSION)}; PRAGMA application_id = ${String(APPLICATION_ID)}; COMMIT`);
    return;
  }
  const isOurs = numberOf(database, 'PRAGMA application_id') === APPLICATION_ID;
  const upgrade = isOurs ? UPGRADES[version] : undefined;
  if (upgrade !== undefined) {
    database.exec(`BEGIN IMMEDIATE; ${upgrade}; PRAGMA user_version = ${String(version + 1)}; COMMIT`);
    prepareTables(database);
    return;
  }
  if (version !== SCHEMA_VERSION || !isOurs) {
    throw new ForeignFileError(`it has the version ${String(version)}, not ${String(SCHEMA_VERSION)}`);
  }
}
