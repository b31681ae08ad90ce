/** A lab with programs that try every way to send, and one beside them that may. */
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectHelper } from '../../helper/contract/client.ts';
import type { HelperClient } from '../../helper/contract/client.ts';
import { FULL_SIZE, copyInto, program, rested, ruleText, until } from '../integration/support.ts';
import { Lab } from '../lab/lab.ts';
import type { LabOptions, PeerCounts } from '../lab/lab.ts';
import type { MeasuredWay } from '../leak-matrix.ts';

/** Of every way in every state. */
export const ROUNDS = FULL_SIZE ? 750 : 15;
const TRY_LIMIT_MS = FULL_SIZE ? 1_800_000 : 240_000;
/** In a storm, on a busy machine. */
const CALL_LIMIT_MS = 60_000;
const SETTLE_LIMIT_MS = 60_000;
const ALLOWED_LIMIT_MS = 90_000;

/** Way N of a set sends to the set's first port + N. */
export const SETS = [
  { program: 'leak', what: 'try', as: 'user', firstPort: 21_000 },
  { program: 'ways', what: 'try', as: 'user', firstPort: 21_100 },
  { program: 'detours', what: 'try', as: 'user', firstPort: 21_200 },
  { program: 'ways', what: 'root', as: 'root', firstPort: 21_300 },
] as const;
export type WaySet = typeof SETS[number] | { readonly program: 'ways'; readonly what: 'beyond'; readonly as: 'root'; readonly firstPort: number };

/** Ways whose first packets carry no text: counted by their port, which nobody else connects to. */
const STREAMS = new Set([
  'stream4', 'stream6', 'multipath', 'inherited-stream', 'fast-open', 'ring-connect', 'ring-worker-connect', 'ring-thread-connect',
  'header-syn', 'bare-reset', 'bound-stream', 'mapped-stream', 'fast-open-connect',
]);
/** The same of protocols whose ports the peer does not read. */
const PROTOCOLS = new Map([['sctp', 'other/132'], ['dccp', 'other/33']]);
/** Ways that a kernel may lack or not grant, with what it says then, also when nothing is refused. */
const OPTIONAL: readonly (readonly [ways: RegExp, errors: RegExp])[] = [
  [/^(?:udplite6?|sctp|dccp|multipath)$/u, /^(?:EPROTONOSUPPORT|ESOCKTNOSUPPORT|ENOPROTOOPT)$/u],
  [/^ring-/u, /^(?:ENOSYS|EPERM)$/u],
  [/^ring-zero-copy$/u, /^EINVAL$/u],
  [/^stolen$/u, /^(?:ENOSYS|EPERM)$/u],
  [/-namespaces?$|^covered-path$|^left-network$/u, /^(?:EPERM|ENOSPC|EACCES)$/u],
];
/** Parts of a datagram that nobody can tell the flow of, and a network that leads nowhere: they arrive in no state. */
const NEVER = new Set(['later-fragment4', 'later-fragment6', 'own-network']);

/** Does something to the lab, and has every way tried so many times. */
export type Moment = (tries: (rounds: number) => Promise<void>) => Promise<void>;

interface Attempted extends Omit<MeasuredWay, 'arrived'> {
  readonly port: number;
  /** `sent`, or what refused the last try. */
  readonly said: string;
}

function arrivals(counts: PeerCounts, { name, port }: Attempted, tag: string): number {
  if (STREAMS.has(name)) return counts.of(`tcp/${String(port)}`) + counts.of(`tcp6/${String(port)}`);
  return counts.of(PROTOCOLS.get(name) ?? `tag/${tag}-${name}`);
}

function lacking({ name, said }: Attempted): boolean {
  return OPTIONAL.some(([ways, errors]) => ways.test(name) && errors.test(said));
}

export class Scene implements AsyncDisposable {
  readonly lab: Lab;
  readonly client: HelperClient;
  readonly lender: string;
  /** One for each program of the sets, and what it runs as root. */
  readonly intruders: readonly string[];
  readonly #pathOf: ReadonlyMap<string, string>;
  #tags = 0;

  private constructor(lab: Lab) {
    this.lab = lab;
    this.client = connectHelper({ address: lab.busAddress, timeoutMs: CALL_LIMIT_MS });
    this.lender = copyInto(lab, program('leak'), 'lender');
    this.#pathOf = new Map([...new Set(SETS.map((set) => set.program))].map((name) => [name, copyInto(lab, program(name), `intruder-${name}`)]));
    const setUser = copyInto(lab, program('detours'), 'intruder-detours-setuid');
    chmodSync(setUser, 0o4755);
    this.intruders = [...this.#pathOf.values(), setUser];
    writeFileSync(join(lab.configDir, 'rules.d/20-lender.toml'), ruleText('lender', 'allow', this.lender));
  }

  /** Without its helper, which `start` starts. */
  static async create(options: LabOptions): Promise<Scene> {
    return new Scene(await Lab.create({ ...options, startHelper: false }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    await this.lab.dispose();
  }

  pathOf(name: WaySet['program']): string {
    const path = this.#pathOf.get(name);
    assert.ok(path !== undefined);
    return path;
  }

  /** The lender is known to the kernel, and has made connections to the very ports that are counted. */
  async prepare(): Promise<void> {
    // From here on the kernel remembers what the lender may do, because its file is no new one.
    await rested(this.lender);
    await this.lab.peer.watch();
    await until('the connections of the lender', async () => {
      const lent = await this.attempt(SETS[0], 1, 'lent', this.lender);
      const counts = await this.settle();
      return lent.every((way) => !STREAMS.has(way.name) || lacking(way) || arrivals(counts, way, 'lent') > 0) ? true : null;
    }, SETTLE_LIMIT_MS);
  }

  /** Every way of one set, so many times. */
  async attempt(set: WaySet, rounds: number, tag: string, path = this.pathOf(set.program)): Promise<readonly Attempted[]> {
    const words = [path, set.what, this.lab.peer4, this.lab.peer6, String(set.firstPort), tag, String(rounds), this.lender];
    const { stdout, status, stderr } = await this.lab.run(words, { as: set.as, timeoutMs: TRY_LIMIT_MS });
    assert.equal(status, 0, stderr);
    return stdout.trim().split('\n').map((line, index) => {
      const [name = '', said = ''] = line.split(' ');
      return { name, as: set.as, attempts: rounds, note: '', port: set.firstPort + index, said };
    });
  }

  /** Waits until a datagram of the lender has arrived that was sent after all others. */
  async settle(): Promise<PeerCounts> {
    this.#tags += 1;
    const tag = `last-${String(this.#tags)}`;
    return until('the last datagram', async () => {
      await this.lab.run([this.lender, 'lend', 'alone', this.lab.peer4, '7', this.lender, `lab-tag:${tag};`]);
      const counts = await this.lab.peer.counts();
      return counts.of(`tag/${tag}`) > 0 ? counts : null;
    }, SETTLE_LIMIT_MS);
  }

  /**
   * Every way arrives: the other counts mean something. Again and again: what netfilter lets pass for others' sake is asked about
   * when the gate has dropped one, and a program that was just made is looked at again for two seconds.
   */
  async everyWayArrives(tag: string): Promise<readonly MeasuredWay[]> {
    const all: MeasuredWay[] = [];
    await this.lab.peer.watch();
    for (const set of SETS) {
      const limitMs = performance.now() + ALLOWED_LIMIT_MS;
      for (let rounds = 1; ; rounds += 1) {
        const ways = await this.attempt(set, 1, tag);
        const counts = await this.settle();
        assert.equal(counts.lost, 0);
        const missing = ways.filter((way) => !NEVER.has(way.name) && !lacking(way) && arrivals(counts, way, tag) === 0).map(({ name, said }) => `${name} ${said}`);
        if (missing.length === 0) {
          all.push(...ways.map((way) => ({ name: way.name, as: way.as, attempts: rounds, arrived: arrivals(counts, way, tag), note: lacking(way) ? way.said : '' })));
          break;
        }
        assert.ok(performance.now() < limitMs, `some ways do not arrive where everything may: ${missing.join(', ')}`);
      }
    }
    return all;
  }

  /** All ways in each of these moments: what of them arrived, but for `passing`, is nothing. `keep` is told before it is judged. */
  async nothingArrives(
    moments: readonly Moment[], keep: (ways: readonly MeasuredWay[]) => void = () => undefined, passing: ReadonlySet<string> = new Set(),
  ): Promise<void> {
    this.#tags += 1;
    const tag = `s${String(this.#tags)}`;
    const tried = new Map<string, Attempted>();
    const tries = async (rounds: number): Promise<void> => {
      for (const set of SETS) {
        for (const way of await this.attempt(set, rounds, tag)) tried.set(way.name, { ...way, attempts: way.attempts + (tried.get(way.name)?.attempts ?? 0) });
      }
    };
    await this.lab.peer.watch();
    for (const moment of moments) await moment(tries);
    const counts = await this.settle();
    assert.equal(counts.lost, 0);
    const ways = [...tried.values()].map((way) => ({ name: way.name, as: way.as, attempts: way.attempts, arrived: arrivals(counts, way, tag), note: '' }));
    keep(ways);
    assert.deepEqual(ways.filter(({ name, arrived }) => arrived > 0 && !passing.has(name)), []);
    // Nor what was tried in an earlier state and waited somewhere.
    const late = [...counts.keys.keys()].filter((key) => /^tag\/s\d+-/u.test(key) && !passing.has(key.replace(/^tag\/s\d+-/u, '')));
    assert.deepEqual(late, []);
  }
}
