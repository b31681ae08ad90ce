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
  /** Comment, else GenericName, in the wanted language, made visible; absent for none. */
  readonly about?: string;
  /** First word of Exec: a path or a name that is looked up on PATH; '' for a bundle, which something else starts. */
  readonly command: string;
  /** `flatpak:ID` or `snap:NAME` of the bundle that the file came with. Source: keys that their exporters write. */
  readonly bundle?: string;
  /** The file of the bundle's main application, by its name. */
  readonly main?: boolean;
  /** Exec holds nothing but the command and field codes, so the file speaks of the program itself. */
  readonly plain: boolean;
}

/** Programs that run others: what a desktop file says of one of these says nothing about the program. */
const RUNNERS = /^(?:env|sh|bash|dash|zsh|fish|busybox|python[\d.]*|perl[\d.]*|ruby[\d.]*|node|nodejs|gjs(?:-console)?|java|mono|php[\d.]*|lua[\d.]*|wine\S*|flatpak|snap|sudo|pkexec|xterm|systemd-run|dbus-launch)$/;

/** One line, and no essay. */
const ABOUT_LIMIT = 120;
/** Names of bundles; what else stands there is no name. */
const BUNDLE_NAME = /^[A-Za-z0-9._-]{1,255}$/;

function bundleOf(keys: ReadonlyMap<string, string>, id: string): Pick<DesktopEntry, 'bundle' | 'main'> {
  const [flatpak = '', snap = ''] = [keys.get('X-Flatpak'), keys.get('X-SnapInstanceName')];
  if (BUNDLE_NAME.test(flatpak)) return { bundle: `flatpak:${flatpak}`, main: id === flatpak };
  if (BUNDLE_NAME.test(snap)) return { bundle: `snap:${snap}`, main: id === `${snap}_${snap}` };
  return {};
}

/**
 * The [Desktop Entry] group of one file; null for what is hidden, is no application, or starts others. `id`: name of the file
 * without its ending.
 */
export function parseDesktopEntry(text: string, languages: readonly string[], id = ''): DesktopEntry | null {
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
  const localized = (key: string): string => languages.map((language) => keys.get(`${key}[${language}]`)).find((text) => text !== undefined) ?? keys.get(key) ?? '';
  const name = localized('Name');
  const words = visible(unescaped(localized('Comment') || localized('GenericName')), ABOUT_LIMIT);
  const about = words === '' ? {} : { about: words };
  const exec = execWords(keys.get('Exec') ?? '');
  const command = exec[0] ?? '';
  const bundle = bundleOf(keys, id);
  if (name !== '' && command !== '' && bundle.bundle !== undefined) {
    return { name: visible(name, 64), icon: keys.get('Icon') ?? '', ...about, command: '', plain: false, ...bundle };
  }
  if (name === '' || command === '' || RUNNERS.test(command.slice(command.lastIndexOf('/') + 1))) return null;
  const plain = exec.slice(1).every((word) => /^%[a-zA-Z]$/.test(word));
  return { name: visible(name, 64), icon: keys.get('Icon') ?? '', ...about, command, plain };
}

/** Source: Desktop Entry Specification, "Possible value types": escapes of strings. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([sntr\\])/g, (_match, escape: string) => (escape === '\\' ? '\\' : ' '));
}

function execWords(exec: string): readonly string[] {
  return [...exec.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map((match) => match[2] ?? (match[1] ?? '').replaceAll(/\\(.)/g, '$1'));
}

/**
 * Joins entries by the executable that they start, and those of bundles by the bundle. `resolve` gives the real path of a command, '' if there is none. Where
 * several files start one program, the one without arguments wins, then the first; two names without arguments cancel out. Of a
 * bundle's files the main application's wins.
 */
export function indexEntries(
  entries: readonly DesktopEntry[], resolve: (command: string) => string,
): ReadonlyMap<string, DesktopEntry> {
  const byPath = new Map<string, DesktopEntry[]>();
  for (const entry of entries) {
    const path = entry.bundle ?? resolve(entry.command);
    if (path !== '') byPath.set(path, [...(byPath.get(path) ?? []), entry]);
  }
  const index = new Map<string, DesktopEntry>();
  for (const [path, candidates] of byPath) {
    if (RUNNERS.test(path.slice(path.lastIndexOf('/') + 1))) continue;
    const best = candidates.filter((entry) => entry.plain || entry.main === true);
    const chosen = best.length > 0 ? best : candidates;
    const first = chosen[0];
    if (first !== undefined && chosen.every((entry) => entry.name === first.name)) index.set(path, first);
  }
  return index;
}
