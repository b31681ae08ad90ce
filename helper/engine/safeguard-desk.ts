/** The safeguard in the engine: who is refused instead of asked about, and who is told before the first refusal. */
import type { Decision } from '../contract/vocabulary.ts';
import type { SafeguardView } from '../engine-api.ts';
import type { Facts } from '../policy/facts.ts';
import type { Ask, Clock, Logger, SafeguardSettings } from '../ports.ts';
import { DEFAULT_LIMITS, Safeguard } from '../safeguard/safeguard.ts';
import type { SafeguardState, Trip } from '../safeguard/safeguard.ts';
import { Alarm } from './alarm.ts';
import type { EngineDeps } from './deps.ts';
import type { FlowLog } from './flow-log.ts';
import type { Modes } from './modes.ts';
import type { Turn } from './turn.ts';

/** A flow that is refused is not asked about again so soon: what it sends anew would keep the storm alive. */
const REFUSED_MS = 3000;
/** In force where bastion.toml says nothing. */
const DEFAULTS: SafeguardSettings = { ...DEFAULT_LIMITS, action: 'drop' };
const NS_PER_MS = 1_000_000n;

export interface SafeguardDeskOptions {
  readonly deps: Pick<EngineDeps, 'clock' | 'logger' | 'schedule'>;
  readonly modes: Modes;
  readonly log: FlowLog;
  /** It has begun or ended; told before anything is refused. */
  onChanged(): void;
}

export class SafeguardDesk {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #modes: Modes;
  readonly #log: FlowLog;
  readonly #onChanged: () => void;
  readonly #safeguard = new Safeguard();
  readonly #alarm: Alarm;
  #settings = DEFAULTS;

  constructor(options: SafeguardDeskOptions) {
    const { deps, modes, log } = options;
    this.#clock = deps.clock;
    this.#logger = deps.logger;
    this.#modes = modes;
    this.#log = log;
    this.#onChanged = () => { options.onChanged(); };
    this.#alarm = new Alarm(deps.schedule, () => { this.#look(); });
  }

  /** How often it began, and the flows it refused, since the helper started. */
  get counts(): { readonly begins: number; readonly refused: number } {
    return this.#safeguard.counts;
  }

  get isOn(): boolean {
    return this.#safeguard.isOn;
  }

  /** null while it is not on. */
  view(): SafeguardView | null {
    const state = this.#safeguard.state(this.#clock.bootNs());
    return state === null ? null : this.#viewOf(state);
  }

  /** The settings may be others. */
  refresh(): void {
    this.#settings = { ...DEFAULTS, ...this.#modes.settings.safeguard };
    this.#safeguard.limits = this.#settings;
    // The quiet time may be another one.
    this.#alarm.set(this.#safeguard.nextLookNs());
  }

  /** Refuses a flow that only a person could decide, where there are too many of them. */
  refuses(ask: Ask, facts: Facts, turn: Turn): boolean {
    const uid = ask.attribution.owner?.uid;
    if (uid === undefined) return false;
    const admission = this.#safeguard.take(facts.path ?? facts.claimedPath ?? '', uid, turn.instant.bootNs);
    if (admission === 'admitted') return false;
    if (admission === 'began') this.#began();
    const decision: Decision = { action: this.#settings.action, reason: 'safeguard', ruleId: null };
    turn.batch.flow(ask.id, decision, REFUSED_MS);
    turn.record(this.#log, ask, decision, null);
    return true;
  }

  /** By hand; it begins again where the storm goes on. */
  end(): void {
    if (!this.#safeguard.isOn) return;
    this.#safeguard.end();
    this.#over('by hand');
  }

  close(): void {
    this.#alarm.set(null);
  }

  #began(): void {
    const [trip] = this.view()?.trips ?? [];
    this.#logger.log('warning', 'safeguard: too many new connections, they are refused without a question', {
      scope: trip?.scope ?? 'all', application: trip?.application ?? '', uid: trip?.uid ?? -1, rate: trip?.rate ?? 0,
    });
    this.#onChanged();
    this.#alarm.set(this.#safeguard.nextLookNs());
  }

  #look(): void {
    const refused = this.view()?.refused ?? 0;
    if (this.#safeguard.look(this.#clock.bootNs())) this.#over('quiet', refused);
    else this.#alarm.set(this.#safeguard.nextLookNs());
  }

  #over(why: string, refused = 0): void {
    this.#alarm.set(null);
    this.#logger.log('info', 'safeguard: it is over', { why, refused });
    this.#onChanged();
  }

  #viewOf({ sinceNs, trips, refused, offenders }: SafeguardState): SafeguardView {
    return { sinceMs: this.#wallOf(sinceNs), refused, trips: trips.map(({ scope, application, uid, rate }: Trip) => ({ scope, application, uid, rate })), offenders };
  }

  #wallOf(ns: bigint): number {
    return this.#clock.wallMs() - Number((this.#clock.bootNs() - ns) / NS_PER_MS);
  }
}
