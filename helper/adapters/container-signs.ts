/** What tells the flows of containers from those of others: the cgroup of a process, the interface that a packet came by. */
import { statSync } from 'node:fs';
import { BlockList, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Owner } from '../contract/vocabulary.ts';
import type { ContainerSigns } from '../ports.ts';
import { containerIdOf } from './container-names.ts';
import { readBounded } from './procfs.ts';

const CGROUP_LIMIT_BYTES = 8192;
/** The networks of interfaces are read again after this, and where an address is in none of those that are known. */
const NETWORKS_MS = 2000;
const NETWORKS_AGAIN_MS = 100;

interface Network {
  readonly interfaceName: string;
  readonly prefixLength: number;
  readonly holds: BlockList;
}

export interface ContainerSignsOptions {
  /** /proc, or a copy of it in tests. */
  readonly root?: string;
  /** Where cgroup version 2 is mounted; null where it is not: then nothing is certain of a process. */
  readonly cgroups: string | null;
  /** Addresses of this machine with their networks. */
  readonly networks?: typeof networkInterfaces;
  /** Milliseconds of a clock that never runs backwards. */
  readonly nowMs?: () => number;
}

/** Path of the cgroup of version 2, without what could lead out of the hierarchy. Source: cgroups(7), "0::PATH". */
function unifiedPath(cgroups: string): string | null {
  const path = /^0::(\/.*)$/mu.exec(cgroups)?.[1];
  return path === undefined || path.split('/').includes('..') ? null : path;
}

/** Reads /proc, the cgroup hierarchy and the addresses of interfaces; nothing before it is asked. */
export function createContainerSigns(options: ContainerSignsOptions): ContainerSigns {
  const { root = '/proc', cgroups, networks = networkInterfaces, nowMs = () => performance.now() } = options;
  const ways = new Ways(networks, nowMs);
  return {
    ofProcess: (owner) => containerOfProcess(owner, root, cgroups),
    leadsTo: (interfaceName, address) => ways.leadsTo(interfaceName, address),
  };
}

/** The process may have ended, and its number be another one's: what it is told by is that its cgroup is the recorded one. */
function containerOfProcess({ pid, cgroup }: Owner, root: string, cgroups: string | null): ReturnType<ContainerSigns['ofProcess']> {
  if (pid === 0) return { id: null, certain: false };
  const text = readBounded(`${root}/${String(pid)}/cgroup`, CGROUP_LIMIT_BYTES)?.toString('utf8') ?? '';
  const path = unifiedPath(text);
  const certain = cgroup !== 0n && path !== null && cgroups !== null && numberOf(`${cgroups}${path}`) === cgroup;
  return { id: containerIdOf(path === null ? text : `0::${path}`), certain };
}

/** The number of a cgroup is that of its folder. Source: kernel, cgroup_id(), kernfs. */
function numberOf(folder: string): bigint | null {
  try {
    return statSync(folder, { bigint: true }).ino;
  } catch {
    return null;
  }
}

/** Networks of this machine's interfaces. */
class Ways {
  readonly #read: typeof networkInterfaces;
  readonly #nowMs: () => number;
  #networks: readonly Network[] = [];
  #readMs = Number.NEGATIVE_INFINITY;

  constructor(read: typeof networkInterfaces, nowMs: () => number) {
    this.#read = read;
    this.#nowMs = nowMs;
  }

  leadsTo(interfaceName: string, address: string): boolean {
    this.#refresh(NETWORKS_MS);
    if (this.#isBehind(interfaceName, address)) return true;
    return this.#refresh(NETWORKS_AGAIN_MS) && this.#isBehind(interfaceName, address);
  }

  /** Of several networks that hold the address the smallest one counts, as for a route. */
  #isBehind(interfaceName: string, address: string): boolean {
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    let [longest, behind] = [-1, false];
    for (const network of this.#networks) {
      if (network.prefixLength < longest || !network.holds.check(address, family)) continue;
      if (network.prefixLength > longest) behind = false;
      longest = network.prefixLength;
      behind ||= network.interfaceName === interfaceName;
    }
    return behind;
  }

  /** False where they were read a moment ago. */
  #refresh(afterMs: number): boolean {
    const nowMs = this.#nowMs();
    if (nowMs - this.#readMs < afterMs) return false;
    this.#readMs = nowMs;
    this.#networks = Object.entries(this.#read()).flatMap(([interfaceName, addresses = []]) => addresses.flatMap(({ address, cidr, family }) => {
      const prefixLength = Number(cidr?.split('/')[1] ?? Number.NaN);
      if (!Number.isInteger(prefixLength)) return [];
      const holds = new BlockList();
      holds.addSubnet(address.split('%')[0] ?? '', prefixLength, family === 'IPv6' ? 'ipv6' : 'ipv4');
      return [{ interfaceName, prefixLength, holds }];
    }));
    return true;
  }
}
