/**
 * desktop.*, prompt.visible.* and prompt.window.*: the shipped desktop on a display of its own, with the real helper of a lab.
 * `npm run bench -- --only desktop prompt.visible prompt.window`, on a machine that does nothing else: all but memory and
 * wakeups are times by the clock. None has a baseline, because without a desktop there is nothing to be compared with.
 *
 * desktop.start           program started until the tray's registration, median
 * desktop.memory.closed   PSS of the process of the session, which is all there is while nothing is shown
 * desktop.memory.open     PSS of both processes with the overview open
 * desktop.wakeups         how often any thread of the idle process of the session ran
 * prompt.visible.p95      connect() of a stranger until the notification server has its notification
 * prompt.window.p95       the same until the first frame of the window, which waits where prompts come as windows
 * prompt.window.first     that of the very first prompt
 */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildDesktop } from '../../tools/build-desktop.ts';
import { DesktopSession, missingForDesktop } from '../desktop/desktop-session.ts';
import type { SessionOptions } from '../desktop/desktop-session.ts';
import { children, until } from '../desktop/process-tree.ts';
import { LineProcess } from '../desktop/processes.ts';
import { Lab } from '../lab/lab.ts';
import { ROOT } from '../lab/process.ts';
import { becomeUser } from '../lab/user.ts';
import { memoryMegabytes } from './bed.ts';
import { alone, median, quantile, type Figure } from './figures.ts';
import { CLIENT_LIMIT_MS, PORTS, parseClient, type Programs } from './programs.ts';
import type { Failed } from './rounds.ts';

export const DESKTOP_FIGURES: readonly string[] = [
  'desktop.start', 'desktop.memory.closed', 'desktop.memory.open', 'desktop.wakeups', 'prompt.visible.p95', 'prompt.window.p95',
  'prompt.window.first',
];

export interface DesktopSizes {
  readonly starts: number;
  readonly prompts: number;
  /** How long an idle desktop is watched. */
  readonly idleMs: number;
}

/** Node gives the memory of its start back by two collections, 8 to 10 seconds later; idle means after that. */
const SETTLED_MS = 15_000;
const FOLDER = 'build/bench/desktop';
const run = promisify(execFile);
const pause = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms); });

/** What a figure has started, ended in the opposite order. */
class Ends {
  readonly #ends: (() => unknown)[] = [];

  readonly after = (end: () => unknown): void => { this.#ends.push(end); };

  async all(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end();
  }
}

interface Stage {
  readonly session: DesktopSession;
  /** desktop-stubs.ts in the same session. */
  readonly stubs: LineProcess;
  readonly pid: number;
  /** From the start of the program to the tray's registration. */
  readonly startedMs: number;
}

/** A session of the lab's user with a tray host and a notification server, and the desktop in it. */
async function openStage(ends: Ends, lab: Lab, more: SessionOptions = {}): Promise<Stage> {
  const started: LineProcess[] = [];
  let beganUs = 0;
  const session = await DesktopSession.start(ends, {
    tree: lab.tree, program: join(lab.tree, 'build/bin/bastion-firewall-desktop'), arguments: ['--background'], user: lab.user,
    ...more,
    // As the person's session has it: the program chooses how it draws.
    environment: { DBUS_SYSTEM_BUS_ADDRESS: lab.busAddress, GSK_RENDERER: '' },
    before: async (address, environment) => {
      const command = [...becomeUser(lab.user), process.execPath, join(lab.tree, 'test/bench/desktop-stubs.ts')];
      const stubs = new LineProcess('/usr/bin/env', command, { ...environment, SESSION: address });
      ends.after(() => stubs.stop());
      await stubs.line((line) => line.startsWith('ready'));
      started.push(stubs);
      beganUs = nowUs();
    },
  });
  const [stubs] = started;
  const { pid } = session.app.child;
  if (stubs === undefined || pid === undefined) throw new Error('the desktop did not start');
  return { session, stubs, pid, startedMs: (await timeOf(stubs, 'tray') - beganUs) / 1000 };
}

/** us of CLOCK_MONOTONIC. */
function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** When the stubs had seen the next thing of this kind, with these words. */
async function timeOf(stubs: LineProcess, what: string, words = ''): Promise<number> {
  const line = await stubs.line((text) => text.startsWith(`${what} `) && text.includes(words));
  return Number(line.slice(line.lastIndexOf(' ') + 1));
}

async function startTimes(count: number): Promise<readonly Figure[]> {
  const seconds: number[] = [];
  const shared = new Ends();
  try {
    const lab = await makeLab(shared);
    for (let round = 0; round < count; round += 1) {
      const ends = new Ends();
      try {
        seconds.push((await openStage(ends, lab)).startedMs / 1000);
      } finally {
        await ends.all();
      }
    }
  } finally {
    await shared.all();
  }
  return [alone('desktop.start', 's', median(seconds))];
}

async function makeLab(ends: Ends): Promise<Lab> {
  const lab = await Lab.create({ settings: 'prompt_timeout_s = 60' });
  ends.after(() => lab.dispose());
  return lab;
}

/** How often any thread of a process has run. Source: proc(5), status. */
function switches(pid: number): number {
  return readdirSync(`/proc/${String(pid)}/task`).reduce((sum, thread) => {
    const status = readFileSync(`/proc/${String(pid)}/task/${thread}/status`, 'utf8');
    return sum + Number(/^voluntary_ctxt_switches:\s+(\d+)$/mu.exec(status)?.[1]);
  }, 0);
}

async function idle(idleMs: number): Promise<readonly Figure[]> {
  const ends = new Ends();
  try {
    const lab = await makeLab(ends);
    const { session, pid } = await openStage(ends, lab);
    await pause(SETTLED_MS);
    const closed = (await memoryMegabytes(pid)).pss;
    const before = switches(pid);
    await pause(idleMs);
    const wakeups = (switches(pid) - before) / (idleMs / 1000);
    await run('/usr/bin/env', [...becomeUser(lab.user), join(lab.tree, 'build/bin/bastion-firewall-desktop')], { env: session.environment });
    await session.shown('label', 'Overview');
    await pause(SETTLED_MS);
    const pids = [pid, ...children(pid)];
    const open = (await Promise.all(pids.map(memoryMegabytes))).reduce((sum, { pss }) => sum + pss, 0);
    return [
      alone('desktop.memory.closed', 'MB', closed), alone('desktop.memory.open', 'MB', open), alone('desktop.wakeups', '1/s', wakeups),
    ];
  } finally {
    await ends.all();
  }
}

/** Begins a connection that is held; resolves with its beginning in us of CLOCK_MONOTONIC when it has been decided. */
async function connectOnce(lab: Lab, programs: Programs, port: number): Promise<number> {
  const { stdout } = await lab.run([programs.stranger, 'tcp', lab.peer4, port, 1, 1, 1].map(String), { timeoutMs: CLIENT_LIMIT_MS });
  return parseClient(stdout).startedUs;
}

async function notified(programs: Programs, count: number): Promise<readonly Figure[]> {
  const ends = new Ends();
  try {
    const lab = await makeLab(ends);
    const { stubs } = await openStage(ends, lab);
    // It registers within milliseconds; the first seconds are another figure.
    await pause(SETTLED_MS);
    const times: number[] = [];
    for (let number = 0; number < count; number += 1) {
      const port = PORTS.first + number;
      const [startedUs, shownUs] = await Promise.all([connectOnce(lab, programs, port), timeOf(stubs, 'shown', String(port))]);
      times.push((shownUs - startedUs) / 1000);
    }
    return [alone('prompt.visible.p95', 'ms', quantile(times, 0.95))];
  } finally {
    await ends.all();
  }
}

async function drawn(programs: Programs, count: number): Promise<readonly Figure[]> {
  const ends = new Ends();
  try {
    await buildDesktop({ root: ROOT, log: () => undefined, variant: { session: 'test/bench/desktop-main.ts', window: 'desktop/window/main.ts', folder: FOLDER } });
    const lab = await makeLab(ends);
    const { session, pid } = await openStage(ends, lab, { program: process.execPath, arguments: [join(lab.tree, FOLDER, 'main.cjs')] });
    await session.app.line((line) => line === 'ready');
    await until('the windows’ process', () => children(pid).length > 0);
    // Warm means that it has been made before the first prompt comes.
    await pause(SETTLED_MS);
    const times: number[] = [];
    for (let number = 0; number < count; number += 1) {
      const [startedUs, line] = await Promise.all([connectOnce(lab, programs, PORTS.first + number), session.app.line()]);
      times.push((Number(line) - startedUs) / 1000);
    }
    return [alone('prompt.window.p95', 'ms', quantile(times, 0.95)), alone('prompt.window.first', 'ms', times[0] ?? Number.NaN)];
  } finally {
    await ends.all();
  }
}

/** Measures the wanted figures; what fails goes to `failed` and leaves the others alone. */
export async function measureDesktop(
  wanted: readonly string[], sizes: DesktopSizes, programs: Programs, tell: (line: string) => void, failed: Failed,
): Promise<readonly Figure[]> {
  const missing = await missingForDesktop();
  if (missing !== '') throw new Error(missing);
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
  await group(['desktop.start'], () => startTimes(sizes.starts));
  await group(['desktop.memory.closed', 'desktop.memory.open', 'desktop.wakeups'], () => idle(sizes.idleMs));
  await group(['prompt.visible.p95'], () => notified(programs, sizes.prompts));
  await group(['prompt.window.p95', 'prompt.window.first'], () => drawn(programs, sizes.prompts));
  return figures;
}
