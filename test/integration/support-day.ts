/** A desktop's programs in a lab, what each of them counted itself, and what can be counted of the helper from outside. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { FlowFilter, FlowInfo } from '../../helper/contract/types.ts';
import { memoryMegabytes } from '../bench/bed.ts';
import { Talking } from '../leaks/support.ts';
import type { Lab } from '../lab/lab.ts';
import { tryTool } from '../lab/process.ts';
import { copyInto, program } from './support.ts';

/** See daily.c. */
export interface Count {
  readonly opened: number;
  readonly refused: number;
  readonly lookups: number;
  readonly sent: number;
  readonly received: number;
  /** The last one, `-` for none. */
  readonly error: string;
}

const NOTHING: Count = { opened: 0, refused: 0, lookups: 0, sent: 0, received: 0, error: '-' };
/** Those that grow with what runs and end with it. */
const MAPS = ['owners', 'flows', 'verdicts', 'processes'] as const;

function countOf(line: string): Count {
  const parts = new Map(line.trim().split(' ').map((pair) => pair.split('=') as [string, string]));
  const number = (name: string): number => Number(parts.get(name) ?? Number.NaN);
  return {
    opened: number('opened'), refused: number('refused'), lookups: number('lookups'), sent: number('sent'), received: number('received'),
    error: parts.get('error') ?? '',
  };
}

/** daily.c as several programs, with the sum of what each one counted. */
export class DailyPrograms {
  readonly #lab: Lab;
  readonly #paths = new Map<string, string>();
  readonly #counts = new Map<string, Count>();

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  pathOf(name: string): string {
    const path = this.#paths.get(name) ?? copyInto(this.#lab, program('daily'), name);
    this.#paths.set(name, path);
    return path;
  }

  counted(name: string): Count {
    return this.#counts.get(name) ?? NOTHING;
  }

  /** Runs it to its end; gives this run's count. */
  async run(name: string, args: readonly (string | number)[]): Promise<Count> {
    const done = await this.#lab.run([this.pathOf(name), ...args.map(String)]);
    if (done.status !== 0) throw new Error(`${name} ended with ${String(done.status)}: ${done.stderr}`);
    return this.#add(name, countOf(done.stdout));
  }

  /** Starts one that stays; the result ends it. */
  async stay(name: string, args: readonly (string | number)[]): Promise<() => Promise<Count>> {
    const talking = new Talking(this.#lab.spawn([this.pathOf(name), 'stay', ...args.map(String)]));
    const ready = await talking.line();
    if (ready !== 'ready') throw new Error(`${name} says ${ready}`);
    return async () => {
      talking.child.stdin?.end();
      const count = this.#add(name, countOf(await talking.line()));
      await talking.end();
      return count;
    };
  }

  #add(name: string, more: Count): Count {
    const sum = this.counted(name);
    this.#counts.set(name, {
      opened: sum.opened + more.opened, refused: sum.refused + more.refused, lookups: sum.lookups + more.lookups,
      sent: sum.sent + more.sent, received: sum.received + more.received,
      error: more.error === '-' ? sum.error : more.error,
    });
    return more;
  }
}

/** Every flow of the history that the filter matches. */
export async function allFlows(client: HelperClient, filter: FlowFilter): Promise<readonly FlowInfo[]> {
  const rows: FlowInfo[] = [];
  for (let cursor = ''; ;) {
    const page = await client.queryFlows(filter, 500, cursor);
    rows.push(...page.rows);
    if (page.next === '') return rows;
    cursor = page.next;
  }
}

export interface Footprint {
  /** MB. */
  readonly memory: number;
  readonly descriptors: number;
  readonly threads: number;
  /** Entries of the kernel's tables by name; empty where no tool reads them. */
  readonly entries: ReadonlyMap<string, number>;
}

/** What the helper holds at this moment. */
export async function footprint(lab: Lab): Promise<Footprint> {
  const { pss } = await memoryMegabytes(lab.helperPid);
  const folder = `/proc/${String(lab.helperPid)}`;
  const { pinDir } = lab;
  const readable = pinDir !== null && tryTool('bpftool', ['version']) !== null;
  return {
    memory: pss, descriptors: readdirSync(join(folder, 'fd')).length, threads: readdirSync(join(folder, 'task')).length,
    entries: new Map(readable ? MAPS.map((map) => [map, entriesOf(join(pinDir, 'maps', map))]) : []),
  };
}

function entriesOf(pin: string): number {
  const text = execFileSync('bpftool', ['-j', 'map', 'dump', 'pinned', pin], { encoding: 'utf8', maxBuffer: 1 << 28 });
  return (JSON.parse(text) as unknown[]).length;
}
