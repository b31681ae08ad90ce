/**
 * Are the files of this product the ones that were installed? dpkg's record of the package says so where it owns them, else
 * the manifest that the build wrote beside them. Neither is proof against root; both tell of a disk that rots, an update that
 * stopped half-way and a file that somebody replaced.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export const MANIFEST = 'manifest.json';
const PACKAGE = 'bastion-firewall';
const DPKG_INFO = '/var/lib/dpkg/info';
/** Longest record read; the package has some hundred files. */
const FILES_LIMIT = 20_000;
const CHUNK_BYTES = 256 * 1024;
/** Names told in one sentence. */
const TOLD_LIMIT = 3;

/** Not run and not read by the product; many systems leave it out by dpkg's path-exclude. Below the root. */
const FOR_READERS = /^usr\/share\/(?:doc|man|locale)\//u;
/** Below the product's folder: no part begins with a dot. */
const FILE_NAME = /^[A-Za-z0-9@_+][A-Za-z0-9@_.+-]*(?:\/[A-Za-z0-9@_+][A-Za-z0-9@_.+-]*)*$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** What does not fit; `record` says by which list. */
export interface OwnFiles {
  /** null where no list of files is there. */
  readonly record: 'dpkg' | 'manifest' | null;
  readonly checked: number;
  /** Absolute paths. */
  readonly changed: readonly string[];
  readonly missing: readonly string[];
}

export interface OwnFilesOptions {
  /** Folder of the product: /usr/lib/bastion, or build/. */
  readonly productDir: string;
  /** Another database, for tests. */
  readonly dpkgInfoDir?: string;
  /** What the paths of dpkg's record lie below; `/` but for tests. */
  readonly root?: string;
}

interface Expected {
  readonly path: string;
  readonly algorithm: 'md5' | 'sha256';
  readonly digest: string;
}

/** `/usr/lib/bastion/a.mjs, /usr/lib/bastion/b.mjs and 3 more` */
function named(paths: readonly string[]): string {
  const more = paths.length - TOLD_LIMIT;
  return paths.slice(0, TOLD_LIMIT).join(', ') + (more > 0 ? ` and ${String(more)} more` : '');
}

/** One sentence; '' when nothing is wrong. */
export function ownFilesProblem({ changed, missing }: OwnFiles): string {
  const parts = [
    ...(changed.length > 0 ? [`not as they were installed: ${named(changed)}`] : []),
    ...(missing.length > 0 ? [`missing: ${named(missing)}`] : []),
  ];
  return parts.length === 0 ? '' : `Files of Bastion Firewall itself are ${parts.join('; ')}.`;
}

/** What mends it. */
export function ownFilesRemedy({ record }: OwnFiles): string {
  const again = record === 'dpkg'
    ? 'Install the package again: sudo apt-get install --reinstall bastion-firewall.' : 'Build it again: npm run build.';
  return `${again} If you did not change them, find out who did.`;
}

/** Reads every file of the product once. Never rejects for what is wrong with them. */
export async function verifyOwnFiles({ productDir, dpkgInfoDir = DPKG_INFO, root = '/' }: OwnFilesOptions): Promise<OwnFiles> {
  const packaged = await packageFiles(dpkgInfoDir, root);
  // A build of one's own may lie beside an installed package.
  if (packaged.some(({ path }) => path.startsWith(`${productDir}/`))) return verify('dpkg', packaged);
  const built = await manifestFiles(productDir);
  return built === null ? { record: null, checked: 0, changed: [], missing: [] } : verify('manifest', built);
}

/** Source: deb-md5sums(5): digest, two spaces, path without the leading slash. Conffiles are not in it. */
async function packageFiles(infoDir: string, root: string): Promise<readonly Expected[]> {
  const text = await readFile(join(infoDir, `${PACKAGE}.md5sums`), 'utf8').catch(() => '');
  return text.split('\n').slice(0, FILES_LIMIT).flatMap((line): Expected[] => {
    const found = /^([0-9a-f]{32}) {2}(.+)$/.exec(line);
    return found === null || FOR_READERS.test(found[2] ?? '') ? [] : [{ path: join(root, found[2] ?? ''), algorithm: 'md5', digest: found[1] ?? '' }];
  });
}

async function manifestFiles(productDir: string): Promise<readonly Expected[] | null> {
  const text = await readFile(join(productDir, MANIFEST), 'utf8').catch(() => null);
  if (text === null) return null;
  // A manifest that cannot be read is itself a file that is not as it was installed.
  const files = filesOf(text) ?? [[MANIFEST, '']];
  return files.slice(0, FILES_LIMIT).map(([name, digest]): Expected => ({ path: join(productDir, name), algorithm: 'sha256', digest }));
}

/** Names and hashes; null for what is not `{ "version": 1, "files": { NAME: SHA256 } }`. */
function filesOf(text: string): readonly (readonly [string, string])[] | null {
  const read = jsonOf(text);
  if (!isObject(read) || read['version'] !== 1 || !isObject(read['files'])) return null;
  const files: (readonly [string, string])[] = [];
  for (const [name, digest] of Object.entries(read['files'])) {
    if (!FILE_NAME.test(name) || typeof digest !== 'string' || !SHA256.test(digest)) return null;
    files.push([name, digest]);
  }
  return files;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

async function verify(record: NonNullable<OwnFiles['record']>, expected: readonly Expected[]): Promise<OwnFiles> {
  const changed: string[] = [];
  const missing: string[] = [];
  for (const { path, algorithm, digest } of expected) {
    const found = await digestOf(path, algorithm);
    if (found === null) missing.push(path);
    else if (found !== digest) changed.push(path);
  }
  return { record, checked: expected.length, changed, missing };
}

/** null for what is not there; 'unreadable' for what is no file or cannot be read. */
async function digestOf(path: string, algorithm: Expected['algorithm']): Promise<string | null> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!(await file.stat()).isFile()) return 'unreadable';
      const hash = createHash(algorithm);
      const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, null);
        if (bytesRead === 0) return hash.digest('hex');
        hash.update(buffer.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  } catch (error: unknown) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? null : 'unreadable';
  }
}
