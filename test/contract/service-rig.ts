/**
 * The real service on a private bus with the real polkitd: root serves, connections of other users are made in this process
 * (the bus takes the user from the socket's credentials at the time of connecting).
 */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { polkitAuthority } from '../../helper/adapters/polkit.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import { connectHelper } from '../../helper/contract/client.ts';
import type { ConnectOptions, HelperClient } from '../../helper/contract/client.ts';
import { connectBus } from '../../helper/contract/transport.ts';
import type { BusConnection, BusOptions, IncomingMessage } from '../../helper/contract/transport.ts';
import type { Authority, Logger, Session, Sessions } from '../../helper/ports.ts';
import { startService } from '../../helper/service/service.ts';
import type { Control, Service } from '../../helper/service/service.ts';
import { startPrivateBus } from '../lab/bus.ts';
import type { PrivateBus } from '../lab/bus.ts';
import { which } from '../lab/process.ts';
import { contractXml } from './contract-xml.ts';
import { MemoryApplications } from './memory-applications.ts';
import { MemoryEngine, MemoryInsight } from './memory-engine.ts';
import { MemoryNetwork } from './memory-network.ts';

/** An ordinary user whom polkit treats as the one in the active local session. */
export const LOCAL = { name: 'nobody', uid: 65_534 } as const;
/** A user whom polkit allows nothing. */
export const STRANGER = { name: 'games', uid: 5 } as const;

/** What an active local session may do without a password, given to LOCAL by a rule: there is no login manager here. */
const RULES = `polkit.addRule(function (action, subject) {
  var granted = ["view", "register-agent", "answer"];
  var name = action.id.replace("org.bastionfirewall.helper1.", "");
  if (subject.user === "${LOCAL.name}" && granted.indexOf(name) >= 0) return polkit.Result.YES;
});
`;

/** Why the service cannot be tested here; false when it can. For `skip`. */
export function cannotServe(): string | false {
  if (process.geteuid?.() !== 0) return 'needs root: the service owns its name as root and serves other users';
  for (const program of ['dbus-daemon', 'busctl', 'unshare']) if (which(program) === null) return `needs ${program}`;
  const polkitd = ['/usr/lib/polkit-1/polkitd', '/usr/libexec/polkitd'].some((path) => existsSync(path));
  return polkitd ? false : 'needs polkitd';
}

class TestSessions implements Sessions {
  active: Session | null = null;
  readonly #listeners = new Set<() => void>();

  ofProcess(): Promise<Session | null> {
    return Promise.resolve(null);
  }

  activeLocal(): Session | null {
    return this.active;
  }

  list(): readonly Session[] {
    return this.active === null ? [] : [this.active];
  }

  onChanged(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  /** Makes this the active session and tells. */
  activate(session: Session | null): void {
    this.active = session;
    for (const listener of this.#listeners) listener();
  }
}

/** One line of the log. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function socketOf(address: string): string {
  return address.slice('unix:path='.length);
}

/** A connected socket whose credentials are this user's. */
function socketAs(uid: number, path: string): Duplex {
  process.seteuid?.(uid);
  try {
    return connect({ path });
  } finally {
    process.seteuid?.(0);
  }
}

/** A bus, polkit, an engine in memory and the service on them. */
export class ServiceRig {
  readonly address: string;
  readonly sessions = new TestSessions();
  readonly log: LogLine[] = [];
  readonly control: Control & { readonly done: string[] };
  engine = new MemoryEngine();
  readonly applications = new MemoryApplications();
  readonly insight = new MemoryInsight();
  readonly network = new MemoryNetwork();
  /** What polkit says; a test may put something in its way. */
  authority: Authority;
  service: Service | null = null;
  /** Why the service has lost the bus. */
  lost: string | null = null;
  /** Ends and starts polkit, which forgets who had registered with it. */
  polkit: Pick<PrivateBus, 'stopPolkit' | 'startPolkit'> | null = null;
  readonly #ends: (() => Promise<void> | void)[] = [];
  readonly #connections: (() => void)[] = [];
  readonly #logger: Logger = {
    log: (level, message, fields = {}) => {
      this.log.push({ level, message, fields });
    },
    setLevel: () => undefined,
  };

  /** Resolves with the reason when the service has lost the bus. */
  readonly whenLost: Promise<string>;
  #tellLost: (reason: string) => void = () => undefined;
  #stopBus: () => Promise<void> = () => Promise.resolve();

  private constructor(address: string, polkit: BusConnection) {
    this.address = address;
    this.authority = polkitAuthority(polkit, { connect: () => connectBus({ address }), logger: this.#logger });
    this.control = testControl();
    this.whenLost = new Promise((resolve) => {
      this.#tellLost = resolve;
    });
  }

  /** Starts bus and polkit, then the service. */
  static async start(): Promise<ServiceRig> {
    const folder = mkdtempSync(join(tmpdir(), 'bastion-service-'));
    chmodSync(folder, 0o755);
    const bus = await startPrivateBus({ folder: join(folder, 'bus'), polkit: 'strict', user: LOCAL.name, singleUser: false });
    if (bus.limits.length > 0) throw new Error(bus.limits.join(' '));
    const polkit = await connectBus({ address: bus.address });
    const reloaded = polkitChanged(polkit);
    await polkit.addMatch("type='signal',interface='org.freedesktop.PolicyKit1.Authority',member='Changed'");
    writeFileSync(join(folder, 'bus', 'rules.d', '50-test.rules'), RULES);
    await reloaded;
    const rig = new ServiceRig(bus.address, polkit);
    rig.#stopBus = () => bus.close();
    rig.polkit = bus;
    rig.#ends.push(() => { polkit.close(); }, () => bus.close(), () => { rmSync(folder, { recursive: true, force: true }); });
    await rig.serve();
    return rig;
  }

  /** Starts the service (again), on the engine that the rig has. */
  async serve(trustedAgents: readonly string[] = []): Promise<Service> {
    const service = await startService({
      engine: this.engine,
      applications: this.applications,
      insight: this.insight,
      network: this.network,
      control: this.control,
      authority: { isAuthorized: (...question) => this.authority.isAuthorized(...question) },
      sessions: this.sessions,
      processes: {
        ancestors: () => [],
        alive: () => true,
        executable: () => null,
        commandLine: (pid) => readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').split('\0'),
      },
      clock: { bootNs: () => process.hrtime.bigint(), wallMs: () => Date.now() },
      logger: this.#logger,
      address: this.address,
      introspectionXml: contractXml(),
      trustedAgents,
      onLost: (reason) => {
        this.lost = reason;
        this.#tellLost(reason);
      },
    });
    this.service = service;
    return service;
  }

  /** A plain connection of this user; closed with the rig. */
  async connectAs(uid: number, options: BusOptions = {}): Promise<BusConnection> {
    const bus = await connectBus({ ...options, stream: socketAs(uid, socketOf(this.address)) });
    this.#connections.push(() => { bus.close(); });
    return bus;
  }

  /** A raw socket of this user, before the handshake; closed with the rig. */
  socketAs(uid: number): Duplex {
    const socket = socketAs(uid, socketOf(this.address));
    socket.on('error', () => undefined);
    this.#connections.push(() => { socket.destroy(); });
    return socket;
  }

  /** A client of this user; closed with the rig. */
  clientAs(uid: number, options: ConnectOptions = {}): HelperClient {
    const client = connectHelper({ interactive: false, stream: () => socketAs(uid, socketOf(this.address)), ...options });
    this.#connections.push(() => { client.close(); });
    return client;
  }

  /** Ends the bus under everybody. */
  stopBus(): Promise<void> {
    return this.#stopBus();
  }

  /** Ends every connection that the rig has made for users. */
  disconnectAll(): void {
    for (const end of this.#connections.splice(0)) end();
  }

  async close(): Promise<void> {
    this.disconnectAll();
    this.service?.close();
    for (const end of this.#ends.splice(0)) await end();
  }
}

function polkitChanged(bus: BusConnection): Promise<void> {
  return new Promise((resolve) => {
    bus.onSignal((signal) => {
      if (signal.interface === 'org.freedesktop.PolicyKit1.Authority') resolve();
    });
  });
}

function testControl(): Control & { readonly done: string[] } {
  const done: string[] = [];
  const record = (what: string): Promise<void> => {
    done.push(what);
    return Promise.resolve();
  };
  return {
    done,
    version: '3.0.0',
    off: () => record('off'),
    reload: async () => {
      await record('reload');
      return [{ file: '10-bad.toml', line: 3, column: 7, message: 'Expected a value.' }];
    },
    selfTest: async () => {
      await record('selfTest');
      return [{ name: 'rules', ok: true, detail: 'As they should be.' }];
    },
    setLogLevel: (level) => void done.push(`setLogLevel ${level}`),
    setPacketTrace: (on) => void done.push(`setPacketTrace ${String(on)}`),
    loadErrors: () => [],
    lists: {
      states: () => [{
        id: 'ads', name: 'Advertisers', source: '/etc/bastion/lists/ads.txt', format: 'hosts', domains: 2, prefixes: 1, exceptions: 0,
        ignored: 3, updatedMs: 5, nextMs: 0, error: '', updating: false,
      }],
      update: (ids) => {
        if (ids.some((id) => id !== 'ads')) throw new BastionError('NotFound', 'There is no list with this id.');
        done.push(`updateLists ${ids.join(' ')}`.trim());
      },
    },
    importRules: async (format, text, dryRun) => {
      await record(`import ${format} ${String(text.length)} ${String(dryRun)}`);
      return {
        items: [{ outcome: 'kept', file: '', line: 1, source: 'a', text: 'The same rule.', rule: { id: 'a', action: 'deny' } }],
        summary: {
          format: 'bastion', guess: '', dry_run: dryRun, kept: 1, changed: 0, review: 0, skipped: 0, ids: ['a'], settings: '', applications: '',
        },
      };
    },
    exportRules: (format) => (format === 'toml' ? Promise.resolve('# rules\n') : Promise.reject(new BastionError('NotSupported'))),
  };
}

/** Signals of one member, in the order they come; `next` waits for one. */
export function collectSignals(bus: BusConnection, member: string): { readonly seen: IncomingMessage[]; next(): Promise<IncomingMessage> } {
  const seen: IncomingMessage[] = [];
  const waiting: ((signal: IncomingMessage) => void)[] = [];
  let taken = 0;
  bus.onSignal((signal) => {
    if (signal.member !== member) return;
    seen.push(signal);
    const first = waiting.shift();
    if (first === undefined) return;
    taken += 1;
    first(signal);
  });
  return {
    seen,
    next() {
      const ready = seen[taken];
      if (ready === undefined) return new Promise((resolve) => { waiting.push(resolve); });
      taken += 1;
      return Promise.resolve(ready);
    },
  };
}
