/** What the helper asks its identity worker, and what that answers. Everything here can be sent between threads. */

/** The parts of an `ExecutableId` that a file can be compared with from JavaScript; the generation is compared by the caller. */
export interface FileKey {
  /** `major << 20 | minor`, the kernel's own number. */
  readonly device: number;
  readonly inode: bigint;
  readonly ctimeSec: number;
}

/**
 * right: the file has the checksum that its package recorded. wrong: another one. unrecorded: the package has none for it.
 * none: no package has the file, or as a configuration file only.
 */
export type FilePackageState = 'right' | 'wrong' | 'unrecorded' | 'none';

/**
 * Why there is no hash. changed: it went on changing, or is another file than the one asked for. large: above the limit.
 * unreadable: not a regular file here, not permitted, or on a file system that a user provides. busy: no room or no time.
 */
export type HashFailure = 'changed' | 'large' | 'unreadable' | 'busy';

/** What was found out of one file. */
export interface Examined {
  readonly sizeBytes: number;
  /** Nanoseconds since 1970; 0n if the file could not be opened. */
  readonly ctimeNs: bigint;
  /** 64 small hexadecimal digits; null where it was not asked for, or with `failure`. */
  readonly sha256: string | null;
  readonly failure: HashFailure | null;
  readonly packageState: FilePackageState;
  /** Name without architecture; null with the state `none`. */
  readonly package: string | null;
  /** What that package says of itself in one line; only with the state `right`. */
  readonly packageSummary: string | null;
  /** The file begins as AppImages do. */
  readonly appImage: boolean;
  readonly snap: string | null;
  readonly flatpak: string | null;
}

/** One place where a file of a Flatpak may lie. */
export interface Deployment {
  /** Real path of the file. */
  readonly path: string;
  /** null for a per-user installation, and where several applications have this very file. */
  readonly flatpak: string | null;
}

export type Question =
  /** `key` null: whatever regular file is there. */
  | { readonly kind: 'examine'; readonly path: string; readonly key: FileKey | null; readonly hash: boolean }
  /** `claimed` begins with `/app/`. */
  | { readonly kind: 'flatpak'; readonly claimed: string; readonly key: FileKey; readonly uid: number }
  /** `operand` as on the command line, `folder` where it was started; `uid` cannot be trusted with links. */
  | { readonly kind: 'script'; readonly operand: string; readonly folder: string | null; readonly pid: number; readonly startNs: bigint }
  /** Is `device` a file system that user `uid` provides (FUSE), mounted above `path`? */
  | { readonly kind: 'user-mount'; readonly path: string; readonly device: number; readonly uid: number }
  /** Does this very process run this very state of the file now? */
  | { readonly kind: 'runs'; readonly pid: number; readonly startNs: bigint; readonly key: FileKey; readonly ctimeNs: bigint };

export type Answer =
  | { readonly kind: 'examine'; readonly examined: Examined }
  | { readonly kind: 'flatpak'; readonly deployments: readonly Deployment[] }
  | { readonly kind: 'script'; readonly path: string | null }
  | { readonly kind: 'user-mount'; readonly mounted: boolean }
  | { readonly kind: 'runs'; readonly runs: boolean };

export interface ToWorker {
  readonly id: number;
  readonly question: Question;
}

/** waiting: the package system is at work on this file, the answer may take until it has ended. alive: nothing hangs. */
export type FromWorker =
  | { readonly id: number; readonly answer: Answer }
  | { readonly id: number; readonly waiting: true }
  | { readonly alive: true };

/** Where the worker looks; defaults are the system's own places. */
export interface WorkerPlaces {
  /** dpkg's database, /var/lib/dpkg. */
  readonly database: string;
  /** The system's Flatpak installation, /var/lib/flatpak. */
  readonly flatpak: string;
  /** Names of users' home folders, /etc/passwd. */
  readonly passwd: string;
}

export const SYSTEM_PLACES: WorkerPlaces = { database: '/var/lib/dpkg', flatpak: '/var/lib/flatpak', passwd: '/etc/passwd' };
