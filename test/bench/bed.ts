/** Where a measurement runs: a client's network namespace, a veth pair, and a peer that accepts. */
import { readdir, readFile } from 'node:fs/promises';
import { ADDRESSES, enterNamespace, makeNetwork } from '../lab/network.ts';
import { tool, tryTool } from '../lab/process.ts';
import { PORTS, SINK_PORT, SOURCE_PORT, Service, UDP_PORT, runClient, type ClientResult, type Enter, type Programs } from './programs.ts';

const NANOSECONDS_PER_US = 1000;

export interface Bed {
  readonly peer4: string;
  readonly peer6: string;
  /** The process that looks at packets; null where there is none. */
  readonly worker: number | null;
  /** Runs the client program; `program` defaults to the one with a rule. */
  client(args: readonly (string | number)[], program?: string): Promise<ClientResult>;
  /** Starts one of the programs in its mode `repeat`; it ends with the bed, if not before. */
  repeat(program: 'connect' | 'bulk', args: readonly (string | number)[]): Promise<Service>;
  /** Runs the program for bulk traffic, which has a rule too. */
  bulk(args: readonly (string | number)[]): Promise<ClientResult>;
  /** Datagrams that the peer got since the last call. */
  datagrams(): Promise<number>;
  close(): Promise<void>;
}

/** CPU time of all threads of a process, in us. Source: Documentation/scheduler/sched-stats.rst, /proc/PID/schedstat. */
export async function cpuUs(pid: number): Promise<number> {
  const folder = `/proc/${String(pid)}/task`;
  let sumNs = 0;
  for (const task of await readdir(folder)) {
    sumNs += Number((await readFile(`${folder}/${task}/schedstat`, 'utf8')).split(' ')[0]);
  }
  return sumNs / NANOSECONDS_PER_US;
}

export interface Memory {
  /** Proportional set size: a page that n processes share counts 1/n for each. */
  readonly pss: number;
  /** Pages without a file behind them, which are the process's own whoever else runs the same program. */
  readonly anonymous: number;
}

/** Memory of a process, in MB (10^6 bytes). Source: Documentation/filesystems/proc.rst, smaps_rollup. */
export async function memoryMegabytes(pid: number): Promise<Memory> {
  const text = await readFile(`/proc/${String(pid)}/smaps_rollup`, 'utf8');
  const field = (name: string): number => {
    const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1];
    if (kibibytes === undefined) throw new Error(`no ${name} of process ${String(pid)}`);
    return Number(kibibytes) * 1024 / 1e6;
  };
  return { pss: field('Pss'), anonymous: field('Pss_Anon') };
}

/** Runs commands in a network namespace. */
export function inNamespace(name: string): Enter {
  return (command) => [...enterNamespace(name), ...command];
}

/** The peer's programs in a namespace; `ports`: how many it accepts on. */
export async function startPeer(enter: Enter, programs: Programs, ports: number): Promise<Service> {
  const numbers = [PORTS.first, ports, UDP_PORT, SINK_PORT, SOURCE_PORT];
  return await Service.start(enter([programs.serve, ...numbers.map(String)]));
}

/** What else runs on a desktop: so many processes with so many descriptors each. */
const DESKTOP = { processes: 200, descriptors: 30 } as const;

export async function startCrowd(programs: Programs): Promise<Service> {
  return await Service.start([programs.crowd, String(DESKTOP.processes), String(DESKTOP.descriptors)]);
}

const living = new Set<string>();

function deleteNamespaces(names: readonly string[]): void {
  for (const name of names) {
    if (living.delete(name)) tryTool('ip', ['netns', 'delete', name]);
  }
}

/** For a benchmark that ends before its time; the peer's programs end with their stdin. */
process.on('exit', () => { deleteNamespaces([...living]); });

const C_LOOP_QUEUE = '1';

/** What is no firewall, and what others are measured by. */
const RULES = {
  none: [],
  conntrack: ['-A', 'OUTPUT', '-m', 'conntrack', '--ctstate', 'NEW,ESTABLISHED', '-j', 'ACCEPT'],
  'c-loop': ['-t', 'mangle', '-A', 'OUTPUT', '-p', 'tcp', '--syn', '-j', 'NFQUEUE', '--queue-num', C_LOOP_QUEUE],
} as const;

/**
 * A pair of namespaces with nothing of ours in it: no firewall, connection tracking alone, or the minimal C loop on every new
 * connection.
 */
export async function makeBaseline(
  kind: keyof typeof RULES, programs: Programs, ports: number = PORTS.count,
): Promise<Bed> {
  const client = `bench-${String(process.pid)}-${kind}`;
  const peer = `${client}-peer`;
  const services: Service[] = [];
  const close = async (): Promise<void> => {
    for (const service of services.splice(0)) await service.close();
    deleteNamespaces([client, peer]);
  };
  try {
    for (const name of [client, peer]) living.add(name);
    makeNetwork(client, peer);
    const server = await startPeer(inNamespace(peer), programs, ports);
    services.push(server);
    let worker: number | null = null;
    if (kind === 'c-loop') {
      const loop = await Service.start(inNamespace(client)([programs.cLoop, C_LOOP_QUEUE]));
      services.push(loop);
      worker = loop.pid;
    }
    if (kind !== 'none') tool('nsenter', inNamespace(client)(['iptables-nft', '-w', ...RULES[kind]]).slice(1));
    return {
      peer4: ADDRESSES.peer4, peer6: ADDRESSES.peer6, worker, close,
      client: (args, program = programs.connect) => runClient(inNamespace(client), program, args),
      repeat: async (program, args) => {
        const service = await Service.start(inNamespace(client)([programs[program], 'repeat', ...args.map(String)]));
        services.push(service);
        return service;
      },
      bulk: (args) => runClient(inNamespace(client), programs.bulk, args),
      datagrams: () => server.datagrams(),
    };
  } catch (error: unknown) {
    await close();
    throw error;
  }
}
