/** What importing makes of a foreign file. */
import { BastionError } from '../contract/errors.ts';
import { IMPORT_ITEMS } from '../contract/types.ts';
import type { RuleEdit } from '../contract/types.ts';
import type { IMPORT_OUTCOMES } from '../contract/names.ts';

/**
 * kept: says here what it said there. changed: says it in other words, never more. review: could not be said exactly; a rule of
 * it is switched off. skipped: not imported.
 */
export type ImportOutcome = (typeof IMPORT_OUTCOMES)[number];

/** One thing of the file. */
export interface ImportItem {
  readonly outcome: ImportOutcome;
  /** From 1; 0 for the file as a whole. */
  readonly line: number;
  /** What it is called there: a key, a name. As the file has it, so anybody's text. */
  readonly source: string;
  /** One sentence or two. */
  readonly text: string;
  /** With an id. */
  readonly rule?: RuleEdit;
  /** Our own format: the rule's text as it stands there, comments included. */
  readonly block?: string;
  /** Our own format: when the rule was made, ms since 1970. */
  readonly createdMs?: number;
  /** Our own format: switches the rule of this id. */
  readonly override?: { readonly rule: string; readonly enabled: boolean };
}

/** A program that shall be known by its hash: an entry for applications.toml. */
export interface TrustedProgram {
  readonly name: string;
  readonly path: string;
  readonly sha256: string;
}

export interface Imported {
  readonly items: readonly ImportItem[];
  /** Lines that a person may put into bastion.toml, '' for none. Nothing is written there. */
  readonly settings: string;
  readonly applications: readonly TrustedProgram[];
}

/** Bounds of one import; what is over is refused with a sentence. */
export const IMPORT_LIMITS = {
  /** Longest text in UTF-16 code units, by the language of the format. */
  text: { json: 1_048_576, toml: 262_144, yaml: 65_536, bastion: 1_048_576 },
  nesting: 32,
  /** Values in one file. */
  values: 200_000,
  /** Things reported of one file. */
  items: IMPORT_ITEMS,
  /** Rules that one thing of a file may become: hosts of a rule, alternatives of a pattern. */
  rulesOfOne: 64,
  /** Longest of a text and a source of a report. */
  textLength: 400,
  sourceLength: 160,
} as const;

/** Line and column, both from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** An error of the file, told with its place. Throws BastionError InvalidArgument. */
export function refuse(place: Place, message: string): never {
  throw new BastionError('InvalidArgument', `line ${String(place.line)}, column ${String(place.column)}: ${message}`);
}

/** The file is more than is taken. Throws BastionError LimitReached. */
export function tooMuch(message: string): never {
  throw new BastionError('LimitReached', message);
}
