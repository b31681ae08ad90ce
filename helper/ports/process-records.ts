/** Which program started which, as the kernel recorded it. Types only. */
import type { BootNs, ExecutableId } from '../contract/vocabulary.ts';

/** What one execve was given, before the program could write over it. */
export interface ExecRecord {
  /** The file that was to be run, as it was named; null if it is longer than 255 bytes. */
  readonly filename: string | null;
  /** The file that the kernel ran in its place, as it was named; null if it is the same one, or longer than 127 bytes. */
  readonly interpreter: string | null;
  /** Its `#!` line, or binfmt_misc, led to an interpreter. */
  readonly isScript: boolean;
  /** With the program's own name first; at most 8, and at most 896 bytes in all. Those that are there are whole. */
  readonly arguments: readonly string[];
  /** Something was longer, or could not be read. */
  readonly truncated: boolean;
  /**
   * Absolute and without links. Null where paths mean other files than they do for the helper: in another mount namespace,
   * below a root directory of its own (chroot), on a mount that was taken away; also if it is too long (about 256 bytes).
   */
  readonly workingDirectory: string | null;
  /**
   * Of a script that the kernel found the interpreter for: its absolute path, see contract/recorded-path.ts. For `python3 x.py`
   * the reader of `arguments` must know which one is the script; `recordedPath` makes it absolute.
   */
  readonly script: string | null;
}

/** One program in the hands of one process, from one exec to the next. */
export interface RecordedImage {
  /** Of the process that called exec; its children run the same until they call exec themselves. */
  readonly pid: number;
  readonly startNs: BootNs;
  readonly executable: ExecutableId;
  /** Only where the kernel told it in the machine's own mount namespace, and the file there now is this very one. */
  readonly path: string | null;
  /** As it was right after exec. */
  readonly command: string;
  /** Older than the record: what ran when the helper first started, under the parent that it had then. No exec is known. */
  readonly adopted: boolean;
  readonly exec: ExecRecord | null;
}

/** What the kernel recorded of one process at fork and exec. */
export interface ProcessRecord {
  /**
   * What it runs. Null if there was no room to record it: then `ancestors` begins with the last program that is known.
   */
  readonly image: RecordedImage | null;
  /**
   * What ran before in this very process, then what its parent ran when it forked, and so on: the nearest first, at most 8. A
   * process that never called exec is not told apart from the one that it was forked from.
   */
  readonly ancestors: readonly RecordedImage[];
  /** Nothing is left out, up to the first process, and each of them was recorded at fork and exec. */
  readonly complete: boolean;
}

/** Which program started which, right after parents have exited, and what they do after a fork changes nothing of it. */
export interface ProcessRecords {
  /**
   * Null without the kernel's programs and for a process that ended long ago. Start times must be the kernel's own, as evidence
   * `kernel` has them. `ran` names the program that is meant where the process may have called exec since, as after a packet.
   */
  get(pid: number, startNs: BootNs, ran?: ExecutableId): ProcessRecord | null;
}
