/** Who started whom, out of /proc. */
import { readFileSync } from 'node:fs';

const POLL_MS = 20;
const LIMIT_MS = 30_000;

/** The processes that `pid` has started and that run; none for one that has ended. */
export function children(pid: number): readonly number[] {
  try {
    return readFileSync(`/proc/${String(pid)}/task/${String(pid)}/children`, 'utf8').trim().split(' ').filter((part) => part !== '').map(Number);
  } catch {
    return [];
  }
}

/** Runs no more, or is only waited for. */
export function hasEnded(pid: number): boolean {
  try {
    return /^State:\t[ZX]/mu.test(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
  } catch {
    return true;
  }
}

/** Waits until something holds, 30 s at most where nothing else is said. */
export async function until(what: string, holds: () => boolean, limitMs = LIMIT_MS): Promise<void> {
  const end = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not within ${String(limitMs / 1000)} s: ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
  }
}

/** The windows' process of a desktop, once it runs. */
export async function windowOf(sessionPid: number): Promise<number> {
  await until('a windows’ process', () => children(sessionPid).length > 0);
  return children(sessionPid)[0] ?? 0;
}
