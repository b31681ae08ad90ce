/** The helper is stopped or killed and started again, many times: what it leaves behind is what it left the first time. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { FULL_SIZE, clientOf, copyInto, noLab, rested, until } from '../integration/support.ts';
import { Lab } from '../lab/lab.ts';
import { tool, which } from '../lab/process.ts';
import { mustHold } from '../must-hold.ts';
import { OUTAGE_LAB, rulesOf } from './outage-load.ts';
import { Traffic, monotonicMs, trafficProgram } from './support.ts';

const RESTARTS = FULL_SIZE ? 1000 : 20;
const DEADLINE_MS = FULL_SIZE ? 3_600_000 : 300_000;
/** Of a connection that nobody has decided about. */
const REFUSED_TIMEOUT_MS = '500';
/** What the test itself runs in the client's namespace. */
const SENDERS = 2;
/** Written, and not yet in the place of what it replaces: a helper that is killed leaves it to the next one. */
const UNFINISHED = '.tmp';
/** Stored flows, the log of the history, and numbers that are put by. */
const STATE_GROWTH_BYTES = 512 * 1024;

interface Remains {
  readonly rules: string;
  readonly pins: readonly string[];
  readonly decisions: string;
  readonly attached: readonly string[];
  readonly stateFiles: readonly string[];
  readonly runFiles: readonly string[];
  readonly processes: number;
  readonly cgroups: readonly string[];
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
}

function lastingBelow(folder: string): string[] {
  return filesBelow(folder).filter((name) => !name.endsWith(UNFINISHED));
}

function bytesBelow(folder: string): number {
  return filesBelow(folder).map((name) => statSync(join(folder, name)).size).reduce((sum, size) => sum + size, 0);
}

/** Entries of a pinned map in an order of their own. */
function entriesOf(pinDir: string, map: string): string {
  const dumped = JSON.parse(tool('bpftool', ['-j', 'map', 'dump', 'pinned', join(pinDir, 'maps', map)])) as { readonly key: unknown; readonly value: unknown }[];
  return dumped.map(({ key, value }) => JSON.stringify([key, value])).sort().join('\n');
}

/** Processes in the client's network namespace. */
function processesOf(lab: Lab): number {
  const namespace = statSync(join('/run/netns', lab.clientNamespace)).ino;
  const inside = (pid: string): boolean => {
    try {
      return readlinkSync(join('/proc', pid, 'ns/net')) === `net:[${String(namespace)}]`;
    } catch {
      return false;
    }
  };
  return readdirSync('/proc').filter((name) => /^\d+$/u.test(name) && inside(name)).length;
}

/** While no helper runs. */
function remainsOf(lab: Lab, pinDir: string, cgroup: string): Remains {
  const attached = JSON.parse(tool('bpftool', ['-j', 'cgroup', 'show', cgroup])) as { readonly attach_type: string; readonly name: string }[];
  return {
    rules: rulesOf(lab),
    pins: filesBelow(pinDir),
    decisions: entriesOf(pinDir, 'verdicts'),
    attached: attached.map(({ attach_type: type, name }) => `${type} ${name}`).sort(),
    // The history's log comes and goes with its writer.
    stateFiles: lastingBelow(lab.stateDir).filter((name) => !name.startsWith('history.sqlite-')),
    runFiles: lastingBelow(lab.runDir),
    processes: processesOf(lab),
    cgroups: readdirSync(cgroup, { withFileTypes: true }).filter((one) => one.isDirectory()).map(({ name }) => name),
  };
}

function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${String(pid)}/fd`).length;
}

function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/u.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1] ?? 0) / 1000;
}

describe('restarts of the helper', { skip: noLab() }, () => {
  const skip = which('bpftool') === null ? 'needs bpftool' : false;

  test(`${String(RESTARTS)} of them: rules, pins, attachments, files and processes are those of the first`, { skip, timeout: DEADLINE_MS }, async (t) => {
    await using lab = await Lab.create(OUTAGE_LAB);
    const { pinDir, cgroup } = lab;
    if (pinDir === null || cgroup === null) {
      t.skip(lab.limits.join(' '));
      return;
    }
    const client = clientOf(lab);
    t.after(() => { client.close(); });
    const [allowed = '', undecided = ''] = ['allowed', 'undecided'].map((name) => copyInto(lab, trafficProgram(), name));
    await client.addRule({ action: 'allow', path: allowed });
    await rested(undecided);
    // Little traffic: each flow is stored, and what is stored may grow.
    const decided = await Traffic.start(lab, [allowed, 'datagrams', lab.peer6, '7', 'lab-tag:allowed;']);
    const other = await Traffic.attempt(lab, [undecided, 'connect', lab.peer4, '80', REFUSED_TIMEOUT_MS]);
    await decided.total('received', 20, 30_000);
    await lab.peer.watch();
    await lab.restartHelper();
    const descriptors: number[] = [];
    const memory: number[] = [];
    const tookMs: number[] = [];
    let first: Remains | null = null;
    let firstBytes = 0;
    for (let round = 1; round <= RESTARTS; round += 1) {
      const signal = round % 2 === 0 ? 'SIGKILL' : 'SIGTERM';
      await lab.stopHelper(signal);
      // Tools that the helper had started end with it, or soon after.
      await until('its tools to end', () => Promise.resolve(processesOf(lab) <= SENDERS ? true : null));
      const remains = remainsOf(lab, pinDir, cgroup);
      first ??= remains;
      if (round === 1) firstBytes = bytesBelow(lab.stateDir);
      assert.deepEqual(remains, first, `after restart ${String(round)}, ended by ${signal}`);
      const startMs = monotonicMs();
      await lab.startHelper();
      tookMs.push(monotonicMs() - startMs);
      descriptors.push(descriptorsOf(lab.helperPid));
      memory.push(residentMb(lab.helperPid));
    }
    assert.equal((await decided.total('received', 20, 30_000)).refused, 0);
    await other.total('sent', 10, 30_000);
    const counts = await lab.peer.counts();
    assert.deepEqual([counts.lost, counts.of('tcp/80')], [0, 0]);
    const grown = bytesBelow(lab.stateDir) - firstBytes;
    assert.ok(grown < STATE_GROWTH_BYTES, `the state grew by ${String(grown)} bytes`);
    // Files that are read and tools that run for a moment come on top of what is always open.
    assert.ok(Math.min(...descriptors.slice(-5)) <= Math.max(...descriptors.slice(0, 5)), `descriptors: ${descriptors.join(' ')}`);
    tookMs.sort((a, b) => a - b);
    await Promise.all([decided.end(), other.end()]);
    mustHold({
      id: 'restarts', claim: 'restarts: rules, pins, attachments, decisions, files, processes as after the first', size: `${String(RESTARTS)} times, stopped and killed in turn`,
      undecided: 0,
      figures: [
        `ready after ${String(Math.round(tookMs[tookMs.length >> 1] ?? 0))} ms (median), ${String(Math.round(tookMs.at(-1) ?? 0))} ms at most`,
        `descriptors ${String(Math.min(...descriptors))} to ${String(Math.max(...descriptors))}`,
        `memory ${String(Math.round(memory[0] ?? 0))} MB after the first, ${String(Math.round(memory.at(-1) ?? 0))} MB after the last`,
        `state grew by ${String(grown)} bytes`,
      ],
    });
  });
});
