/** Nothing undecided leaves: short-lived programs, a killed helper, restarts. Counted at the peer. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { FlowInfo } from '../../helper/contract/types.ts';
import { Lab } from '../lab/lab.ts';
import { FULL_SIZE, clientOf, copyInto, noLab, program, promptFor, until } from './support.ts';

const skip = noLab();
/** Processes for each protocol and family. */
const PROCESSES = FULL_SIZE ? 1000 : 250;
const FIRST_PORT = 20_000;

async function allFlows(client: HelperClient): Promise<FlowInfo[]> {
  const flows: FlowInfo[] = [];
  let cursor = '';
  do {
    const page = await client.queryFlows({}, 500, cursor);
    flows.push(...page.rows);
    cursor = page.next;
  } while (cursor !== '');
  return flows;
}

function arrived(counts: { readonly keys: ReadonlyMap<string, number> }, family: string): number {
  let sum = 0;
  for (const [key, count] of counts.keys) {
    const [name = '', port = ''] = key.split('/');
    if (name === family && Number(port) >= FIRST_PORT) sum += count;
  }
  return sum;
}

describe('processes that send once and are gone', { skip }, () => {
  for (const protocol of ['tcp', 'udp']) {
    test(`${protocol}: every one is identified, none as another program, and what is allowed all arrives`, async () => {
      await using lab = await Lab.create({ defaultAction: 'deny' });
      const client = clientOf(lab);
      try {
        const even = copyInto(lab, program('oneshot'), 'even');
        const odd = copyInto(lab, program('oneshot'), 'odd');
        await client.addRule({ action: 'allow', path: even });
        await client.addRule({ action: 'deny', path: odd });
        for (const [address, suffix] of [[lab.peer4, ''], [lab.peer6, '6']] as const) {
          await lab.peer.watch();
          const before = (await client.status()).statistics.unidentified;
          await Promise.all([
            lab.run([even, 'many', protocol, address, String(FIRST_PORT), String(PROCESSES), '2']),
            lab.run([odd, 'many', protocol, address, String(FIRST_PORT + 1), String(PROCESSES), '2']),
          ]);
          const key = `${protocol === 'tcp' ? 'syn' : 'udp'}${suffix}`;
          const counts = await until('all that is allowed', async () => {
            const now = await lab.peer.counts();
            return arrived(now, key) >= PROCESSES ? now : null;
          });
          assert.equal(counts.lost, 0);
          for (const port of counts.keys.keys()) {
            if (port.startsWith(`${key}/`)) assert.equal(Number(port.split('/')[1]) % 2, 0, `${port} came from the denied program`);
          }
          assert.equal((await client.status()).statistics.unidentified - before, 0);
        }
        for (const flow of await allFlows(client)) {
          if (flow.port >= FIRST_PORT) assert.equal(flow.path, flow.port % 2 === 0 ? even : odd);
        }
      } finally {
        client.close();
      }
    });
  }
});

describe('the helper is killed', { skip }, () => {
  test('during a prompt: nothing undecided leaves, and after the restart there is one set of chains', async () => {
    await using lab = await Lab.create();
    let client = clientOf(lab);
    const path = copyInto(lab, '/usr/bin/curl');
    const rulesBefore = await savedRules(lab);
    await lab.peer.watch();
    const held = lab.run([path, '--silent', '--max-time', '3', `http://${lab.peer4}/`]);
    await promptFor(client, path);
    client.close();
    await lab.stopHelper('SIGKILL');
    await lab.run([path, '--silent', '--max-time', '2', `http://${lab.peer4}/`]);
    await held;
    assert.equal((await lab.peer.counts()).of('syn/80'), 0);
    await lab.startHelper();
    assert.deepEqual(await savedRules(lab), rulesBefore);
    client = clientOf(lab);
    const again = lab.run([path, '--silent', '--max-time', '20', `http://${lab.peer4}/`]);
    await client.answer((await promptFor(client, path)).nonce, { action: 'allow', lifetime: 'once', scope: 'host' });
    assert.equal((await again).status, 0);
    client.close();
  });

  test('10 restarts leave identical rules, and each moment between them is closed', async () => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    const sender = copyInto(lab, program('oneshot'));
    const before = await savedRules(lab);
    await lab.peer.watch();
    for (let round = 0; round < 10; round += 1) {
      const sending = lab.run([sender, 'many', 'udp', lab.peer4, '7', '20', '0']);
      await lab.restartHelper(round % 2 === 0 ? 'SIGTERM' : 'SIGKILL');
      await sending;
    }
    assert.deepEqual(await savedRules(lab), before);
    assert.equal((await lab.peer.counts()).of('udp/7'), 0);
  });

  test('in learning mode the network stays open', async () => {
    await using lab = await Lab.create({ mode: 'learning' });
    assert.equal((await lab.run(['curl', '--silent', '--max-time', '20', `http://${lab.peer4}/`])).status, 0);
    await lab.stopHelper('SIGKILL');
    assert.equal((await lab.run(['curl', '--silent', '--max-time', '20', `http://${lab.peer4}/`])).status, 0);
  });
});

/** Both families' rules in the client's namespace, without counters and comments. */
async function savedRules(lab: Lab): Promise<string[]> {
  const lines: string[] = [];
  for (const save of ['iptables-save', 'ip6tables-save']) {
    const { stdout } = await lab.run([`/usr/sbin/${save}`], { as: 'root' });
    lines.push(...stdout.split('\n').filter((line) => !line.startsWith('#')).map((line) => line.replace(/\[\d+:\d+\]/u, '')));
  }
  return lines;
}
