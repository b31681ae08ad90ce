/**
 * Which elements of sets are the helper's, in the run folder: port `SetMemory`. One line for each address, `inet filter wan_ips
 * 192.0.2.1`, so that bastion-rescue can take them out without the helper.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { isIP } from 'node:net';
import type { Logger, RememberedSet, SetFamily, SetMemory } from '../ports.ts';
import { replaceFileNow } from './atomic-file.ts';
import { checkTrustedFolder, readTrustedFile } from './trusted-file.ts';

/** In the run folder; bastion-rescue reads it. */
export const SET_MEMORY_FILE = 'set-elements';

/** More than a hundred thousand addresses. */
const LIMIT_BYTES = 32 * 1024 * 1024;
const LINE = /^(inet|ip|ip6|bridge|netdev) ([A-Za-z][A-Za-z0-9/\\_.]{0,127}) ([A-Za-z][A-Za-z0-9/\\_.]{0,127}) ([0-9a-f.:]{2,45})$/;

interface Growing extends RememberedSet {
  readonly addresses: Set<string>;
}

function read(text: string): readonly RememberedSet[] {
  const sets = new Map<string, Growing>();
  for (const line of text.split('\n')) {
    const [, family = '', table = '', set = '', address = ''] = LINE.exec(line) ?? [];
    const version = isIP(address);
    if (version === 0) continue;
    const key = `${family} ${table} ${set}`;
    const known = sets.get(key) ?? { family: family as SetFamily, table, set, version: version === 4 ? 4 : 6, addresses: new Set<string>() };
    sets.set(key, known);
    known.addresses.add(address);
  }
  return [...sets.values()];
}

/** `load` gives nothing where there is no file, or none that can be trusted, which is logged. */
export function createSetMemory({ runDir, logger }: { readonly runDir: string; readonly logger: Logger }): SetMemory {
  const path = join(runDir, SET_MEMORY_FILE);
  return {
    async load() {
      const folder = await checkTrustedFolder(runDir);
      const outcome = folder.ok ? await readTrustedFile(path, LIMIT_BYTES) : folder;
      if (outcome.ok) return read(outcome.value.toString('utf8'));
      if (outcome.refusal.code !== 'missing') {
        logger.log('warning', 'what the last run put into sets of nftables is not known', { file: path, reason: outcome.refusal.message });
      }
      return [];
    },
    save(sets) {
      const text = sets.flatMap(({ family, table, set, addresses }) => [...addresses].map((address) => `${family} ${table} ${set} ${address}\n`)).join('');
      mkdirSync(runDir, { recursive: true, mode: 0o755 });
      replaceFileNow(path, text, 0o600);
    },
  };
}
