/** The desktop's own few settings: a small JSON file in the person's configuration folder, written atomically. */
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

export interface Settings {
  /** How a prompt appears first. A window comes anyway where notifications cannot carry buttons. */
  readonly prompts: 'notification' | 'window';
}

export const DEFAULT_SETTINGS: Settings = { prompts: 'notification' };
const LIMIT_BYTES = 65_536;

/** `XDG_CONFIG_HOME/bastion-firewall/desktop.json`. Source: XDG Base Directory Specification: relative paths are ignored. */
export function settingsPath(environment: Readonly<Record<string, string | undefined>>): string {
  const base = environment['XDG_CONFIG_HOME'];
  return join(base !== undefined && isAbsolute(base) ? base : join(homedir(), '.config'), 'bastion-firewall', 'desktop.json');
}

/** Anything unreadable or unknown is the default. */
export function readSettings(path: string): Settings {
  try {
    if (statSync(path).size > LIMIT_BYTES) return DEFAULT_SETTINGS;
    const found: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof found !== 'object' || found === null) return DEFAULT_SETTINGS;
    return { prompts: 'prompts' in found && found.prompts === 'window' ? 'window' : 'notification' };
  } catch {
    return DEFAULT_SETTINGS;
  }
}

/** Throws what the file system throws. */
export function writeSettings(path: string, settings: Settings): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${String(process.pid)}.new`;
  writeFileSync(temporary, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(temporary, path);
}
