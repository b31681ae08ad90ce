/**
 * Names and icons of programs from desktop files. Pure: the caller reads the files, and only those of the system, because a
 * file that a user can write could give any program any name.
 * Source: Desktop Entry Specification 1.5, "Recognized desktop entry keys" and "The Exec key".
 */
import { visible } from './plain-text.ts';

export interface DesktopEntry {
  /** In the wanted language, made visible. */
  readonly name: string;
  /** Icon name or absolute path; '' for none. */
  readonly icon: string;
  /** First word of Exec: a path or a name that is looked up on PATH. */
  readonly command: string;
  /** Exec holds nothing but the command and field codes, so the file speaks of the program itself. */
  readonly plain: boolean;
}

/** Programs that run others: what a desktop file says of one of these says nothing about the program. */
const RUNNERS = /^(?:env|sh|bash|dash|zsh|fish|busybox|python[\d.]*|perl[\d.]*|ruby[\d.]*|node|nodejs|gjs(?:-console)?|java|mono|php[\d.]*|lua[\d.]*|wine\S*|flatpak|snap|sudo|pkexec|xterm|systemd-run|dbus-launch)$/;

/** The [Desktop Entry] group of one file; null for what is hidden, is no application, or starts others. */
export function parseDesktopEntry(text: string, languages: readonly string[]): DesktopEntry | null {
  const keys = new Map<string, string>();
  let inside = false;
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('[')) {
      if (inside) break;
      inside = line.trim() === '[Desktop Entry]';
    } else if (inside) {
      const pair = /^([A-Za-z0-9-]+(?:\[[^\]]+\])?)\s*=\s*(.*)$/.exec(line);
      if (pair !== null && !keys.has(pair[1] ?? '')) keys.set(pair[1] ?? '', pair[2] ?? '');
    }
  }
  if (keys.get('Type') !== 'Application' || keys.get('Hidden') === 'true') return null;
  const localized = languages.map((language) => keys.get(`Name[${language}]`)).find((name) => name !== undefined);
  const name = localized ?? keys.get('Name') ?? '';
  const words = execWords(keys.get('Exec') ?? '');
  const command = words[0] ?? '';
  if (name === '' || command === '' || RUNNERS.test(command.slice(command.lastIndexOf('/') + 1))) return null;
  const plain = words.slice(1).every((word) => /^%[a-zA-Z]$/.test(word));
  return { name: visible(name, 64), icon: keys.get('Icon') ?? '', command, plain };
}

function execWords(exec: string): readonly string[] {
  return [...exec.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map((match) => match[2] ?? (match[1] ?? '').replaceAll(/\\(.)/g, '$1'));
}

/**
 * Joins entries by the executable that they start. `resolve` gives the real path of a command, '' if there is none. Where
 * several files start one program, the one without arguments wins, then the first; two names without arguments cancel out.
 */
export function indexEntries(
  entries: readonly DesktopEntry[], resolve: (command: string) => string,
): ReadonlyMap<string, DesktopEntry> {
  const byPath = new Map<string, DesktopEntry[]>();
  for (const entry of entries) {
    const path = resolve(entry.command);
    if (path !== '') byPath.set(path, [...(byPath.get(path) ?? []), entry]);
  }
  const index = new Map<string, DesktopEntry>();
  for (const [path, candidates] of byPath) {
    if (RUNNERS.test(path.slice(path.lastIndexOf('/') + 1))) continue;
    const best = candidates.filter((entry) => entry.plain);
    const chosen = best.length > 0 ? best : candidates;
    const first = chosen[0];
    if (first !== undefined && chosen.every((entry) => entry.name === first.name)) index.set(path, first);
  }
  return index;
}
