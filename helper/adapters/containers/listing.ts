/** The ids of a listing of containers, while it comes: it carries labels, as long as images like, of which nothing is kept. */
import { ENGINE_LIMITS } from './limits.ts';

const ID = /^[0-9a-f]{64}$/;
const KEPT_BYTES = 65;
const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN = [0x5b, 0x7b];
const CLOSE = [0x5d, 0x7d];
const BRACKET = 0x5b;
/** Of what describes one container. */
const INSIDE = 2;

export class Listing {
  readonly #ids = new Set<string>();
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #isKey = false;
  #text = '';
  #key = '';
  /** Of the container that is read. */
  #id = '';
  #isWhole = false;
  #isWrong = false;

  push(chunk: Buffer): void {
    for (const byte of chunk) {
      if (this.#isInString) this.#inString(byte);
      else this.#outside(byte);
    }
  }

  /** Each once, as many as are ever known; null for what is no listing. */
  end(): readonly string[] | null {
    return this.#isWhole && !this.#isWrong ? [...this.#ids] : null;
  }

  #inString(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE) {
      this.#isInString = false;
      this.#stringEnds();
      return;
    }
    if (this.#depth === INSIDE && this.#text.length < KEPT_BYTES) this.#text += String.fromCharCode(byte);
  }

  #stringEnds(): void {
    if (this.#depth !== INSIDE) return;
    if (this.#isKey) this.#key = this.#text;
    else if (this.#key === 'Id') this.#id = this.#text;
  }

  #outside(byte: number): void {
    if (byte <= SPACE) return;
    if (byte === QUOTE) {
      this.#isInString = true;
      this.#text = '';
    } else if (byte === COLON) {
      this.#isKey = false;
    } else if (byte === COMMA) {
      this.#isKey = true;
    } else if (OPEN.includes(byte)) {
      // A list of objects.
      if (this.#isWhole || (this.#depth < INSIDE && (byte === BRACKET) !== (this.#depth === 0))) this.#isWrong = true;
      this.#depth += 1;
      this.#isKey = true;
      if (this.#depth === INSIDE) this.#id = '';
    } else if (CLOSE.includes(byte)) {
      this.#close();
    }
  }

  #close(): void {
    if (this.#depth === INSIDE) {
      if (!ID.test(this.#id)) this.#isWrong = true;
      else if (this.#ids.size < ENGINE_LIMITS.containers) this.#ids.add(this.#id);
    }
    this.#depth -= 1;
    if (this.#depth === 0) this.#isWhole = true;
    if (this.#depth < 0) this.#isWrong = true;
  }
}
