/** Who a program is, and whether its file is the one that it was known as. Types only. */
import type { LoadError } from '../contract/types.ts';
import type { Attribution, ExecutableId, Integrity } from '../contract/vocabulary.ts';

/** Something that was told before is different now (a file, a package, a trusted hash), or only more is known than could be told in time. */
export type IdentityNews = 'different' | 'more';

/**
 * Who a program is beyond its path: package, Flatpak, Snap, AppImage, script, hash, and whether its file was changed. Looked
 * up off the event loop, remembered by executable (script and ancestors by process).
 */
export interface Identities {
  /**
   * The attribution with all that is known of the program, its path included where only the package system can tell it
   * (Flatpak). A promise where something has to be looked up first; it never rejects, and what could not be found out in time
   * is absent.
   */
  identify(attribution: Attribution): Attribution | Promise<Attribution>;
  /** Returns the way to stop. */
  onChanged(changed: (news: IdentityNews) => void): () => void;
  /** What the package of a program that was identified says of itself in one line; null or absent where that is not known. */
  summaryOf?(packageName: string): string | null;
  /** A fingerprint of what was trusted by hand: two helpers with the same one identify alike. */
  digest(): string;
}

/** What the package system says of a file: it has the recorded checksum; another one; nothing is recorded. */
export type PackageState = 'right' | 'wrong' | 'none';

/** A file that was hashed: the program's, or that of the AppImage or script that it stands for. */
export interface JudgedFile {
  readonly path: string;
  /** Which file that was; null where only the path is known. */
  readonly executable: ExecutableId | null;
  /** 64 small hexadecimal digits. */
  readonly sha256: string;
  readonly packageState: PackageState;
  /** null without one. */
  readonly package: string | null;
}

/** Is a program's file the one that it was known as? The answers are at once, out of what is remembered of the path. */
export interface IntegrityJudge {
  /** Is a hash known for the path, or does a rule name it? It is then to be hashed before a rule may rely on it. */
  expects(path: string): boolean;
  /** Judges, and remembers what it was told: the hash of a file that was never seen becomes the known one. */
  judge(file: JudgedFile): { readonly integrity: Integrity; readonly trusted: boolean };
  /** What was judged before may be judged otherwise now. Returns the way to stop. */
  onChanged(changed: () => void): () => void;
}

/** A file that was read to its end and did not change meanwhile. */
export interface HashedFile {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly executable?: ExecutableId;
  /** Absent where nobody looked; then it is not judged by its package. */
  readonly packageState?: PackageState;
  readonly package?: string | null;
}

/** What is looked up of files for the registry of applications; every path is absolute. */
export interface FileLook {
  /** null for what is no regular file, cannot be read, or went on changing. Rejects only when it was aborted. */
  hash(path: string, signal?: AbortSignal): Promise<HashedFile | null>;
  /** Which file is there, without reading it; null where there is none, 'unknown' where that cannot be told in time. */
  find(path: string): Promise<{ readonly executable: ExecutableId; readonly sizeBytes: number } | null | 'unknown'>;
}

/** One `[[application]]` of applications.toml. */
export interface TrustedApplication {
  /** For people; the file's base name where none was given. */
  readonly name: string;
  readonly path: string;
  /** 64 small hexadecimal digits. */
  readonly sha256: string;
}

/** applications.toml: what is trusted by hand. */
export interface TrustedApplications {
  /** A broken file keeps its last good entries in force and is reported. */
  load(): Promise<{ readonly entries: readonly TrustedApplication[]; readonly errors: readonly LoadError[] }>;
  /** Calls back after a hand edit has settled; returns the way to stop. */
  watch(changed: () => void): () => void;
  /**
   * Sets the hash of entries that are there, and appends the others; comments stay. Durable when it resolves. Throws
   * BastionError Failed for a file that has to be mended first, LimitReached, Busy.
   */
  write(entries: readonly TrustedApplication[]): Promise<void>;
}

/** Where the registry of applications outlives the helper. */
export interface ApplicationStore {
  /** null where there is nothing, or nothing that can be used (which is logged). */
  load(): Promise<unknown>;
  /** `json` is the whole text. Rejects where it cannot be written. */
  save(json: string): Promise<void>;
  /** What was loaded is not what it should be: keeps it aside for people. */
  setAside(): Promise<void>;
}
