/** `bastionctl selftest` with the real helper and a peer that answers: what a denied program tries, and that a leak is seen. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { realpathSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Lab } from '../lab/lab.ts';
import { clientOf, noLab } from './support.ts';

interface Row {
  readonly name: string;
  readonly ok: boolean;
  readonly tried?: string;
  readonly came_back?: string;
  readonly result?: 'refused' | 'leak' | 'unknown';
}

function rowsOf(stdout: string): readonly Row[] {
  return (JSON.parse(stdout) as readonly Row[]).filter(({ result }) => result !== undefined);
}

function leftovers(): readonly string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('bastion-selftest-'));
}

/** The peer's HTTP server listens on port 80 alone. */
async function listenOn443(lab: Lab): Promise<void> {
  const server = "require('node:net').createServer((socket) => socket.end()).listen(443, '::', () => console.log('listening'))";
  const { stdout } = lab.spawnAtPeer([process.execPath, '-e', server]);
  if (stdout !== null) await once(stdout, 'data');
}

describe('selftest', { skip: noLab() }, () => {
  for (const as of ['root', 'user'] as const) {
    test(`as ${as}: every way out is tried and refused, nobody is asked, and nothing is left behind`, async (t) => {
      await using lab = await Lab.create();
      await listenOn443(lab);
      const before = leftovers();
      const { status, stdout, stderr } = await lab.ctl(['selftest', '--json'], { as });
      const rows = rowsOf(stdout);
      assert.deepEqual([status, stderr], [0, '']);
      assert.equal(rows.length, 16);
      const unknown = rows.filter(({ result }) => result !== 'refused');
      assert.deepEqual(unknown.map(({ name }) => name), as === 'root' ? [] : ['raw socket', 'raw socket']);
      for (const address of [lab.peer4, lab.peer6]) assert.ok(rows.some(({ tried }) => tried === `tcp ${address} port 443`));
      const client = clientOf(lab);
      t.after(() => { client.close(); });
      assert.deepEqual((await client.listPrompts(500, '')).rows, []);
      const { rows: rules } = await client.listRules(500, '');
      assert.deepEqual(rules.filter(({ name }) => name === 'bastionctl selftest'), []);
      const { rows: flows } = await client.queryFlows({}, 500, '');
      assert.ok(flows.length > 0);
      // By the helper, or by the kernel that was let remember the rule.
      assert.deepEqual(flows.filter(({ rule_id: id }) => !id.startsWith('bastion-probe-')), [], 'everything was decided by its rules');
      assert.deepEqual(leftovers(), before);
    });
  }

  test('a leak is seen and ends with 1: a rule of priority 1000 lets the probe out', async () => {
    await using lab = await Lab.create({ mode: 'learning' });
    const probe = realpathSync(join(lab.tree, 'build/native/bastion-probe'));
    const client = clientOf(lab);
    await client.addRule({ action: 'allow', path: probe, address: lab.peer4, priority: 1000 });
    client.close();
    const { status, stdout, stderr } = await lab.ctl(['selftest', '--target', lab.peer4], { as: 'root' });
    assert.equal(status, 1);
    assert.match(stdout, /^TCP +LEAK +tcp 10\.77\.0\.1 port 80 +the other side answered \(connected\)$/m);
    assert.match(stdout, /^the name of an allowed program +refused/m);
    assert.match(stderr, /Something got out/);
  });

  test('a target that answers nothing says nothing: unknown, not refused; and an address of this machine is none', async () => {
    await using lab = await Lab.create();
    const { status, stdout } = await lab.ctl(['selftest', '--json', '--target', '10.77.0.77'], { as: 'root' });
    assert.equal(status, 0);
    const results = rowsOf(stdout).map(({ name, result }) => `${name}: ${String(result)}`);
    assert.deepEqual(results.filter((one) => !one.endsWith('unknown')), ['a network namespace of its own: refused']);
    const own = await lab.ctl(['selftest', '--target', lab.client4], { as: 'root' });
    assert.deepEqual([own.status, own.stdout], [2, '']);
    assert.match(own.stderr, /is an address of this machine/);
  });

  test('off: nothing is sent', async () => {
    await using lab = await Lab.create();
    const client = clientOf(lab);
    await client.off();
    await lab.peer.watch();
    const { status, stdout } = await lab.ctl(['selftest', '--json'], { as: 'root' });
    assert.deepEqual([status, rowsOf(stdout).length], [1, 0]);
    assert.deepEqual([...(await lab.peer.counts()).keys.keys()].filter((key) => /tcp|udp|icmp\//.test(key)), []);
    client.close();
  });
});
