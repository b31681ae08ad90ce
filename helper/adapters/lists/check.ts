/** Whether a text that could be read may become the content of a list. */
import type { LoadedList } from '../../lists/loaded-list.ts';
import type { ListDefinition } from '../../ports.ts';
import type { ListLimitNumbers } from './limits.ts';

/** A text that is not used; the message is for people. */
export class RefusedTextError extends Error {
  override readonly name = 'RefusedTextError';
}

/** Throws RefusedTextError. `others` are the contents of all other lists. */
export function requireUsable(
  loaded: LoadedList, definition: ListDefinition, others: readonly LoadedList[], limits: ListLimitNumbers,
): void {
  const { sha256 } = definition;
  if (sha256 !== null && loaded.sha256 !== sha256) {
    throw new RefusedTextError(`Its SHA-256 is ${loaded.sha256}, not the one in bastion.toml.`);
  }
  const { domains, exceptions, prefixes, ignored } = loaded.counts;
  if (domains + exceptions + prefixes === 0 && ignored > 0) {
    throw new RefusedTextError(definition.format === 'auto' ? 'No line of it is an entry.' : 'No line of it is an entry of its format.');
  }
  const all = [loaded, ...others].map(({ counts }) => counts);
  const allDomains = all.reduce((sum, counts) => sum + counts.domains + counts.exceptions, 0);
  const allPrefixes = all.reduce((sum, counts) => sum + counts.prefixes, 0);
  if (allDomains > limits.allDomains || allPrefixes > limits.allPrefixes) {
    throw new RefusedTextError(
      `All lists together would have more than ${String(limits.allDomains)} names or ${String(limits.allPrefixes)} addresses.`,
    );
  }
}
