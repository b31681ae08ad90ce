/** Is a rule one that can be written? The same readers as those of rule files, and strict forms for what they do not read. */
import type { RuleEdit } from '../contract/types.ts';
import { PART_READERS, parseAddress, parsePorts, parseProgram, parseProtocols, parseSchedule } from '../policy/text.ts';

const SHA256 = /^[0-9a-f]{64}$/;
/** What may be a user's name; a colon would end a field of passwd, and a leading minus would be an option. */
const USER = /^(?:[0-9]{1,10}|[^\s:/,\p{C}-][^\s:/,\p{C}]{0,63})$/u;
const DOMAIN_PART = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;
const INTERFACE = /^[^\s/:\p{C}]{1,15}\*?$/u;
const LONGEST_PATH_BYTES = 4095;
const LONGEST_DOMAIN = 253;
const LONGEST_TERM = 256;
const HIGHEST_UID = 0xffff_fffe;
const HIGHEST_PRIORITY = 1000;
/** 9999-12-31T23:59:59Z: the last second that RFC 3339 can write. */
const LAST_TIME_MS = 253_402_300_799_000;

/** A name of the DNS, or `*.` and one: small letters, digits, hyphens, underscores. */
export function isDomain(text: string): boolean {
  const name = text.startsWith('*.') ? text.slice(2) : text;
  const parts = name.split('.');
  return name.length <= LONGEST_DOMAIN && parts.length > 1 && parts.every((part) => DOMAIN_PART.test(part)) && !/^[0-9]+$/.test(parts.at(-1) ?? '');
}

function programProblem(path: string): string | null {
  const read = parseProgram(path);
  if (!read.ok) return read.message;
  if (Buffer.byteLength(path) > LONGEST_PATH_BYTES || !path.isWellFormed()) return 'the path is no text that a file can have as its name';
  return null;
}

/** Why a rule cannot be imported, without a full stop; null for one that can. */
export function ruleProblem(rule: RuleEdit): string | null {
  for (const path of [rule.path, rule.script, rule.appimage]) {
    const problem = path === undefined ? null : programProblem(path);
    if (problem !== null) return problem;
  }
  for (const read of [
    parseAddress(rule.address ?? ''), parsePorts(rule.port ?? ''), parseProtocols(rule.protocol ?? ''), parseSchedule(rule.schedule ?? ''),
    PART_READERS.container(rule.container ?? ''),
  ]) {
    if (!read.ok) return read.message;
  }
  if ([rule.address, rule.port, rule.protocol].some((term) => (term ?? '').length > LONGEST_TERM)) return 'it names too many ports or protocols';
  if (rule.sha256 !== undefined && !SHA256.test(rule.sha256)) return 'the hash is no SHA-256';
  if (rule.domain !== undefined && !isDomain(rule.domain)) return 'the name is no domain';
  if (rule.interface !== undefined && !INTERFACE.test(rule.interface)) return 'the interface has no name that one can have';
  if (rule.user !== undefined && rule.user !== '' && !(USER.test(rule.user) && (!/^[0-9]+$/.test(rule.user) || Number(rule.user) <= HIGHEST_UID))) {
    return 'the user is neither a name nor a number';
  }
  if (rule.until_ms !== undefined && !(rule.until_ms >= 0 && rule.until_ms <= LAST_TIME_MS)) return 'the end of its time is none that a file can hold';
  if (Math.abs(rule.priority ?? 0) > HIGHEST_PRIORITY) return 'its priority is out of range';
  return null;
}
