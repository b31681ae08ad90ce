/** What the tests of the whole system share. */
import assert from 'node:assert/strict';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { rested, until } from '../../integration/support.ts';
import { HELPER_UNIT } from './machine.ts';
import type { SystemMachine } from './machine.ts';
import { ALLOWED } from './root.ts';

/** Rounds of the undecided sender, six tries each, before its silence counts. */
const ROUNDS = 40;
const READY_LIMIT_MS = 60_000;
/** Each look starts a program in the system. */
const LOOK_MS = 100;

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The undecided program goes on trying, and nothing of it has arrived. */
export async function staysSilent(machine: SystemMachine, when: string): Promise<void> {
  await machine.probed(ROUNDS);
  const { undecided } = await machine.leaked();
  assert.deepEqual(undecided, [], when);
}

/** An allowed program has its connections, TCP and UDP, IPv4 and IPv6. */
export async function allowedWorks(machine: SystemMachine, when: string): Promise<void> {
  assert.deepEqual(await machine.allowed(ALLOWED), [0, 0, 0, 0], when);
}

/** Lets the kernel remember the allowed program, which it does not while its file is new. */
export async function decideAllowed(machine: SystemMachine): Promise<void> {
  await rested(join(machine.root, ALLOWED));
  await allowedWorks(machine, 'with the helper');
}

export interface Running {
  readonly pid: number;
  /** When systemd started it, and when it heard that it is ready; microseconds on the clock of `monotonicUs`. */
  readonly startedUs: number;
  readonly readyUs: number;
}

/** The helper's process, when it is ready; another one than `before`. */
export function running(machine: SystemMachine, before = 0): Promise<Running> {
  return until('a helper that is ready', async () => {
    const unit = await machine.unit(HELPER_UNIT, 'MainPID', 'ActiveState', 'ActiveEnterTimestampMonotonic', 'ExecMainStartTimestampMonotonic');
    const pid = Number(unit.MainPID);
    if (unit.ActiveState === 'active' && pid !== 0 && pid !== before) {
      return { pid, startedUs: Number(unit.ExecMainStartTimestampMonotonic), readyUs: Number(unit.ActiveEnterTimestampMonotonic) };
    }
    await pause(LOOK_MS);
    return null;
  }, READY_LIMIT_MS);
}

/** Resolves when the unit is in this state. */
export async function inState(machine: SystemMachine, unit: string, state: string, limitMs = READY_LIMIT_MS): Promise<void> {
  await until(`${unit} to be ${state}`, async () => {
    if ((await machine.unit(unit, 'ActiveState')).ActiveState === state) return true;
    await pause(LOOK_MS);
    return null;
  }, limitMs);
}

/** State as the helper says it, and what limits it. Safeguard may be on: the undecided program never rests. */
export async function attached(machine: SystemMachine): Promise<void> {
  const said = await machine.must(['bastionctl', 'status', '--json']);
  const status = JSON.parse(said) as { readonly degraded_reasons?: readonly unknown[] };
  assert.deepEqual(status.degraded_reasons ?? [], [], said);
}

export function seconds(us: number): string {
  return `${(us / 1e6).toFixed(2)} s`;
}

/** For the reader of figures: a busy machine is a slow one. */
export function load(): string {
  return `load ${(loadavg()[0] ?? 0).toFixed(1)} on ${String(availableParallelism())} processors`;
}

export function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number): string => seconds(sorted[index] ?? 0);
  return `median ${at(Math.floor((sorted.length - 1) / 2))}, longest ${at(sorted.length - 1)}`;
}
