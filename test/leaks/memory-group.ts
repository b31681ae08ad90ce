/** A group of processes with a limit of memory, where the machine has the controller of cgroup version 1. */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MOUNT = '/sys/fs/cgroup/memory';

export class MemoryGroup implements Disposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** null where there is no such controller. */
  static make(name: string): MemoryGroup | null {
    if (!existsSync(join(MOUNT, 'memory.limit_in_bytes'))) return null;
    const folder = join(MOUNT, name);
    mkdirSync(folder);
    return new MemoryGroup(folder);
  }

  /** Moves a process in and lets it take so many bytes more before the kernel ends it. What it has already is not counted. */
  take(pid: number, bytes: number): void {
    writeFileSync(join(this.#folder, 'memory.limit_in_bytes'), String(bytes));
    writeFileSync(join(this.#folder, 'cgroup.procs'), String(pid));
  }

  [Symbol.dispose](): void {
    rmdirSync(this.#folder);
  }
}
