/** Rehash: what files have now, told beside what they were to have, and accepted. */
import { BastionError } from '../../contract/errors.ts';
import type { RehashOptions, RehashRow } from '../../engine-api.ts';
import type { FileLook, HashedFile, TrustedApplication } from '../../ports.ts';
import { packageStateOf } from './judge.ts';
import type { Judge } from './judge.ts';
import type { Application } from './table.ts';
import { stateOf } from './views.ts';

/** Longest name that applications.toml takes. */
const NAME_LENGTH = 128;

/** One file that is to be hashed. */
export interface RehashTarget {
  readonly id: string;
  readonly name: string;
  readonly path: string;
  /** What it is to have; '' where nothing is known. */
  readonly oldSha256: string;
  /** Nothing but this hash is accepted; null for whatever the file has. */
  readonly only: string | null;
}

/** A target with what was found. */
export interface Rehashed {
  readonly target: RehashTarget;
  /** null where it is missing or could not be read. */
  readonly file: HashedFile | null;
  readonly missing: boolean;
}

interface Found {
  readonly target: RehashTarget;
  readonly sizeBytes: number;
  readonly missing: boolean;
}

/** Targets `ID` and `ID=SHA256`. Throws BastionError InvalidArgument. */
export function parseTarget(text: string): { readonly id: string; readonly only: string | null } {
  const parts = /^([0-9a-f]{1,64})(?:=([0-9a-f]{64}))?$/.exec(text);
  if (parts === null) throw new BastionError('InvalidArgument', 'ids: an id, or an id, an equals sign and 64 small hexadecimal digits.');
  return { id: parts[1] ?? '', only: parts[2] ?? null };
}

/** Hashes one file after the other. Throws BastionError Failed once it is aborted. */
export async function rehashFiles(
  targets: readonly RehashTarget[], look: FileLook, options: RehashOptions,
): Promise<readonly Rehashed[]> {
  const { signal } = options;
  const found: Found[] = [];
  for (const target of targets) {
    stopWhenAborted(signal);
    const there = await look.find(target.path);
    found.push({ target, sizeBytes: there === null || there === 'unknown' ? 0 : there.sizeBytes, missing: there === null });
  }
  const totalBytes = found.reduce((sum, one) => sum + one.sizeBytes, 0);
  let doneBytes = 0;
  const done: Rehashed[] = [];
  options.progress(0, totalBytes);
  for (const { target, sizeBytes, missing } of found) {
    stopWhenAborted(signal);
    const file = missing ? null : await look.hash(target.path, signal).catch((error: unknown) => {
      stopWhenAborted(signal);
      throw error;
    });
    done.push({ target, file, missing });
    doneBytes += sizeBytes;
    options.progress(doneBytes, totalBytes);
  }
  stopWhenAborted(signal);
  return done;
}

/** The row for what was not accepted; null for a file that may be. */
export function rowWithout({ target, file, missing }: Rehashed): RehashRow | null {
  const { id, name, path, oldSha256, only } = target;
  const row = { id, name, path, oldSha256, newSha256: file?.sha256 ?? '' };
  if (missing) return { ...row, state: 'missing', result: 'missing' };
  if (file === null) return { ...row, state: 'unknown', result: 'failed' };
  if (only !== null && only !== file.sha256) return { ...row, state: 'changed', result: 'other-hash' };
  return null;
}

/** What goes to applications.toml: an entry that is there already, and a change that no package answers for. */
export function trustedEntryFor({ target: { path, name, oldSha256 }, file }: Rehashed, judge: Judge, packaged: boolean): readonly TrustedApplication[] {
  if (file === null || file.sha256 === oldSha256) return [];
  const entry = judge.trusted.get(path);
  if (entry !== undefined) return [{ ...entry, sha256: file.sha256 }];
  const hasPackage = packaged || (file.package ?? null) !== null || (file.packageState ?? 'none') !== 'none';
  return hasPackage || oldSha256 === '' ? [] : [{ name: name.slice(0, NAME_LENGTH).toWellFormed(), path, sha256: file.sha256 }];
}

/** Makes what the file has the known hash, unless its package answers for it. */
export function acceptFile({ target, file }: Rehashed, record: Application | null, judge: Judge): RehashRow {
  const { id, name, path, oldSha256 } = target;
  const row = { id, name, path, oldSha256, newSha256: file?.sha256 ?? '' };
  if (file === null || record === null) return { ...row, state: 'unknown', result: 'failed' };
  const wasChanged = oldSha256 !== file.sha256 || isChanged(record, file, judge);
  if (wasChanged && file.packageState !== 'right') judge.learn(record, { sha256: file.sha256, by: 'accepted' });
  judge.judgeHashed(record, file);
  return { ...row, state: judge.state(record).state, result: wasChanged ? 'accepted' : 'same' };
}

/** Would it be red although its hash is the known one? A package that records another checksum says so. */
function isChanged(record: Application, file: HashedFile, judge: Judge): boolean {
  const seen = { sha256: file.sha256, packageState: packageStateOf(record, file), executable: null, found: null };
  return stateOf({ ...record, seen }, judge.trusted.get(record.path), 'there').state === 'changed';
}

function stopWhenAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new BastionError('Failed', 'It was stopped; nothing was accepted.');
}
