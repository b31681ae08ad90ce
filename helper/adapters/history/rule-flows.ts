/** Stored flows as rules see them: half the columns, so that a million can be asked about in seconds. */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { Ancestor, Confidence, Decision, Evidence, KnownName, Tuple } from '../../contract/vocabulary.ts';
import { REASONS, RULE_ACTIONS } from '../../contract/vocabulary.ts';
import {
  Dimension, FLAG, arrays, integer, lineageOf, maybe, originOf, readAncestors, readDestination, readProgram, text, word,
} from './stored-flow.ts';
import type { Program, Row, StoredFlow } from './stored-flow.ts';

/** A stored flow without what no rule asks for. Where it came from is empty. */
export type RuleFlow = Omit<StoredFlow, 'pid' | 'host' | 'lengthBytes' | 'nextRuleId' | 'command'>;

/** Read at a time: a call for each row would cost as much again. */
const ROWS = 4000;
const COLUMNS = 'number, time_ms, program, lineage, destination, uid, interface, action, reason, rule, confidence, evidence, flags';
const CONFIDENCES = ['certain', 'likely', 'unknown'] as const;
const EVIDENCES = ['kernel', 'sock_diag', 'none'] as const;
const FLOW_PREFIX = 'f';
const BASE = 36;
const NO_ANCESTORS: readonly Ancestor[] = [];

interface Target {
  readonly tuple: Tuple;
  readonly names: readonly KnownName[];
}

function readTarget(row: Row): Target {
  const { address, port, protocol, names } = readDestination(row);
  return {
    tuple: {
      family: address.includes(':') ? 6 : 4, protocol, sourceAddress: '', sourcePort: 0, destinationAddress: address, destinationPort: port,
    },
    names,
  };
}

class RuleFlowReader {
  readonly #texts: Dimension<string>;
  readonly #confidences: Dimension<Confidence>;
  readonly #evidences: Dimension<Evidence>;
  readonly #programs: Dimension<Program>;
  readonly #targets: Dimension<Target>;
  readonly #lineages: Dimension<readonly Ancestor[]>;
  readonly #decisions = new Map<string, Decision>();

  constructor(database: DatabaseSync) {
    const textById = 'SELECT text FROM texts WHERE id = ?';
    this.#texts = new Dimension(database, textById, ([value]) => text(value));
    this.#confidences = new Dimension(database, textById, ([value]) => word(CONFIDENCES, text(value)));
    this.#evidences = new Dimension(database, textById, ([value]) => word(EVIDENCES, text(value)));
    this.#programs = new Dimension(database, 'SELECT identity FROM programs WHERE id = ?', readProgram);
    this.#targets = new Dimension(database, 'SELECT address, port, protocol, names FROM destinations WHERE id = ?', readTarget);
    this.#lineages = new Dimension(database, 'SELECT ancestors FROM lineages WHERE id = ?', ([value]) => readAncestors(text(value)));
  }

  read(row: Row): RuleFlow {
    const [number, timeMs, programId, lineage, destination, uid, way, action, reason, rule, confidence, evidence, flagBits] = row;
    const { identity, claimedPath, forwardedFrom } = this.#programs.get(integer(programId));
    const { tuple, names } = this.#targets.get(integer(destination));
    const flags = integer(flagBits);
    return {
      id: FLOW_PREFIX + integer(number).toString(BASE),
      timeMs: integer(timeMs),
      tuple,
      path: identity.path,
      uid: maybe(uid, (value) => value),
      forwardedFrom,
      names,
      interfaceName: this.#texts.get(integer(way)),
      decision: this.#decision(action, reason, rule),
      confidence: this.#confidences.get(integer(confidence)),
      evidence: this.#evidences.get(integer(evidence)),
      identity,
      claimedPath,
      ancestors: maybe(lineage, (id) => this.#lineages.get(id)) ?? NO_ANCESTORS,
      ...lineageOf(flags),
      isLookup: (flags & FLAG.isLookup) !== 0,
      answersPeer: (flags & FLAG.answersPeer) !== 0,
      origin: originOf(flags),
    };
  }

  #decision(action: SQLOutputValue | undefined, reason: SQLOutputValue | undefined, rule: SQLOutputValue | undefined): Decision {
    const key = `${String(action)} ${String(reason)} ${String(rule)}`;
    const known = this.#decisions.get(key);
    if (known !== undefined) return known;
    const made: Decision = {
      action: word(RULE_ACTIONS, this.#texts.get(integer(action))),
      reason: word(REASONS, this.#texts.get(integer(reason))),
      ruleId: maybe(rule, (id) => this.#texts.get(id)),
    };
    this.#decisions.set(key, made);
    return made;
  }
}

/**
 * Every flow since a time (ms since 1970), the oldest first. For a connection of one's own, opened with `readOnly: true`: it sees
 * one state of the history, however long it reads. Flows of one program or destination share those objects. Throws
 * DamagedHistoryError, and what SQLite throws.
 */
export function* readRuleFlows(database: DatabaseSync, sinceMs: number): Iterable<RuleFlow> {
  database.exec('BEGIN');
  try {
    const since = Math.max(0, Math.trunc(sinceMs));
    const reader = new RuleFlowReader(database);
    const first = arrays(database.prepare('SELECT min(number) FROM flows WHERE time_ms >= ?')).get(since) as unknown as Row;
    if (first[0] === null) return;
    const rows = arrays(database.prepare(
      `SELECT ${COLUMNS} FROM flows WHERE number >= ? AND time_ms >= ? ORDER BY number LIMIT ${String(ROWS)}`,
    ));
    for (let next = integer(first[0]); ;) {
      // With `setReturnArrays` rows are arrays, which the declared type does not say.
      const part = rows.all(next, since) as unknown as readonly Row[];
      for (const row of part) yield reader.read(row);
      const last = part.at(-1);
      if (last === undefined || part.length < ROWS) return;
      next = integer(last[0]) + 1;
    }
  } finally {
    database.exec('COMMIT');
  }
}
