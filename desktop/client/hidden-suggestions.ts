/** Suggestions that a person does not want to see: digests of them in a small file of his own, the oldest forgotten first. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

/** Far more than one helper suggests at a time. */
export const HIDDEN_LIMIT = 1000;
const LIMIT_BYTES = 65_536;
const DIGEST = /^[0-9a-f]{32}$/u;

/** `XDG_STATE_HOME/bastion-firewall/hidden-suggestions.json`. Source: XDG Base Directory Specification: relative paths are ignored. */
export function hiddenPath(environment: Readonly<Record<string, string | undefined>>): string {
  const base = environment['XDG_STATE_HOME'];
  const folder = base !== undefined && isAbsolute(base) ? base : join(homedir(), '.local/state');
  return join(folder, 'bastion-firewall/hidden-suggestions.json');
}

function digestOf(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 32);
}

/** Anything that is no such file counts as empty. */
function read(path: string): readonly string[] {
  try {
    if (statSync(path).size > LIMIT_BYTES) return [];
    const found: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (!Array.isArray(found)) return [];
    return found.filter((one): one is string => typeof one === 'string' && DIGEST.test(one)).slice(-HIDDEN_LIMIT);
  } catch {
    return [];
  }
}

export class HiddenSuggestions {
  readonly #path: string;
  readonly #digests: Set<string>;

  constructor(path: string) {
    this.#path = path;
    this.#digests = new Set(read(path));
  }

  has(key: string): boolean {
    return this.#digests.has(digestOf(key));
  }

  /** Throws what the file system throws; the choice then holds until the program ends. */
  hide(key: string): void {
    this.#digests.add(digestOf(key));
    for (const oldest of this.#digests) {
      if (this.#digests.size <= HIDDEN_LIMIT) break;
      this.#digests.delete(oldest);
    }
    this.#write();
  }

  /** Throws as `hide`. */
  show(keys: readonly string[]): void {
    for (const key of keys) this.#digests.delete(digestOf(key));
    this.#write();
  }

  /** In one step, so that two windows never leave half a file. */
  #write(): void {
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    const temporary = `${this.#path}.${String(process.pid)}.new`;
    writeFileSync(temporary, `${JSON.stringify([...this.#digests])}\n`, { mode: 0o600, flush: true });
    renameSync(temporary, this.#path);
  }
}
