/** A bounded table: what was not asked for the longest leaves first. */
export class Lru<V> {
  readonly #limit: number;
  readonly #entries = new Map<string, V>();
  #evicted = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Entries that had to leave. */
  get evicted(): number {
    return this.#evicted;
  }

  get(key: string): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    const oldest = this.#entries.keys().next();
    if (this.#entries.size >= this.#limit && oldest.done !== true) {
      this.#entries.delete(oldest.value);
      this.#evicted += 1;
    }
    this.#entries.set(key, value);
  }

  entries(): readonly (readonly [string, V])[] {
    return [...this.#entries];
  }

  clear(): void {
    this.#entries.clear();
  }
}
