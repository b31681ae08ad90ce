/** Which programs rules name, and by what. */
import type { ProgramMatch, Rule } from '../../contract/vocabulary.ts';
import type { Application } from './table.ts';

/** A rule counts for the first of these that it names: what it matches has to have all of them anyway. */
const KINDS = ['script', 'appImage', 'flatpak', 'snap', 'path', 'package', 'sha256'] as const;
type Kind = (typeof KINDS)[number];
const FILES = ['path', 'appImage', 'script'] as const;

/** A program that a rule names. */
export interface NamedProgram {
  readonly kind: Exclude<Kind, 'sha256'>;
  readonly name: string;
}

export class RuleNames {
  /** Number of rules by what they name. */
  readonly #named: Readonly<Record<Kind, Map<string, number>>> = {
    script: new Map(), appImage: new Map(), flatpak: new Map(), snap: new Map(), path: new Map(), package: new Map(), sha256: new Map(),
  };
  /** Named by the vendor's rules alone, which are for programs that may not be installed. */
  readonly #vendors = new Set<string>();
  /** Every file that a rule names, as an ancestor too. */
  readonly #files = new Set<string>();

  constructor(rules: Iterable<Rule>) {
    const own = new Set<string>();
    for (const { match, tier } of rules) {
      this.#count(match);
      for (const kind of KINDS) if (match[kind] !== undefined) (tier === 'vendor' ? this.#vendors : own).add(`${kind} ${match[kind]}`);
      this.#addFiles(match);
      if (match.ancestor !== undefined) this.#addFiles(match.ancestor);
    }
    for (const name of own) this.#vendors.delete(name);
  }

  /** Does a rule rely on the file at this path? */
  hasFile(path: string): boolean {
    return this.#files.has(path);
  }

  /** Rules that name the program, by whatever. */
  count(one: Application): number {
    const count = (kind: Kind, name: string | null): number => (name === null ? 0 : this.#named[kind].get(name) ?? 0);
    return count('path', one.path) + count('appImage', one.path) + count('script', one.path) + count('package', one.package)
      + count('flatpak', one.flatpak) + count('snap', one.snap) + count('sha256', one.known?.sha256 ?? null);
  }

  /** What rules name but by hashes alone, without what the vendor's alone name, at most `limit`. */
  * programs(limit: number): Iterable<NamedProgram & { readonly rules: number }> {
    let told = 0;
    for (const kind of KINDS) {
      if (kind === 'sha256') continue;
      for (const [name, rules] of this.#named[kind]) {
        if ((kind === 'path' && !name.startsWith('/')) || this.#vendors.has(`${kind} ${name}`)) continue;
        if (told >= limit) return;
        told += 1;
        yield { kind, name, rules };
      }
    }
  }

  #count(match: ProgramMatch): void {
    for (const kind of KINDS) {
      const name = match[kind];
      if (name === undefined) continue;
      this.#named[kind].set(name, (this.#named[kind].get(name) ?? 0) + 1);
      return;
    }
  }

  #addFiles(match: ProgramMatch): void {
    for (const kind of FILES) {
      const path = match[kind];
      if (path?.startsWith('/') === true) this.#files.add(path);
    }
  }
}
