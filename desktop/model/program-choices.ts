/** Programs that a rule can be made for: those that the helper knows, and those that are installed. */
import type { ApplicationInfo, RuleEdit } from '../../helper/contract/types.ts';
import { _, fill } from '../i18n.ts';
import { textOrder } from './format.ts';
import { visible } from './plain-text.ts';
import { programName } from './program-name.ts';
import type { FindProgram, KnownProgram } from './program-name.ts';

export interface ProgramChoice {
  readonly name: string;
  /** Its path, or what else it is. */
  readonly detail: string;
  /** Icon name or absolute path. */
  readonly icon: string;
  /** The parts of a rule that name it. */
  readonly parts: Pick<RuleEdit, 'path' | 'package' | 'flatpak' | 'snap' | 'appimage' | 'script'>;
  /** Lower case. */
  readonly haystack: string;
}

/** An installed program: by a path, `flatpak:ID` or `snap:NAME`. */
export interface Installed extends KnownProgram {
  readonly key: string;
}

/** Most programs that are offered; the rest is found by the search of the file chooser. */
export const CHOICES_LIMIT = 5000;

function partsOf({ kind, path, interpreter, package: name, flatpak, snap }: ApplicationInfo): ProgramChoice['parts'] | null {
  switch (kind) {
    case 'program': return path === '' ? null : { path };
    case 'script': return { script: path, ...(interpreter === '' ? {} : { path: interpreter }) };
    case 'appimage': return { appimage: path };
    case 'flatpak': return { flatpak };
    case 'snap': return { snap };
    case 'package': return { package: name };
    default: return null;
  }
}

function detailOf(parts: ProgramChoice['parts']): string {
  const { path = '', package: name, flatpak, snap, appimage, script } = parts;
  if (flatpak !== undefined) return fill(_('Flatpak {name}'), { name: visible(flatpak, 255) });
  if (snap !== undefined) return fill(_('Snap {name}'), { name: visible(snap, 64) });
  if (name !== undefined) return fill(_('Package {name}'), { name: visible(name, 128) });
  return visible(script ?? appimage ?? path, 512);
}

function keyOf({ path, package: name, flatpak, snap, appimage, script }: ProgramChoice['parts']): string {
  if (flatpak !== undefined) return `flatpak:${flatpak}`;
  if (snap !== undefined) return `snap:${snap}`;
  return script ?? appimage ?? path ?? `package:${name ?? ''}`;
}

function choice(name: string, icon: string, parts: ProgramChoice['parts']): ProgramChoice {
  const detail = detailOf(parts);
  return { name, detail, icon: icon || 'application-x-executable', parts, haystack: `${name}\n${detail}`.toLowerCase() };
}

/** Both kinds, each program once, by name. */
export function programChoices(known: readonly ApplicationInfo[], installed: readonly Installed[], find: FindProgram): readonly ProgramChoice[] {
  const choices = new Map<string, ProgramChoice>();
  for (const application of known) {
    const parts = partsOf(application);
    if (parts === null) continue;
    const found = find(keyOf(parts));
    choices.set(keyOf(parts), choice(found?.name ?? visible(application.name, 128), found?.icon ?? '', parts));
  }
  for (const { key, name, icon } of installed) {
    const bundle = /^(flatpak|snap):(.+)$/.exec(key);
    if (!choices.has(key)) choices.set(key, choice(name, icon, bundle === null ? { path: key } : { [bundle[1] ?? '']: bundle[2] ?? '' }));
  }
  const compare = textOrder();
  return [...choices.values()].sort((a, b) => compare(a.name, b.name) || compare(a.detail, b.detail)).slice(0, CHOICES_LIMIT);
}

/** Those that hold every word. */
export function searchChoices(choices: readonly ProgramChoice[], query: string): readonly ProgramChoice[] {
  const words = query.toLowerCase().split(/\s+/).filter((word) => word !== '');
  return words.length === 0 ? choices : choices.filter(({ haystack }) => words.every((word) => haystack.includes(word)));
}

/** What the picker offers for a file that the person chose. */
export function fileChoice(path: string, find: FindProgram): ProgramChoice {
  return choice(programName(path, find), find(path)?.icon ?? '', path.endsWith('.AppImage') ? { appimage: path } : { path });
}
