/** Names of real lookups on real packets: what a prompt shows, what it joins, and how far its answer reaches. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { FlowInfo, PromptInfo } from '../../helper/contract/types.ts';
import { Lab } from '../lab/lab.ts';
import type { Result } from '../lab/lab.ts';
import { ADDRESSES, enterNamespace } from '../lab/network.ts';
import { ROOT, endChild, startTied } from '../lab/process.ts';
import { becomeUser } from '../lab/user.ts';
import { clientOf, copyInto, noLab, promptFor, until } from './support.ts';

const { peer4, peer6 } = ADDRESSES;
const CURL_REFUSED = 7;
/** Source: systemd-resolved.service(8). */
const STUB = '127.0.0.53';
const NAME_SERVER = join(ROOT, 'test/integration/name-server.ts');
/** Bind-mounted for one program: the machine's own file stays as it is. */
const WITH_RESOLV_CONF = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"';
const NOBODY = 65_534;
const skip = noLab();

/** A lab with a name server at the peer. `counted` and `hosts` are the texts of the files that the helper reads. */
class NameLab {
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

  static async create({ counted = `nameserver ${peer4}\nnameserver ${peer6}\nnameserver ${STUB}\n`, hosts = '' } = {}): Promise<NameLab> {
    const folder = mkdtempSync(join(tmpdir(), 'bastion-names-'));
    const files = { counted: join(folder, 'counted'), hosts: join(folder, 'hosts') };
    writeFileSync(files.counted, counted);
    writeFileSync(files.hosts, hosts);
    const lab = await Lab.create({ helperArguments: ['--resolv-conf', files.counted, '--hosts', files.hosts] });
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

/** The first name only: where the ordinary user is `nobody`, what he asked for counts for everybody, as with services. */
function seen(prompt: PromptInfo): readonly unknown[] {
  return [prompt.destination, prompt.address, prompt.port, prompt.names[0] ?? '', prompt.name_sources[0] ?? ''];
}

describe('names', { skip }, () => {
  let names: NameLab;
  before(async () => { names = await NameLab.create(); });
  after(async () => { await names.dispose(); });

  for (const [family, server] of [['IPv4', peer4], ['IPv6', peer6]] as const) {
    test(`one question for a lookup and the connection that follows it, with the name, over ${family}`, async () => {
      const path = await names.curl(`curl-${family}`, false);
      assert.equal(await names.prompts(async () => {
        const got = names.get(path, 'http://both.lab.test/', { server });
        const prompt = await promptFor(names.client, path);
        assert.deepEqual([prompt.destination, prompt.is_lookup, prompt.address], ['both.lab.test', true, server]);
        await names.client.answer(prompt.nonce, { action: 'allow', lifetime: 'once', scope: 'host' });
        const { status, stderr } = await got;
        assert.equal(status, 0, stderr);
      }), 1);
      const flow = (await names.flows(path)).find(({ port }) => port === 80);
      assert.deepEqual([flow?.host, flow?.action, flow?.reason, flow?.rule_id], ['both.lab.test', 'allow', 'prompt-answer', '']);
    });
  }

  for (const [how, host, options] of [
    ['over UDP', 'four.lab.test', ''], ['over TCP', 'four.lab.test', 'use-vc'], ['that is cut off and asked again over TCP', 'long.lab.test', ''],
    ['by way of an alias', 'alias.lab.test', ''],
  ] as const) {
    test(`the prompt of a connection shows the name of a lookup ${how}; Deny ends it at once`, async () => {
      const path = await names.curl(`curl-${host}${options}`, true);
      await names.lab.peer.watch();
      const got = names.get(path, `http://${host}/`, { options });
      const prompt = await promptFor(names.client, path);
      assert.deepEqual(seen(prompt), [host, peer4, 80, host, 'program']);
      await names.client.answer(prompt.nonce, { action: 'deny', lifetime: 'always', scope: 'host' });
      assert.equal((await got).status, CURL_REFUSED);
      assert.equal((await names.lab.peer.counts()).of('syn/80'), 0);
    });
  }

  test('both addresses of a name are one prompt, and Always covers both', async () => {
    const path = await names.curl('curl-both', true);
    assert.equal(await names.prompts(async () => {
      const got = names.get(path, 'http://both.lab.test/');
      const both = await until('both connections in one prompt', async () => {
        const { rows } = await names.client.listPrompts(500, '');
        return rows.find((row) => row.path === path && row.count === 2) ?? null;
      });
      await names.client.answer(both.nonce, { action: 'allow', lifetime: 'always', scope: 'host' });
      assert.equal((await got).status, 0);
      for (const address of [peer4, `[${peer6}]`]) assert.equal((await names.get(path, `http://${address}/`)).status, 0);
    }), 1);
  });

  test('what a program asks the stub of systemd-resolved is its own name', async () => {
    const stub = startTied([...enterNamespace(names.lab.clientNamespace), process.execPath, NAME_SERVER, STUB], {
      stdio: ['ignore', 'pipe', names.lab.logDescriptor],
    });
    try {
      assert.ok(stub.stdout !== null);
      await once(stub.stdout, 'data');
      for (const options of ['', 'use-vc']) {
        const path = await names.curl(`curl-stub-${options}`, false);
        const got = names.get(path, 'http://four.lab.test/', { server: STUB, options });
        const prompt = await promptFor(names.client, path);
        assert.deepEqual(seen(prompt), ['four.lab.test', peer4, 80, 'four.lab.test', 'program']);
        await names.client.answer(prompt.nonce, { action: 'deny', lifetime: 'once' });
        assert.equal((await got).status, CURL_REFUSED);
      }
    } finally {
      await endChild(stub, 500);
    }
  });

  test('a name that only another program asked for is not shown', async () => {
    const [asks, other] = [await names.curl('curl-asks', true), await names.curl('curl-other', false)];
    await names.client.addRule({ id: 'asks-web', action: 'allow', path: asks, port: '80' });
    assert.equal((await names.get(asks, 'http://six.lab.test/')).status, 0);
    const got = names.get(other, `http://[${peer6}]/`);
    const prompt = await promptFor(names.client, other);
    assert.equal(prompt.name_sources.includes('program'), false);
    if (names.lab.user.uid !== NOBODY) assert.deepEqual(prompt.names, []);
    await names.client.answer(prompt.nonce, { action: 'deny', lifetime: 'once' });
    assert.equal((await got).status, CURL_REFUSED);
  });
});

describe('names that do not count', { skip }, () => {
  test('an answer of a server that is not configured names nothing, and /etc/hosts names without a server', async () => {
    const names = await NameLab.create({ counted: 'nameserver 192.0.2.53\n', hosts: `${peer6} printer.lan\n` });
    try {
      const path = await names.curl('curl-other-server', true);
      for (const [url, shown] of [
        ['http://four.lab.test/', [peer4, peer4, 80, '', '']],
        [`http://[${peer6}]/`, ['printer.lan', peer6, 80, 'printer.lan', 'hosts']],
      ] as const) {
        const got = names.get(path, url);
        const prompt = await promptFor(names.client, path);
        assert.deepEqual(seen(prompt), shown);
        await names.client.answer(prompt.nonce, { action: 'deny', lifetime: 'once' });
        assert.equal((await got).status, CURL_REFUSED);
      }
    } finally {
      await names.dispose();
    }
  });
});
