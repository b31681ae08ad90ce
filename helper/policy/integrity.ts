/** Is a file the one that it was known as? The one table behind it. */
import type { Integrity } from '../contract/vocabulary.ts';

/** Why a hash is the known one: its package's checksum is right, a person accepted it, it was there first. */
export const KNOWN_BY = ['package', 'accepted', 'first-seen'] as const;
export type KnownBy = (typeof KNOWN_BY)[number];

export interface KnownHash {
  readonly sha256: string;
  readonly by: KnownBy;
}

/** Why a file is judged as it is. */
export const INTEGRITY_REASONS = ['trusted', 'not-trusted', 'package', 'package-wrong', 'accepted', 'first-seen', 'other-hash'] as const;
export type IntegrityReason = (typeof INTEGRITY_REASONS)[number];

export interface IntegrityFacts {
  /** What applications.toml says of the path; null where it says nothing. */
  readonly trusted: string | null;
  readonly known: KnownHash | null;
  /** What the file has now. */
  readonly sha256: string;
  /** right: the checksum that the package recorded. wrong: another one. none: no package, or none recorded. */
  readonly packageState: 'right' | 'wrong' | 'none';
}

export interface Judgement {
  readonly integrity: Exclude<Integrity, 'unknown'>;
  readonly trusted: boolean;
  readonly reason: IntegrityReason;
  /** The known hash from now on, where it is another one. */
  readonly learn: KnownHash | null;
}

/**
 * applications.toml decides where it names the path. Else a right checksum of the package is valid and becomes the known
 * hash. A wrong one is not, unless the very hash was accepted by a person or was there before any package had the file.
 * Without a package the hash that was seen first is the known one.
 */
export function judgeIntegrity({ trusted, known, sha256, packageState }: IntegrityFacts): Judgement {
  if (trusted !== null) {
    return trusted === sha256
      ? { integrity: 'valid', trusted: true, reason: 'trusted', learn: null }
      : { integrity: 'changed', trusted: false, reason: 'not-trusted', learn: null };
  }
  if (packageState === 'right') {
    const same = known?.sha256 === sha256 && known.by === 'package';
    return { integrity: 'valid', trusted: false, reason: 'package', learn: same ? null : { sha256, by: 'package' } };
  }
  if (known === null && packageState === 'none') {
    return { integrity: 'valid', trusted: false, reason: 'first-seen', learn: { sha256, by: 'first-seen' } };
  }
  const stands = known?.sha256 === sha256 && (packageState === 'none' || known.by !== 'package');
  if (stands) return { integrity: 'valid', trusted: false, reason: known.by, learn: null };
  return { integrity: 'changed', trusted: false, reason: packageState === 'wrong' ? 'package-wrong' : 'other-hash', learn: null };
}
