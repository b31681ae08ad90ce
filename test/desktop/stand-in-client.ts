/** A HelperClient that does what a test says and tells what it was asked. */
import type {
  HelperClient, HelperEvents, HelperStatus, Page,
} from '../../helper/contract/client.ts';
import { NotConnectedError } from '../../helper/contract/client.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import type { ErrorCode } from '../../helper/contract/errors.ts';
import type {
  Answer, AnswerResult, ApplicationFilter, ApplicationInfo, Explanation, FlowFilter, FlowInfo, GroupBy, HistoryState, ListInfo, NetworkInterface,
  NetworkState, NetworkContainer, NetworkZone, PromptInfo, Proposal, ProposeOptions, RehashInfo, RehashSummary, RuleEdit, RuleFinding, RuleInfo, SafeguardInfo, TotalsFilter,
  TotalsInfo,
} from '../../helper/contract/types.ts';
import type { Mode } from '../../helper/contract/vocabulary.ts';
import { flowNumber } from '../../desktop/model/flow-list.ts';
import { matchesFlow } from '../../desktop/model/flow-match.ts';
import { explanationOf, groupsOf } from './flow-samples.ts';
import { importSummaryOf, NO_NETWORK, ruleInfoOf, simulationOf, withChosen } from './samples.ts';
import type { SampleNetwork } from './samples.ts';

/** One call that the desktop made. */
export interface StandInCall {
  readonly call: string;
  readonly args: readonly unknown[];
}

type Listeners = { [E in keyof HelperEvents]: Set<HelperEvents[E]> };

export class StandInClient implements HelperClient {
  connected = false;
  verified = true;
  current: HelperStatus;
  rules: RuleInfo[] = [];
  prompts: PromptInfo[] = [];
  /** The newest first. */
  flows: readonly FlowInfo[] = [];
  history: HistoryState = { enabled: true, names: true, keep_days: 30, max_megabytes: 256, failure: '' };
  /** What differs from the usual explanation, by flow. */
  readonly explanations = new Map<string, Partial<Explanation>>();
  traffic: readonly TotalsInfo[] = [];
  minutes: readonly TotalsInfo[] = [];
  net: SampleNetwork = NO_NETWORK;
  readonly expired = new Set<string>();
  /** Calls by name that are refused. */
  readonly refusals: Map<string, { readonly code: ErrorCode; readonly message?: string }>;
  readonly #listeners: Listeners = {
    connected: new Set(), status: new Set(), rulesChanged: new Set(), promptRaised: new Set(), promptWithdrawn: new Set(),
    flows: new Set(), packets: new Set(), applicationsChanged: new Set(), rehashProgress: new Set(),
    networkChanged: new Set(),
  };
  /** What calls return, by name; an array for one that returns rows. */
  readonly answers: Map<string, unknown>;
  /** Calls by name that wait until they are let go. */
  readonly held: Set<string>;
  readonly #onCall: (call: StandInCall) => void;
  readonly #first: StandInClient | null;
  readonly #others = new Set<StandInClient>();
  readonly #waiting = new Set<{ readonly call: string; readonly go: () => void; readonly fail: (error: Error) => void }>();

  /** `first`: the one whose connection this is another of. */
  constructor(status: HelperStatus, onCall: (call: StandInCall) => void, first: StandInClient | null = null) {
    this.current = status;
    this.#onCall = onCall;
    this.#first = first;
    this.answers = first?.answers ?? new Map<string, unknown>();
    this.held = first?.held ?? new Set<string>();
    this.refusals = first?.refusals ?? new Map<string, { readonly code: ErrorCode; readonly message?: string }>();
  }

  /** Lets everything go on that waits with this name, and what comes later. */
  letGo(call: string): void {
    this.held.delete(call);
    for (const client of [this, ...this.#others]) {
      for (const one of client.#waiting) {
        if (one.call !== call) continue;
        client.#waiting.delete(one);
        one.go();
      }
    }
  }

  emitApplicationsChanged(): void {
    for (const listener of this.#listeners.applicationsChanged) listener();
  }

  /** To every connection: the test has one Rehash at a time. */
  emitRehashProgress(doneBytes: number, totalBytes: number): void {
    for (const client of [this, ...this.#others]) {
      for (const listener of client.#listeners.rehashProgress) listener(doneBytes, totalBytes);
    }
  }

  on<E extends keyof HelperEvents>(event: E, listener: HelperEvents[E]): () => void {
    this.#listeners[event].add(listener);
    return () => { this.#listeners[event].delete(listener); };
  }

  setConnected(connected: boolean): void {
    this.connected = connected;
    for (const listener of this.#listeners.connected) listener(connected);
  }

  setStatus(change: Partial<HelperStatus>): void {
    this.current = { ...this.current, ...change };
    for (const listener of this.#listeners.status) listener(this.current);
  }

  setRules(rules: readonly RuleInfo[]): void {
    this.rules = [...rules];
    for (const listener of this.#listeners.rulesChanged) listener();
  }

  setNetwork(network: SampleNetwork): void {
    this.net = network;
    if (this.current.profile !== network.state.profile) this.setStatus({ profile: network.state.profile });
    for (const listener of this.#listeners.networkChanged) listener();
  }

  raise(prompt: PromptInfo): void {
    this.prompts.push(prompt);
    for (const listener of this.#listeners.promptRaised) listener(prompt);
  }

  keep(prompt: PromptInfo): void {
    this.prompts.push(prompt);
    if (prompt.status === 'expired') this.expired.add(prompt.nonce);
  }

  end(nonce: string, why: 'answered' | 'expired' | 'withdrawn'): void {
    // An expired prompt waits in the inbox, where it can still be answered.
    if (why === 'expired') this.expired.add(nonce);
    else this.prompts = this.prompts.filter((prompt) => prompt.nonce !== nonce);
    for (const listener of this.#listeners.promptWithdrawn) listener(nonce, why);
  }

  async #take(call: string, ...args: readonly unknown[]): Promise<void> {
    await Promise.resolve();
    if (!this.connected) throw new NotConnectedError('not connected');
    this.#onCall({ call, args });
    const refusal = this.refusals.get(call);
    if (refusal !== undefined) throw new BastionError(refusal.code, refusal.message);
    if (!this.held.has(call)) return;
    await new Promise<void>((go, fail) => { this.#waiting.add({ call, go, fail }); });
  }

  /** What the test has said that this call returns, else `otherwise`. */
  #answer<T>(call: string, otherwise: T): T {
    return (this.answers.get(call) as T | undefined) ?? otherwise;
  }

  async status(): Promise<HelperStatus> { await this.#take('status'); return this.current; }
  ping(): Promise<void> { return this.#take('ping'); }
  async setMode(mode: Mode, options: { readonly confirmSeconds?: number } = {}): Promise<void> {
    const { confirmSeconds } = options;
    await this.#take('setMode', mode, ...(confirmSeconds === undefined ? [] : [options]));
    const { mode: before, trial, ...rest } = this.current;
    const onTrial = confirmSeconds === undefined ? {} : { trial: trial ?? { before, endsMs: Date.now() + confirmSeconds * 1000 } };
    this.current = { ...rest, mode, ...onTrial };
    this.setStatus({});
  }
  async pause(seconds: number): Promise<void> {
    await this.#take('pause', seconds);
    this.setStatus({ state: 'paused', pausedUntilMs: Date.now() + seconds * 1000 });
  }
  async resume(): Promise<void> { await this.#take('resume'); this.setStatus({ state: 'protecting', pausedUntilMs: 0 }); }
  async safeguard(): Promise<SafeguardInfo> { await this.#take('safeguard'); return this.#answer('safeguard', { on: false, since_ms: 0, refused: 0, offenders: [] }); }
  async endSafeguard(): Promise<void> { await this.#take('endSafeguard'); this.setStatus({ state: 'protecting' }); }
  async profiles(): ReturnType<HelperClient['profiles']> { await this.#take('profiles'); return this.#answer('profiles', this.net.profiles); }
  async setProfile(id: string): Promise<void> {
    await this.#take('setProfile', id);
    this.setNetwork(withChosen(this.net, id));
  }
  async listInterfaces(): Promise<Page<NetworkInterface>> { await this.#take('listInterfaces'); return { rows: this.net.interfaces, next: '' }; }
  async listZones(): Promise<Page<NetworkZone>> { await this.#take('listZones'); return { rows: this.net.zones, next: '' }; }
  async listContainers(): Promise<Page<NetworkContainer>> { await this.#take('listContainers'); return { rows: this.net.containers ?? [], next: '' }; }
  async setInbound(...args: Parameters<HelperClient['setInbound']>): Promise<void> {
    await this.#take('setInbound', ...args);
    const [id, inbound, allow] = args;
    const zones = this.net.zones.map((zone) => (zone.id === id ? { ...zone, inbound, inbound_allow: allow } : zone));
    this.setNetwork({ ...this.net, zones });
  }
  async network(): Promise<NetworkState> { await this.#take('network'); return this.net.state; }
  async reload(): Promise<readonly []> { await this.#take('reload'); return []; }
  off(): Promise<void> { return this.#take('off'); }
  async selfTest(): ReturnType<HelperClient['selfTest']> { await this.#take('selfTest'); return this.#answer('selfTest', []); }
  setLogLevel(level: string): Promise<void> { return this.#take('setLogLevel', level); }
  async listRules(limit: number, cursor: string): Promise<Page<RuleInfo>> {
    await this.#take('listRules', limit, cursor);
    const from = cursor === '' ? 0 : Number(cursor);
    const next = from + limit < this.rules.length ? String(from + limit) : '';
    return { rows: this.rules.slice(from, from + limit), next };
  }
  async getRule(id: string): Promise<RuleInfo> {
    await this.#take('getRule', id);
    const rule = this.rules.find((one) => one.id === id);
    if (rule === undefined) throw new BastionError('NotFound');
    return rule;
  }
  async addRule(rule: RuleEdit): Promise<string> {
    await this.#take('addRule', rule);
    const id = rule.id ?? `rule-${String(this.rules.length + 1)}`;
    this.setRules([...this.rules, ruleInfoOf({ name: id, ...rule, id })]);
    return id;
  }
  async updateRule(id: string, change: RuleEdit): Promise<void> {
    await this.#take('updateRule', id, change);
    this.setRules(this.rules.map((rule) => (rule.id === id ? { ...rule, ...change, id } : rule)));
  }
  async removeRule(id: string): Promise<void> {
    await this.#take('removeRule', id);
    this.setRules(this.rules.filter((rule) => rule.id !== id));
  }
  async setGroup(group: string, enabled: boolean): Promise<void> {
    await this.#take('setGroup', group, enabled);
    this.setRules(this.rules.map((rule) => {
      if (rule.group !== group) return rule;
      const { group_enabled: before, ...on } = rule;
      return enabled || before === false ? on : { ...on, group_enabled: false };
    }));
  }
  async exportRules(format: string): Promise<string> { await this.#take('exportRules', format); return this.#answer('exportRules', ''); }
  async importRules(format: string, text: string, dryRun: boolean): ReturnType<HelperClient['importRules']> {
    await this.#take('importRules', format, text, dryRun);
    return this.#answer('importRules', { items: [], summary: importSummaryOf({ dry_run: dryRun }) });
  }
  async proposeRules(options: ProposeOptions): Promise<readonly Proposal[]> {
    await this.#take('proposeRules', options);
    return this.#answer('proposeRules', []);
  }
  async simulateRules(...[changes, sinceMs]: Parameters<HelperClient['simulateRules']>): ReturnType<HelperClient['simulateRules']> {
    await this.#take('simulateRules', changes, sinceMs);
    return this.#answer('simulateRules', { summary: simulationOf({ flows: 0, since_ms: 0 }), rows: [] });
  }
  async reviewRules(): Promise<readonly RuleFinding[]> { await this.#take('reviewRules'); return this.#answer('reviewRules', []); }
  async registerAgent(): Promise<{ readonly session: string; readonly verified: boolean }> {
    await this.#take('registerAgent');
    return { session: '1', verified: this.verified };
  }
  unregisterAgent(): Promise<void> { return this.#take('unregisterAgent'); }
  async answer(nonce: string, answer: Answer): Promise<AnswerResult> {
    await this.#take('answer', nonce, answer);
    if (!this.prompts.some((prompt) => prompt.nonce === nonce)) throw new BastionError('PromptGone');
    const flows = this.expired.has(nonce) ? 0 : 1;
    this.end(nonce, 'answered');
    return { rule_id: '', flows };
  }
  async listPrompts(): Promise<Page<PromptInfo>> { await this.#take('listPrompts'); return { rows: this.prompts, next: '' }; }
  async holdPrompt(nonce: string): Promise<number> {
    await this.#take('holdPrompt', nonce);
    const prompt = this.prompts.find((one) => one.nonce === nonce && !this.expired.has(nonce));
    if (prompt === undefined) throw new BastionError('PromptGone');
    return prompt.timeout_ms;
  }
  async dismissPrompts(nonces: readonly string[]): Promise<number> {
    await this.#take('dismissPrompts', nonces);
    const gone = nonces.filter((nonce) => this.expired.has(nonce));
    for (const nonce of gone) this.end(nonce, 'withdrawn');
    return gone.length;
  }
  /** As the helper would find them, the newest first. */
  #found(filter: FlowFilter, cursor: string): readonly FlowInfo[] {
    const before = cursor === '' ? Number.MAX_SAFE_INTEGER : flowNumber(cursor);
    return this.flows.filter((flow) => flowNumber(flow.id) < before && matchesFlow(flow, filter));
  }
  async queryFlows(filter: FlowFilter, limit: number, cursor: string): Promise<Page<FlowInfo>> {
    await this.#take('queryFlows', filter, limit, cursor);
    const found = this.#found(filter, cursor);
    return { rows: found.slice(0, limit), next: found.length > limit ? (found[limit - 1]?.id ?? '') : '' };
  }
  async indexFlows(filter: FlowFilter, cursor: string): Promise<Page<string>> {
    await this.#take('indexFlows', filter, cursor);
    return { rows: this.#found(filter, cursor).map(({ id }) => id), next: '' };
  }
  async groupFlows(filter: FlowFilter, by: GroupBy): ReturnType<HelperClient['groupFlows']> {
    await this.#take('groupFlows', filter, by);
    return { rows: groupsOf(this.#found(filter, ''), by), sinceMs: 0 };
  }
  async historyState(): Promise<HistoryState> { await this.#take('historyState'); return this.history; }
  /** Tells flows live, as a helper that has just decided them. */
  observe(flows: readonly FlowInfo[]): void {
    const old = this.flows.filter((flow) => !flows.some(({ id }) => id === flow.id));
    this.flows = [...flows, ...old].sort((a, b) => flowNumber(b.id) - flowNumber(a.id));
    for (const listener of this.#listeners.flows) listener(flows);
  }
  async listLists(): Promise<readonly ListInfo[]> { await this.#take('listLists'); return this.#answer('listLists', []); }
  async updateLists(): Promise<void> { await this.#take('updateLists'); }
  async totals(): Promise<readonly TotalsInfo[]> { await this.#take('totals'); return this.#answer('totals', this.traffic); }
  async listApplications(filter: ApplicationFilter, limit: number, cursor: string): Promise<Page<ApplicationInfo>> {
    await this.#take('listApplications', filter, limit, cursor);
    const all = this.#answer<readonly ApplicationInfo[]>('listApplications', []);
    const found = all.filter(({ id, path, state }) => (filter.id ?? id) === id && (filter.path ?? path) === path && (filter.state ?? state) === state);
    const from = cursor === '' ? 0 : Number(cursor);
    return { rows: found.slice(from, from + limit), next: from + limit < found.length ? String(from + limit) : '' };
  }
  async rehash(ids: readonly string[]): Promise<readonly RehashInfo[]> { await this.#take('rehash', ids); return this.#answer('rehash', []); }
  async rehashAll(): Promise<RehashSummary> {
    await this.#take('rehashAll');
    return this.#answer('rehashAll', { files: 0, same: 0, accepted: 0, missing: 0, failed: 0, rows: [] });
  }
  async historyTotals(range: string, by: string, filter?: TotalsFilter): Promise<readonly TotalsInfo[]> {
    await this.#take('historyTotals', range, by, ...(filter === undefined ? [] : [filter]));
    return this.#answer(`historyTotals ${by}`, by === 'minute' ? this.minutes : []);
  }
  async clearHistory(): Promise<void> { await this.#take('clearHistory'); this.flows = []; }
  subscribe(options: { readonly packets: boolean; readonly everybody?: boolean }): Promise<void> { return this.#take('subscribe', options); }
  unsubscribe(): Promise<void> { return this.#take('unsubscribe'); }
  async explain(flow: string): Promise<Explanation> {
    await this.#take('explain', flow);
    const found = this.flows.find((one) => one.id === flow);
    if (found === undefined) throw new BastionError('NotFound');
    return { ...explanationOf(found), ...this.explanations.get(flow) };
  }
  /** Calls of it are told, refused, held and answered like this one's; closed, it fails what waits over it. */
  another(): HelperClient {
    const other = new StandInClient(this.current, this.#onCall, this);
    other.connected = this.connected;
    this.#others.add(other);
    return other;
  }
  close(): void {
    this.#onCall({ call: this.#first === null ? 'close' : 'close another', args: [] });
    for (const { fail } of this.#waiting) fail(new NotConnectedError('closed'));
    this.#waiting.clear();
  }
}
