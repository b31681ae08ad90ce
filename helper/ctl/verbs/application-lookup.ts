/** Finding an application by what a person calls it. */
import type { HelperClient } from '../../contract/client.ts';
import { BastionError } from '../../contract/errors.ts';
import type { ApplicationInfo } from '../../contract/types.ts';
import { readAll } from '../context.ts';

/** All that the helper lists. */
export function knownApplications(client: HelperClient): Promise<readonly ApplicationInfo[]> {
  return readAll((limit, cursor) => client.listApplications({}, limit, cursor));
}

/** By id, path, or a name that only one has. Throws BastionError NotFound or Conflict. */
export function applicationNamed(known: readonly ApplicationInfo[], word: string): ApplicationInfo {
  const exact = known.find(({ id, path }) => id === word || (path !== '' && path === word));
  if (exact !== undefined) return exact;
  const [first, ...others] = known.filter(({ name }) => name === word);
  if (first === undefined) throw new BastionError('NotFound', `There is no application '${word}'.`);
  if (others.length > 0) throw new BastionError('Conflict', `Several applications are called '${word}'; give the path or the id.`);
  return first;
}
