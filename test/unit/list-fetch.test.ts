import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { fetchList } from '../../helper/adapters/lists/fetching.ts';
import type { Fetched, Fetcher } from '../../helper/adapters/lists/fetching.ts';
import type { FetchRequest } from '../../helper/lists/fetch-words.ts';
import { definition, listPrograms, makeAuthority, makeListStore, serve, untilState, updated } from './list-support.ts';

const authority = makeAuthority();
const LIST = 'ads.example.com\ntracker.example.net\n';
/** Of a fetch that comes to an end by itself. */
const LONGEST_MS = 30_000;

async function fetched(url: string, change: Partial<FetchRequest> = {}, trust = true): Promise<Fetched> {
  const folder = await listPrograms();
  return fetchList(
    {
      script: join(folder, 'fetch.mjs'), node: process.execPath, longestMs: LONGEST_MS,
      ...(trust ? { environment: { NODE_EXTRA_CA_CERTS: authority.file } } : {}),
    },
    { url, allowHttp: false, etag: '', lastModified: '', limitBytes: 1_000_000, ...change },
  );
}

function failure(outcome: Fetched): string {
  assert.ok(outcome.status === 'failed', outcome.status);
  return outcome.message;
}

describe('the program that fetches', { timeout: 300_000 }, () => {
  test('brings a list over https with what the next request needs', async (context) => {
    const { url, requests } = await serve(context, (_request, response) => response.writeHead(200, { etag: '"1"', 'last-modified': 'yesterday', 'content-length': LIST.length }).end(LIST), authority);
    const outcome = await fetched(`${url}/ads.txt`);
    assert.ok(outcome.status === 'content', JSON.stringify(outcome));
    assert.deepEqual([outcome.bytes.toString(), outcome.etag, outcome.lastModified], [LIST, '"1"', 'yesterday']);
    assert.deepEqual([requests[0]?.url, requests[0]?.headers['if-none-match']], ['/ads.txt', undefined]);
  });

  test('unpacks gzip, within the limit', async (context) => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    const { url } = await serve(context, (request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(request.url === '/bomb' ? bomb : gzipSync(LIST)), authority);
    const outcome = await fetched(`${url}/list`);
    assert.ok(outcome.status === 'content');
    assert.equal(outcome.bytes.toString(), LIST);
    assert.equal(failure(await fetched(`${url}/bomb`)), 'The list is too large.');
  });

  test('asks on condition, and tells that nothing changed', async (context) => {
    const { url, requests } = await serve(context, (_request, response) => response.writeHead(304).end(), authority);
    assert.deepEqual(await fetched(url, { etag: '"1"', lastModified: 'yesterday' }), { status: 'unchanged' });
    assert.deepEqual([requests[0]?.headers['if-none-match'], requests[0]?.headers['if-modified-since']], ['"1"', 'yesterday']);
    assert.match(failure(await fetched(url)), /answers 304/);
  });

  test('never asks over http without a hash, nor is led there', async (context) => {
    const plain = await serve(context, (_request, response) => response.end(LIST), null);
    assert.match(failure(await fetched(plain.url)), /Only https/);
    const { url } = await serve(context, (_request, response) => response.writeHead(302, { location: plain.url }).end(), authority);
    assert.match(failure(await fetched(url)), /not https/);
    assert.match(failure(await fetched(url, { allowHttp: true })), /not https/);
    assert.equal(plain.requests.length, 0);
    const hashed = await fetched(plain.url, { allowHttp: true });
    assert.equal(hashed.status, 'content');
  });

  test('follows five redirects and not a sixth', async (context) => {
    const { url, requests } = await serve(context, (request, response) => {
      const left = Number(request.url?.slice(1));
      if (left === 0) response.end(LIST);
      else response.writeHead(301, { location: `/${String(left - 1)}` }).end();
    }, authority);
    assert.equal((await fetched(`${url}/5`)).status, 'content');
    assert.match(failure(await fetched(`${url}/6`)), /without end/);
    assert.equal(requests.length, 12);
  });

  test('trusts no certificate that the machine does not trust', async (context) => {
    const { url, requests } = await serve(context, (_request, response) => response.end(LIST), authority);
    assert.match(failure(await fetched(url, {}, false)), /self-signed|certificate/i);
    assert.equal(requests.length, 0);
  });

  test('a body that was cut off is no list', async (context) => {
    const { url } = await serve(context, (request, response) => {
      response.writeHead(200, request.url === '/short' ? { 'content-length': 1000 } : {});
      response.write(LIST);
      setImmediate(() => response.destroy());
    }, authority);
    assert.notEqual(failure(await fetched(`${url}/short`)), '');
    assert.notEqual(failure(await fetched(`${url}/chunked`)), '');
    const endless = createTcpServer((socket) => void socket.end(`HTTP/1.0 200 OK\r\n\r\n${LIST}`));
    await new Promise<void>((resolve) => endless.listen(0, '127.0.0.1', resolve));
    context.after(() => endless.close());
    const plain = `http://localhost:${String((endless.address() as AddressInfo).port)}/`;
    assert.match(failure(await fetched(plain, { allowHttp: true })), /where the list ends/);
  });

  test('errors are sentences without anything that could act on a terminal', async (context) => {
    const { url } = await serve(context, (_request, response) => response.writeHead(404).end(), authority);
    assert.equal(failure(await fetched(url)), 'The server answers 404.');
    assert.match(failure(await fetched('https://localhost:1/')), /ECONNREFUSED/);
    const evil = createTcpServer((socket) => void socket.end('HTTP/1.1 200 \u{1b}[31mred\r\nx\u{1b}]0;title\u{7}: y\r\n\r\n'));
    await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve));
    context.after(() => evil.close());
    const said = failure(await fetched(`http://localhost:${String((evil.address() as AddressInfo).port)}/`, { allowHttp: true }));
    assert.doesNotMatch(said, /[\p{C}]/u);
  });

  test('a server that says nothing is given up in time', async (context) => {
    const { url } = await serve(context, () => undefined, authority);
    const folder = await listPrograms();
    const outcome = await fetchList(
      { script: join(folder, 'fetch.mjs'), node: process.execPath, longestMs: 1500, environment: { NODE_EXTRA_CA_CERTS: authority.file } },
      { url, allowHttp: false, etag: '', lastModified: '', limitBytes: 1000 },
    );
    assert.equal(failure(outcome), 'The server took too long.');
  });

  test('runs as nobody, without capabilities, environment, or a file that it can write', { skip: process.geteuid?.() !== 0 && 'needs root' }, async () => {
    const folder = await listPrograms();
    const script = join(folder, 'probe.mjs');
    writeFileSync(script, `
      import { readFileSync, writeFileSync } from 'node:fs';
      import { spawnSync } from 'node:child_process';
      const tried = (work) => { try { work(); return 'done'; } catch (error) { return error.code; } };
      const what = { ids: [process.getuid(), process.geteuid(), process.getgid(), ...process.getgroups()], environment: Object.keys(process.env),
        read: tried(() => readFileSync('/etc/passwd')), write: tried(() => writeFileSync('/tmp/bastion-probe', 'x')), start: tried(() => spawnSync('/bin/true')) };
      process.stdout.write('\\n' + JSON.stringify({ status: 'failed', etag: '', lastModified: '', message: JSON.stringify(what) }));
    `);
    chmodSync(script, 0o644);
    const outcome = await fetchList({ script, node: process.execPath }, { url: 'https://localhost/', allowHttp: false, etag: '', lastModified: '', limitBytes: 1 });
    assert.deepEqual(JSON.parse(failure(outcome)), {
      ids: [65_534, 65_534, 65_534, 65_534],
      // Node gives it to each child while coverage is counted.
      environment: process.env['NODE_V8_COVERAGE'] === undefined ? [] : ['NODE_V8_COVERAGE'],
      read: 'ERR_ACCESS_DENIED', write: 'ERR_ACCESS_DENIED', start: 'ERR_ACCESS_DENIED',
    });
    assert.ok(!existsSync('/tmp/bastion-probe'));
  });

  test('what a fetching program says is bounded and checked, whatever it is', async () => {
    const folder = await listPrograms();
    const said: readonly (readonly [string, RegExp])[] = [
      ["process.stdout.write(Buffer.alloc(2_000_000))", /too large/],
      ["process.stdout.write('no json\\nbody')", /no answer that can be read/],
      ["process.stdout.write('body\\n' + JSON.stringify({ status: 'content', etag: 1, lastModified: '', message: '' }))", /no answer that can be read/],
      ["process.stdout.write('body\\n' + JSON.stringify({ status: 'content', etag: '', lastModified: '', message: '' }) + '\\nand more')", /no answer that can be read/],
      ["process.stdout.write('\\n' + JSON.stringify({ status: 'failed', etag: '', lastModified: '', message: '' }))", /ended without an answer/],
      ["process.stdout.write('')", /ended without an answer/],
      ["process.stderr.write('x'.repeat(1_000_000)); process.exitCode = 1", /./],
      ["process.kill(process.pid, 'SIGKILL')", /ended without an answer/],
    ];
    for (const [index, [code, wanted]] of said.entries()) {
      const script = join(folder, `said-${String(index)}.mjs`);
      writeFileSync(script, code, { mode: 0o644 });
      const message = failure(await fetchList({ script, node: process.execPath, longestMs: LONGEST_MS }, { url: 'https://x/', allowHttp: false, etag: '', lastModified: '', limitBytes: 1000 }));
      assert.match(message, wanted, code);
      assert.ok(message.length <= 300);
    }
    const missing = await fetchList({ script: join(folder, 'none.mjs'), node: '/nonexistent', longestMs: LONGEST_MS }, { url: 'https://x/', allowHttp: false, etag: '', lastModified: '', limitBytes: 1000 });
    assert.notEqual(failure(missing), '');
  });
});

test('where a unit listens it is asked, and a process is started only where none does', { timeout: 300_000 }, async (context) => {
  const programs = await listPrograms();
  const folder = mkdtempSync('/tmp/bastion-fetch-');
  const socket = join(folder, 'fetch.socket');
  const { url } = await serve(context, (_request, response) => response.end(LIST), null);
  const ask = (change: Partial<Fetcher> = {}): Promise<Fetched> => fetchList(
    { script: join(programs, 'fetch.mjs'), node: '/nonexistent', socket, ...change },
    { url, allowHttp: true, etag: '', lastModified: '', limitBytes: 1_000_000 },
  );
  let answer = (connection: Socket): void => {
    const child = spawn(process.execPath, [join(programs, 'fetch.mjs')], { stdio: ['pipe', 'pipe', 'inherit'] });
    connection.pipe(child.stdin);
    child.stdout.pipe(connection);
  };
  const unit = createTcpServer({ allowHalfOpen: true }, (connection) => { answer(connection); });
  await new Promise<void>((resolve) => unit.listen(socket, resolve));
  context.after(() => {
    unit.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const outcome = await ask();
  assert.ok(outcome.status === 'content', JSON.stringify(outcome));
  assert.equal(outcome.bytes.toString(), LIST);
  answer = (connection) => void connection.end(LIST);
  assert.match(failure(await ask()), /no answer that can be read/);
  answer = (connection) => connection.destroy();
  assert.match(failure(await ask()), /ended without an answer/);
  answer = () => undefined;
  assert.equal(failure(await ask({ longestMs: 300 })), 'The server took too long.');
  assert.match(failure(await ask({ socket: join(folder, 'none') })), /\/nonexistent/);
});

describe('a list that is fetched', { timeout: 300_000 }, () => {
  test('is fetched at the first start, kept, and there at once after the next', async (context) => {
    const { url, requests } = await serve(context, (request, response) => {
      if (request.headers['if-none-match'] === '"1"') response.writeHead(304).end();
      else response.writeHead(200, { etag: '"1"', 'content-length': LIST.length }).end(LIST);
    }, authority);
    const { store, restarted, stateDir } = await makeListStore(context, { ca: authority.file });
    const lists = [definition({ id: 'ads', url: `${url}/ads` })];
    await store.configure(lists);
    await untilState(store, () => store.holds('ads').names);
    assert.ok(store.hasName('ads', 'www.tracker.example.net'));
    await untilState(store, () => store.states().every(({ updating }) => !updating));
    assert.deepEqual(readdirSync(join(stateDir, 'lists')).sort(), ['ads.json', 'ads.list']);
    assert.equal(statSync(join(stateDir, 'lists', 'ads.list')).mode & 0o777, 0o600);
    store.close();

    const next = restarted();
    await next.configure(lists);
    assert.ok(next.hasName('ads', 'www.tracker.example.net'));
    assert.equal(requests.length, 1, 'its time has not come');
    await updated(next, ['ads']);
    assert.equal(requests[1]?.headers['if-none-match'], '"1"');
    const [state] = next.states();
    assert.deepEqual([state?.error, state?.domains, (state?.nextMs ?? 0) > Date.now() + 23 * 3_600_000], ['', 2, true]);
  });

  test('whatever goes wrong, what it said before stays in force and the reason is told', async (context) => {
    let answer: [number, string] = [200, LIST];
    const { url } = await serve(context, (_request, response) => response.writeHead(answer[0]).end(answer[1]), authority);
    const limits = { bytes: 10_000, domains: 100, prefixes: 10 };
    const { store, restarted } = await makeListStore(context, { ca: authority.file, limits });
    const lists = [definition({ id: 'ads', url })];
    await store.configure(lists);
    await untilState(store, () => store.holds('ads').names);
    const many = Array.from({ length: 101 }, (_, index) => `n${String(index)}.example.org`).join('\n');
    const wrong: readonly (readonly [[number, string], RegExp])[] = [
      [[500, LIST], /answers 500/],
      [[200, ''], /sent nothing/],
      [[200, '<html>\n<body>no</body>\n'], /No line of it is an entry/],
      [[200, 'x'.repeat(10_001)], /too large/],
      [[200, many], /more than 100 names/],
      [[304, ''], /answers 304/],
    ];
    for (const [now, reason] of wrong) {
      answer = now;
      await untilState(store, () => store.states().every(({ updating }) => !updating));
      await updated(store);
      assert.match(store.states()[0]?.error ?? '', reason);
      assert.match(store.errors()[0]?.message ?? '', /^List ads: .* What it said before stays in force\.$/);
      assert.ok(store.hasName('ads', 'tracker.example.net'));
      assert.ok((store.states()[0]?.nextMs ?? 0) < Date.now() + 7 * 3_600_000, 'tried again soon');
    }
    assert.deepEqual([store.counters().failedRequests, store.counters().refused], [3, 3]);
    answer = [200, 'new.example.org\n'];
    await updated(store);
    assert.deepEqual([store.errors(), store.hasName('ads', 'new.example.org'), store.hasName('ads', 'tracker.example.net')], [[], true, false]);
    store.close();
    const next = restarted();
    await next.configure(lists);
    assert.ok(next.hasName('ads', 'new.example.org'));
  });

  test('with a hash, only that very text counts, over http too', async (context) => {
    let text = LIST;
    const { url } = await serve(context, (_request, response) => response.writeHead(200, { 'content-length': text.length }).end(text), null);
    const { store } = await makeListStore(context);
    await store.configure([definition({ id: 'ads', url, sha256: createHash('sha256').update(LIST).digest('hex') })]);
    await untilState(store, () => store.holds('ads').names);
    text = 'evil.example.org\n';
    await untilState(store, () => store.states().every(({ updating }) => !updating));
    await updated(store);
    assert.match(store.states()[0]?.error ?? '', /Its SHA-256 is [0-9a-f]{64}, not the one in bastion\.toml/);
    assert.ok(store.hasName('ads', 'tracker.example.net') && !store.hasName('ads', 'evil.example.org'));
  });

  test('a copy that was changed, or is of another address, is not used', async (context) => {
    const { url } = await serve(context, (_request, response) => response.writeHead(200, { 'content-length': LIST.length }).end(LIST), authority);
    const { store, restarted, stateDir } = await makeListStore(context, { ca: authority.file });
    await store.configure([definition({ id: 'ads', url })]);
    await untilState(store, () => store.holds('ads').names && store.states()[0]?.updating === false);
    store.close();
    const other = restarted({ fetcher: { script: '/nonexistent', node: '/nonexistent' } });
    await other.configure([definition({ id: 'ads', url: `${url}/other` })]);
    assert.ok(!other.holds('ads').names);
    other.close();
    const copy = join(stateDir, 'lists', 'ads.list');
    writeFileSync(copy, `${readFileSync(copy, 'utf8')}evil.example.org\n`);
    const changed = restarted({ fetcher: { script: '/nonexistent', node: '/nonexistent' } });
    await changed.configure([definition({ id: 'ads', url })]);
    assert.ok(!changed.holds('ads').names);
  });
});
