/** The kernel's record of a process, as far as identities are made of it. */
import type { ExecutableId, BootNs } from '../../contract/vocabulary.ts';
import type { ExecRecord, ProcessRecord, RecordedImage } from '../../ports.ts';

/** What one execve was given, before the program could write over it. */
export type RecordedExec = Pick<ExecRecord, 'filename' | 'isScript' | 'arguments' | 'truncated' | 'workingDirectory'>;

/** One program in the hands of one process, from one exec to the next. */
export type Image = Pick<RecordedImage, 'pid' | 'startNs' | 'executable' | 'path' | 'command'> & { readonly exec: RecordedExec | null };

export type RecordedProcess = Pick<ProcessRecord, 'complete'> & { readonly image: Image | null; readonly ancestors: readonly Image[] };

/** As `ProcessRecords`. */
export interface Records {
  get(pid: number, startNs: BootNs, ran?: ExecutableId): RecordedProcess | null;
}
