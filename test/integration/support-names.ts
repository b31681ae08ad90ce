/** A lab with a name server, and programs whose C library asks it. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { FlowInfo } from '../../helper/contract/types.ts';
import { Lab } from '../lab/lab.ts';
import type { LabOptions, Result } from '../lab/lab.ts';
import { ADDRESSES, enterNamespace } from '../lab/network.ts';
import { ROOT, endChild, startTied } from '../lab/process.ts';
import { becomeUser } from '../lab/user.ts';
import { clientOf, copyInto } from './support.ts';

const { peer4, peer6 } = ADDRESSES;
/** Source: systemd-resolved.service(8). */
export const STUB = '127.0.0.53';
export const NAME_SERVER = join(ROOT, 'test/integration/name-server.ts');
/** Bind-mounted for one program: the machine's own file stays as it is. */
const WITH_RESOLV_CONF = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"';

export interface NameLabOptions {
  /** Text of the resolv.conf, and of the hosts file, that the helper reads. */
  readonly counted?: string;
  readonly hosts?: string;
  readonly lab?: Omit<LabOptions, 'helperArguments'>;
}

/** Its name server is at the peer. */
export class NameLab {
  readonly lab: Lab;
  readonly client: HelperClient;
  readonly #folder: string;
  readonly #server: ChildProcess;

  private constructor(lab: Lab, folder: string, server: ChildProcess) {
    this.lab = lab;
    this.client = clientOf(lab);
    this.#folder = folder;
    this.#server = server;
  }

  static async create({ counted = `nameserver ${peer4}\nnameserver ${peer6}\nnameserver ${STUB}\n`, hosts = '', lab: options = {} }: NameLabOptions = {}): Promise<NameLab> {
    const folder = mkdtempSync(join(tmpdir(), 'bastion-names-'));
    const files = { counted: join(folder, 'counted'), hosts: join(folder, 'hosts') };
    writeFileSync(files.counted, counted);
    writeFileSync(files.hosts, hosts);
    const lab = await Lab.create({ ...options, helperArguments: ['--resolv-conf', files.counted, '--hosts', files.hosts] });
    const command = [...enterNamespace(lab.peerNamespace), process.execPath, NAME_SERVER];
    const server = startTied(command, { stdio: ['ignore', 'pipe', lab.logDescriptor] });
    assert.ok(server.stdout !== null);
    await once(server.stdout, 'data');
    return new NameLab(lab, folder, server);
  }

  /** Runs a program whose C library asks `server`. */
  run(argv: readonly string[], { server = peer4, options = '' }: { readonly server?: string; readonly options?: string } = {}): Promise<Result> {
    const asked = join(this.#folder, `asked-${server.replaceAll(':', '-')}`);
    writeFileSync(asked, `nameserver ${server}\noptions timeout:30 attempts:1 ${options}\n`);
    const inside = ['sh', '-c', WITH_RESOLV_CONF, 'sh', asked, ...becomeUser(this.lab.user), ...argv];
    return this.lab.run(['unshare', '--mount', ...inside], { as: 'root', timeoutMs: 40_000 });
  }

  /** A copy of curl for one test; with `mayLookUp` a rule lets it ask name servers. */
  async curl(name: string, mayLookUp: boolean): Promise<string> {
    const path = copyInto(this.lab, '/usr/bin/curl', name);
    if (mayLookUp) await this.client.addRule({ id: `${name}-lookups`, action: 'allow', path, port: '53', protocol: 'udp,tcp' });
    return path;
  }

  get(path: string, url: string, how: { readonly server?: string; readonly options?: string } = {}): Promise<Result> {
    return this.run([path, '--silent', '--show-error', '--max-time', '30', url], how);
  }

  async flows(path: string): Promise<readonly FlowInfo[]> {
    return (await this.client.queryFlows({ path }, 100, '')).rows;
  }

  /** How many prompts `work` raised. */
  async prompts(work: () => Promise<void>): Promise<number> {
    const { statistics } = await this.client.status();
    await work();
    return (await this.client.status()).statistics.prompts - statistics.prompts;
  }

  async dispose(): Promise<void> {
    this.client.close();
    await endChild(this.#server, 500);
    await this.lab.dispose();
    rmSync(this.#folder, { recursive: true });
  }
}
