/** A HelperClient that does what a test says and tells what it was asked. */
import type {
  HelperClient, HelperEvents, HelperStatus, Page,
} from '../../helper/contract/client.ts';
import { NotConnectedError } from '../../helper/contract/client.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import type { ErrorCode } from '../../helper/contract/errors.ts';
import type {
  Answer, AnswerResult, Explanation, FlowInfo, PromptInfo, RuleEdit, RuleInfo, TotalsInfo,
} from '../../helper/contract/types.ts';
import type { Mode } from '../../helper/contract/vocabulary.ts';
import { ruleInfoOf } from './samples.ts';

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
  readonly expired = new Set<string>();
  /** Calls by name that are refused. */
  readonly refusals = new Map<string, { readonly code: ErrorCode; readonly message?: string }>();
  readonly #listeners: Listeners = {
    connected: new Set(), status: new Set(), rulesChanged: new Set(), promptRaised: new Set(), promptWithdrawn: new Set(),
    flows: new Set(), packets: new Set(),
  };
  readonly #onCall: (call: StandInCall) => void;

  constructor(status: HelperStatus, onCall: (call: StandInCall) => void) {
    this.current = status;
    this.#onCall = onCall;
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

  raise(prompt: PromptInfo): void {
    this.prompts.push(prompt);
    for (const listener of this.#listeners.promptRaised) listener(prompt);
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
  }

  async status(): Promise<HelperStatus> { await this.#take('status'); return this.current; }
  ping(): Promise<void> { return this.#take('ping'); }
  async setMode(mode: Mode): Promise<void> { await this.#take('setMode', mode); this.setStatus({ mode }); }
  async pause(seconds: number): Promise<void> {
    await this.#take('pause', seconds);
    this.setStatus({ state: 'paused', pausedUntilMs: Date.now() + seconds * 1000 });
  }
  async resume(): Promise<void> { await this.#take('resume'); this.setStatus({ state: 'protecting', pausedUntilMs: 0 }); }
  async reload(): Promise<readonly []> { await this.#take('reload'); return []; }
  off(): Promise<void> { return this.#take('off'); }
  async selfTest(): Promise<readonly []> { await this.#take('selfTest'); return []; }
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
  async exportRules(): Promise<string> { await this.#take('exportRules'); return ''; }
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
  async queryFlows(): Promise<Page<FlowInfo>> { await this.#take('queryFlows'); return { rows: [], next: '' }; }
  async totals(): Promise<readonly TotalsInfo[]> { await this.#take('totals'); return []; }
  subscribe(): Promise<void> { return this.#take('subscribe'); }
  unsubscribe(): Promise<void> { return this.#take('unsubscribe'); }
  async explain(flow: string): Promise<Explanation> {
    await this.#take('explain', flow);
    throw new BastionError('NotFound');
  }
  close(): void { this.#onCall({ call: 'close', args: [] }); }
}
