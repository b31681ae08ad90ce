/** An engine between fakes that record: clock, timers, data path, store. Nothing here decides anything. */
import assert from 'node:assert/strict';
import type { PromptEnd } from '../../helper/contract/types.ts';
import type { Attribution, ExecutableId, Owner, Rule, Tuple, Verdict } from '../../helper/contract/vocabulary.ts';
import type { FlowRecord, PromptView } from '../../helper/engine-api.ts';
import { Engine } from '../../helper/engine.ts';
import { readDnsMessage } from '../../helper/adapters/dns-message.ts';
import type {
  Ask, AskAnswer, DataPath, DataPathCounters, DataPathHealth, FlowEvent, GatePosture, Identities, IdentityNews, LinkMonitor, Lists, LoadedRules, NetworkLink, Networks, NetworkState,
  NewRule, Origin, RememberedDecision, RememberedFlow, RuleStore, AddedRule,
  RunState, Session, Settings, Traffic,
} from '../../helper/ports.ts';
import { FakeContainers } from './container-support.ts';
import { PATH, tuple } from './policy-support.ts';
import { nonces, owner } from './prompt-support.ts';

export const WALL_MS = 1_800_000_000_000;
/** The one configured name server. */
export const NAME_SERVER = '192.0.2.53';

export const SETTINGS: Settings = {
  mode: 'enforcing', defaultAction: 'ask', onFailure: 'closed', untracked: 'drop', forwarded: 'pass', requireKernelIdentity: false,
  promptTimeoutMs: 30_000, queueNumber: 1, logLevel: 'info',
};

export const COUNTERS: DataPathCounters = {
  packets: 10, asks: 5, accepted: 3, refused: 1, dropped: 1, defaultVerdicts: 0, limitDrops: 0, unidentified: 0, remembered: 0,
  queueLength: 0, queueDropped: 0, queueUserDropped: 0, overruns: 0, held: 0, kernelAllowed: 7, kernelRefused: 2, ringLost: 0, traceLost: 0, malformed: 0, socketsNotEnded: 0,
  gateUndecided: 0, gateRefused: 0, gateUntracked: 0, gateLost: 0, dnsLost: 0, flowsLost: 0, overBudget: 0, lineageLost: 0, lastTurnNs: 0n,
};

/** Time and timers that move only when told. */
export class FakeTime {
  ns = 1_000_000_000_000n;
  /** Wall time minus boot time; change it to set the clock. */
  wallOffsetMs = WALL_MS - 1_000_000;
  readonly #timers = new Map<number, { readonly atNs: bigint; readonly run: () => void }>();
  #next = 0;

  bootNs = (): bigint => this.ns;
  wallMs = (): number => Number(this.ns / 1_000_000n) + this.wallOffsetMs;

  schedule = (atNs: bigint, run: () => void): (() => void) => {
    const id = this.#next;
    this.#next += 1;
    this.#timers.set(id, { atNs, run });
    return () => {
      this.#timers.delete(id);
    };
  };

  get timers(): number {
    return this.#timers.size;
  }

  /** Lets time pass; what is due runs in order, at its time. */
  pass(ms: number): void {
    const endNs = this.ns + BigInt(ms) * 1_000_000n;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.atNs <= endNs).sort(([, a], [, b]) => (a.atNs < b.atNs ? -1 : 1))[0];
      if (due === undefined) break;
      const [id, timer] = due;
      this.#timers.delete(id);
      if (timer.atNs > this.ns) this.ns = timer.atNs;
      timer.run();
    }
    this.ns = endNs;
  }
}

/** Records calls in order, and the verdict of every ask. */
export class FakeDataPath implements DataPath {
  readonly identification = 'kernel';
  readonly xtPrograms = null;
  readonly missing = [];
  readonly discarded = '';
  readonly calls: string[] = [];
  readonly answers: AskAnswer[] = [];
  remembered: RememberedDecision[] = [];
  flows: RememberedFlow[] = [];
  /** Every ask that was made, for what is remembered of its flow. */
  readonly asks = new Map<number, Ask>();
  policy = 0n;
  gate: GatePosture | null = null;
  /** Paths whose file is another one than the one that runs. */
  readonly replacedFiles = new Set<string>();
  /** By slot. */
  counted: readonly number[] = [];
  defaultVerdict = '';
  recorder: boolean | null = null;
  tellsFlows = false;
  generations = 1;

  lostPins(): readonly string[] {
    return [];
  }

  mendPins(): string {
    return '';
  }

  answer(answers: readonly AskAnswer[]): number {
    this.calls.push('answer');
    this.answers.push(...answers);
    for (const { id, verdict, rememberUntilNs, hitSlot = 0 } of answers) {
      const ask = rememberUntilNs === undefined ? undefined : this.asks.get(id);
      const by = ask?.attribution.owner ?? null;
      if (ask === undefined || by === null || verdict === 'hold' || rememberUntilNs === undefined) continue;
      const { cookie, pid, startNs, executable } = by;
      const { protocol, family, destinationAddress, destinationPort } = ask.tuple;
      this.flows.push({
        cookie, pid, startNs, executable, protocol, family, destinationAddress, destinationPort, verdict, untilNs: rememberUntilNs, hitSlot,
      });
    }
    return answers.length;
  }

  remember(entries: readonly RememberedDecision[]): void {
    this.calls.push('remember');
    this.remembered.push(...entries);
  }

  replaceAll({ programs, flows, policy }: Parameters<DataPath['replaceAll']>[0]): void {
    this.calls.push('replaceAll');
    this.generations += 1;
    this.remembered = [...programs];
    this.flows = [...flows];
    this.policy = policy;
  }

  adopt(policy: bigint): boolean {
    this.calls.push('adopt');
    return policy === this.policy;
  }

  verify(_executable: ExecutableId, path: string): boolean {
    return !this.replacedFiles.has(path);
  }

  setGate(posture: GatePosture): void {
    this.gate = posture;
  }

  setRecorder(there: boolean): void {
    this.recorder = there;
  }

  setTellFlows(on: boolean): void {
    this.tellsFlows = on;
  }

  leaveFlows(): readonly FlowEvent[] {
    return [];
  }

  generation(): number {
    return this.generations;
  }

  hits(): readonly number[] {
    return this.counted;
  }

  traffic(): readonly Traffic[] {
    return [];
  }

  processRecord(): null {
    return null;
  }

  setDefaultVerdict(verdict: string): void {
    this.defaultVerdict = verdict;
  }

  setPacketTrace(): void {
    this.calls.push('setPacketTrace');
  }

  counters(): DataPathCounters {
    return COUNTERS;
  }

  health(): DataPathHealth {
    return { lastTurnNs: 0n, queue: true, kernelFault: '' };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** What the kernel would say of this flow by itself at `nowNs`; null: it would ask. */
  recall({ tuple: to, attribution: { owner: by }, answersPeer }: Ask, nowNs: bigint): Verdict | null {
    if (by === null) return null;
    const file = ({ device, inode, generation, ctimeSec }: ExecutableId): string => [device, inode, generation, ctimeSec].join();
    const lives = ({ untilNs }: { readonly untilNs: bigint }): boolean => untilNs === 0n || untilNs > nowNs;
    const there = (one: RememberedDecision | RememberedFlow): boolean => one.destinationAddress === to.destinationAddress;
    const port = (one: RememberedDecision | RememberedFlow): boolean =>
      one.protocol === to.protocol && one.destinationPort === to.destinationPort;
    const flow = this.flows.findLast((one) => one.cookie === by.cookie && one.pid === by.pid && one.startNs === by.startNs
      && file(one.executable) === file(by.executable) && there(one) && port(one) && lives(one));
    if (flow !== undefined) return flow.verdict;
    const found = this.remembered.findLast((one) => one.uid === by.uid && one.networkNamespace === by.networkNamespace
      && one.reply === answersPeer && file(one.executable) === file(by.executable) && lives(one)
      && (one.form === 'program' || one.form === 'any-address' || there(one))
      && (one.form === 'program' || one.form === 'any-port' || port(one)));
    return found?.verdict ?? null;
  }

  /** Everything that one ask was told, `hold` or a verdict. */
  told(id: number): readonly string[] {
    return this.answers.filter((answer) => answer.id === id).map((answer) => answer.verdict);
  }

  last(id: number): AskAnswer {
    const found = this.answers.findLast((answer) => answer.id === id);
    assert.ok(found !== undefined, `ask ${String(id)} was told nothing`);
    return found;
  }
}

export class FakeStore implements RuleStore {
  loaded: LoadedRules = { settings: SETTINGS, rules: [], errors: [] };
  readonly added: NewRule[] = [];
  readonly calls: string[] = [];
  failure: Error | null = null;
  /** Set to keep the next write waiting. */
  gate: Promise<void> = Promise.resolve();

  load(): Promise<LoadedRules> {
    return Promise.resolve(this.loaded);
  }

  watch(): () => void {
    return () => undefined;
  }

  async add(rule: NewRule): Promise<void> {
    await this.#write(`add ${rule.id}`);
    this.added.push(rule);
  }

  async addAll(rules: readonly AddedRule[], overrides: readonly { readonly rule: string; readonly enabled: boolean }[]): Promise<void> {
    await this.#write(`addAll ${[...rules.map(({ rule }) => rule.id), ...overrides.map(({ rule }) => rule)].join(' ')}`);
    this.added.push(...rules.map(({ rule }) => rule));
  }

  update(id: string, rule: NewRule): Promise<void> {
    return this.#write(`update ${id} ${JSON.stringify(rule)}`);
  }

  remove(id: string): Promise<void> {
    return this.#write(`remove ${id}`);
  }

  setEnabled(id: string, enabled: boolean): Promise<void> {
    return this.#write(`setEnabled ${id} ${String(enabled)}`);
  }

  setGroup(group: string, enabled: boolean): Promise<void> {
    return this.#write(`setGroup ${group} ${String(enabled)}`);
  }

  setMode(mode: string): Promise<void> {
    return this.#write(`setMode ${mode}`);
  }

  setInbound(): Promise<void> {
    return Promise.resolve();
  }

  exportText(): Promise<string> {
    return Promise.resolve('');
  }

  async #write(what: string): Promise<void> {
    await this.gate;
    if (this.failure !== null) throw this.failure;
    this.calls.push(what);
  }
}

export class FakeRunState implements RunState {
  state: unknown = null;

  load(): Promise<unknown> {
    return Promise.resolve(this.state);
  }

  setAside(): Promise<string> {
    return Promise.resolve('');
  }

  save(state: unknown): Promise<void> {
    // Through text, as a file would have it.
    this.state = JSON.parse(JSON.stringify(state)) as unknown;
    return Promise.resolve();
  }
}

export interface AskChange {
  readonly path?: string | null;
  readonly claimedPath?: string;
  readonly owner?: Partial<Owner> | null;
  readonly tuple?: Partial<Tuple>;
  readonly attribution?: Partial<Attribution>;
  readonly answersPeer?: boolean;
  readonly dnsQuestion?: string;
  readonly origin?: Origin;
  readonly held?: boolean;
  readonly interfaceName?: string;
}

/** Lists by id, as sets. */
export class FakeLists implements Lists {
  readonly names = new Map<string, ReadonlySet<string>>();
  readonly addresses = new Map<string, ReadonlySet<string>>();
  changed: () => void = () => undefined;

  hasName(list: string, name: string): boolean {
    return this.names.get(list)?.has(name) ?? false;
  }

  hasAddress(list: string, address: string): boolean {
    return this.addresses.get(list)?.has(address) ?? false;
  }

  holds(list: string): { readonly names: boolean; readonly addresses: boolean } {
    return { names: this.names.has(list), addresses: this.addresses.has(list) };
  }

  onChanged(changed: () => void): () => void {
    this.changed = changed;
    return () => undefined;
  }

  digest(): string {
    return JSON.stringify([...this.names, ...this.addresses].map(([list, entries]) => [list, ...entries]));
  }
}

/** Who programs are, by path; a promise where somebody looks. */
export class FakeIdentities implements Identities {
  readonly known = new Map<string, Partial<Attribution> | Promise<Partial<Attribution>>>();
  /** By package. */
  readonly summaries = new Map<string, string>();
  changed: (news: IdentityNews) => void = () => undefined;

  identify(attribution: Attribution): Attribution | Promise<Attribution> {
    const more = this.known.get(attribution.identity.path ?? attribution.claimedPath ?? '');
    if (more instanceof Promise) return more.then((late) => ({ ...attribution, ...late }));
    return more === undefined ? attribution : { ...attribution, ...more };
  }

  summaryOf(packageName: string): string | null {
    return this.summaries.get(packageName) ?? null;
  }

  onChanged(changed: (news: IdentityNews) => void): () => void {
    this.changed = changed;
    return () => undefined;
  }

  digest(): string {
    return '';
  }
}

export class FakeNetworks implements Networks {
  state: NetworkState = { connections: [], ssids: [], gateways: [] };
  readonly #listeners = new Set<() => void>();

  current(): NetworkState {
    return this.state;
  }

  onChanged(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  move(state: Partial<NetworkState>): void {
    this.state = { connections: [], ssids: [], gateways: [], ...state };
    for (const changed of [...this.#listeners]) changed();
  }
}

/** An interface that is connected, without addresses. */
export function linkOf(name: string, change: Partial<NetworkLink> = {}): NetworkLink {
  return { name, kind: 'ethernet', up: true, connected: true, mac: '', addresses: [], addressesLeftOut: 0, ...change };
}

export class FakeLinks implements LinkMonitor {
  current: readonly NetworkLink[] = [];
  readonly counters = { changes: 0, resyncs: 0 };
  readonly #listeners = new Set<() => void>();

  list(): Promise<readonly NetworkLink[]> {
    return Promise.resolve(this.current);
  }

  onChanged(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  move(links: readonly NetworkLink[]): void {
    this.current = links;
    for (const changed of [...this.#listeners]) changed();
  }

  close(): void {
    this.#listeners.clear();
  }
}

/** The whole of it: `rig.ask()` is what a packet of curl to 10.77.0.2:443 does. */
export class Rig {
  readonly time = new FakeTime();
  readonly dataPath = new FakeDataPath();
  readonly store = new FakeStore();
  readonly lists = new FakeLists();
  readonly identities = new FakeIdentities();
  readonly networks = new FakeNetworks();
  readonly containers = new FakeContainers();
  readonly links = new FakeLinks();
  readonly runState: FakeRunState;
  readonly log: string[] = [];
  readonly raised: PromptView[] = [];
  readonly changed: PromptView[] = [];
  readonly ended: { readonly prompt: PromptView; readonly why: PromptEnd }[] = [];
  readonly flows: FlowRecord[] = [];
  readonly engine: Engine;
  sessions: readonly Session[] = [{ id: 's1', uid: 1000, active: true, remote: false, locked: false }];
  readonly deadProcesses = new Set<number>();
  #sessionsChanged: () => void = () => undefined;
  #nextAsk = 1;

  constructor(runState: FakeRunState = new FakeRunState()) {
    this.runState = runState;
    this.engine = new Engine({
      clock: this.time,
      logger: { log: (level, message) => this.log.push(`${level}: ${message}`), setLevel: () => undefined },
      processes: {
        ancestors: () => [{ pid: 1, path: '/sbin/init', command: 'init' }],
        alive: (pid) => !this.deadProcesses.has(pid),
        executable: () => null,
        commandLine: () => [],
      },
      users: {
        name: (uid) => ({ 0: 'root', 1000: 'alice', 1001: 'bob' })[uid] ?? String(uid),
        uid: (name) => ({ root: 0, alice: 1000, bob: 1001 })[name] ?? null,
      },
      sessions: {
        ofProcess: () => Promise.resolve(null),
        activeLocal: () => this.sessions[0] ?? null,
        list: () => this.sessions,
        onChanged: (changed) => {
          this.#sessionsChanged = changed;
          return () => undefined;
        },
      },
      store: this.store,
      lists: this.lists,
      identities: this.identities,
      networks: this.networks,
      containers: this.containers,
      containerSigns: this.containers.signs,
      links: this.links,
      runState,
      names: { read: readDnsMessage, resolver: { isServer: (address) => address === NAME_SERVER, hostNames: () => [] } },
      newNonce: nonces(),
      schedule: this.time.schedule,
    });
    this.engine.onEvents({
      promptRaised: (prompt) => this.raised.push(prompt),
      promptChanged: (prompt) => this.changed.push(prompt),
      promptEnded: (prompt, why) => this.ended.push({ prompt, why }),
      flows: (flows) => this.flows.push(...flows),
    });
  }

  /** An attached engine with these rules. */
  static with(rules: readonly Rule[] = [], settings: Partial<Settings> = {}): Rig {
    const rig = new Rig();
    rig.load(rules, settings);
    rig.engine.attach(rig.dataPath);
    return rig;
  }

  load(rules: readonly Rule[], settings: Partial<Settings> = {}): void {
    this.store.loaded = { settings: { ...SETTINGS, ...settings }, rules, errors: [] };
    this.engine.setLoaded(this.store.loaded);
  }

  make(change: AskChange = {}): Ask {
    const id = this.#nextAsk;
    this.#nextAsk += 1;
    const path = change.path === undefined ? PATH : change.path;
    const attribution: Attribution = {
      owner: change.owner === null ? null : owner({ cookie: BigInt(id), ...change.owner }),
      identity: { path: change.owner === null ? null : path },
      claimedPath: change.claimedPath ?? null,
      evidence: change.owner === null ? 'none' : 'kernel',
      confidence: change.owner === null || path === null ? 'unknown' : 'certain',
      ancestors: [],
      ...change.attribution,
    };
    const ask: Ask = {
      id, attribution, tuple: tuple({ sourcePort: 30_000 + id, ...change.tuple }), interfaceName: change.interfaceName ?? 'eth0', lengthBytes: 60,
      dnsQuestion: change.dnsQuestion ?? null, heldAtNs: this.time.ns,
      answersPeer: change.answersPeer ?? false, origin: change.origin ?? 'process', held: change.held ?? true,
    };
    this.dataPath.asks.set(id, ask);
    return ask;
  }

  /** What the kernel would say by itself of a packet now; null: it would ask. */
  recall(change: AskChange = {}): Verdict | null {
    return this.dataPath.recall(this.make(change), this.time.ns);
  }

  /** Hands one ask to the engine; returns its id. */
  ask(change: AskChange = {}): number {
    const ask = this.make(change);
    this.engine.onAsks([ask]);
    return ask.id;
  }

  setSessions(sessions: readonly Session[]): void {
    this.sessions = sessions;
    this.#sessionsChanged();
  }

  /** The one prompt that can be answered. */
  nonce(): string {
    const [view] = this.engine.prompts();
    assert.ok(view !== undefined, 'no prompt');
    return view.info.nonce;
  }
}
