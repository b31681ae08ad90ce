/**
 * Which settings and rule files changed while the helper was away. What they said when it last read them is kept as hashes;
 * a difference at the next start is somebody's edit, and told as one.
 */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { Logger } from '../ports.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { errorCodeOf, readTrustedFile } from './trusted-file.ts';

/** As many files, as large, as the rule store reads. */
const FILES_LIMIT = 1000;
const FILE_BYTES = 4 * 1024 * 1024;
const STATE_BYTES = 1024 * 1024;
/** Files told by name; a last line has the number of the others. */
const TOLD_LIMIT = 20;
/** Several writes of one moment are one reading. */
const QUIET_MS = 1000;
/** In the place of a hash: what such a file says now is not known, so nothing is said of it. */
const UNREADABLE = '0'.repeat(64);

const kept = z.strictObject({
  version: z.literal(1),
  files: z.array(z.tuple([z.string().max(4096), z.string().regex(/^[0-9a-f]{64}$/)])).max(FILES_LIMIT + 2),
});

type Digests = ReadonlyMap<string, string>;

export interface FileDigestsOptions {
  /** Holds bastion.toml, applications.toml and rules.d. */
  readonly configDir: string;
  readonly stateDir: string;
  readonly logger: Logger;
}

export class FileDigests {
  readonly #options: FileDigestsOptions;
  readonly #statePath: string;
  #written = '';
  #timer: NodeJS.Timeout | null = null;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: FileDigestsOptions) {
    this.#options = options;
    this.#statePath = join(options.stateDir, 'files.json');
  }

  /** Before anything is read: tells the journal what is not as it was left. */
  async announce(): Promise<void> {
    const before = await this.#kept();
    const now = await this.#read();
    if (before === null) return;
    const isKnown = (path: string): boolean => before.get(path) !== UNREADABLE && now.get(path) !== UNREADABLE;
    const paths = [...new Set([...before.keys(), ...now.keys()])]
      .filter((path) => isKnown(path) && before.get(path) !== now.get(path)).sort();
    for (const file of paths.slice(0, TOLD_LIMIT)) {
      const what = before.has(file) ? (now.has(file) ? 'changed' : 'removed') : 'new';
      this.#options.logger.log('info', 'a file was edited while the helper was away', { file, what });
    }
    const more = paths.length - TOLD_LIMIT;
    if (more > 0) this.#options.logger.log('info', 'more files were edited while the helper was away', { files: more });
  }

  /** The files were read or written: what they say now is what is remembered, in a moment. */
  changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      void this.#remember();
    }, QUIET_MS).unref();
  }

  /** Remembers what is there now. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#remember();
  }

  #remember(): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      const text = JSON.stringify({ version: 1, files: [...await this.#read()] });
      if (text === this.#written) return;
      await writeFileAtomic(this.#statePath, Buffer.from(text), 0o600);
      this.#written = text;
    }).catch((error: unknown) => {
      this.#options.logger.log('warning', 'what the rule files say could not be remembered', { error: errorCodeOf(error) });
    });
    return this.#turn;
  }

  async #read(): Promise<Digests> {
    const { configDir } = this.#options;
    const rulesDir = join(configDir, 'rules.d');
    const names = (await readdir(rulesDir).catch(() => [])).filter((name) => name.endsWith('.toml') && !name.startsWith('.')).sort();
    const paths = [
      join(configDir, 'bastion.toml'), join(configDir, 'applications.toml'), ...names.slice(0, FILES_LIMIT).map((name) => join(rulesDir, name)),
    ];
    const digests = new Map<string, string>();
    for (const path of paths) {
      const outcome = await readTrustedFile(path, FILE_BYTES);
      if (outcome.ok) digests.set(path, createHash('sha256').update(outcome.value).digest('hex'));
      else if (outcome.refusal.code === 'unreadable') digests.set(path, UNREADABLE);
    }
    return digests;
  }

  /** null where nothing is remembered, or nothing that can be read: then nothing can be said. */
  async #kept(): Promise<Digests | null> {
    const outcome = await readTrustedFile(this.#statePath, STATE_BYTES);
    if (!outcome.ok) return null;
    try {
      return new Map(kept.parse(JSON.parse(outcome.value.toString('utf8'))).files);
    } catch {
      this.#options.logger.log('warning', 'what the rule files said cannot be read', { file: this.#statePath });
      return null;
    }
  }
}
