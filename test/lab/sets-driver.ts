/**
 * Keeps sets of zones in the namespace that it was started in: one JSON request a line on stdin, the sets as one JSON line on stdout
 * when they are at rest. Interfaces and containers are what the requests say. The first argument is the run folder.
 */
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { OwnTools } from '../../helper/adapters/netfilter/changes.ts';
import { createNftSets } from '../../helper/adapters/nft-sets.ts';
import { createSetMemory } from '../../helper/adapters/set-memory.ts';
import type { Logger, NetworkLink, SetView, ZoneSettings } from '../../helper/ports.ts';
import { ZoneSets } from '../../helper/zone-sets.ts';
import { loadBinding } from '../../native/binding.ts';

export interface SetsRequest {
  /** Addresses of one interface, which is of the zone of the same name. */
  readonly links?: Readonly<Record<string, readonly string[]>>;
  readonly zones?: readonly ZoneSettings[];
  readonly start?: 'on' | 'off';
  readonly turn?: 'on' | 'off';
  /** Answers when every set of the zones is so, and all together hold these. */
  readonly until?: { readonly state: SetView['state']; readonly elements?: readonly string[] };
}

export interface SetsAnswer {
  readonly views: readonly SetView[];
  readonly changes: number;
}

const [runDir = ''] = process.argv.slice(2);
const logger: Logger = {
  log(level, message, fields) {
    if (level !== 'debug') process.stderr.write(`${level}: ${message} ${JSON.stringify(fields ?? {})}\n`);
  },
  setLevel: () => undefined,
};

let current: readonly NetworkLink[] = [];
let zones: readonly ZoneSettings[] = [];
const listeners = new Set<() => void>();

function linkOf([name, addresses]: readonly [string, readonly string[]]): NetworkLink {
  return {
    name, kind: 'ethernet', up: true, connected: true, mac: '', addressesLeftOut: 0,
    addresses: addresses.map((address) => ({ address, prefixLength: 24, scope: 'global', dynamic: false, temporary: false, deprecated: false })),
  };
}

const sets = new ZoneSets({
  links: {
    get current() {
      return current;
    },
    list: () => Promise.resolve(current),
    onChanged(changed) {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
  },
  containers: null,
  sets: createNftSets({ runDir, native: loadBinding(join(import.meta.dirname, '../../build/native/bastion.node')), ownTools: new OwnTools() }),
  memory: createSetMemory({ runDir, logger }),
  logger,
  placeOf: ({ name }) => ({ zone: name, dynamicOnly: false }),
  nowMs: () => performance.now(),
});

function views(): readonly SetView[] {
  return zones.flatMap(({ name }) => sets.views(name));
}

function isSo({ state, elements }: NonNullable<SetsRequest['until']>): boolean {
  const now = views();
  if (!now.every((view) => view.state === state)) return false;
  return elements === undefined || JSON.stringify(now.flatMap((view) => view.elements).sort()) === JSON.stringify([...elements].sort());
}

async function settled(until: NonNullable<SetsRequest['until']>): Promise<void> {
  if (isSo(until)) return;
  await new Promise<void>((resolve) => {
    const stop = sets.onChanged(() => {
      if (!isSo(until)) return;
      stop();
      resolve();
    });
  });
}

async function serve({ links, zones: wanted, start, turn, until }: SetsRequest): Promise<SetsAnswer> {
  if (links !== undefined) current = Object.entries(links).map(linkOf);
  if (wanted !== undefined) {
    zones = wanted;
    await sets.configure(zones);
  }
  if (start !== undefined) await sets.start(start === 'off');
  if (turn === 'on') await sets.turnOn();
  if (turn === 'off') await sets.turnOff();
  if (links !== undefined && start === undefined) for (const listener of [...listeners]) listener();
  if (until !== undefined) await settled(until);
  return { views: views(), changes: sets.changes };
}

// What is asked while an answer is awaited waits too.
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await serve(JSON.parse(line) as SetsRequest))}\n`);
}
await sets.close();
