/** The history has every connection, also what the kernel decided by itself, and what each of them moved. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { FlowFilter, FlowInfo, TotalsInfo } from '../../helper/contract/types.ts';
import { Lab } from '../lab/lab.ts';
import { Traffic, trafficProgram } from '../leaks/support.ts';
import { clientOf, copyInto, noLab, program, ruleText, until } from './support.ts';

const ECHO = 7;
const MANY = 200;
const PORT = 8123;
const LIMIT_MS = 30_000;

describe('connections that the kernel decides, in the history', { skip: noLab(), timeout: 300_000 }, () => {
  let lab: Lab;
  let client: HelperClient;
  let curl: string;
  let stream: string;
  const open: Traffic[] = [];

  function writeRules(): void {
    const rules = ruleText('web', 'allow', curl) + ruleText('long', 'allow', stream);
    writeFileSync(join(lab.configDir, 'rules.d', '20-flows.toml'), rules, { mode: 0o640 });
  }

  before(async () => {
    lab = await Lab.create({ defaultAction: 'deny', startHelper: false });
    curl = copyInto(lab, '/usr/bin/curl');
    stream = copyInto(lab, trafficProgram(), 'stream');
    writeRules();
    await lab.startHelper();
    client = clientOf(lab);
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((traffic) => traffic.end()));
  });
  after(async () => {
    client.close();
    await lab.dispose();
  });

  async function flows(filter: FlowFilter): Promise<readonly FlowInfo[]> {
    const rows: FlowInfo[] = [];
    let cursor = '';
    do {
      const page = await client.queryFlows(filter, 500, cursor);
      rows.push(...page.rows);
      cursor = page.next;
    } while (cursor !== '');
    return rows;
  }

  /** Waits for so many flows of the program that have ended, the newest first. */
  function ended(path: string, count: number): Promise<readonly FlowInfo[]> {
    return until(`${String(count)} flows of ${path} that have ended`, async () => {
      const rows = (await flows({ path }).catch(() => [])).filter(({ ended_ms: at }) => at !== undefined);
      return rows.length >= count ? rows : null;
    });
  }

  async function totalsOf(path: string): Promise<TotalsInfo | undefined> {
    return (await client.totals()).find((row) => row.path === path);
  }

  /** What all connections of the program moved is what it moved in all. Totals that were read just before are told again. */
  async function eachByte(path: string): Promise<void> {
    const rows = await flows({ path });
    const own = [rows.reduce((sum, row) => sum + (row.sent_bytes ?? 0), 0), rows.reduce((sum, row) => sum + (row.received_bytes ?? 0), 0)];
    let total: readonly unknown[] = [];
    await until('totals with every connection in them', async () => {
      const row = await totalsOf(path);
      total = [row?.sent_bytes, row?.received_bytes];
      return JSON.stringify(total) === JSON.stringify(own) ? true : null;
    }).catch(() => { assert.deepEqual(total, own); });
  }

  async function restart(): Promise<void> {
    client.close();
    await lab.stopHelper();
    await lab.startHelper();
    client = clientOf(lab);
    await until('an answer', () => client.ping().then(() => true, () => null));
  }

  /** What the server on the firewall's side says to its peer. */
  async function spoken(): Promise<string> {
    const script = `require('node:net').connect(${String(PORT)}, '${lab.client4}').on('data', (bytes) => process.stdout.write(bytes)).on('error', () => process.exit(1))`;
    return (await lab.runAtPeer([process.execPath, '-e', script])).stdout.trim();
  }

  const fetched = async (address: string = lab.peer4): Promise<number | null> =>
    (await lab.run([curl, '--silent', '--output', '/dev/null', `http://${address}/`])).status;

  test('the first one was asked about, the second was not: both have their rule, their end and each byte', async () => {
    // One that a helper without a turn did not decide in time is refused, and has no end.
    await until('a visit', async () => (await fetched() === 0 ? true : null));
    const [asked] = await ended(curl, 1);
    assert.deepEqual([asked?.reason, asked?.rule_id, asked?.direction], ['rule', 'web', 'out']);
    await eachByte(curl);
    // Where it was found out meanwhile who the program is, one more is asked about.
    let second = asked;
    for (let count = 2; count < 5 && second?.reason !== 'remembered'; count += 1) {
      await fetched(`[${lab.peer6}]`);
      [second] = await ended(curl, count);
      await eachByte(curl);
    }
    assert.ok(second !== undefined && asked !== undefined && second.id !== asked.id);
    assert.deepEqual([second.action, second.reason, second.rule_id], ['allow', 'remembered', 'web']);
    assert.deepEqual([second.address, second.port, second.protocol, second.direction], [lab.peer6, 80, 'tcp', 'out']);
    assert.deepEqual([second.path, second.uid, second.confidence, second.evidence], [curl, lab.user.uid, 'certain', 'kernel']);
    assert.ok(second.source_port > 1023 && second.interface !== '' && second.length > 0 && second.pid > 0);
    assert.ok((second.ended_ms ?? 0) >= second.time_ms);
    const { text, rule_id: rule } = await client.explain(second.id);
    assert.equal(rule, 'web');
    assert.match(text, /^Allowed in the kernel, by what it remembers of the administrator's rule “web”/u);
  });

  test('each of a row of them is there, with the command that started it', async () => {
    const before = (await ended(curl, 1)).length;
    const script = `i=0; while [ $i -lt 50 ]; do "$0" --silent --output /dev/null "$1" || exit; i=$((i + 1)); done`;
    const { status } = await lab.run(['sh', '-c', script, curl, `http://${lab.peer4}/`]);
    assert.equal(status, 0);
    const rows = await ended(curl, before + 50);
    assert.equal(rows.length, before + 50);
    assert.ok(rows.slice(0, 50).every(({ reason, rule_id: rule }) => reason === 'remembered' && rule === 'web'));
    assert.equal((await client.status()).statistics.history_lost, 0);
    const { stdout } = await lab.ctl(['history', 'export', '--app', 'curl', '--limit', '1']);
    const [head = '', row = ''] = stdout.split('\n');
    const [at, sent] = [head.split(',').indexOf('ended'), head.split(',').indexOf('sent_bytes')];
    assert.match(row.split(',')[at] ?? '', /^20[0-9-]+T/u);
    assert.ok(Number(row.split(',')[sent]) > 0);
  });

  test('a connection that lasts is shown while it is open, and told of again at its end', async () => {
    const seen: FlowInfo[] = [];
    client.on('flows', (rows) => { seen.push(...rows.filter(({ path }) => path === stream)); });
    await client.subscribe({ packets: false });
    // What is remembered is for the next one.
    const first = await Traffic.start(lab, [stream, 'stream', lab.peer4, String(ECHO), 'first']);
    await first.total('received', MANY, LIMIT_MS);
    await first.end();
    await ended(stream, 1);
    const second = await Traffic.start(lab, [stream, 'stream', lab.peer4, String(ECHO), 'second']);
    open.push(second);
    const shown = await until('the open connection', async () => (await flows({ path: stream })).find(({ ended_ms: at }) => at === undefined) ?? null);
    assert.deepEqual([shown.reason, shown.rule_id], ['remembered', 'long']);
    await Promise.all(open.splice(0).map((traffic) => traffic.end()));
    const [last] = await ended(stream, 2);
    assert.equal(last?.id, shown.id);
    assert.ok((last.sent_bytes ?? 0) > 1024 * MANY && (last.received_bytes ?? 0) > 0);
    const told = await until('it twice', () => Promise.resolve(seen.filter(({ id }) => id === shown.id).length === 2 ? seen : null));
    assert.deepEqual(told.filter(({ id }) => id === shown.id).map(({ ended_ms: at }) => at === undefined), [true, false]);
    assert.equal((await flows({ path: stream })).length, 2);
  });

  test('a connection that is open while the helper restarts gets its end in the record that it has', async () => {
    const before = (await flows({ path: stream })).length;
    const traffic = await Traffic.start(lab, [stream, 'stream', lab.peer4, String(ECHO), 'third']);
    open.push(traffic);
    const shown = await until('the open connection', async () => (await flows({ path: stream })).find(({ ended_ms: at }) => at === undefined) ?? null);
    await restart();
    await traffic.total('received', MANY, LIMIT_MS);
    await Promise.all(open.splice(0).map((one) => one.end()));
    const rows = await ended(stream, before + 1);
    assert.deepEqual([rows.length, rows[0]?.id], [before + 1, shown.id]);
    await restart();
    assert.deepEqual(await flows({ path: stream }), rows, 'and on disk');
  });

  test('connections that are made while no helper is there are recorded by the next one, with their program', async () => {
    const before = (await ended(curl, 1)).length;
    const all = (await flows({ path: curl })).length;
    client.close();
    await lab.stopHelper();
    for (let visit = 0; visit < 3; visit += 1) await fetched();
    await lab.startHelper();
    client = clientOf(lab);
    const rows = (await ended(curl, before + 3)).slice(0, 3);
    assert.deepEqual(rows.map(({ reason, rule_id: rule }) => [reason, rule]), rows.map(() => ['remembered', 'web']));
    assert.equal((await flows({ path: curl })).length, all + 3);
  });

  test('what a peer opened is told as coming in', async () => {
    const server = copyInto(lab, program('server'), 'listener');
    await client.addRule({ action: 'allow', path: server });
    const child = lab.spawn([server, 'tcp', String(PORT), 'words for the peer']);
    await until('the listener', async () => (await spoken()) === 'words for the peer' ? true : null);
    for (let round = 0; round < 2; round += 1) assert.equal(await spoken(), 'words for the peer');
    const rows = await ended(server, 3);
    child.kill('SIGKILL');
    assert.equal(rows.length, 3);
    for (const { direction, address, source_port: port, path } of rows) {
      assert.deepEqual([direction, address, port, path], ['in', lab.peer4, PORT, server]);
    }
    for (const { sent_bytes: sent = 0, received_bytes: received = 0 } of rows) assert.ok(sent > 40 && sent < 1000 && received > 40 && received < 1000);
  });

  test('nothing of it is kept while the history is switched off', async () => {
    const file = join(lab.configDir, 'bastion.toml');
    const remembered = async (): Promise<number> => (await flows({ path: curl })).filter(({ reason }) => reason === 'remembered').length;
    const before = await remembered();
    writeFileSync(file, `mode = "enforcing"\ndefault_action = "deny"\n[history]\nenabled = false\n`, { mode: 0o640 });
    await client.reload();
    await fetched();
    await fetched();
    writeFileSync(file, `mode = "enforcing"\ndefault_action = "deny"\n`, { mode: 0o640 });
    await client.reload();
    const [newest] = await flows({ path: curl });
    await fetched();
    await until('the last one', async () => ((await flows({ path: curl }))[0]?.id === newest?.id ? null : true));
    assert.equal(await remembered(), before + 1);
  });
});
