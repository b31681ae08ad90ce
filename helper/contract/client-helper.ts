/** The client that `connectHelper` makes: typed calls over the link, events, and what has to be said again after a loss. */
import type { ClientCall, ClientResult } from './client-link.ts';
import { HelperLink, NotConnectedError } from './client-link.ts';
import { BastionError } from './errors.ts';
import type { ConnectOptions, HelperClient, HelperEvents, HelperStatus, Page, SimulationAnswer } from './client.ts';
import { ClientEvents } from './client-events.ts';
import { StatusReader } from './client-status.ts';
import { array, bool, oneOf, string, text, u32, u64 } from './codec.ts';
import type { WireType } from './codec.ts';
import { INTERFACES, WIRE_LIMITS } from './names.ts';
import type { IncomingMessage } from './transport.ts';
import {
  DISMISS_LIMIT, PROMPT_ENDS, agentOptions, agentRegistration, answer, answerResult, check, explanation, flowFilter, flowInfo,
  loadError, longText, mode, modeOptions, packetInfo, profileInfo, promptInfo, ruleEdit, ruleInfo, safeguardInfo, subscribeOptions,
  totalsInfo, totalsFilter, listInfo, applicationFilter, applicationInfo, rehashRow, rehashSummary, IMPORT_ITEMS, importItem,
  importSummary, networkInterface, networkState, networkZone, networkContainer, inboundAllow, proposal, proposeOptions, ruleChange, ruleFinding, simulation, simulationRow,
} from './types.ts';
import type {
  AgentRegistration, Answer, AnswerResult, Check, Explanation, FlowInfo, LoadError, ProfileInfo, PromptInfo, Proposal, ProposeOptions, RuleChange, RuleEdit,
  RuleFinding,
  RuleInfo, SafeguardInfo, TotalsInfo, TotalsFilter, ListInfo, ApplicationFilter, ApplicationInfo, RehashInfo, RehashSummary, FlowFilter,
  NetworkInterface, NetworkState, NetworkZone, NetworkContainer, InboundAllow,
} from './types.ts';
import { historyState } from './types.ts';
import type { GroupBy, HistoryState, SubscribeOptions } from './types.ts';
import type { Mode } from './vocabulary.ts';

/** An agent that the helper refused after a restart, for instance because another was faster, tries again. */
const RESTORE_AGAIN_MS = 5000;
const ID_BASE = 36;
const id = text(64);
const cursor = text(128);
const promptEnd = oneOf(PROMPT_ENDS);
const paged = [u32, cursor] as const;

type Types = readonly WireType<unknown>[];

/** Implements HelperClient on one link. */
export class LinkedHelper implements HelperClient {
  readonly #options: ConnectOptions;
  readonly #link: HelperLink;
  readonly #events = new ClientEvents();
  readonly #status: StatusReader;
  #agentWanted = false;
  #subscription: SubscribeOptions | null = null;
  #restoreTimer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: ConnectOptions) {
    this.#options = options;
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

  async safeguard(): Promise<SafeguardInfo> {
    const [info] = await this.#helper('Safeguard', [], [], [safeguardInfo]);
    return info;
  }

  async endSafeguard(): Promise<void> {
    await this.#helper('EndSafeguard', [], [], []);
  }

  async profiles(): Promise<readonly ProfileInfo[]> {
    const [rows] = await this.#helper('Profiles', [], [], [array(profileInfo)]);
    return rows;
  }

  async setProfile(profile: string): Promise<void> {
    await this.#helper('SetProfile', [string], [profile], []);
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

  async setGroup(group: string, enabled: boolean): Promise<void> {
    await this.#rules('SetGroup', [text(64), bool], [group, enabled], []);
  }

  async exportRules(format: string): Promise<string> {
    const [exported] = await this.#rules('Export', [string], [format], [longText]);
    return exported;
  }

  async listLists(): Promise<readonly ListInfo[]> {
    const [lists] = await this.#rules('Lists', [], [], [array(listInfo)]);
    return lists;
  }

  async updateLists(ids: readonly string[]): Promise<void> {
    await this.#rules('UpdateLists', [array(id)], [ids], []);
  }

  async importRules(format: string, content: string, dryRun: boolean): ReturnType<HelperClient['importRules']> {
    const output = [array(importItem, IMPORT_ITEMS), importSummary] as const;
    const [items, summary] = await this.#rules('Import', [string, longText, bool], [format, content, dryRun], output);
    return { items, summary };
  }

  async proposeRules(options: ProposeOptions): Promise<readonly Proposal[]> {
    const [rows] = await this.#rules('Propose', [proposeOptions], [options], [array(proposal)]);
    return rows;
  }

  async simulateRules(changes: readonly RuleChange[], sinceMs: number): Promise<SimulationAnswer> {
    const output = [simulation, array(simulationRow)] as const;
    const [summary, rows] = await this.#rules('Simulate', [array(ruleChange), u64], [changes, sinceMs], output);
    return { summary, rows };
  }

  async reviewRules(): Promise<readonly RuleFinding[]> {
    const [rows] = await this.#rules('Review', [], [], [array(ruleFinding)]);
    return rows;
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

  async holdPrompt(nonce: string): Promise<number> {
    const [leftMs] = await this.#prompts('Hold', [id], [nonce], [u64], true);
    return leftMs;
  }

  async dismissPrompts(nonces: readonly string[]): Promise<number> {
    const [count] = await this.#prompts('Dismiss', [array(id, DISMISS_LIMIT)], [nonces], [u32]);
    return count;
  }

  async queryFlows(filter: FlowFilter, limit: number, from: string): Promise<Page<FlowInfo>> {
    const output = [array(flowInfo), string] as const;
    const [rows, next] = await this.#activity('Query', [flowFilter, ...paged], [filter, pageSize(limit), from], output);
    return { rows, next };
  }

  async indexFlows(filter: FlowFilter, from: string): Promise<Page<string>> {
    const [ids, next] = await this.#activity('Index', [flowFilter, cursor], [filter, from], [longText, string]);
    return { rows: idsOf(ids), next };
  }

  async groupFlows(filter: FlowFilter, by: GroupBy): ReturnType<HelperClient['groupFlows']> {
    const [rows, sinceMs] = await this.#activity('Group', [flowFilter, string], [filter, by], [array(totalsInfo), u64]);
    return { rows, sinceMs };
  }

  async historyState(): Promise<HistoryState> {
    const [found] = await this.#activity('HistoryState', [], [], [historyState]);
    return found;
  }

  async subscribe(options: SubscribeOptions & { readonly packets: boolean }): Promise<void> {
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

  totals(): Promise<readonly TotalsInfo[]> {
    return this.historyTotals('helper', 'application');
  }

  async historyTotals(range: string, by: string, filter?: TotalsFilter): Promise<readonly TotalsInfo[]> {
    const output = [array(totalsInfo)] as const;
    const [rows] = filter === undefined
      ? await this.#activity('Totals', [string, string], [range, by], output)
      : await this.#activity('TotalsOf', [totalsFilter, string, string], [filter, range, by], output);
    return rows;
  }

  async listApplications(filter: ApplicationFilter, limit: number, from: string): Promise<Page<ApplicationInfo>> {
    const output = [array(applicationInfo), string] as const;
    const input = [applicationFilter, ...paged] as const;
    const [rows, next] = await this.#applications('List', input, [filter, pageSize(limit), from], output);
    return { rows, next };
  }

  async rehash(ids: readonly string[]): Promise<readonly RehashInfo[]> {
    const [rows] = await this.#applications('Rehash', [array(string)], [ids], [array(rehashRow)], true);
    return rows;
  }

  async rehashAll(): Promise<RehashSummary> {
    const [summary] = await this.#applications('RehashAll', [], [], [rehashSummary], true);
    return summary;
  }

  async clearHistory(): Promise<void> {
    await this.#activity('ClearHistory', [], [], []);
  }

  async listInterfaces(limit: number, from: string): Promise<Page<NetworkInterface>> {
    const [rows, next] = await this.#network('ListInterfaces', paged, [pageSize(limit), from], [array(networkInterface), string]);
    return { rows, next };
  }

  async listZones(limit: number, from: string): Promise<Page<NetworkZone>> {
    const [rows, next] = await this.#network('ListZones', paged, [pageSize(limit), from], [array(networkZone), string]);
    return { rows, next };
  }

  async listContainers(limit: number, from: string): Promise<Page<NetworkContainer>> {
    const [rows, next] = await this.#network('ListContainers', paged, [pageSize(limit), from], [array(networkContainer), string]);
    return { rows, next };
  }

  async setInbound(zone: string, policy: 'off' | 'allow' | 'deny', allow: readonly InboundAllow[]): Promise<void> {
    await this.#network('SetInbound', [string, string, array(inboundAllow)], [zone, policy, allow], []);
  }

  async network(): Promise<NetworkState> {
    const [state] = await this.#network('Current', [], [], [networkState]);
    return state;
  }

  another(): HelperClient {
    return new LinkedHelper(this.#options);
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
    member: string, input: I, values: ClientCall<I, O>['values'], output: O, quiet = false,
  ): Promise<ClientResult<O>> {
    return this.#link.call({ interface: INTERFACES.prompts, member, input, values, output, quiet });
  }

  #activity<const I extends Types, const O extends Types>(
    member: string, input: I, values: ClientCall<I, O>['values'], output: O,
  ): Promise<ClientResult<O>> {
    return this.#link.call({ interface: INTERFACES.activity, member, input, values, output });
  }

  #applications<const I extends Types, const O extends Types>(
    member: string, input: I, values: ClientCall<I, O>['values'], output: O, long = false,
  ): Promise<ClientResult<O>> {
    return this.#link.call({ interface: INTERFACES.applications, member, input, values, output, long });
  }

  #network<const I extends Types, const O extends Types>(
    member: string, input: I, values: ClientCall<I, O>['values'], output: O,
  ): Promise<ClientResult<O>> {
    return this.#link.call({ interface: INTERFACES.network, member, input, values, output });
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
      case `${INTERFACES.applications}.Changed`:
        this.#events.emit('applicationsChanged');
        return;
      case `${INTERFACES.network}.Changed`:
        this.#events.emit('networkChanged');
        return;
      case `${INTERFACES.applications}.RehashProgress`: {
        const [done, total] = signal.body();
        this.#events.emit('rehashProgress', u64.decode(done, 'done'), u64.decode(total, 'total'));
        return;
      }
      default:
    }
  }
}

/** The ids of `f1a 1 1 5`. Throws BastionError for what is no such text. */
function idsOf(text: string): readonly string[] {
  if (text === '') return [];
  const [first = '', ...steps] = text.split(' ');
  let number = Number.parseInt(first.slice(1), ID_BASE);
  const ids = [first];
  for (const step of steps) {
    number -= Number.parseInt(step, ID_BASE);
    ids.push(`f${number.toString(ID_BASE)}`);
  }
  if (!(number >= 0)) throw new BastionError('Failed', 'The list of flows cannot be read.');
  return ids;
}

function pageSize(limit: number): number {
  return Math.min(Math.max(0, Math.trunc(limit)), WIRE_LIMITS.pageRows);
}
