/** oneshot.missed and burst.lost*: allowed traffic that did not get through; 0 without a firewall as well. */
import type { Bed } from './bed.ts';
import { compared, type Figure } from './figures.ts';
import { PORTS, UDP_PORT } from './programs.ts';

export const LOSS_FIGURES: readonly string[] = ['oneshot.missed', 'burst.lost', 'burst.lost.stalled'];

const BURST_DATAGRAMS = 10_000;
const STALL_MS = 300;
const SETTLE_POLL_MS = 100;
/** Held datagrams count as lost when nothing has come for so long. */
const SETTLED_AFTER_POLLS = 5;

/** Datagrams that arrive until no more come, or until there are `expected`. */
async function arriving(bed: Bed, expected: number): Promise<number> {
  let sum = 0;
  for (let quiet = 0; quiet < SETTLED_AFTER_POLLS && sum < expected;) {
    const more = await bed.datagrams();
    sum += more;
    quiet = more === 0 ? quiet + 1 : 0;
    if (sum < expected) await new Promise((resolve) => { setTimeout(resolve, SETTLE_POLL_MS); });
  }
  return sum;
}

/** Processes that connect, or send one datagram, and are gone: `each` of both, in both families. */
async function missedOneshots(bed: Bed, each: number): Promise<number> {
  let missed = 0;
  for (const address of [bed.peer4, bed.peer6]) {
    missed += (await bed.client(['oneshot-tcp', address, PORTS.first, each])).failed;
    await bed.datagrams();
    await bed.client(['oneshot-udp', address, UDP_PORT, each]);
    missed += each - await arriving(bed, each);
  }
  return missed;
}

async function lostInBurst(bed: Bed): Promise<number> {
  await bed.datagrams();
  await bed.client(['burst', bed.peer4, UDP_PORT, BURST_DATAGRAMS]);
  return BURST_DATAGRAMS - await arriving(bed, BURST_DATAGRAMS);
}

/** The same burst while whoever looks at packets does nothing for a moment: the first datagram's decision comes late. */
async function lostInStalledBurst(bed: Bed): Promise<number> {
  const stalled = bed.worker;
  if (stalled === null) return await lostInBurst(bed);
  process.kill(stalled, 'SIGSTOP');
  const timer = setTimeout(() => { process.kill(stalled, 'SIGCONT'); }, STALL_MS);
  try {
    return await lostInBurst(bed);
  } finally {
    clearTimeout(timer);
    process.kill(stalled, 'SIGCONT');
  }
}

export interface LossSizes {
  readonly rounds: number;
  /** Processes of each kind. */
  readonly oneshots: number;
}

/** Each round on both beds. */
export async function measureLosses(
  wanted: readonly string[], { rounds, oneshots }: LossSizes, free: Bed, guarded: () => Promise<Bed>, tell: (line: string) => void,
): Promise<readonly Figure[]> {
  const measures: Readonly<Record<string, (bed: Bed) => Promise<number>>> = {
    'oneshot.missed': (bed) => missedOneshots(bed, oneshots),
    'burst.lost': lostInBurst,
    'burst.lost.stalled': lostInStalledBurst,
  };
  const figures: Figure[] = [];
  for (const [name, measure] of Object.entries(measures)) {
    if (!wanted.includes(name)) continue;
    const values: number[] = [];
    const baselines: number[] = [];
    for (let round = 0; round < rounds; round++) {
      tell(`${name}, round ${String(round + 1)} of ${String(rounds)}`);
      baselines.push(await measure(free));
      // A bed of its own for each round: the first datagram of a burst is one that nothing has decided before.
      const bed = await guarded();
      try {
        values.push(await measure(bed));
      } finally {
        await bed.close();
      }
    }
    figures.push(compared(name, 'count', values, baselines));
  }
  return figures;
}
