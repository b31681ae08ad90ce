/** Runs bastion-probe, copies it, stops and starts the helper. Tests put their own in its place. */
import { execFile } from 'node:child_process';
import { copyFile, chmod, mkdtemp, realpath, rm } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as wait } from 'node:timers/promises';
import { UNIT } from '../doctor/finding.ts';
import { systemProbe } from '../doctor/probe.ts';
import { readOutcome } from './probes.ts';
import type { Outcome, ProbeSpec } from './probes.ts';

/** A first SYN is sent again after one second. */
const ANSWER_MS = 1800;
const KILL_MS = 10_000;
const PROBE_NAME = 'bastion-probe';

export interface ProbeCopy {
  readonly path: string;
  remove(): Promise<void>;
}

export interface ProbeRunner {
  readonly uid: number;
  readonly ownAddresses: ReadonlySet<string>;
  /** Path of the installed probe, as the kernel knows it. Rejects when it is not there. */
  probePath(): Promise<string>;
  /** `argv0`: the name that the program gives itself. Never rejects. */
  run(program: string, argv0: string, spec: ProbeSpec, address: string): Promise<Outcome>;
  /** A copy in a folder of its own, under the same file name. */
  copy(program: string): Promise<ProbeCopy>;
  /** True when systemd says that it did so. */
  service(verb: 'stop' | 'start'): Promise<boolean>;
  wait(ms: number): Promise<void>;
}

function run(program: string, argv0: string, { kind, port }: ProbeSpec, address: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { argv0, timeout: KILL_MS, env: {}, cwd: '/' };
    execFile(program, [kind, address, String(port), String(ANSWER_MS)], options, (_error, stdout) => { resolve(readOutcome(stdout)); });
  });
}

async function copy(program: string): Promise<ProbeCopy> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'bastion-selftest-')));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const path = join(folder, PROBE_NAME);
  try {
    await copyFile(program, path);
    await chmod(path, 0o755);
    return { path, remove };
  } catch (error: unknown) {
    await remove();
    throw error;
  }
}

/** The real one. */
export function systemRunner(): ProbeRunner {
  const machine = systemProbe();
  const addresses = Object.values(networkInterfaces()).flatMap((rows) => rows ?? []);
  return {
    uid: machine.uid,
    ownAddresses: new Set(addresses.map(({ address }) => address)),
    // This bundle is build/ctl/main.mjs, or /usr/lib/bastion/ctl/main.mjs.
    probePath: () => realpath(join(dirname(dirname(fileURLToPath(import.meta.url))), 'native', PROBE_NAME)),
    run,
    copy,
    service: async (verb) => (await machine.run('systemctl', [verb, UNIT])).status === 0,
    wait: (ms) => wait(ms),
  };
}
