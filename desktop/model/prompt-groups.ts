/** Prompts by the program that asks. Pure. */
import type { PromptInfo } from '../../helper/contract/types.ts';
import { asker, askerFile, askerIcon } from './program-name.ts';
import type { FindProgram } from './program-name.ts';

/** One program of one user, and what it asks, in the order in which it came. */
export interface PromptGroup {
  readonly key: string;
  readonly name: string;
  /** Icon name or absolute path. */
  readonly icon: string;
  /** '' where none is known. */
  readonly file: string;
  readonly user: string;
  readonly prompts: readonly PromptInfo[];
}

/** The same key: the same program, as far as a person can tell two apart. A path that was not verified is no identity. */
export function groupKey({ path, script = '', appimage = '', flatpak = '', snap = '', uid, forwarded_from: from = '', confidence, pid }: PromptInfo): string {
  const process = confidence === 'unknown' ? String(pid) : '';
  return [path, script, appimage, flatpak, snap, String(uid), from, process].join('\0');
}

/** In the order of each group's first prompt. */
export function groupPrompts(prompts: readonly PromptInfo[], find: FindProgram): readonly PromptGroup[] {
  const groups = new Map<string, PromptInfo[]>();
  for (const prompt of prompts) {
    const key = groupKey(prompt);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [prompt]);
    else group.push(prompt);
  }
  return [...groups].flatMap(([key, members]) => {
    const [first] = members;
    if (first === undefined) return [];
    return [{ key, name: asker(first, find), icon: askerIcon(first, find), file: askerFile(first), user: first.user, prompts: members }];
  });
}
