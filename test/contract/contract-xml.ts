/** The contract in data/dbus as tests compare it: members with signatures, and the documented dictionaries. */
import { readContract } from '../../tools/dbus/contract.ts';
import type { ContractKey } from '../../tools/dbus/contract.ts';

export { contractXml } from '../../tools/dbus/contract.ts';

/** `member signature` lines as `busctl introspect` orders its columns. */
export interface Member {
  readonly interface: string;
  readonly name: string;
  readonly kind: 'method' | 'property' | 'signal';
  /** Arguments in, or the type of a property, or the arguments of a signal. */
  readonly signature: string;
  /** Results of a method. */
  readonly result: string;
}

/** Every member that the XML declares. */
export function declaredMembers(xml: string): readonly Member[] {
  return readContract(xml).interfaces.flatMap(({ name: interfaceName, members }) => members.map((member) => {
    const joined = (out: boolean): string => (
      member.arguments.filter(({ direction }) => (direction === 'out') === out).map(({ signature }) => signature).join('')
    );
    return {
      interface: interfaceName, name: member.name, kind: member.kind,
      signature: member.kind === 'property' ? member.signature : joined(false), result: joined(true),
    };
  }));
}

/** Dictionary name to its documented keys. */
export function documentedDictionaries(xml: string): ReadonlyMap<string, ReadonlyMap<string, ContractKey>> {
  return new Map(readContract(xml).dictionaries.map(({ name, keys }) => [name, new Map(keys.map((key) => [key.name, key]))]));
}
