/** JSON with places. Source: RFC 8259. Linear in the text, bounded in depth and values, no key twice. */
import { Budget, Lines, TableMaker, checkLength } from './node.ts';
import type { Document, Node } from './node.ts';
import { IMPORT_LIMITS, refuse } from './types.ts';

const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const WORDS = { true: { kind: 'flag', value: true }, false: { kind: 'flag', value: false }, null: { kind: 'null' } } as const;
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'], ['\\', '\\'], ['/', '/'], ['b', '\b'], ['f', '\f'], ['n', '\n'], ['r', '\r'], ['t', '\t'],
]);

/** Reads a whole text. Throws BastionError InvalidArgument with line and column, or LimitReached. */
export function readJson(text: string): Document {
  checkLength(text, IMPORT_LIMITS.text.json);
  const lines = new Lines(text);
  return { root: new Reader(text, lines).whole(), lines };
}

class Reader {
  readonly #text: string;
  readonly #lines: Lines;
  readonly #budget = new Budget();
  #at = 0;

  constructor(text: string, lines: Lines) {
    this.#text = text;
    this.#lines = lines;
    if (text.startsWith('\u{feff}')) this.#at = 1;
  }

  whole(): Node {
    const node = this.#value(0);
    this.#space();
    if (this.#at < this.#text.length) this.#fail('there is something after the end of the JSON text');
    return node;
  }

  #value(depth: number): Node {
    if (depth > IMPORT_LIMITS.nesting) this.#fail(`lists and tables go at most ${String(IMPORT_LIMITS.nesting)} levels deep`);
    this.#budget.take();
    this.#space();
    const at = this.#at;
    switch (this.#text[at]) {
      case '{': return this.#table(at, depth);
      case '[': return this.#list(at, depth);
      case '"': return { at, kind: 'text', value: this.#string() };
      default: return this.#plain(at);
    }
  }

  #table(at: number, depth: number): Node {
    const table = new TableMaker(this.#lines);
    this.#at += 1;
    if (!this.#has('}')) {
      do {
        this.#space();
        const keyAt = this.#at;
        if (this.#text[keyAt] !== '"') this.#fail('a key in double quotes is missing here');
        const name = this.#string();
        if (!this.#has(':')) this.#fail('a colon is missing here');
        table.add(name, keyAt, this.#value(depth + 1));
      } while (this.#has(','));
      if (!this.#has('}')) this.#fail('a comma or } is missing here');
    }
    return { at, kind: 'table', entries: table.entries };
  }

  #list(at: number, depth: number): Node {
    const items: Node[] = [];
    this.#at += 1;
    if (!this.#has(']')) {
      do items.push(this.#value(depth + 1)); while (this.#has(','));
      if (!this.#has(']')) this.#fail('a comma or ] is missing here');
    }
    return { at, kind: 'list', items };
  }

  #plain(at: number): Node {
    for (const [word, node] of Object.entries(WORDS)) {
      if (!this.#text.startsWith(word, at)) continue;
      this.#at += word.length;
      return { at, ...node };
    }
    const number = this.#match(NUMBER);
    if (number === '') this.#fail(at >= this.#text.length ? 'the text ends here, in the middle' : 'a value is missing here');
    return { at, kind: 'number', value: Number(number) };
  }

  #string(): string {
    this.#at += 1;
    const parts: string[] = [];
    for (;;) {
      parts.push(this.#match(PLAIN));
      const end = this.#text[this.#at];
      if (end === '"') break;
      if (end !== '\\') this.#fail(end === undefined ? 'the text ends inside a string' : 'a string goes over the end of its line, or holds a control character');
      parts.push(this.#escape());
    }
    this.#at += 1;
    return parts.join('');
  }

  #escape(): string {
    const letter = this.#text[this.#at + 1] ?? '';
    const known = ESCAPES.get(letter);
    const code = this.#text.slice(this.#at + 2, this.#at + 6);
    if (known !== undefined) {
      this.#at += 2;
      return known;
    }
    if (letter !== 'u' || !/^[0-9a-fA-F]{4}$/.test(code)) this.#fail('there is no such escape; write \\\\ for a backslash');
    this.#at += 6;
    return String.fromCharCode(Number.parseInt(code, 16));
  }

  #has(character: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #space(): void {
    this.#match(SPACE);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }

  #fail(message: string): never {
    return refuse(this.#lines.place(this.#at), `this is not valid JSON: ${message}.`);
  }
}
