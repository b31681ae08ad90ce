/**
 * Whether somebody is in front of this session's screen and may be asked: by logind (lock, user switching) and, as a second
 * source, by the screen savers of the desktops; in a sandbox, which reaches none of them, by the portal. Signals only say that something is to be read again; what counts is the answer.
 * Source: org.freedesktop.login1(5); the interfaces org.gnome.ScreenSaver and org.freedesktop.ScreenSaver.
 */
import { BUS, Variant, connectBus } from '../../helper/contract/transport.ts';
import type { BusConnection } from '../../helper/contract/transport.ts';
import { attentionOf } from '../model/attention.ts';
import type { Attention, LoginState } from '../model/attention.ts';
import { Emitter } from './emitter.ts';
import { watchScreen } from './portal.ts';

const LOGIND = 'org.freedesktop.login1';
const MANAGER = { path: '/org/freedesktop/login1', interface: 'org.freedesktop.login1.Manager' } as const;
const SESSION = 'org.freedesktop.login1.Session';
const PROPERTIES = 'org.freedesktop.DBus.Properties';
interface Saver { readonly path: string; readonly interface: string }
/** By name on the session's bus. */
const SAVERS: ReadonlyMap<string, Saver> = new Map([
  saver('org.gnome.ScreenSaver', '/org/gnome/ScreenSaver'),
  // GNOME's saver is a process that passes on what the shell says, and runs only once somebody has called it.
  ['org.gnome.Shell.ScreenShield', { path: '/org/gnome/ScreenSaver', interface: 'org.gnome.ScreenSaver' }],
  saver('org.freedesktop.ScreenSaver', '/org/freedesktop/ScreenSaver'),
  saver('org.xfce.ScreenSaver', '/org/xfce/ScreenSaver'),
  saver('org.cinnamon.ScreenSaver', '/org/cinnamon/ScreenSaver'),
  saver('org.mate.ScreenSaver', '/org/mate/ScreenSaver'),
]);
/** What the portal says, beside the savers. */
const PORTAL_KEY = 'portal';
const CALL_MS = 2000;
const RETRY_MS = 5000;

export interface SessionLockOptions {
  /** null where the session has no bus. */
  readonly sessionBus: BusConnection | null;
  /** Ask the portal too. */
  readonly portal?: boolean;
  /** The machine's bus; the standard one when absent. */
  readonly systemAddress?: string;
  readonly pid: number;
  readonly uid: number;
  /** XDG_SESSION_ID; '' where it is not set. */
  readonly sessionId: string;
}

export class SessionLock {
  readonly changed = new Emitter();
  readonly #options: SessionLockOptions;
  readonly #savers = new Map<string, boolean>();
  #login: LoginState | null = null;
  /** Object of our session, '' while it is not known. */
  #path = '';
  #system: BusConnection | null = null;
  #retry: NodeJS.Timeout | null = null;
  #attention: Attention = 'here';
  #stopped = false;

  private constructor(options: SessionLockOptions) {
    this.#options = options;
  }

  /** Resolves when both sources have said how it is now; never rejects. Without any source somebody is there. */
  static async start(options: SessionLockOptions): Promise<SessionLock> {
    const lock = new SessionLock(options);
    await Promise.all([lock.#connectSystem(), lock.#followSavers()]);
    return lock;
  }

  get attention(): Attention {
    return this.#attention;
  }

  stop(): void {
    this.#stopped = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#system?.close();
  }

  async #connectSystem(): Promise<void> {
    try {
      const bus = await connectBus({ address: this.#options.systemAddress, timeoutMs: CALL_MS });
      if (this.#stopped) {
        bus.close();
        return;
      }
      this.#system = bus;
      bus.onClosed(() => { this.#lostSystem(); });
      bus.onSignal((signal) => {
        const appeared = signal.sender === BUS.name && signal.member === 'NameOwnerChanged';
        if (appeared || signal.path === this.#path) void this.#readLogin(appeared);
      });
      await bus.addMatch(`type='signal',sender='${BUS.name}',member='NameOwnerChanged',arg0='${LOGIND}'`);
      await this.#readLogin(true);
    } catch {
      this.#lostSystem();
    }
  }

  /** The last word of the login manager stands no more; the bus may come back. */
  #lostSystem(): void {
    this.#system = null;
    this.#login = null;
    this.#update();
    if (this.#stopped || this.#retry !== null) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      void this.#connectSystem();
    }, RETRY_MS);
  }

  async #readLogin(search: boolean): Promise<void> {
    const bus = this.#system;
    if (bus === null) return;
    if (search) await this.#findSession(bus);
    this.#login = this.#path === '' ? null : await readState(bus, this.#path);
    this.#update();
  }

  async #findSession(bus: BusConnection): Promise<void> {
    const { sessionId, pid, uid } = this.#options;
    const path = await pathOf(bus, 'GetSession', 's', sessionId) || await pathOf(bus, 'GetSessionByPID', 'u', pid) || await displayOf(bus, uid);
    if (path === this.#path) return;
    this.#path = path;
    if (path === '') return;
    // Lock and Unlock are requests: a desktop that has none of it never locks, so they only say that it is time to look.
    await bus.addMatch(`type='signal',sender='${LOGIND}',path='${path}'`).catch(() => undefined);
  }

  async #followSavers(): Promise<void> {
    const bus = this.#options.sessionBus;
    if (bus === null) return;
    bus.onClosed(() => {
      this.#savers.clear();
      this.#update();
    });
    bus.onSignal((signal) => {
      const [name] = signal.sender === BUS.name && signal.member === 'NameOwnerChanged' && signal.signature === 'sss' ? signal.body() : [];
      if (typeof name === 'string') this.#readSavers(bus, (_saver, its) => its === name);
      else if (signal.member === 'ActiveChanged') this.#readSavers(bus, (saver) => saver.interface === signal.interface);
    });
    const portal = this.#options.portal === true ? watchScreen(bus, (covered) => { this.#setSaver(PORTAL_KEY, covered); }).catch(() => undefined) : null;
    await Promise.all([portal, ...[...SAVERS].map(async ([name, saver]) => {
      const about = `path='${saver.path}',interface='${saver.interface}',member='ActiveChanged'`;
      await bus.addMatch(`type='signal',sender='${name}',${about}`).catch(() => undefined);
      await bus.addMatch(`type='signal',sender='${BUS.name}',member='NameOwnerChanged',arg0='${name}'`).catch(() => undefined);
      await this.#readSaver(bus, name, saver);
    })]);
  }

  #readSavers(bus: BusConnection, wanted: (saver: Saver, name: string) => boolean): void {
    for (const [name, saver] of SAVERS) if (wanted(saver, name)) void this.#readSaver(bus, name, saver);
  }

  /** A saver that does not answer, or cannot be asked, covers nothing. */
  async #readSaver(bus: BusConnection, name: string, saver: Saver): Promise<void> {
    const call = bus.call({ destination: name, ...saver, member: 'GetActive', noAutoStart: true, timeoutMs: CALL_MS });
    this.#setSaver(name, await call.then(([active]) => active === true, () => null));
  }

  /** null: it says nothing any more. */
  #setSaver(name: string, covers: boolean | null): void {
    if (covers === null) this.#savers.delete(name);
    else this.#savers.set(name, covers);
    this.#update();
  }

  #update(): void {
    const attention = attentionOf(this.#login, this.#savers);
    if (attention === this.#attention || this.#stopped) return;
    this.#attention = attention;
    this.changed.emit();
  }
}

/** One whose name is its interface too. */
function saver(name: string, path: string): [string, Saver] {
  return [name, { path, interface: name }];
}

/** The object that a method of logind's manager names, '' where it names none. */
async function pathOf(bus: BusConnection, member: string, signature: 's' | 'u', argument: string | number): Promise<string> {
  if (argument === '') return '';
  try {
    const [path] = await bus.call({ destination: LOGIND, ...MANAGER, member, signature, body: [argument], noAutoStart: true });
    return typeof path === 'string' ? path : '';
  } catch {
    return '';
  }
}

/** Programs that the user's own service manager started belong to no session: his display's is meant. */
async function displayOf(bus: BusConnection, uid: number): Promise<string> {
  const user = await pathOf(bus, 'GetUser', 'u', uid);
  const display = user === '' ? null : await propertyOf(bus, user, 'org.freedesktop.login1.User', 'Display');
  const path: unknown = Array.isArray(display) ? display[1] : '';
  return typeof path === 'string' && path !== '/' ? path : '';
}

async function propertyOf(bus: BusConnection, path: string, interfaceName: string, name: string): Promise<unknown> {
  try {
    const [found] = await bus.call({
      destination: LOGIND, path, interface: PROPERTIES, member: 'Get', signature: 'ss', body: [interfaceName, name], noAutoStart: true,
    });
    return found instanceof Variant ? found.value : undefined;
  } catch {
    return undefined;
  }
}

/** null where the session cannot be read (any more). */
async function readState(bus: BusConnection, path: string): Promise<LoginState | null> {
  const [locked, active] = await Promise.all([propertyOf(bus, path, SESSION, 'LockedHint'), propertyOf(bus, path, SESSION, 'Active')]);
  return locked === undefined && active === undefined ? null : { locked: locked === true, active: active !== false };
}
