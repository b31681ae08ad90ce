/** Mode, pause, settings and time: what the engine is set to at any moment. Tells its owner when that changes. */
import { BastionError } from '../contract/errors.ts';
import type { BootNs, Mode, Verdict } from '../contract/vocabulary.ts';
import type { Moment } from '../policy/facts.ts';
import type { Places } from '../policy/places.ts';
import type { LocalTime } from '../policy/schedule.ts';
import { advanceWall } from '../policy/time.ts';
import type { WallMark } from '../policy/time.ts';
import type { GatePosture, Settings } from '../ports.ts';
import { Alarm } from './alarm.ts';
import type { Posture } from './decide.ts';
import type { EngineDeps } from './deps.ts';
import { InboundLimits } from './inbound.ts';
import type { Trial, TrialTerms } from './trial.ts';
import { ZoneDesk } from './zone-desk.ts';

export const PAUSE_MS = { least: 1_000, most: 86_400_000 } as const;
export const CONFIRM_MS = { least: 1_000, most: 3_600_000 } as const;

const NS_PER_MS = 1_000_000n;

/** In force until the first settings are loaded: nothing passes that no rule allows, nobody is asked. */
const CLOSED: Settings = {
  mode: 'enforcing',
  defaultAction: 'deny',
  onFailure: 'closed',
  untracked: 'drop',
  forwarded: 'drop',
  requireKernelIdentity: false,
  promptTimeoutMs: 30_000,
  queueNumber: 1,
  logLevel: 'info',
};

/** Local time as schedules see it. */
function localTime(wallMs: number): LocalTime {
  const local = new Date(wallMs);
  return { weekday: (local.getDay() + 6) % 7, minute: local.getHours() * 60 + local.getMinutes() };
}

/** The same moment `ms` later, if nobody sets the clock. */
export function momentAfter({ wallMs, moment }: Instant, ms: number): Moment {
  return { ...moment, nowMs: moment.nowMs + ms, local: localTime(wallMs + ms) };
}

/** One reading of the clocks. */
export interface Instant {
  readonly bootNs: BootNs;
  /** As the clock says it: for records. */
  readonly wallMs: number;
  readonly moment: Moment;
}

export interface ModesOptions {
  readonly deps: Pick<EngineDeps, 'clock' | 'links' | 'lists' | 'sessions' | 'schedule'>;
  /** See `Moment`; absent: no container shares the machine's network. */
  readonly sharesNetwork?: NonNullable<Moment['sharesNetwork']>;
  /** Mode or pause changed by themselves or by a call. */
  onChanged(): void;
  /** The time of a trial is over; told before `onChanged`. */
  onTrialOver(trial: Trial): void;
}

export class Modes {
  readonly #deps: ModesOptions['deps'];
  readonly #onChanged: () => void;
  readonly #onTrialOver: (trial: Trial) => void;
  readonly #pauseAlarm: Alarm;
  readonly #trialAlarm: Alarm;
  #settings = CLOSED;
  #inbound: InboundLimits | null = null;
  #trial: Trial | null = null;
  #pausedUntilNs: BootNs | null = null;
  #wall: WallMark | null = null;
  #sessions: ReadonlySet<string> = new Set();
  readonly #places: Places;
  readonly #shared: Pick<Moment, 'sharesNetwork'>;
  /** Of the settings that are in force. */
  readonly zones: ZoneDesk;

  constructor(options: ModesOptions) {
    this.#deps = options.deps;
    this.#onChanged = () => {
      options.onChanged();
    };
    this.#onTrialOver = (trial) => {
      options.onTrialOver(trial);
    };
    const { deps: { links, lists }, sharesNetwork } = options;
    this.#shared = sharesNetwork === undefined ? {} : { sharesNetwork };
    this.zones = new ZoneDesk(links);
    this.#places = {
      listHasName: (list, name) => lists.hasName(list, name),
      listHasAddress: (list, address) => lists.hasAddress(list, address),
      zoneOf: (interfaceName) => this.zones.zoneOf(interfaceName),
    };
    this.#pauseAlarm = new Alarm(options.deps.schedule, () => {
      this.#setPause(null);
    });
    this.#trialAlarm = new Alarm(options.deps.schedule, () => {
      this.#trialOver();
    });
    this.refreshSessions();
  }

  get settings(): Settings {
    return this.#settings;
  }

  get mode(): Mode {
    return this.#trial?.mode ?? this.#settings.mode;
  }

  /** null: no mode is on trial. */
  get trial(): Trial | null {
    return this.#trial;
  }

  get trialTerms(): TrialTerms | null {
    return this.#trial === null ? null : { endsNs: this.#trial.endsNs, opens: this.failsOpen };
  }

  /** What it goes back to: null without a trial. */
  get before(): Mode | 'off' | null {
    if (this.#trial === null) return null;
    return this.#trial.fromOff ? 'off' : this.#settings.mode;
  }

  /**
   * May undecided packets pass while nobody decides? While a mode is on trial, as before it: a helper that dies in a trial of
   * enforcing must not lock anybody out, and one that dies in a trial of learning must not leave all open.
   */
  get failsOpen(): boolean {
    return this.#trial?.fromOff === true || this.settingsFailOpen;
  }

  /** The same as the settings say it, for the next start of the machine: no trial, pause or off outlasts that. */
  get settingsFailOpen(): boolean {
    return this.#settings.mode === 'learning' || this.#settings.onFailure === 'open';
  }

  /** From the first flow of a prompt to its end. */
  get promptTimeoutNs(): BootNs {
    return BigInt(this.#settings.promptTimeoutMs) * NS_PER_MS;
  }

  get pausedUntilNs(): BootNs | null {
    return this.#pausedUntilNs;
  }

  get wall(): WallMark | null {
    return this.#wall;
  }

  get sessions(): ReadonlySet<string> {
    return this.#sessions;
  }

  /** What the data path does with a flow that nobody decides in time. */
  get defaultVerdict(): Verdict {
    return this.mode === 'learning' || this.failsOpen ? 'accept' : 'refuse';
  }

  /**
   * What the gate does with packets that nobody has decided. While paused it goes on dropping them: the engine, which is asked
   * about each, allows them until the pause ends on the boot clock.
   */
  gate(): GatePosture {
    return {
      // In learning mode too: the engine answers at once, and a flow that was allowed before a denial must be asked about.
      undecided: 'drop',
      whenAway: this.failsOpen ? 'pass' : 'drop',
      untracked: this.#settings.untracked,
    };
  }

  posture(): Posture {
    const { defaultAction, untracked, forwarded, requireKernelIdentity } = this.#settings;
    return {
      mode: this.mode, paused: this.#pausedUntilNs !== null, defaultAction, untracked, forwarded,
      ...(this.#inbound === null ? {} : { inbound: this.#inbound, requireKernelIdentity }),
    };
  }

  /** Reads the clocks; ends a pause whose time has come even if its timer is late. */
  instant(): Instant {
    const bootNs = this.#deps.clock.bootNs();
    const wallMs = this.#deps.clock.wallMs();
    this.#wall = advanceWall(this.#wall, bootNs, wallMs);
    if (this.#pausedUntilNs !== null && bootNs >= this.#pausedUntilNs) this.#setPause(null);
    if (this.#trial !== null && bootNs >= this.#trial.endsNs) this.#trialOver();
    return {
      bootNs,
      wallMs,
      moment: {
        nowMs: this.#wall.wallMs,
        local: localTime(wallMs),
        sessions: this.#sessions,
        requireKernelIdentity: this.#settings.requireKernelIdentity,
        places: this.#places,
        ...this.#shared,
      },
    };
  }

  /** The moment at which something that was recorded then would be decided; sessions and places are those of now. */
  momentOf(wallMs: number): Moment {
    return { ...this.instant().moment, nowMs: wallMs, local: localTime(wallMs) };
  }

  /** A trial of a mode goes on. */
  setSettings(settings: Settings): void {
    this.#settings = settings;
    this.zones.setSettings(settings);
    this.#inbound = InboundLimits.of(settings, (interfaceName) => this.#places.zoneOf(interfaceName));
  }

  /** Sets the mode for good; the caller has written it. */
  confirm(mode: Mode): void {
    this.#settings = { ...this.#settings, mode };
    this.#setTrial(null);
    this.#onChanged();
  }

  /**
   * Sets the mode until `confirm` or until the time is over. `fromOff`: the firewall is off now. A trial within a trial goes back
   * to what was before the first. Throws BastionError InvalidArgument.
   */
  try(mode: Mode, forMs: number, fromOff: boolean): void {
    if (!Number.isFinite(forMs) || forMs < CONFIRM_MS.least || forMs > CONFIRM_MS.most) {
      throw new BastionError('InvalidArgument', 'confirm: between 1 second and 1 hour.');
    }
    this.#setTrial({
      mode,
      endsNs: this.#deps.clock.bootNs() + BigInt(Math.trunc(forMs)) * NS_PER_MS,
      fromOff: fromOff || this.#trial?.fromOff === true,
    });
    this.#onChanged();
  }

  /** Back to the mode of the settings before the time is over. */
  endTrial(): void {
    if (this.#trial === null) return;
    this.#setTrial(null);
    this.#onChanged();
  }

  /** Throws BastionError InvalidArgument. */
  pause(ms: number): void {
    if (!Number.isFinite(ms) || ms < PAUSE_MS.least || ms > PAUSE_MS.most) {
      throw new BastionError('InvalidArgument', 'pause: between 1 second and 24 hours.');
    }
    this.#setPause(this.#deps.clock.bootNs() + BigInt(Math.trunc(ms)) * NS_PER_MS);
  }

  resume(): void {
    if (this.#pausedUntilNs !== null) this.#setPause(null);
  }

  /** Continues what an earlier run of the helper had begun; nothing is told. */
  restore(pausedUntilNs: BootNs | null, wall: WallMark | null, trial: Trial | null): void {
    const nowNs = this.#deps.clock.bootNs();
    if (trial !== null && trial.endsNs > nowNs && trial.endsNs <= nowNs + BigInt(CONFIRM_MS.most) * NS_PER_MS) this.#setTrial(trial);
    const furthestNs = nowNs + BigInt(PAUSE_MS.most) * NS_PER_MS;
    this.#wall = wall !== null && wall.bootNs <= nowNs ? wall : null;
    if (pausedUntilNs === null || pausedUntilNs <= nowNs || pausedUntilNs > furthestNs) return;
    this.#pausedUntilNs = pausedUntilNs;
    this.#pauseAlarm.set(pausedUntilNs);
  }

  refreshSessions(): void {
    this.#sessions = new Set(this.#deps.sessions.list().map((session) => session.id));
  }

  close(): void {
    this.#pauseAlarm.set(null);
    this.#trialAlarm.set(null);
  }

  #setTrial(trial: Trial | null): void {
    this.#trial = trial;
    this.#trialAlarm.set(trial?.endsNs ?? null);
  }

  #trialOver(): void {
    const trial = this.#trial;
    if (trial === null) return;
    this.#setTrial(null);
    this.#onTrialOver(trial);
    this.#onChanged();
  }

  #setPause(untilNs: BootNs | null): void {
    this.#pausedUntilNs = untilNs;
    this.#pauseAlarm.set(untilNs);
    this.#onChanged();
  }
}
