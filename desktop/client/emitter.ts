/** Tells listeners that something changed; they look for themselves what it is. */
export class Emitter {
  readonly #listeners = new Set<() => void>();

  /** Returns the way to stop. */
  on(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  emit(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
