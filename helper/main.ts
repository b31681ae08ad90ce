/** The composition root of the helper: puts adapters, engine and service together, and answers signals. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadBinding } from '../native/binding.ts';
import type { NativeBinding } from '../native/binding.ts';
import { createClock } from './adapters/clock.ts';
import { cgroupRoot, openDataPath } from './adapters/data-path.ts';
import { readDnsMessage } from './adapters/dns-message.ts';
import { createLogger } from './adapters/logger.ts';
import { LogindSessions } from './adapters/logind.ts';
import { createRuleset } from './adapters/netfilter.ts';
import { polkitAuthority } from './adapters/polkit.ts';
import { createProcesses } from './adapters/procfs.ts';
import { watchResolverConfig } from './adapters/resolver-config.ts';
import { createRuleStore } from './adapters/rule-store.ts';
import { createRunState } from './adapters/run-state.ts';
import { createUsers } from './adapters/users.ts';
import { BastionError } from './contract/errors.ts';
import { EXIT } from './contract/names.ts';
import { connectBus } from './contract/transport.ts';
import type { LoadError } from './contract/types.ts';
import type { BootNs, Mode } from './contract/vocabulary.ts';
import { VERSION } from './ctl/version.ts';
import { Engine } from './engine.ts';
import { forwardSpec } from './engine/forwarding.ts';
import { Guard } from './guard.ts';
import { HELP, UsageError, parseOptions } from './options.ts';
import type { HelperOptions } from './options.ts';
import { OffSwitch } from './off-switch.ts';
import { LOG_LEVELS, ruleTextParsers } from './parsers.ts';
import type { Clock, DataPath, DataPathEvents, LoadedRules, LogLevel, Logger, RuleStore, Settings } from './ports.ts';
import { startService } from './service/service.ts';
import type { Service } from './service/service.ts';

/** The bus or something else that the helper cannot do without was lost; systemd starts it again. Source: sysexits.h EX_TEMPFAIL. */
const EXIT_LOST = 75;
/** One bit of the packet mark, between the hold in mangle and the refusal in filter; see DESIGN.md, "Netfilter". */
const REFUSE_MARK = 0x2000_0000;
/** An ask that the engine has not even seen for so long gets the default verdict from the receiver thread. */
const ANSWER_DEADLINE_MS = 3000;
/** Longest delay that setTimeout takes. */
const MAX_TIMEOUT_MS = 0x7fff_ffff;

/**
 * Limits of what other processes can make the queue hold. Bytes: about 1.5 kB a packet in the kernel, 200 here. A flow may
 * hold more than the largest send buffer that a program can have without privilege (about 512 small datagrams): a burst then
 * waits in its program until the decision comes, and loses nothing.
 */
const QUEUE_LIMITS = { queueMaxLength: 16_384, maxHeld: 12_288, maxHeldPerFlow: 1024, maxHeldPerUid: 8192 } as const;

/** This bundle's folder, and beside it the addon, the contract and the vendor's rules, as in /usr/lib/bastion. */
const here = dirname(fileURLToPath(import.meta.url));
const product = dirname(here);

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The store, and what it loaded last. */
class RememberingStore implements RuleStore {
  readonly #store: RuleStore;
  loaded: LoadedRules | null = null;

  constructor(store: RuleStore) {
    this.#store = store;
  }

  async load(): Promise<LoadedRules> {
    this.loaded = await this.#store.load();
    return this.loaded;
  }

  watch: RuleStore['watch'] = (changed) => this.#store.watch(changed);
  add: RuleStore['add'] = (rule) => this.#store.add(rule);
  update: RuleStore['update'] = (id, rule) => this.#store.update(id, rule);
  remove: RuleStore['remove'] = (id) => this.#store.remove(id);
  setEnabled: RuleStore['setEnabled'] = (id, enabled) => this.#store.setEnabled(id, enabled);
  setMode: RuleStore['setMode'] = (mode) => this.#store.setMode(mode);
  exportText: RuleStore['exportText'] = () => this.#store.exportText();
}

/** An engine whose mode change also turns a firewall that is off back on. */
class HelperEngine extends Engine {
  onModeSet: (confirmMs?: number) => Promise<void> = () => Promise.resolve();

  override async setMode(mode: Mode, confirmMs?: number): Promise<void> {
    await super.setMode(mode, confirmMs);
    await this.onModeSet(confirmMs);
  }
}

function scheduler(clock: Clock): (atBootNs: BootNs, run: () => void) => () => void {
  return (atBootNs, run) => {
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const restMs = Number((atBootNs - clock.bootNs()) / 1_000_000n) + 1;
      timer = setTimeout(() => {
        if (clock.bootNs() >= atBootNs) run();
        else arm();
      }, Math.min(Math.max(restMs, 1), MAX_TIMEOUT_MS));
    };
    arm();
    return () => { clearTimeout(timer); };
  };
}

/** Everything that lives as long as the helper. */
class Helper {
  readonly #options: HelperOptions;
  readonly #logger: Logger;
  readonly #native: NativeBinding;
  readonly #clock: Clock;
  readonly #store: RememberingStore;
  readonly #users = createUsers();
  readonly #processes = createProcesses();
  #service: Service | null = null;
  #guard: Guard | null = null;
  #engine: HelperEngine | null = null;
  #stopWatching: () => void = () => undefined;
  #off: OffSwitch | null = null;
  #stopping = false;
  #fileLogLevel: LogLevel | null = null;

  constructor(options: HelperOptions, logger: Logger) {
    this.#options = options;
    this.#logger = logger;
    this.#native = loadBinding(process.env['BASTION_NATIVE'] ?? join(product, 'native', 'bastion.node'));
    this.#clock = createClock(this.#native);
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
  }

  async start(): Promise<void> {
    const { options, logger, clock } = { options: this.#options, logger: this.#logger, clock: this.#clock };
    for (const folder of [options.configDir, options.runDir]) mkdirSync(folder, { recursive: true, mode: 0o755 });
    mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });
    // One connection asks, the other serves: dbus-daemon limits the replies that one may wait for.
    const asking = await connectBus({ address: options.bus });
    const sessions = await LogindSessions.open(asking, logger);
    const engine = new HelperEngine({
      clock, logger, sessions,
      processes: this.#processes,
      users: this.#users,
      store: this.#store,
      runState: createRunState({ runDir: options.runDir, logger }),
      names: { read: readDnsMessage, resolver: await watchResolverConfig(options.resolver, logger) },
      newNonce: () => randomBytes(16).toString('hex'),
      schedule: scheduler(clock),
    });
    this.#engine = engine;
    await engine.restore();
    await engine.reload();
    this.#applyLogLevel();
    const guard = this.#makeGuard(engine);
    this.#guard = guard;
    const off = new OffSwitch({
      runDir: options.runDir,
      attach: () => this.#align(),
      detach: () => guard.detach(),
      onError: (error) => { logger.log('error', 'the firewall could not be turned off again', { why: messageOf(error) }); },
    });
    this.#off = off;
    await (off.isOff ? guard.detach() : this.#align());
    engine.onModeSet = (confirmMs) => off.turnOn(confirmMs);
    engine.onEvents({ statusChanged: () => void this.#align(), rulesChanged: () => void this.#align() });
    this.#stopWatching = this.#store.watch(() => void this.#reload());
    this.#service = await startService({
      engine, sessions, clock, logger,
      processes: this.#processes,
      authority: polkitAuthority(asking, logger),
      address: options.bus,
      introspectionXml: readFileSync(join(product, 'dbus', 'org.bastionfirewall.Helper1.xml'), 'utf8'),
      // Not bastionctl: any program of the same user could play the person at a terminal of its own making.
      trustedAgents: [process.execPath, join(product, 'desktop', 'main.cjs')],
      control: {
        version: VERSION,
        off: async () => {
          await off.turnOff();
          logger.log('warning', 'the firewall was turned off; a mode change turns it on again');
        },
        reload: () => this.#reload(),
        selfTest: () => guard.selfTest(),
        setLogLevel: (level) => { this.#setLogLevel(level); },
        setPacketTrace: (on) => { this.#dataPath?.setPacketTrace(on); },
        loadErrors: () => this.#loadErrors(),
      },
      onLost: (reason) => {
        if (this.#stopping) return;
        logger.log('error', 'the bus was lost', { reason });
        process.exit(EXIT_LOST);
      },
    });
    this.#native.notify('READY=1');
    logger.log('info', 'Bastion Firewall is ready', { version: VERSION, mode: engine.status().mode, state: engine.status().state });
  }

  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#native.notify('STOPPING=1');
    this.#stopWatching();
    this.#off?.close();
    this.#service?.close();
    await this.#engine?.stop();
    await this.#guard?.leave();
    this.#logger.log('info', 'Bastion Firewall has stopped; the rules of the kernel stay as on_failure says');
  }

  async reload(): Promise<void> {
    await this.#reload();
  }

  #dataPath: DataPath | null = null;

  #makeGuard(engine: HelperEngine): Guard {
    const { backend, identification, pinPath, decideIn } = this.#options;
    const cgroupPath = this.#options.cgroup ?? cgroupRoot();
    const ruleset = createRuleset({ logger: this.#logger, native: this.#native, ...(backend === undefined ? {} : { backend }) });
    engine.setBuiltIn(ruleset.builtIn);
    const events: DataPathEvents = {
      onAsks: (asks) => { engine.onAsks(asks); },
      onEnded: (ids) => { engine.onEnded(ids); },
      onPackets: (packets) => { this.#service?.packets(packets); },
      onDns: (messages) => { engine.onDns(messages); },
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
          ? { objectPath: join(product, 'native', 'bastion.bpf.o'), cgroupPath, pinPath, decideInThread: decideIn === 'thread' }
          : null,
      }),
      onDataPath: (dataPath) => {
        this.#dataPath = dataPath;
        engine.attach(dataPath);
      },
      onDegraded: (reasons) => { engine.setDegraded(reasons); },
      onMended: () => { engine.onRulesMended(); },
    });
  }

  /** Brings the kernel to what settings and mode say now. */
  async #align(): Promise<void> {
    const settings = this.#settings();
    if (this.#off?.isOff === true || this.#stopping || settings === null || this.#engine === null) return;
    this.#guard?.setForward(forwardSpec(settings.forwarded, this.#engine.rules().map(({ rule }) => rule)));
    await this.#guard?.align(settings, this.#engine.status().mode);
  }

  #settings(): Settings | null {
    return this.#store.loaded?.settings ?? null;
  }

  #loadErrors(): readonly LoadError[] {
    return this.#store.loaded?.errors ?? [];
  }

  async #reload(): Promise<readonly LoadError[]> {
    try {
      const errors = await this.#engine?.reload() ?? [];
      this.#applyLogLevel();
      this.#service?.statusChanged();
      return errors;
    } catch (error: unknown) {
      this.#logger.log('error', 'settings and rules could not be read again', { why: messageOf(error) });
      throw error;
    }
  }

  /** What the file says, when it says something new: a level that was set meanwhile over D-Bus stays through other reloads. */
  #applyLogLevel(): void {
    const level = this.#settings()?.logLevel ?? null;
    if (level !== null && level !== this.#fileLogLevel) this.#logger.setLevel(level);
    this.#fileLogLevel = level;
  }

  #setLogLevel(level: string): void {
    const found = LOG_LEVELS.find((one) => one === level);
    if (found === undefined) throw new BastionError('InvalidArgument', `The levels are ${LOG_LEVELS.join(', ')}.`);
    this.#logger.setLevel(found);
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
  process.stderr.write(`bastion-helper: ${messageOf(error)}\n`);
  if (usage) process.stderr.write('Try: bastion-helper --help\n');
  process.exit(usage ? EXIT.usage : EXIT.refused);
}
