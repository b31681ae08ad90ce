/**
 * Attaches the firewall to this machine and takes it off again: packet queue, kernel programs and netfilter rules, always in
 * the order in which no undecided packet leaves. Knows what is missing and says so.
 */
import type { Check, DegradedReason } from './contract/types.ts';
import type { Mode } from './contract/vocabulary.ts';
import type { DataPath, Logger, Ruleset, RulesetSpec, Settings } from './ports.ts';

/** A full turn of the receiver thread that is older than this counts as hung. It turns at least once a second. */
const THREAD_TURN_LIMIT_NS = 3_000_000_000n;
/** How often the rules in the kernel are compared with ours. */
const RULESET_CHECK_MS = 60_000;

export interface GuardDeps {
  readonly logger: Logger;
  readonly ruleset: Ruleset;
  readonly refuseMark: number;
  /** Opens the queue and the kernel programs; throws when the queue cannot be had. */
  openDataPath(settings: Settings): DataPath;
  /** Hands the open data path to the engine; null when it was closed. */
  onDataPath(dataPath: DataPath | null): void;
  onDegraded(reasons: readonly DegradedReason[]): void;
  bootNs(): bigint;
}

/** What the rules depend on besides the data path. */
interface Wanted {
  readonly queueNumber: number;
  readonly bypass: boolean;
}

function wanted(settings: Settings, mode: Mode): Wanted {
  return { queueNumber: settings.queueNumber, bypass: mode === 'learning' || settings.onFailure === 'open' };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export class Guard {
  readonly #deps: GuardDeps;
  #dataPath: DataPath | null = null;
  #queueNumber: number | null = null;
  #applied: RulesetSpec | null = null;
  #withoutXt: string | null = null;
  #failure: string | null = null;
  /** What the last `align` wanted, for the next try. */
  #again: { readonly settings: Settings; readonly mode: Mode } | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** Changes of the kernel's state run one after the other. */
  #turn: Promise<void> = Promise.resolve();

  constructor(deps: GuardDeps) {
    this.#deps = deps;
  }

  get attached(): boolean {
    return this.#dataPath !== null;
  }

  /**
   * Brings the kernel to what settings and mode want; opens the data path when it is not open. The queue listens before the
   * rules send to it, and the rules are replaced atomically, so that nothing undecided leaves at any time. Never rejects: what
   * cannot be attached is told as a reason of the state, and tried again.
   */
  align(settings: Settings, mode: Mode): Promise<void> {
    return this.#inTurn(async () => {
      this.#again = { settings, mode };
      this.#timer ??= setInterval(() => void this.#mend(), RULESET_CHECK_MS).unref();
      await this.#attach(settings, mode);
    });
  }

  /** Takes everything away: rules first, so that nothing is sent to a queue without a listener. */
  detach(): Promise<void> {
    return this.#inTurn(async () => {
      this.#stopTimer();
      this.#again = null;
      this.#failure = null;
      await this.#deps.ruleset.remove();
      this.#applied = null;
      await this.#closeDataPath(true);
      this.#report();
    });
  }

  /** Leaves the queue and keeps rules and pinned programs in place: what happens now follows on_failure. */
  leave(): Promise<void> {
    return this.#inTurn(async () => {
      this.#stopTimer();
      await this.#closeDataPath(false);
    });
  }

  async selfTest(): Promise<readonly Check[]> {
    const dataPath = this.#dataPath;
    if (dataPath === null) {
      return [{ name: 'attached', ok: false, detail: 'The firewall is off. Turn it on with: bastionctl mode enforcing' }];
    }
    const rules = await this.#deps.ruleset.check();
    const kernel = dataPath.identification === 'kernel';
    const { lastTurnNs } = dataPath.counters();
    // A thread that has just been started has not turned yet.
    const age = lastTurnNs === 0n ? 0n : this.#deps.bootNs() - lastTurnNs;
    return [
      { name: 'rules', ok: rules.intact, detail: rules.detail },
      {
        name: 'receiver thread',
        ok: age < THREAD_TURN_LIMIT_NS,
        detail: `Its last turn was ${String(age / 1_000_000n)} ms ago.`,
      },
      { name: 'identification', ok: kernel, detail: kernel ? 'Programs are identified in the kernel.' : 'Programs are found through /proc.' },
      {
        name: 'kernel decisions',
        ok: this.#applied?.xtPrograms != null,
        detail: this.#withoutXt ?? (kernel ? 'Decisions are remembered in the kernel.' : 'The helper repeats decisions itself.'),
      },
    ];
  }

  async #attach(settings: Settings, mode: Mode): Promise<void> {
    try {
      if (this.#queueNumber !== settings.queueNumber) await this.#closeDataPath(false);
      this.#dataPath ??= this.#open(settings);
      await this.#apply(this.#dataPath, wanted(settings, mode));
      this.#failure = null;
    } catch (error: unknown) {
      this.#failure = messageOf(error);
      this.#deps.logger.log('error', 'the firewall could not be attached', { why: this.#failure });
    }
    this.#report();
  }

  #open(settings: Settings): DataPath {
    const dataPath = this.#deps.openDataPath(settings);
    this.#queueNumber = settings.queueNumber;
    this.#deps.onDataPath(dataPath);
    return dataPath;
  }

  async #closeDataPath(unpin: boolean): Promise<void> {
    const dataPath = this.#dataPath;
    if (dataPath === null) return;
    this.#dataPath = null;
    this.#deps.onDataPath(null);
    await dataPath.close({ unpin });
  }

  /** With the kernel's programs if it takes them; without them rather than not at all. */
  async #apply(dataPath: DataPath, want: Wanted): Promise<void> {
    const spec: RulesetSpec = { ...want, refuseMark: this.#deps.refuseMark, xtPrograms: dataPath.xtPrograms };
    if (this.#applied !== null && JSON.stringify(this.#applied) === JSON.stringify(spec)) return;
    try {
      await this.#deps.ruleset.apply(spec);
      this.#applied = spec;
      this.#withoutXt = null;
    } catch (error: unknown) {
      if (spec.xtPrograms === null) throw error;
      const plain = { ...spec, xtPrograms: null };
      await this.#deps.ruleset.apply(plain);
      this.#applied = plain;
      this.#withoutXt = messageOf(error);
      this.#deps.logger.log('warning', 'the kernel refused the rules with programs; going on without them', { why: this.#withoutXt });
    }
  }

  /** Every minute: what failed is tried again, what somebody changed is put back. */
  #mend(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#again === null) return;
      if (this.#failure === null && this.#withoutXt === null && this.#applied !== null) {
        const found = await this.#deps.ruleset.check().catch((error: unknown) => ({ intact: false, detail: messageOf(error) }));
        if (found.intact) return;
        this.#deps.logger.log('warning', 'the rules in the kernel are not as they were left; putting them back', { found: found.detail });
      }
      this.#applied = null;
      await this.#attach(this.#again.settings, this.#again.mode);
    });
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #report(): void {
    const reasons: DegradedReason[] = [];
    if (this.#failure !== null) {
      reasons.push({ code: 'not-attached', text: `The firewall could not be attached: ${this.#failure}`, remedy: 'Mend what it says; bastionctl doctor helps to find it. The helper tries again every minute.' });
    }
    const byKernel = this.#dataPath?.identification === 'kernel';
    for (const { what, why } of this.#dataPath?.missing ?? []) {
      reasons.push({
        code: byKernel ? 'kernel-part' : 'kernel-identity',
        text: byKernel
          ? `The kernel refused ${what} (${why}); what it would have decided is decided by the helper, or asked about.`
          : `The kernel refused ${what} (${why}); programs are found through /proc, which a short-lived program can escape: it is then refused.`,
        remedy: 'Use a kernel with BTF and cgroup BPF, and without lockdown.',
      });
    }
    if (this.#dataPath?.missing.length === 0 && this.#dataPath.identification === 'sock_diag') {
      reasons.push({ code: 'kernel-identity', text: 'Programs are found through /proc because kernel identification is switched off.', remedy: 'Start the helper without --identification sock_diag.' });
    }
    if (this.#withoutXt !== null) {
      reasons.push({ code: 'kernel-decisions', text: `The kernel cannot decide by itself (${this.#withoutXt}); open flows pass by their state.`, remedy: 'Install iptables with the bpf match (xt_bpf).' });
    }
    this.#deps.onDegraded(reasons);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const next = this.#turn.then(work);
    this.#turn = next.catch(() => undefined);
    return next;
  }
}
