/** Local apt repositories inside a system, and apt there. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { SystemMachine } from './machine.ts';
import { ESSENTIAL, PRODUCT_NEEDS } from './image.ts';

const INSTALL_LIMIT_MS = 120_000;
const INSIDE = '/opt/rig';

/** The packages with another version. */
function repacked(folder: string, deb: string, version: string): void {
  const tree = join(folder, 'tree');
  execFileSync('dpkg-deb', ['--raw-extract', deb, tree]);
  const control = join(tree, 'DEBIAN/control');
  const text = readFileSync(control, 'utf8');
  const old = /^Version: (.*)$/mu.exec(text)?.[1] ?? '';
  writeFileSync(control, text.replace(/^Version: .*$/mu, `Version: ${version}`).replaceAll(`(= ${old})`, `(= ${version})`));
  execFileSync('dpkg-deb', ['--root-owner-group', '-Znone', '--build', tree, join(folder, `${basename(deb).split('_')[0] ?? ''}_${version}.deb`)], { stdio: 'ignore' });
  rmSync(tree, { recursive: true });
}

/** A folder that apt can read: the packages, as they are or with another version. */
export function makeRepository(folder: string, debs: readonly string[], version?: string): string {
  mkdirSync(folder);
  for (const deb of debs) {
    if (version === undefined) copyFileSync(deb, join(folder, basename(deb)));
    else repacked(folder, deb, version);
  }
  writeFileSync(join(folder, 'Packages'), execFileSync('dpkg-scanpackages', ['--hash', 'sha256', '.'], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] }));
  return folder;
}

/** apt of one system. Its only new source are local repositories; of the archive it has the lists, and reaches nothing. */
export class Apt {
  readonly #machine: SystemMachine;

  constructor(machine: SystemMachine) {
    this.#machine = machine;
  }

  async add(repository: string): Promise<void> {
    const name = basename(repository);
    cpSync(repository, join(this.#machine.root, INSIDE, name), { recursive: true });
    this.#machine.put(`/etc/apt/sources.list.d/${name}.list`, `deb [trusted=yes] file:${INSIDE}/${name} ./\n`);
    await this.run('update', '-o', `Dir::Etc::sourcelist=sources.list.d/${name}.list`, '-o', 'Dir::Etc::sourceparts=-', '-o', 'APT::Get::List-Cleanup=0');
  }

  run(...args: readonly string[]): Promise<string> {
    return this.#machine.must(['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-y', '--no-install-recommends', ...args], INSTALL_LIMIT_MS);
  }

  /** Packages that apt would install for this one where there are only the essential ones; throws when it knows of no way. */
  async plan(name: string): Promise<readonly string[]> {
    const said = await this.run('--simulate', '-o', `Dir::State::status=${ESSENTIAL}`, 'install', name);
    return [...said.matchAll(/^Inst (\S+)/gmu)].map(([, one = '']) => one);
  }

  /** From now on what the image has for the product is there only as long as packages ask for it. */
  async disown(): Promise<void> {
    // Some are part of another package in one release.
    const { stdout } = await this.#machine.run(['dpkg-query', '-W', '-f', '${Package}\\n', ...PRODUCT_NEEDS]);
    await this.#machine.must(['apt-mark', 'auto', ...stdout.trim().split('\n')]);
  }

  /** Packages that no other asks for. */
  async unasked(): Promise<readonly string[]> {
    return [...(await this.run('--simulate', 'autoremove')).matchAll(/^Remv (\S+)/gmu)].map(([, one = '']) => one);
  }
}
