/** Mode, pause, settings and time: what the engine is set to at any moment. Tells its owner when that changes. */
import { BastionError } from '../contract/errors.ts';
import type { BootNs, Mode, Verdict } from '../contract/vocabulary.ts';
import type { Moment } from '../policy/facts.ts';
import type { LocalTime } from '../policy/schedule.ts';
import { advanceWall } from '../policy/time.ts';
import type { WallMark } from '../policy/time.ts';
import type { GatePosture, Settings } from '../ports.ts';
import { Alarm } from './alarm.ts';
import type { Posture } from './decide.ts';
import type { EngineDeps } from './deps.ts';

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
  readonly deps: Pick<EngineDeps, 'clock' | 'sessions' | 'schedule'>;
  /** Mode or pause changed by themselves or by a call. */
  onChanged(): void;
}

export class Modes {
  readonly #deps: ModesOptions['deps'];
  readonly #onChanged: () => void;
  readonly #pauseAlarm: Alarm;
  readonly #trialAlarm: Alarm;
  #settings = CLOSED;
  #trial: Mode | null = null;
  #pausedUntilNs: BootNs | null = null;
  #wall: WallMark | null = null;
  #sessions: ReadonlySet<string> = new Set();

  constructor(options: ModesOptions) {
    this.#deps = options.deps;
    this.#onChanged = () => {
      options.onChanged();
    };
    this.#pauseAlarm = new Alarm(options.deps.schedule, () => {
      this.#setPause(null);
    });
    this.#trialAlarm = new Alarm(options.deps.schedule, () => {
      this.#trial = null;
      this.#onChanged();
    });
    this.refreshSessions();
  }

  get settings(): Settings {
    return this.#settings;
  }

  get mode(): Mode {
    return this.#trial ?? this.#settings.mode;
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
    return this.mode === 'learning' || this.#settings.onFailure === 'open' ? 'accept' : 'refuse';
  }

  /**
   * What the gate does with packets that nobody has decided. While paused it goes on dropping them: the engine, which is asked
   * about each, allows them until the pause ends on the boot clock.
   */
  gate(): GatePosture {
    return {
      // In learning mode too: the engine answers at once, and a flow that was allowed before a denial must be asked about.
      undecided: 'drop',
      whenAway: this.defaultVerdict === 'accept' ? 'pass' : 'drop',
      untracked: this.#settings.untracked,
    };
  }

  posture(): Posture {
    const { defaultAction, untracked, forwarded } = this.#settings;
    return { mode: this.mode, paused: this.#pausedUntilNs !== null, defaultAction, untracked, forwarded };
  }

  /** Reads the clocks; ends a pause whose time has come even if its timer is late. */
  instant(): Instant {
    const bootNs = this.#deps.clock.bootNs();
    const wallMs = this.#deps.clock.wallMs();
    this.#wall = advanceWall(this.#wall, bootNs, wallMs);
    if (this.#pausedUntilNs !== null && bootNs >= this.#pausedUntilNs) this.#setPause(null);
    return {
      bootNs,
      wallMs,
      moment: {
        nowMs: this.#wall.wallMs,
        local: localTime(wallMs),
        sessions: this.#sessions,
        requireKernelIdentity: this.#settings.requireKernelIdentity,
      },
    };
  }

  /** A trial of a mode goes on. */
  setSettings(settings: Settings): void {
    this.#settings = settings;
  }

  /** Sets the mode for good; the caller has written it. */
  confirm(mode: Mode): void {
    this.#settings = { ...this.#settings, mode };
    this.#endTrial();
    this.#onChanged();
  }

  /** Sets the mode until `confirm` or until the time is over. Throws BastionError InvalidArgument. */
  try(mode: Mode, forMs: number): void {
    if (!Number.isFinite(forMs) || forMs < CONFIRM_MS.least || forMs > CONFIRM_MS.most) {
      throw new BastionError('InvalidArgument', 'confirm: between 1 second and 1 hour.');
    }
    this.#endTrial();
    this.#trial = mode;
    this.#trialAlarm.set(this.#deps.clock.bootNs() + BigInt(Math.trunc(forMs)) * NS_PER_MS);
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
  restore(pausedUntilNs: BootNs | null, wall: WallMark | null): void {
    const nowNs = this.#deps.clock.bootNs();
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

  #endTrial(): void {
    this.#trial = null;
    this.#trialAlarm.set(null);
  }

  #setPause(untilNs: BootNs | null): void {
    this.#pausedUntilNs = untilNs;
    this.#pauseAlarm.set(untilNs);
    this.#onChanged();
  }
}
