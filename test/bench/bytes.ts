/** bytes.error.*: what Activity.Totals says of a program against what netfilter counted in the peer's namespace. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { connectHelper, type HelperClient } from '../../helper/contract/client.ts';
import { inNamespace } from './bed.ts';
import { alone, type Figure } from './figures.ts';
import type { HelperBed } from './helper-figures.ts';
import { SINK_PORT, SOURCE_PORT, UDP_PORT } from './programs.ts';
import type { Failed } from './rounds.ts';

const run = promisify(execFile);

/** Figure by mode of the client. */
const METHODS: Readonly<Record<string, { readonly mode: string; readonly port: number }>> = {
  'bytes.error.tcp': { mode: 'stream', port: SINK_PORT },
  'bytes.error.udp': { mode: 'datagrams', port: UDP_PORT },
  'bytes.error.sendfile': { mode: 'sendfile', port: SINK_PORT },
  'bytes.error.splice': { mode: 'splice', port: SINK_PORT },
  'bytes.error.io_uring': { mode: 'io_uring', port: SINK_PORT },
  'bytes.error.download': { mode: 'download', port: SOURCE_PORT },
};
export const BYTES_FIGURES: readonly string[] = Object.keys(METHODS);

const BYTES = 16 << 20;
/** A direction that carries acknowledgements only may have next to nothing, and no percentage of it means anything. */
const COUNTABLE_BYTES = 10_000;
/** Totals are read at most five times a second. */
const POLL_MS = 300;
const PROTOCOLS = ['tcp', 'udp'] as const;
/** From the client, and to it. */
const CHAINS = { sent: 'PREROUTING', received: 'OUTPUT' } as const;
const TABLES = ['iptables-nft', 'ip6tables-nft'] as const;

interface Amounts {
  readonly sent: number;
  readonly received: number;
}

const minus = (left: Amounts, right: Amounts): Amounts => ({ sent: left.sent - right.sent, received: left.received - right.received });

async function inPeer(bed: HelperBed, tool: string, args: readonly string[]): Promise<string> {
  const [command = '', ...rest] = inNamespace(bed.peerNamespace)([tool, '-w', '-t', 'mangle', ...args]);
  return (await run(command, rest)).stdout;
}

async function startCounting(bed: HelperBed): Promise<void> {
  for (const tool of TABLES) {
    for (const chain of Object.values(CHAINS)) {
      for (const protocol of PROTOCOLS) await inPeer(bed, tool, ['-A', chain, '-p', protocol]);
    }
  }
}

/** Bytes of IP datagrams; nobody but the client and the peer's program speaks TCP or UDP there. */
async function counted(bed: HelperBed): Promise<Amounts> {
  const sum = async (chain: string): Promise<number> => {
    let bytes = 0;
    for (const tool of TABLES) {
      const listing = await inPeer(bed, tool, ['-vnxL', chain]);
      for (const [, count] of listing.matchAll(/^\s*\d+\s+(\d+)\s/gmu)) bytes += Number(count);
    }
    return bytes;
  };
  return { sent: await sum(CHAINS.sent), received: await sum(CHAINS.received) };
}

async function told(client: HelperClient, program: string): Promise<Amounts> {
  const rows = (await client.totals()).filter(({ path }) => path === program);
  const sum = (read: (row: (typeof rows)[number]) => number): number => rows.reduce((total, row) => total + read(row), 0);
  return { sent: sum((row) => row.sent_bytes), received: sum((row) => row.received_bytes) };
}

/** The totals when they no longer change. */
async function settled(client: HelperClient, program: string): Promise<Amounts> {
  for (let before = await told(client, program); ;) {
    await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
    const now = await told(client, program);
    if (now.sent === before.sent && now.received === before.received) return now;
    before = now;
  }
}

function errorPercent(name: string, said: Amounts, was: Amounts, tell: (line: string) => void): number {
  tell(`${name}: said ${String(said.sent)} sent, ${String(said.received)} received; counted ${String(was.sent)}, ${String(was.received)}`);
  const errors = (['sent', 'received'] as const)
    .filter((direction) => was[direction] >= COUNTABLE_BYTES)
    .map((direction) => 100 * Math.abs(said[direction] - was[direction]) / was[direction]);
  return Math.max(...errors);
}

/** The larger error of both directions and both families. */
export async function measureBytes(
  wanted: readonly string[], open: () => Promise<HelperBed>, tell: (line: string) => void, failed: Failed,
): Promise<readonly Figure[]> {
  const bed = await open();
  const client = connectHelper({ address: bed.busAddress, interactive: false });
  try {
    await startCounting(bed);
    const figures: Figure[] = [];
    for (const [name, { mode, port }] of Object.entries(METHODS).filter(([one]) => wanted.includes(one))) {
      try {
        const errors: number[] = [];
        for (const address of [bed.peer4, bed.peer6]) {
          const [wasTold, wasCounted] = [await settled(client, bed.bulkProgram), await counted(bed)];
          await bed.bulk([mode, address, port, BYTES]);
          const said = minus(await settled(client, bed.bulkProgram), wasTold);
          errors.push(errorPercent(`${name} to ${address}`, said, minus(await counted(bed), wasCounted), tell));
        }
        figures.push(alone(name, 'percent', Math.max(...errors)));
      } catch (error: unknown) {
        failed([name], error);
      }
    }
    return figures;
  } finally {
    client.close();
    await bed.close();
  }
}
