/** A registry of applications on files that are written down, with a clock that a test moves. */
import { BastionError } from '../../helper/contract/errors.ts';
import type { LoadError } from '../../helper/contract/types.ts';
import type { Identity, Rule } from '../../helper/contract/vocabulary.ts';
import type { ApplicationView, FlowRecord, RehashOptions, TrafficTotal } from '../../helper/engine-api.ts';
import { ApplicationRegistry } from '../../helper/engine/applications.ts';
import type { HashedFile, TrustedApplication } from '../../helper/ports.ts';

export const A = 'a'.repeat(64);
export const B = 'b'.repeat(64);
export const C = 'c'.repeat(64);

interface FakeFile {
  readonly sha256: string;
  readonly inode: bigint;
  readonly packageState?: HashedFile['packageState'];
  readonly package?: string;
}

interface Due {
  readonly atNs: bigint;
  readonly run: () => void;
}

export class RegistryRig {
  readonly files = new Map<string, FakeFile>();
  readonly hashed: string[] = [];
  readonly log: string[] = [];
  readonly saved: string[] = [];
  kept: unknown = null;
  setAside = 0;
  trusted: TrustedApplication[] = [];
  errors: readonly LoadError[] = [];
  /** Why applications.toml cannot be written; null when it can. */
  unwritable: string | null = null;
  totals: readonly TrafficTotal[] = [];
  nowNs = 1_000_000_000n;
  /** Judged otherwise, so often. */
  judged = 0;
  trustedChanged: () => void = () => undefined;
  readonly registry: ApplicationRegistry;
  #due: Due[] = [];
  /** No two files have the same. */
  static #inode = 1n;

  constructor(limits?: ConstructorParameters<typeof ApplicationRegistry>[1]) {
    this.registry = new ApplicationRegistry({
      clock: { bootNs: () => this.nowNs, wallMs: () => 5000 },
      logger: { log: (level, message, fields) => this.log.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`), setLevel: () => undefined },
      schedule: (atNs, run) => {
        const due = { atNs, run };
        this.#due.push(due);
        return () => { this.#due = this.#due.filter((one) => one !== due); };
      },
      look: {
        hash: (path, signal) => {
          signal?.throwIfAborted();
          this.hashed.push(path);
          const file = this.files.get(path);
          return Promise.resolve(file === undefined ? null : this.#hashedFile(file));
        },
        find: (path) => {
          const file = this.files.get(path);
          return Promise.resolve(file === undefined ? null : { executable: this.#executable(file), sizeBytes: 100 });
        },
      },
      trusted: {
        load: () => Promise.resolve({ entries: this.trusted, errors: this.errors }),
        watch: (changed) => {
          this.trustedChanged = changed;
          return () => undefined;
        },
        write: (entries) => {
          if (this.unwritable !== null) return Promise.reject(new BastionError('Failed', this.unwritable));
          const paths = new Set(entries.map(({ path }) => path));
          this.trusted = [...this.trusted.filter(({ path }) => !paths.has(path)), ...entries];
          return Promise.resolve();
        },
      },
      store: {
        load: () => Promise.resolve(this.kept),
        save: (json) => {
          this.saved.push(json);
          return Promise.resolve();
        },
        setAside: () => {
          this.setAside += 1;
          return Promise.resolve();
        },
      },
      totals: () => this.totals,
      onLoaded: () => undefined,
    }, limits);
    this.registry.onChanged(() => { this.judged += 1; });
  }

  /** A registry that has been started, after `before`. */
  static async start(before: (rig: RegistryRig) => void = () => undefined, limits?: ConstructorParameters<typeof RegistryRig>[0]): Promise<RegistryRig> {
    const rig = new RegistryRig(limits);
    before(rig);
    await rig.registry.start();
    return rig;
  }

  /** Another registry that finds what this one left. */
  async restarted(): Promise<RegistryRig> {
    await this.registry.stop();
    const text = this.saved.at(-1);
    return RegistryRig.start((rig) => {
      rig.kept = text === undefined ? null : JSON.parse(text);
      for (const [path, file] of this.files) rig.files.set(path, file);
      rig.trusted = this.trusted;
    });
  }

  /** A new file at the path. */
  write(path: string, sha256: string, owner: Pick<FakeFile, 'packageState' | 'package'> = {}): void {
    this.files.set(path, { sha256, inode: (RegistryRig.#inode += 1n), ...owner });
  }

  inodeOf(path: string): bigint {
    return this.files.get(path)?.inode ?? 0n;
  }

  speak(path: string, change: Partial<FlowRecord> & { readonly identity?: Identity } = {}): void {
    this.registry.observe([flowOf(path, change)]);
  }

  /** Lets the clock run, and everything that is due by then. */
  async pass(seconds: number): Promise<void> {
    this.nowNs += BigInt(seconds) * 1_000_000_000n;
    for (const one of this.#due.filter(({ atNs }) => atNs <= this.nowNs)) {
      this.#due = this.#due.filter((other) => other !== one);
      one.run();
    }
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** The row of a path after every look is done. */
  async row(path: string): Promise<ApplicationView> {
    const found = (await this.rows()).find((view) => view.path === path);
    if (found === undefined) throw new Error(`no application has the path ${path}`);
    return found;
  }

  /** All rows after every look is done. */
  async rows(): Promise<readonly ApplicationView[]> {
    for (let round = 0; round < 2; round += 1) {
      await this.pass(3);
      await this.registry.list();
    }
    return this.registry.list();
  }

  async state(path: string): Promise<string> {
    const { state, reason } = await this.row(path);
    return reason === '' ? state : `${state} ${reason}`;
  }

  #executable({ inode }: FakeFile): NonNullable<HashedFile['executable']> {
    return { device: 1, inode, generation: 0, ctimeSec: 1 };
  }

  #hashedFile(file: FakeFile): HashedFile {
    const { sha256, packageState } = file;
    return {
      sha256, sizeBytes: 100, executable: this.#executable(file),
      ...(packageState === undefined ? {} : { packageState, package: file.package ?? null }),
    };
  }
}

export function flowOf(path: string | null, change: Partial<FlowRecord> = {}): FlowRecord {
  return {
    id: 'f1', timeMs: 1000, path, uid: 1000, pid: 100, forwardedFrom: null, host: null, names: [], interfaceName: 'eth0', lengthBytes: 60,
    tuple: { family: 4, protocol: 6, sourceAddress: '192.0.2.2', sourcePort: 40_000, destinationAddress: '192.0.2.1', destinationPort: 443 },
    decision: { action: 'allow', reason: 'rule', ruleId: 'web' }, confidence: 'certain', evidence: 'kernel', nextRuleId: null, ...change,
  };
}

export function ruleFor(match: Rule['match'], id = 'rule'): Rule {
  return {
    id, name: id, action: 'allow', enabled: true, match, lifetime: 'always', priority: 0, tier: 'user', group: '', created: 0, source: null,
  };
}

/** Options of a rehash that nobody stops. */
export function quietly(change: Partial<RehashOptions> = {}): RehashOptions {
  return { signal: new AbortController().signal, progress: () => undefined, ...change };
}
