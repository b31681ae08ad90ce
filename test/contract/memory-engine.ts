/** An EngineApi in memory, for tests of the service: it keeps rules and prompts and decides nothing. */
import { groupRecent } from '../../helper/engine/flow-groups.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import type { Answer, PromptEnd, PromptInfo, Proposal, RuleEdit, RuleFinding, RuleInfo, Statistics } from '../../helper/contract/types.ts';
import type { Mode } from '../../helper/contract/vocabulary.ts';
import type { Additions, EngineApi, EngineEvents, FlowPage, FlowRecord, InsightApi, ProfileView, PromptView, TrafficTotal } from '../../helper/engine-api.ts';
import type { HistoryFilter, HistoryTotal, TotalsBy, TotalsOf, TotalsRange } from '../../helper/ports.ts';

const STATISTICS: Statistics = {
  packets: 0, connections: 0, allowed: 0, denied: 0, prompts: 0, prompts_expired: 0, rules: 0, queue_length: 0, queue_dropped: 0,
  queue_user_dropped: 0, queue_overruns: 0, held: 0, default_verdicts: 0, unidentified: 0, kernel_decided: 0, gate_dropped: 0, over_budget: 0, rules_mended: 0, names: 0, dns_ignored: 0, names_lost: 0, history_lost: 0, uptime_ms: 0,
};

/** A rule row with what is not given filled in. */
export function ruleRow(id: string, edit: RuleEdit = {}): RuleInfo {
  return {
    id, name: edit.name ?? id, action: edit.action ?? 'allow', enabled: edit.enabled ?? true, path: edit.path ?? '',
    address: edit.address ?? '', port: edit.port ?? '', protocol: edit.protocol ?? '', user: edit.user ?? '', lifetime: 'always',
    schedule: '', priority: 0, group: '', tier: 'user', editable: true, file: '50-user.toml', line: 1, created_ms: 1, hits: 0,
    last_hit_ms: 0,
  };
}

/** A prompt for `uid`; `nonce` is its id too. */
export function promptView(nonce: string, uid: number, change: Partial<PromptInfo> = {}): PromptView {
  return {
    target: { uid, system: uid < 1000 },
    info: {
      id: nonce, nonce, application: 'curl', path: '/usr/bin/curl', confidence: 'certain', evidence: 'kernel',
      destination: 'example.org', names: ['example.org'], name_sources: ['program'], is_lookup: false, address: '192.0.2.1', port: 443, protocol: 'tcp', uid, user: String(uid), pid: 100, command: 'curl',
      ancestors: [{ pid: 1, path: '/sbin/init', command: 'init' }], count: 1, raised_ms: 1, expires_in_ms: 30_000, timeout_ms: 30_000,
      status: 'pending', lifetimes: ['once', 'process', 'session', 'always'], scopes: ['host', 'port', 'any'],
      default_lifetime: 'once', default_scope: 'host', ...change,
    },
  };
}

/** A flow of `uid`, null for one whose owner is not known. */
export function flowRecord(id: string, uid: number | null): FlowRecord {
  return {
    id, timeMs: 1, path: '/usr/bin/curl', uid, pid: 100, forwardedFrom: null, host: 'example.org', names: [{ name: 'example.org', source: 'program' }], interfaceName: 'eth0', lengthBytes: 60,
    tuple: {
      family: 4, protocol: 6, sourceAddress: '192.0.2.2', sourcePort: 40_000, destinationAddress: '192.0.2.1', destinationPort: 443,
    },
    decision: { action: 'allow', reason: 'rule', ruleId: 'web' }, confidence: 'certain', evidence: 'kernel', nextRuleId: null,
  };
}

/** Traffic of one program of one user: `bytes` each way. */
export function trafficTotal(path: string | null, uid: number | null, bytes: number): TrafficTotal {
  return { path, uid, sentBytes: bytes, sentPackets: 2, receivedBytes: bytes, receivedPackets: 3 };
}

/** Answers with what it is given, and records what it was asked. */
export class MemoryInsight implements InsightApi {
  readonly asked: (readonly unknown[])[] = [];
  proposals: readonly Proposal[] = [];
  findings: readonly RuleFinding[] = [];

  propose(...[options, { uid }]: Parameters<InsightApi['propose']>): ReturnType<InsightApi['propose']> {
    this.asked.push(['propose', options, uid]);
    return Promise.resolve(this.proposals);
  }

  simulate(...[changes, sinceMs, { uid }]: Parameters<InsightApi['simulate']>): ReturnType<InsightApi['simulate']> {
    this.asked.push(['simulate', changes, sinceMs, uid]);
    const none = {
      refused_applications: 0, refused_connections: 0, asked_applications: 0, asked_connections: 0, allowed_applications: 0,
      allowed_connections: 0,
    };
    return Promise.resolve({ summary: { text: 'Nothing.', flows: 1, since_ms: 0, ...none, unlisted: 0, lists_ignored: 0 }, rows: [] });
  }

  review(): ReturnType<InsightApi['review']> {
    this.asked.push(['review']);
    return Promise.resolve(this.findings);
  }
}

/** Keeps what it is told, records what it was asked to do. */
export class MemoryEngine implements EngineApi {
  readonly rows = new Map<string, RuleInfo>();
  readonly views = new Map<string, PromptView>();
  readonly records: FlowRecord[] = [];
  readonly traffic: TrafficTotal[] = [];
  readonly sums: HistoryTotal[] = [];
  /** What flows were asked for. */
  readonly filters: HistoryFilter[] = [];
  readonly answers: { readonly nonce: string; readonly answer: Answer }[] = [];
  /** Names of calls that changed something, in order. */
  readonly done: string[] = [];
  statistics: Statistics = STATISTICS;
  mode: Mode = 'enforcing';
  pausedUntilMs = 0;
  readonly #listeners = new Set<Partial<EngineEvents>>();

  status(): ReturnType<EngineApi['status']> {
    const { mode, pausedUntilMs, statistics } = this;
    return { mode, state: pausedUntilMs > 0 ? 'paused' : 'protecting', degradedReasons: [], pausedUntilMs, statistics };
  }

  onEvents(events: Partial<EngineEvents>): () => void {
    this.#listeners.add(events);
    return () => this.#listeners.delete(events);
  }

  raise(view: PromptView): void {
    this.views.set(view.info.nonce, view);
    for (const one of this.#listeners) one.promptRaised?.(view);
  }

  change(view: PromptView): void {
    this.views.set(view.info.nonce, view);
    for (const one of this.#listeners) one.promptChanged?.(view);
  }

  end(nonce: string, why: PromptEnd): void {
    const view = this.promptByNonce(nonce);
    this.views.delete(nonce);
    for (const one of this.#listeners) one.promptEnded?.(view, why);
  }

  observe(records: readonly FlowRecord[]): void {
    for (const one of this.#listeners) one.flows?.(records);
  }

  statusHasChanged(): void {
    for (const one of this.#listeners) one.statusChanged?.();
  }

  setLoaded(): void {
    this.done.push('setLoaded');
  }

  setMode(mode: Mode, confirmMs?: number): Promise<void> {
    this.done.push(`setMode ${mode} ${String(confirmMs ?? '')}`.trim());
    this.mode = mode;
    this.statusHasChanged();
    return Promise.resolve();
  }

  pause(ms: number): void {
    this.done.push(`pause ${String(ms)}`);
    this.pausedUntilMs = ms;
    this.statusHasChanged();
  }

  guard: ReturnType<EngineApi['safeguard']> = null;

  safeguard(): ReturnType<EngineApi['safeguard']> {
    return this.guard;
  }

  endSafeguard(): void {
    this.done.push('endSafeguard');
  }

  kept(): Promise<void> {
    return Promise.resolve();
  }

  resume(): void {
    this.done.push('resume');
    this.pausedUntilMs = 0;
    this.statusHasChanged();
  }

  profiles(): readonly ProfileView[] {
    return [];
  }

  activeProfile(): string | null {
    return null;
  }

  chooseProfile(id: string | null): void {
    if (id !== null) throw new BastionError('NotFound');
  }

  setDegraded(): void {
    this.done.push('setDegraded');
  }

  rules(): ReturnType<EngineApi['rules']> {
    return [];
  }

  ruleInfos(): readonly RuleInfo[] {
    return [...this.rows.values()];
  }

  exportRules(): Promise<string> {
    return Promise.resolve('# rules\n');
  }

  addRule(edit: RuleEdit): Promise<string> {
    const id = edit.id ?? `rule-${String(this.rows.size)}`;
    if (this.rows.has(id)) return Promise.reject(new BastionError('Conflict'));
    this.done.push(`add ${id}`);
    this.rows.set(id, ruleRow(id, edit));
    this.#rulesChanged();
    return Promise.resolve(id);
  }

  previewRule(edit: RuleEdit): RuleInfo {
    return ruleRow(edit.id ?? 'rule', edit);
  }

  addRules({ rules }: Additions): Promise<readonly string[]> {
    return Promise.all(rules.map(({ edit }) => this.addRule(edit)));
  }

  updateRule(id: string, edit: RuleEdit): Promise<void> {
    if (!this.rows.has(id)) return Promise.reject(new BastionError('NotFound'));
    this.done.push(`update ${id}`);
    this.rows.set(id, ruleRow(id, edit));
    this.#rulesChanged();
    return Promise.resolve();
  }

  removeRule(id: string): Promise<void> {
    if (!this.rows.delete(id)) return Promise.reject(new BastionError('NotFound'));
    this.done.push(`remove ${id}`);
    this.#rulesChanged();
    return Promise.resolve();
  }

  setGroup(group: string, enabled: boolean): Promise<void> {
    if (![...this.rows.values()].some((row) => row.group === group)) return Promise.reject(new BastionError('NotFound'));
    this.done.push(`group ${group} ${String(enabled)}`);
    this.#rulesChanged();
    return Promise.resolve();
  }

  snapshot(): ReturnType<EngineApi['snapshot']> {
    return {
      rules: [], inForce: new Set(), lastUsedMs: new Map(),
      settings: { defaultAction: 'ask', untracked: 'drop', forwarded: 'pass', requireKernelIdentity: false },
    };
  }

  previewRules(): ReturnType<EngineApi['previewRules']> {
    return { before: [], after: [] };
  }

  recentFlows(): Iterable<FlowRecord> {
    return this.records;
  }

  prompts(): readonly PromptView[] {
    return [...this.views.values()];
  }

  promptByNonce(nonce: string): PromptView {
    const view = this.views.get(nonce);
    if (view === undefined) throw new BastionError('PromptGone');
    return view;
  }

  renewPrompt(nonce: string): number {
    const { info } = this.promptByNonce(nonce);
    if (info.status === 'expired') throw new BastionError('PromptGone');
    this.done.push(`renew ${nonce}`);
    return info.timeout_ms;
  }

  dismissPrompts(nonces: readonly string[]): number {
    const expired = nonces.filter((nonce) => this.views.get(nonce)?.info.status === 'expired');
    for (const nonce of expired) this.end(nonce, 'withdrawn');
    return expired.length;
  }

  answer(nonce: string, answer: Answer): Promise<{ readonly ruleId: string | null; readonly flows: number }> {
    this.promptByNonce(nonce);
    this.answers.push({ nonce, answer });
    this.end(nonce, 'answered');
    return Promise.resolve({ ruleId: answer.lifetime === 'always' ? 'curl-web' : null, flows: 1 });
  }

  flows(filter: HistoryFilter, limit: number): Promise<FlowPage> {
    this.filters.push(filter);
    const rows = this.records.filter((one) => filter.uid === undefined || one.uid === filter.uid);
    return Promise.resolve({ rows: rows.slice(0, limit), next: '' });
  }

  flowNumbers(filter: HistoryFilter): ReturnType<EngineApi['flowNumbers']> {
    this.filters.push(filter);
    const rows = this.records.filter((one) => filter.uid === undefined || one.uid === filter.uid);
    return Promise.resolve({ numbers: rows.map(({ id }) => Number.parseInt(id.slice(1), 36)), next: '' });
  }

  flowGroups(filter: HistoryFilter, by: 'application' | 'destination', limit: number): ReturnType<EngineApi['flowGroups']> {
    this.filters.push(filter);
    return Promise.resolve({ groups: groupRecent(this.records, filter, by, limit), sinceMs: 0 });
  }

  historyState(): ReturnType<EngineApi['historyState']> {
    return { settings: { enabled: true, names: false, keepDays: 7, maxMegabytes: 64, prometheusFile: null }, failure: null };
  }

  flow(id: string): Promise<FlowRecord | null> {
    return Promise.resolve(this.records.find((one) => one.id === id) ?? null);
  }

  async explain(id: string): ReturnType<EngineApi['explain']> {
    const found = await this.flow(id);
    if (found === null) throw new BastionError('NotFound');
    return { flow: id, text: 'Allowed by rule web.', action: 'allow', reason: 'rule', rule_id: 'web', next_rule_id: '' };
  }

  historyTotals(range: TotalsRange, by: TotalsBy, { uid, path }: TotalsOf): Promise<readonly HistoryTotal[]> {
    this.done.push(['totals', range, by, String(uid), ...(path === undefined ? [] : [path])].join(' '));
    return Promise.resolve(this.sums);
  }

  clearHistory(): Promise<void> {
    this.done.push('clear history');
    return Promise.resolve();
  }

  totals(): readonly TrafficTotal[] {
    return this.traffic;
  }

  userName(uid: number): string {
    return uid === 1000 ? 'alice' : String(uid);
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  #rulesChanged(): void {
    for (const one of this.#listeners) one.rulesChanged?.();
  }
}
