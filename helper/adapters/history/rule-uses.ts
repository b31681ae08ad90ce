/** Which rules decided stored flows. */
import type { DatabaseSync } from 'node:sqlite';
import { numberOf } from './schema.ts';

/** What the stored flows say of the use of rules. */
export interface RuleUses {
  /** Last flow that a rule decided, by its id, ms since 1970. */
  readonly lastMs: ReadonlyMap<string, number>;
  /** Time of the oldest flow, ms since 1970; null without any. */
  readonly oldestMs: number | null;
}

/** For a connection of one's own, opened with `readOnly: true`. Throws what SQLite throws. */
export function readRuleUses(database: DatabaseSync): RuleUses {
  const rows = database.prepare(
    'SELECT texts.text AS id, max(flows.time_ms) AS last FROM flows JOIN texts ON texts.id = flows.rule GROUP BY flows.rule',
  ).all();
  const lastMs = new Map<string, number>();
  for (const { id, last } of rows) if (typeof id === 'string' && typeof last === 'number') lastMs.set(id, last);
  const oldestMs = numberOf(database, 'SELECT min(time_ms) FROM flows');
  return { lastMs, oldestMs: oldestMs === 0 ? null : oldestMs };
}
