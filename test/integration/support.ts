/** What the journeys through the whole product share. */
import { createHash } from 'node:crypto';
import { copyFileSync, chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { connectHelper } from '../../helper/contract/client.ts';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { PromptInfo } from '../../helper/contract/types.ts';
import type { Lab } from '../lab/lab.ts';
import { ROOT, RanOutError, tool } from '../lab/process.ts';
import { missingRights } from '../lab/user-namespace.ts';

/** Why labs cannot be made here, for a suite's `skip`; false where they can. */
export function noLab(): string | false {
  const missing = missingRights();
  return missing === null ? false : `no network namespaces: ${missing}`;
}

const ATTEMPTS = 4;
export const FULL_SIZE = process.env['BASTION_TEST_SIZE'] === 'full';

/** Compiles programs/NAME.c once for each content of it and of the headers beside it; returns the executable. */
export function program(name: string): string {
  const sources = join(ROOT, 'test/integration/programs');
  const source = join(sources, `${name}.c`);
  const hashed = createHash('sha256').update(readFileSync(source));
  for (const file of readdirSync(sources).sort()) {
    if (file.endsWith('.h')) hashed.update(readFileSync(join(sources, file)));
  }
  const hash = hashed.digest('hex').slice(0, 12);
  const folder = join(ROOT, 'build/test');
  const path = join(folder, `${name}-${hash}`);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  const unfinished = `${path}.${String(process.pid)}`;
  tool('gcc', ['-O2', '-Wall', '-Wextra', '-Werror', '-o', unfinished, source]);
  renameSync(unfinished, path);
  return path;
}

/** A program of its own for one lab: a copy, so that its path and inode are nobody else's. */
export function copyInto(lab: Lab, path: string, name: string = basename(path)): string {
  const copy = join(lab.folder, 'bin', name);
  copyFileSync(path, copy);
  chmodSync(copy, 0o755);
  return copy;
}

/** Asks until there is an answer; throws after `limitMs` with `what`. The limit says only when to give up. */
export async function until<T>(what: string, ask: () => Promise<T | null>, limitMs = 30_000): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await ask();
    if (found !== null) return found;
    if (performance.now() > end) throw new RanOutError(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Until the kernel is let remember for the program of this file: not while its content may change unnoticed. */
export async function rested(path: string): Promise<void> {
  const end = (Math.floor(statSync(path).ctimeMs / 1000) + 2) * 1000;
  await until(`${path} to be two seconds old`, () => Promise.resolve(Date.now() > end ? true : null));
}

/** A client of the lab's helper, as root. */
export function clientOf(lab: Lab): HelperClient {
  return connectHelper({ address: lab.busAddress });
}

/** Until a client that is older than the helper has heard of it: that is an event of its own. */
export async function hears(client: HelperClient): Promise<void> {
  await until('the helper to answer', () => client.ping().then(() => true, () => null));
}

/**
 * For what has no other sign than its time: what is slow by itself is slow each time, what only had to wait for a busy machine is
 * not. `attempt` gives how long it took.
 */
export async function onceWithin(limitMs: number, what: string, attempt: (round: number) => Promise<number>): Promise<void> {
  const took: number[] = [];
  for (let round = 0; round < ATTEMPTS; round += 1) {
    const ms = await attempt(round);
    if (ms < limitMs) return;
    took.push(Math.round(ms));
  }
  throw new Error(`${what} each time: ${took.join(', ')} ms`);
}

/** For what has to be done before a time is over: again with more of it where a busy machine was too slow; null says so. */
export async function inTime<T>(seconds: readonly number[], attempt: (seconds: number) => Promise<T | null>): Promise<T> {
  for (const some of seconds) {
    const done = await attempt(some);
    if (done !== null) return done;
  }
  throw new Error(`not done with ${seconds.join(', ')} s`);
}

/** The prompt for a program, when it is there. */
export function promptFor(client: HelperClient, path: string, status: PromptInfo['status'] = 'pending'): Promise<PromptInfo> {
  return until(`a prompt for ${path}`, async () => {
    const { rows } = await client.listPrompts(500, '');
    return rows.find((row) => row.path === path && row.status === status) ?? null;
  });
}

/** One rule of a rule file. */
export function ruleText(id: string, action: string, path: string, rest = ''): string {
  return `[[rule]]\nid = "${id}"\naction = "${action}"\napplication = { path = "${path}" }\n${rest}\n`;
}
