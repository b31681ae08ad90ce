/**
 * Answers `once`: they cover a flow, and the flow goes on when the kernel's memory of it was cleared by a change of rules.
 * Keyed by the socket and its destination; a later socket is another flow.
 */
import type { RuleAction } from '../contract/vocabulary.ts';
import type { Ask } from '../ports.ts';

/** Flows remembered; the one that was used longest ago leaves and would be asked about again. */
const LIMIT = 4096;

/** null where the flow has no socket of its own to be known by: the fallback's tuple could be somebody else's next time. */
function keyOf({ attribution: { owner }, tuple }: Ask): string | null {
  if (owner === null || owner.cookie === 0n) return null;
  return [
    String(owner.cookie), String(owner.pid), String(owner.startNs), String(owner.uid), String(owner.executable.device),
    String(owner.executable.inode), String(owner.executable.ctimeSec), String(tuple.protocol), tuple.destinationAddress,
    String(tuple.destinationPort),
  ].join('|');
}

export class OnceTable {
  readonly #actions = new Map<string, RuleAction>();
  readonly #limit: number;

  constructor(limit: number = LIMIT) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#actions.size;
  }

  set(ask: Ask, action: RuleAction): void {
    const key = keyOf(ask);
    if (key === null) return;
    this.#actions.delete(key);
    this.#actions.set(key, action);
    if (this.#actions.size <= this.#limit) return;
    const [oldest] = this.#actions.keys();
    if (oldest !== undefined) this.#actions.delete(oldest);
  }

  get(ask: Ask): RuleAction | null {
    if (this.#actions.size === 0) return null;
    const key = keyOf(ask);
    const action = key === null ? undefined : this.#actions.get(key);
    if (key === null || action === undefined) return null;
    this.#actions.delete(key);
    this.#actions.set(key, action);
    return action;
  }
}
