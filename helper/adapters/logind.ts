/**
 * Login sessions from systemd-logind. Without it nobody is active; sessions that it told of before it went stay known until it
 * is back, and are then compared with what it tells.
 * Source: org.freedesktop.login1(5).
 */
import { BUS, Variant } from '../contract/transport.ts';
import type { BusConnection, IncomingMessage } from '../contract/transport.ts';
import type { Logger, Session, Sessions } from '../ports.ts';

const LOGIND = 'org.freedesktop.login1';
const MANAGER = { path: '/org/freedesktop/login1', interface: 'org.freedesktop.login1.Manager' } as const;
const SESSION_INTERFACE = 'org.freedesktop.login1.Session';
const USER_INTERFACE = 'org.freedesktop.login1.User';
const PROPERTIES = 'org.freedesktop.DBus.Properties';
/** Sessions that are kept; logind itself stops at 8192. */
const MOST_SESSIONS = 1024;

type Properties = Readonly<Record<string, unknown>>;

/** What a session's properties say; the object path is its key. */
interface Known extends Session {
  readonly onSeat: boolean;
  readonly ofUser: boolean;
}

function valueOf(properties: Properties, key: string): unknown {
  const found = properties[key];
  return found instanceof Variant ? found.value : undefined;
}

function textOf(properties: Properties, key: string): string {
  const value = valueOf(properties, key);
  return typeof value === 'string' ? value : '';
}

function structOf(properties: Properties, key: string): readonly unknown[] {
  const value = valueOf(properties, key);
  return Array.isArray(value) ? value : [];
}

function knownFrom(properties: Properties): Known | null {
  const uid = structOf(properties, 'User')[0];
  const id = textOf(properties, 'Id');
  if (typeof uid !== 'number' || id === '') return null;
  return {
    id,
    uid,
    active: valueOf(properties, 'Active') === true,
    remote: valueOf(properties, 'Remote') !== false,
    locked: valueOf(properties, 'LockedHint') === true,
    onSeat: structOf(properties, 'Seat')[0] !== '' && structOf(properties, 'Seat').length > 0,
    ofUser: textOf(properties, 'Class') === 'user',
  };
}

function sessionOf(known: Known): Session {
  const { id, uid, active, remote, locked } = known;
  return { id, uid, active, remote, locked };
}

/** The sessions that logind knows, kept up to date by its signals. */
export class LogindSessions implements Sessions {
  readonly #bus: BusConnection;
  readonly #logger: Logger;
  readonly #sessions = new Map<string, Known>();
  readonly #listeners = new Set<() => void>();
  /** Unique name of logind; signals of anybody else are not believed. */
  #owner = '';

  private constructor(bus: BusConnection, logger: Logger) {
    this.#bus = bus;
    this.#logger = logger;
    bus.onSignal((signal) => {
      this.#onSignal(signal);
    });
  }

  /** Reads all sessions and follows them. Never fails: without logind the list stays empty until it appears. */
  static async open(bus: BusConnection, logger: Logger): Promise<LogindSessions> {
    const sessions = new LogindSessions(bus, logger);
    try {
      await bus.addMatch(`type='signal',sender='${BUS.name}',member='NameOwnerChanged',arg0='${LOGIND}'`);
      await bus.addMatch(`type='signal',sender='${LOGIND}',interface='${MANAGER.interface}'`);
      await bus.addMatch(
        `type='signal',sender='${LOGIND}',interface='${PROPERTIES}',member='PropertiesChanged',arg0='${SESSION_INTERFACE}'`,
      );
      await sessions.#reload();
    } catch (error: unknown) {
      logger.log('warning', 'the login manager cannot be followed', { why: reasonOf(error) });
    }
    return sessions;
  }

  async ofProcess(pid: number): Promise<Session | null> {
    const direct = await this.#pathByPid('GetSessionByPID', pid);
    if (direct !== null) return this.#session(direct);
    // Programs that the user's own service manager started belong to no session: logind names the user's display.
    const user = await this.#pathByPid('GetUserByPID', pid);
    if (user === null) return null;
    const display = structOf(await this.#properties(user, USER_INTERFACE), 'Display')[1];
    return typeof display === 'string' && display !== '/' ? this.#session(display) : null;
  }

  activeLocal(): Session | null {
    for (const known of this.#sessions.values()) {
      if (known.active && !known.remote && known.onSeat && known.ofUser) return sessionOf(known);
    }
    return null;
  }

  list(): readonly Session[] {
    return [...this.#sessions.values()].map(sessionOf);
  }

  onChanged(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  async #session(path: string): Promise<Session | null> {
    if (!this.#sessions.has(path)) await this.#refresh(path);
    const known = this.#sessions.get(path);
    return known === undefined ? null : sessionOf(known);
  }

  async #pathByPid(member: string, pid: number): Promise<string | null> {
    try {
      const [path] = await this.#call(member, 'u', [pid]);
      return typeof path === 'string' ? path : null;
    } catch {
      return null;
    }
  }

  #call(member: string, signature = '', body: readonly unknown[] = []): Promise<readonly unknown[]> {
    return this.#bus.call({ destination: LOGIND, ...MANAGER, member, signature, body, noAutoStart: true });
  }

  async #properties(path: string, interfaceName: string): Promise<Properties> {
    try {
      const [found] = await this.#bus.call({
        destination: LOGIND, path, interface: PROPERTIES, member: 'GetAll', signature: 's', body: [interfaceName], noAutoStart: true,
      });
      return typeof found === 'object' && found !== null ? (found as Properties) : {};
    } catch {
      return {};
    }
  }

  async #reload(): Promise<void> {
    const before = [...this.#sessions.keys()];
    try {
      const [owner] = await this.#bus.callBus('GetNameOwner', 's', [LOGIND]);
      this.#owner = String(owner);
      const [rows] = await this.#call('ListSessions');
      const paths = new Set((Array.isArray(rows) ? rows : []).map((row: unknown) => (Array.isArray(row) ? String(row[4]) : '')));
      for (const path of paths) if (path !== '') await this.#refresh(path);
      for (const path of before) if (!paths.has(path)) this.#sessions.delete(path);
    } catch (error: unknown) {
      this.#owner = '';
      // It may only be started anew: a rule for a session does not end for that. But nobody is at the screen for sure.
      for (const [path, known] of this.#sessions) this.#sessions.set(path, { ...known, active: false });
      this.#logger.log('info', 'there is no login manager, so there are no sessions', { why: reasonOf(error) });
    }
  }

  async #refresh(path: string): Promise<void> {
    const known = knownFrom(await this.#properties(path, SESSION_INTERFACE));
    if (known === null) this.#sessions.delete(path);
    else if (this.#sessions.size < MOST_SESSIONS || this.#sessions.has(path)) this.#sessions.set(path, known);
  }

  #onSignal(signal: IncomingMessage): void {
    if (signal.sender === BUS.name && signal.member === 'NameOwnerChanged') {
      if (signal.body()[0] === LOGIND) this.#update(this.#reload());
      return;
    }
    if (this.#owner === '' || signal.sender !== this.#owner) return;
    if (signal.interface === PROPERTIES && signal.path.startsWith('/org/freedesktop/login1/session/')) {
      this.#update(this.#refresh(signal.path));
      return;
    }
    if (signal.interface !== MANAGER.interface) return;
    const path = signal.signature === 'so' ? String(signal.body()[1]) : '';
    if (signal.member === 'SessionNew') this.#update(this.#refresh(path));
    if (signal.member === 'SessionRemoved' && this.#sessions.delete(path)) this.#tell();
  }

  #update(work: Promise<void>): void {
    work.then(
      () => { this.#tell(); },
      (error: unknown) => { this.#logger.log('warning', 'a session could not be read', { why: reasonOf(error) }); },
    );
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
