/** The tree as an ordinary user may read it: below a private home it is shown through a mount. */
import { mkdirSync } from 'node:fs';
import { ROOT, tool, tryTool } from './process.ts';
import { becomeUser } from './user.ts';
import type { LabUser } from './user.ts';

/**
 * ROOT, or `folder`, made and mounted on it; whoever wanted it unmounts it before the folder is removed. Read-only, so that
 * whatever clears away a forgotten one cannot touch the tree.
 */
export function treeFor(user: LabUser, folder: string): string {
  if (tryTool('env', [...becomeUser(user), 'ls', ROOT]) !== null) return ROOT;
  mkdirSync(folder);
  tool('mount', ['--bind', ROOT, folder]);
  tool('mount', ['-o', 'remount,bind,ro', folder]);
  return folder;
}
