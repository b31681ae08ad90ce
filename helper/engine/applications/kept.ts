/** The registry of applications as JSON: written whole, read entry by entry, so that one that is wrong costs itself alone. */
import * as z from 'zod';
import type { ExecutableId } from '../../contract/vocabulary.ts';
import { KNOWN_BY } from '../../policy/integrity.ts';
import { APPLICATION_LIMITS, newApplication } from './table.ts';
import type { Application, ApplicationUse, SeenFile } from './table.ts';

const VERSION = 1;

const natural = z.int().min(0);
const path = z.string().max(4096).startsWith('/');
const name = z.string().max(256);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const executable = z.tuple([natural, z.string().regex(/^[0-9]{1,20}$/), natural, z.int()]);
const entry = z.strictObject({
  path,
  kind: z.enum(['program', 'script', 'appimage']),
  runs: path.nullable(),
  package: name.nullable(),
  flatpak: name.nullable(),
  snap: name.nullable(),
  known: z.strictObject({ sha256, by: z.enum(KNOWN_BY) }).nullable(),
  seen: z.strictObject({
    sha256, packageState: z.enum(['right', 'wrong', 'none']), executable: executable.nullable(), found: executable.nullable(),
  }).nullable(),
  change: z.strictObject({ timeMs: natural, from: sha256, to: sha256, by: z.enum(KNOWN_BY) }).nullable(),
  firstUid: natural,
  users: z.array(z.tuple([natural, natural, natural, natural, natural])).max(APPLICATION_LIMITS.users),
});
const whole = z.strictObject({ version: z.literal(VERSION), applications: z.array(z.unknown()) });

type KeptExecutable = z.infer<typeof executable>;

function encodeExecutable(one: ExecutableId | null): KeptExecutable | null {
  return one === null ? null : [one.device, String(one.inode), one.generation, one.ctimeSec];
}

function decodeExecutable(one: KeptExecutable | null): ExecutableId | null {
  if (one === null) return null;
  const [device, inode, generation, ctimeSec] = one;
  return { device, inode: BigInt(inode), generation, ctimeSec };
}

function encodeSeen(seen: SeenFile | null): unknown {
  if (seen === null) return null;
  return { ...seen, executable: encodeExecutable(seen.executable), found: encodeExecutable(seen.found) };
}

function encodeOne(one: Application): string {
  const { path: file, kind, runs, package: owner, flatpak, snap, known, change, firstUid, users } = one;
  return JSON.stringify({
    path: file, kind, runs, package: owner, flatpak, snap, known, seen: encodeSeen(one.seen), change, firstUid,
    users: [...users].map(([uid, use]) => [uid, use.firstSeenMs, use.lastSeenMs, use.allowed, use.refused]),
  });
}

/** One line for each; only those that changed are made anew. */
export function encodeApplications(all: Iterable<Application>): string {
  const lines = [...all].map((one) => (one.json ??= encodeOne(one)));
  return `{"version":${String(VERSION)},"applications":[\n${lines.join(',\n')}\n]}\n`;
}

function decodeOne(value: unknown): Application | null {
  const result = entry.safeParse(value);
  if (!result.success) return null;
  const { users, seen, firstUid, path: file, kind, runs, ...rest } = result.data;
  return {
    ...newApplication({ path: file, kind, runs }, firstUid),
    ...rest,
    seen: seen === null ? null : { ...seen, executable: decodeExecutable(seen.executable), found: decodeExecutable(seen.found) },
    users: new Map(users.map(([uid, firstSeenMs, lastSeenMs, allowed, refused]): [number, ApplicationUse] => (
      [uid, { firstSeenMs, lastSeenMs, allowed, refused }]
    ))),
  };
}

/** What could be read, and how many entries could not; null for what is not this at all. */
export function decodeApplications(value: unknown): { readonly applications: readonly Application[]; readonly wrong: number } | null {
  const result = whole.safeParse(value);
  if (!result.success) return null;
  const read = result.data.applications.map(decodeOne);
  const applications = read.filter((one) => one !== null);
  return { applications, wrong: read.length - applications.length };
}
