/** Names and numbers of users: /etc/passwd first, then the name service through getent. Port `Users`. */
import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import type { Users } from '../ports.ts';

const PASSWD_LIMIT_BYTES = 4 * 1024 * 1024;
const CACHE_LIMIT = 4096;
const KNOWN_MS = 300_000;
/** A user who is not known may be known soon: the name service may start after the helper. */
const UNKNOWN_MS = 15_000;
const GETENT_TIMEOUT_MS = 5000;
const GETENT_OUTPUT_BYTES = 65_536;
const RUNNING_LIMIT = 4;
const WAITING_LIMIT = 256;
/** /etc/passwd is looked at again at most this often. */
const PASSWD_CHECK_MS = 1000;
const UID_LIMIT = 0xffff_fffe;
/** No colon, no space, no leading minus, which would be an option; a name of digits would be taken for a number. */
const NAME = /^(?!\d+$)[^\s:/,\p{C}-][^\s:/,\p{C}]{0,63}$/u;

export interface UserRecord {
  readonly name: string;
  readonly uid: number;
}

export interface UsersOptions {
  readonly passwdPath?: string;
  /** Asks the name service for one name or number; resolves to null for an unknown one and rejects when it cannot say. */
  readonly ask?: (key: string) => Promise<UserRecord | null>;
  /** Monotonic milliseconds. */
  readonly nowMs?: () => number;
}

export interface UserDirectory extends Users {
  /** Waits for the name service; null for a name that nobody has. */
  lookup(name: string): Promise<number | null>;
  /** Questions that were not asked because too many waited. */
  readonly refused: number;
}

interface Cached {
  readonly user: UserRecord | null;
  readonly untilMs: number;
}

/** `name` and `uid` answer at once from what is known and start a question where it is not; a later call knows the answer. */
export function createUsers(options: UsersOptions = {}): UserDirectory {
  return new CachedUsers(options);
}

class CachedUsers implements UserDirectory {
  refused = 0;
  private readonly passwd: PasswdFile;
  private readonly ask: (key: string) => Promise<UserRecord | null>;
  private readonly nowMs: () => number;
  /** By name or number as text; the oldest leave first. */
  private readonly cache = new Map<string, Cached>();
  private readonly pending = new Map<string, Promise<UserRecord | null>>();
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  constructor({ passwdPath = '/etc/passwd', ask = askGetent, nowMs = () => performance.now() }: UsersOptions) {
    this.passwd = new PasswdFile(passwdPath, nowMs);
    this.ask = ask;
    this.nowMs = nowMs;
  }

  name(uid: number): string {
    const known = this.passwd.byUid(uid) ?? this.known(String(uid));
    if (known === undefined) void this.question(String(uid));
    return known?.name ?? String(uid);
  }

  uid(name: string): number | null {
    if (!NAME.test(name)) return null;
    const known = this.passwd.byName(name) ?? this.known(name);
    if (known === undefined) void this.question(name);
    return known?.uid ?? null;
  }

  async lookup(name: string): Promise<number | null> {
    if (!NAME.test(name)) return null;
    const known = this.passwd.byName(name) ?? this.known(name);
    return (known === undefined ? await this.question(name) : known)?.uid ?? null;
  }

  /** undefined: not known whether there is such a user. */
  private known(key: string): UserRecord | null | undefined {
    const cached = this.cache.get(key);
    return cached !== undefined && cached.untilMs > this.nowMs() ? cached.user : undefined;
  }

  private question(key: string): Promise<UserRecord | null> {
    const before = this.pending.get(key);
    if (before !== undefined) return before;
    if (this.pending.size >= RUNNING_LIMIT + WAITING_LIMIT) {
      this.refused += 1;
      return Promise.resolve(null);
    }
    const answer = this.answerTo(key).finally(() => this.pending.delete(key));
    this.pending.set(key, answer);
    return answer;
  }

  private async answerTo(key: string): Promise<UserRecord | null> {
    if (this.running < RUNNING_LIMIT) this.running += 1;
    else await new Promise<void>((takeOver) => void this.waiting.push(takeOver));
    try {
      const user = await this.ask(key);
      this.remember(key, user);
      return user;
    } catch {
      this.remember(key, null);
      return null;
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.running -= 1;
      else next();
    }
  }

  private remember(key: string, user: UserRecord | null): void {
    this.cache.delete(key);
    const oldest = this.cache.size >= CACHE_LIMIT ? this.cache.keys().next().value : undefined;
    if (oldest !== undefined) this.cache.delete(oldest);
    this.cache.set(key, { user, untilMs: this.nowMs() + (user === null ? UNKNOWN_MS : KNOWN_MS) });
  }
}

/** /etc/passwd, read again when it was replaced. */
class PasswdFile {
  private readonly path: string;
  private readonly nowMs: () => number;
  private names = new Map<string, UserRecord>();
  private uids = new Map<number, UserRecord>();
  private signature = '';
  private checkedMs = Number.NEGATIVE_INFINITY;

  constructor(path: string, nowMs: () => number) {
    this.path = path;
    this.nowMs = nowMs;
  }

  byName(name: string): UserRecord | undefined {
    this.refresh();
    return this.names.get(name);
  }

  byUid(uid: number): UserRecord | undefined {
    this.refresh();
    return this.uids.get(uid);
  }

  private refresh(): void {
    const now = this.nowMs();
    if (now - this.checkedMs < PASSWD_CHECK_MS) return;
    this.checkedMs = now;
    try {
      const stats = statSync(this.path, { bigint: true });
      const signature = [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(':');
      if (signature === this.signature || stats.size > BigInt(PASSWD_LIMIT_BYTES)) return;
      this.read(readFileSync(this.path, 'utf8'));
      this.signature = signature;
    } catch {
      // What was read last stays: a file that is being replaced is not an empty one.
    }
  }

  private read(text: string): void {
    this.names = new Map();
    this.uids = new Map();
    for (const line of text.split('\n')) {
      const user = parsePasswdLine(line);
      if (user === null) continue;
      if (!this.names.has(user.name)) this.names.set(user.name, user);
      if (!this.uids.has(user.uid)) this.uids.set(user.uid, user);
    }
  }
}

/** One line of passwd(5); null for anything else. */
export function parsePasswdLine(line: string): UserRecord | null {
  const [name = '', , number = ''] = line.split(':');
  if (!NAME.test(name) || !/^\d{1,10}$/.test(number) || Number(number) > UID_LIMIT) return null;
  return { name, uid: Number(number) };
}

/** Source: getent(1), exit status 2: the key was not found. */
function askGetent(key: string): Promise<UserRecord | null> {
  return new Promise((resolve, reject) => {
    const options = { timeout: GETENT_TIMEOUT_MS, maxBuffer: GETENT_OUTPUT_BYTES, env: { LC_ALL: 'C' }, encoding: 'utf8' } as const;
    execFile('/usr/bin/getent', ['passwd', '--', key], options, (error, output) => {
      if (error !== null && error.code !== 2) {
        reject(new Error('the name service did not answer', { cause: error }));
        return;
      }
      const user = parsePasswdLine(output.split('\n')[0] ?? '');
      const isAsked = user !== null && (user.name === key || String(user.uid) === key);
      resolve(isAsked ? user : null);
    });
  });
}
