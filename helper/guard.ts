/**
 * Attaches the firewall to this machine and takes it off again: packet queue, kernel programs and netfilter rules, always in
 * the order in which no undecided packet leaves. Knows what is missing and says so.
 */
import type { Check, DegradedReason } from './contract/types.ts';
import { degradedReasons } from './degraded.ts';
import { applyWhatGoes } from './guard-apply.ts';
import { PinWatch } from './pin-watch.ts';
import type { DataPath, DataPathHealth, ForwardSpec, InboundSpec, Logger, Ruleset, RulesetSpec, Settings } from './ports.ts';
import { RulesetWatch } from './ruleset-watch.ts';

/** A full turn of the receiver thread that is older than this counts as hung. It turns at least once a second. */
const THREAD_TURN_LIMIT_NS = 3_000_000_000n;
/** How often the rules in the kernel are compared with ours even if nobody told of a change. */
const RULESET_CHECK_MS = 60_000;
/** What could not be put in place is tried again after this, and after twice as long each time, up to the check above. */
const FIRST_RETRY_MS = 1000;
/** A tool that takes our rules away again and again gets one line of the journal in this time. */
const MEND_LINE_MS = 10_000;

export interface GuardDeps {
  readonly logger: Logger;
  readonly ruleset: Ruleset;
  readonly refuseMark: number;
  /** Opens the queue and the kernel programs; throws when the queue cannot be had. */
  openDataPath(settings: Settings): DataPath;
  /** Takes away the kernel programs that an earlier helper left, where this one has opened none. */
  removePins(): void;
  /** Hands the open data path to the engine; null when it was closed. */
  onDataPath(dataPath: DataPath | null): void;
  onDegraded(reasons: readonly DegradedReason[]): void;
  /** Pins that somebody took away cannot be put back. */
  onPinsFailed?(): void;
  /** Rules that somebody had changed were put back. */
  onMended(): void;
  bootNs(): bigint;
}

/** What the rules depend on besides the data path. */
interface Wanted {
  readonly queueNumber: number;
  readonly bypass: boolean;
  readonly forward?: ForwardSpec;
  readonly inbound?: InboundSpec;
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
  #afterChange = false;
  #forward: ForwardSpec | null = null;
  #inbound: InboundSpec | null = null;
  /** Why the rules are in force without those for what comes in. */
  #withoutInbound: string | null = null;
  /** What the last `align` wanted, for the next try. */
  #again: { readonly settings: Settings; readonly bypass: boolean } | null = null;
  #timer: NodeJS.Timeout | null = null;
  #retry: NodeJS.Timeout | null = null;
  #retryMs = FIRST_RETRY_MS;
  readonly #watch: RulesetWatch;
  readonly #pins: PinWatch;
  /** Mends that the journal has not told of yet, and when it last did. */
  #unsaid = 0;
  #saidMs = Number.NEGATIVE_INFINITY;
  /** Changes of the kernel's state run one after the other. */
  #turn: Promise<void> = Promise.resolve();

  constructor(deps: GuardDeps) {
    this.#deps = deps;
    this.#pins = new PinWatch({
      logger: deps.logger,
      nowMs: () => performance.now(),
      dataPath: () => this.#dataPath,
      onFailure: () => {
        this.#report();
        if (this.#pins.failure !== null) deps.onPinsFailed?.();
      },
    });
    this.#watch = new RulesetWatch({
      ruleset: deps.ruleset,
      logger: deps.logger,
      nowMs: () => performance.now(),
      look: async (by) => {
        let mended = false;
        await this.#inTurn(async () => { mended = await this.#putBack(by); });
        return mended;
      },
    });
  }

  get attached(): boolean {
    return this.#dataPath !== null;
  }

  /** What of forwarded packets is held from the next `align` on; null: they are not looked at. */
  setForward(forward: ForwardSpec | null): void {
    this.#forward = forward;
  }

  /** What of what comes in is refused from the next `align` on; null: it is not looked at. */
  setInbound(inbound: InboundSpec | null): void {
    this.#inbound = inbound;
  }

  /** Are rules for what comes in in force? */
  get holdsInbound(): boolean {
    return this.#applied?.inbound !== undefined;
  }

  /**
   * Brings the kernel to what settings want; `bypass`: undecided packets pass while nobody listens to the queue. Opens the data path when it is not open. The queue listens before the
   * rules send to it, and the rules are replaced atomically, so that nothing undecided leaves at any time. Never rejects: what
   * cannot be attached is told as a reason of the state, and tried again.
   */
  align(settings: Settings, bypass: boolean): Promise<void> {
    return this.#inTurn(async () => {
      this.#again = { settings, bypass };
      this.#timer ??= setInterval(() => void this.#checkAll(), RULESET_CHECK_MS).unref();
      // Before the rules are there, so that no change of them is missed.
      this.#watch.start();
      await this.#attach(settings, bypass);
      this.#pins.start();
    });
  }

  /** What answers now; null while nothing is attached. */
  health(): DataPathHealth | null {
    return this.#dataPath?.health() ?? null;
  }

  /**
   * Queue, kernel programs and rules anew, where one of them has gone although nobody took it away. What cannot be had then is
   * told and tried again as ever. Never rejects.
   */
  renew(): Promise<void> {
    return this.#inTurn(async () => {
      const again = this.#again;
      if (again === null) return;
      await this.#closeDataPath(false);
      await this.#attachAnew(again);
    });
  }

  /**
   * Takes everything away: rules first, so that nothing is sent to a queue without a listener. Rejects where rules could not be
   * removed; the rest has gone all the same, because half of it would let nobody out.
   */
  detach(): Promise<void> {
    return this.#inTurn(async () => {
      this.#stopTimer();
      this.#again = null;
      this.#failure = null;
      this.#withoutInbound = null;
      const [removed] = await Promise.allSettled([this.#deps.ruleset.remove()]);
      this.#applied = null;
      if (this.#dataPath === null) this.#deps.removePins();
      await this.#closeDataPath(true);
      this.#report();
      if (removed.status === 'rejected') throw removed.reason;
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

  async #attach(settings: Settings, bypass: boolean): Promise<void> {
    try {
      if (this.#queueNumber !== settings.queueNumber) await this.#closeDataPath(false);
      this.#dataPath ??= this.#open(settings);
      await this.#apply(this.#dataPath, this.#wanted(settings, bypass));
      this.#failure = null;
      this.#afterChange = false;
    } catch (error: unknown) {
      this.#failure = messageOf(error);
      this.#deps.logger.log('error', 'the firewall could not be attached', { why: this.#failure });
    }
    this.#arrangeRetry();
    this.#report();
  }

  #wanted(settings: Settings, bypass: boolean): Wanted {
    return {
      queueNumber: settings.queueNumber, bypass,
      ...(this.#forward === null ? {} : { forward: this.#forward }), ...(this.#inbound === null ? {} : { inbound: this.#inbound }),
    };
  }

  #open(settings: Settings): DataPath {
    const dataPath = this.#deps.openDataPath(settings);
    this.#queueNumber = settings.queueNumber;
    if (dataPath.discarded !== '') {
      this.#deps.logger.log('warning', 'what an earlier helper had let the kernel remember is left; open flows are asked about again', { why: dataPath.discarded });
    }
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
    const applied = await applyWhatGoes(this.#deps.ruleset, spec);
    this.#applied = applied.spec;
    this.#withoutXt = applied.withoutXt;
    this.#withoutInbound = applied.withoutInbound;
    dataPath.setRecorder(applied.spec.xtPrograms !== null);
    if (applied.withoutXt !== null) {
      this.#deps.logger.log('warning', 'the kernel refused the rules with programs; going on without them', { why: applied.withoutXt });
    }
    if (applied.withoutInbound !== null) {
      this.#deps.logger.log('error', 'the kernel refused the rules for what comes in; going on without them', { why: applied.withoutInbound });
    }
  }

  /** Every minute: what failed is tried again, what somebody changed unseen is put back. */
  #checkAll(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#again === null) return;
      this.#watch.start();
      if (this.#whole && this.#complete) await this.#putBack('somebody');
      else await this.#attachAnew(this.#again);
      this.#sayMended('', '');
    });
  }

  get #complete(): boolean {
    return this.#withoutXt === null && this.#withoutInbound === null;
  }

  get #whole(): boolean {
    return this.#failure === null && this.#applied !== null;
  }

  /** What could not be attached is left to the retry: a change by somebody else is no reason to try more often. */
  async #putBack(by: string): Promise<boolean> {
    if (this.#again === null || !this.#whole) return false;
    // The rules name pinned programs.
    this.#pins.look();
    try {
      const { mended, detail } = await this.#deps.ruleset.mend();
      if (!mended) return false;
      this.#unsaid += 1;
      this.#deps.onMended();
      this.#sayMended(detail, by);
      return true;
    } catch (error: unknown) {
      this.#deps.logger.log('error', 'the rules were changed and could not be put back; attaching anew', { by, why: messageOf(error) });
      this.#afterChange = true;
      await this.#attachAnew(this.#again);
      return true;
    }
  }

  async #attachAnew({ settings, bypass }: { readonly settings: Settings; readonly bypass: boolean }): Promise<void> {
    this.#applied = null;
    await this.#attach(settings, bypass);
  }

  #sayMended(found: string, by: string): void {
    const nowMs = performance.now();
    if (this.#unsaid === 0 || nowMs - this.#saidMs < MEND_LINE_MS) return;
    this.#deps.logger.log('warning', 'the firewall rules were changed by somebody else and put back', { by, found, times: this.#unsaid });
    this.#unsaid = 0;
    this.#saidMs = nowMs;
  }

  /** Soon after a failure, then less and less often; a change of another tool may have come in between. */
  #arrangeRetry(): void {
    if (this.#failure === null && this.#complete) {
      this.#stopRetry();
      return;
    }
    if (this.#retry !== null || this.#retryMs >= RULESET_CHECK_MS) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#retryMs *= 2;
      void this.#inTurn(async () => {
        if (this.#again !== null && !(this.#whole && this.#complete)) await this.#attachAnew(this.#again);
      });
    }, this.#retryMs).unref();
  }

  #stopRetry(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    this.#retryMs = FIRST_RETRY_MS;
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#watch.stop();
    this.#pins.stop();
    this.#stopRetry();
  }

  #report(): void {
    this.#deps.onDegraded(degradedReasons({
      failure: this.#failure,
      afterChange: this.#afterChange,
      dataPath: this.#dataPath,
      withoutXt: this.#withoutXt,
      withoutInbound: this.#withoutInbound,
      unwatched: this.#watch.failure,
      pinsLost: this.#pins.failure,
    }));
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const next = this.#turn.then(work);
    this.#turn = next.catch(() => undefined);
    return next;
  }
}
