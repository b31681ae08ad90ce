/**
 * The configured name servers and /etc/hosts, read again when they change: port `ResolverConfig`. What the C library and
 * systemd-resolved would follow is followed here; a file that is too large or malformed costs names, never a decision.
 */
import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { SocketAddress, isIP } from 'node:net';
import type { Logger, ResolverConfig } from '../ports.ts';
import { hostName, isUsable } from './dns-message.ts';
import { FileWatch } from './rule-store/file-watch.ts';
import { errorCodeOf } from './trusted-file.ts';

/**
 * The second is where systemd-resolved tells the servers behind its stub.
 * Source: resolv.conf(5), systemd-resolved.service(8).
 */
export const RESOLVER_FILES = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'] as const;
export const HOSTS_FILE = '/etc/hosts';

/** Blocking lists fill /etc/hosts with hundreds of thousands of lines, nearly all for addresses that are no use as one. */
export const RESOLVER_LIMITS = {
  resolverBytes: 65_536, hostsBytes: 8_388_608, servers: 64, hostAddresses: 4096, namesPerAddress: 8, lineCharacters: 2048,
} as const;

export interface ResolverFiles {
  readonly resolver: readonly string[];
  readonly hosts: string;
}

export interface WatchedResolverConfig extends ResolverConfig {
  close(): void;
}

/** Canonical text, mapped IPv4 as IPv4, without a zone; null for what is no address. */
function canonical(text: string): string | null {
  const [address = ''] = text.split('%');
  const family = isIP(address);
  if (family === 0) return null;
  const shown = new SocketAddress({ address, family: family === 4 ? 'ipv4' : 'ipv6' }).address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/iu.exec(shown)?.[1];
  return mapped ?? shown;
}

function* lines(text: string): Iterable<string> {
  for (let at = 0; at < text.length;) {
    const end = text.indexOf('\n', at);
    const line = text.slice(at, end < 0 ? text.length : end);
    if (line.length <= RESOLVER_LIMITS.lineCharacters) yield line;
    at = end < 0 ? text.length : end + 1;
  }
}

/** Addresses after `nameserver`. Source: resolv.conf(5). */
export function parseResolvConf(text: string): readonly string[] {
  const servers: string[] = [];
  for (const line of lines(text)) {
    const [word, address] = line.trim().split(/\s+/u, 2);
    const server = word === 'nameserver' && address !== undefined ? canonical(address) : null;
    if (server !== null && servers.length < RESOLVER_LIMITS.servers) servers.push(server);
  }
  return servers;
}

/** Names by address, without those for this machine itself. Source: hosts(5). */
export function parseHosts(text: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const line of lines(text)) {
    const [written = '', ...words] = (line.split('#', 1)[0] ?? '').trim().split(/\s+/u);
    const address = canonical(written);
    if (address === null || !isUsable(address)) continue;
    const names = found.get(address) ?? [];
    if (names.length === 0 && found.size >= RESOLVER_LIMITS.hostAddresses) continue;
    for (const word of words) {
      const name = hostName(word);
      if (name !== null && !names.includes(name) && names.length < RESOLVER_LIMITS.namesPerAddress) names.push(name);
    }
    if (names.length > 0) found.set(address, names);
  }
  return found;
}

/** A regular file of at most `limit` bytes. Never blocks on a FIFO. Throws what stands in the way. */
async function readBounded(path: string, limit: number): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error('not a regular file');
    if (stats.size > limit) throw new Error(`larger than ${String(limit)} bytes`);
    // One that grows meanwhile has changed, and is read again.
    const bytes = Buffer.alloc(stats.size);
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.toString('utf8', 0, filled);
  } finally {
    await file.close();
  }
}

class FileResolverConfig implements WatchedResolverConfig {
  readonly #files: ResolverFiles;
  readonly #logger: Logger;
  #servers: ReadonlySet<string> = new Set();
  #hosts: ReadonlyMap<string, readonly string[]> = new Map();
  #watch: FileWatch | null = null;
  #watched = '';
  #stopWatching: () => void = () => undefined;
  #turn: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(files: ResolverFiles, logger: Logger) {
    this.#files = files;
    this.#logger = logger;
  }

  isServer(address: string): boolean {
    return this.#servers.has(address);
  }

  hostNames(address: string): readonly string[] {
    return this.#hosts.get(address) ?? [];
  }

  /** Reads everything and watches the files, and what they are links to. */
  load(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#load());
    return this.#turn;
  }

  close(): void {
    this.#closed = true;
    this.#stopWatching();
  }

  async #load(): Promise<void> {
    await this.#watchFiles();
    this.#watch?.setKnown(await this.#watch.snapshot());
    const servers = new Set<string>();
    for (const path of this.#files.resolver) {
      for (const server of parseResolvConf(await this.#read(path, RESOLVER_LIMITS.resolverBytes))) servers.add(server);
    }
    this.#servers = servers;
    this.#hosts = parseHosts(await this.#read(this.#files.hosts, RESOLVER_LIMITS.hostsBytes));
  }

  /** '' for a file that cannot be used; one that is not there is nothing special. */
  async #read(path: string, limit: number): Promise<string> {
    try {
      return await readBounded(path, limit);
    } catch (error: unknown) {
      const code = errorCodeOf(error);
      const why = code === 'unknown' && error instanceof Error ? error.message : code;
      if (code !== 'ENOENT') this.#logger.log('warning', 'a file with servers or names is not used', { file: path, why });
      return '';
    }
  }

  async #watchFiles(): Promise<void> {
    const named = [...this.#files.resolver, this.#files.hosts];
    const real = await Promise.all(named.map((path) => realpath(path).catch(() => path)));
    const paths = [...new Set([...named, ...real])];
    if (this.#closed || paths.join('\0') === this.#watched) return;
    this.#watched = paths.join('\0');
    this.#stopWatching();
    this.#watch = new FileWatch([], paths, this.#logger);
    this.#stopWatching = this.#watch.listen(() => void this.load());
  }
}

/** Resolves when the files have been read once. */
export async function watchResolverConfig(files: ResolverFiles, logger: Logger): Promise<WatchedResolverConfig> {
  const config = new FileResolverConfig(files, logger);
  await config.load();
  return config;
}
