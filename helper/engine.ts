/**
 * Flow in, decision out. The engine sees only what nothing below could decide: it asks the rules, raises prompts, and tells
 * the data path what to remember. Whatever it cannot decide ends in refusal, by its own deadline or by the data path's.
 */
import { BastionError } from './contract/errors.ts';
import type { Answer, DegradedReason, Explanation, LoadError, RuleEdit, RuleInfo } from './contract/types.ts';
import type { Decision, KnownName, Mode, Rule } from './contract/vocabulary.ts';
import type { EngineApi, EngineEvents, EngineStatus, FlowRecord, PromptView, RuleUse, TrafficTotal } from './engine-api.ts';
import { Alarm } from './engine/alarm.ts';
import { completeAnswer } from './engine/answers.ts';
import type { FullAnswer } from './engine/answers.ts';
import { factsOf } from './engine/decide.ts';
import { Decider } from './engine/decider.ts';
import type { EngineDeps } from './engine/deps.ts';
import { Emitter } from './engine/emitter.ts';
import { explainFlow } from './engine/explain.ts';
import { FlowLog } from './engine/flow-log.ts';
import type { FlowFilter } from './engine/flow-log.ts';
import { Health } from './engine/health.ts';
import { HitSlots } from './engine/hit-slots.ts';
import { Ledger } from './engine/ledger.ts';
import { MemoryDesk } from './engine/memory-desk.ts';
import { Modes } from './engine/modes.ts';
import { NameDesk } from './engine/name-desk.ts';
import { PromptDesk } from './engine/prompt-desk.ts';
import type { HeldPrompt } from './engine/prompt-desk.ts';
import { RuleBook } from './engine/rule-book.ts';
import { RuleDesk } from './engine/rule-desk.ts';
import { StateKeeper } from './engine/state-keeper.ts';
import { Totals } from './engine/totals.ts';
import { Turn } from './engine/turn.ts';
import { answerRule, answerRuleId } from './prompt/answer-rule.ts';
import type { Ask, BuiltInRule, DataPath, DataPathEvents, DnsMessage, LoadedRules } from './ports.ts';

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
  readonly #log: FlowLog;
  readonly #totals = new Totals();
  readonly #book = new RuleBook();
  readonly #decider: Decider;
  readonly #memory: MemoryDesk;
  readonly #health: Health;
  readonly #modes: Modes;
  readonly #rules: RuleDesk;
  readonly #prompts: PromptDesk;
  readonly #state: StateKeeper;
  readonly #sweepAlarm: Alarm;
  readonly #stopSessions: () => void;
  #dataPath: DataPath | null = null;

  constructor(deps: EngineDeps) {
    this.#deps = deps;
    this.#names = new NameDesk(deps.names, deps.users);
    const namesOf = (ask: Ask): readonly KnownName[] => this.#names.namesOf(ask, ask.heldAtNs);
    this.#log = new FlowLog(namesOf);
    const { book, log } = { book: this.#book, log: this.#log };
    const ledger = new Ledger({ users: deps.users });
    const slots = new HitSlots();
    this.#decider = new Decider({ book, log, ledger, slots, gave: (...asked) => this.#names.gave(...asked) });
    this.#health = new Health(deps.clock);
    this.#emitter = new Emitter(deps.logger);
    this.#state = new StateKeeper(deps, () => ({
      rules: this.#book.temporary(),
      pausedUntilNs: this.#modes.pausedUntilNs,
      inbox: this.#prompts.kept(),
      wall: this.#modes.wall,
    }));
    this.#modes = new Modes({ deps, onChanged: () => { this.#modeChanged(); } });
    this.#memory = new MemoryDesk({
      deps, book, modes: this.#modes, decider: this.#decider, ledger, slots,
      onDue: () => { this.#run((turn) => { this.#memory.renew(turn); }); },
    });
    this.#rules = new RuleDesk({
      deps,
      book,
      onChanged: () => { this.#rulesChanged(); },
      onLoaded: (loaded) => { this.setLoaded(loaded); },
    });
    this.#prompts = new PromptDesk({
      deps,
      modes: this.#modes,
      log,
      namesOf,
      onDue: () => { this.#run((turn) => { this.#prompts.expire(turn); }); },
      onInbox: () => { this.#state.save(); },
    });
    this.#sweepAlarm = new Alarm(deps.schedule, () => { this.#sweep(); });
    this.#stopSessions = deps.sessions.onChanged(() => { this.#sessionsChanged(); });
  }

  /** Takes over what an earlier run of the helper left until the machine restarts. Once, before the first rules are loaded. */
  async restore(): Promise<void> {
    const kept = await this.#state.load();
    if (kept === null) return;
    this.#modes.restore(kept.pausedUntilNs, kept.wall);
    for (const rule of kept.rules) if (!this.#book.has(rule.id)) this.#book.put(rule);
    this.#prompts.restore(kept.inbox);
    this.#armSweep();
  }

  /** The data path that calls this engine, or null when the hooks were taken off: everything held there is gone. */
  attach(dataPath: DataPath | null): void {
    this.#run((turn) => { this.#prompts.withdrawAll(turn); });
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
    this.#run((turn) => { this.#prompts.ended(ids, turn); });
  }

  onDns(messages: readonly DnsMessage[]): void {
    this.#names.take(messages);
  }

  onQueueReady(ready: boolean, message: string): void {
    this.#health.setQueue(ready, message);
    this.#deps.logger.log(ready ? 'info' : 'error', 'packet queue', { ready, message });
    this.#emitter.emit('statusChanged');
  }

  status(): EngineStatus {
    return this.#health.status({
      dataPath: this.#dataPath,
      modes: this.#modes,
      prompts: this.#prompts.counts,
      names: this.#names.counts,
      rules: this.#book.size,
    });
  }

  onEvents(events: Partial<EngineEvents>): () => void {
    return this.#emitter.add(events);
  }

  setLoaded(loaded: LoadedRules): void {
    this.#modes.setSettings(loaded.settings);
    this.#book.setLoaded(loaded.rules);
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

  setMode(mode: Mode, confirmMs?: number): Promise<void> {
    return this.#rules.inOrder(async () => {
      if (confirmMs !== undefined) {
        this.#modes.try(mode, confirmMs);
        return;
      }
      if (mode !== this.#modes.settings.mode) await this.#deps.store.setMode(mode);
      this.#modes.confirm(mode);
    });
  }

  pause(ms: number): void {
    this.#modes.pause(ms);
  }

  resume(): void {
    this.#modes.resume();
  }

  /** Rules that somebody had changed were put back. */
  onRulesMended(): void {
    this.#health.countMend();
  }

  setDegraded(reasons: readonly DegradedReason[]): void {
    if (this.#health.setDegraded(reasons)) this.#emitter.emit('statusChanged');
  }

  rules(): readonly RuleUse[] {
    this.#memory.countHits();
    return this.#rules.uses();
  }

  ruleInfos(): readonly RuleInfo[] {
    this.#memory.countHits();
    return this.#rules.infos();
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

  prompts(): readonly PromptView[] {
    return this.#prompts.views();
  }

  promptByNonce(nonce: string): PromptView {
    return this.#prompts.view(this.#prompts.byNonce(nonce));
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

  flows(filter: FlowFilter, limit: number, cursor: string): { readonly rows: readonly FlowRecord[]; readonly next: string } {
    return this.#log.page(filter, limit, cursor);
  }

  flow(id: string): FlowRecord | null {
    return this.#log.get(id);
  }

  explain(flowId: string): Explanation {
    const record = this.#log.get(flowId);
    if (record === null) throw new BastionError('NotFound', 'This flow is not among the recent ones.');
    const { decision, nextRuleId } = record;
    const rule = decision.ruleId === null ? null : this.#book.get(decision.ruleId);
    const next = nextRuleId === null ? null : this.#book.get(nextRuleId);
    return {
      flow: flowId,
      text: explainFlow(record, rule, next),
      action: decision.action,
      reason: decision.reason,
      rule_id: decision.ruleId ?? '',
      next_rule_id: nextRuleId ?? '',
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
    this.#stopSessions();
    this.#sweepAlarm.set(null);
    this.#prompts.close();
    this.#memory.close();
    this.#modes.close();
    await this.#rules.inOrder(() => Promise.resolve());
    this.#state.save();
    await this.#state.flushed();
  }

  /** One turn: read the clocks, decide, tell the data path, then tell listeners. */
  #run(work: (turn: Turn) => void): void {
    const instant = this.#modes.instant();
    const turn = new Turn(instant, this.#modes.posture(), this.#modes.pausedUntilNs);
    try {
      work(turn);
    } finally {
      turn.finish(this.#dataPath, this.#emitter);
      this.#memory.follow();
    }
  }

  /** A flow that cannot even be looked at is refused, and the others of its turn go on. */
  #take(ask: Ask, turn: Turn): void {
    try {
      const held = { ask, facts: factsOf(ask) };
      if (this.#decider.tryDecide(held, turn) || this.#prompts.hold(ask, held.facts, turn)) return;
      const decision: Decision = { action: 'deny', reason: 'limit', ruleId: null };
      turn.batch.verdict(ask.id, decision);
      turn.record(this.#log, ask, decision, null);
    } catch (error: unknown) {
      turn.batch.verdict(ask.id, FAILED);
      this.#deps.logger.log('error', 'a flow could not be decided and was refused', { error: String(error) });
    }
  }

  #reconsider(turn: Turn): void {
    this.#prompts.reconsider((held, current) => this.#decider.tryDecide(held, current), turn);
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

  #putRules(rules: readonly Rule[], turn: Turn): void {
    for (const rule of rules) this.#book.put(rule);
    this.#decideAgain(turn);
    turn.later((emitter) => { emitter.emit('rulesChanged'); });
  }

  /** One rule; where the answer is for a host that has several addresses, one for each that a flow of the prompt goes to. */
  #answerRules(prompt: HeldPrompt, full: LastingAnswer, session: string | null, created: number): readonly Rule[] {
    const questions = full.scope === 'host' ? this.#prompts.questionsOf(prompt) : [prompt.question];
    return questions.map((question) => {
      const id = this.#rules.newId((suffix) => answerRuleId(question, full.scope, suffix));
      return answerRule(question, { ...full, session, id, created });
    });
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
