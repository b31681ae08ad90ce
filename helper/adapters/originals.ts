/** rules.json and config.json of Bastion Firewall 2 at their old place: read, never written; which content was imported is kept. */
import { createHash } from 'node:crypto';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { BastionError } from '../contract/errors.ts';
import type { Logger } from '../ports.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { checkTrustedFolder, readTrustedFile } from './trusted-file.ts';

export const ORIGINAL_FILES = ['rules.json', 'config.json'] as const;
export type OriginalName = (typeof ORIGINAL_FILES)[number];

/** One of them as it is now. */
export interface Original {
  readonly name: OriginalName;
  readonly text: string;
  /** Of the file's bytes. */
  readonly sha256: string;
}

export interface Originals {
  /** Those that are there. Throws BastionError Failed for one that may not be used. */
  read(): Promise<readonly Original[]>;
  /** Notes this content as imported, durably. A failure is logged: it costs a line in the journal at the next start. */
  remember(imported: readonly Pick<Original, 'name' | 'sha256'>[]): Promise<void>;
  /** Says in the journal what is there and was not imported, or has changed since. */
  report(): Promise<void>;
}

const FILE_LIMIT_BYTES = 1024 * 1024;
const STATE_LIMIT_BYTES = 64 * 1024;
const STATE_FILE = 'imported.json';
const HOW = 'bastionctl rules import --from-original';

/** SHA-256 of a text's UTF-8 bytes. */
export function hashOf(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function createOriginals(options: { readonly configDir: string; readonly stateDir: string; readonly logger: Logger }): Originals {
  const { configDir, stateDir, logger } = options;
  const statePath = join(stateDir, STATE_FILE);
  return {
    read: () => readAll(configDir),
    async remember(imported) {
      if (imported.length === 0) return;
      const noted = await readNotes(statePath);
      for (const { name, sha256 } of imported) noted.set(name, sha256);
      try {
        await writeFileAtomic(statePath, Buffer.from(`${JSON.stringify(Object.fromEntries(noted))}\n`), 0o600);
      } catch (error: unknown) {
        logger.log('warning', 'what was imported could not be noted', { file: statePath, why: String(error) });
      }
    },
    async report() {
      const noted = await readNotes(statePath);
      const files = await readAll(configDir).catch((error: unknown) => {
        logger.log('warning', 'the files of Bastion Firewall 2 cannot be read', { why: error instanceof Error ? error.message : String(error) });
        return [];
      });
      for (const { name, sha256 } of files) {
        const before = noted.get(name);
        if (before === sha256) continue;
        const file = join(configDir, name);
        if (before === undefined) logger.log('info', 'a file of Bastion Firewall 2 is there and was not imported', { file, how: HOW });
        else logger.log('warning', 'a file of Bastion Firewall 2 has changed since it was imported; nothing reads it', { file, how: HOW });
      }
    },
  };
}

async function readAll(configDir: string): Promise<readonly Original[]> {
  const found: Original[] = [];
  for (const name of ORIGINAL_FILES) {
    const path = join(configDir, name);
    if (!await access(path).then(() => true, () => false)) continue;
    const folder = await checkTrustedFolder(configDir);
    const outcome = folder.ok ? await readTrustedFile(path, FILE_LIMIT_BYTES) : folder;
    if (!outcome.ok) throw new BastionError('Failed', `${path}: ${outcome.refusal.message}`);
    found.push({ name, text: outcome.value.toString('utf8'), sha256: hashOf(outcome.value) });
  }
  return found;
}

async function readNotes(path: string): Promise<Map<string, string>> {
  const outcome = await readTrustedFile(path, STATE_LIMIT_BYTES);
  if (!outcome.ok) return new Map();
  try {
    const value: unknown = JSON.parse(outcome.value.toString('utf8'));
    if (typeof value !== 'object' || value === null) return new Map();
    return new Map(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
  } catch {
    return new Map();
  }
}
