/** The composition root of the helper: puts adapters, engine and service together, and answers signals. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { loadBinding } from '../native/binding.ts';
import type { NativeBinding } from '../native/binding.ts';
import { removeLeftovers } from './adapters/atomic-file.ts';
import { BootWord } from './adapters/boot-word.ts';
import { createClock } from './adapters/clock.ts';
import { createContainerSigns } from './adapters/container-signs.ts';
import { WatchedContainers } from './adapters/containers.ts';
import { cgroupRoot, openDataPath } from './adapters/data-path.ts';
import { readDnsMessage } from './adapters/dns-message.ts';
import { FileDigests } from './adapters/file-digests.ts';
import { ListStore } from './adapters/lists.ts';
import { FETCH_SOCKET } from './adapters/lists/fetching.ts';
import { watchLinks } from './adapters/link-monitor.ts';
import { openHistory } from './adapters/history.ts';
import { HISTORY_FILE } from './adapters/history/schema.ts';
import { JOURNAL_SOCKET, createLogger, escaped } from './adapters/logger.ts';
import type { JournalLogger } from './adapters/logger.ts';
import { createMetrics } from './adapters/metrics.ts';
import { sameFile } from './adapters/file-check.ts';
import { createIdentities } from './adapters/identities.ts';
import type { IdentityService } from './adapters/identities.ts';
import { InboundKeepers } from './adapters/inbound-keepers.ts';
import { LogindSessions } from './adapters/logind.ts';
import { createRuleset } from './adapters/netfilter.ts';
import { OwnTools } from './adapters/netfilter/changes.ts';
import { watchNetworks } from './adapters/networks.ts';
import { createNftSets } from './adapters/nft-sets.ts';
import { createOriginals } from './adapters/originals.ts';
import { polkitAuthority } from './adapters/polkit.ts';
import { createProcesses } from './adapters/procfs.ts';
import { watchResolverConfig } from './adapters/resolver-config.ts';
import { createRuleStore } from './adapters/rule-store.ts';
import { DEFAULT_CONTAINERS } from './adapters/rule-store/containers.ts';
import { DEFAULT_HISTORY } from './adapters/rule-store/history-settings.ts';
import { createRunState } from './adapters/run-state.ts';
import { createSetMemory } from './adapters/set-memory.ts';
import { createUsers } from './adapters/users.ts';
import { containersKnown } from './containers-known.ts';
import { EXIT } from './contract/names.ts';
import { connectBus } from './contract/transport.ts';
import type { BusConnection } from './contract/transport.ts';
import type { Check, DegradedReason, LoadError, Losses } from './contract/types.ts';
import type { Mode } from './contract/vocabulary.ts';
import { ControlSocket } from './control-socket.ts';
import { VERSION } from './ctl/version.ts';
import { Engine } from './engine.ts';
import type { ApplicationRegistry } from './engine/applications.ts';
import { forwardSpec } from './engine/forwarding.ts';
import { Guard } from './guard.ts';
import { HistoryFeed } from './history-feed.ts';
import { ImportDesk } from './import-desk.ts';
import { InboundDesk } from './inbound-desk.ts';
import { InsightDesk } from './insight.ts';
import { LogLevelSwitch } from './log-level.ts';
import { InterfaceProblems } from './interface-problems.ts';
import { NetworkDesk } from './network-desk.ts';
import { HELP, UsageError, parseOptions } from './options.ts';
import type { HelperOptions } from './options.ts';
import { OffSwitch, mayBeOff } from './off-switch.ts';
import { checkNameIsFree, lockFolders } from './only-one.ts';
import { OwnFilesCheck } from './own-files-check.ts';
import { ruleTextParsers } from './parsers.ts';
import type { Clock, DataPath, DataPathEvents, IntegrityJudge, LinkMonitor, NetworkLink, ProcessRecords, Ruleset, Settings } from './ports.ts';
import { startRegistry } from './registry.ts';
import { RememberingStore } from './remembering-store.ts';
import { scheduler } from './scheduler.ts';
import { ServiceManager, statusLine, watchdogInterval } from './service-manager.ts';
import { startService } from './service/service.ts';
import type { Service } from './service/service.ts';
import { Watchdog } from './watchdog.ts';
import { ZoneSets } from './zone-sets.ts';
import type { Place } from './zones/addresses.ts';
import { settingsOf, zoneOf } from './zones/interfaces.ts';

/** The bus or something else that the helper cannot do without was lost; systemd starts it again. Source: sysexits.h EX_TEMPFAIL. */
const EXIT_LOST = 75;
/** Of what a helper that cannot start says on standard error. */
const LAST_WORDS_CHARACTERS = 2000;
/** One bit of the packet mark, between the hold in mangle and the refusal in filter; see DESIGN.md, "Netfilter". */
const REFUSE_MARK = 0x2000_0000;
/** An ask that the engine has not even seen for so long gets the default verdict from the receiver thread. */
const ANSWER_DEADLINE_MS = 3000;
const COMMAND_LINE_FILE = '/proc/cmdline';
/** Settings and rules that could not be read are read again after so long. */
const READ_AGAIN_MS = 2000;
/** Starting, a long list or a storm takes memory that nothing needs afterwards. */
const RELEASE_MEMORY_MS = 20_000;
/** As long as the start, or a reload, waits for lists; a million names take three seconds. */
const LISTS_WAIT_MS = 8000;
/** As long as the start waits for engines of containers, where rules name any. */
const CONTAINERS_WAIT_MS = 1500;

/**
 * Limits of what other processes can make the queue hold. Bytes: about 1.5 kB a packet in the kernel, 200 here. A flow may
 * hold more than the largest send buffer that a program can have without privilege (about 512 small datagrams): a burst then
 * waits in its program until the decision comes, and loses nothing.
 */
const QUEUE_LIMITS = { queueMaxLength: 16_384, maxHeld: 12_288, maxHeldPerFlow: 1024, maxHeldPerUid: 8192 } as const;

/** This bundle's folder, and beside it the addon, the contract and the vendor's rules, as in /usr/lib/bastion. */
const here = dirname(fileURLToPath(import.meta.url));
const product = dirname(here);
/** The kernel programs. */
const kernelObject = join(product, 'native', 'bastion.bpf.o');

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** An engine whose mode change also turns a firewall that is off back on. */
class HelperEngine extends Engine {
  offSwitch: OffSwitch | null = null;

  override async setMode(mode: Mode, confirmMs?: number): Promise<void> {
    await super.setMode(mode, confirmMs, this.offSwitch?.isOff);
    await this.offSwitch?.turnOn(confirmMs !== undefined);
  }
}

/** Everything that lives as long as the helper. */
class Helper {
  readonly #options: HelperOptions;
  readonly #logger: JournalLogger;
  readonly #native: NativeBinding;
  readonly #clock: Clock;
  readonly #store: RememberingStore;
  readonly #lists: ListStore;
  readonly #containers: WatchedContainers;
  readonly #users = createUsers();
  readonly #processes = createProcesses();
  readonly #records: ProcessRecords = { get: (...process) => this.#dataPath?.processRecord(...process) ?? null };
  readonly #judgeListeners = new Set<() => void>();
  /** The registry's, as soon as it is there; before that nothing is known of any file. */
  readonly #judge: IntegrityJudge = {
    expects: (path) => this.#registry?.expects(path) ?? false,
    judge: (file) => this.#registry?.judge(file) ?? { integrity: 'unknown', trusted: false },
    onChanged: (changed) => {
      this.#judgeListeners.add(changed);
      return () => this.#judgeListeners.delete(changed);
    },
  };
  readonly #identities: IdentityService;
  #service: Service | null = null;
  #guard: Guard | null = null;
  #engine: HelperEngine | null = null;
  #registry: ApplicationRegistry | null = null;
  #feed: HistoryFeed | null = null;
  #stopWatching: () => void = () => undefined;
  #off: OffSwitch | null = null;
  #insight: InsightDesk | null = null;
  #network: NetworkDesk | null = null;
  #inbound: InboundDesk | null = null;
  #ruleset: Ruleset | null = null;
  #links: LinkMonitor | null = null;
  #zoneSets: ZoneSets | null = null;
  readonly #ownTools = new OwnTools();
  #interfaces: InterfaceProblems | null = null;
  readonly #manager: ServiceManager;
  #watchdog: Watchdog | null = null;
  #reading: NodeJS.Timeout | null = null;
  #isTelling = false;
  #stopping = false;
  readonly #logLevel: LogLevelSwitch;
  readonly #digests: FileDigests;
  readonly #ownFiles: OwnFilesCheck;
  readonly #bootWord: BootWord;
  #control: ControlSocket | null = null;
  /** What each part of the helper says is less than whole. */
  readonly #reasons = new Map<string, readonly DegradedReason[]>();

  constructor(options: HelperOptions, logger: JournalLogger) {
    this.#options = options;
    this.#logger = logger;
    this.#native = loadBinding(process.env['BASTION_NATIVE'] ?? join(product, 'native', 'bastion.node'));
    logger.useJournal((entry) => this.#native.journal(JOURNAL_SOCKET, entry));
    this.#logLevel = new LogLevelSwitch(logger, process.env);
    this.#manager = new ServiceManager({
      notify: (state) => this.#native.notify(state), monotonicNs: () => process.hrtime.bigint(),
    });
    this.#clock = createClock(this.#native);
    this.#identities = createIdentities({
      workerPath: join(here, 'identity-worker.mjs'),
      clock: this.#clock,
      logger,
      processes: this.#processes,
      verify: (executable, path) => {
        const there = this.#native.fileIdentity(path);
        return there !== null && sameFile(there, executable);
      },
      wantsHash: () => this.#engine?.wantsHash ?? false,
      records: this.#records,
      judge: this.#judge,
      trustDigest: () => this.#registry?.digest() ?? '',
      places: options.programs,
      trustNewFiles: options.trustNewFiles,
    });
    this.#store = new RememberingStore(createRuleStore({
      configDir: options.configDir,
      vendorDir: options.vendorDir,
      stateDir: options.stateDir,
      defaultSettingsFile: join(product, 'bastion.toml'),
      parsers: ruleTextParsers,
      lookupUser: (name) => this.#users.lookup(name),
      logger,
      clock: this.#clock,
    }));
    this.#lists = new ListStore({
      stateDir: options.stateDir,
      buildScript: join(here, 'build-list.mjs'),
      fetcher: { script: join(here, 'fetch.mjs'), node: process.execPath, socket: join(options.runDir, FETCH_SOCKET) },
      logger,
      wallMs: () => this.#clock.wallMs(),
    });
    this.#containers = new WatchedContainers({ worker: join(here, 'containers.mjs'), logger });
    this.#digests = new FileDigests({ configDir: options.configDir, stateDir: options.stateDir, logger });
    this.#bootWord = new BootWord(options.stateDir, logger);
    this.#ownFiles = new OwnFilesCheck({
      files: { productDir: product }, logger, onReasons: (reasons) => { this.#degraded('files', reasons); },
    });
  }

  async start(): Promise<void> {
    const { options, logger, clock } = { options: this.#options, logger: this.#logger, clock: this.#clock };
    this.#manager.starting();
    for (const folder of [options.configDir, options.runDir]) mkdirSync(folder, { recursive: true, mode: 0o755 });
    mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });
    await lockFolders([options.stateDir, options.runDir], (folder) => this.#native.lockFolder(folder));
    // A helper that was killed while it wrote left a piece behind.
    for (const folder of [options.stateDir, options.runDir]) await removeLeftovers(folder);
    const opening = openHistory({
      // Nothing is stored, and nothing old taken out, before bastion.toml was read.
      folder: options.stateDir, settings: { ...DEFAULT_HISTORY, enabled: false }, thread: join(here, 'history.mjs'), logger, nowMs: () => clock.wallMs(),
    });
    // One connection asks, the other serves: dbus-daemon limits the replies that one may wait for.
    const asking = await connectBus({ address: options.bus });
    asking.onClosed((reason) => { this.#busLost(reason); });
    await checkNameIsFree(asking);
    this.#loadAhead();
    await this.#digests.announce();
    const sessions = await LogindSessions.open(asking, logger);
    const history = await opening;
    const links = watchLinks({ native: this.#native, logger });
    this.#links = links;
    // Zones are known by interfaces: without them what an earlier helper let the kernel remember would count for another policy's.
    await links.list().catch(() => undefined);
    const networks = await watchNetworks(asking, logger, (changed) => links.onRoutes(changed));
    const engine = new HelperEngine({
      clock, logger, sessions, history,
      processes: this.#processes,
      records: this.#records,
      users: this.#users,
      store: this.#store,
      identities: this.#identities,
      trustNewFiles: options.trustNewFiles,
      runState: createRunState({ runDir: options.runDir, logger }),
      lists: this.#lists,
      networks, links,
      containers: this.#containers,
      containerSigns: createContainerSigns({ cgroups: cgroupRoot() }),
      names: { read: readDnsMessage, resolver: await watchResolverConfig(options.resolver, logger) },
      newNonce: () => randomBytes(16).toString('hex'),
      schedule: scheduler(clock),
    });
    this.#engine = engine;
    const { configDir, stateDir } = options;
    const registry = await startRegistry({
      configDir, stateDir, engine, clock, logger, schedule: scheduler(clock), onLoaded: () => { this.#service?.statusChanged(); },
      examine: (path, executable) => this.#identities.hash(path, executable),
    });
    this.#registry = registry;
    engine.countLosses(() => this.#losses());
    registry.onChanged(() => { for (const listener of [...this.#judgeListeners]) listener(); });
    this.#feed = new HistoryFeed({
      engine, history, logger, metrics: createMetrics(logger), settings: () => this.#settings()?.history ?? DEFAULT_HISTORY,
    });
    await engine.restore();
    await engine.reload();
    const zoneSets = this.#makeZoneSets(links);
    this.#zoneSets = zoneSets;
    this.#applySettings();
    // Before anything is attached: a rule that names a list decides rightly from the first flow on.
    await this.#loadLists();
    if (engine.namesContainers) await containersKnown(this.#containers, CONTAINERS_WAIT_MS);
    const guard = this.#makeGuard(engine);
    this.#guard = guard;
    const inbound = await this.#makeInbound(asking, guard, links);
    this.#inbound = inbound;
    const off = new OffSwitch({
      runDir: options.runDir,
      commandLineFile: COMMAND_LINE_FILE,
      attach: async () => {
        await this.#align();
        await zoneSets.turnOn();
      },
      detach: async () => {
        try {
          await guard.detach();
        } finally {
          await zoneSets.turnOff();
        }
      },
      onError: (error) => { logger.log('error', 'the firewall could not be turned off again', { why: messageOf(error) }); },
    }, engine.trial?.fromOff === true);
    this.#off = off;
    this.#tellBoot();
    await (off.isOff ? this.#stayOff(guard) : this.#align());
    engine.offSwitch = off;
    // Nobody waits for it: what is let out does not depend on it.
    zoneSets.start(off.isOff).catch((error: unknown) => { logger.log('error', 'the sets of zones cannot be kept', { why: messageOf(error) }); });
    engine.onTrialOver = ({ mode, fromOff }) => {
      logger.log('warning', 'the trial of a mode is over; nobody kept it', { mode });
      if (fromOff) off.trialOver();
    };
    engine.onEvents({ statusChanged: () => {
      this.#tellManager();
      void this.#align();
    }, rulesChanged: () => {
      this.#digests.changed();
      void this.#align();
    } });
    this.#stopWatching = this.#store.watch(() => { this.#followFiles(); });
    const originals = createOriginals({ configDir: options.configDir, stateDir: options.stateDir, logger });
    await originals.report();
    const imports = new ImportDesk({
      engine, clock, logger, originals, workerScript: join(product, 'import', 'main.mjs'), trust: (programs) => registry.trust(programs),
    });
    this.#insight = new InsightDesk({
      engine, clock, logger, workerFile: join(here, 'insight.mjs'), historyFile: join(options.stateDir, HISTORY_FILE),
    });
    this.#network = new NetworkDesk({
      links, networks, containers: this.#containers, settings: () => this.#settings() ?? {}, sets: zoneSets,
      inbound: {
        by: () => inbound.by(), refused: () => inbound.refused(),
        set: async (zone, edit) => {
          await this.#store.setInbound(zone, edit);
          await this.#reload();
          await this.#align();
        },
      },
    });
    this.#interfaces = new InterfaceProblems({ links, logger, settings: () => this.#settings() ?? {} });
    this.#interfaces.look();
    this.#service = await startService({
      engine, sessions, applications: registry, insight: this.#insight, network: this.#network, clock, logger,
      processes: this.#processes,
      authority: polkitAuthority(asking, { connect: () => connectBus({ address: options.bus }), logger }),
      address: options.bus,
      introspectionXml: readFileSync(join(product, 'dbus', 'org.bastionfirewall.Helper1.xml'), 'utf8'),
      // Not bastionctl: any program of the same user could play the person at a terminal of its own making.
      trustedAgents: [process.execPath, join(product, 'desktop', 'main.cjs')],
      control: {
        version: VERSION,
        off: async () => {
          try {
            await off.turnOff();
          } finally {
            // Also where something could not be taken away: a trial that ends would put the rest back.
            if (off.isOff) {
              engine.endTrial();
              await engine.kept();
            }
          }
          logger.log('warning', 'the firewall was turned off; a mode change turns it on again');
        },
        reload: () => this.#reload(),
        selfTest: () => this.#selfTest(guard),
        setLogLevel: (level) => { this.#logLevel.set(level); },
        setPacketTrace: (on) => { this.#dataPath?.setPacketTrace(on); },
        loadErrors: () => this.#loadErrors(),
        lists: this.#lists,
        importRules: (format, text, dryRun) => imports.import(format, text, dryRun),
        exportRules: (format) => imports.export(format),
      },
      onLost: (reason) => { this.#busLost(reason); },
    });
    this.#control = new ControlSocket({
      runDir: options.runDir, settingsFile: join(configDir, 'bastion.toml'), network: this.#network, reload: () => this.#reload(), logger,
    });
    await this.#control.follow(this.#settings()?.control);
    this.#lists.onState(() => { this.#service?.rulesChanged(); });
    this.#identities.begin();
    this.#tellManager();
    this.#manager.ready();
    this.#startWatchdog(guard);
    void this.#ownFiles.start();
    setInterval(() => void this.#native.releaseMemory(), RELEASE_MEMORY_MS).unref();
    logger.log('info', 'Bastion Firewall is ready', { version: VERSION, mode: engine.status().mode, state: engine.status().state });
  }

  /** Without the bus nobody can answer or be asked: the next helper takes over what the kernel holds. */
  #busLost(reason: string): void {
    if (this.#stopping) return;
    this.#logger.log('error', 'the bus was lost', { reason });
    process.exit(EXIT_LOST);
  }

  /** The unit lets the helper write into this folder, not make it: where it was taken away, the next start brings another one. */
  #pinsFailed(pinPath: string): void {
    if (this.#stopping || existsSync(pinPath) || watchdogInterval(process.env, process.pid) === null) return;
    this.#logger.log('error', 'the folder of the pins was taken away', { folder: pinPath });
    process.exit(EXIT_LOST);
  }

  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#watchdog?.stop();
    this.#manager.stopping();
    this.#stopWatching();
    this.#lists.close();
    this.#ownFiles.stop();
    await this.#control?.close();
    this.#service?.close();
    this.#insight?.close();
    this.#network?.close();
    this.#inbound?.close();
    this.#interfaces?.close();
    await this.#zoneSets?.close();
    this.#links?.close();
    await this.#containers.close();
    await this.#engine?.stop();
    await this.#registry?.stop();
    await this.#digests.stop();
    await this.#guard?.leave();
    await this.#bootWord.settled();
    await this.#feed?.close();
    await this.#identities.close();
    this.#logger.log('info', 'Bastion Firewall has stopped; the rules of the kernel stay as on_failure says');
  }

  async reload(): Promise<void> {
    this.#manager.reloading();
    try {
      await this.#reload();
    } finally {
      this.#manager.reloaded();
    }
  }

  #dataPath: DataPath | null = null;

  /** While settings, rules and lists are read. One that is off asks nothing of the kernel. */
  #loadAhead(): void {
    const { identification, pinPath, runDir } = this.#options;
    if (identification !== 'kernel' || mayBeOff({ runDir, commandLineFile: COMMAND_LINE_FILE })) return;
    this.#native.loadAhead(kernelObject, pinPath);
  }

  #makeGuard(engine: HelperEngine): Guard {
    const { backend, identification, pinPath, decideIn } = this.#options;
    const cgroupPath = this.#options.cgroup ?? cgroupRoot();
    const ruleset = createRuleset({ logger: this.#logger, native: this.#native, ownTools: this.#ownTools, ...(backend === undefined ? {} : { backend }) });
    this.#ruleset = ruleset;
    engine.setBuiltIn(ruleset.builtIn);
    const events: DataPathEvents = {
      onAsks: (asks) => { engine.onAsks(asks); },
      onEnded: (ids) => { engine.onEnded(ids); },
      onPackets: (packets) => { this.#service?.packets(packets); },
      onDns: (messages) => { engine.onDns(messages); },
      onFlows: (flows) => { engine.onFlows(flows); },
      onQueueReady: (ready, message) => { engine.onQueueReady(ready, message); },
    };
    return new Guard({
      ruleset,
      logger: this.#logger,
      refuseMark: REFUSE_MARK,
      bootNs: () => this.#clock.bootNs(),
      openDataPath: (settings) => openDataPath({
        native: this.#native,
        events,
        queueNumber: settings.queueNumber,
        ...QUEUE_LIMITS,
        answerDeadlineMs: ANSWER_DEADLINE_MS,
        defaultVerdict: 'refuse',
        refuseMark: REFUSE_MARK,
        kernel: identification === 'kernel' && cgroupPath !== null
          ? { objectPath: kernelObject, cgroupPath, pinPath, decideInThread: decideIn === 'thread' }
          : null,
      }),
      removePins: () => { if (identification === 'kernel') this.#native.removePins(pinPath); },
      onDataPath: (dataPath) => {
        if (dataPath === null && this.#dataPath !== null) engine.onLastFlows(this.#dataPath.leaveFlows());
        this.#dataPath = dataPath;
        engine.attach(dataPath);
      },
      onDegraded: (reasons) => { this.#degraded('guard', reasons); },
      onPinsFailed: () => { this.#pinsFailed(pinPath); },
      onMended: () => { engine.onRulesMended(); },
    });
  }

  async #makeInbound(bus: BusConnection, guard: Guard, links: LinkMonitor): Promise<InboundDesk> {
    const keepers = new InboundKeepers(bus);
    const desk = new InboundDesk({
      settings: () => this.#settings(), settingsFile: join(this.#options.configDir, 'bastion.toml'), links,
      findKeeper: () => keepers.find(), holds: () => guard.holdsInbound,
      refused: () => this.#ruleset?.refusedInbound() ?? Promise.resolve(new Map<string, number>()),
      onChanged: () => {
        this.#service?.statusChanged();
        this.#tellManager();
        void this.#align();
      },
      logger: this.#logger, nowMs: () => performance.now(),
    });
    await keepers.watch(() => { desk.look(); });
    await desk.open();
    return desk;
  }

  #makeZoneSets(links: LinkMonitor): ZoneSets {
    const { runDir } = this.#options;
    return new ZoneSets({
      links, containers: this.#containers,
      sets: createNftSets({ runDir, native: this.#native, ownTools: this.#ownTools }),
      memory: createSetMemory({ runDir, logger: this.#logger }),
      logger: this.#logger,
      placeOf: (link) => this.#placeOf(link),
      nowMs: () => performance.now(),
    });
  }

  #placeOf(link: NetworkLink): Place | null {
    const settings = this.#settings() ?? {};
    const zone = zoneOf(link, settings);
    return zone === '' ? null : { zone, dynamicOnly: settingsOf(link, settings)?.dhcp === true };
  }

  /** From when everything is in place: before that the manager waits for READY. */
  #startWatchdog(guard: Guard): void {
    const intervalMs = watchdogInterval(process.env, process.pid);
    if (intervalMs === null) return;
    this.#watchdog = new Watchdog(intervalMs, {
      manager: this.#manager,
      logger: this.#logger,
      health: () => guard.health(),
      renew: () => guard.renew(),
      nowMs: () => performance.now(),
    });
    this.#watchdog.start();
  }

  /** Several changes of one turn are told together. */
  #tellManager(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    setImmediate(() => {
      this.#isTelling = false;
      if (this.#engine === null || this.#stopping) return;
      this.#manager.status(statusLine({ ...this.#engine.status(), loadErrors: this.#loadErrors().length }));
    });
  }

  #losses(): Losses {
    const service = this.#service?.counters();
    const identities = this.#identities.counters;
    const applications = this.#registry?.counters;
    return {
      identities_refused: identities.refused,
      identities_hung: identities.hung,
      identities_forgotten: identities.evicted,
      applications_forgotten: (applications?.evicted ?? 0) + (applications?.refused ?? 0) + (applications?.looksLeftOut ?? 0),
      lists_refused: this.#lists.counters().refused,
      calls_refused: service?.refused ?? 0,
      messages_too_long: service?.oversized ?? 0,
      signals_lost: service?.signalsLost ?? 0,
      rows_lost: service?.rowsLost ?? 0,
    };
  }

  #degraded(part: string, reasons: readonly DegradedReason[]): void {
    this.#reasons.set(part, reasons);
    this.#engine?.setDegraded([...this.#reasons.values()].flat());
  }

  async #selfTest(guard: Guard): Promise<readonly Check[]> {
    return [...await guard.selfTest(), await this.#ownFiles.check()];
  }

  /** Brings the kernel to what settings and mode say now. */
  async #align(): Promise<void> {
    this.#tellBoot();
    const settings = this.#settings();
    if (this.#off?.isOff === true || this.#stopping || settings === null || this.#engine === null) return;
    this.#guard?.setForward(forwardSpec(settings.forwarded, this.#engine.allRules(), this.#engine.forwardedContainers));
    this.#guard?.setInbound(this.#inbound?.spec() ?? null);
    await this.#guard?.align(settings, this.#engine.failsOpen);
  }

  /** A helper that is off must be there to be asked, whatever of an earlier one cannot be taken away. */
  async #stayOff(guard: Guard): Promise<void> {
    try {
      await guard.detach();
    } catch (error: unknown) {
      this.#logger.log('error', 'the firewall is off, but rules of an earlier helper may still be in force', { why: messageOf(error) });
    }
  }

  /** What the next start of the machine does before there is a helper, and what happens when none can be started. */
  #tellBoot(): void {
    if (this.#engine !== null && this.#settings() !== null) this.#bootWord.set(this.#engine.settingsFailOpen ? 'open' : 'closed');
  }

  #settings(): Settings | null {
    return this.#store.loaded?.settings ?? null;
  }

  #loadErrors(): readonly LoadError[] {
    return [
      ...this.#store.loaded?.errors ?? [], ...this.#lists.errors(), ...this.#registry?.loadErrors ?? [], ...this.#control?.errors() ?? [],
      ...this.#inbound?.loadErrors() ?? [],
    ];
  }

  /** After a hand edit. What cannot be read now, as with too many open files, is read again later. */
  #followFiles(): void {
    if (this.#stopping) return;
    this.#reload().catch(() => {
      if (this.#reading !== null) return;
      this.#reading = setTimeout(() => {
        this.#reading = null;
        this.#followFiles();
      }, READ_AGAIN_MS).unref();
    });
  }

  async #reload(): Promise<readonly LoadError[]> {
    try {
      await this.#engine?.reload();
      await this.#registry?.reload();
      this.#applySettings();
      await this.#control?.follow(this.#settings()?.control);
      await this.#loadLists();
      this.#service?.statusChanged();
      this.#tellManager();
      return this.#loadErrors();
    } catch (error: unknown) {
      this.#logger.log('error', 'settings and rules could not be read again', { why: messageOf(error) });
      throw error;
    }
  }

  /** Waits for them, but not for ever: a long list then counts from when it is read. */
  async #loadLists(): Promise<void> {
    await Promise.race([this.#lists.configure(this.#settings()?.lists ?? []), wait(LISTS_WAIT_MS, undefined, { ref: false })]);
  }

  #applySettings(): void {
    this.#logLevel.fromFile(this.#settings()?.logLevel ?? null);
    this.#feed?.configure();
    // Defaults only where bastion.toml was read: a firewall without settings asks nobody anything.
    if (this.#settings() !== null) this.#containers.configure(this.#settings()?.containers ?? DEFAULT_CONTAINERS);
    void this.#zoneSets?.configure(this.#settings()?.zones ?? []);
    this.#network?.settingsChanged();
    this.#interfaces?.look();
  }
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2), product);
  if (options === 'help' || options === 'version') {
    process.stdout.write(options === 'help' ? HELP : `bastion-helper ${VERSION}\n`);
    return;
  }
  const logger = createLogger();
  const helper = new Helper(options, logger);
  process.on('SIGHUP', () => { helper.reload().catch(() => undefined); });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => void helper.stop().then(() => process.exit(EXIT.done)));
  }
  // An error that nobody expected ends the helper: what is held is dropped, the rules of the kernel stay.
  process.on('uncaughtException', (error) => {
    logger.log('error', 'an unexpected error ends the helper', { why: error.stack ?? error.message });
    process.exit(EXIT.refused);
  });
  await helper.start();
}

try {
  await main();
} catch (error: unknown) {
  const usage = error instanceof UsageError;
  process.stderr.write(`bastion-helper: ${escaped(messageOf(error), LAST_WORDS_CHARACTERS)}\n`);
  if (usage) process.stderr.write('Try: bastion-helper --help\n');
  process.exit(usage ? EXIT.usage : EXIT.refused);
}
