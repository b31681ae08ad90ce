/** What lasts until the machine restarts, as JSON: rules in memory, the pause, a mode on trial, the inbox, the furthest wall time. */
import * as z from 'zod';
import { INTEGRITIES, MODES, NAME_SOURCES, RULE_ACTIONS } from '../contract/vocabulary.ts';
import type { Rule } from '../contract/vocabulary.ts';
import type { WallMark } from '../policy/time.ts';
import type { Question } from '../prompt/question.ts';
import { KEPT_LIMIT } from './open-flows.ts';
import type { Trial } from './trial.ts';

const VERSION = 1;
const LIMITS = { rules: 1000, inbox: 200 } as const;

/** One expired prompt as it is kept. */
export interface KeptPrompt {
  readonly id: string;
  readonly nonce: string;
  readonly question: Question;
  readonly raisedNs: bigint;
  readonly raisedMs: number;
  readonly timeoutMs: number;
  readonly deadlineNs: bigint;
  readonly count: number;
}

export interface KeptState {
  readonly rules: readonly Rule[];
  /** Boot time; null when not paused. */
  readonly pausedUntilNs: bigint | null;
  /** null: no mode is on trial. */
  readonly trial: Trial | null;
  readonly inbox: readonly KeptPrompt[];
  readonly wall: WallMark | null;
  /** Chosen by hand; null: recognized by the network. */
  readonly profile: string | null;
  /** Connections whose end is still to come: user, what it is known by, flow. */
  readonly openFlows: readonly (readonly [uid: number, key: string, flow: string])[];
}

const bigintText = z.string().regex(/^[0-9]{1,20}$/).transform((text) => BigInt(text));
const natural = z.int().min(0);
const text = z.string().max(4096);

const range = z.strictObject({ first: natural.max(65_535), last: natural.max(65_535) });
function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

const program = {
  path: text.optional(),
  package: text.optional(),
  flatpak: text.optional(),
  snap: text.optional(),
  appImage: text.optional(),
  script: text.optional(),
  sha256: text.optional(),
};
const match = z.strictObject({
  ...program,
  pin: z.boolean().optional(),
  includeChildren: z.boolean().optional(),
  allScripts: z.boolean().optional(),
  container: text.optional(),
  ancestor: z.strictObject(program).transform(defined).optional(),
  domain: text.optional(),
  list: text.optional(),
  zone: text.optional(),
  interface: text.optional(),
  uid: natural.optional(),
  address: text.optional(),
  ports: z.array(range).max(64).optional(),
  protocols: z.array(natural.max(255)).max(64).optional(),
  schedule: z
    .strictObject({ days: z.array(natural.max(6)).max(7), fromMinute: natural.max(1440), toMinute: natural.max(1440) })
    .optional(),
  process: z.strictObject({ pid: natural, startNs: bigintText }).optional(),
  session: text.optional(),
});
const rule = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/),
  name: text,
  action: z.enum(RULE_ACTIONS),
  enabled: z.boolean(),
  match,
  lifetime: z.enum(['process', 'session', 'boot']),
  priority: z.int().min(-1000).max(1000),
  group: text,
  profile: text.exactOptional(),
  created: natural,
});
const tuple = z.strictObject({
  family: z.union([z.literal(4), z.literal(6)]),
  protocol: natural.max(255),
  sourceAddress: text,
  sourcePort: natural.max(65_535),
  destinationAddress: text,
  destinationPort: natural.max(65_535),
});
const owner = z.strictObject({
  cookie: bigintText,
  pid: natural,
  startNs: bigintText,
  uid: natural,
  gid: natural,
  executable: z.strictObject({ device: natural, inode: bigintText, generation: natural, ctimeSec: z.int() }),
  mountNamespace: natural,
  networkNamespace: bigintText,
  cgroup: bigintText,
  command: text,
  forwardedFrom: text.exactOptional(),
});
const identity = z.strictObject({
  path: text.nullable(),
  package: text.exactOptional(),
  flatpak: text.exactOptional(),
  snap: text.exactOptional(),
  appImage: text.exactOptional(),
  interpreter: z.boolean().exactOptional(),
  script: text.exactOptional(),
  scriptEvidence: z.enum(['exec', 'claimed']).exactOptional(),
  scriptIntegrity: z.enum(INTEGRITIES).exactOptional(),
  scriptTrusted: z.boolean().exactOptional(),
  sha256: text.exactOptional(),
  integrity: z.enum(INTEGRITIES).exactOptional(),
  trusted: z.boolean().exactOptional(),
});
const question = z.strictObject({
  path: text.nullable(),
  claimedPath: text.nullable(),
  confidence: z.enum(['certain', 'likely', 'unknown']),
  evidence: z.enum(['kernel', 'sock_diag', 'none']),
  identity: identity.exactOptional(),
  owner,
  tuple,
  names: z.array(z.strictObject({ name: text, source: z.enum(NAME_SOURCES) })).max(8).default([]),
  name: text.nullable(),
  isLookup: z.boolean(),
  answersPeer: z.boolean().exactOptional(),
  containers: z.array(z.strictObject({
    engine: z.enum(['docker', 'podman']), id: text, name: text, image: text, side: z.enum(['sender', 'receiver']), certain: z.boolean(),
  })).max(32).exactOptional(),
});
const prompt = z.strictObject({
  id: text,
  nonce: z.string().regex(/^[0-9a-f]{32}$/),
  question,
  raisedNs: bigintText,
  raisedMs: natural,
  timeoutMs: natural,
  deadlineNs: bigintText,
  count: natural,
});
const state = z.strictObject({
  version: z.literal(VERSION),
  rules: z.array(rule).max(LIMITS.rules),
  pausedUntilNs: bigintText.nullable(),
  trial: z.strictObject({ mode: z.enum(MODES), endsNs: bigintText, fromOff: z.boolean() }).nullable().default(null),
  inbox: z.array(prompt).max(LIMITS.inbox),
  wall: z.strictObject({ bootNs: bigintText, wallMs: natural }).nullable(),
  profile: text.nullable().default(null),
  openFlows: z.array(z.tuple([natural, z.string().max(128), z.string().regex(/^f[0-9a-z]{1,10}$/)])).max(KEPT_LIMIT).default([]),
});

/** Plain JSON: 64-bit numbers as decimal text. Over the limits the newest are kept: what is written can be read again. */
export function encodeRunState(kept: KeptState): unknown {
  const inbox = kept.inbox.slice(-LIMITS.inbox);
  const rules = kept.rules.slice(-LIMITS.rules).map(({ id, name, action, enabled, match: what, lifetime, priority, group, profile, created }) => ({
    id, name, action, enabled, match: what, lifetime, priority, group, profile, created,
  }));
  const json = JSON.stringify({ version: VERSION, ...kept, rules, inbox }, (_key, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  );
  return JSON.parse(json) as unknown;
}

/** null for nothing; an Error's message for what is there but is not a run state of this version. */
export function decodeRunState(value: unknown): KeptState | { readonly problem: string } | null {
  if (value === null || value === undefined) return null;
  const result = state.safeParse(value);
  if (!result.success) {
    const [first] = result.error.issues;
    return { problem: `${first?.path.map(String).join('.') ?? ''}: ${first?.message ?? 'not valid'}` };
  }
  const { rules, pausedUntilNs, trial, inbox, wall, profile, openFlows } = result.data;
  return {
    rules: rules.map((one) => ({ ...one, match: defined(one.match), tier: 'user', source: null })),
    pausedUntilNs,
    trial,
    inbox,
    wall,
    profile,
    openFlows,
  };
}
