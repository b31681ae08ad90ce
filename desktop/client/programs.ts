/** Names and icons of installed programs, from the desktop files of the system's own folders. */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { indexEntries, parseDesktopEntry } from '../model/desktop-entry.ts';
import type { DesktopEntry } from '../model/desktop-entry.ts';
import type { KnownProgram } from '../model/prompt-text.ts';

/** Only folders that root alone fills: a user's own desktop file could lend any program a trusted name. */
const FOLDERS = [
  '/usr/local/share/applications', '/usr/share/applications', '/var/lib/flatpak/exports/share/applications',
  '/var/lib/snapd/desktop/applications',
];
const SEARCH_PATH = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/games'];
const MAX_FILES = 4096;
const MAX_FILE_BYTES = 262_144;
/** How long a reading is good: programs are seldom installed, prompts come in bursts. */
const FRESH_MS = 60_000;

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
        const entry = isTrusted(path) ? parseDesktopEntry(readFileSync(path, 'utf8'), languages) : null;
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

/** Looks programs up; reads the folders again when the last reading is older than a minute. */
export class Programs {
  readonly #languages: readonly string[];
  readonly #nowMs: () => number;
  readonly #folders: readonly string[];
  #index: ReadonlyMap<string, DesktopEntry> = new Map();
  #readAtMs = Number.NEGATIVE_INFINITY;

  /** `nowMs`: a monotonic clock. */
  constructor(languages: readonly string[], nowMs: () => number, folders: readonly string[] = FOLDERS) {
    this.#languages = languages;
    this.#nowMs = nowMs;
    this.#folders = folders;
  }

  readonly find = (path: string): KnownProgram | null => {
    const now = this.#nowMs();
    if (now - this.#readAtMs > FRESH_MS) {
      this.#index = indexEntries(readEntries(this.#folders, this.#languages), resolveCommand);
      this.#readAtMs = now;
    }
    const entry = this.#index.get(path);
    return entry === undefined ? null : { name: entry.name, icon: entry.icon };
  };
}
