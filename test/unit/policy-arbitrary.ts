/** Arbitrary rules and flows over a small world, so that they meet often. */
import fc from 'fast-check';
import type { Rule, RuleMatch } from '../../helper/contract/vocabulary.ts';
import type { Facts, Moment } from '../../helper/policy/facts.ts';
import { facts, moment, rule, tuple } from './policy-support.ts';

export const START_MS = 1_800_000_000_000;
const PATHS = ['/a', '/b'] as const;
const V4 = ['10.0.0.1', '10.0.0.2', '10.0.1.1', '192.0.2.1'] as const;
const V6 = ['2001:db8::1', '2001:db8::2', '2001:db8:1::1'] as const;
const PREFIXES = ['10.0.0.0/8', '10.0.0.0/24', '0.0.0.0/0', '2001:db8::/32', '2001:db8::/64', '::/0'] as const;
const PROTOCOLS = [6, 17, 1, 58, 47] as const;
const PORTS = [8, 53, 80, 443] as const;

const range = fc.tuple(fc.constantFrom(...PORTS), fc.constantFrom(0, 0, 40)).map(([first, width]) => ({ first, last: first + width }));
const schedule = fc.record({
  days: fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 7 }),
  fromMinute: fc.constantFrom(0, 540, 600, 1200),
  toMinute: fc.constantFrom(541, 601, 1080, 1440),
});

function compact(match: { readonly [K in keyof RuleMatch]: RuleMatch[K] | undefined }): RuleMatch {
  return Object.fromEntries(Object.entries(match).filter(([, value]) => value !== undefined));
}

const maybe = <T>(arbitrary: fc.Arbitrary<T>, weight = 1): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { weight, arbitrary });

const match: fc.Arbitrary<RuleMatch> = fc
  .record({
    path: maybe(fc.constantFrom(...PATHS), 2),
    uid: maybe(fc.constantFrom(0, 1000)),
    address: maybe(fc.constantFrom(...V4, ...V6, ...PREFIXES), 2),
    ports: maybe(fc.array(range, { minLength: 1, maxLength: 2 })),
    protocols: maybe(fc.constantFrom([6], [17], [1, 58], [6, 17])),
    schedule: fc.oneof({ weight: 6, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: schedule }),
    process: fc.oneof(
      { weight: 6, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constantFrom({ pid: 1, startNs: 1n }, { pid: 1, startNs: 2n }) },
    ),
    session: fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom('s1', 's2') }),
  })
  .map(compact);

/** Rules with unique ids, `r0` and up. */
export const rules: fc.Arbitrary<readonly Rule[]> = fc
  .array(
    fc.record({
      match,
      action: fc.constantFrom('allow', 'allow', 'deny', 'drop', 'ask'),
      tier: fc.constantFrom('administrator', 'user', 'user', 'vendor', 'built-in'),
      priority: fc.constantFrom(0, 0, 0, -5, 7),
      created: fc.constantFrom(1, 2),
      enabled: fc.constantFrom(true, true, true, false),
      lifetime: fc.oneof(
        { weight: 5, arbitrary: fc.constant('always' as const) },
        { weight: 1, arbitrary: fc.integer({ min: -5_000, max: 200_000 }).map((ms) => ({ until: START_MS + ms })) },
      ),
    }),
    { maxLength: 40 },
  )
  .map((list) => list.map(({ match: what, action, ...change }, index) => rule(`r${String(index)}`, action, what, change)));

const destination = fc.oneof(
  fc.constantFrom(...V4).map((address) => ({ family: 4 as const, address })),
  fc.constantFrom(...V6).map((address) => ({ family: 6 as const, address })),
);

export const flows: fc.Arbitrary<Facts> = fc
  .record({
    destination,
    protocol: fc.constantFrom(...PROTOCOLS),
    port: fc.constantFrom(...PORTS, 0),
    who: fc.constantFrom('certain', 'certain', 'certain', 'likely', 'claimed', 'unknown', 'nobody'),
    path: fc.constantFrom(...PATHS),
    uid: fc.constantFrom(0, 1000),
    process: fc.constantFrom({ pid: 1, startNs: 1n }, { pid: 1, startNs: 2n }, { pid: 2, startNs: 1n }),
  })
  .map(({ destination: { family, address }, protocol, port, who, path, uid, process }) => {
    const base = { uid, process, tuple: tuple({ family, destinationAddress: address, destinationPort: port, protocol }) };
    switch (who) {
      case 'certain':
        return facts({ ...base, path });
      case 'likely':
        return facts({ ...base, path, confidence: 'likely', evidence: 'sock_diag' });
      case 'claimed':
        return facts({ ...base, path: null, claimedPath: path, confidence: 'unknown' });
      case 'unknown':
        return facts({ ...base, path: null, confidence: 'unknown' });
      default:
        return facts({ ...base, path: null, uid: null, process: null, confidence: 'unknown', evidence: 'none' });
    }
  });

export const moments: fc.Arbitrary<Moment> = fc
  .record({
    passedMs: fc.integer({ min: 0, max: 100_000 }),
    weekday: fc.integer({ min: 0, max: 6 }),
    minute: fc.constantFrom(0, 540, 600, 601, 1100, 1439),
    sessions: fc.constantFrom([], ['s1'], ['s1', 's2']),
    requireKernelIdentity: fc.boolean(),
  })
  .map(({ passedMs, weekday, minute, sessions, requireKernelIdentity }) =>
    moment({ nowMs: START_MS + passedMs, local: { weekday, minute }, sessions: new Set(sessions), requireKernelIdentity }),
  );
