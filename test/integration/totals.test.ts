/** What a program sent and received, from the kernel's counters to the answer on the bus. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Lab } from '../lab/lab.ts';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { TotalsInfo } from '../../helper/contract/types.ts';
import { clientOf, noLab, until } from './support.ts';

describe('totals on the real helper', { skip: noLab(), timeout: 180_000 }, () => {
  let lab: Lab;
  let client: HelperClient;
  before(async () => {
    lab = await Lab.create({ defaultAction: 'allow' });
    client = clientOf(lab);
  });
  after(async () => {
    client.close();
    await lab.dispose();
  });

  async function totalsOf(name: string): Promise<TotalsInfo | null> {
    return (await client.totals()).find(({ application }) => application === name) ?? null;
  }

  test('a connection counts in both directions, for the program and the user that made it', async () => {
    const { status } = await lab.run(['curl', '--silent', '--output', '/dev/null', `http://${lab.peer4}/`]);
    assert.equal(status, 0);
    // What is read may be from the middle of the connection.
    const row = await until('all its packets', async () => {
      const found = await totalsOf('curl');
      return found !== null && found.sent_packets >= 4 && found.received_packets >= 3 ? found : null;
    });
    assert.equal(row.user, lab.user.name);
    assert.ok(row.path.startsWith('/'));
    // Each TCP packet has headers of 40 bytes at least.
    assert.ok(row.sent_bytes > 40 * row.sent_packets && row.received_bytes > 40 * row.received_packets, JSON.stringify(row));
  });

  test('what is counted goes on with the next connection, and is there after another start only as far as it is new', async () => {
    const before = await until('its bytes', () => totalsOf('curl'));
    await lab.run(['curl', '--silent', '--output', '/dev/null', `http://[${lab.peer6}]/`]);
    await until('more bytes', async () => ((await totalsOf('curl'))?.sent_packets ?? 0) > before.sent_packets || null);
    client.close();
    await lab.stopHelper();
    await lab.startHelper();
    client = clientOf(lab);
    assert.deepEqual(await until('an answer', () => client.totals().catch(() => null)), []);
  });
});
