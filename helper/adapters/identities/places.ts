/** Programs whose recorded path is no path of the machine: inside a Flatpak, or on an AppImage's own mount. */
import type { ExecutableId, Owner } from '../../contract/vocabulary.ts';
import { isShell } from './interpreters.ts';
import { fileKeyOf, fileName } from './keys.ts';
import { Lru } from '../lru.ts';
import type { Image, RecordedProcess } from './records.ts';
import type { WorkerLink } from './worker-link.ts';

export const PLACES_LIMIT = 4096;
/** A file that was not found may be installed, a mount may come. */
const ABSENT_MS = 10_000;

export interface Place {
  readonly path: string;
  /** The system's own installation, which only root can change. */
  readonly system: boolean;
}

type Found<T> = { readonly found: T } | { readonly missing: () => Promise<void> };

export interface PlacesDeps {
  readonly link: WorkerLink;
  readonly nowMs: () => number;
  readonly verify: (executable: ExecutableId, path: string) => boolean;
}

export class Places {
  readonly #deps: PlacesDeps;
  readonly #flatpaks = new Lru<{ readonly place: Place | null; readonly atMs: number }>(PLACES_LIMIT);
  readonly #mounts = new Lru<{ readonly mounted: boolean; readonly atMs: number }>(PLACES_LIMIT);

  constructor(deps: PlacesDeps) {
    this.#deps = deps;
  }

  get evicted(): number {
    return this.#flatpaks.evicted + this.#mounts.evicted;
  }

  /** Where the file behind a path below /app lies. */
  flatpak(owner: Owner, claimed: string): Found<Place | null> {
    const name = `${String(owner.uid)} ${fileName(owner.executable, claimed)}`;
    const known = this.#flatpaks.get(name);
    if (known !== undefined && (known.place !== null || this.#deps.nowMs() - known.atMs < ABSENT_MS)) return { found: known.place };
    return {
      missing: async () => {
        const key = fileKeyOf(owner.executable);
        const answer = await this.#deps.link.ask({ kind: 'flatpak', claimed, key, uid: owner.uid }, owner.uid, 'now');
        const deployments = answer?.kind === 'flatpak' ? answer.deployments : [];
        const one = deployments.find(({ path }) => this.#deps.verify(owner.executable, path)) ?? null;
        const place = one === null ? null : { path: one.path, system: one.flatpak !== null };
        this.#flatpaks.set(name, { place, atMs: this.#deps.nowMs() });
      },
    };
  }

  /**
   * The file that mounted what the program lies on: the kernel recorded that a regular file was run, and that what it ran next
   * lies on this very mount, with nothing between but shells (an AppRun is often a script). A mount that is not the program's
   * user's own, and a chain that leads through another mount, prove nothing.
   */
  appImage(owner: Owner, claimed: string, record: RecordedProcess | null): Found<Image | null> {
    const image = record?.ancestors.find((one) => one.executable.device !== owner.executable.device && (one.path === null || !isShell(one.path)));
    if (image?.path == null) return { found: null };
    const name = `${String(owner.uid)} ${String(owner.executable.device)} ${claimed}`;
    const known = this.#mounts.get(name);
    if (known !== undefined && this.#deps.nowMs() - known.atMs < ABSENT_MS) return { found: known.mounted ? image : null };
    return {
      missing: async () => {
        const { uid, executable: { device } } = owner;
        const answer = await this.#deps.link.ask({ kind: 'user-mount', path: claimed, device, uid }, uid, 'now');
        this.#mounts.set(name, { mounted: answer?.kind === 'user-mount' && answer.mounted, atMs: this.#deps.nowMs() });
      },
    };
  }
}
