/** The front end as a Flatpak, built and installed for one test file; nothing of it stays. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFlatpak } from '../../../tools/flatpak.ts';
import type { Lab, Result } from '../../lab/lab.ts';
import { finish, tool } from '../../lab/process.ts';
import { becomeUser } from '../../lab/user.ts';
import { cacheFolder } from '../rig/cache.ts';
import { runtimes } from './runtime.ts';

export const ID = 'org.bastionfirewall.Desktop';
const RUN_LIMIT_MS = 60_000;

export class FlatpakInstallation {
  readonly #folder: string;
  /** Where programs outside find it. */
  readonly exports: string;
  readonly environment: Readonly<Record<string, string>>;

  private constructor(folder: string) {
    this.#folder = folder;
    this.exports = join(folder, 'installation/exports/share');
    this.environment = { FLATPAK_SYSTEM_DIR: join(folder, 'installation'), FLATPAK_USER_DIR: join(folder, 'user') };
  }

  /** Over the one in the cache, which stays as it is, so that an ordinary user can read it too. */
  static async make(): Promise<FlatpakInstallation> {
    const lower = await runtimes();
    const folder = mkdtempSync(join(tmpdir(), 'bastion-flatpak-'));
    chmodSync(folder, 0o755);
    const made = new FlatpakInstallation(folder);
    try {
      const places = ['installation', 'upper', 'work', 'user'].map((name) => join(folder, name));
      for (const place of places) mkdirSync(place);
      const [merged = '', upper = '', work = ''] = places;
      tool('mount', ['-t', 'overlay', 'overlay', '-o', `lowerdir=${lower},upperdir=${upper},workdir=${work},index=off,metacopy=off`, merged]);
      const bundle = await makeFlatpak({ folder, environment: made.environment, state: cacheFolder('flatpak', 'builder'), quiet: true });
      tool('env', [...made.#variables(), 'flatpak', 'install', '--system', '--noninteractive', '--bundle', bundle]);
    } catch (error: unknown) {
      made.remove();
      throw error;
    }
    return made;
  }

  remove(): void {
    try {
      tool('umount', ['--lazy', join(this.#folder, 'installation')]);
    } finally {
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  /** What it may do, as Flatpak understood the manifest. */
  permissions(): string {
    return tool('env', [...this.#variables(), 'flatpak', 'info', '--system', '--show-permissions', ID]);
  }

  /** Runs a program of the sandbox as the lab's ordinary user, with the variables of his session. */
  run(lab: Lab, session: NodeJS.ProcessEnv, argv: readonly string[]): Promise<Result> {
    const [command = '', ...args] = argv;
    const [program = '', ...rest] = [...becomeUser(lab.user), 'flatpak', 'run', `--command=${command}`, ID, ...args];
    return finish(spawn(program, rest, { env: session, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] }), undefined, RUN_LIMIT_MS);
  }

  #variables(): string[] {
    return Object.entries(this.environment).map(([name, value]) => `${name}=${value}`);
  }
}
