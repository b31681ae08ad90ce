/** Names and icons of installed programs, from the desktop files of the system's own folders. */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { indexEntries, parseDesktopEntry } from '../model/desktop-entry.ts';
import type { DesktopEntry } from '../model/desktop-entry.ts';
import type { Installed } from '../model/program-choices.ts';
import type { KnownProgram } from '../model/program-name.ts';

/** Only folders that root alone fills: a user's own desktop file could lend any program a trusted name. */
const FOLDERS = [
  '/usr/local/share/applications', '/usr/share/applications', '/var/lib/flatpak/exports/share/applications',
  '/var/lib/snapd/desktop/applications',
];
const SEARCH_PATH = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/games'];
const MAX_FILES = 4096;
const MAX_FILE_BYTES = 262_144;
/** How long it is taken for granted that nothing was installed: prompts come in bursts. */
const FRESH_MS = 60_000;
/** How long a reading is good where no folder has changed: reading hundreds of files is felt by whoever waits for a prompt. */
const READ_AGAIN_MS = 3_600_000;

/** Is this file root's alone? */
function isTrusted(path: string): boolean {
  const about = statSync(path);
  return about.isFile() && about.uid === 0 && (about.mode & 0o022) === 0 && about.size <= MAX_FILE_BYTES;
}

function desktopFiles(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.desktop')).slice(0, MAX_FILES);
  } catch {
    return [];
  }
}

function readEntries(folders: readonly string[], languages: readonly string[]): readonly DesktopEntry[] {
  const entries: DesktopEntry[] = [];
  for (const folder of folders) {
    for (const name of desktopFiles(folder)) {
      try {
        const path = join(folder, name);
        const entry = isTrusted(path) ? parseDesktopEntry(readFileSync(path, 'utf8'), languages, name.slice(0, -'.desktop'.length)) : null;
        if (entry !== null) entries.push(entry);
      } catch {
        continue;
      }
    }
  }
  return entries;
}

function resolveCommand(command: string): string {
  const candidates = isAbsolute(command) ? [command] : command.includes('/') ? [] : SEARCH_PATH.map((folder) => join(folder, command));
  for (const candidate of candidates) {
    try {
      return realpathSync(candidate);
    } catch {
      continue;
    }
  }
  return '';
}

/** Another text when files came into the folders, or left them. A package manager puts each file in its place by its name. */
function stateOf(folders: readonly string[]): string {
  return folders.map((folder) => {
    try {
      return String(statSync(folder).mtimeMs);
    } catch {
      return '';
    }
  }).join(' ');
}

/** Looks programs up; looks after a minute whether some were installed, and reads the folders again then. */
export class Programs {
  readonly #languages: readonly string[];
  readonly #nowMs: () => number;
  readonly #folders: readonly string[];
  #index: ReadonlyMap<string, DesktopEntry> = new Map();
  #readAtMs = Number.NEGATIVE_INFINITY;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #state = '';

  /** `nowMs`: a monotonic clock. */
  constructor(languages: readonly string[], nowMs: () => number, folders: readonly string[] = FOLDERS) {
    this.#languages = languages;
    this.#nowMs = nowMs;
    this.#folders = folders;
  }

  /** By an absolute path, `flatpak:ID` or `snap:NAME`. */
  readonly find = (path: string): KnownProgram | null => {
    this.#refresh();
    const entry = this.#index.get(path);
    if (entry === undefined) return null;
    return { name: entry.name, icon: entry.icon, ...(entry.about === undefined ? {} : { about: entry.about }) };
  };

  /** Every program with a desktop file. */
  installed(): readonly Installed[] {
    this.#refresh();
    return [...this.#index].map(([key, { name, icon }]) => ({ key, name, icon }));
  }

  #refresh(): void {
    const now = this.#nowMs();
    if (now - this.#lookedAtMs <= FRESH_MS) return;
    this.#lookedAtMs = now;
    const state = stateOf(this.#folders);
    if (state === this.#state && now - this.#readAtMs <= READ_AGAIN_MS) return;
    this.#state = state;
    this.#readAtMs = now;
    this.#index = indexEntries(readEntries(this.#folders, this.#languages), resolveCommand);
  }
}
