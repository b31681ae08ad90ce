/**
 * Regular expressions of OpenSnitch that say something finite. They are read, never run: what has a repetition, a class or a
 * look-around is no finite set, and the caller puts it to review.
 */

const MOST = 64;
const LONGEST = 1024;
/** Characters that stand for themselves only behind a backslash. */
const SPECIAL = new Set('.*+?()[]{}|^$\\');

/** The texts that a pattern with both anchors matches, when they are finite; null for every other pattern. */
export function literalsOf(pattern: string): readonly string[] | null {
  if (pattern.length > LONGEST || !pattern.startsWith('^') || !pattern.endsWith('$') || pattern.endsWith('\\$')) return null;
  // ^a|b$ is (^a) or (b$): only a pattern whose alternatives are all inside its anchors is finite.
  const reader = new Reader(pattern.slice(1, -1));
  const found = reader.alternatives(false);
  return found !== null && reader.atEnd ? found : null;
}

/** Names that a pattern matches as a domain and all below it: `^(.*\.)?example\.com$`; or all below it: `^.*\.example\.com$`. */
export function domainsOf(pattern: string): readonly string[] | null {
  const both = /^\^\((?:\?:)?\.[*+]\\\.\)\?(.+)$/.exec(pattern)?.[1] ?? /^\^\(\^?\|\.\*\\\.\)(.+)$/.exec(pattern)?.[1];
  const below = /^\^\.[*+]\\\.(.+)$/.exec(pattern)?.[1];
  const tail = both ?? below;
  const names = tail === undefined ? null : literalsOf(`^${tail}`);
  if (names === null) return null;
  return both === undefined ? names.map((name) => `*.${name}`) : names.flatMap((name) => [name, `*.${name}`]);
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    return this.#at === this.#text.length;
  }

  /** One or more sequences with `|` between them; a bare one only inside a group. */
  alternatives(inGroup: boolean): readonly string[] | null {
    const all: string[] = [];
    for (;;) {
      const found = this.#sequence(inGroup);
      if (found === null) return null;
      all.push(...found);
      if (all.length > MOST) return null;
      if (!inGroup || this.#text[this.#at] !== '|') return all;
      this.#at += 1;
    }
  }

  #sequence(inGroup: boolean): readonly string[] | null {
    let all: readonly string[] = [''];
    while (this.#at < this.#text.length) {
      const next = this.#text[this.#at] ?? '';
      if (inGroup && (next === '|' || next === ')')) return all;
      const part = next === '(' ? this.#group(inGroup) : this.#literal(next);
      if (part === null || all.length * part.length > MOST) return null;
      all = all.flatMap((before) => part.map((one) => before + one));
    }
    return inGroup ? null : all;
  }

  /** One level is what people write; more is not read, so that depth stays bounded. */
  #group(inGroup: boolean): readonly string[] | null {
    if (inGroup) return null;
    this.#at += this.#text.startsWith('(?:', this.#at) ? 3 : 1;
    const found = this.alternatives(true);
    if (found === null || this.#text[this.#at] !== ')') return null;
    this.#at += 1;
    return isRepeated(this.#text[this.#at]) ? null : found;
  }

  #literal(next: string): readonly string[] | null {
    let character = next;
    if (next === '\\') {
      character = this.#text[this.#at + 1] ?? '';
      // Other letters behind a backslash are classes and anchors.
      if (character === '' || /[A-Za-z0-9]/.test(character)) return null;
      this.#at += 1;
    } else if (SPECIAL.has(next)) return null;
    this.#at += 1;
    return isRepeated(this.#text[this.#at]) ? null : [character];
  }
}

function isRepeated(next: string | undefined): boolean {
  return next !== undefined && '*+?{'.includes(next);
}
