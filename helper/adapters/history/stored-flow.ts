/** Flows as they were stored, read back: rows joined with what they refer to. */
import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { Ancestor, ContainerEnd, Decision, Identity, KnownName } from '../../contract/vocabulary.ts';
import { NAME_SOURCES, REASONS, RULE_ACTIONS } from '../../contract/vocabulary.ts';
import type { FlowRecord } from '../../engine-api.ts';
import type { Origin } from '../../ports.ts';
import { readIdentity, readList, readObject } from './stored-json.ts';

/** A flow of the history, with all that rules may ask of it. Pids of ancestors are not kept but for the first process: 0. */
export interface StoredFlow extends FlowRecord {
  readonly identity: Identity;
  readonly claimedPath: string | null;
  readonly ancestors: readonly Ancestor[];
  readonly command: string;
  readonly isLookup: boolean;
  readonly answersPeer: boolean;
  readonly origin: Origin;
}

/** The file says what this program never wrote. */
export class DamagedHistoryError extends Error {
  override readonly name = 'DamagedHistoryError';
}

/** Bits of the column `flags`. */
export const FLAG = { answersPeer: 1, isLookup: 2, kernelLineage: 4, procfsLineage: 8, kernelOrigin: 16, forwardedOrigin: 32 } as const;

/** The columns of `flows`, in the order in which `FlowReader` wants them. */
export const FLOW_COLUMNS = 'number, time_ms, program, lineage, destination, source, source_port, uid, pid, interface, length, '
  + 'action, reason, rule, next_rule, confidence, evidence, command, flags, ended_ms, sent_bytes, received_bytes';

/** Rows of one table that are kept at hand while flows are read. */
const CACHE_LIMIT = 20_000;
const CONFIDENCES = ['certain', 'likely', 'unknown'] as const;
const EVIDENCES = ['kernel', 'sock_diag', 'none'] as const;
const FLOW_PREFIX = 'f';
const BASE = 36;

export interface Program {
  readonly identity: Identity;
  readonly claimedPath: string | null;
  readonly forwardedFrom: string | null;
  readonly containers?: readonly ContainerEnd[];
}

export interface Destination {
  readonly address: string;
  readonly port: number;
  readonly protocol: number;
  readonly names: readonly KnownName[];
}

export type Row = readonly SQLOutputValue[];

export function integer(value: SQLOutputValue | undefined): number {
  if (typeof value !== 'number') throw new DamagedHistoryError('a number is missing');
  return value;
}

export function text(value: SQLOutputValue | undefined): string {
  if (typeof value !== 'string') throw new DamagedHistoryError('a text is missing');
  return value;
}

export function maybe<T>(value: SQLOutputValue | undefined, read: (id: number) => T): T | null {
  return value === null || value === undefined ? null : read(integer(value));
}

export function word<const V extends readonly string[]>(words: V, value: string): V[number] {
  const found: V[number] | undefined = words.find((one) => one === value);
  if (found === undefined) throw new DamagedHistoryError('a word is not known');
  return found;
}

/** Statements that give their rows as arrays, in the order of the columns. */
export function arrays(statement: StatementSync): StatementSync {
  statement.setReturnArrays(true);
  return statement;
}

/** Rows of a small table, read once and kept. */
export class Dimension<T> {
  readonly #statement: StatementSync;
  readonly #read: (row: Row) => T;
  readonly #known = new Map<number, T>();

  constructor(database: DatabaseSync, sql: string, read: (row: Row) => T) {
    this.#statement = arrays(database.prepare(sql));
    this.#read = read;
  }

  get(id: number): T {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    // With `setReturnArrays` a row is an array, which the declared type does not say.
    const row = this.#statement.get(id) as unknown as Row | undefined;
    if (row === undefined) throw new DamagedHistoryError('something that a flow refers to is missing');
    const value = this.#read(row);
    if (this.#known.size >= CACHE_LIMIT) this.#known.clear();
    this.#known.set(id, value);
    return value;
  }
}

function readNames(json: string): readonly KnownName[] {
  return readList(json).map((entry) => {
    const [name, source] = Array.isArray(entry) ? (entry as readonly unknown[]) : [];
    if (typeof name !== 'string' || typeof source !== 'string') throw new DamagedHistoryError('a name is missing');
    return { name, source: word(NAME_SOURCES, source) };
  });
}

export function readAncestors(json: string): readonly Ancestor[] {
  return readList(json).map((entry) => {
    const { pid, path, command, identity } = readObject(entry);
    return {
      pid: pid === 1 ? pid : 0,
      path: typeof path === 'string' ? path : null,
      command: typeof command === 'string' ? command : '',
      ...(identity === undefined ? {} : { identity: readIdentity(identity) }),
    };
  });
}

function readContainer(value: unknown): ContainerEnd {
  const { engine, id, name, image, side, certain } = readObject(value);
  const [what, where] = [(['docker', 'podman'] as const).find((one) => one === engine), (['sender', 'receiver'] as const).find((one) => one === side)];
  if (what === undefined || where === undefined || typeof id !== 'string' || typeof name !== 'string' || typeof image !== 'string') {
    throw new DamagedHistoryError('a container is not whole');
  }
  return { engine: what, id, name, image, side: where, certain: certain === true };
}

export function readProgram([json]: Row): Program {
  const parsed: unknown = JSON.parse(text(json));
  const { identity, claimedPath, forwardedFrom, containers } = readObject(parsed);
  return {
    identity: readIdentity(identity),
    claimedPath: typeof claimedPath === 'string' ? claimedPath : null,
    forwardedFrom: typeof forwardedFrom === 'string' ? forwardedFrom : null,
    ...(Array.isArray(containers) && containers.length > 0 ? { containers: containers.map(readContainer) } : {}),
  };
}

export function readDestination([address, port, protocol, names]: Row): Destination {
  return { address: text(address), port: integer(port), protocol: integer(protocol), names: readNames(text(names)) };
}

export function originOf(flags: number): Origin {
  if ((flags & FLAG.kernelOrigin) !== 0) return 'kernel';
  return (flags & FLAG.forwardedOrigin) === 0 ? 'process' : 'forwarded';
}

export function lineageOf(flags: number): { readonly lineage?: 'kernel' | 'procfs' } {
  if ((flags & FLAG.kernelLineage) !== 0) return { lineage: 'kernel' };
  return (flags & FLAG.procfsLineage) === 0 ? {} : { lineage: 'procfs' };
}

function endOf([endedMs, sentBytes, receivedBytes]: Row): Pick<FlowRecord, 'endedMs' | 'sentBytes' | 'receivedBytes'> {
  if (endedMs === null) return {};
  return { endedMs: integer(endedMs), sentBytes: integer(sentBytes), receivedBytes: integer(receivedBytes) };
}

const NO_ANCESTORS: readonly Ancestor[] = [];

/** Makes flows of rows of `FLOW_COLUMNS`. Throws DamagedHistoryError. */
export class FlowReader {
  readonly #texts: Dimension<string>;
  readonly #programs: Dimension<Program>;
  readonly #destinations: Dimension<Destination>;
  readonly #lineages: Dimension<readonly Ancestor[]>;

  constructor(database: DatabaseSync) {
    this.#texts = new Dimension(database, 'SELECT text FROM texts WHERE id = ?', ([value]) => text(value));
    this.#programs = new Dimension(database, 'SELECT identity FROM programs WHERE id = ?', readProgram);
    this.#destinations = new Dimension(
      database, 'SELECT address, port, protocol, names FROM destinations WHERE id = ?', readDestination,
    );
    this.#lineages = new Dimension(database, 'SELECT ancestors FROM lineages WHERE id = ?', ([value]) => readAncestors(text(value)));
  }

  read(row: Row): StoredFlow {
    const [
      number, timeMs, programId, lineage, destinationId, source, sourcePort, uid, pid, interfaceId, length,
      action, reason, rule, nextRule, confidence, evidence, command, flagBits,
      ...end
    ] = row;
    const program = this.#programs.get(integer(programId));
    const { address, port, protocol, names } = this.#destinations.get(integer(destinationId));
    const flags = integer(flagBits);
    return {
      id: `${FLOW_PREFIX}${integer(number).toString(BASE)}`,
      timeMs: integer(timeMs),
      tuple: {
        family: address.includes(':') ? 6 : 4,
        protocol,
        sourceAddress: this.#text(source),
        sourcePort: integer(sourcePort),
        destinationAddress: address,
        destinationPort: port,
      },
      path: program.identity.path,
      uid: maybe(uid, (value) => value),
      pid: maybe(pid, (value) => value),
      forwardedFrom: program.forwardedFrom,
      ...(program.containers === undefined ? {} : { containers: program.containers }),
      host: names[0]?.name ?? null,
      names,
      interfaceName: this.#text(interfaceId),
      lengthBytes: integer(length),
      decision: this.#decision(action, reason, rule),
      confidence: word(CONFIDENCES, this.#text(confidence)),
      evidence: word(EVIDENCES, this.#text(evidence)),
      nextRuleId: maybe(nextRule, (id) => this.#texts.get(id)),
      identity: program.identity,
      claimedPath: program.claimedPath,
      ancestors: maybe(lineage, (id) => this.#lineages.get(id)) ?? NO_ANCESTORS,
      ...lineageOf(flags),
      command: this.#text(command),
      isLookup: (flags & FLAG.isLookup) !== 0,
      answersPeer: (flags & FLAG.answersPeer) !== 0,
      origin: originOf(flags),
      ...endOf(end),
    };
  }

  #text(id: SQLOutputValue | undefined): string {
    return this.#texts.get(integer(id));
  }

  #decision(action: SQLOutputValue | undefined, reason: SQLOutputValue | undefined, rule: SQLOutputValue | undefined): Decision {
    return {
      action: word(RULE_ACTIONS, this.#text(action)),
      reason: word(REASONS, this.#text(reason)),
      ruleId: maybe(rule, (id) => this.#texts.get(id)),
    };
  }
}

/**
 * Every flow since a time (ms since 1970), the oldest first. For a connection of one's own, opened with `readOnly: true`: it sees
 * one state of the history, however long it reads. Flows of one program, destination or lineage share those objects. Throws
 * DamagedHistoryError, and what SQLite throws.
 */
export function* readFlows(database: DatabaseSync, sinceMs: number): Iterable<StoredFlow> {
  const reader = new FlowReader(database);
  const rows = arrays(database.prepare(`SELECT ${FLOW_COLUMNS} FROM flows
    WHERE number >= (SELECT min(number) FROM flows WHERE time_ms >= ?1) AND time_ms >= ?1 ORDER BY number`));
  for (const row of rows.iterate(Math.max(0, Math.trunc(sinceMs)))) yield reader.read(row as unknown as Row);
}
