/**
 * A tunnel's outer packet is the kernel's, never the program's whose packet is inside. VXLAN, which this machine's own kernel
 * has; the others are in test/system.
 */
import assert from 'node:assert/strict';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import { Lab } from '../lab/lab.ts';
import type { Result } from '../lab/lab.ts';
import { clientOf, copyInto, noLab, promptFor, ruleText, until } from './support.ts';

/** Source: RFC 7348. */
const PORT = 4789;
const OUTER = `udp/${String(PORT)}`;
const INNER_HERE = '10.88.1.2';
const INNER_THERE = '10.88.1.1';
const PAGE = 200;

function ends(local: string, remote: string, inner: string): string {
  return [
    `link add vxlan0 type vxlan id 7 local ${local} remote ${remote} dstport ${String(PORT)}`,
    // Without an IPv6 address nothing but the test speaks inside.
    'link set vxlan0 addrgenmode none', `address add ${inner}/24 dev vxlan0`, 'link set vxlan0 up',
  ].join('\n');
}

async function makeTunnel(lab: Lab): Promise<void> {
  const batch = ['ip', '-batch', '-'];
  const here = await lab.run(batch, { as: 'root', input: ends(lab.client4, lab.peer4, INNER_HERE) });
  const there = await lab.runAtPeer(batch, { input: ends(lab.peer4, lab.client4, INNER_THERE) });
  // A neighbour that is known is not asked again some seconds later, which would be a packet of the kernel's in a later count.
  const quiet = ['sh', '-c', 'cd /proc/sys/net/ipv4/neigh/vxlan0 && echo 600 > delay_first_probe_time && echo 3600000 > base_reachable_time_ms'];
  for (const done of [await lab.run(quiet, { as: 'root' }), await lab.runAtPeer(quiet)]) assert.equal(done.status, 0, done.stderr);
  assert.deepEqual([here.status, there.status], [0, 0], here.stderr + there.stderr);
}

describe('VXLAN', { skip: noLab() }, () => {
  let lab: Lab;
  let client: HelperClient;
  let allowed: string;

  function page(program: string, seconds: number): Promise<Result> {
    return lab.run([program, '--silent', '--max-time', String(seconds), `http://${INNER_THERE}/`]);
  }

  /** null: no rule for the kernel. */
  async function setKernelRule(action: 'allow' | null): Promise<void> {
    const path = join(lab.configDir, 'rules.d/20-tunnel.toml');
    if (action === null) rmSync(path, { force: true });
    else {
      writeFileSync(path, ruleText('tunnel', action, 'kernel', `destination = { address = "${lab.peer4}", port = "${String(PORT)}", protocol = "udp" }`));
      chmodSync(path, 0o640);
    }
    assert.deepEqual(await client.reload(), []);
  }

  before(async () => {
    lab = await Lab.create();
    client = clientOf(lab);
    await makeTunnel(lab);
    allowed = copyInto(lab, '/usr/bin/curl', 'allowed');
    const rules = join(lab.configDir, 'rules.d/10-allowed.toml');
    writeFileSync(rules, ruleText('allowed', 'allow', allowed));
    chmodSync(rules, 0o640);
    assert.deepEqual(await client.reload(), []);
  });
  after(async () => {
    client.close();
    await lab.dispose();
  });

  test('a program that may do everything lends the outer packet nothing: it is held as the kernel\'s', async () => {
    await lab.peer.watch();
    const held = await page(allowed, 3);
    assert.notEqual(held.status, 0);
    assert.equal((await lab.peer.counts()).of(OUTER), 0);
    const prompt = await until('a question about the outer packet', async () => {
      const { rows } = await client.listPrompts(PAGE, '');
      return rows.find(({ port }) => port === PORT) ?? null;
    });
    assert.deepEqual([prompt.path, prompt.address], ['kernel', lab.peer4]);
  });

  test('a rule for the kernel opens the tunnel', async () => {
    await setKernelRule('allow');
    await lab.peer.watch();
    const { status } = await page(allowed, 30);
    assert.equal(status, 0);
    assert.ok((await lab.peer.counts()).of(OUTER) > 0);
  });

  test('in an open tunnel a program without a rule is asked about under its own name, and nothing of it leaves', async () => {
    const path = copyInto(lab, '/usr/bin/curl', 'stranger');
    await lab.peer.watch();
    const held = page(path, 25);
    const prompt = await promptFor(client, path);
    assert.deepEqual([prompt.address, prompt.port], [INNER_THERE, 80]);
    assert.equal((await lab.peer.counts()).of(OUTER), 0);
    await client.answer(prompt.nonce, { action: 'deny', lifetime: 'once', scope: 'host' });
    assert.notEqual((await held).status, 0);
    assert.equal((await lab.peer.counts()).of(OUTER), 0);
  });

  test('when the rule goes, the tunnel closes with the next packet', async () => {
    await setKernelRule(null);
    await lab.peer.watch();
    assert.notEqual((await page(allowed, 3)).status, 0);
    assert.equal((await lab.peer.counts()).of(OUTER), 0);
  });
});
