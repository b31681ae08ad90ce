/**
 * Sets of nftables by the program nft: port `AddressSets`. Only elements are changed; a table and a set are made where the caller
 * says so. Source: nft(8), libnftables-json(5).
 */
import { BastionError } from '../contract/errors.ts';
import type { AddressSets, SetName } from '../ports.ts';
import type { NativeBinding } from '../../native/binding.ts';
import { describeChange } from './netfilter/changes.ts';
import type { OwnTools } from './netfilter/changes.ts';
import { findProgram } from './netfilter/tool.ts';
import { changeText, foundSet, listText } from './nft-sets/json.ts';
import { runNft, saidBy } from './nft-sets/process.ts';
import type { NftRun } from './nft-sets/process.ts';

export interface NftSetsOptions {
  /** A folder where only root writes, in memory. */
  readonly runDir: string;
  readonly native: Pick<NativeBinding, 'watchNetfilter'>;
  /** Processes whose changes are the helper's own. */
  readonly ownTools: OwnTools;
  /** Where nft is looked for; null for where systems have it. */
  readonly program?: string;
}

/** Source: strerror(ENOENT) in the locale C; what follows is advice. */
const NO_SUCH = /Error: (?:Could not process rule: )?No such file or directory/u;

/** Nothing is started before it is asked. */
export function createNftSets({ runDir, native, ownTools, program }: NftSetsOptions): AddressSets {
  const how = (): NftRun => {
    const found = program ?? findProgram('nft');
    if (found === null) throw new BastionError('NotSupported', 'The program nft is not installed (package nftables).');
    return { program: found, folder: runDir, started: (pid) => { ownTools.add(pid); } };
  };
  const isThere = async (name: SetName, kind: 'map'): Promise<boolean> => {
    const text = JSON.stringify({ nftables: [{ list: { [kind]: { family: name.family, table: name.table, name: name.set } } }] });
    return runNft(how(), ['-j', text]).then(() => true, () => false);
  };
  return {
    async read(name, version) {
      try {
        return foundSet(await runNft(how(), ['-j', listText(name)]), name, version);
      } catch (error: unknown) {
        if (!NO_SUCH.test(saidBy(error))) throw error;
        if (!await isThere(name, 'map')) return { state: 'missing' };
        return { state: 'failed', problem: 'This is a map; the addresses of a zone are kept in a set.' };
      }
    },
    async change(changes) {
      await runNft(how(), ['-j', '-f', '-'], changeText(changes));
    },
    watch(changed) {
      return native.watchNetfilter({ legacy: false }, (changes) => {
        const by = describeChange(changes, ownTools);
        if (by !== null) changed(by);
      });
    },
  };
}
