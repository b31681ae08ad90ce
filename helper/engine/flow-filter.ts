/** Does a flow in memory match a filter? The same as what history/query.ts asks of stored ones. */
import { programKey } from '../contract/program-key.ts';
import type { FlowRecord } from '../engine-api.ts';
import type { HistoryFilter } from '../ports.ts';

function contains(text: string, part: string): boolean {
  return asciiLower(text).includes(part);
}

/** Only these letters, as SQLite does. */
function asciiLower(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function matchesProgram({ path, forwardedFrom }: FlowRecord, filter: HistoryFilter): boolean {
  if (filter.path !== undefined && (path ?? '') !== filter.path) return false;
  if (filter.application === undefined) return true;
  const part = asciiLower(filter.application);
  return contains(path ?? '', part) || contains(forwardedFrom ?? '', part);
}

/** Who a flow is of, as filters and groups name it. */
export function programKeyOf({ path, identity, forwardedFrom }: FlowRecord): string {
  return programKey({ path, ...identity, forwardedFrom });
}

function matchesWord(record: FlowRecord, word: string): boolean {
  const { path, identity, forwardedFrom, host, tuple, decision } = record;
  const texts = [path, forwardedFrom, identity?.flatpak, identity?.snap, identity?.appImage, identity?.script, host, tuple.destinationAddress, decision.ruleId];
  return texts.some((text) => text != null && contains(text, word)) || (/^\d{1,5}$/.test(word) && tuple.destinationPort === Number(word));
}

function matchesHost({ tuple, names }: FlowRecord, host: string): boolean {
  return tuple.destinationAddress === host || names.some(({ name }) => name === host || name.endsWith(`.${host}`));
}

/** See `HistoryFilter`. */
export function matchesFilter(record: FlowRecord, filter: HistoryFilter): boolean {
  const { uid, host, port, action, ruleId, sinceMs, untilMs, verdict, protocols, program, destination, words = [] } = filter;
  return (
    (uid === undefined || record.uid === uid) &&
    (sinceMs === undefined || record.timeMs >= sinceMs) &&
    (untilMs === undefined || record.timeMs < untilMs) &&
    (action === undefined || record.decision.action === action) &&
    (ruleId === undefined || record.decision.ruleId === ruleId) &&
    (port === undefined || record.tuple.destinationPort === port) &&
    (verdict === undefined || (record.decision.action === 'allow') === (verdict === 'allowed')) &&
    (protocols?.includes(record.tuple.protocol) ?? true) &&
    (destination === undefined || (record.host ?? record.tuple.destinationAddress) === destination) &&
    (program === undefined || programKeyOf(record) === program) &&
    matchesProgram(record, filter) &&
    words.every((word) => matchesWord(record, word)) &&
    (host === undefined || matchesHost(record, host))
  );
}
