/** The tables `application`, `ancestor` and `destination` of a rule as one match. */
import type { ProgramMatch, RuleMatch, Schedule } from '../../contract/vocabulary.ts';
import type { FieldReader } from './field-reader.ts';
import { LIMITS } from './limits.ts';
import type { RuleTextParsers, TextPart } from './rule-block.ts';
import { shown } from './text.ts';

/** Keys of a table that name a program, and the part of the match that each is. */
export const PROGRAM_KEYS = [
  ['path', 'path'], ['package', 'package'], ['flatpak', 'flatpak'], ['snap', 'snap'], ['appimage', 'appImage'],
  ['script', 'script'], ['sha256', 'sha256'],
] as const satisfies readonly (readonly [string, TextPart])[];

export const PLACE_KEYS = ['domain', 'list', 'zone', 'interface'] as const satisfies readonly TextPart[];

const ANCESTOR_KEYS: readonly string[] = PROGRAM_KEYS.map(([key]) => key);
const APPLICATION_KEYS: readonly string[] = [...ANCESTOR_KEYS, 'container', 'pin', 'include_children', 'scripts'];
const DESTINATION_KEYS: readonly string[] = ['address', 'port', 'protocol', ...PLACE_KEYS];

/** A rule and its tables; null for a table that is not there. */
export interface MatchTables {
  readonly rule: FieldReader;
  readonly application: FieldReader | null;
  readonly ancestor: FieldReader | null;
  readonly destination: FieldReader | null;
}

export function applicationReader(rule: FieldReader): FieldReader | null {
  return rule.sub('application', APPLICATION_KEYS, []);
}

export function ancestorReader(rule: FieldReader): FieldReader | null {
  return rule.sub('ancestor', ANCESTOR_KEYS, []);
}

export function destinationReader(rule: FieldReader): FieldReader | null {
  return rule.sub('destination', DESTINATION_KEYS, []);
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What the tables say, absent keys left out. Problems are noted in the readers. */
export function readMatch(tables: MatchTables, schedule: Schedule | null, parsers: RuleTextParsers): RuleMatch {
  const { rule, application, ancestor, destination } = tables;
  const match: Mutable<RuleMatch> = {};
  if (application !== null) readApplication(application, match, parsers);
  if (ancestor !== null) match.ancestor = readAncestor(ancestor, parsers);
  if (destination !== null) readDestination(destination, match, parsers);
  if (schedule !== null) match.schedule = schedule;
  if (rule.problems.length > 0 || application?.isWrong === true || ancestor?.isWrong === true || destination?.isWrong === true) return match;
  const conflict = parsers.conflict(match);
  if (conflict !== null) {
    const at = conflict.startsWith('address') || conflict.startsWith('domain') ? 'destination' : 'application';
    rule.complainAbout(at, `${conflict.slice(0, 1).toUpperCase()}${conflict.slice(1)}.`);
  }
  return match;
}

function readApplication(reader: FieldReader, match: Mutable<RuleMatch>, parsers: RuleTextParsers): void {
  readProgram(reader, match, parsers);
  const container = reader.has('container') ? reader.parsedText('container', parsers.parts.container) : null;
  if (container !== null) match.container = container;
  const pin = reader.text('pin', LIMITS.termLength);
  if (pin === 'sha256') match.pin = true;
  else if (pin !== null) reader.complainAbout('pin', `${shown(pin)} is no pin. Write pin = "sha256", or remove it.`);
  const scripts = reader.text('scripts', LIMITS.termLength);
  if (scripts === 'all') match.allScripts = true;
  else if (scripts !== null) {
    reader.complainAbout('scripts', `${shown(scripts)} is not understood. Write scripts = "all", or name one with script = "...".`);
  }
  if (reader.flag('include_children') === true) match.includeChildren = true;
  if (!reader.isWrong && !reader.has('container') && !PROGRAM_KEYS.some(([key]) => reader.has(key))) {
    reader.complainHere('"application" names no program. Add a key such as path = "/usr/bin/curl".');
  }
}

function readProgram(reader: FieldReader, match: Mutable<ProgramMatch>, parsers: RuleTextParsers): void {
  for (const [key, part] of PROGRAM_KEYS) {
    if (!reader.has(key)) continue;
    const value = reader.parsedText(key, parsers.parts[part]);
    if (value === null) continue;
    if (Buffer.byteLength(value) > LIMITS.pathBytes) reader.complainAbout(key, `A path has at most ${String(LIMITS.pathBytes)} bytes.`);
    else match[part] = value;
  }
}

function readAncestor(reader: FieldReader, parsers: RuleTextParsers): ProgramMatch {
  const match: Mutable<ProgramMatch> = {};
  readProgram(reader, match, parsers);
  const [, second] = PROGRAM_KEYS.filter(([key]) => reader.has(key));
  if (second !== undefined) reader.complainAbout(second[0], 'An ancestor is named by one key. Remove the others.');
  if (match.path?.startsWith('/') === false) reader.complainAbout('path', 'The kernel starts no programs that could be named. Name another ancestor.');
  return match;
}

function readDestination(reader: FieldReader, match: Mutable<RuleMatch>, parsers: RuleTextParsers): void {
  const address = reader.parsed('address', parsers.address);
  const ports = reader.parsed('port', parsers.ports);
  const protocols = reader.parsed('protocol', parsers.protocols);
  if (address !== null) match.address = address;
  if (ports !== null) match.ports = ports;
  if (protocols !== null) match.protocols = protocols;
  for (const key of PLACE_KEYS) {
    if (!reader.has(key)) continue;
    const value = reader.parsedText(key, parsers.parts[key]);
    if (value !== null) match[key] = value;
  }
}
