/** The helper on the bus: puts the interfaces, the dispatcher and the signals together. */
import { BUS_NAME, INTERFACES, OBJECT_PATH } from '../contract/names.ts';
import { BUS, connectBus } from '../contract/transport.ts';
import type { BusConnection, IncomingMessage, SignalRequest } from '../contract/transport.ts';
import type { ApplicationsApi, EngineApi, InsightApi, NetworkApi } from '../engine-api.ts';
import type { Authority, Clock, Logger, PacketRecord, Processes, Sessions } from '../ports.ts';
import { Activity } from './activity.ts';
import { Agents } from './agents.ts';
import { Applications } from './applications.ts';
import { Dispatcher, MAX_BODY_BYTES } from './bus.ts';
import { Callers } from './callers.ts';
import { helperInterface } from './helper.ts';
import type { Control } from './helper.ts';
import { compactXml, parentXml } from './introspection.ts';
import { Insights } from './insight.ts';
import { Admission } from './limits.ts';
import type { ServedInterface } from './method.ts';
import { networkInterfaceOf } from './network.ts';
import { Prompts } from './prompts.ts';
import { rulesInterface } from './rules.ts';
import { introspectable, peer, properties } from './standard.ts';
import { StatusSignals } from './status.ts';
import { Viewers } from './viewers.ts';

export type { Control } from './helper.ts';

const PROPERTIES_INTERFACE = 'org.freedesktop.DBus.Properties';
/** A longer message is skipped on arrival: its body is never kept. */
const MAX_MESSAGE_BYTES = 2 * 1024 * 1024;
/** Values in one call: 64 keys with their variants are fewer than 500. */
const MAX_VALUES = 2048;
/** Rules.Changed and Network.Changed at most this often. */
const CHANGED_MS = 100;

/** Somebody else has the name on the bus. */
export class NameTakenError extends Error {
  override readonly name = 'NameTakenError';
}

export interface ServiceOptions {
  readonly engine: EngineApi;
  readonly applications: ApplicationsApi;
  readonly insight: InsightApi;
  readonly network: NetworkApi;
  readonly control: Control;
  readonly authority: Authority;
  readonly sessions: Sessions;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly logger: Logger;
  /** D-Bus address; the system bus when undefined. */
  readonly address: string | undefined;
  /** Text of data/dbus/org.bastionfirewall.Helper1.xml. */
  readonly introspectionXml: string;
  /** Absolute paths of the package's executables and scripts whose agents are verified. */
  readonly trustedAgents: readonly string[];
  /** The bus or the name was lost: the service has ended and does not come back. */
  readonly onLost: (reason: string) => void;
}

/** What the service counts. */
export interface ServiceCounters {
  /** Calls refused because of a limit. */
  readonly refused: number;
  /** Live rows left out because a listener's queue was full. */
  readonly rowsLost: number;
  /** Signals left out because the bus was behind. */
  readonly signalsLost: number;
  /** Messages too long to be kept. */
  readonly oversized: number;
  readonly agents: number;
  readonly subscribers: number;
}

/** The running service. */
export interface Service {
  /** Unique name on the bus. */
  readonly uniqueName: string;
  /** Packets of the trace, for those who subscribed to them. */
  packets(records: readonly PacketRecord[]): void;
  /** Load errors or anything else outside the engine changed: properties are compared and told. */
  statusChanged(): void;
  /** Something that belongs to the rules changed outside the engine: lists. */
  rulesChanged(): void;
  counters(): ServiceCounters;
  /** Leaves the bus. Idempotent. */
  close(): void;
}

/**
 * Takes the name and serves. Throws NameTakenError, BusUnreachableError or BusError; afterwards every loss of the bus is told
 * once by `onLost`.
 */
export async function startService(options: ServiceOptions): Promise<Service> {
  const bus = await connectBus({ address: options.address, maxMessageBytes: MAX_MESSAGE_BYTES, maxValues: MAX_VALUES });
  try {
    const callers = await Callers.watch(bus);
    const service = new RunningService(options, bus, callers);
    // Calls are answered from the first moment on which the name is ours.
    if (!(await bus.requestName(BUS_NAME))) throw new NameTakenError(`another program owns ${BUS_NAME} on the bus`);
    service.serve();
    return service;
  } catch (error: unknown) {
    bus.close();
    throw error;
  }
}

class RunningService implements Service {
  readonly #options: ServiceOptions;
  readonly #bus: BusConnection;
  readonly #callers: Callers;
  readonly #admission = new Admission();
  readonly #agents: Agents;
  readonly #prompts: Prompts;
  readonly #activity: Activity;
  readonly #applications: Applications;
  readonly #insights: Insights;
  readonly #status: StatusSignals;
  readonly #stops: (() => void)[] = [];
  readonly #viewers: Viewers;
  #rulesTimer: NodeJS.Timeout | null = null;
  #networkTimer: NodeJS.Timeout | null = null;

  constructor(options: ServiceOptions, bus: BusConnection, callers: Callers) {
    const { engine, control } = options;
    this.#options = options;
    this.#bus = bus;
    this.#callers = callers;
    this.#viewers = new Viewers(options.sessions);
    this.#agents = new Agents({
      ...options,
      isThere: (name) => callers.has(name),
      changed: () => { this.#propertiesChanged(INTERFACES.prompts, {}, ['Agents']); },
    });
    this.#prompts = new Prompts(engine, this.#agents, (receiver, member, signature, body) => {
      this.#unicast(receiver, INTERFACES.prompts, member, signature, body);
    });
    this.#activity = new Activity({
      engine,
      isThere: (name) => callers.has(name),
      send: (receiver, member, rows) => { this.#unicast(receiver, INTERFACES.activity, member, 'aa{sv}', [rows]); },
      setPacketTrace: (on) => { control.setPacketTrace(on); },
    });
    this.#applications = new Applications({
      applications: options.applications,
      isThere: (name) => callers.has(name),
      send: (receiver, member, signature, body) => {
        if (receiver === null) this.#tellViewers(INTERFACES.applications, member, signature, body);
        else this.#unicast(receiver, INTERFACES.applications, member, signature, body);
      },
    });
    this.#insights = new Insights(options.insight);
    const helper = helperInterface(engine, control, options.clock);
    const rules = rulesInterface(engine, control, this.#insights);
    this.#status = new StatusSignals({
      helper,
      rules,
      send: (name, changed, invalidated) => { this.#propertiesChanged(name, changed, invalidated); },
      somebodyListens: () => this.#viewers.size > 0,
    });
    this.#listen([helper, rules, this.#prompts.served, this.#activity.served, this.#applications.served, networkInterfaceOf(engine, options.network)]);
  }

  get uniqueName(): string {
    return this.#bus.uniqueName;
  }

  /** Follows the engine, the sessions and the bus. */
  serve(): void {
    this.#callers.onGone((name) => {
      this.#agents.remove(name);
      this.#activity.remove(name);
      this.#applications.remove(name);
      this.#insights.remove(name);
      this.#viewers.remove(name);
    });
    this.#stops.push(
      this.#options.engine.onEvents({
        promptRaised: (view) => { this.#prompts.raised(view); },
        promptChanged: (view) => { this.#prompts.changed(view); },
        promptEnded: (view, why) => { this.#prompts.ended(view, why); },
        flows: (records) => { this.#activity.observeFlows(records); },
        flowsEnded: (_ends, records) => { this.#activity.observeFlows(records); },
        rulesChanged: () => { this.#rulesChanged(); },
        statusChanged: () => { this.#status.changed(); },
      }),
      this.#options.network.onChanged(() => { this.#networkChanged(); }),
      this.#options.sessions.onChanged(() => {
        this.#prompts.sessionsChanged();
        for (const name of this.#viewers.sessionsChanged()) this.#tellAnew(name);
      }),
      this.#bus.onClosed((reason) => { this.#lost(reason); }),
      this.#bus.onSignal((signal) => { this.#onSignal(signal); }),
    );
  }

  packets(records: readonly PacketRecord[]): void {
    this.#activity.observePackets(records, this.#options.clock.wallMs());
  }

  statusChanged(): void {
    this.#status.changed();
  }

  rulesChanged(): void {
    this.#rulesChanged();
  }

  counters(): ServiceCounters {
    return {
      refused: this.#admission.refused,
      rowsLost: this.#activity.lost,
      signalsLost: this.#bus.counters.signalsLost,
      oversized: this.#bus.counters.oversized,
      agents: this.#agents.all.length,
      subscribers: this.#activity.subscribers,
    };
  }

  close(): void {
    for (const stop of this.#stops.splice(0)) stop();
    if (this.#rulesTimer !== null) clearTimeout(this.#rulesTimer);
    this.#rulesTimer = null;
    if (this.#networkTimer !== null) clearTimeout(this.#networkTimer);
    this.#networkTimer = null;
    this.#status.close();
    this.#prompts.close();
    this.#activity.close();
    this.#applications.close();
    this.#bus.close();
  }

  #listen(interfaces: readonly ServedInterface[]): void {
    const xml = compactXml(this.#options.introspectionXml);
    const object = [...interfaces, introspectable(xml), peer(), properties(interfaces)];
    const dispatcher = new Dispatcher({
      bus: this.#bus,
      callers: this.#callers,
      authority: this.#options.authority,
      admission: this.#admission,
      logger: this.#options.logger,
      onViewer: ({ name, uid }) => {
        // It may have left while polkit was asked, and its leaving is told once.
        if (this.#callers.has(name)) this.#viewers.add(name, uid);
      },
      interfacesAt(path) {
        if (path === OBJECT_PATH) return object;
        const above = parentXml(path, OBJECT_PATH);
        return above === null ? null : [introspectable(above), peer()];
      },
    });
    this.#bus.onCall((message) => { dispatcher.dispatch(message); });
  }

  #rulesChanged(): void {
    this.#status.changed();
    this.#rulesTimer ??= setTimeout(() => {
      this.#rulesTimer = null;
      this.#tellViewers(INTERFACES.rules, 'Changed', '', []);
    }, CHANGED_MS).unref();
  }

  #networkChanged(): void {
    this.#networkTimer ??= setTimeout(() => {
      this.#networkTimer = null;
      this.#tellViewers(INTERFACES.network, 'Changed', '', []);
    }, CHANGED_MS).unref();
  }

  #unicast(destination: string, interfaceName: string, member: string, signature: string, body: readonly unknown[]): void {
    this.#signal({ destination, interface: interfaceName, member, signature, body });
  }

  /** Never throws: the engine that raised the event has its own work to go on with. */
  #signal(request: Omit<SignalRequest, 'path'>): void {
    try {
      this.#bus.signal({ path: OBJECT_PATH, ...request });
    } catch (error: unknown) {
      const why = error instanceof Error ? error.message : String(error);
      this.#options.logger.log('error', 'a signal could not be sent', { member: request.member, why });
    }
  }

  #propertiesChanged(name: string, changed: Readonly<Record<string, unknown>>, invalidated: readonly string[]): void {
    this.#tellViewers(PROPERTIES_INTERFACE, 'PropertiesChanged', 'sa{sv}as', [name, changed, [...invalidated]]);
  }

  #tellViewers(interfaceName: string, member: string, signature: string, body: readonly unknown[]): void {
    for (const receiver of this.#viewers.names()) this.#unicast(receiver, interfaceName, member, signature, body);
  }

  /** To one who has missed something: that all of it may be different. */
  #tellAnew(receiver: string): void {
    for (const [name, properties] of this.#status.names) this.#unicast(receiver, PROPERTIES_INTERFACE, 'PropertiesChanged', 'sa{sv}as', [name, {}, [...properties]]);
    for (const name of [INTERFACES.rules, INTERFACES.applications, INTERFACES.network]) this.#unicast(receiver, name, 'Changed', '', []);
  }

  #onSignal(signal: IncomingMessage): void {
    if (signal.sender !== BUS.name || signal.member !== 'NameLost' || signal.signature !== 's') return;
    if (signal.bodyBytes <= MAX_BODY_BYTES && signal.body()[0] === BUS_NAME) this.#lost('the name on the bus was lost');
  }

  #lost(reason: string): void {
    this.close();
    this.#options.onLost(reason);
  }
}
