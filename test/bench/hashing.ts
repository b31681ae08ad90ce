/**
 * How fast programs are hashed, beside `openssl dgst -sha256` on the same file in the same round. hash.sha256: the rate of the
 * worker. hash.executable: the whole time from asking who a program of 200 MB is to its hash.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { createIdentities } from '../../helper/adapters/identities.ts';
import { sameFile } from '../../helper/adapters/file-check.ts';
import type { Attribution } from '../../helper/contract/vocabulary.ts';
import { loadBinding } from '../../native/binding.ts';
import { ROOT } from '../lab/process.ts';
import { compared, type Figure } from './figures.ts';

export const HASH_FIGURES = ['hash.sha256', 'hash.executable'] as const;

export interface HashSizes {
  readonly rounds: number;
}

const FILE_MB = 200;
const MB = 1_000_000;
/** A file that has just been written rests before it is hashed. */
const REST_MS = 100;

function writeProgram(path: string): void {
  const file = openSync(path, 'w', 0o755);
  const part = randomBytes(MB);
  for (let index = 0; index < FILE_MB; index += 1) {
    part.writeUInt32LE(index);
    writeSync(file, part);
  }
  closeSync(file);
}

function timed(run: () => void): number {
  const start = performance.now();
  run();
  return (performance.now() - start) / 1000;
}

/** Measures both, each round with a file of its own that both have in the page cache. */
export async function measureHashing(wanted: readonly string[], { rounds }: HashSizes, tell: (line: string) => void): Promise<readonly Figure[]> {
  const native = loadBinding(join(ROOT, 'build/native/bastion.node'));
  const folder = mkdtempSync(join(tmpdir(), 'bastion-bench-'));
  const identities = createIdentities({
    workerPath: join(ROOT, 'build/helper/identity-worker.mjs'),
    clock: { bootNs: () => native.bootNs(), wallMs: () => Date.now() },
    logger: { log: () => undefined, setLevel: () => undefined },
    processes: { ancestors: () => [], commandLine: () => [] },
    verify: (executable, path) => {
      const there = native.fileIdentity(path);
      return there !== null && sameFile(there, executable);
    },
    wantsHash: () => true,
  });
  const openssl = (path: string): void => { execFileSync('openssl', ['dgst', '-sha256', path]); };
  const empty = join(folder, 'empty');
  writeFileSync(empty, '');
  // The worker starts, and reads the package database.
  await identities.hash(process.execPath);
  tell(`hashing: ${String(rounds)} rounds of ${String(FILE_MB)} MB`);
  const [own, whole, theirs, theirStart] = [[] as number[], [] as number[], [] as number[], [] as number[]];
  try {
    for (let round = 0; round < rounds; round += 1) {
      const [plain, program] = [join(folder, `${String(round)}.plain`), join(folder, `${String(round)}.program`)];
      writeProgram(plain);
      writeProgram(program);
      await new Promise((resolve) => { setTimeout(resolve, REST_MS); });
      theirStart.push(timed(() => { openssl(empty); }));
      theirs.push(timed(() => { openssl(plain); }));
      const start = performance.now();
      if (await identities.hash(plain) === null) throw new Error('the file was not hashed');
      own.push((performance.now() - start) / 1000);
      whole.push(await identified(identities, native.fileIdentity(program), program, native.bootNs()));
      rmSync(plain);
      rmSync(program);
    }
  } finally {
    await identities.close();
    rmSync(folder, { recursive: true });
  }
  const rate = (seconds: number): number => FILE_MB / seconds;
  const figures = [
    // Without the time that it takes to start openssl.
    compared('hash.sha256', 'MB/s', own.map(rate), theirs.map((seconds, round) => rate(seconds - (theirStart[round] ?? 0)))),
    compared('hash.executable', 's', whole, theirs),
  ];
  return figures.filter(({ name }) => wanted.includes(name));
}

async function identified(
  identities: { identify(attribution: Attribution): Attribution | Promise<Attribution> },
  executable: ReturnType<ReturnType<typeof loadBinding>['fileIdentity']>, path: string, nowNs: bigint,
): Promise<number> {
  if (executable === null) throw new Error(`${path} has gone`);
  const start = performance.now();
  const { identity } = await identities.identify({
    owner: {
      cookie: 1n, pid: process.pid, startNs: nowNs, uid: 0, gid: 0, executable, mountNamespace: 0, networkNamespace: 1n, cgroup: 1n, command: '',
    },
    identity: { path }, claimedPath: null, evidence: 'kernel', confidence: 'certain', ancestors: [], lineage: 'procfs',
  });
  if (identity.sha256 === undefined) throw new Error('the program has no hash');
  return (performance.now() - start) / 1000;
}
