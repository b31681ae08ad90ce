/** A filter as SQL. The same as engine/flow-filter.ts asks of what is in memory. */
import type { HistoryFilter } from '../../ports.ts';

type Parameter = string | number;

/** SQL conditions on one row of `flows`, with their parameters in order. */
export interface Condition {
  readonly sql: string;
  readonly parameters: readonly Parameter[];
}

/** Small letters as SQLite's lower() makes them. */
export function asciiLower(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** A name in the JSON of `names` begins after `["` and ends before `"`; what lies below it has a dot before it. */
function hostCondition(host: string): Condition {
  const name = JSON.stringify(host);
  return {
    sql: `destination IN (SELECT id FROM destinations WHERE address = ?
      OR instr(names, ?) > 0 OR instr(names, ?) > 0)`,
    parameters: [host, `[${name},`, `.${name.slice(1)},`],
  };
}

function part(name: string): string {
  return `json_extract(identity, '$.identity.${name}')`;
}

/** As `programKey` says it. */
const PROGRAM_KEY = `CASE WHEN label <> '' THEN 'from:' || label WHEN ${part('flatpak')} IS NOT NULL THEN 'flatpak:' || ${part('flatpak')}
  WHEN ${part('snap')} IS NOT NULL THEN 'snap:' || ${part('snap')}
  ELSE 'path:' || coalesce(${part('script')}, ${part('appImage')}, path) END`;
/** Line ends keep a word from running over two texts. */
const PROGRAM_TEXT = `lower(path || char(10) || label || char(10) || ${['flatpak', 'snap', 'appImage', 'script'].map((name) => `ifnull(${part(name)}, '')`).join(' || char(10) || ')})`;

function wordCondition(word: string): Condition {
  const isPort = /^\d{1,5}$/.test(word);
  return {
    sql: `(program IN (SELECT id FROM programs WHERE instr(${PROGRAM_TEXT}, ?) > 0)
      OR destination IN (SELECT id FROM destinations WHERE instr(lower(target), ?) > 0 OR instr(address, ?) > 0${isPort ? ' OR port = ?' : ''})
      OR rule IN (SELECT id FROM texts WHERE instr(text, ?) > 0))`,
    parameters: [word, word, word, ...(isPort ? [Number(word)] : []), word],
  };
}

export function conditionsOf(filter: HistoryFilter): readonly Condition[] {
  const { path, uid, application, host, port, action, ruleId, sinceMs, untilMs, verdict, protocols, program, destination, words = [] } = filter;
  const conditions: Condition[] = [];
  const add = (sql: string, ...parameters: readonly Parameter[]): void => { conditions.push({ sql, parameters }); };
  if (uid !== undefined) add('uid = ?', uid);
  if (sinceMs !== undefined) add('time_ms >= ?', sinceMs);
  if (untilMs !== undefined) add('time_ms < ?', untilMs);
  if (action !== undefined) add('action = (SELECT id FROM texts WHERE text = ?)', action);
  if (ruleId !== undefined) add('rule = (SELECT id FROM texts WHERE text = ?)', ruleId);
  if (path !== undefined) add('program IN (SELECT id FROM programs WHERE path = ?)', path);
  if (application !== undefined) {
    const part = asciiLower(application);
    add('program IN (SELECT id FROM programs WHERE instr(lower(path), ?) > 0 OR instr(lower(label), ?) > 0)', part, part);
  }
  if (port !== undefined) add('destination IN (SELECT id FROM destinations WHERE port = ?)', port);
  if (host !== undefined) conditions.push(hostCondition(host));
  if (verdict !== undefined) add(`action ${verdict === 'allowed' ? '=' : '<>'} (SELECT id FROM texts WHERE text = 'allow')`);
  if (protocols !== undefined) {
    add(`destination IN (SELECT id FROM destinations WHERE protocol IN (${protocols.map(() => '?').join(', ')}))`, ...protocols);
  }
  if (program !== undefined) add(`program IN (SELECT id FROM programs WHERE ${PROGRAM_KEY} = ?)`, program);
  if (destination !== undefined) add('destination IN (SELECT id FROM destinations WHERE target = ?)', destination);
  for (const word of words) conditions.push(wordCondition(word));
  return conditions;
}
