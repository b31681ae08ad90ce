/** Listeners of the engine: a listener that fails is logged and harms neither the engine nor the other listeners. */
import type { EngineEvents } from '../engine-api.ts';
import type { Logger } from '../ports.ts';

export class Emitter {
  readonly #listeners = new Set<Partial<EngineEvents>>();
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(events: Partial<EngineEvents>): () => void {
    this.#listeners.add(events);
    return () => {
      this.#listeners.delete(events);
    };
  }

  emit<E extends keyof EngineEvents>(event: E, ...args: Parameters<EngineEvents[E]>): void {
    for (const listener of [...this.#listeners]) {
      const call = listener[event] as ((...all: Parameters<EngineEvents[E]>) => void) | undefined;
      try {
        call?.(...args);
      } catch (error: unknown) {
        this.#logger.log('error', 'a listener of the engine failed', { event, error: String(error) });
      }
    }
  }
}
