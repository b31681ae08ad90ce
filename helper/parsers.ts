/** What main hands to adapters that may not import policy/: the text forms of rules, and the log levels. */
import type { RuleTextParsers } from './adapters/rule-store.ts';
import {
  conflictIn, PART_READERS, parseAddress, parsePorts, parseProfile, parseProtocols, parseSchedule,
} from './policy/text.ts';
import type { LogLevel } from './ports.ts';

export const LOG_LEVELS: readonly LogLevel[] = ['error', 'warning', 'info', 'debug'];

export const ruleTextParsers: RuleTextParsers = {
  ports: parsePorts,
  protocols: parseProtocols,
  address: parseAddress,
  schedule: parseSchedule,
  parts: PART_READERS,
  profile: parseProfile,
  conflict: conflictIn,
};
