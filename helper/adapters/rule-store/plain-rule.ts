/**
 * The TOML that most rules are written in, read in one pass: one `[[rule]]` with a key on each line, texts without escapes,
 * tables and lists on one line. It reads exactly what the full parser reads, or says that it does not know: whatever is not
 * this plain goes to the full parser, errors and their places included.
 */
import type { Item, Table, TomlDocument, TomlValue } from './toml.ts';

const TAB = 9;
const NEWLINE = 10;
const RETURN = 13;
const SPACE = 32;
const QUOTE = 34;
const HASH = 35;
const COMMA = 44;
const DASH = 45;
const EQUALS = 61;
const OPEN_LIST = 91;
const BACKSLASH = 92;
const CLOSE_LIST = 93;
const SMALL_F = 102;
const SMALL_T = 116;
const OPEN_TABLE = 123;
const CLOSE_TABLE = 125;
const DELETE = 127;

const HEADER = '[[rule]]';
/** Shorter substrings are copies of their own. Source: v8, SlicedString::kMinLength. */
const COPIED_BELOW = 13;
const BARE_KEY = /[A-Za-z0-9_-]+/y;
const NUMBER = /-?(?:0|[1-9][0-9]{0,14})(?=[\t ,#}\]\r\n]|$)/y;
const WORD = /(?:true|false)(?=[\t ,#}\]\r\n]|$)/y;
const TIME = /[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z(?=[\t ,#}\]\r\n]|$)/y;

/** Texts of a file that occur in many rules, each kept once and without the file that it was cut out of. */
export type Words = Map<string, string>;

/** null for what is not plain. Positions are relative to `text`. */
export function readPlain(text: string, words: Words): TomlDocument | null {
  return new PlainReader(text, words).document();
}

class PlainReader {
  private readonly text: string;
  private readonly words: Words;
  private at = 0;
  private line = 1;
  private lineStart = 0;

  constructor(text: string, words: Words) {
    this.text = text;
    this.words = words;
  }

  document(): TomlDocument | null {
    const { text } = this;
    const table: Table = new Map();
    const sections: { name: string; array: boolean; at: Item['at']; table: Table }[] = [];
    while (this.at < text.length) {
      this.blanks();
      const code = text.charCodeAt(this.at);
      if (code === OPEN_LIST) {
        if (sections.length > 0 || !text.startsWith(HEADER, this.at)) return null;
        sections.push({ name: 'rule', array: true, at: this.place(), table });
        this.at += HEADER.length;
      } else if (code !== HASH && code !== NEWLINE && code !== RETURN && this.at < text.length) {
        if (sections.length === 0 || !this.assignment(table, false)) return null;
      }
      if (!this.endOfLine()) return null;
    }
    return { top: new Map(), sections };
  }

  private place(): Item['at'] {
    return { line: this.line, column: this.at - this.lineStart + 1 };
  }

  private blanks(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== SPACE && code !== TAB) return;
      this.at += 1;
    }
  }

  /** Blanks, a comment and the line's end; false for anything else. */
  private endOfLine(): boolean {
    const { text } = this;
    this.blanks();
    if (text.charCodeAt(this.at) === HASH) {
      for (;;) {
        const code = text.charCodeAt(this.at);
        if (Number.isNaN(code) || code === NEWLINE || code === RETURN) break;
        if ((code < SPACE && code !== TAB) || code === DELETE || isSurrogate(code)) return false;
        this.at += 1;
      }
    }
    if (this.at >= text.length) return true;
    if (text.charCodeAt(this.at) === RETURN) this.at += 1;
    if (text.charCodeAt(this.at) !== NEWLINE) return false;
    this.at += 1;
    this.line += 1;
    this.lineStart = this.at;
    return true;
  }

  /** `inline`: inside braces, where no table is plain. */
  private assignment(table: Table, inline: boolean): boolean {
    const at = this.place();
    const name = this.match(BARE_KEY);
    if (name === null || table.has(name)) return false;
    this.blanks();
    if (this.text.charCodeAt(this.at) !== EQUALS) return false;
    this.at += 1;
    this.blanks();
    const value = inline ? this.member() : this.value();
    if (value === null) return false;
    table.set(name, { at, value });
    return true;
  }

  private value(): TomlValue | null {
    return this.text.charCodeAt(this.at) === OPEN_TABLE ? this.inlineTable() : this.member();
  }

  private member(): TomlValue | null {
    return this.text.charCodeAt(this.at) === OPEN_LIST ? this.list() : this.scalar();
  }

  private inlineTable(): TomlValue | null {
    const table: Table = new Map();
    this.at += 1;
    for (;;) {
      this.blanks();
      if (!this.assignment(table, true)) return null;
      this.blanks();
      const code = this.text.charCodeAt(this.at);
      if (code !== COMMA && code !== CLOSE_TABLE) return null;
      this.at += 1;
      if (code === CLOSE_TABLE) return { kind: 'table', table };
    }
  }

  private list(): TomlValue | null {
    const items: Item[] = [];
    this.at += 1;
    for (;;) {
      this.blanks();
      const at = this.place();
      const value = this.scalar();
      if (value === null) return null;
      items.push({ at, value });
      this.blanks();
      const code = this.text.charCodeAt(this.at);
      if (code !== COMMA && code !== CLOSE_LIST) return null;
      this.at += 1;
      if (code === CLOSE_LIST) return { kind: 'array', items };
    }
  }

  private scalar(): TomlValue | null {
    if (this.text.charCodeAt(this.at) === QUOTE) return this.string();
    const first = this.text.charCodeAt(this.at);
    if (first === SMALL_T || first === SMALL_F) {
      const word = this.match(WORD);
      return word === null ? null : { kind: 'boolean', value: word === 'true' };
    }
    if (this.text.charCodeAt(this.at + 4) === DASH) return this.time();
    const number = this.match(NUMBER);
    return number === null ? null : { kind: 'integer', value: BigInt(number) };
  }

  private time(): TomlValue | null {
    const time = this.match(TIME);
    if (time === null) return null;
    const value = Date.parse(time);
    // A day that its month does not have is read as one of the next.
    if (Number.isNaN(value) || new Date(value).toISOString().slice(0, -5) !== time.slice(0, -1)) return null;
    return { kind: 'datetime', value, offset: true };
  }

  private string(): TomlValue | null {
    const { text } = this;
    const start = this.at + 1;
    let at = start;
    for (;; at += 1) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) break;
      if (Number.isNaN(code) || (code < SPACE && code !== TAB) || code === BACKSLASH || code === DELETE || isSurrogate(code)) return null;
    }
    // Two quotes and a third one begin a text of several lines.
    if (at === start && text.charCodeAt(at + 1) === QUOTE) return null;
    this.at = at + 1;
    return { kind: 'string', value: this.kept(text.slice(start, at)) };
  }

  /** A copy that does not hold on to the text of the whole file. */
  private kept(word: string): string {
    if (word.length < COPIED_BELOW) return word;
    const known = this.words.get(word);
    if (known !== undefined) return known;
    const copy = Buffer.from(word, 'utf16le').toString('utf16le');
    this.words.set(copy, copy);
    return copy;
  }

  private match(pattern: RegExp): string | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    if (found === undefined) return null;
    this.at += found.length;
    return found;
  }
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff;
}
