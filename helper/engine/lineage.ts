/** Which programs started the one that a flow belongs to: the kernel's record where there is one, else /proc as it is now. */
import type { Ancestor, Attribution, Owner } from '../contract/vocabulary.ts';
import type { Clock, ProcessRecords, Processes, RecordedImage } from '../ports.ts';

const ANCESTORS = 8;
/** A process that opens many flows is looked at once in this time: files behind paths may be replaced. */
const REMEMBERED_NS = 1_000_000_000n;
const REMEMBERED_LIMIT = 256;

export interface LineageDeps {
  readonly clock: Pick<Clock, 'bootNs'>;
  readonly processes: Pick<Processes, 'ancestors'>;
  readonly records?: ProcessRecords;
}

type Found = Pick<Attribution, 'ancestors' | 'lineage'>;

function ancestorOf({ pid, path, command }: RecordedImage): Ancestor {
  return { pid, path, command, ...(path === null ? {} : { identity: { path } }) };
}

function keyOf({ pid, startNs, executable }: Owner): string {
  return [pid, startNs, executable.device, executable.inode, executable.generation, executable.ctimeSec].map(String).join(' ');
}

export class Lineage {
  readonly #deps: LineageDeps;
  readonly #remembered = new Map<string, { readonly found: Found; readonly untilNs: bigint }>();

  constructor(deps: LineageDeps) {
    this.#deps = deps;
  }

  /** The attribution with its ancestors; as it is where nobody of this machine is named, or they are there already. */
  attribute(attribution: Attribution): Attribution {
    const { owner } = attribution;
    if (owner === null || attribution.ancestors.length > 0) return attribution;
    return { ...attribution, ...this.of(owner) };
  }

  /** Nearest first; none for the kernel and for what is forwarded. */
  of(owner: Owner): Found {
    if (owner.pid === 0 || owner.forwardedFrom !== undefined) return { ancestors: [] };
    const nowNs = this.#deps.clock.bootNs();
    const key = keyOf(owner);
    const known = this.#remembered.get(key);
    if (known !== undefined && nowNs < known.untilNs) return known.found;
    const found = this.#find(owner);
    this.#remembered.delete(key);
    const oldest = this.#remembered.keys().next();
    if (this.#remembered.size >= REMEMBERED_LIMIT && oldest.done !== true) this.#remembered.delete(oldest.value);
    this.#remembered.set(key, { found, untilNs: nowNs + REMEMBERED_NS });
    return found;
  }

  #find(owner: Owner): Found {
    const record = this.#deps.records?.get(owner.pid, owner.startNs, owner.executable) ?? null;
    if (record !== null) return { ancestors: record.ancestors.map((image) => ancestorOf(image)), lineage: 'kernel' };
    const ancestors = this.#deps.processes.ancestors(owner, ANCESTORS);
    return ancestors.length === 0 ? { ancestors } : { ancestors, lineage: 'procfs' };
  }
}
