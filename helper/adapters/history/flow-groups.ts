/** Stored flows added up by program and user, or by destination. */
import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import { programKey } from '../../contract/program-key.ts';
import type { FlowGroup } from '../../ports.ts';
import { Dimension, arrays, readDestination, readProgram } from './stored-flow.ts';
import type { Row } from './stored-flow.ts';

/** Groups that are added up at a time; flows of others count as others. */
export const GROUP_LIMIT = 50_000;

type Sum = { -readonly [K in keyof FlowGroup]: FlowGroup[K] };

const COLUMNS = `sum(action = (SELECT id FROM texts WHERE text = 'allow')), count(*), sum(ifnull(sent_bytes, 0)), sum(ifnull(received_bytes, 0)), max(time_ms)`;

function emptySum(key: string, uid: number | null, others: number | null): Sum {
  return { key, uid, others, allowed: 0, refused: 0, sentBytes: 0, receivedBytes: 0, lastMs: 0 };
}

function addTo(sum: Sum, one: Omit<FlowGroup, 'key' | 'uid' | 'others'>): void {
  sum.allowed += one.allowed;
  sum.refused += one.refused;
  sum.sentBytes += one.sentBytes;
  sum.receivedBytes += one.receivedBytes;
  sum.lastMs = Math.max(sum.lastMs, one.lastMs);
}

/** The most flows first; what does not fit is the last one, of an unknown number where `rest` was not told apart. */
export function mostOf(sums: Iterable<FlowGroup>, limit: number, rest: FlowGroup | null = null): readonly FlowGroup[] {
  const size = (one: FlowGroup): number => one.allowed + one.refused;
  const sorted = [...sums].sort((a, b) => size(b) - size(a) || (a.key === b.key ? (a.uid ?? -1) - (b.uid ?? -1) : a.key < b.key ? -1 : 1));
  if (sorted.length <= limit && rest === null) return sorted;
  const kept = sorted.slice(0, limit - 1);
  const others = emptySum('', null, rest === null ? sorted.length - kept.length : 0);
  for (const one of rest === null ? sorted.slice(limit - 1) : [...sorted.slice(limit - 1), rest]) addTo(others, one);
  return [...kept, others];
}

export class GroupSums {
  readonly #statement: StatementSync;
  readonly #keyOf: (id: number) => string;
  readonly #sums = new Map<string, Sum>();
  #rest: Sum | null = null;

  readonly #limit: number;

  /** `where`: conditions of a look at some flows. `limit`: groups that are told apart. */
  constructor(database: DatabaseSync, by: 'application' | 'destination', where: string, limit: number = GROUP_LIMIT) {
    this.#limit = limit;
    const [id, user] = by === 'application' ? ['program', 'uid'] : ['destination', 'NULL'];
    this.#statement = arrays(database.prepare(`SELECT ${id}, ${user}, ${COLUMNS} FROM flows NOT INDEXED WHERE ${where} GROUP BY 1, 2`));
    const programs = new Dimension(database, 'SELECT identity FROM programs WHERE id = ?', (row: Row) => {
      const { identity, forwardedFrom } = readProgram(row);
      return programKey({ ...identity, forwardedFrom });
    });
    const destinations = new Dimension(database, 'SELECT address, port, protocol, names FROM destinations WHERE id = ?', (row: Row) => {
      const { names, address } = readDestination(row);
      return names[0]?.name ?? address;
    });
    this.#keyOf = (one) => (by === 'application' ? programs : destinations).get(one);
  }

  add(parameters: readonly SQLOutputValue[]): void {
    for (const row of this.#statement.all(...parameters) as unknown as readonly Row[]) {
      const [id, uid, ...amounts] = row;
      const [allowed = 0, count = 0, sentBytes = 0, receivedBytes = 0, lastMs = 0] = amounts.map(Number);
      const sum = this.#sumOf(this.#keyOf(Number(id)), typeof uid === 'number' ? uid : null);
      addTo(sum, { allowed, refused: count - allowed, sentBytes, receivedBytes, lastMs });
    }
  }

  most(limit: number): readonly FlowGroup[] {
    return mostOf(this.#sums.values(), limit, this.#rest);
  }

  #sumOf(key: string, uid: number | null): Sum {
    const name = `${String(uid)} ${key}`;
    const known = this.#sums.get(name);
    if (known !== undefined) return known;
    if (this.#sums.size >= this.#limit) return (this.#rest ??= emptySum('', null, 0));
    const sum = emptySum(key, uid, null);
    this.#sums.set(name, sum);
    return sum;
  }
}
