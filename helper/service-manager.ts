/** What the service manager is told of the helper, and what it wants to be told. Source: sd_notify(3), systemd.service(5). */
import { escaped } from './adapters/logger.ts';
import type { EngineStatus } from './engine-api.ts';

/** A start that goes on is given this much more time, again and again. */
const EXTEND_MS = 20_000;
const EXTEND_EVERY_MS = 5000;
/** But a start that never ends is ended. */
const LONGEST_START_MS = 300_000;
const STATUS_CHARACTERS = 300;
const US_PER_MS = 1000;
const NS_PER_US = 1000n;

export interface ServiceManagerDeps {
  /** One datagram of `KEY=value` lines; false where nobody listens. */
  notify(state: string): boolean;
  /** CLOCK_MONOTONIC. */
  monotonicNs(): bigint;
}

/** What systemctl status shows in one line. */
export function statusLine({ mode, state, degradedReasons, trial, loadErrors }: Pick<EngineStatus, 'mode' | 'state' | 'degradedReasons' | 'trial'> & { readonly loadErrors: number }): string {
  const parts = [
    state === 'off' && degradedReasons.length === 0 ? 'Off: nothing is filtered.' : `Mode ${mode}, ${state}.`,
    ...(trial === undefined ? [] : [`On trial, goes back to ${trial.before}.`]),
    ...degradedReasons.slice(0, 1).map(({ text }) => text),
    ...(degradedReasons.length > 1 ? [`${String(degradedReasons.length - 1)} more: bastionctl status.`] : []),
    ...(loadErrors === 0 ? [] : ['A file of the configuration has errors: bastionctl status.']),
  ];
  return escaped(parts.join(' '), STATUS_CHARACTERS);
}

/** WATCHDOG_USEC in milliseconds, null where no ping is wanted of this process. */
export function watchdogInterval(environment: NodeJS.ProcessEnv, pid: number): number | null {
  const { WATCHDOG_USEC: usec = '', WATCHDOG_PID: wanted = '' } = environment;
  if (!/^[1-9]\d{0,12}$/.test(usec) || (wanted !== '' && wanted !== String(pid))) return null;
  return Number(usec) / US_PER_MS;
}

export class ServiceManager {
  readonly #deps: ServiceManagerDeps;
  #status = '';
  #starting: NodeJS.Timeout | null = null;
  #isReady = false;

  constructor(deps: ServiceManagerDeps) {
    this.#deps = deps;
  }

  /** Before `ready`: as long as this process turns, it is not given up. */
  starting(): void {
    const begunNs = this.#deps.monotonicNs();
    this.status('Starting.');
    const extend = (): void => {
      if (Number((this.#deps.monotonicNs() - begunNs) / NS_PER_US) > LONGEST_START_MS * US_PER_MS) this.#started();
      else this.#deps.notify(`EXTEND_TIMEOUT_USEC=${String(EXTEND_MS * US_PER_MS)}`);
    };
    this.#starting = setInterval(extend, EXTEND_EVERY_MS).unref();
  }

  ready(): void {
    this.#started();
    this.#isReady = true;
    this.#deps.notify('READY=1');
  }

  /** `reloaded` is to be called when it is over, however it ends. A start that goes on is neither. */
  reloading(): void {
    if (!this.#isReady) return;
    this.#deps.notify(`RELOADING=1\nMONOTONIC_USEC=${String(this.#deps.monotonicNs() / NS_PER_US)}`);
  }

  reloaded(): void {
    if (!this.#isReady) return;
    this.#deps.notify('READY=1');
  }

  stopping(): void {
    this.#started();
    this.#deps.notify('STOPPING=1');
  }

  /** One line; told when it is another one. */
  status(line: string): void {
    if (line === this.#status) return;
    this.#status = line;
    this.#deps.notify(`STATUS=${line}`);
  }

  alive(): void {
    this.#deps.notify('WATCHDOG=1');
  }

  /** Only a new start helps: what the watchdog does when it hears nothing, at once. */
  hopeless(): void {
    this.#deps.notify('WATCHDOG=trigger');
  }

  #started(): void {
    if (this.#starting !== null) clearInterval(this.#starting);
    this.#starting = null;
  }
}
