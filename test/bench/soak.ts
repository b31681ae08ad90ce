/**
 * connect.first_seen.stall and helper.memory.soak: for a while every connection goes where none went before, so that each is
 * decided by the engine and every table of the helper overflows.
 */
import { memoryMegabytes, type Bed } from './bed.ts';
import { alone, type Figure } from './figures.ts';
import type { HelperBed } from './helper-figures.ts';
import { PORTS, SOAK_ADDRESS } from './programs.ts';

const STALL = 'connect.first_seen.stall';
const MEMORY = 'helper.memory.soak';
export const SOAK_FIGURES: readonly string[] = [STALL, MEMORY];

/** Slices on either bed in turn: both meet the same machine. The figures are of all slices together. */
export interface SoakSizes {
  readonly slices: number;
  readonly sliceMs: number;
}

const US_PER_MS = 1000;

/** Connects for one slice, from where the one before ended; the longest wait of a connection, in ms. */
class Walker {
  readonly #bed: Bed;
  #done = 0;
  longestMs = 0;

  constructor(bed: Bed) {
    this.#bed = bed;
  }

  get done(): number {
    return this.#done;
  }

  async walk(ms: number): Promise<void> {
    const result = await this.#bed.client(['soak', SOAK_ADDRESS, PORTS.first, PORTS.count, this.#done, ms]);
    if (result.failed > 0) throw new Error(`${String(result.failed)} of ${String(result.count)} connections failed`);
    this.#done += result.count;
    this.longestMs = Math.max(this.longestMs, result.maxUs / US_PER_MS);
  }
}

/** The memory's baseline is that after a third of the slices: until then tables fill that have a size. */
export async function measureSoak(
  wanted: readonly string[], sizes: SoakSizes, free: Bed, open: () => Promise<HelperBed>, tell: (line: string) => void,
): Promise<readonly Figure[]> {
  const guarded = await open();
  try {
    const [without, within] = [new Walker(free), new Walker(guarded)];
    const filled = Math.ceil(sizes.slices / 3);
    let earlier = (await memoryMegabytes(guarded.helperPid)).pss;
    for (let slice = 1; slice <= sizes.slices; slice++) {
      tell(`soak, slice ${String(slice)} of ${String(sizes.slices)}`);
      await without.walk(sizes.sliceMs);
      await within.walk(sizes.sliceMs);
      if (slice === filled) earlier = (await memoryMegabytes(guarded.helperPid)).pss;
    }
    const later = (await memoryMegabytes(guarded.helperPid)).pss;
    tell(`soak: ${String(within.done)} destinations, ${String(without.done)} without the firewall`);
    const figures: readonly Figure[] = [
      { ...alone(STALL, 'ms', within.longestMs), baseline: without.longestMs, ratio: within.longestMs / without.longestMs },
      { ...alone(MEMORY, 'MB', later), baseline: earlier, ratio: later / earlier },
    ];
    return figures.filter(({ name }) => wanted.includes(name));
  } finally {
    await guarded.close();
  }
}
