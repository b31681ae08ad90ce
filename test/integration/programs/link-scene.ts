/**
 * Runs in a network namespace of its own: follows the interfaces with the real addon while `ip` changes them, and prints what it
 * saw as one line of JSON. Arguments: rounds of bursts, changes in all.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { watchLinks } from '../../../helper/adapters/link-monitor.ts';
import type { LinkMonitor, NetworkLink } from '../../../helper/ports.ts';
import { loadBinding } from '../../../native/binding.ts';

const [addon = '', bursts = '', changes = ''] = process.argv.slice(2);
const PAIRS = 50;
/** The smallest that the kernel gives: room for one or two announcements. */
const TINY_BYTES = 1024;
const WAIT_MS = 20_000;

/** What one burst was like. */
export interface BurstSeen {
  /** From the end of `ip` to the state that it left, 0 where it was there already. */
  readonly behindMs: number;
  /** States that were held while it went on. */
  readonly states: number;
}

export interface SceneSeen {
  readonly bursts: readonly BurstSeen[];
  /** States that never were, or were only before one that was held earlier, of the monitor with room and of the one without. */
  readonly neverWere: readonly string[];
  /** Reads of everything besides the first. */
  readonly resyncs: number;
  readonly tinyResyncs: number;
  /** What `ip -json address` says at the end, and what each monitor does. */
  readonly kernel: readonly string[];
  readonly held: readonly string[];
  readonly tinyHeld: readonly string[];
}

type Change = readonly [verb: 'add' | 'del', link: string, address: string];

function addressesOf(links: readonly NetworkLink[]): readonly string[] {
  return links.flatMap(({ name, addresses }) => addresses.filter(({ scope }) => scope === 'global').map((one) => `${name} ${one.address}/${String(one.prefixLength)}`)).sort();
}

interface IpLink {
  readonly ifname: string;
  readonly addr_info: readonly { readonly local: string; readonly prefixlen: number; readonly scope: string }[];
}

function kernelAddresses(): readonly string[] {
  const links = JSON.parse(execFileSync('ip', ['-json', 'address', 'show'], { encoding: 'utf8' })) as readonly IpLink[];
  return links.flatMap(({ ifname, addr_info: rows }) => rows.filter(({ scope }) => scope === 'global').map((one) => `${ifname} ${one.local}/${String(one.prefixlen)}`)).sort();
}

async function batch(lines: readonly string[]): Promise<void> {
  const child = spawn('ip', ['-batch', '-'], { stdio: ['pipe', 'inherit', 'inherit'] });
  child.stdin.end(`${lines.join('\n')}\n`);
  const [status] = await once(child, 'close') as [number | null];
  if (status !== 0) throw new Error(`ip -batch ended with ${String(status)}`);
}

/**
 * What there was after each change. The kernel gives an IPv6 address away only some time after `ip` was told that it has it, so
 * a state is looked up by its IPv4 addresses; of the IPv6 ones those of the last burst may be missing.
 */
class History {
  readonly #moments: { readonly four: string; readonly six: ReadonlySet<string>; readonly settled: ReadonlySet<string> }[] = [];
  readonly #four = new Set<string>();
  readonly #six = new Set<string>();
  #settled: ReadonlySet<string> = new Set();

  constructor() {
    this.#note();
  }

  take([verb, link, address]: Change): void {
    const family = address.includes(':') ? this.#six : this.#four;
    if (verb === 'add') family.add(`${link} ${address}`);
    else family.delete(`${link} ${address}`);
    this.#note();
  }

  /** What is there now has to be told from now on. */
  settle(): void {
    this.#settled = new Set(this.#six);
  }

  get now(): string {
    return [...this.#four, ...this.#six].sort().join(', ');
  }

  /** The first moment at or after `from` when it was so; null for never. */
  when(state: string, from: number): number | null {
    const all = state === '' ? [] : state.split(', ');
    const four = all.filter((one) => !one.includes(':')).join(', ');
    const six = new Set(all.filter((one) => one.includes(':')));
    const at = this.#moments.findIndex((moment, index) => index >= from && moment.four === four
      && [...six].every((one) => moment.six.has(one)) && [...moment.settled].every((one) => six.has(one) || !moment.six.has(one)));
    return at === -1 ? null : at;
  }

  #note(): void {
    this.#moments.push({ four: [...this.#four].sort().join(', '), six: new Set(this.#six), settled: this.#settled });
  }
}

/** Random, the same each time. Source: Park and Miller. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = state * 48_271 % 2_147_483_647;
    return state % below;
  };
}

function makeChanges(count: number): readonly Change[] {
  const next = random(7);
  const present: (readonly [string, string])[] = [];
  return Array.from({ length: count }, (_, at): Change => {
    if (present.length > 40 && next(2) === 0) {
      const [gone] = present.splice(next(present.length), 1);
      if (gone !== undefined) return ['del', ...gone];
    }
    const host = `${String(at >> 8)}.${String(at & 255)}`;
    const added = [`v${String(next(PAIRS))}`, at % 2 === 0 ? `10.${host}.1/32` : `fd00::${at.toString(16)}:1/64`] as const;
    present.push(added);
    return ['add', ...added];
  });
}

function lineOf([verb, link, address]: Change): string {
  return `address ${verb} ${address} dev ${link}${verb === 'add' && address.includes(':') ? ' nodad' : ''}`;
}

interface Watched {
  readonly monitor: LinkMonitor;
  /** States in their order, and when each began to be held. */
  readonly states: { readonly text: string; readonly atMs: number }[];
}

function watch(receiveBytes: number | undefined): Watched {
  const states: Watched['states'] = [];
  const monitor = watchLinks({
    native: loadBinding(addon), logger: { log: () => undefined, setLevel: () => undefined }, ...(receiveBytes === undefined ? {} : { receiveBytes }),
  });
  monitor.onChanged(() => { states.push({ text: addressesOf(monitor.current).join(', '), atMs: performance.now() }); });
  return { monitor, states };
}

async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + WAIT_MS;
  while (!holds()) {
    if (performance.now() > end) return;
    await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
}

function neverWereOf(states: readonly string[], history: History): readonly string[] {
  let at = 0;
  return states.filter((state) => {
    const when = history.when(state, at);
    at = when ?? at;
    return when === null;
  });
}

async function main(): Promise<SceneSeen> {
  await batch([
    'link set lo up',
    ...Array.from({ length: PAIRS }, (_, at) => `link add v${String(at)} type veth peer name p${String(at)}`),
    ...Array.from({ length: PAIRS }, (_, at) => [`link set v${String(at)} up`, `link set p${String(at)} up`]).flat(),
  ]);
  const history = new History();
  const [roomy, tiny] = [watch(undefined), watch(TINY_BYTES)];
  for (const { monitor } of [roomy, tiny]) await monitor.list();
  const seen: BurstSeen[] = [];
  const all = makeChanges(Number(changes));
  const size = Math.ceil(all.length / Number(bursts));
  for (let from = 0; from < all.length; from += size) {
    const part = all.slice(from, from + size);
    for (const change of part) history.take(change);
    const before = roomy.states.length;
    await batch(part.map(lineOf));
    const doneMs = performance.now();
    history.settle();
    const wanted = history.now;
    await until(() => [roomy, tiny].every(({ monitor }) => addressesOf(monitor.current).join(', ') === wanted));
    const reached = roomy.states.find(({ text }, at) => at >= before && text === wanted);
    seen.push({ behindMs: Math.max(0, (reached?.atMs ?? Number.POSITIVE_INFINITY) - doneMs), states: roomy.states.length - before });
  }
  const neverWere = [roomy, tiny].flatMap(({ states }) => neverWereOf(states.map(({ text }) => text), history));
  const result: SceneSeen = {
    bursts: seen, neverWere: neverWere.slice(0, 5), resyncs: roomy.monitor.counters.resyncs, tinyResyncs: tiny.monitor.counters.resyncs,
    kernel: kernelAddresses(), held: addressesOf(roomy.monitor.current), tinyHeld: addressesOf(tiny.monitor.current),
  };
  for (const { monitor } of [roomy, tiny]) monitor.close();
  return result;
}

// The monitors keep no process alive.
const alive = setInterval(() => undefined, 1000);
process.stdout.write(`${JSON.stringify(await main())}\n`);
clearInterval(alive);
