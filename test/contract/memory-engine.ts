/** An EngineApi in memory, for tests of the service: it keeps rules and prompts and decides nothing. */
import { BastionError } from '../../helper/contract/errors.ts';
import type { Answer, PromptEnd, PromptInfo, RuleEdit, RuleInfo, Statistics } from '../../helper/contract/types.ts';
import type { Mode } from '../../helper/contract/vocabulary.ts';
import type { EngineApi, EngineEvents, FlowRecord, PromptView, TrafficTotal } from '../../helper/engine-api.ts';

const STATISTICS: Statistics = {
  packets: 0, connections: 0, allowed: 0, denied: 0, prompts: 0, prompts_expired: 0, rules: 0, queue_length: 0, queue_dropped: 0,
  queue_user_dropped: 0, queue_overruns: 0, held: 0, default_verdicts: 0, unidentified: 0, kernel_decided: 0, gate_dropped: 0, over_budget: 0, rules_mended: 0, names: 0, dns_ignored: 0, names_lost: 0, uptime_ms: 0,
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

/** Keeps what it is told, records what it was asked to do. */
export class MemoryEngine implements EngineApi {
  readonly rows = new Map<string, RuleInfo>();
  readonly views = new Map<string, PromptView>();
  readonly records: FlowRecord[] = [];
  readonly traffic: TrafficTotal[] = [];
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

  resume(): void {
    this.done.push('resume');
    this.pausedUntilMs = 0;
    this.statusHasChanged();
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

  prompts(): readonly PromptView[] {
    return [...this.views.values()];
  }

  promptByNonce(nonce: string): PromptView {
    const view = this.views.get(nonce);
    if (view === undefined) throw new BastionError('PromptGone');
    return view;
  }

  answer(nonce: string, answer: Answer): Promise<{ readonly ruleId: string | null; readonly flows: number }> {
    this.promptByNonce(nonce);
    this.answers.push({ nonce, answer });
    this.end(nonce, 'answered');
    return Promise.resolve({ ruleId: answer.lifetime === 'always' ? 'curl-web' : null, flows: 1 });
  }

  flows(filter: { readonly path?: string; readonly uid?: number }, limit: number): ReturnType<EngineApi['flows']> {
    const rows = this.records.filter((one) => filter.uid === undefined || one.uid === filter.uid);
    return { rows: rows.slice(0, limit), next: '' };
  }

  flow(id: string): FlowRecord | null {
    return this.records.find((one) => one.id === id) ?? null;
  }

  explain(id: string): ReturnType<EngineApi['explain']> {
    const found = this.flow(id);
    if (found === null) throw new BastionError('NotFound');
    return { flow: id, text: 'Allowed by rule web.', action: 'allow', reason: 'rule', rule_id: 'web', next_rule_id: '' };
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
