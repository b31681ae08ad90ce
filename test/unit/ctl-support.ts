/** A terminal and a helper that are written down instead of real, for bastionctl's commands. */
import { BastionError } from '../../helper/contract/errors.ts';
import type { HelperClient, HelperEvents, HelperStatus, Page, SimulationAnswer } from '../../helper/contract/client.ts';
import type { ApplicationInfo, FlowFilter, FlowInfo, ListInfo, NetworkInterface, NetworkState, NetworkContainer, NetworkZone, PromptInfo, Proposal, RehashInfo, RuleFinding, RuleInfo, SafeguardInfo, TotalsInfo } from '../../helper/contract/types.ts';
import type { ConnectOptions } from '../../helper/contract/client.ts';
import { run } from '../../helper/ctl/run.ts';
import type { Io, StopReason } from '../../helper/ctl/io.ts';

/** 2026-11-21T02:00:00Z. */
export const NOW_MS = 1_795_226_400_000;

export const RULE: RuleInfo = {
  id: 'curl-web', name: 'curl: the web', action: 'allow', enabled: true, path: '/usr/bin/curl', address: '', port: '443',
  protocol: 'tcp', user: '', lifetime: 'always', schedule: '', priority: 0, group: '', tier: 'user', editable: true,
  file: '50-user.toml', line: 3, created_ms: NOW_MS - 1000, hits: 1234, last_hit_ms: NOW_MS - 500,
};

export const PROMPT: PromptInfo = {
  id: 'p7', nonce: '00112233445566778899aabbccddeeff', application: 'curl', path: '/usr/bin/curl', confidence: 'certain',
  evidence: 'kernel', destination: 'example.org', names: ['example.org'], name_sources: ['program'], is_lookup: false, address: '192.0.2.7', port: 443, protocol: 'tcp', uid: 1000, user: 'alice',
  pid: 4711, command: 'curl', ancestors: [{ pid: 4000, path: '/usr/bin/bash', command: 'bash' }], count: 1, raised_ms: NOW_MS,
  expires_in_ms: 30_000, timeout_ms: 30_000, status: 'pending', lifetimes: ['once', 'process'], scopes: ['host', 'port', 'any'],
  default_lifetime: 'always', default_scope: 'host',
};

export const FLOW: FlowInfo = {
  id: 'f7', time_ms: NOW_MS, application: 'curl', path: '/usr/bin/curl', uid: 1000, pid: 4711, source_address: '192.0.2.1',
  source_port: 50_000, address: '192.0.2.7', port: 443, protocol: 'tcp', host: 'example.org', names: ['example.org'],
  name_sources: ['program'], interface: 'eth0', length: 60,
  action: 'allow', reason: 'rule', rule_id: 'curl-web', confidence: 'certain', evidence: 'kernel',
};

export const TOTALS: TotalsInfo = {
  application: 'curl', path: '/usr/bin/curl', uid: 1000, user: 'alice', sent_bytes: 1500, sent_packets: 3, received_bytes: 2_500_000,
  received_packets: 1700,
};

export const PROPOSAL: Proposal = {
  kind: 'rule', text: 'curl: port 443, example.org, for alice; 41 connections',
  rule: {
    action: 'allow', name: 'curl: port 443, example.org', group: 'Learned', path: '/usr/bin/curl', domain: 'example.org', port: '443',
    protocol: 'tcp', user: '1000',
  },
  applications: ['curl'], destinations: ['example.org'], users: ['alice'], connections: 41, first_ms: NOW_MS - 9000, last_ms: NOW_MS,
  coverage: 95, examples: ['f1', 'f2'], confidence: 'certain',
};

export const LEFT_OUT: Proposal = {
  kind: 'left-out', text: 'Nothing is proposed for 2 connections: 2 because it is not certain which program it was.', applications: ['nc'],
  destinations: [], users: [], connections: 2, first_ms: NOW_MS - 9000, last_ms: NOW_MS, coverage: 5, examples: ['f3'],
  confidence: 'unknown',
};

export const SIMULATED: SimulationAnswer = {
  summary: {
    text: 'Would have refused 1 application, 41 connections.', flows: 100, since_ms: NOW_MS - 9000, refused_applications: 1,
    refused_connections: 41, asked_applications: 0, asked_connections: 0, allowed_applications: 0, allowed_connections: 0, unlisted: 0,
    lists_ignored: 0,
  },
  rows: [{
    change: 'refused', from: 'allow', to: 'deny', application: 'curl', path: '/usr/bin/curl', uid: 1000, user: 'alice', host: 'example.org',
    address: '192.0.2.7', port: 443, protocol: 'tcp', connections: 41, first_ms: NOW_MS - 9000, last_ms: NOW_MS, rule_before: 'curl-web',
    rule_after: 'no-curl', examples: ['f1'],
  }],
};

export const FINDING: RuleFinding = {
  kind: 'missing', rule_id: 'curl-web', name: 'curl: the web', other_id: '',
  text: '“curl: the web” (curl-web) names /usr/bin/curl, which is not there any more.',
  advice: 'If the program was uninstalled, remove it: bastionctl rules remove curl-web', path: '/usr/bin/curl',
};

export const STATUS: HelperStatus = {
  version: '3.0.0', mode: 'enforcing', state: 'protecting', degradedReasons: [], pausedUntilMs: 0, profile: '', loadErrors: [],
  statistics: {
    packets: 10, connections: 9, allowed: 8, denied: 1, prompts: 2, prompts_expired: 1, rules: 3, queue_length: 0, queue_dropped: 0,
    queue_user_dropped: 0, queue_overruns: 0, held: 0, default_verdicts: 0, unidentified: 0, kernel_decided: 4, gate_dropped: 0, over_budget: 0, rules_mended: 0, names: 0, dns_ignored: 0, names_lost: 0, history_lost: 0, uptime_ms: 3_900_000,
  },
};

/** Emits events as the helper would, and remembers what was asked of it. */
export class ScriptedClient implements HelperClient {
  connected = true;
  readonly calls: (readonly unknown[])[] = [];
  closed = false;
  rules: readonly RuleInfo[] = [RULE];
  prompts: readonly PromptInfo[] = [PROMPT];
  rowFlows: readonly FlowInfo[] = [FLOW];
  rowTotals: readonly TotalsInfo[] = [TOTALS];
  lists: readonly ListInfo[] = [];
  applications: readonly ApplicationInfo[] = [];
  rehashed: readonly RehashInfo[] = [];
  interfaces: readonly NetworkInterface[] = [];
  zones: readonly NetworkZone[] = [];
  containers: readonly NetworkContainer[] = [];
  networkState: NetworkState = { connections: [], ssids: [], gateways: [], profile: '' };
  proposals: readonly Proposal[] = [PROPOSAL, LEFT_OUT];
  simulated = SIMULATED;
  findings: readonly RuleFinding[] = [FINDING];
  /** What flows were asked for, one entry for each page. */
  readonly filters: FlowFilter[] = [];
  state = STATUS;
  imported: Awaited<ReturnType<HelperClient['importRules']>> = {
    items: [
      { outcome: 'kept', file: '', line: 2, source: '/usr/bin/curl:443', text: 'The program, port 443, any address.', rule_id: 'curl-1', rule: { id: 'curl-1', action: 'allow' } },
      { outcome: 'skipped', file: '', line: 3, source: 'bad', text: 'There is no port number.' },
    ],
    summary: {
      format: 'bastion-rules', guess: 'Its keys end in a port.', dry_run: true, kept: 1, changed: 0, review: 0, skipped: 1, ids: ['curl-1'],
      settings: '', applications: '',
    },
  };
  /** Thrown by every call whose name is a key. */
  failures: Readonly<Record<string, Error>> = {};
  readonly #listeners = new Map<string, Set<(...args: never[]) => void>>();

  on<E extends keyof HelperEvents>(event: E, listener: HelperEvents[E]): () => void {
    const set = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, set.add(listener));
    return () => void set.delete(listener);
  }

  emit<E extends keyof HelperEvents>(event: E, ...args: Parameters<HelperEvents[E]>): void {
    for (const listener of this.#listeners.get(event) ?? []) (listener as (...values: unknown[]) => void)(...args);
  }

  listeners(): number {
    return [...this.#listeners.values()].reduce((sum, set) => sum + set.size, 0);
  }

  #call<T>(name: string, result: T, ...args: readonly unknown[]): Promise<T> {
    this.calls.push([name, ...args]);
    const failure = this.failures[name];
    return failure === undefined ? Promise.resolve(result) : Promise.reject(failure);
  }

  /** Pages of two, so that turning them is always tried. */
  #page<T>(name: string, rows: readonly T[], limit: number, cursor: string): Promise<Page<T>> {
    const start = cursor === '' ? 0 : Number(cursor);
    const end = start + Math.min(2, limit);
    return this.#call(name, { rows: rows.slice(start, end), next: end < rows.length ? String(end) : '' }, limit, cursor);
  }

  status = (): Promise<HelperStatus> => this.#call('status', this.state);
  ping = (): Promise<void> => this.#call('ping', undefined);
  setMode = (...args: Parameters<HelperClient['setMode']>): Promise<void> => {
    const [mode, options] = args;
    const { version, state, degradedReasons, statistics, pausedUntilMs, profile, loadErrors, mode: before } = this.state;
    const trial = options?.confirmSeconds === undefined ? {}
      : { trial: { before: state === 'off' ? state : before, endsMs: NOW_MS + options.confirmSeconds * 1000 } };
    this.state = { version, mode, state, degradedReasons, statistics, pausedUntilMs, profile, loadErrors, ...trial };
    return this.#call('setMode', undefined, ...args);
  };
  pause = (seconds: number): Promise<void> => this.#call('pause', undefined, seconds);
  resume = (): Promise<void> => this.#call('resume', undefined);
  guard: SafeguardInfo = { on: false, since_ms: 0, refused: 0, offenders: [] };
  safeguard = (): Promise<SafeguardInfo> => this.#call('safeguard', this.guard);
  endSafeguard = (): Promise<void> => this.#call('endSafeguard', undefined);
  listInterfaces = (limit: number, cursor: string): Promise<Page<NetworkInterface>> => this.#page('listInterfaces', this.interfaces, limit, cursor);
  listZones = (limit: number, cursor: string): Promise<Page<NetworkZone>> => this.#page('listZones', this.zones, limit, cursor);
  listContainers = (limit: number, cursor: string): Promise<Page<NetworkContainer>> => this.#page('listContainers', this.containers, limit, cursor);
  setInbound = (...args: Parameters<HelperClient['setInbound']>): Promise<void> => this.#call('setInbound', undefined, ...args);
  network = (): Promise<NetworkState> => this.#call('network', this.networkState);
  profiles = (): ReturnType<HelperClient['profiles']> => this.#call('profiles', []);
  setProfile = (id: string): Promise<void> => this.#call('setProfile', undefined, id);
  reload = (): ReturnType<HelperClient['reload']> => this.#call('reload', this.state.loadErrors);
  off = (): Promise<void> => this.#call('off', undefined);
  selfTest = (): ReturnType<HelperClient['selfTest']> => this.#call('selfTest', [{ name: 'queue', ok: true, detail: 'bound' }]);
  setLogLevel = (level: string): Promise<void> => this.#call('setLogLevel', undefined, level);
  listRules = (limit: number, cursor: string): Promise<Page<RuleInfo>> => this.#page('listRules', this.rules, limit, cursor);
  getRule = (id: string): Promise<RuleInfo> => {
    const found = this.rules.find((rule) => rule.id === id);
    return found === undefined ? Promise.reject(new BastionError('NotFound')) : this.#call('getRule', found, id);
  };
  addRule = (...args: Parameters<HelperClient['addRule']>): Promise<string> => this.#call('addRule', 'new-rule', ...args);
  updateRule = (...args: Parameters<HelperClient['updateRule']>): Promise<void> => this.#call('updateRule', undefined, ...args);
  removeRule = (id: string): Promise<void> => this.#call('removeRule', undefined, id);
  setGroup = (group: string, enabled: boolean): Promise<void> => this.#call('setGroup', undefined, group, enabled);
  exportRules = (format: string): Promise<string> => this.#call('exportRules', '[[rule]]\nid = "a"\n', format);
  listLists = (): ReturnType<HelperClient['listLists']> => this.#call('listLists', this.lists);
  updateLists = (ids: readonly string[]): Promise<void> => this.#call('updateLists', undefined, ids);
  importRules = (...args: Parameters<HelperClient['importRules']>): ReturnType<HelperClient['importRules']> =>
    this.#call('importRules', { ...this.imported, summary: { ...this.imported.summary, dry_run: args[2] } }, ...args);
  proposeRules = (...args: Parameters<HelperClient['proposeRules']>): ReturnType<HelperClient['proposeRules']> =>
    this.#call('proposeRules', this.proposals, ...args);
  simulateRules = (...args: Parameters<HelperClient['simulateRules']>): ReturnType<HelperClient['simulateRules']> =>
    this.#call('simulateRules', this.simulated, ...args);
  reviewRules = (): ReturnType<HelperClient['reviewRules']> => this.#call('reviewRules', this.findings);
  registerAgent = (): ReturnType<HelperClient['registerAgent']> => this.#call('registerAgent', { session: 'c1', verified: false });
  unregisterAgent = (): Promise<void> => this.#call('unregisterAgent', undefined);
  answer = (...args: Parameters<HelperClient['answer']>): ReturnType<HelperClient['answer']> =>
    this.#call('answer', { rule_id: 'made', flows: 1 }, ...args);
  listPrompts = (limit: number, cursor: string): Promise<Page<PromptInfo>> => this.#page('listPrompts', this.prompts, limit, cursor);
  holdPrompt = (nonce: string): Promise<number> => this.#call('holdPrompt', 30_000, nonce);
  dismissPrompts = (nonces: readonly string[]): Promise<number> => this.#call('dismissPrompts', nonces.length, nonces);
  queryFlows = (...args: Parameters<HelperClient['queryFlows']>): Promise<Page<FlowInfo>> => {
    this.filters.push(args[0]);
    return this.#page('queryFlows', this.rowFlows, args[1], args[2]);
  };
  subscribe = (...args: Parameters<HelperClient['subscribe']>): Promise<void> => this.#call('subscribe', undefined, ...args);
  unsubscribe = (): Promise<void> => this.#call('unsubscribe', undefined);
  explain = (flow: string): ReturnType<HelperClient['explain']> => this.#call('explain', {
    flow, text: 'Allowed by rule curl-web.', action: 'allow' as const, reason: 'rule' as const, rule_id: 'curl-web', next_rule_id: '',
  }, flow);
  totals = (): Promise<readonly TotalsInfo[]> => this.#call('totals', this.rowTotals);
  listApplications = (...args: Parameters<HelperClient['listApplications']>): Promise<Page<ApplicationInfo>> =>
    this.#page('listApplications', this.applications, args[1], args[2]);
  rehash = (ids: readonly string[]): ReturnType<HelperClient['rehash']> => this.#call('rehash', this.rehashed, ids);
  rehashAll = (): ReturnType<HelperClient['rehashAll']> => {
    this.emit('rehashProgress', 50, 100);
    const { rehashed } = this;
    return this.#call('rehashAll', { files: 3, same: 3 - rehashed.length, accepted: rehashed.length, missing: 0, failed: 0, rows: rehashed });
  };
  historyTotals = (range: string, by: string): Promise<readonly TotalsInfo[]> => this.#call('historyTotals', this.rowTotals, range, by);
  indexFlows = (filter: FlowFilter, from: string): Promise<Page<string>> => this.#call('indexFlows', { rows: this.rowFlows.map(({ id }) => id), next: '' }, filter, from);
  groupFlows = (filter: FlowFilter, by: string): ReturnType<HelperClient['groupFlows']> => this.#call('groupFlows', { rows: this.rowTotals, sinceMs: 0 }, filter, by);
  historyState = (): ReturnType<HelperClient['historyState']> => this.#call('historyState', { enabled: true, names: true, keep_days: 30, max_megabytes: 256, failure: '' });
  clearHistory = (): Promise<void> => this.#call('clearHistory', undefined);
  another = (): HelperClient => this;
  close(): void {
    this.closed = true;
  }
}

export interface FakeIo extends Io {
  stdout: string;
  stderr: string;
  pending: number;
  clockMs: number;
  stop(reason: StopReason): void;
  press(...keys: readonly string[]): void;
  /** `open`, `suspended`, `closed`, or `none` before the first key was wanted. */
  keyboardState: string;
}

/** Streams into strings. With `terminal` all three are terminals. */
export function fakeIo(options: { readonly terminal?: boolean; readonly env?: Record<string, string> } = {}): FakeIo {
  const terminal = options.terminal === true;
  let stopNow: (reason: StopReason) => void = () => undefined;
  const stopped = new Promise<StopReason>((resolve) => (stopNow = resolve));
  let onKey: (key: string) => void = () => undefined;
  const io: FakeIo = {
    stdout: '', stderr: '', pending: 0, clockMs: NOW_MS, keyboardState: 'none',
    env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', PAGER: 'cat', ...options.env },
    stdinIsTerminal: terminal, stdoutIsTerminal: terminal, stderrIsTerminal: terminal,
    columns: () => 80,
    rows: () => 24,
    now: () => io.clockMs,
    out: (text) => void (io.stdout += text),
    err: (text) => void (io.stderr += text),
    pendingBytes: () => io.pending,
    flush: () => Promise.resolve(),
    untilStopped: () => stopped,
    keyboard(listener) {
      onKey = listener;
      io.keyboardState = 'open';
      return {
        suspend: () => void (io.keyboardState = 'suspended'),
        resume: () => void (io.keyboardState = io.keyboardState === 'closed' ? 'closed' : 'open'),
        close: () => void (io.keyboardState = 'closed'),
      };
    },
    stopProcess: (continued) => continued(),
    stop: (reason) => stopNow(reason),
    press: (...keys) => keys.forEach((key) => onKey(key)),
  };
  return io;
}

export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly client: ScriptedClient;
  readonly connected: readonly ConnectOptions[];
}

/** One whole run of `bastionctl ARGS` against the scripted helper. */
export async function bastionctl(args: readonly string[], client = new ScriptedClient(), io = fakeIo()): Promise<Outcome> {
  const connected: ConnectOptions[] = [];
  const exitCode = await run(args, io, (options) => {
    connected.push(options);
    return client;
  });
  return { exitCode, stdout: io.stdout, stderr: io.stderr, client, connected };
}
