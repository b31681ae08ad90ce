/** Says in the journal when an interface is not as bastion.toml says, and when it is again. */
import type { LinkMonitor, Logger } from './ports.ts';
import type { ZoneAssignment } from './zones/interfaces.ts';
import { problemOf } from './zones/interfaces.ts';

/** As long as an interface that has just been connected may be without its address. */
const PATIENCE_MS = 10_000;

export interface InterfaceProblemsDeps {
  readonly links: Pick<LinkMonitor, 'current' | 'onChanged'>;
  readonly settings: () => ZoneAssignment;
  readonly logger: Logger;
}

export class InterfaceProblems {
  readonly #deps: InterfaceProblemsDeps;
  readonly #stop: () => void;
  /** By interface: what is wrong, and the timer while it has not been said yet. */
  readonly #known = new Map<string, { readonly problem: string; readonly timer: NodeJS.Timeout; said: boolean }>();

  constructor(deps: InterfaceProblemsDeps) {
    this.#deps = deps;
    this.#stop = deps.links.onChanged(() => { this.look(); });
  }

  /** Interfaces or bastion.toml may be others now. */
  look(): void {
    const settings = this.#deps.settings();
    const problems = new Map(this.#deps.links.current.map((link) => [link.name, problemOf(link, settings)]));
    for (const [name, { problem, timer, said }] of this.#known) {
      if (problems.get(name) === problem) continue;
      clearTimeout(timer);
      this.#known.delete(name);
      if (said) this.#deps.logger.log('info', 'an interface is as bastion.toml says again, or is not expected to be', { interface: name });
    }
    for (const [name, problem] of problems) if (problem !== '' && !this.#known.has(name)) this.#begin(name, problem);
  }

  close(): void {
    this.#stop();
    for (const { timer } of this.#known.values()) clearTimeout(timer);
    this.#known.clear();
  }

  #begin(name: string, problem: string): void {
    const timer = setTimeout(() => {
      const known = this.#known.get(name);
      if (known === undefined) return;
      known.said = true;
      this.#deps.logger.log('warning', 'an interface is not as bastion.toml says', { interface: name, problem });
    }, PATIENCE_MS).unref();
    this.#known.set(name, { problem, timer, said: false });
  }
}
