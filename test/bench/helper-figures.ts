/** helper.*, rules.100k.* and prompt.*: figures of the helper itself. */
import { memoryMegabytes, type Bed } from './bed.ts';
import { alone, compared, median, quantile, type Figure } from './figures.ts';
import { PORTS } from './programs.ts';
import type { Failed } from './rounds.ts';

/** A bed with a helper in it. */
export interface HelperBed extends Bed {
  readonly helperPid: number;
  readonly peerNamespace: string;
  readonly busAddress: string;
  /** Path of the program that `bulk` runs. */
  readonly bulkProgram: string;
  /** From the start of the process until it answered on the bus. */
  readonly startedInMs: number;
  /**
   * Raises one prompt by a program without a rule and answers it; resolves with the time from the program's connect to the
   * signal at the agent, in ms.
   */
  raisePrompt(port: number): Promise<number>;
}

/** What a bed's helper starts with. */
export interface HelperSetting {
  /** Rules in the file besides the benchmark's own one. */
  readonly otherRules: number;
  readonly agent: boolean;
  /** More lines of bastion.toml. */
  readonly settings?: string;
}

export type OpenHelper = (setting: HelperSetting) => Promise<HelperBed>;

export const HELPER_FIGURES: readonly string[] = [
  'helper.start', 'helper.memory.idle', 'helper.memory.idle.private', 'helper.memory.loaded', 'rules.100k.load',
  'rules.100k.p50', 'prompt.signal.p95',
];

/** With the rule of the benchmark itself and the vendor's, just below the store's limit. */
const MANY_RULES = 99_900;
const FEW_RULES = 10;
/** Node returns memory of its start lazily; idle means after that. */
const IDLE_AFTER_MS = 10_000;
const LOAD_CONNECTIONS = 4000;
const LOAD_WORKERS = 64;

/** Rounds and sample sizes of this group. */
export interface HelperSizes {
  readonly rounds: number;
  readonly firstSeen: number;
  readonly prompts: number;
}

async function memory(open: OpenHelper): Promise<readonly Figure[]> {
  const bed = await open({ otherRules: 0, agent: false });
  try {
    await new Promise((resolve) => { setTimeout(resolve, IDLE_AFTER_MS); });
    const idle = await memoryMegabytes(bed.helperPid);
    await bed.client(['tcp', bed.peer4, PORTS.first, LOAD_CONNECTIONS, LOAD_CONNECTIONS, LOAD_WORKERS]);
    const loaded = await memoryMegabytes(bed.helperPid);
    return [
      alone('helper.memory.idle', 'MB', idle.pss),
      alone('helper.memory.idle.private', 'MB', idle.anonymous),
      alone('helper.memory.loaded', 'MB', loaded.pss),
    ];
  } finally {
    await bed.close();
  }
}

async function startTime(open: OpenHelper, rounds: number): Promise<readonly Figure[]> {
  const seconds: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const bed = await open({ otherRules: 0, agent: false });
    seconds.push(bed.startedInMs / 1000);
    await bed.close();
  }
  return [alone('helper.start', 's', median(seconds))];
}

/** The start with many rules against the start with few, and a first connect under both. */
async function manyRules(open: OpenHelper, sizes: HelperSizes): Promise<readonly Figure[]> {
  const few = await open({ otherRules: FEW_RULES, agent: false });
  try {
    const many = await open({ otherRules: MANY_RULES, agent: false });
    try {
      const values: number[] = [];
      const baselines: number[] = [];
      const sample = async (bed: Bed, round: number): Promise<number> => {
        const firstPort = PORTS.first + 1 + round * sizes.firstSeen;
        const result = await bed.client(['tcp', bed.peer4, firstPort, sizes.firstSeen, sizes.firstSeen, 1]);
        if (result.failed > 0) throw new Error(`${String(result.failed)} connections failed`);
        return result.p50Us;
      };
      for (let round = 0; round < sizes.rounds; round++) {
        baselines.push(await sample(few, round));
        values.push(await sample(many, round));
      }
      return [
        compared('rules.100k.load', 's', [many.startedInMs / 1000], [few.startedInMs / 1000]),
        compared('rules.100k.p50', 'us', values, baselines),
      ];
    } finally {
      await many.close();
    }
  } finally {
    await few.close();
  }
}

async function prompts(open: OpenHelper, count: number): Promise<readonly Figure[]> {
  const bed = await open({ otherRules: 0, agent: true });
  try {
    const times: number[] = [];
    for (let number = 0; number < count; number++) times.push(await bed.raisePrompt(PORTS.first + number));
    return [alone('prompt.signal.p95', 'ms', quantile(times, 0.95))];
  } finally {
    await bed.close();
  }
}

/** Measures the wanted figures, each on helpers of its own; what fails goes to `failed` and leaves the others alone. */
export async function measureHelper(
  wanted: readonly string[], sizes: HelperSizes, open: OpenHelper, tell: (line: string) => void,
  failed: Failed,
): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  const group = async (names: readonly string[], work: () => Promise<readonly Figure[]>): Promise<void> => {
    if (!names.some((name) => wanted.includes(name))) return;
    tell(names.join(', '));
    try {
      figures.push(...(await work()).filter(({ name }) => wanted.includes(name)));
    } catch (error: unknown) {
      failed(names, error);
    }
  };
  await group(['helper.start'], () => startTime(open, sizes.rounds));
  await group(['helper.memory.idle', 'helper.memory.idle.private', 'helper.memory.loaded'], () => memory(open));
  await group(['rules.100k.load', 'rules.100k.p50'], () => manyRules(open, sizes));
  await group(['prompt.signal.p95'], () => prompts(open, sizes.prompts));
  return figures;
}
