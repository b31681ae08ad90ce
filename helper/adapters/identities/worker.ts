/**
 * The identity worker: everything of an identity that reads files. It is a thread of its own, with blocking calls, so that
 * neither a large file nor a file system that hangs stops the helper; the helper leaves a worker that hangs.
 */
import { closeSync, existsSync, fstatSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { assertNever } from '../../contract/errors.ts';
import { Packages } from './dpkg.ts';
import type { Recorded } from './dpkg.ts';
import { deploymentsOf, flatpakOf } from './flatpak.ts';
import { FileHasher, isAppImage, openFile } from './hash-file.ts';
import type { OpenFile } from './hash-file.ts';
import { isUserMount, readMounts, snapOf } from './mounts.ts';
import type { Answer, Examined, FileKey, FilePackageState, FromWorker, HashFailure, Question, ToWorker, WorkerPlaces } from './protocol.ts';
import { pathWithoutOthersLinks } from './trusted-path.ts';

const ALIVE_MS = 500;
/** How long a wrong checksum may be one of an upgrade that goes on. */
const UPGRADE_LIMIT_MS = 20_000;
const UPGRADE_LOOK_MS = 250;
/** USER_HZ. Source: proc(5), starttime. */
const TICK_NS = 10_000_000n;
const WRITABLE_BY_OTHERS = 0o022n;

const NOTHING: Examined = {
  sizeBytes: 0, ctimeNs: 0n, sha256: null, failure: null, packageState: 'none', package: null, packageSummary: null, appImage: false, snap: null, flatpak: null,
};

type Waiting = () => void;

class Examiner {
  readonly #places: WorkerPlaces;
  readonly #packages: Packages;
  readonly #hasher = new FileHasher();

  constructor(places: WorkerPlaces) {
    this.#places = places;
    this.#packages = new Packages(places.database);
  }

  async answer(question: Question, waiting: Waiting): Promise<Answer> {
    switch (question.kind) {
      case 'examine': return { kind: 'examine', examined: await this.#examine(question, waiting) };
      case 'flatpak': return { kind: 'flatpak', deployments: deploymentsOf(question.claimed, question.key, question.uid, this.#places) };
      case 'script': return { kind: 'script', path: scriptPath(question) };
      case 'user-mount': return { kind: 'user-mount', mounted: isUserMount(readMounts(), question.path, question.device, question.uid) };
      case 'runs': return { kind: 'runs', runs: runsNow(question) };
      default: return assertNever(question);
    }
  }

  /** A wrong checksum counts when the database is at rest; until then the file is looked at again. */
  async #examine(question: Question & { readonly kind: 'examine' }, waiting: Waiting): Promise<Examined> {
    const end = performance.now() + UPGRADE_LIMIT_MS;
    for (let told = false; ; told = true) {
      // The order matters: a database that is at rest before the look was at rest during it.
      const busy = this.#packages.isBusy();
      const examined = await this.#examineOnce(question);
      if (examined.packageState !== 'wrong' || !busy || performance.now() > end) return examined;
      if (!told) waiting();
      await after(UPGRADE_LOOK_MS);
    }
  }

  async #examineOnce({ path, key, hash }: Question & { readonly kind: 'examine' }): Promise<Examined> {
    const file = openFile(path, key, readMounts());
    if (typeof file === 'string') return { ...NOTHING, failure: file };
    try {
      const recorded = await this.#packages.owners(path);
      const checked = recorded.some(({ md5 }) => md5 !== null);
      const hashes = hash || checked ? await this.#hasher.hash(file, checked) : null;
      const failure = typeof hashes === 'string' ? hashes : this.#moved(file, key);
      const known = failure === null && typeof hashes === 'object' ? hashes : null;
      return {
        ...NOTHING,
        sizeBytes: Number(file.stats.size),
        ctimeNs: fstatSync(file.fd, { bigint: true }).ctimeNs,
        sha256: known?.sha256 ?? null,
        failure,
        ...(checked && known === null ? {} : this.#packageOf(recorded, known?.md5 ?? null)),
        appImage: isAppImage(file),
        snap: file.mount === null || file.stats.uid !== 0n ? null : snapOf(path, file.mount),
        flatpak: key === null ? null : flatpakOf(path, key, this.#places),
      };
    } finally {
      closeSync(file.fd);
    }
  }

  #packageOf(recorded: readonly Recorded[], md5: string | null): Pick<Examined, 'packageState' | 'package' | 'packageSummary'> {
    const found = packageOf(recorded, md5);
    const told = found.packageState === 'right' && found.package !== null;
    return { ...found, packageSummary: told ? this.#packages.summary(found.package) : null };
  }

  /** Did the file change after it was opened? */
  #moved({ fd }: OpenFile, key: FileKey | null): HashFailure | null {
    const now = fstatSync(fd, { bigint: true }).ctimeNs / 1_000_000_000n;
    return key === null || now === BigInt(key.ctimeSec) ? null : 'changed';
  }
}

function packageOf(recorded: readonly Recorded[], md5: string | null): { readonly packageState: FilePackageState; readonly package: string | null } {
  const right = recorded.find((one) => one.md5 !== null && one.md5 === md5);
  if (right !== undefined) return { packageState: 'right', package: right.package };
  const checked = recorded.find((one) => one.md5 !== null);
  if (checked !== undefined) return { packageState: 'wrong', package: checked.package };
  const [first] = recorded;
  return first === undefined ? { packageState: 'none', package: null } : { packageState: 'unrecorded', package: first.package };
}

/** The script's real path in the machine's own view of files; null for a process that has another view. */
function scriptPath({ operand, folder, pid, startNs }: Question & { readonly kind: 'script' }): string | null {
  const process = `/proc/${String(pid)}`;
  try {
    const lives = startTicksOf(pid) === startNs / TICK_NS;
    if (lives && hasOtherView(process)) return null;
    // A step up from a part that may have been a link then does not lead where it led.
    if (/[^./][^/]*\/(?:.*\/)?\.\.(?:\/|$)/u.test(operand) || (operand.startsWith('/') && operand.split('/').includes('..'))) return null;
    if (operand.startsWith('/')) return pathWithoutOthersLinks(operand);
    const from = folder ?? (lives ? readlinkSync(`${process}/cwd`) : null);
    return from?.startsWith('/') === true ? pathWithoutOthersLinks(`${from}/${operand}`) : null;
  } catch {
    return null;
  }
}

/**
 * Do paths mean other files to it? Its mounts are the helper's, or the machine's: the helper's unit has mounts of its own, which
 * show the same files. One that has ended meanwhile says nothing of that, as one that had ended before.
 */
function hasOtherView(process: string): boolean {
  try {
    const mounts = readlinkSync(`${process}/ns/mnt`);
    return readlinkSync(`${process}/root`) !== '/' || !['self', '1'].some((one) => readlinkSync(`/proc/${one}/ns/mnt`) === mounts);
  } catch {
    return existsSync(`${process}/exe`);
  }
}

/** null if it has gone. The command may hold anything: the fields begin behind the last bracket. */
function startTicksOf(pid: number): bigint | null {
  try {
    const text = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
    const start = text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    return /^\d+$/u.test(start) ? BigInt(start) : null;
  } catch {
    return null;
  }
}

/**
 * While a file runs nobody can write it: what it holds now is what runs. But a program can say that another file is its
 * executable (PR_SET_MM_MAP; a child in a user namespace that shares its memory may say it for it), rewrite the file that it was
 * started from, and say again that it runs this one. So what others than root may write proves nothing.
 */
function runsNow({ pid, startNs, key, ctimeNs }: Question & { readonly kind: 'runs' }): boolean {
  try {
    const stats = statSync(`/proc/${String(pid)}/exe`, { bigint: true });
    if (stats.uid !== 0n || (stats.mode & WRITABLE_BY_OTHERS) !== 0n) return false;
    return stats.ino === key.inode && stats.ctimeNs === ctimeNs && startTicksOf(pid) === startNs / TICK_NS;
  } catch {
    return false;
  }
}

const port = parentPort;
if (port !== null) {
  const tell = (message: FromWorker): void => { port.postMessage(message); };
  const examiner = new Examiner(workerData as WorkerPlaces);
  let working = 0;
  let beat: NodeJS.Timeout | null = null;
  port.on('message', ({ id, question }: ToWorker) => {
    working += 1;
    beat ??= setInterval(() => { tell({ alive: true }); }, ALIVE_MS);
    const answered = examiner.answer(question, () => { tell({ id, waiting: true }); });
    // What nobody foresaw ends the worker, and with it every question: the helper starts another one.
    void answered.then((answer) => { tell({ id, answer }); }).finally(() => {
      working -= 1;
      if (working > 0 || beat === null) return;
      clearInterval(beat);
      beat = null;
    });
  });
}
