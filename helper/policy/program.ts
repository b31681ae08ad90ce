/** Which programs a rule names, and program paths and rule ids as text. */
import { KERNEL_PATH } from '../contract/vocabulary.ts';
import type { Ancestor, Confidence, Identity, ProgramMatch, RuleMatch } from '../contract/vocabulary.ts';
import { failed, parsed, quoted } from './parsed.ts';
import type { Parsed } from './parsed.ts';

/** PATH_MAX of linux/limits.h, the closing NUL left out. */
const LONGEST_PATH = 4095;
const ID = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/**
 * An absolute path as the kernel would print it, or `kernel` for what the kernel itself sends; '' is any (undefined). A
 * spelling that no verified path can have is an error and not a rule that silently never matches.
 */
export function parseProgram(text: string): Parsed<string | undefined> {
  if (text === '') return parsed(undefined);
  if (text === KERNEL_PATH) return parsed(text);
  if (!text.startsWith('/')) return failed(`${quoted(text)} is no program; write its absolute path, such as /usr/bin/curl, or kernel`);
  if (text.length > LONGEST_PATH || text.includes('\0')) return failed(`${quoted(text)} is too long for a path or holds a NUL`);
  const parts = text.slice(1).split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    return failed(`${quoted(text)} can never match; write the path without empty parts, '.' and '..'`);
  }
  return parsed(text);
}

/** `[a-z0-9][a-z0-9._-]{0,63}`. */
export function parseRuleId(text: string): Parsed<string> {
  if (ID.test(text)) return parsed(text);
  return failed(
    `${quoted(text)} is no rule id; write up to 64 small letters, digits, dots, dashes and underscores, a letter or digit first`,
  );
}

/** The parts of an identity in the order of their specificity; appImage, flatpak and snap are equal. */
export const PROGRAM_PARTS = ['sha256', 'script', 'appImage', 'flatpak', 'snap', 'path', 'package'] as const;
type Part = (typeof PROGRAM_PARTS)[number];

const SPECIFICITY: Readonly<Record<Part, number>> = {
  sha256: 0, script: 1, appImage: 2, flatpak: 2, snap: 2, path: 3, package: 4,
};
const ANY_PROGRAM = 5;

/** 0 for what is the most specific, 5 for any program. */
export function programSpecificity(match: ProgramMatch): number {
  const part = PROGRAM_PARTS.find((one) => match[one] !== undefined);
  return part === undefined ? ANY_PROGRAM : SPECIFICITY[part];
}

export function namesProgram(match: ProgramMatch): boolean {
  return programSpecificity(match) < ANY_PROGRAM;
}

function keyOf(part: Part, value: string): string {
  return `${part}:${value}`;
}

/** Under which a rule is found: its most specific part; null for any program. */
export function programKey(match: ProgramMatch): string | null {
  for (const part of PROGRAM_PARTS) {
    const value = match[part];
    if (value !== undefined) return keyOf(part, value);
  }
  return null;
}

/** All keys under which rules can name a program; `path` also where it is a claim, for what refuses. */
export function programKeys(identity: Identity, path: string | null): readonly string[] {
  const keys: string[] = [];
  for (const part of PROGRAM_PARTS) {
    const value = part === 'path' ? path : identity[part];
    if (value !== undefined && value !== null) keys.push(keyOf(part, value));
  }
  return keys;
}

/** Of an interpreter the hash is that of what it runs. */
function isOfProcess(part: Part, { interpreter }: Identity): boolean {
  return part === 'script' || (part === 'sha256' && interpreter === true);
}

/** Are all parts that a rule names so, as far as every process of the executable has them? */
export function partsMatch(match: ProgramMatch, identity: Identity): boolean {
  return PROGRAM_PARTS.every((part) => isOfProcess(part, identity) || match[part] === undefined || match[part] === identity[part]);
}

/** Do the parts that a rule names differ between processes of one executable? */
export function namesProcess({ script, sha256 }: ProgramMatch, identity: Identity | undefined): boolean {
  return script !== undefined || (sha256 !== undefined && identity?.interpreter === true);
}

interface Started {
  readonly confidence: Confidence;
  readonly identity?: Identity;
  readonly ancestors?: readonly Ancestor[];
  readonly lineage?: 'kernel' | 'procfs';
}

/**
 * Does the interpreter run this script? A command line that the process could have written itself counts for what refuses,
 * and where everything is known through /proc only.
 *
 * What allows has to know the interpreter too: any program can have the name of one, and the script as its first word.
 */
export function scriptMatches(match: RuleMatch, { identity, confidence }: Started, refuses: boolean): boolean {
  if (!namesProcess(match, identity)) return true;
  if (identity === undefined || (match.sha256 !== undefined && match.sha256 !== identity.sha256)) return false;
  if (match.script === undefined) return true;
  if (identity.script !== match.script) return false;
  if (refuses) return true;
  if (identity.scriptIntegrity === 'changed' || (match.pin === true && identity.scriptTrusted !== true)) return false;
  return knowsInterpreter(match, identity) && (identity.scriptEvidence === 'exec' || confidence === 'likely');
}

function knowsInterpreter(match: ProgramMatch, identity: Identity): boolean {
  const named = match.path ?? match.package ?? match.flatpak ?? match.snap ?? match.appImage;
  return named !== undefined || isInstalled(identity);
}

/** Is the file of the program, or of its script, another one than was known? */
export function isChanged(identity: Identity | undefined): boolean {
  return identity?.integrity === 'changed' || identity?.scriptIntegrity === 'changed';
}

/** Nobody but root could have put it where it is. */
export function isInstalled({ package: name, flatpak, snap }: Identity): boolean {
  return name !== undefined || flatpak !== undefined || snap !== undefined;
}

/**
 * Did a program that `match` names start this one, directly or through others? Where nobody knows who did, what refuses
 * matches, and what allows does not.
 */
export function ancestryMatches(match: ProgramMatch, { ancestors, lineage }: Started, refuses: boolean): boolean {
  if (ancestors === undefined) return refuses;
  return ancestors.some((ancestor) => {
    const { identity, path } = ancestor;
    const { script } = match;
    if (!refuses && (lineage !== 'kernel' || identity === undefined || identity.integrity === 'changed')) return false;
    const known = identity ?? { path };
    if (!partsMatch(match, known) || (script !== undefined && known.script !== script)) return false;
    if (match.sha256 !== undefined && known.sha256 !== match.sha256) return false;
    if (refuses || script === undefined) return true;
    return known.scriptEvidence === 'exec' && knowsInterpreter(match, known);
  });
}
