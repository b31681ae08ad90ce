/** Who changed the netfilter rules, as far as the kernel tells. */
import type { NetfilterChanges } from '../../../native/binding.ts';

/** Runs of our own tools whose announcement may still be on its way; more than two are never at work at the same time. */
const OWN_LIMIT = 32;

/** The numbers of the processes by which the helper itself changes the rules. */
export class OwnTools {
  readonly #pids = new Set<number>();

  add(pid: number): void {
    this.#pids.delete(pid);
    this.#pids.add(pid);
    for (const oldest of this.#pids) {
      if (this.#pids.size <= OWN_LIMIT) return;
      this.#pids.delete(oldest);
    }
  }

  has(pid: number): boolean {
    return this.#pids.has(pid);
  }
}

/** A task may call itself anything. */
function printable(command: string): string {
  return command.replaceAll(/[^\x21-\x7e]/gu, '?').slice(0, 16);
}

/**
 * "ufw (pid 12)", several with commas, "somebody" where the kernel names nobody; null where all of it was our own. In a PID
 * namespace the kernel's numbers are others than ours: our own changes are then looked at once more, which finds nothing.
 */
export function describeChange({ by, unnamed }: NetfilterChanges, own: OwnTools): string | null {
  const others = by.filter(({ pid }) => !own.has(pid)).map(({ command, pid }) => `${printable(command)} (pid ${String(pid)})`);
  if (unnamed) others.push('somebody');
  return others.length === 0 ? null : others.join(', ');
}
