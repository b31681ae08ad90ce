/** The client that `connectHelper` makes: typed calls over the link, events, and what has to be said again after a loss. */
import type { ClientCall, ClientResult } from './client-link.ts';
import { HelperLink, NotConnectedError } from './client-link.ts';
import type { ConnectOptions, HelperClient, HelperEvents, HelperStatus, Page } from './client.ts';
import { ClientEvents } from './client-events.ts';
import { StatusReader } from './client-status.ts';
import { array, oneOf, string, text, u32 } from './codec.ts';
import type { WireType } from './codec.ts';
import { INTERFACES, WIRE_LIMITS } from './names.ts';
import type { IncomingMessage } from './transport.ts';
import {
  PROMPT_ENDS, agentOptions, agentRegistration, answer, answerResult, check, explanation, flowFilter, flowInfo, loadError, longText,
  mode, modeOptions, packetInfo, promptInfo, ruleEdit, ruleInfo, subscribeOptions, totalsInfo,
} from './types.ts';
import type {
  AgentRegistration, Answer, AnswerResult, Check, Explanation, FlowInfo, LoadError, PromptInfo, RuleEdit, RuleInfo, TotalsInfo,
} from './types.ts';
import type { Mode } from './vocabulary.ts';

/** An agent that the helper refused after a restart, for instance because another was faster, tries again. */
const RESTORE_AGAIN_MS = 5000;
const id = text(64);
const cursor = text(128);
const promptEnd = oneOf(PROMPT_ENDS);
const paged = [u32, cursor] as const;

type Types = readonly WireType<unknown>[];

/** Implements HelperClient on one link. */
export class LinkedHelper implements HelperClient {
  readonly #link: HelperLink;
  readonly #events = new ClientEvents();
  readonly #status: StatusReader;
  #agentWanted = false;
  #subscription: { readonly packets: boolean } | null = null;
  #restoreTimer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: ConnectOptions) {
    this.#link = new HelperLink(options, {
      presence: (there) => {
        this.#presence(there);
      },
      signal: (signal) => {
        this.#onSignal(signal);
      },
    });
    this.#status = new StatusReader(this.#link, (status) => {
      this.#events.emit('status', status);
    });
  }

  get connected(): boolean {
    return this.#link.connected;
  }

  on<E extends keyof HelperEvents>(event: E, listener: HelperEvents[E]): () => void {
    return this.#events.on(event, listener);
  }

  status(): Promise<HelperStatus> {
    return this.#status.read();
  }

  async ping(): Promise<void> {
    await this.#helper('Ping', [], [], []);
  }

  async setMode(wanted: Mode, options: { readonly confirmSeconds?: number } = {}): Promise<void> {
    const confirm = options.confirmSeconds === undefined ? {} : { confirm_s: options.confirmSeconds };
    await this.#helper('SetMode', [mode, modeOptions], [wanted, confirm], []);
  }

  async pause(seconds: number): Promise<void> {
    await this.#helper('Pause', [u32], [seconds], []);
  }

  async resume(): Promise<void> {
    await this.#helper('Resume', [], [], []);
  }

  async reload(): Promise<readonly LoadError[]> {
    const [errors] = await this.#helper('Reload', [], [], [array(loadError)]);
    return errors;
  }

  async off(): Promise<void> {
    await this.#helper('Off', [], [], []);
  }

  async selfTest(): Promise<readonly Check[]> {
    const [checks] = await this.#helper('SelfTest', [], [], [array(check)]);
    return checks;
  }

  async setLogLevel(level: string): Promise<void> {
    await this.#helper('SetLogLevel', [string], [level], []);
  }

  async listRules(limit: number, from: string): Promise<Page<RuleInfo>> {
    const [rows, next] = await this.#rules('List', paged, [pageSize(limit), from], [array(ruleInfo), string]);
    return { rows, next };
  }

  async getRule(ruleId: string): Promise<RuleInfo> {
    const [rule] = await this.#rules('Get', [id], [ruleId], [ruleInfo]);
    return rule;
  }

  async addRule(rule: RuleEdit): Promise<string> {
    const [ruleId] = await this.#rules('Add', [ruleEdit], [rule], [string]);
    return ruleId;
  }

  async updateRule(ruleId: string, change: RuleEdit): Promise<void> {
    await this.#rules('Update', [id, ruleEdit], [ruleId, change], []);
  }

  async removeRule(ruleId: string): Promise<void> {
    await this.#rules('Remove', [id], [ruleId], []);
  }

  async exportRules(format: string): Promise<string> {
    const [exported] = await this.#rules('Export', [string], [format], [longText]);
    return exported;
  }

  async registerAgent(): Promise<AgentRegistration> {
    this.#agentWanted = true;
    try {
      return await this.#register();
    } catch (error: unknown) {
      // A helper that is not there yet is waited for; one that refuses is believed.
      if (!(error instanceof NotConnectedError)) this.#agentWanted = false;
      throw error;
    }
  }

  async unregisterAgent(): Promise<void> {
    this.#agentWanted = false;
    await this.#prompts('UnregisterAgent', [], [], []);
  }

  async answer(nonce: string, decision: Answer): Promise<AnswerResult> {
    const [result] = await this.#prompts('Answer', [id, answer], [nonce, decision], [answerResult]);
    return result;
  }

  async listPrompts(limit: number, from: string): Promise<Page<PromptInfo>> {
    const [rows, next] = await this.#prompts('ListPending', paged, [pageSize(limit), from], [array(promptInfo), string]);
    return { rows, next };
  }

  async queryFlows(
    filter: { readonly path?: string; readonly uid?: number }, limit: number, from: string,
  ): Promise<Page<FlowInfo>> {
    const output = [array(flowInfo), string] as const;
    const [rows, next] = await this.#activity('Query', [flowFilter, ...paged], [filter, pageSize(limit), from], output);
    return { rows, next };
  }

  async subscribe(options: { readonly packets: boolean }): Promise<void> {
    const before = this.#subscription;
    this.#subscription = options;
    try {
      await this.#activity('Subscribe', [subscribeOptions], [options], []);
    } catch (error: unknown) {
      if (!(error instanceof NotConnectedError)) this.#subscription = before;
      throw error;
    }
  }

  async unsubscribe(): Promise<void> {
    this.#subscription = null;
    await this.#activity('Unsubscribe', [], [], []);
  }

  async explain(flow: string): Promise<Explanation> {
    const [found] = await this.#activity('Explain', [id], [flow], [explanation]);
    return found;
  }

  async totals(): Promise<readonly TotalsInfo[]> {
    const [rows] = await this.#activity('Totals', [string, string], ['helper', 'application'], [array(totalsInfo)]);
    return rows;
  }

  close(): void {
    this.#closed = true;
    this.#stopRestoring();
    this.#link.close();
    this.#events.clear();
  }

  async #register(): Promise<AgentRegistration> {
    const [registration] = await this.#link.call({
      interface: INTERFACES.prompts, member: 'RegisterAgent', input: [agentOptions], values: [{}], output: [agentRegistration],
    });
    return registration;
  }

  #helper<const I extends Types, const O extends Types>(
    member: string, input: I, values: ClientCall<I, O>['values'], output: O,
  ): Promise<ClientResult<O>> {
    return this.#link.call({ interface: INTERFACES.helper, member, input, values, output });
  }

  #rules<const I extends Types, const O extends Types>(
    member: string, input: I, values: ClientCall<I, O>['values'], output: O,
  ): Promise<ClientResult<O>> {
    return this.#link.call({ interface: INTERFACES.rules, member, input, values, output });
  }

  #prompts<const I extends Types, const O extends Types>(
    member: string, input: I, values: ClientCall<I, O>['values'], output: O,
  ): Promise<ClientResult<O>> {
    return this.#link.call({ interface: INTERFACES.prompts, member, input, values, output });
  }

  #activity<const I extends Types, const O extends Types>(
    member: string, input: I, values: ClientCall<I, O>['values'], output: O,
  ): Promise<ClientResult<O>> {
    return this.#link.call({ interface: INTERFACES.activity, member, input, values, output });
  }

  #presence(there: boolean): void {
    this.#stopRestoring();
    this.#events.emit('connected', there);
    if (!there) return;
    this.#status.refresh();
    this.#restore();
  }

  /** The helper that is there now knows neither our agent nor our subscription. */
  #restore(): void {
    this.#restoreAll().catch((error: unknown) => {
      if (this.#closed || error instanceof NotConnectedError) return;
      this.#restoreTimer ??= setTimeout(() => {
        this.#restoreTimer = null;
        this.#restore();
      }, RESTORE_AGAIN_MS);
    });
  }

  async #restoreAll(): Promise<void> {
    await Promise.all([this.#agentWanted ? this.#register() : null, this.#resubscribe()]);
  }

  async #resubscribe(): Promise<void> {
    const subscription = this.#subscription;
    if (subscription === null) return;
    await this.#link.call({
      interface: INTERFACES.activity, member: 'Subscribe', input: [subscribeOptions], values: [subscription], output: [], quiet: true,
    });
  }

  #stopRestoring(): void {
    if (this.#restoreTimer !== null) clearTimeout(this.#restoreTimer);
    this.#restoreTimer = null;
  }

  /** Throws for what cannot be read; the connection catches it. */
  #onSignal(signal: IncomingMessage): void {
    switch (`${signal.interface}.${signal.member}`) {
      case 'org.freedesktop.DBus.Properties.PropertiesChanged':
        this.#status.changed(signal);
        return;
      case `${INTERFACES.rules}.Changed`:
        this.#events.emit('rulesChanged');
        return;
      case `${INTERFACES.prompts}.PromptRaised`:
        this.#events.emit('promptRaised', promptInfo.decode(signal.body()[0], signal.member));
        return;
      case `${INTERFACES.prompts}.PromptWithdrawn`: {
        const [nonce, why] = signal.body();
        this.#events.emit('promptWithdrawn', id.decode(nonce, 'nonce'), promptEnd.decode(why, 'why'));
        return;
      }
      case `${INTERFACES.activity}.FlowsObserved`:
        this.#events.emit('flows', array(flowInfo).decode(signal.body()[0], signal.member));
        return;
      case `${INTERFACES.activity}.PacketsObserved`:
        this.#events.emit('packets', array(packetInfo).decode(signal.body()[0], signal.member));
        return;
      default:
    }
  }
}

function pageSize(limit: number): number {
  return Math.min(Math.max(0, Math.trunc(limit)), WIRE_LIMITS.pageRows);
}
