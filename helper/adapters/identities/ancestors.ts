/** Who started a process, with identities where the kernel recorded it. */
import type { Ancestor, Attribution, Identity, Owner } from '../../contract/vocabulary.ts';
import type { Processes } from '../../ports.ts';
import { fileIdentityOf } from './files.ts';
import type { FileRecord, Files } from './files.ts';
import { isInterpreter } from './interpreters.ts';
import { processName } from './keys.ts';
import { Lru } from '../lru.ts';
import type { Image, RecordedProcess } from './records.ts';
import { ancestorNaming } from './scripts.ts';
import type { Scripts } from './scripts.ts';

const ANCESTORS = 8;
export const LABELS_LIMIT = 1024;

/** Who started it, as far as it is known; `missing` finds out the rest, null when nothing is. */
export interface FoundAncestors extends Pick<Attribution, 'ancestors' | 'lineage'> {
  readonly missing: (() => Promise<void>) | null;
}

export interface AncestorsDeps {
  readonly files: Files;
  readonly scripts: Pick<Scripts, 'look'>;
  readonly processes: Pick<Processes, 'ancestors'>;
  /** Had the file its present content before that time? */
  readonly isOlderThan: (record: FileRecord, startNs: bigint) => boolean;
}

export class Ancestors {
  readonly #deps: AncestorsDeps;
  readonly #labels = new Lru<readonly Ancestor[]>(LABELS_LIMIT);

  constructor(deps: AncestorsDeps) {
    this.#deps = deps;
  }

  get evicted(): number {
    return this.#labels.evicted;
  }

  /** The kernel's record, else what was known already, else labels out of /proc, which are read once for each process. */
  of(owner: Owner, record: RecordedProcess | null, before: Attribution): FoundAncestors {
    if (record !== null) return this.#ofRecord(record.ancestors.slice(0, ANCESTORS), owner.uid);
    if (before.lineage !== undefined) return { ancestors: before.ancestors, lineage: before.lineage, missing: null };
    const name = processName(owner);
    const labels = this.#labels.get(name) ?? this.#deps.processes.ancestors(owner, ANCESTORS);
    this.#labels.set(name, labels);
    return { ancestors: before.ancestors.length > 0 ? before.ancestors : labels, lineage: 'procfs', missing: null };
  }

  #ofRecord(images: readonly Image[], uid: number): FoundAncestors {
    const gaps: (() => Promise<void>)[] = [];
    const ancestors = images.map((image): Ancestor => {
      const ancestor = this.#recorded(image, uid);
      const naming = ancestor.identity?.interpreter === true ? ancestorNaming(image) : null;
      if (naming === null || ancestor.identity === undefined) return ancestor;
      const look = this.#deps.scripts.look({ ...image, uid }, naming);
      if ('missing' in look) gaps.push(look.missing);
      else if (look.path !== null) return { ...ancestor, identity: withScript(ancestor.identity, look.path) };
      return ancestor;
    });
    const missing = gaps.length === 0 ? null : async (): Promise<void> => { await Promise.all(gaps.map((fill) => fill())); };
    return { ancestors, lineage: 'kernel', missing };
  }

  #recorded({ pid, path, command, executable, startNs }: Image, uid: number): Ancestor {
    if (path === null) return { pid, path, command };
    const { files } = this.#deps;
    // Nobody waits for an ancestor's file: what is not known of it yet is told when it is.
    const record = files.known(executable, path);
    if (record === null) files.lookLater(executable, path, uid);
    const plain: Identity = { path, ...(isInterpreter(path) ? { interpreter: true } : {}) };
    const known = record !== null && this.#deps.isOlderThan(record, startNs) ? fileIdentityOf(record, files.judgedOf(record)) : {};
    return { pid, path, command, identity: { ...known, ...plain } };
  }
}

/** The hash of the identity was the interpreter's. */
function withScript(identity: Identity, script: string): Identity {
  const rest: { -readonly [K in keyof Identity]: Identity[K] } = { ...identity };
  delete rest.sha256;
  return { ...rest, script, scriptEvidence: 'exec' };
}
