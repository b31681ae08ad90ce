/** What was decided, on disk: from a real connection to what people read of it, over restarts of the helper. */
import assert from 'node:assert/strict';
import { existsSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Lab } from '../lab/lab.ts';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { FlowFilter, FlowInfo } from '../../helper/contract/types.ts';
import { clientOf, copyInto, noLab, ruleText, until } from './support.ts';

describe('history on the real helper', { skip: noLab(), timeout: 180_000 }, () => {
  let lab: Lab;
  let client: HelperClient;
  let curl: string;
  let refused: string;
  before(async () => {
    lab = await Lab.create({ defaultAction: 'deny', startHelper: false });
    curl = copyInto(lab, '/usr/bin/curl');
    refused = copyInto(lab, '/usr/bin/curl', 'refused-curl');
    const rule = ruleText('web', 'allow', curl, `destination = { address = "${lab.peer4}" }`);
    writeFileSync(join(lab.configDir, 'rules.d', '20-history.toml'), rule, { mode: 0o640 });
    await lab.startHelper();
    client = clientOf(lab);
  });
  after(async () => {
    client.close();
    await lab.dispose();
  });

  async function flows(filter: FlowFilter = {}): Promise<readonly FlowInfo[]> {
    const rows: FlowInfo[] = [];
    let cursor = '';
    do {
      const page = await client.queryFlows(filter, 500, cursor);
      rows.push(...page.rows);
      cursor = page.next;
    } while (cursor !== '');
    return rows;
  }

  function flowOf(path: string): Promise<FlowInfo> {
    return until(`a flow of ${path}`, async () => (await flows({ path }).catch(() => []))[0] ?? null);
  }

  const fetched = (program: string): Promise<unknown> => lab.run([program, '--silent', '--output', '/dev/null', `http://${lab.peer4}/`]);

  test('a flow is found by what it was, and is found and explained by the next helper too', async () => {
    await fetched(curl);
    await fetched(refused);
    const allowed = await flowOf(curl);
    const denied = await flowOf(refused);
    assert.deepEqual([allowed.action, allowed.rule_id, denied.action, denied.reason], ['allow', 'web', 'deny', 'default-action']);
    // The flow in it may have ended in between.
    const explained = async (): Promise<unknown> => ({ ...await client.explain(allowed.id), flow_info: null });
    const why = await explained();
    // A connection's end is told when it comes, and one that was refused at once has none.
    const beginnings = async (): Promise<readonly unknown[]> =>
      (await flows()).map((row) => ({ ...row, ended_ms: 0, sent_bytes: 0, received_bytes: 0 }));
    const found = await beginnings();
    client.close();
    await lab.stopHelper();
    await lab.startHelper();
    client = clientOf(lab);
    await until('an answer', () => client.ping().then(() => true, () => null));
    assert.deepEqual(await beginnings(), found);
    assert.deepEqual(await explained(), why);
    const only = async (filter: FlowFilter): Promise<readonly string[]> => (await flows(filter)).map(({ id }) => id);
    assert.deepEqual(await only({ action: 'deny', application: 'REFUSED-curl' }), [denied.id]);
    assert.deepEqual(await only({ rule_id: 'web', port: 80, host: lab.peer4 }), [allowed.id]);
    assert.deepEqual(await only({ path: curl, since_ms: allowed.time_ms + 1 }), []);
    assert.deepEqual(await only({ path: curl, until_ms: allowed.time_ms + 1, since_ms: allowed.time_ms }), [allowed.id]);
    assert.deepEqual((await client.indexFlows({ program: `path:${curl}`, verdict: 'allowed', protocol: 'tcp', search: `CURL ${lab.peer4} 80` }, '')).rows, [allowed.id]);
    const group = (await client.groupFlows({ program: `path:${refused}` }, 'application')).rows[0];
    assert.deepEqual([group?.program, group?.connections, group?.refused, group?.last_ms], [`path:${refused}`, 1, 1, denied.time_ms]);
    const told = await client.explain(denied.id);
    assert.deepEqual([told.flow_info?.id, told.named_by, told.user === '', told.ancestors?.every(({ pid }) => pid <= 1)], [denied.id, 'path', false, true]);
    assert.deepEqual([(await client.historyState()).enabled, (await client.historyState()).failure], [true, '']);
    // Ids go on: none of the first helper's is given again.
    const another = copyInto(lab, '/usr/bin/curl', 'another-curl');
    await fetched(another);
    const next = await flowOf(another);
    assert.ok(Number.parseInt(next.id.slice(1), 36) > Number.parseInt(denied.id.slice(1), 36));
  });

  test('totals count what was allowed and refused, by program, by destination and in time', async () => {
    const [program] = (await client.historyTotals('hour', 'application')).filter(({ path }) => path === refused);
    assert.deepEqual([program?.connections, program?.allowed, program?.refused, program?.user], [1, 0, 1, lab.user.name]);
    const [destination] = (await client.historyTotals('day', 'destination')).filter((row) => row.destination === lab.peer4);
    assert.deepEqual([destination?.connections, destination?.allowed, destination?.port, destination?.protocol], [3, 1, 80, 'tcp']);
    const series = await client.historyTotals('week', 'day');
    assert.equal(series.reduce((sum, row) => sum + (row.refused ?? 0), 0), 2);
    assert.ok(series.every(({ time_ms: time }) => (time ?? 1) % 86_400_000 === 0));
    const [own, ...more] = await client.historyTotals('day', 'destination', { path: refused });
    assert.deepEqual([own?.destination, own?.connections, own?.refused, more.length], [lab.peer4, 1, 1, 0]);
    assert.deepEqual((await client.historyTotals('hour', 'minute', { path: refused })).map((row) => row.refused), [1]);
    assert.deepEqual(await client.historyTotals('day', 'destination', { path: '/nowhere' }), []);
  });

  test('what a program moved is in the history when the helper has stopped', async () => {
    await fetched(curl);
    await until('its bytes', async () => (await client.totals()).find(({ path }) => path === curl) ?? null);
    client.close();
    await lab.stopHelper();
    await lab.startHelper();
    client = clientOf(lab);
    await until('an answer', () => client.ping().then(() => true, () => null));
    const row = (await client.historyTotals('month', 'application')).find(({ path }) => path === curl);
    assert.ok((row?.sent_bytes ?? 0) > 0 && (row?.received_bytes ?? 0) > 0, JSON.stringify(row));
  });

  test('the file is for root alone; cleared, nothing of it is left, and ids go on', async () => {
    const file = join(lab.stateDir, 'history.sqlite');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const [last] = await flows();
    await client.clearHistory();
    assert.deepEqual(await flows(), []);
    assert.deepEqual(await client.historyTotals('month', 'application'), []);
    assert.ok(existsSync(file));
    const third = copyInto(lab, '/usr/bin/curl', 'third-curl');
    await fetched(third);
    const next = await flowOf(third);
    assert.ok(Number.parseInt(next.id.slice(1), 36) > Number.parseInt(last?.id.slice(1) ?? '', 36));
  });
});

test('without a history the firewall decides as ever, and says what is missing', { skip: noLab(), timeout: 180_000 }, async () => {
  await using lab = await Lab.create({ defaultAction: 'deny', startHelper: false });
  symlinkSync('/nowhere', join(lab.stateDir, 'history.sqlite'));
  const refused = copyInto(lab, '/usr/bin/curl', 'refused-curl');
  await lab.startHelper();
  const client = clientOf(lab);
  try {
    const { status } = await lab.run([refused, '--silent', `http://${lab.peer4}/`]);
    assert.notEqual(status, 0);
    const after = await until('the loss', async () => {
      const now = await client.status();
      return now.statistics.history_lost > 0 ? now : null;
    });
    assert.deepEqual(after.degradedReasons.map(({ code }) => code), ['history']);
    // What is in memory is there all the same, and an older page says why it is not.
    const page = await client.queryFlows({ path: refused }, 500, '');
    assert.match((await client.explain(page.rows[0]?.id ?? '')).text, /^Refused/u);
    await assert.rejects(client.queryFlows({}, 500, page.next), /The history cannot be read/u);
  } finally {
    client.close();
  }
});
