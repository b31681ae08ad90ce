/** /etc/bastion/applications.toml: port `TrustedApplications`. */
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { BastionError } from '../../contract/errors.ts';
import type { LoadError } from '../../contract/types.ts';
import type { Logger, TrustedApplication, TrustedApplications } from '../../ports.ts';
import { writeFileAtomic } from '../atomic-file.ts';
import { FileWatch } from '../rule-store/file-watch.ts';
import { LastGood } from '../rule-store/last-good.ts';
import { decode, refusalProblem, toLoadErrors } from '../rule-store/sources.ts';
import { checkTrustedFolder, readTrustedFile } from '../trusted-file.ts';
import type { Outcome } from '../trusted-file.ts';
import { readTrustedApplications, TRUSTED_LIMITS, withTrusted } from './trusted-toml.ts';
import type { PartCache, TrustedFile } from './trusted-toml.ts';

const FILE_NAME = 'applications.toml';
const FILE_MODE = 0o640;
const LIMIT_BYTES = 4 * 1024 * 1024;
/** A hand edit between reading and writing is met by starting again, this often. */
const EDIT_ATTEMPTS = 5;

export interface TrustedFileOptions {
  /** Holds applications.toml. */
  readonly configDir: string;
  /** Holds last-good. */
  readonly stateDir: string;
  readonly logger: Logger;
}

export function createTrustedApplications(options: TrustedFileOptions): TrustedApplications {
  return new TomlTrusted(options);
}

class TomlTrusted implements TrustedApplications {
  readonly #path: string;
  readonly #lastGood: LastGood;
  readonly #files: FileWatch;
  readonly #parts: PartCache = new Map();
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ configDir, stateDir, logger }: TrustedFileOptions) {
    this.#path = `${configDir}/${FILE_NAME}`;
    this.#lastGood = new LastGood(stateDir, LIMIT_BYTES, logger);
    this.#files = new FileWatch([], [this.#path], logger);
  }

  load(): ReturnType<TrustedApplications['load']> {
    return this.#inTurn(() => this.#loadNow());
  }

  watch(changed: () => void): () => void {
    return this.#files.listen(changed);
  }

  write(entries: readonly TrustedApplication[]): Promise<void> {
    return this.#inTurn(() => this.#writeNow(entries));
  }

  async #loadNow(): Promise<{ readonly entries: readonly TrustedApplication[]; readonly errors: readonly LoadError[] }> {
    this.#files.setKnown(await this.#files.snapshot());
    const outcome = await this.#read();
    if (!outcome.ok && outcome.refusal.code === 'missing') return { entries: [], errors: [] };
    const file = outcome.ok ? await fileOf(outcome.value, this.#parts) : { entries: [], problems: [refusalProblem(outcome.refusal)] };
    if (outcome.ok && file.problems.length === 0) {
      await this.#lastGood.keep('settings', FILE_NAME, outcome.value);
      return { entries: file.entries, errors: [] };
    }
    const copy = await this.#lastGood.read('settings', FILE_NAME);
    const kept = copy === null ? null : await fileOf(copy, new Map());
    if (kept?.problems.length === 0) {
      return { entries: kept.entries, errors: toLoadErrors(this.#path, file.problems, ' The last good version of this file stays in force.') };
    }
    const ending = file.entries.length > 0 ? ' Only the applications of this file that are right are used.' : ' None of its applications is used.';
    return { entries: file.entries, errors: toLoadErrors(this.#path, file.problems, ending) };
  }

  /** Writes what was meant, unless the file changed meanwhile: then it begins again. */
  async #writeNow(entries: readonly TrustedApplication[]): Promise<void> {
    for (let attempt = 0; attempt < EDIT_ATTEMPTS; attempt += 1) {
      const before = await this.#readText();
      const edited = await editedText(before ?? '', entries, this.#parts);
      if (edited === before) return;
      const bytes = Buffer.from(edited);
      if (bytes.length > LIMIT_BYTES) throw new BastionError('LimitReached', `${this.#path} would become too large.`);
      if (await this.#readText() !== before) continue;
      try {
        await writeFileAtomic(this.#path, bytes, FILE_MODE);
      } catch (error: unknown) {
        throw new BastionError('Failed', `${this.#path} could not be written.`, { cause: error });
      }
      await this.#files.ownWrite(this.#path, bytes);
      await this.#lastGood.keep('settings', FILE_NAME, bytes);
      return;
    }
    throw new BastionError('Busy', `${this.#path} is being changed by somebody else. Try again.`);
  }

  async #readText(): Promise<string | null> {
    const outcome = await this.#read();
    if (!outcome.ok) {
      if (outcome.refusal.code === 'missing') return null;
      throw new BastionError('Failed', `${this.#path}: ${refusalProblem(outcome.refusal).message}`);
    }
    const { text, problems } = decode(outcome.value);
    if (problems[0] !== undefined) throw new BastionError('Failed', `${this.#path}: ${problems[0].message}`);
    return text;
  }

  async #read(): Promise<Outcome<Buffer>> {
    const folder = await checkTrustedFolder(dirname(this.#path));
    return folder.ok ? readTrustedFile(this.#path, LIMIT_BYTES) : folder;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

async function fileOf(bytes: Buffer, cache: PartCache): Promise<Pick<TrustedFile, 'entries' | 'problems'>> {
  const { text, problems } = decode(bytes);
  const file = await readTrustedApplications(text, cache);
  return { entries: file.entries, problems: [...problems, ...file.problems] };
}

/** The text with `entries`, read again: it says what it said before, and them. */
async function editedText(text: string, entries: readonly TrustedApplication[], cache: PartCache): Promise<string> {
  const before = await readTrustedApplications(text, cache);
  const [problem] = before.problems;
  if (problem !== undefined) {
    throw new BastionError('Failed', `Mend applications.toml first, line ${String(problem.line)}, column ${String(problem.column)}: ${problem.message}`);
  }
  const wanted = new Map(before.entries.map((entry) => [entry.path, entry]));
  for (const { name, path, sha256 } of entries) wanted.set(path, { name: wanted.get(path)?.name ?? name, path, sha256 });
  if (wanted.size > TRUSTED_LIMITS.entries) throw new BastionError('LimitReached', 'applications.toml has too many entries; remove some first.');
  const edited = withTrusted(before, entries);
  const after = await readTrustedApplications(edited, cache);
  if (after.problems.length > 0 || !isDeepStrictEqual(after.entries, [...wanted.values()])) {
    throw new BastionError('Failed', 'The change could not be written into applications.toml without changing something else.');
  }
  return edited;
}
