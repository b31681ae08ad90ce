/**
 * Who a forwarded packet comes from, in words: its source address is looked for in the other network namespaces of this
 * machine, by way of one process in each. What /proc says of somebody else's namespace is his own claim, so all of this is
 * for showing: rules never match it.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import type { Attribution, Tuple } from '../contract/vocabulary.ts';
import { containerOf } from './container-names.ts';
import { createProcesses, readBounded } from './procfs.ts';

/** Processes looked at in one search, the youngest first: containers start after the machine has. */
const PROCESSES_LIMIT = 4096;
const NAMESPACES_LIMIT = 256;
const ADDRESSES_LIMIT = 256;
/** The search runs where decisions are taken. What it does not reach in this time keeps its plain description. */
const SEARCH_LIMIT_MS = 20;
const SEARCH_INTERVAL_MS = 1000;
/** The same where the process that stood for a namespace has ended. */
const STALE_INTERVAL_MS = 250;
const CACHE_MS = 10_000;
const CACHED_LIMIT = 1024;
const TABLE_LIMIT_BYTES = 256 * 1024;
const CGROUP_LIMIT_BYTES = 8192;
const LABEL_LIMIT = 160;
/** Control, format and separator characters, which can make a text look like another. */
const DECEIVING = /[\p{C}\p{Zl}\p{Zp}]/gu;

interface Namespace {
  /** As /proc/PID/ns/net reads. */
  readonly link: string;
  readonly inode: bigint;
  readonly addresses: ReadonlySet<string>;
  /** The process with the smallest number that was seen there; most often the first. */
  pid: number;
}

interface Description {
  readonly text: string;
  readonly inode: bigint;
}

export interface NamespacesOptions {
  /** /proc, or a copy of it in tests. */
  readonly root?: string;
  /** Milliseconds of a clock that never runs backwards. */
  readonly nowMs?: () => number;
}

export interface Namespaces {
  /** The attribution of a forwarded flow: no process, no program, uid 0 so that the administrator is asked. */
  forwardedOwner(tuple: Tuple, interfaceName: string): Attribution;
  /** Searches that a limit or the time ended before every process had been looked at. */
  readonly cut: number;
}

/** Nothing is read before the first forwarded flow. */
export function createNamespaces({ root = '/proc', nowMs = () => performance.now() }: NamespacesOptions = {}): Namespaces {
  const search = new Search(root, nowMs);
  return {
    forwardedOwner: (tuple, interfaceName) => attributionOf(search.describe(tuple.sourceAddress, interfaceName)),
    get cut() { return search.cut; },
  };
}

function attributionOf({ text, inode }: Description): Attribution {
  return {
    owner: {
      cookie: 0n, pid: 0, startNs: 0n, uid: 0, gid: 0, executable: { device: 0, inode, generation: 0, ctimeSec: 0 },
      mountNamespace: 0, networkNamespace: 0n, cgroup: 0n, command: '', forwardedFrom: text,
    },
    identity: { path: null },
    claimedPath: null,
    evidence: 'none',
    confidence: 'unknown',
    ancestors: [],
  };
}

class Search {
  readonly #root: string;
  readonly #nowMs: () => number;
  readonly #cache = new Map<string, { readonly description: Description; readonly endMs: number }>();
  #namespaces: readonly Namespace[] = [];
  #searchedMs = -Infinity;
  cut = 0;

  constructor(root: string, nowMs: () => number) {
    this.#root = root;
    this.#nowMs = nowMs;
  }

  describe(address: string, interfaceName: string): Description {
    const nowMs = this.#nowMs();
    const key = `${address} ${interfaceName}`;
    const known = this.#cache.get(key);
    if (known !== undefined && nowMs < known.endMs) return known.description;
    const found = this.#find(address, nowMs);
    const text = found === null ? `A container or machine behind ${shown(interfaceName)} (${address})` : `${this.#name(found)}, ${address}`;
    const description = { text: text.slice(0, LABEL_LIMIT), inode: found?.inode ?? 0n };
    // What was not found is looked for again with the next search: a container may only just have got its address.
    this.#keep(key, description, found === null ? this.#searchedMs + SEARCH_INTERVAL_MS : nowMs + CACHE_MS);
    return description;
  }

  #keep(key: string, description: Description, endMs: number): void {
    this.#cache.delete(key);
    this.#cache.set(key, { description, endMs });
    const [oldest] = this.#cache.keys();
    if (this.#cache.size > CACHED_LIMIT && oldest !== undefined) this.#cache.delete(oldest);
  }

  #find(address: string, nowMs: number): Namespace | null {
    const wanted = keyOf(address);
    const claimed = (): readonly Namespace[] => this.#namespaces.filter((one) => wanted !== null && one.addresses.has(wanted));
    const lives = (one: Namespace): boolean => linkOf(this.#root, String(one.pid), 'net') === one.link;
    const before = claimed();
    const intervalMs = before.length === 0 || before.every(lives) ? SEARCH_INTERVAL_MS : STALE_INTERVAL_MS;
    if (nowMs - this.#searchedMs >= intervalMs) {
      const { namespaces, whole } = namespacesOf(this.#root, this.#nowMs);
      this.#namespaces = namespaces;
      if (!whole) this.cut += 1;
      this.#searchedMs = nowMs;
    }
    const claims = claimed().filter(lives);
    // Only root can join a namespace to the machine's network, but any user can make one and give it any address.
    const own = linkOf(this.#root, 'self', 'user');
    const sure = claims.filter((one) => own !== null && linkOf(this.#root, String(one.pid), 'user') === own);
    const rest = claims.filter((one) => !this.#isOfUser(one));
    const [first, second] = sure.length > 0 ? sure : rest;
    return first === undefined || second !== undefined ? null : first;
  }

  #isOfUser({ pid }: Namespace): boolean {
    return cgroupsOf(this.#root, pid).includes('/user.slice/');
  }

  #name({ pid }: Namespace): string {
    const container = containerOf(cgroupsOf(this.#root, pid));
    if (container !== null) return container;
    const path = createProcesses(this.#root).executable(pid);
    return path === null ? `Network namespace of process ${String(pid)}` : `Network namespace of ${shown(path)} (process ${String(pid)})`;
  }
}

function shown(text: string): string {
  return text.replaceAll(DECEIVING, '\u{fffd}').slice(0, 64);
}

function linkOf(root: string, process: string, kind: 'net' | 'user'): string | null {
  try {
    return readlinkSync(`${root}/${process}/ns/${kind}`);
  } catch {
    return null;
  }
}

function cgroupsOf(root: string, pid: number): string {
  return readBounded(`${root}/${String(pid)}/cgroup`, CGROUP_LIMIT_BYTES)?.toString('utf8') ?? '';
}

interface Found {
  readonly namespaces: readonly Namespace[];
  /** Was every process looked at, and every namespace taken in? */
  readonly whole: boolean;
}

/** Every network namespace but the machine's own that has a process and an address. */
function namespacesOf(root: string, nowMs: () => number): Found {
  const found = new Map<string, Namespace>();
  const own = linkOf(root, 'self', 'net');
  const endMs = nowMs() + SEARCH_LIMIT_MS;
  const pids = processesOf(root);
  let whole = pids.length <= PROCESSES_LIMIT;
  for (const pid of pids.slice(0, PROCESSES_LIMIT)) {
    if (nowMs() > endMs) {
      whole = false;
      break;
    }
    const link = linkOf(root, String(pid), 'net');
    if (link === null || link === own) continue;
    const known = found.get(link);
    if (known !== undefined) known.pid = Math.min(known.pid, pid);
    else if (found.size >= NAMESPACES_LIMIT) whole = false;
    else take(found, { root, pid, link });
  }
  return { namespaces: [...found.values()], whole };
}

function take(found: Map<string, Namespace>, { root, pid, link }: { readonly root: string; readonly pid: number; readonly link: string }): void {
  const inode = /^net:\[(\d{1,10})\]$/u.exec(link)?.[1];
  const addresses = addressesOf(root, pid);
  if (inode !== undefined && addresses.size > 0) found.set(link, { link, inode: BigInt(inode), addresses, pid });
}

/** The youngest first, as far as their numbers tell. */
function processesOf(root: string): readonly number[] {
  try {
    return readdirSync(root).map(Number).filter((pid) => Number.isInteger(pid) && pid > 0).sort((a, b) => b - a);
  } catch {
    return [];
  }
}

/**
 * Its addresses but those of loopback and the link. Source: proc(5), net/fib_trie and net/if_inet6 (address, interface index,
 * prefix length, scope, flags, name).
 */
function addressesOf(root: string, pid: number): ReadonlySet<string> {
  const table = (name: string): string => readBounded(`${root}/${String(pid)}/net/${name}`, TABLE_LIMIT_BYTES)?.toString('latin1') ?? '';
  const addresses = new Set<string>();
  const add = (address: string | undefined): void => {
    if (address !== undefined && addresses.size < ADDRESSES_LIMIT) addresses.add(address);
  };
  for (const [, address] of table('fib_trie').matchAll(/\|-- ([0-9.]{7,15})\n\s+\/32 host LOCAL/gu)) {
    if (address?.startsWith('127.') === false) add(address);
  }
  for (const [, address, scope] of table('if_inet6').matchAll(/^([0-9a-f]{32}) [0-9a-f]+ [0-9a-f]+ ([0-9a-f]{2}) /gmu)) {
    if (scope === '00') add(address);
  }
  return addresses;
}

/** Dotted for IPv4; for IPv6 32 hexadecimal digits, as if_inet6 writes it. Null for what no namespace can have. */
function keyOf(address: string): string | null {
  if (!address.includes(':')) return address;
  if (address.includes('.')) return null;
  const [head = '', tail] = address.split('::');
  const words = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const before = words(head);
  const after = words(tail ?? '');
  const missing = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  return [...before, ...new Array<string>(missing).fill('0'), ...after].map((word) => word.padStart(4, '0')).join('');
}
