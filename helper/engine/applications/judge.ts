/** Judges files by what is trusted and known, and keeps what it learns in the table. */
import type { Integrity } from '../../contract/vocabulary.ts';
import { judgeIntegrity } from '../../policy/integrity.ts';
import type { Judgement, KnownHash } from '../../policy/integrity.ts';
import type { Clock, HashedFile, JudgedFile, Logger, PackageState, TrustedApplication } from '../../ports.ts';
import { newApplication, NOBODY } from './table.ts';
import type { Application, ApplicationTable } from './table.ts';
import { stateOf } from './views.ts';

/** Longest journal form of a hash; the whole one is in the list. */
const SHORT_HASH = 16;

export interface JudgeDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly table: ApplicationTable;
  /** Something that is kept is different. */
  onChanged(): void;
}

export class Judge {
  readonly #deps: JudgeDeps;
  /** Entries of applications.toml by path. */
  trusted: ReadonlyMap<string, TrustedApplication> = new Map();

  constructor(deps: JudgeDeps) {
    this.#deps = deps;
  }

  /** The record of a file, made where there is none; null where there is no room for it. */
  record(path: string): Application | null {
    const { table } = this.#deps;
    const known = table.get(path);
    if (known !== null) return known;
    const record = newApplication({ path, kind: 'program', runs: null }, NOBODY);
    if (!table.add(record)) return null;
    this.#deps.onChanged();
    return record;
  }

  judge(file: JudgedFile): { readonly integrity: Integrity; readonly trusted: boolean } {
    const record = this.record(file.path);
    const judgement = judgeIntegrity({
      trusted: this.trusted.get(file.path)?.sha256 ?? null, known: record?.known ?? null, sha256: file.sha256,
      packageState: file.packageState,
    });
    if (record !== null) this.#remember(record, file, judgement);
    // What cannot be remembered was not seen before as far as anybody will know.
    const unknown = record === null && judgement.reason === 'first-seen';
    return { integrity: unknown ? 'unknown' : judgement.integrity, trusted: judgement.trusted };
  }

  /** Judges a file that was hashed by its path. */
  judgeHashed(record: Application, file: HashedFile): void {
    this.judge({
      path: record.path,
      executable: null,
      sha256: file.sha256,
      packageState: packageStateOf(record, file),
      package: file.package === undefined ? record.package : file.package,
    });
    if (record.seen !== null) record.seen = { ...record.seen, found: file.executable ?? null };
  }

  /** By what was last seen of it, as if that were still there. */
  state(record: Application): ReturnType<typeof stateOf> {
    return stateOf(record, this.trusted.get(record.path), 'there');
  }

  /** The hash is the known one from now on. */
  learn(record: Application, learn: KnownHash): void {
    const { path, known } = record;
    record.known = learn;
    record.json = null;
    if (known === null || known.sha256 === learn.sha256) return;
    record.change = { timeMs: this.#deps.clock.wallMs(), from: known.sha256, to: learn.sha256, by: learn.by };
    this.#deps.logger.log('info', 'the file of a program is another one now', {
      path, package: record.package ?? '', by: learn.by, old: short(known.sha256), new: short(learn.sha256),
    });
  }

  #remember(record: Application, file: JudgedFile, judgement: Judgement): void {
    const before = record.seen;
    const { packageState, sha256 } = file;
    const kept = before?.sha256 === sha256 ? before : null;
    record.seen = { sha256, packageState, executable: file.executable ?? kept?.executable ?? null, found: kept?.found ?? null };
    if (file.package !== record.package) this.#deps.table.describe(record, { package: file.package });
    if (judgement.learn !== null) this.learn(record, judgement.learn);
    else if (kept === null && judgement.integrity === 'changed') this.#tellChanged(record, sha256, judgement);
    record.json = null;
    if (kept?.packageState !== packageState || judgement.learn !== null) this.#deps.onChanged();
  }

  #tellChanged(record: Application, sha256: string, { reason }: Judgement): void {
    const old = this.trusted.get(record.path)?.sha256 ?? record.known?.sha256 ?? '';
    this.#deps.logger.log('warning', 'the file of a program was changed; rules that allow it wait for: bastionctl applications rehash', {
      path: record.path, why: reason, old: short(old), new: short(sha256),
    });
  }
}

/**
 * What the package system says of a hashed file. Where it was not asked, a file of a package that is not the one which was seen
 * before does not have its checksum.
 */
export function packageStateOf(record: Application, file: HashedFile): PackageState {
  if (file.packageState !== undefined) return file.packageState;
  if (record.seen?.sha256 === file.sha256) return record.seen.packageState;
  return record.package === null ? 'none' : 'wrong';
}

function short(sha256: string): string {
  return sha256.slice(0, SHORT_HASH);
}
