/** Names for files and processes in the tables of identities. */
import type { ExecutableId, Owner } from '../../contract/vocabulary.ts';
import type { FileKey } from './protocol.ts';

export function fileKeyOf({ device, inode, ctimeSec }: ExecutableId): FileKey {
  return { device, inode, ctimeSec };
}

/** A file, and the path that it was found by. */
export function fileName(executable: ExecutableId, path: string): string {
  const { device, inode, generation, ctimeSec } = executable;
  return `${String(device)} ${String(inode)} ${String(generation)} ${String(ctimeSec)} ${path}`;
}

/** A process in the hands of one program: it may run another one later. */
export function processName({ pid, startNs, executable }: Pick<Owner, 'pid' | 'startNs' | 'executable'>): string {
  return `${String(pid)} ${String(startNs)} ${fileName(executable, '')}`;
}
