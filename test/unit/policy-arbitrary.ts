/** Arbitrary rules and flows over a small world, so that they meet often. */
import fc from '../property.ts';
import type { Ancestor, ContainerEnd, Identity, KnownName, Rule, RuleMatch } from '../../helper/contract/vocabulary.ts';
import type { Facts, Moment } from '../../helper/policy/facts.ts';
import type { Places } from '../../helper/policy/places.ts';
import { end } from './container-support.ts';
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

const NAMES = ['example.org', 'www.example.org', 'other.test'] as const;
const SCRIPTS = ['/s/one', '/s/two'] as const;
const SCRIPT_FILES: Readonly<Record<string, Partial<Identity>>> = {
  '/s/one': { sha256: '21', scriptIntegrity: 'valid' }, '/s/two': { sha256: '22', scriptIntegrity: 'changed' },
};
const rarely = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 7, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

/** What is known of the executable at each path: `/b` runs scripts. */
const IDENTITIES: readonly Identity[] = [
  { path: '/a', package: 'pa', sha256: '11', integrity: 'valid' },
  { path: '/a', package: 'pa', sha256: '12', integrity: 'changed' },
  { path: '/b', flatpak: 'fb', interpreter: true, trusted: true },
];
const ancestors: fc.Arbitrary<readonly Ancestor[]> = fc.uniqueArray(fc.constantFrom('/a', '/b', '/c'), { maxLength: 2 })
  .map((paths) => paths.map((path, at) => ({
    pid: at + 1, path, command: '', ...(path === '/c' ? {} : { identity: IDENTITIES.find((one) => one.path === path) ?? { path } }),
  })));
const names: fc.Arbitrary<readonly KnownName[]> = fc.uniqueArray(fc.constantFrom(...NAMES), { maxLength: 2 })
  .map((all) => all.map((name, at) => ({ name, source: at === 0 ? 'program' : 'machine' })));

const ENDS: readonly (readonly ContainerEnd[])[] = [
  [end('web')], [end('db')], [end('web', { certain: false })], [end('db', { side: 'receiver' }), end('web')],
];

/** What may differ between two flows of one executable and user to one destination. */
export const circumstances: fc.Arbitrary<Partial<Facts>> = fc
  .record({
    process: fc.constantFrom({ pid: 1, startNs: 1n }, { pid: 1, startNs: 2n }, { pid: 2, startNs: 1n }),
    script: maybe(fc.constantFrom(...SCRIPTS)),
    scriptEvidence: fc.constantFrom('exec' as const, 'claimed' as const),
    ancestors: maybe(ancestors, 4),
    lineage: fc.constantFrom('kernel' as const, 'kernel' as const, 'procfs' as const),
    names,
    interfaceName: fc.constantFrom('eth0', 'wg0'),
    containers: maybe(fc.constantFrom(...ENDS)),
  })
  .map(({ process, script, scriptEvidence, ancestors: parents, lineage, names: known, interfaceName, containers }) => ({
    process, names: known, interfaceName,
    ...(containers === undefined ? {} : { containers }),
    ...(script === undefined ? {} : { identity: { path: null, script, scriptEvidence } }),
    ...(parents === undefined ? {} : { ancestors: parents, lineage }),
  }));

function without<T extends object, K extends keyof T>(from: T, ...keys: readonly K[]): Omit<T, K> {
  const rest = { ...from };
  for (const key of keys) Reflect.deleteProperty(rest, key);
  return rest;
}

/** The flow under other circumstances: the executable stays. */
export function under(flow: Facts, { identity, ...others }: Partial<Facts>): Facts {
  const own = flow.identity ?? { path: flow.path };
  const rest = without(flow, 'ancestors', 'lineage', 'identity', 'containers');
  const executable = own.interpreter === true ? without(own, 'script', 'scriptEvidence', 'scriptIntegrity', 'sha256') : own;
  const scripted = identity?.script !== undefined && own.interpreter === true;
  return {
    ...rest, ...others,
    identity: scripted
      ? { ...executable, script: identity.script, scriptEvidence: identity.scriptEvidence ?? 'claimed', ...SCRIPT_FILES[identity.script] }
      : executable,
    process: rest.process === null ? null : others.process ?? rest.process,
  };
}

const match: fc.Arbitrary<RuleMatch> = fc
  .record({
    package: rarely(fc.constantFrom('pa', 'pz')),
    flatpak: rarely(fc.constant('fb')),
    sha256: rarely(fc.constantFrom('11', '12', '21')),
    script: rarely(fc.constantFrom(...SCRIPTS)),
    pin: rarely(fc.constant(true)),
    includeChildren: rarely(fc.constant(true)),
    allScripts: rarely(fc.constant(true)),
    container: rarely(fc.constantFrom('web', 'we*', 'db', '*')),
    ancestor: rarely(fc.constantFrom({ path: '/a' }, { package: 'pa' }, { path: '/c' })),
    domain: rarely(fc.constantFrom(...NAMES, '*.example.org', '*.test')),
    list: rarely(fc.constantFrom('names', 'addresses')),
    zone: rarely(fc.constantFrom('home', 'away')),
    interface: rarely(fc.constantFrom('eth0', 'wg*')),
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
  .map(compact)
  // A rule names one kind of destination; see docs/rules.md.
  .map(({ domain, list, ...others }): RuleMatch => {
    if (others.address !== undefined) return others;
    return { ...others, ...(domain === undefined ? (list === undefined ? {} : { list }) : { domain }) };
  })
  .map((one): RuleMatch => {
    // A container stands in place of a program.
    if (one.container !== undefined) {
      return without(one, 'path', 'package', 'flatpak', 'sha256', 'script', 'pin', 'includeChildren', 'allScripts', 'ancestor');
    }
    const named = one.path !== undefined || one.package !== undefined || one.flatpak !== undefined || one.script !== undefined
      || one.sha256 !== undefined;
    if (named) return one;
    return without(one, 'includeChildren');
  });

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
    how: circumstances,
    executable: fc.nat(1),
    lookup: fc.constantFrom(false, false, true),
  })
  .map(({ destination: { family, address }, protocol, port, who, path, uid, how, executable, lookup }) => {
    const flow = flowOf({ family, address, protocol, port, who, path, uid });
    const own = IDENTITIES.filter((one) => one.path === path);
    const known = flow.path === null ? { path: null } : own[executable] ?? own[0] ?? { path };
    const asked = lookup && port === 53 && protocol === 17;
    return under({ ...flow, identity: known, isLookup: asked }, asked ? { ...how, names: (how.names ?? []).slice(0, 1) } : how);
  });

interface FlowParts {
  readonly family: 4 | 6;
  readonly address: string;
  readonly protocol: number;
  readonly port: number;
  readonly who: string;
  readonly path: string;
  readonly uid: number;
}

function flowOf({ family, address, protocol, port, who, path, uid }: FlowParts): Facts {
    const base = { uid, tuple: tuple({ family, destinationAddress: address, destinationPort: port, protocol }) };
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
}

const PLACES: Places = {
  listHasName: (list, name) => list === 'names' && name.endsWith('example.org'),
  listHasAddress: (list, address) => list === 'addresses' && address.startsWith('10.0.0'),
  zoneOf: (interfaceName) => (interfaceName === 'eth0' ? 'home' : null),
};

export const moments: fc.Arbitrary<Moment> = fc
  .record({
    passedMs: fc.integer({ min: 0, max: 100_000 }),
    weekday: fc.integer({ min: 0, max: 6 }),
    minute: fc.constantFrom(0, 540, 600, 601, 1100, 1439),
    sessions: fc.constantFrom([], ['s1'], ['s1', 's2']),
    requireKernelIdentity: fc.boolean(),
  })
  .map(({ passedMs, weekday, minute, sessions, requireKernelIdentity }) =>
    moment({ nowMs: START_MS + passedMs, local: { weekday, minute }, sessions: new Set(sessions), requireKernelIdentity, places: PLACES, sharesNetwork: () => true }),
  );
