/** A list store on folders of its own, the programs that it starts, and a server with a certificate of its own. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { build } from 'esbuild';
import { ListStore } from '../../helper/adapters/lists.ts';
import type { ListStoreOptions } from '../../helper/adapters/lists.ts';
import type { ListDefinition, Logger } from '../../helper/ports.ts';
import { ROOT } from '../lab/process.ts';

const silent: Logger = { log: () => undefined, setLevel: () => undefined };

/** Where the bundles are, in a folder that everybody can read; removed at the end of the process. */
let programs: Promise<string> | null = null;

export function listPrograms(): Promise<string> {
  programs ??= (async () => {
    const folder = mkdtempSync('/tmp/bastion-list-programs-');
    process.once('exit', () => { rmSync(folder, { recursive: true, force: true }); });
    chmodSync(folder, 0o755);
    for (const name of ['build-list', 'fetch']) {
      await build({
        entryPoints: [join(ROOT, 'helper/lists', `${name}.ts`)], outfile: join(folder, `${name}.mjs`),
        bundle: true, platform: 'node', target: 'node24', format: 'esm', logLevel: 'warning',
        banner: { js: "import { createRequire as bundleRequire } from 'node:module';\nconst require = bundleRequire(import.meta.url);" },
      });
    }
    return folder;
  })();
  return programs;
}

export interface StoreFixture {
  readonly folder: string;
  readonly stateDir: string;
  readonly store: ListStore;
  /** Another store on the same folders, as after a restart. */
  readonly restarted: (options?: Partial<ListStoreOptions>) => ListStore;
  /** Writes a file of the folder and gives its path. */
  readonly write: (name: string, text: string | Uint8Array) => string;
}

export async function makeListStore(context: TestContext, options: Partial<ListStoreOptions> & { readonly ca?: string } = {}): Promise<StoreFixture> {
  const root = mkdtempSync('/tmp/bastion-lists-');
  const [folder, stateDir] = [join(root, 'etc'), join(root, 'state')];
  mkdirSync(folder, { mode: 0o755 });
  mkdirSync(stateDir, { mode: 0o700 });
  const bundles = await listPrograms();
  const { ca, ...more } = options;
  const stores: ListStore[] = [];
  const make = (change: Partial<ListStoreOptions> = {}): ListStore => {
    const store = new ListStore({
      stateDir,
      buildScript: join(bundles, 'build-list.mjs'),
      fetcher: {
        script: join(bundles, 'fetch.mjs'), node: process.execPath, longestMs: 20_000,
        ...(ca === undefined ? {} : { environment: { NODE_EXTRA_CA_CERTS: ca } }),
      },
      logger: silent,
      wallMs: () => Date.now(),
      ...more, ...change,
    });
    stores.push(store);
    return store;
  };
  context.after(() => {
    for (const store of stores) store.close();
    rmSync(root, { recursive: true, force: true });
  });
  return {
    folder, stateDir, restarted: make, store: make(),
    write(name, text) {
      const path = join(folder, name);
      writeFileSync(path, text, { mode: 0o640 });
      return path;
    },
  };
}

export function definition(change: Partial<ListDefinition> & { readonly id: string }): ListDefinition {
  return { name: change.id, file: null, url: null, format: 'auto', sha256: null, updateHours: 24, ...change };
}

/** Resolves at the first state of the store for which `wanted` is true; each state is looked at when it is told. */
export async function untilState(store: ListStore, wanted: () => boolean): Promise<void> {
  if (wanted()) return;
  await new Promise<void>((resolve) => {
    const stop = store.onState(() => {
      if (!wanted()) return;
      stop();
      resolve();
    });
  });
}

/** Begins an update and waits for its end. */
export async function updated(store: ListStore, ids: readonly string[] = []): Promise<void> {
  store.update(ids);
  await untilState(store, () => store.states().every(({ updating }) => !updating));
}

export interface Served {
  /** Without a slash at the end. */
  readonly url: string;
  readonly requests: IncomingMessage[];
}

/** A server on loopback for the time of one test. `ca`: serves https, by a certificate that this authority gave. */
export async function serve(
  context: TestContext, answer: (request: IncomingMessage, response: ServerResponse) => void, authority: Authority | null,
): Promise<Served> {
  const requests: IncomingMessage[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    requests.push(request);
    answer(request, response);
  };
  const server: Server = authority === null ? createHttpServer(listener) : createServer({ key: authority.key, cert: authority.certificate }, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `${authority === null ? 'http' : 'https'}://localhost:${String(port)}`, requests };
}

export interface Authority {
  /** File of its certificate, that everybody can read. */
  readonly file: string;
  readonly key: Buffer;
  readonly certificate: Buffer;
}

/** A certificate for localhost that only who is told of it trusts. */
export function makeAuthority(): Authority {
  const folder = mkdtempSync('/tmp/bastion-list-authority-');
  process.once('exit', () => { rmSync(folder, { recursive: true, force: true }); });
  chmodSync(folder, 0o755);
  const [key, file] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', file, '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost',
  ], { stdio: 'ignore' });
  chmodSync(file, 0o644);
  return { file, key: readFileSync(key), certificate: readFileSync(file) };
}
