/** Which script an interpreter runs, as the kernel recorded its start, or as the process itself says. */
import type { Owner } from '../../contract/vocabulary.ts';
import type { Processes } from '../../ports.ts';
import { scriptOperand } from './interpreters.ts';
import { processName } from './keys.ts';
import { Lru } from '../lru.ts';
import type { Question } from './protocol.ts';
import type { Image, RecordedProcess } from './records.ts';
import type { WorkerLink } from './worker-link.ts';

export const SCRIPTS_LIMIT = 8192;

/** How a script is named, before it is looked for. */
export interface Naming {
  readonly operand: string;
  readonly folder: string | null;
  readonly evidence: 'exec' | 'claimed';
}

/**
 * What the exec record says. Null where the program ran code from elsewhere, and where this very process ran the same interpreter
 * before: which of the two opened the flow cannot be told then.
 */
function recordedNaming(owner: Owner, path: string, record: RecordedProcess): Naming | null {
  const exec = record.image?.exec ?? null;
  if (exec?.workingDirectory == null) return null;
  const own = record.ancestors.filter(({ pid, startNs }) => pid === owner.pid && startNs === owner.startNs);
  const { device, inode, generation } = owner.executable;
  const isAgain = own.some(({ executable: before }) => before.device === device && before.inode === inode && before.generation === generation);
  if (isAgain || (!record.complete && own.length === record.ancestors.length && own.length > 0)) return null;
  const operand = scriptOperand(path, { words: exec.arguments, truncated: exec.truncated });
  if (operand === null || (exec.isScript && operand !== exec.filename)) return null;
  return { operand, folder: exec.workingDirectory, evidence: 'exec' };
}

/** The kernel's record goes before what the process could have written itself. */
export function namingOf(owner: Owner, path: string, record: RecordedProcess | null, processes: Pick<Processes, 'commandLine'>): Naming | null {
  if (record?.image?.exec != null) return recordedNaming(owner, path, record);
  const words = processes.commandLine(owner.pid);
  // What fills the limit of the reader may have been cut.
  const truncated = words.reduce((bytes, word) => bytes + word.length + 1, 0) >= 4096;
  const operand = scriptOperand(path, { words, truncated });
  return operand === null ? null : { operand, folder: null, evidence: 'claimed' };
}

/** Of a program that started others: which images followed each other is recorded, so nothing of the same process is in doubt. */
export function ancestorNaming({ path, exec }: Image): Naming | null {
  if (path === null || exec?.workingDirectory == null) return null;
  const operand = scriptOperand(path, { words: exec.arguments, truncated: exec.truncated });
  if (operand === null || (exec.isScript && operand !== exec.filename)) return null;
  return { operand, folder: exec.workingDirectory, evidence: 'exec' };
}

/** The process that a script is looked for; `uid` pays for the look. */
export type ScriptProcess = Pick<Owner, 'pid' | 'startNs' | 'executable' | 'uid'>;

export class Scripts {
  readonly #link: WorkerLink;
  readonly #paths = new Lru<{ readonly path: string | null }>(SCRIPTS_LIMIT);

  constructor(link: WorkerLink) {
    this.#link = link;
  }

  get evicted(): number {
    return this.#paths.evicted;
  }

  /** Real path of the script's file; null for none. */
  look(owner: ScriptProcess, naming: Naming): { readonly path: string | null } | { readonly missing: () => Promise<void> } {
    const name = `${processName(owner)}\0${naming.evidence}\0${naming.folder ?? ''}\0${naming.operand}`;
    return this.#paths.get(name) ?? {
      missing: async () => {
        const question: Question = {
          kind: 'script', operand: naming.operand, folder: naming.folder, pid: owner.pid, startNs: owner.startNs,
        };
        const answer = await this.#link.ask(question, owner.uid, 'now');
        this.#paths.set(name, { path: answer?.kind === 'script' ? answer.path : null });
      },
    };
  }
}
