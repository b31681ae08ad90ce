/**
 * Which rule of Little Snitch wins, as priorities. There the priority counts first and then the destination, before the program:
 * addresses (the smaller range first), hosts, domains, multicast, any. Source: its help, "The rule set". What it compares after
 * that is not followed: of two rules for destinations of one kind the one that does not allow goes first here.
 */
import { toPrefix } from '../policy/address.ts';
import type { DraftRule } from './draft.ts';

export type DestinationKind = 'address' | 'host' | 'domain' | 'multicast' | 'any';

const HIGH = 500;
const ADDRESS = 200;
const LONGEST_PREFIX = 128;
const KINDS: Readonly<Record<DestinationKind, number>> = { address: ADDRESS, host: 100, domain: 50, multicast: 20, any: 0 };

/** `several`: the rule named more than this destination, which makes it less exact there. At most 957. */
export function priorityOf(found: {
  readonly kind: DestinationKind; readonly address: string | undefined; readonly several: boolean; readonly high: boolean;
  readonly action: DraftRule['action'];
}): number {
  const { kind, address, several, high, action } = found;
  const refuses = action !== 'allow';
  const base = KINDS[kind] + (kind === 'address' ? 2 * bitsOf(address, several, refuses) : 0);
  // Rules for any destination are told apart by their programs, there and here.
  return base + (refuses && kind !== 'any' ? 1 : 0) + (high ? HIGH : 0);
}

/** Of a list the one that allows counts as the widest, and the one that does not as the most exact. */
function bitsOf(address: string | undefined, several: boolean, refuses: boolean): number {
  if (several) return refuses ? LONGEST_PREFIX : 0;
  return address === undefined ? 0 : toPrefix(address)?.bits ?? 0;
}
