/** Listeners of a client. One that throws is told as a warning and disturbs neither the others nor the connection. */
import type { HelperEvents } from './client.ts';

type Listeners = { readonly [E in keyof HelperEvents]: Set<HelperEvents[E]> };

/** The listeners of one client. */
export class ClientEvents {
  readonly #listeners: Listeners = {
    connected: new Set(),
    status: new Set(),
    rulesChanged: new Set(),
    promptRaised: new Set(),
    promptWithdrawn: new Set(),
    flows: new Set(),
    packets: new Set(),
    applicationsChanged: new Set(),
    networkChanged: new Set(),
    rehashProgress: new Set(),
  };

  /** Returns the way to stop. */
  on<E extends keyof HelperEvents>(event: E, listener: HelperEvents[E]): () => void {
    const listeners: Set<HelperEvents[E]> = this.#listeners[event];
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }

  emit<E extends keyof HelperEvents>(event: E, ...values: Parameters<HelperEvents[E]>): void {
    const listeners: Set<HelperEvents[E]> = this.#listeners[event];
    for (const listener of [...listeners]) {
      try {
        (listener as (...all: Parameters<HelperEvents[E]>) => void)(...values);
      } catch (error: unknown) {
        process.emitWarning(error instanceof Error ? error : new Error(String(error)));
      }
    }
  }

  clear(): void {
    for (const listeners of Object.values(this.#listeners)) listeners.clear();
  }
}
