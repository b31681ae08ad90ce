/**
 * desktop.flows100k: a history of 100,000 flows on the real helper, loaded into the desktop's list over the bus and narrowed by a
 * typed word, until the first screen has its rows. desktop.flows100k.stall: the longest turn of the desktop's process meanwhile
 * and while a person jumps through the whole list.
 */
import { FlowSource } from '../../desktop/client/flow-source.ts';
import { HistoryStore } from '../../helper/adapters/history/store.ts';
import { connectHelper } from '../../helper/contract/client.ts';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { FlowFilter } from '../../helper/contract/types.ts';
import { Lab } from '../lab/lab.ts';
import { alone, median } from './figures.ts';
import type { Figure } from './figures.ts';
import { flow } from './history.ts';

const LOADED = 'desktop.flows100k';
const LOAD = 'desktop.flows100k.load';
const SEARCH = 'desktop.flows100k.search';
const GROUP = 'desktop.flows100k.group';
const STALL = 'desktop.flows100k.stall';
export const FLOW_LIST_FIGURES: readonly string[] = [LOADED, LOAD, SEARCH, GROUP, STALL];

const FLOWS = 100_000;
const BATCH = 5000;
const ROUNDS = 7;
const SCREEN_ROWS = 15;
const JUMPS = 40;
const WATCH_MS = 2;
const UNTIL_MS = 20_000;

/** A history of the helper that starts later. */
function fill(folder: string): void {
  const settings = { enabled: true, names: true, keepDays: 30, maxMegabytes: 256, prometheusFile: null };
  const store = new HistoryStore({ folder, settings, now: Date.now, onState: () => undefined, onNote: () => undefined });
  const first = store.start();
  for (let from = 0; from < FLOWS; from += BATCH) store.add(Array.from({ length: BATCH }, (_none, at) => flow(first + from + at)));
  store.close();
}

/** Resolves when the list has all its ids and the rows of the screen at `position`. */
function shown(source: FlowSource, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => { done(); reject(new Error('the list did not come')); }, UNTIL_MS);
    const stops = [source.changed.on(look), source.filled.on(look)];
    function done(): void {
      clearTimeout(timer);
      for (const stop of stops) stop();
    }
    function look(): void {
      if (source.state.kind === 'failed') {
        done();
        reject(new Error('the list could not be read', { cause: source.state.error }));
      } else if (source.state.kind === 'ready' && source.isWhole) {
        const last = Math.min(source.list.length, position + SCREEN_ROWS);
        const isThere = Array.from({ length: last - position }, (_none, at) => source.rowAt(position + at)).every((row) => row !== null);
        if (!isThere) return;
        done();
        resolve();
      }
    }
    setImmediate(look);
  });
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await run();
  return performance.now() - startMs;
}

/** Loads, and waits: the state of the list before does not count. */
async function load(client: HelperClient, filter: FlowFilter): Promise<FlowSource> {
  const source = new FlowSource(client);
  source.load(filter);
  await shown(source, 0);
  return source;
}

/** The longest turn while `run` goes on, in processor time of its thread: a busy machine does not count. */
async function longestTurnMs(run: () => Promise<unknown>): Promise<number> {
  const usedMs = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let [longest, last] = [0, usedMs()];
  const timer = setInterval(() => {
    const now = usedMs();
    longest = Math.max(longest, now - last);
    last = now;
  }, WATCH_MS);
  try {
    await run();
    await new Promise((resolve) => { setTimeout(resolve, 2 * WATCH_MS); });
  } finally {
    clearInterval(timer);
  }
  return longest;
}

async function jumpThrough(client: HelperClient): Promise<void> {
  const source = await load(client, {});
  for (let jump = 1; jump < JUMPS; jump += 1) await shown(source, Math.floor((source.list.length * jump) / JUMPS));
}

export async function measureFlowList(tell: (line: string) => void): Promise<readonly Figure[]> {
  tell(LOADED);
  const lab = await Lab.create({ startHelper: false });
  try {
    fill(lab.stateDir);
    await lab.startHelper();
    const client = connectHelper({ address: lab.busAddress });
    try {
      const loads: number[] = [];
      const searches: number[] = [];
      const groups: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        loads.push(await timed(() => load(client, {})));
        searches.push(await timed(() => load(client, { search: `host-${String(40 + round)} 443` })));
        groups.push(await timed(() => client.groupFlows({}, 'application')));
      }
      const stall = await longestTurnMs(() => jumpThrough(client));
      const both = loads.map((value, round) => value + (searches[round] ?? 0));
      return [alone(LOADED, 'ms', median(both)), alone(LOAD, 'ms', median(loads)), alone(SEARCH, 'ms', median(searches)), alone(GROUP, 'ms', median(groups)), alone(STALL, 'ms', stall)];
    } finally {
      client.close();
    }
  } finally {
    await lab.dispose();
  }
}
