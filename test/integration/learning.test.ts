/** Learning against the real helper: each connection is seen, proposals hold, what is simulated is what then happens. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import { Lab } from '../lab/lab.ts';
import { clientOf, noLab, until } from './support.ts';

const skip = noLab();

describe('learning', { skip, timeout: 180_000 }, () => {
  let lab: Lab;
  let client: HelperClient;
  before(async () => {
    lab = await Lab.create({ mode: 'learning' });
    client = clientOf(lab);
  });
  after(async () => {
    client.close();
    await lab.dispose();
  });

  async function fetches(address: string, seconds = 20): Promise<boolean> {
    const { status } = await lab.run(['curl', '--silent', '--globoff', '--max-time', String(seconds), '--output', '/dev/null', `http://${address}/`]);
    return status === 0;
  }

  test('every connection of a program is seen; what is proposed lets exactly that pass when learning ends', async () => {
    for (const address of [lab.peer4, lab.peer4, `[${lab.peer6}]`]) assert.ok(await fetches(address));
    // What the kernel decided by itself is told when the connection has ended.
    const curl = await until('three connections', async () => {
      const rows = (await client.proposeRules({})).filter(({ applications }) => applications.some((name) => name.startsWith('curl')));
      return rows.reduce((sum, { connections }) => sum + connections, 0) >= 3 ? rows : null;
    });
    assert.deepEqual(curl.map(({ connections, destinations }) => [connections, destinations]), [[2, [lab.peer4]], [1, [lab.peer6]]]);
    const [first] = curl;
    assert.ok(first?.rule !== undefined);
    const { summary } = await client.simulateRules([{ op: 'add', rule: first.rule }], 0);
    assert.deepEqual([summary.allowed_applications, summary.allowed_connections, summary.refused_connections], [1, 2, 0]);
    await client.addRule(first.rule);
    assert.deepEqual((await client.proposeRules({})).flatMap(({ destinations }) => destinations), [lab.peer6]);
    await client.setMode('enforcing');
    assert.ok(await fetches(lab.peer4), 'what was proposed and added');
    assert.ok(!(await fetches(`[${lab.peer6}]`, 3)), 'and nothing else: it is asked about');
    await client.setMode('learning');
  });

  test('a denial that is simulated says which connections it would have refused, and explain tells of them', async () => {
    const { rows } = await client.simulateRules([{ op: 'add', rule: { action: 'deny', address: lab.peer6 } }], 0);
    assert.deepEqual(rows.map(({ change, address }) => [change, address]), [['refused', lab.peer6]]);
    const why = await client.explain(rows[0]?.examples[0] ?? '');
    assert.match(why.program ?? '', /curl/);
    assert.match(why.evidence_text ?? '', /^Certain/);
  });

  test('a rule for a program that is not there is found', async () => {
    await client.addRule({ id: 'gone', action: 'allow', path: '/nowhere/at/all' });
    const found = (await client.reviewRules()).find(({ rule_id: id }) => id === 'gone');
    assert.deepEqual([found?.kind, found?.path], ['missing', '/nowhere/at/all']);
  });
});
