/** Reads the rule files of one folder: each is right, or its last good copy stands in, or what denies in it is saved. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { LoadError } from '../../contract/types.ts';
import type { Tier } from '../../contract/vocabulary.ts';
import type { Logger } from '../../ports.ts';
import { checkTrustedFolder, readTrustedFile } from '../trusted-file.ts';
import type { Refusal } from '../trusted-file.ts';
import { digestOf } from './last-good.ts';
import type { LastGood, Shelf } from './last-good.ts';
import { LIMITS } from './limits.ts';
import type { StoreLimits } from './limits.ts';
import type { RuleTextParsers } from './rule-block.ts';
import { readRuleFile } from './rule-file.ts';
import type { RuleFile, SegmentCache } from './rule-file.ts';
import { shown } from './text.ts';
import type { Problem } from './toml.ts';

/** The file that the helper writes. */
export const USER_FILE = '50-user.toml';

const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9@_.+-]{0,190}\.toml$/;

/** Of a file with more rules than this, the journal does not say how many differ. */
const COMPARED_RULES = 2000;

/** One file's rules as they hold now. */
export interface Source {
  /** File name without folder. */
  readonly name: string;
  readonly tier: Tier;
  readonly file: RuleFile;
  /** good: as the file says. last-good: an earlier version. saved: only what denies, of a file that was never right. */
  readonly state: 'good' | 'last-good' | 'saved';
}

export interface FolderResult {
  readonly sources: readonly Source[];
  readonly errors: readonly LoadError[];
  /** The system refused to read something, which may end without a change of any file. */
  readonly unread: boolean;
}

interface Remembered {
  readonly digest: string;
  readonly file: RuleFile;
}

/** One folder of rule files, with what was read before, so that unchanged files are not parsed again. */
export class RuleFolder {
  readonly path: string;
  private readonly shelf: Shelf;
  private readonly parsers: RuleTextParsers;
  private readonly lastGood: LastGood;
  private readonly limits: StoreLimits;
  private readonly logger: Logger;
  private readonly remembered = new Map<string, Remembered>();
  private readonly userSegments: SegmentCache = new Map();
  /** What the last load gave, with the helper's own edits since: a disk that cannot be read for a while takes no rule out of force. */
  private latest: readonly Source[] = [];
  private unread = false;

  constructor(
    path: string, shelf: Extract<Shelf, 'rules' | 'vendor'>,
    deps: { readonly parsers: RuleTextParsers; readonly lastGood: LastGood; readonly limits: StoreLimits; readonly logger: Logger },
  ) {
    this.path = path;
    this.shelf = shelf;
    this.parsers = deps.parsers;
    this.lastGood = deps.lastGood;
    this.limits = deps.limits;
    this.logger = deps.logger;
  }

  /** At most `fileLimit` files are read, in the order of their names. */
  async load(fileLimit: number): Promise<FolderResult> {
    this.unread = false;
    const { sources, errors } = await this.read(fileLimit);
    this.latest = sources;
    return { sources, errors, unread: this.unread };
  }

  private async read(fileLimit: number): Promise<Omit<FolderResult, 'unread'>> {
    const errors: LoadError[] = [];
    const checked = await checkTrustedFolder(this.path);
    if (!checked.ok) return this.fromCopies(checked.refusal);
    const names = await this.names(errors);
    for (const name of names.slice(fileLimit)) this.remembered.delete(name);
    if (names.length > fileLimit) {
      const message = `There are more than ${String(this.limits.files)} rule files; ${String(names.length - fileLimit)} of this folder are not read. Join some.`;
      errors.push({ file: this.path, line: 0, column: 0, message });
    }
    const sources: Source[] = [];
    for (const name of names.slice(0, fileLimit)) {
      const source = await this.loadFile(name, errors);
      if (source !== null) sources.push(source);
    }
    await this.forgetAllBut(names);
    return { sources, errors };
  }

  /** Parses the text of the user's file. */
  async parseUserFile(text: string): Promise<RuleFile> {
    return readRuleFile(text, { parsers: this.parsers, overrides: true, cache: this.userSegments });
  }

  /** The helper has written the user's file: where it cannot be read, this is what stays in force. */
  setUserFile(file: RuleFile): void {
    const written: Source = { name: USER_FILE, tier: this.tier(USER_FILE), file: { ...file, segments: [] }, state: 'good' };
    const others = this.latest.filter(({ name }) => name !== USER_FILE);
    const after = others.findIndex(({ name }) => name > USER_FILE);
    this.latest = others.toSpliced(after === -1 ? others.length : after, 0, written);
  }

  private async names(errors: LoadError[]): Promise<string[]> {
    const all = (await readdir(this.path)).filter((name) => name.endsWith('.toml') && !name.startsWith('.')).sort();
    const strange = all.filter((name) => !FILE_NAME.test(name));
    for (const name of strange.slice(0, LIMITS.problemsPerFile)) {
      const message = `The file name ${shown(name)} is not used: letters, digits, "@", "_", ".", "+" and "-" only. Rename the file.`;
      errors.push({ file: this.path, line: 0, column: 0, message });
    }
    return all.filter((name) => FILE_NAME.test(name));
  }

  private async loadFile(name: string, errors: LoadError[]): Promise<Source | null> {
    const outcome = await readTrustedFile(join(this.path, name), this.limits.fileBytes);
    if (!outcome.ok) {
      if (outcome.refusal.code === 'missing') return null;
      this.remembered.delete(name);
      const problems = [refusalProblem(outcome.refusal)];
      if (outcome.refusal.code !== 'unreadable') return this.standIn(name, errors, problems, null);
      this.unread = true;
      const before = this.latest.find((source) => source.name === name);
      if (before === undefined) return this.standIn(name, errors, problems, null);
      this.report(name, errors, problems, ' What was read of it before stays in force.');
      return before;
    }
    const digest = digestOf(outcome.value);
    const before = this.remembered.get(name)?.file ?? null;
    const file = await this.parse(name, outcome.value, digest);
    this.report(name, errors, file.notes, '');
    if (file.problems.length > 0) return this.standIn(name, errors, file.problems, file);
    if (await this.lastGood.keep(this.shelf, name, outcome.value, digest) === 'changed') this.announce(name, before, file);
    return { name, tier: this.tier(name), file, state: 'good' };
  }

  private async parse(name: string, bytes: Buffer, digest: string): Promise<RuleFile> {
    const before = this.remembered.get(name);
    if (before?.digest === digest) return before.file;
    const { text, problems } = decode(bytes);
    const read = this.isUserFile(name)
      ? await this.parseUserFile(text)
      : await readRuleFile(text, { parsers: this.parsers, overrides: false, keepSegments: false });
    // Only the rules are kept in memory; an edit reads the text again anyway.
    const file = { ...read, segments: [], problems: [...problems, ...read.problems] };
    this.remembered.set(name, { digest, file });
    return file;
  }

  private async standIn(
    name: string, errors: LoadError[], problems: readonly Problem[], broken: RuleFile | null,
  ): Promise<Source | null> {
    const copy = await this.lastGood.read(this.shelf, name);
    if (copy !== null) {
      const file = await readRuleFile(decode(copy).text, { parsers: this.parsers, overrides: this.isUserFile(name) });
      if (file.problems.length === 0) {
        this.report(name, errors, problems, ' The last good version of this file stays in force.');
        return { name, tier: this.tier(name), file: { ...file, segments: [] }, state: 'last-good' };
      }
    }
    if (broken === null) {
      this.report(name, errors, problems, ' None of its rules is in force.');
      return null;
    }
    const rules = broken.rules.filter(({ content }) => content.action === 'deny' || content.action === 'drop');
    this.report(name, errors, problems, ' Until it is mended only the rules of this file that deny or drop are in force.');
    return { name, tier: this.tier(name), file: { ...broken, rules }, state: 'saved' };
  }

  /** The folder is gone or refused: what was right in it before stays in force. */
  private async fromCopies(refusal: Refusal): Promise<Omit<FolderResult, 'unread'>> {
    if (refusal.code === 'unreadable') this.unread = true;
    if (refusal.code === 'unreadable' && this.latest.length > 0) {
      const message = `${refusalProblem(refusal).message} What was read before stays in force.`;
      return { sources: this.latest, errors: [{ file: this.path, line: 0, column: 0, message }] };
    }
    const names = [...(await this.lastGood.names(this.shelf))].sort().slice(0, this.limits.files);
    if (refusal.code === 'missing' && names.length === 0) return { sources: [], errors: [] };
    const errors: LoadError[] = [];
    const { message } = refusalProblem(refusal);
    const kept = names.length === 0 ? '' : ' The last good versions of its files stay in force.';
    errors.push({ file: this.path, line: 0, column: 0, message: message + kept });
    const sources: Source[] = [];
    for (const name of names) {
      const source = await this.standIn(name, [], [], null);
      if (source !== null) sources.push(source);
    }
    return { sources, errors };
  }

  private async forgetAllBut(names: readonly string[]): Promise<void> {
    const present = new Set(names);
    for (const name of [...this.remembered.keys()]) if (!present.has(name)) this.remembered.delete(name);
    for (const name of await this.lastGood.names(this.shelf)) {
      if (!present.has(name)) await this.lastGood.forget(this.shelf, name);
    }
  }

  /** An edit that the helper did not make: the journal says so, and what became of the rules where that is known. */
  private announce(name: string, before: RuleFile | null, after: RuleFile): void {
    const fields = { file: join(this.path, name), rules: after.rules.length };
    if (before === null || after.rules.length > COMPARED_RULES) {
      this.logger.log('info', 'a rule file was changed by hand', fields);
      return;
    }
    const former = new Map(before.rules.map(({ content }) => [content.id, content]));
    const added = after.rules.filter(({ content: { id } }) => !former.has(id)).length;
    const same = after.rules.filter(({ content }) => isDeepStrictEqual(former.get(content.id), content)).length;
    const changed = after.rules.length - added - same;
    this.logger.log('info', 'a rule file was changed by hand', { ...fields, added, changed, removed: before.rules.length - changed - same });
  }

  private report(name: string, errors: LoadError[], problems: readonly Problem[], ending: string): void {
    const file = join(this.path, name);
    errors.push(...toLoadErrors(file, problems, ending));
  }

  private isUserFile(name: string): boolean {
    return this.shelf === 'rules' && name === USER_FILE;
  }

  private tier(name: string): Tier {
    if (this.shelf === 'vendor') return 'vendor';
    return this.isUserFile(name) ? 'user' : 'administrator';
  }
}

/** Problems as the bus tells them; the first says what follows from them, and there are at most 20 and a last one. */
export function toLoadErrors(file: string, problems: readonly Problem[], ending: string): LoadError[] {
  const errors = problems.slice(0, LIMITS.problemsPerFile).map(({ line, column, message }, index) => (
    { file, line, column, message: index === 0 ? message + ending : message }
  ));
  const more = problems.length - errors.length;
  if (more > 0) errors.push({ file, line: 0, column: 0, message: `There are ${String(more)} more problems in this file.` });
  return errors;
}

/** Bytes as text; a byte sequence that is not UTF-8 is a problem and reads as U+FFFD. */
export function decode(bytes: Buffer): { readonly text: string; readonly problems: readonly Problem[] } {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), problems: [] };
  } catch (error: unknown) {
    if (!(error instanceof TypeError)) throw error;
    const text = bytes.toString('utf8');
    const at = firstBadByte(bytes);
    const lines = bytes.subarray(0, at).toString('utf8').split('\n');
    const message = 'This is not UTF-8 text. Save the file in UTF-8.';
    return { text, problems: [{ line: lines.length, column: (lines.at(-1) ?? '').length + 1, message }] };
  }
}

/** Offset of the first byte that does not survive decoding. */
function firstBadByte(bytes: Buffer): number {
  const again = Buffer.from(bytes.toString('utf8'), 'utf8');
  let at = 0;
  while (at < bytes.length && bytes[at] === again[at]) at += 1;
  return at;
}

/** A refusal as a problem of the file as a whole. */
export function refusalProblem(refusal: Refusal): Problem {
  return { line: 0, column: 0, message: refusal.command === '' ? refusal.message : `${refusal.message} Mend it with: ${refusal.command}` };
}
