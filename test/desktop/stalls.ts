/**
 * The most work at one stretch since the last question for it. In processor time of the thread that takes the keys, so that
 * neither a busy machine nor what V8 does beside it counts.
 */
const WATCH_MS = 10;

export class Stalls {
  #longestMs = 0;

  constructor() {
    const usedMs = (): number => {
      const { user, system } = process.threadCpuUsage();
      return (user + system) / 1000;
    };
    let lastMs = usedMs();
    setInterval(() => {
      const now = usedMs();
      this.#longestMs = Math.max(this.#longestMs, now - lastMs);
      lastMs = now;
    }, WATCH_MS);
  }

  /** Tells after the next look: commands that came together are obeyed before it. */
  take(told: (longestMs: number) => void): void {
    setTimeout(() => {
      told(Math.round(this.#longestMs));
      this.#longestMs = 0;
    }, 3 * WATCH_MS);
  }
}
