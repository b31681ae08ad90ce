/** Tells the service manager that the helper works, as long as everything that is attached answers; mends it first. */
import { HealthJudge } from './health/judge.ts';
import type { Answers } from './health/judge.ts';
import type { Logger } from './ports.ts';
import type { ServiceManager } from './service-manager.ts';

export interface WatchdogDeps {
  readonly manager: Pick<ServiceManager, 'alive' | 'hopeless'>;
  readonly logger: Logger;
  /** null while nothing is attached. */
  health(): Answers | null;
  /** Attaches everything anew. Never rejects. */
  renew(): Promise<void>;
  nowMs(): number;
}

/**
 * The event loop answers by running this at all. Without it the manager hears nothing, and ends the process when its interval is
 * over.
 */
export class Watchdog {
  readonly #deps: WatchdogDeps;
  readonly #judge: HealthJudge;
  #timer: NodeJS.Timeout | null = null;
  #mending = false;
  #given = false;

  /** `intervalMs`: in which the manager wants to hear of the helper. */
  constructor(intervalMs: number, deps: WatchdogDeps) {
    this.#deps = deps;
    this.#judge = new HealthJudge(intervalMs);
  }

  start(): void {
    this.#timer ??= setInterval(() => { this.#look(); }, this.#judge.everyMs).unref();
    this.#look();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #look(): void {
    const { manager, logger } = this.#deps;
    if (this.#mending) {
      // Between two data paths; the event loop turns, and each step of attaching has a limit of its own.
      manager.alive();
      return;
    }
    const { alive, mend, hopeless } = this.#judge.look(this.#deps.health(), this.#deps.nowMs());
    if (alive) {
      manager.alive();
      this.#given = false;
    }
    if (mend !== null) this.#renew(mend);
    if (hopeless !== null && !this.#given) {
      this.#given = true;
      logger.log('error', 'the helper cannot go on; the service manager starts it again', { why: hopeless });
      manager.hopeless();
    }
  }

  #renew(why: string): void {
    this.#mending = true;
    this.#deps.logger.log('error', 'a part of the firewall has gone; everything is attached anew', { why });
    void this.#deps.renew().finally(() => { this.#mending = false; });
  }
}
