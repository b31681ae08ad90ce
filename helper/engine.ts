/**
 * Flow in, decision out. The engine sees only what nothing below could decide: it asks the rules, raises prompts, and tells
 * the data path what to remember. Whatever it cannot decide ends in refusal, by its own deadline or by the data path's.
 */
import { BastionError } from './contract/errors.ts';
import type { Answer, DegradedReason, Explanation, LoadError, Losses, RuleChange, RuleEdit, RuleInfo } from './contract/types.ts';
import type { Decision, KnownName, Mode, Rule } from './contract/vocabulary.ts';
import type {
  Additions, EngineApi, EngineEvents, EngineStatus, FlowPage, FlowRecord, ProfileView, PromptView, RulePreview, RuleSnapshot, RuleUse, SafeguardView,
  TrafficTotal,
} from './engine-api.ts';
import { Alarm } from './engine/alarm.ts';
import { completeAnswer } from './engine/answers.ts';
import type { FullAnswer } from './engine/answers.ts';
import { factsOf } from './engine/decide.ts';
import { ContainerDesk } from './engine/container-desk.ts';
import { Decider } from './engine/decider.ts';
import type { EngineDeps } from './engine/deps.ts';
import { Emitter } from './engine/emitter.ts';
import { evidenceText, lineageText, missedRule, nextText, programText } from './engine/explain-more.ts';
import { explanationParts } from './engine/explain-parts.ts';
import { explainFlow } from './engine/explain.ts';
import type { ForwardedContainers } from './engine/forwarding.ts';
import { FlowLog } from './engine/flow-log.ts';
import { Health } from './engine/health.ts';
import { HitSlots } from './engine/hit-slots.ts';
import { KernelFlows } from './engine/kernel-flows.ts';
import { IdentityDesk } from './engine/identity-desk.ts';
import { Ledger } from './engine/ledger.ts';
import { Lineage } from './engine/lineage.ts';
import { MemoryDesk } from './engine/memory-desk.ts';
import { Modes } from './engine/modes.ts';
import { NameDesk } from './engine/name-desk.ts';
import { ProfileDesk } from './engine/profile-desk.ts';
import { previewChanges } from './engine/preview.ts';
import { GRACE_NS, PromptDesk } from './engine/prompt-desk.ts';
import type { HeldPrompt } from './engine/prompt-desk.ts';
import { RuleBook } from './engine/rule-book.ts';
import { RuleDesk } from './engine/rule-desk.ts';
import { SafeguardDesk } from './engine/safeguard-desk.ts';
import { StateKeeper } from './engine/state-keeper.ts';
import { Totals } from './engine/totals.ts';
import type { Trial } from './engine/trial.ts';
import { Turn } from './engine/turn.ts';
import { answerDomains, answerRule, answerRuleId } from './prompt/answer-rule.ts';
import type {
  Ask, BuiltInRule, DataPath, DataPathEvents, DnsMessage, FlowEvent, HistoryFilter, HistoryTotal, IdentityNews, LoadedRules, TotalsBy, TotalsOf, TotalsRange,
} from './ports.ts';

export type { EngineDeps } from './engine/deps.ts';

/** How often rules of processes that have ended, and rules whose time is over, are looked for. */
const SWEEP_NS = 60_000_000_000n;

/** An answer that makes a rule. */
type LastingAnswer = Omit<FullAnswer, 'lifetime'> & { readonly lifetime: Exclude<FullAnswer['lifetime'], 'once'> };

/** The named default of a flow whose decision failed. */
const FAILED: Decision = { action: 'deny', reason: 'limit', ruleId: null };

export class Engine implements EngineApi, Omit<DataPathEvents, 'onPackets'> {
  readonly #deps: EngineDeps;
  readonly #emitter: Emitter;
  readonly #names: NameDesk;
  readonly #containers: ContainerDesk;
  readonly #identity: IdentityDesk;
  readonly #log: FlowLog;
  readonly #totals = new Totals();
  readonly #book = new RuleBook();
  readonly #decider: Decider;
  readonly #memory: MemoryDesk;
  readonly #health: Health;
  readonly #modes: Modes;
  readonly #profiles: ProfileDesk;
  readonly #rules: RuleDesk;
  readonly #prompts: PromptDesk;
  readonly #safeguard: SafeguardDesk;
  readonly #lineage: Lineage;
  readonly #kernelFlows: KernelFlows;
  readonly #state: StateKeeper;
  readonly #sweepAlarm: Alarm;
  readonly #stops: readonly (() => void)[];
  /** Programs are being looked up for `#programsChanged`; what it is told meanwhile waits. */
  #looking = false;
  #news: IdentityNews | null = null;
  #dataPath: DataPath | null = null;
  /** What the zones of interfaces rested on when decisions were last taken anew for that. */
  #assigned = '[]';
  #otherLosses: () => Losses = () => ({});

  constructor(deps: EngineDeps) {
    this.#deps = deps;
    this.#names = new NameDesk(deps.names, deps.users);
    const namesOf = (ask: Ask): readonly KnownName[] => this.#names.namesOf(ask, ask.heldAtNs);
    this.#containers = new ContainerDesk({ containers: deps.containers, signs: deps.containerSigns, clock: deps.clock, schedule: deps.schedule });
    this.#log = new FlowLog(namesOf, deps.history ?? null, undefined, (ask) => this.#containers.of(ask));
    const { book, log } = { book: this.#book, log: this.#log };
    const ledger = new Ledger({ users: deps.users });
    const slots = new HitSlots();
    this.#decider = new Decider({
      book, log, ledger, slots, trustNewFiles: deps.trustNewFiles === true, gave: (...asked) => this.#names.gave(...asked),
    });
    this.#health = new Health(deps.clock);
    this.#emitter = new Emitter(deps.logger);
    this.#state = new StateKeeper(deps, () => ({
      rules: this.#book.temporary(),
      pausedUntilNs: this.#modes.pausedUntilNs,
      trial: this.#modes.trial,
      inbox: this.#prompts.kept(),
      wall: this.#modes.wall,
      profile: this.#profiles.chosen,
      openFlows: this.#log.open.kept(),
    }));
    this.#modes = new Modes({
      deps,
      sharesNetwork: this.#containers.sharesNetwork,
      onChanged: () => { this.#modeChanged(); },
      onTrialOver: (trial) => { this.onTrialOver(trial); },
    });
    this.#profiles = new ProfileDesk(deps.networks, () => this.#modes.zones.connected, () => { this.#profileChanged(); });
    this.#identity = new IdentityDesk({
      identities: deps.identities,
      logger: deps.logger,
      onKnown: (ask) => { this.#run((turn) => { this.#guarded(ask, turn, () => { this.#decide(ask, turn); }); }); },
    });
    this.#memory = new MemoryDesk({
      deps, book, modes: this.#modes, decider: this.#decider, ledger, slots,
      again: (ask) => this.#identity.again(ask),
      within: (held) => this.#containers.again(held),
      containersDigest: (patterns) => this.#containers.digest(patterns),
      onDue: () => { this.#run((turn) => { this.#memory.renew(turn); }); },
    });
    this.#rules = new RuleDesk({
      deps,
      book,
      onChanged: () => { this.#rulesChanged(); },
      onLoaded: (loaded, prepared) => { this.#loaded(loaded, () => { this.#book.replace(prepared); }); },
    });
    this.#lineage = new Lineage(deps);
    this.#kernelFlows = new KernelFlows({
      deps, log, slots,
      lineage: this.#lineage,
      onFlows: (flows, ends, ended) => {
        if (flows.length > 0) this.#emitter.emit('flows', flows);
        if (ends.length > 0) this.#emitter.emit('flowsEnded', ends, ended);
      },
    });
    this.#prompts = new PromptDesk({
      deps,
      modes: this.#modes,
      log,
      lineage: this.#lineage,
      namesOf,
      onDue: () => { this.#run((turn) => { this.#prompts.expire(turn); }); },
      onInbox: () => { this.#state.save(); },
    });
    this.#safeguard = new SafeguardDesk({ deps, modes: this.#modes, log, onChanged: () => { this.#emitter.emit('statusChanged'); } });
    this.#sweepAlarm = new Alarm(deps.schedule, () => { this.#sweep(); });
    this.#stops = [
      deps.sessions.onChanged(() => { this.#sessionsChanged(); }),
      deps.identities.onChanged((news) => void this.#programsChanged(ledger, news)),
      deps.lists.onChanged(() => { this.#rulesChanged(); }),
      deps.networks.onChanged(() => { this.#profiles.look(); }),
      this.#containers.onChanged(() => { this.#containersChanged(); }),
      deps.links?.onChanged(() => { this.#linksChanged(); }) ?? (() => undefined),
    ];
  }

  /** Takes over what an earlier run of the helper left until the machine restarts. Once, before the first rules are loaded. */
  async restore(): Promise<void> {
    const kept = await this.#state.load();
    if (kept === null) return;
    this.#modes.restore(kept.pausedUntilNs, kept.wall, kept.trial);
    for (const rule of kept.rules) if (!this.#book.has(rule.id)) this.#book.put(rule);
    this.#prompts.restore(kept.inbox);
    this.#profiles.restore(kept.profile);
    this.#log.open.restore(kept.openFlows);
    this.#armSweep();
  }

  /** The data path that calls this engine, or null when the hooks were taken off: everything held there is gone. */
  attach(dataPath: DataPath | null): void {
    this.#run((turn) => { this.#prompts.withdrawAll(turn); });
    this.#identity.clear();
    this.#dataPath = dataPath;
    this.#totals.attach(dataPath);
    this.#health.setQueue(true, '');
    dataPath?.setDefaultVerdict(this.#modes.defaultVerdict);
    this.#memory.attach(dataPath);
    this.#emitter.emit('statusChanged');
  }

  /** Shown in lists; netfilter evaluates them. */
  setBuiltIn(rules: readonly BuiltInRule[]): void {
    this.#book.setBuiltIn(
      rules.map(({ id, name }) => ({
        id, name, action: 'allow', enabled: true, match: {}, lifetime: 'always', priority: 0, tier: 'built-in', group: '',
        created: 0, source: null,
      })),
    );
    this.#emitter.emit('rulesChanged');
  }

  onAsks(asks: readonly Ask[]): void {
    this.#run((turn) => {
      for (const ask of asks) this.#take(ask, turn);
    });
  }

  onEnded(ids: readonly number[]): void {
    this.#identity.ended(ids);
    this.#run((turn) => { this.#prompts.ended(ids, turn); });
  }

  onDns(messages: readonly DnsMessage[]): void {
    this.#names.take(messages);
  }

  onFlows(events: readonly FlowEvent[]): void {
    this.#kernelFlows.take(events);
  }

  /** What was not told yet of a data path that is to be closed. */
  onLastFlows(events: readonly FlowEvent[]): void {
    this.#kernelFlows.take(events);
    this.#kernelFlows.finish();
  }

  onQueueReady(ready: boolean, message: string): void {
    this.#health.setQueue(ready, message);
    this.#deps.logger.log(ready ? 'info' : 'error', 'packet queue', { ready, message });
    this.#emitter.emit('statusChanged');
  }

  /** What parts outside of the engine had to leave out. */
  countLosses(losses: () => Losses): void {
    this.#otherLosses = losses;
  }

  #losses(): Losses {
    const others = this.#otherLosses();
    return {
      ...others,
      prompts_over_limit: this.#prompts.refusedByLimit,
      identities_refused: (others.identities_refused ?? 0) + this.#identity.overLimit,
    };
  }

  status(): EngineStatus {
    return this.#health.status({
      dataPath: this.#dataPath,
      modes: this.#modes,
      prompts: this.#prompts.counts,
      safeguard: { ...this.#safeguard.counts, on: this.#safeguard.isOn },
      names: this.#names.counts,
      rules: this.#book.size,
      memoryLost: this.#memory.lost,
      history: this.#deps.history?.status() ?? null,
      flowsLost: this.#kernelFlows.lost,
      losses: this.#losses(),
    });
  }

  onEvents(events: Partial<EngineEvents>): () => void {
    return this.#emitter.add(events);
  }

  setLoaded(loaded: LoadedRules): void {
    this.#loaded(loaded, () => { this.#book.setLoaded(loaded.rules, loaded.groupsOff); });
  }

  #loaded(loaded: LoadedRules, putInPlace: () => void): void {
    this.#modes.setSettings(loaded.settings);
    this.#assigned = JSON.stringify(this.#modes.zones.assigned);
    this.#safeguard.refresh();
    putInPlace();
    this.#profiles.setSettings(loaded.settings);
    this.#book.setProfile(this.#profiles.active);
    this.#rulesChanged();
    this.#dataPath?.setDefaultVerdict(this.#modes.defaultVerdict);
    this.#emitter.emit('statusChanged');
  }

  /**
   * Loads from the store and calls `setLoaded`, in one order with the engine's own writes, so that a rule which is being
   * written is never lost to a load that began before. What SIGHUP, Reload and the watch of the files call.
   */
  reload(): Promise<readonly LoadError[]> {
    return this.#rules.reload();
  }

  /** `fromOff`: a trial ends with the firewall off again. Resolves when a trial is kept for the helper that follows this one. */
  setMode(mode: Mode, confirmMs?: number, fromOff = false): Promise<void> {
    return this.#rules.inOrder(async () => {
      if (confirmMs !== undefined) {
        this.#modes.try(mode, confirmMs, fromOff);
        await this.#state.flushed();
        return;
      }
      if (mode !== this.#modes.settings.mode) await this.#deps.store.setMode(mode);
      this.#modes.confirm(mode);
    });
  }

  /** The mode on trial, null for none. */
  get trial(): Trial | null {
    return this.#modes.trial;
  }

  /** May undecided packets pass while nobody decides? */
  get failsOpen(): boolean {
    return this.#modes.failsOpen;
  }

  /** See `Modes.settingsFailOpen`. */
  get settingsFailOpen(): boolean {
    return this.#modes.settingsFailOpen;
  }

  /** Back to the mode of the settings. */
  endTrial(): void {
    this.#modes.endTrial();
  }

  /** For whoever turns the firewall off again; told before the mode is another one. */
  onTrialOver: (trial: Trial) => void = () => undefined;

  pause(ms: number): void {
    this.#modes.pause(ms);
  }

  resume(): void {
    this.#modes.resume();
  }

  safeguard(): SafeguardView | null {
    return this.#safeguard.view();
  }

  endSafeguard(): void {
    this.#safeguard.end();
  }

  /** Mode, pause and rules in memory as they are now are on the disk: a helper that is killed from here on comes back with them. */
  kept(): Promise<void> {
    return this.#state.flushed();
  }

  /** Rules that somebody had changed were put back. */
  onRulesMended(): void {
    this.#health.countMend();
  }

  setDegraded(reasons: readonly DegradedReason[]): void {
    if (this.#health.setDegraded(reasons)) this.#emitter.emit('statusChanged');
  }

  /** Does a rule in force name a hash? Then every program is hashed before it is decided. */
  get wantsHash(): boolean {
    return this.#book.index.wantsHash;
  }

  /** Does a rule in force name a container? */
  get namesContainers(): boolean {
    return this.#book.sum.containers.length > 0;
  }

  profiles(): readonly ProfileView[] {
    return this.#profiles.views();
  }

  activeProfile(): string | null {
    return this.#profiles.active;
  }

  chooseProfile(id: string | null): void {
    this.#profiles.choose(id);
    this.#state.save();
    this.#emitter.emit('statusChanged');
  }

  rules(): readonly RuleUse[] {
    this.#memory.countHits();
    return this.#rules.uses();
  }

  ruleInfos(): readonly RuleInfo[] {
    this.#memory.countHits();
    return this.#rules.infos();
  }

  /** Every rule, in no order: for what looks at all of them. */
  allRules(): Iterable<Rule> {
    return this.#book.all();
  }

  /** Whose forwarded packets are whose, for netfilter. */
  get forwardedContainers(): ForwardedContainers {
    return this.#containers;
  }

  exportRules(): Promise<string> {
    return this.#rules.inOrder(() => this.#deps.store.exportText());
  }

  addRule(edit: RuleEdit, forUid?: number): Promise<string> {
    return this.#rules.add(edit, forUid);
  }

  updateRule(id: string, edit: RuleEdit): Promise<void> {
    return this.#rules.update(id, edit);
  }

  removeRule(id: string): Promise<void> {
    return this.#rules.remove(id);
  }

  setGroup(group: string, enabled: boolean): Promise<void> {
    return this.#rules.setGroup(group, enabled);
  }

  previewRule(edit: RuleEdit): RuleInfo {
    return this.#rules.preview(edit);
  }

  addRules(additions: Additions): Promise<readonly string[]> {
    return this.#rules.addAll(additions);
  }

  prompts(): readonly PromptView[] {
    return this.#prompts.views();
  }

  promptByNonce(nonce: string): PromptView {
    return this.#prompts.view(this.#prompts.byNonce(nonce));
  }

  renewPrompt(nonce: string): number {
    let leftMs = 0;
    this.#run((turn) => { leftMs = this.#prompts.renew(nonce, turn); });
    return leftMs;
  }

  dismissPrompts(nonces: readonly string[]): number {
    let count = 0;
    this.#run((turn) => { count = this.#prompts.dismiss(nonces, turn); });
    return count;
  }

  async answer(nonce: string, answer: Answer): Promise<{ readonly ruleId: string | null; readonly flows: number }> {
    const prompt = this.#prompts.byNonce(nonce);
    const wallMs = this.#deps.clock.wallMs();
    const full = completeAnswer(answer, this.#prompts.choices(prompt), prompt.status === 'expired', wallMs);
    const session = full.lifetime === 'session' ? await this.#sessionOf(prompt) : null;
    const { lifetime } = full;
    const rules = lifetime === 'once' ? [] : this.#answerRules(prompt, { ...full, lifetime }, session, wallMs);
    const [rule = null] = rules;
    if (rule !== null) this.#room(rule, rules.length);
    let flows = 0;
    this.#run((turn) => {
      const claimed = this.#prompts.claim(nonce, turn);
      if (claimed === null) throw new BastionError('PromptGone');
      if (rules.length > 0) this.#putRules(rules, turn);
      const { name } = prompt.question;
      for (const held of claimed.flows) {
        const own = rules.find(({ match }) => match.address === held.ask.tuple.destinationAddress) ?? rule;
        this.#decider.resolve(held, { action: full.action, rule: own, name }, turn);
      }
      flows = claimed.flows.length;
    });
    await Promise.all(rules.map((one) => this.#rules.write(one)));
    return { ruleId: rule?.id ?? null, flows };
  }

  snapshot(): RuleSnapshot {
    this.#memory.countHits();
    const rules = [...this.#book.all()];
    return {
      rules,
      inForce: new Set(rules.filter((rule) => this.#book.isInForce(rule)).map(({ id }) => id)),
      lastUsedMs: new Map(rules.map(({ id }) => [id, this.#book.use(id).lastHitMs])),
      settings: { ...this.#modes.settings, interfaces: this.#modes.zones.interfaces },
    };
  }

  previewRules(changes: readonly RuleChange[]): RulePreview {
    return previewChanges(changes, {
      rule: (id) => this.#book.get(id),
      isInForce: (rule) => this.#book.isInForce(rule),
      users: this.#deps.users,
      nowMs: this.#deps.clock.wallMs(),
    });
  }

  recentFlows(): Iterable<FlowRecord> {
    return this.#log.recent();
  }

  flows(filter: HistoryFilter, limit: number, cursor: string): Promise<FlowPage> {
    return this.#log.page(filter, limit, cursor);
  }

  flow(id: string): Promise<FlowRecord | null> {
    return this.#log.find(id);
  }

  async historyTotals(range: TotalsRange, by: TotalsBy, of: TotalsOf, limit: number): Promise<readonly HistoryTotal[]> {
    return (await this.#deps.history?.totals(range, by, of, limit)) ?? [];
  }

  flowNumbers(filter: HistoryFilter, cursor: string): ReturnType<EngineApi['flowNumbers']> {
    return this.#log.numbers(filter, cursor);
  }

  flowGroups(filter: HistoryFilter, by: 'application' | 'destination', limit: number): ReturnType<EngineApi['flowGroups']> {
    return this.#log.groups(filter, by, limit);
  }

  historyState(): ReturnType<EngineApi['historyState']> {
    const history = this.#deps.history ?? null;
    return history === null ? null : { settings: history.settings, failure: history.status().failure };
  }

  clearHistory(): Promise<void> {
    return this.#log.clear();
  }

  async explain(flowId: string): Promise<Explanation> {
    const record = await this.#log.find(flowId);
    if (record === null) throw new BastionError('NotFound', 'This flow is not in the history.');
    const { decision, nextRuleId } = record;
    const rule = decision.ruleId === null ? null : this.#book.get(decision.ruleId);
    const next = nextRuleId === null ? null : this.#book.get(nextRuleId);
    const then = { index: this.#book.index, moment: this.#modes.momentOf(record.timeMs) };
    return {
      flow: flowId,
      text: explainFlow(record, rule, next),
      action: decision.action,
      reason: decision.reason,
      rule_id: decision.ruleId ?? '',
      next_rule_id: nextRuleId ?? '',
      program: programText(record),
      lineage: lineageText(record),
      evidence_text: evidenceText(record),
      next_text: nextText(record, rule, next, then),
      ...explanationParts(record, { rule, next, missed: missedRule(record, then), users: this.#deps.users }),
    };
  }

  totals(): readonly TrafficTotal[] {
    return this.#totals.rows(this.#deps.clock.bootNs());
  }

  userName(uid: number): string {
    return this.#deps.users.name(uid);
  }

  async stop(): Promise<void> {
    this.#run((turn) => { this.#prompts.withdrawAll(turn); });
    this.#dataPath = null;
    for (const stop of this.#stops) stop();
    this.#identity.clear();
    this.#sweepAlarm.set(null);
    this.#prompts.close();
    this.#safeguard.close();
    this.#memory.close();
    this.#modes.close();
    await this.#rules.inOrder(() => Promise.resolve());
    this.#state.save();
    await this.#state.flushed();
  }

  /** One turn: read the clocks, decide, tell the data path, then tell listeners. */
  #run(work: (turn: Turn) => void): void {
    const instant = this.#modes.instant();
    const turn = new Turn(instant, this.#modes.posture(), this.#modes.pausedUntilNs, this.#modes.trialTerms);
    try {
      work(turn);
    } finally {
      turn.finish(this.#dataPath, this.#emitter);
      this.#memory.follow();
    }
  }

  /** A flow that cannot even be looked at is refused, and the others of its turn go on. */
  #take(ask: Ask, turn: Turn): void {
    this.#guarded(ask, turn, () => {
      const known = this.#identity.take(this.#containers.named({ ...ask, attribution: this.#lineage.attribute(ask.attribution) }));
      if (known !== null) this.#decide(known, turn);
      else if (ask.held) turn.batch.hold(ask.id, turn.instant.bootNs + this.#modes.promptTimeoutNs + GRACE_NS);
    });
  }

  #decide(ask: Ask, turn: Turn): void {
    const held = { ask, facts: factsOf(ask, this.#names.namesOf(ask, ask.heldAtNs), this.#containers.of(ask)) };
    if (this.#decider.tryDecide(held, turn) || this.#safeguard.refuses(ask, held.facts, turn) || this.#prompts.hold(ask, held.facts, turn)) return;
    const decision: Decision = { action: 'deny', reason: 'limit', ruleId: null };
    turn.batch.verdict(ask.id, decision);
    turn.record(this.#log, ask, decision, null);
  }

  #guarded(ask: Ask, turn: Turn, work: () => void): void {
    try {
      work();
    } catch (error: unknown) {
      turn.batch.verdict(ask.id, FAILED);
      this.#deps.logger.log('error', 'a flow could not be decided and was refused', { error: String(error) });
    }
  }

  #reconsider(turn: Turn): void {
    this.#prompts.reconsider((held, current) => {
      const ask = this.#identity.again(held.ask);
      const known = ask === null || ask === held.ask ? held : { ask, facts: factsOf(ask, held.facts.names, held.facts.containers) };
      return this.#decider.tryDecide(this.#containers.again(known), current);
    }, turn);
  }

  /** What rests on programs of which there is news is decided again, as soon as what is to be known of them is. */
  async #programsChanged(ledger: Ledger, news: IdentityNews): Promise<void> {
    if (news === 'different' || this.#news === null) this.#news = news;
    if (this.#looking) return;
    this.#looking = true;
    for (let next = this.#takeNews(); next !== null; next = this.#takeNews()) {
      const told = next;
      await this.#identity.lookUp([...ledger.all().map(({ held }) => held.ask), ...this.#prompts.asks()]);
      this.#run((turn) => {
        this.#memory.refreshAll(turn, told);
        this.#reconsider(turn);
      });
    }
    this.#looking = false;
  }

  #takeNews(): IdentityNews | null {
    const news = this.#news;
    this.#news = null;
    return news;
  }

  #rulesChanged(): void {
    this.#run((turn) => { this.#decideAgain(turn); });
    this.#emitter.emit('rulesChanged');
  }

  /** What the kernel remembers, and what waits, is decided by the rules as they are now. */
  #decideAgain(turn: Turn): void {
    this.#book.retireOver(turn.instant.moment.nowMs);
    this.#memory.refresh(turn);
    this.#reconsider(turn);
    this.#armSweep();
    this.#state.save();
  }

  #modeChanged(): void {
    this.#dataPath?.setDefaultVerdict(this.#modes.defaultVerdict);
    this.#run((turn) => { this.#decideAgain(turn); });
    this.#emitter.emit('statusChanged');
  }

  /** Containers that no rule names change nothing that was decided; what netfilter is to hold may follow. */
  #containersChanged(): void {
    if (this.#book.sum.containers.length === 0) return;
    this.#run((turn) => { this.#decideAgain(turn); });
    this.#emitter.emit('statusChanged');
  }

  /** Interfaces came, went, or are others: a zone may be another interface's, a profile may be recognized. */
  #linksChanged(): void {
    const assigned = JSON.stringify(this.#modes.zones.assigned);
    if (assigned !== this.#assigned) {
      this.#assigned = assigned;
      this.#run((turn) => { this.#decideAgain(turn); });
    }
    this.#profiles.look();
  }

  #profileChanged(): void {
    const profile = this.#profiles.active;
    this.#deps.logger.log('info', 'another profile is active', { profile: profile ?? '' });
    this.#book.setProfile(profile);
    this.#rulesChanged();
    this.#emitter.emit('statusChanged');
  }

  #putRules(rules: readonly Rule[], turn: Turn): void {
    for (const rule of rules) this.#book.put(rule);
    this.#decideAgain(turn);
    turn.later((emitter) => { emitter.emit('rulesChanged'); });
  }

  /** One rule; where the answer is for a host that has several addresses, one for each that a flow of the prompt goes to. */
  #answerRules(prompt: HeldPrompt, full: LastingAnswer, session: string | null, created: number): readonly Rule[] {
    const domains = answerDomains(prompt.question, full.scope);
    const byAddress = full.scope === 'host' && domains[0] === null;
    const questions = byAddress ? this.#prompts.questionsOf(prompt) : [prompt.question];
    return questions.flatMap((question) => domains.map((domain) => {
      const id = this.#rules.newId((suffix) => answerRuleId(question, full.scope, suffix, domain));
      return answerRule(question, { ...full, domain, session, id, created });
    }));
  }

  /** Makes room among the rules in memory before it says that there is none. */
  #room(rule: Rule, count: number): void {
    this.#rules.sweep(this.#modes.sessions);
    this.#rules.checkRoom(rule, count);
  }

  /** The session that an answer `this session` means: the process's own, else one of its user. */
  async #sessionOf({ question: { owner } }: HeldPrompt): Promise<string> {
    const own = await this.#deps.sessions.ofProcess(owner.pid);
    const ofUser = this.#deps.sessions.list().filter((session) => session.uid === owner.uid);
    const session = own ?? ofUser.find((one) => one.active) ?? ofUser[0];
    if (session === undefined) throw new BastionError('InvalidArgument', 'lifetime: this program belongs to no login session.');
    return session.id;
  }

  #sessionsChanged(): void {
    const before = this.#modes.sessions;
    this.#modes.refreshSessions();
    const after = this.#modes.sessions;
    const same = before.size === after.size && [...before].every((id) => after.has(id));
    if (same || !this.#book.temporary().some((rule) => rule.match.session !== undefined)) return;
    this.#rules.sweep(after);
    this.#rulesChanged();
  }

  #sweep(): void {
    if (this.#rules.sweep(this.#modes.sessions)) this.#rulesChanged();
    else this.#armSweep();
  }

  #armSweep(): void {
    const needed = this.#book.temporary().some((rule) => rule.match.process !== undefined);
    if (!needed) this.#sweepAlarm.set(null);
    else if (!this.#sweepAlarm.isSet) this.#sweepAlarm.set(this.#deps.clock.bootNs() + SWEEP_NS);
  }
}
