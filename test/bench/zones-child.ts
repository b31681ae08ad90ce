/**
 * Keeps sets in the namespace that it was started in, and measures; one JSON line on stdout. Arguments: folder for its files, rounds,
 * `event` or `diff10k`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { watchLinks } from '../../helper/adapters/link-monitor.ts';
import { OwnTools } from '../../helper/adapters/netfilter/changes.ts';
import { createNftSets } from '../../helper/adapters/nft-sets.ts';
import { runNft } from '../../helper/adapters/nft-sets/process.ts';
import { createSetMemory } from '../../helper/adapters/set-memory.ts';
import type { LinkMonitor, Logger, NetworkLink } from '../../helper/ports.ts';
import { ZoneSets } from '../../helper/zone-sets.ts';
import { loadBinding } from '../../native/binding.ts';
import { ROOT } from '../lab/process.ts';

const ELEMENTS = 10_000;
const WARM_UP = 3;
const NFT = '/usr/sbin/nft';

const [runDir = '', rounds = '1', what = 'event'] = process.argv.slice(2);
const native = loadBinding(join(ROOT, 'build/native/bastion.node'));
const logger: Logger = { log: () => undefined, setLevel: () => undefined };

function must(input: string, ...argv: readonly string[]): void {
  const [command = '', ...args] = argv;
  const { status, stderr } = spawnSync(command, args, { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`);
}

/** Resolves at the next commit of netfilter. */
let committed: () => void = () => undefined;
const watch = native.watchNetfilter({ legacy: false }, () => { committed(); });
const commit = (): Promise<number> => new Promise((resolve) => { committed = (): void => { resolve(performance.now()); }; });

interface Source {
  readonly links: LinkMonitor;
  /** Makes the zone have an address more, or one less. */
  change(round: number): void;
  close(): void;
}

/** The kernel's own announcements; addresses are changed by one `ip` that runs all the time. */
function realLinks(): Source {
  must('', 'ip', 'link', 'add', 'wan0', 'type', 'veth', 'peer', 'name', 'wan1');
  must('', 'ip', 'link', 'set', 'wan0', 'up');
  const links = watchLinks({ native, logger });
  const ip = spawn('ip', ['-batch', '-'], { stdio: ['pipe', 'ignore', 'inherit'] });
  return {
    links,
    change(round) {
      ip.stdin.write(`address ${round % 2 === 0 ? 'add' : 'del'} 192.0.2.1/24 dev wan0\n`);
    },
    close() {
      ip.stdin.end();
      links.close();
    },
  };
}

/** More addresses than interfaces here could have. */
function manyLinks(): Source {
  const all = Array.from({ length: ELEMENTS }, (_, index) => ({
    address: `10.${String(index >> 16)}.${String((index >> 8) & 255)}.${String(index & 255)}`, prefixLength: 8, scope: 'global' as const,
    dynamic: false, temporary: false, deprecated: false,
  }));
  const one = { ...all[0], address: '192.0.2.1', prefixLength: 24, scope: 'global' as const, dynamic: false, temporary: false, deprecated: false };
  const link = (addresses: NetworkLink['addresses']): readonly NetworkLink[] => [
    { name: 'wan0', kind: 'ethernet', up: true, connected: true, mac: '', addresses, addressesLeftOut: 0 },
  ];
  let current = link(all);
  let changed: () => void = () => undefined;
  return {
    links: {
      get current() {
        return current;
      },
      list: () => Promise.resolve(current),
      onChanged(listener) {
        changed = listener;
        return () => undefined;
      },
      counters: { changes: 0, resyncs: 0 },
      close: () => undefined,
    },
    change(round) {
      current = link(round % 2 === 0 ? [...all, one] : all);
      changed();
    },
    close: () => undefined,
  };
}

must('table inet filter {\n set wan_ips { type ipv4_addr; }\n}\n', NFT, '-f', '-');
const source = what === 'event' ? realLinks() : manyLinks();
const sets = new ZoneSets({
  links: source.links, containers: null, logger,
  sets: createNftSets({ runDir, native, ownTools: new OwnTools() }), memory: createSetMemory({ runDir, logger }),
  placeOf: ({ name }) => (name === 'wan0' ? { zone: 'wan', dynamicOnly: false } : null), nowMs: () => performance.now(),
});
await sets.configure([{
  name: 'wan', family: 'inet', table: 'filter', set4: 'wan_ips', set6: '', create: false, keepOthers: true, inbound: 'off', inboundAllow: [], line: 1,
}]);
await sets.start(false);
// Nothing else may be left to wait for while the kernel's announcement is on its way.
const awake = setInterval(() => undefined, 1000);
const values: number[] = [];
const baselines: number[] = [];
for (let round = 0; round < Number(rounds) + WARM_UP; round += 1) {
  const before = performance.now();
  await runNft({ program: NFT, folder: runDir, started: () => undefined }, ['-f', '-'], '');
  const nothing = performance.now() - before;
  const updated = commit();
  const settled = new Promise<void>((resolve) => {
    const stop = sets.onChanged(() => {
      stop();
      resolve();
    });
  });
  const start = performance.now();
  source.change(round);
  const ms = await updated - start;
  await settled;
  if (round < WARM_UP) continue;
  values.push(ms);
  baselines.push(nothing);
}
const transactions = sets.changes;
clearInterval(awake);
await sets.close();
watch.close();
source.close();
process.stdout.write(`${JSON.stringify({ values, baselines, transactions })}\n`);
