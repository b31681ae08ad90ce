import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { UsageError } from '../../helper/ctl/errors.ts';
import { rulesOfToml } from '../../helper/ctl/text/rule-toml.ts';
import { bastionctl, fakeIo, NOW_MS, PROPOSAL, ScriptedClient } from './ctl-support.ts';

const folder = mkdtempSync(join(tmpdir(), 'bastion-ctl-learn-'));
after(() => { rmSync(folder, { recursive: true, force: true }); });

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** Lets everything run that does not wait for a key. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => { setImmediate(resolve); });
}

describe('learn', () => {
  test('lists proposals with their numbers, and what is left out without one', async () => {
    const { stdout, client, exitCode } = await bastionctl(['learn', '--since', '2h']);
    assert.equal(exitCode, 0);
    assert.match(stdout, /^1 curl: port 443, example\.org, for alice; 41 connections\n.*95 % .*seen: example\.org; for example f1, f2\n {2}Nothing is proposed for 2/);
    assert.deepEqual(client.calls, [['proposeRules', { since_ms: NOW_MS - 7_200_000 }]]);
  });

  test('--apply adds the rules of the numbers, after it has shown them', async () => {
    const { stdout, client } = await bastionctl(['learn', '--apply', '1', '--all']);
    assert.deepEqual(client.calls, [['proposeRules', { include_decided: true }], ['addRule', PROPOSAL.rule]]);
    assert.match(stdout, /41 connections\n[\s\S]*Added rule new-rule: curl: port 443, example\.org\n$/);
    assert.deepEqual((await bastionctl(['learn', '--apply', 'all'])).client.calls.length, 2);
  });

  test('--apply with a number that is none adds nothing', async () => {
    for (const wrong of ['0', '2', '3', '1,2', 'x', '-1', '']) {
      const { exitCode, stderr, client } = await bastionctl(['learn', `--apply=${wrong}`]);
      assert.deepEqual([exitCode, client.calls.filter(([name]) => name === 'addRule').length], [2, 0], wrong);
      assert.match(stderr, /is not one of the numbers 1 to 1/);
    }
  });

  test('--json has stable keys; with --apply also what was added', async () => {
    const [first, second] = JSON.parse((await bastionctl(['learn', '--json'])).stdout) as Record<string, unknown>[];
    assert.deepEqual([first?.['number'], first?.['rule'], second?.['number'], second?.['rule']], [1, PROPOSAL.rule, null, null]);
    assert.deepEqual((JSON.parse((await bastionctl(['learn', '--json', '--apply', 'all'])).stdout) as { added: unknown }).added, ['new-rule']);
  });

  test('on a terminal numbers tick, a ticks all, y adds and q leaves', async () => {
    const dialog = async (...keys: readonly string[]): Promise<readonly string[]> => {
      const io = fakeIo({ terminal: true });
      const client = new ScriptedClient();
      const running = bastionctl(['learn', '--no-ask-password'], client, io);
      await settled();
      io.press(...keys);
      await running;
      assert.equal(io.keyboardState, 'closed');
      return client.calls.map(([name]) => String(name));
    };
    assert.deepEqual(await dialog('1', 'enter', 'y'), ['proposeRules', 'addRule']);
    assert.deepEqual(await dialog('1', 'enter', '1', 'enter', 'y'), ['proposeRules']);
    assert.deepEqual(await dialog('a', 'y'), ['proposeRules', 'addRule']);
    assert.deepEqual(await dialog('2', 'enter', 'y'), ['proposeRules'], 'what is left out cannot be ticked');
    assert.deepEqual(await dialog('a', 'q'), ['proposeRules']);
    assert.deepEqual(await dialog('a', 'interrupt'), ['proposeRules']);
  });

  test('--watch shows them until it is stopped', async () => {
    const io = fakeIo();
    const client = new ScriptedClient();
    const running = bastionctl(['learn', '--watch'], client, io);
    await settled();
    assert.match(io.stdout, /41 connections/);
    io.stop('interrupt');
    assert.equal((await running).exitCode, 0);
    assert.deepEqual(client.calls.map(([name]) => name), ['subscribe', 'proposeRules', 'unsubscribe']);
    assert.equal(client.listeners(), 0);
  });

  test('text from outside is escaped', async () => {
    const client = new ScriptedClient();
    client.proposals = [{ ...PROPOSAL, text: 'x\x1b[2J', destinations: ['a\u{202e}b'] }];
    const { stdout } = await bastionctl(['learn'], client);
    assert.ok(stdout.includes('x\\x1b[2J') && stdout.includes('a\\u{202e}b'));
  });
});

describe('rules simulate and review', () => {
  test('--add says the rule as for add, and nothing is added', async () => {
    const { stdout, client } = await bastionctl(['rules', 'simulate', '--add', 'deny', '--to', '192.0.2.0/24', '--since', '7d']);
    assert.deepEqual(client.calls, [['simulateRules', [{ op: 'add', rule: { action: 'deny', address: '192.0.2.0/24' } }], NOW_MS - 7 * 86_400_000]]);
    assert.match(stdout, /^Would have refused 1 application, 41 connections\.\n\nWOULD BE .*\nrefused +curl +alice +example\.org:443/);
    const tried = await bastionctl(['rules', 'add', 'deny', '--to', '192.0.2.7', '--simulate']);
    assert.deepEqual(tried.client.calls.map(([name]) => name), ['simulateRules']);
  });

  test('--remove, --disable and --enable take several ids', async () => {
    const { client } = await bastionctl(['rules', 'simulate', '--remove', 'a, b', '--enable', 'c', '--json']);
    assert.deepEqual(client.calls[0]?.[1], [{ op: 'remove', id: 'a' }, { op: 'remove', id: 'b' }, { op: 'enable', id: 'c' }]);
  });

  test('a file of rules: one whose id is there takes its place', async () => {
    const path = file('rules.toml', '[[rule]]\nid = "curl-web"\naction = "deny"\n\n[[rule]]\nid = "other"\naction = "allow"\n');
    const { client } = await bastionctl(['rules', 'simulate', path]);
    assert.deepEqual(client.calls.at(-1)?.[1], [
      { op: 'remove', id: 'curl-web' }, { op: 'add', rule: { action: 'deny', id: 'curl-web' } }, { op: 'add', rule: { action: 'allow', id: 'other' } },
    ]);
  });

  test('nothing to try, a file that is none, and more than can be tried are told before anything is asked', async () => {
    const many = file('many.toml', '[[rule]]\naction = "deny"\n'.repeat(65));
    for (const [args, says] of [[[], /say what to try/], [['/nowhere'], /there is no file/], [[folder], /is no file of/], [[many], /at most 64/]] as const) {
      const { exitCode, stderr, client } = await bastionctl(['rules', 'simulate', ...args]);
      assert.deepEqual([exitCode, client.calls.length], [2, 0]);
      assert.match(stderr, says);
    }
  });

  test('review says what is the matter and what to do', async () => {
    assert.match((await bastionctl(['rules', 'review'])).stdout, /^missing +“curl: the web” .*\n +If the program was uninstalled/);
    const client = new ScriptedClient();
    client.findings = [];
    assert.match((await bastionctl(['rules', 'review'], client)).stdout, /^Every rule does something/);
    assert.equal((JSON.parse((await bastionctl(['rules', 'review', '--json'])).stdout) as { rule_id: string }[])[0]?.rule_id, 'curl-web');
  });
});

describe('rules of a TOML file', () => {
  test('say the same on the wire', () => {
    assert.deepEqual(rulesOfToml(`
[[rule]]
id = "work-mail"
name = "Mail at work"
action = "allow"
enabled = false
priority = 5
application = { path = "/usr/bin/evolution", pin = "sha256", include_children = true, scripts = "all" }
ancestor = { package = "make" }
user = "alice"
destination = { address = "192.0.2.0/24", port = 143, protocol = "tcp" }
lifetime = { until = 2027-01-01T00:00:00Z }
schedule = { days = ["mon", "fri"], from = "08:00", to = "18:00" }
`, 'f'), [{
      action: 'allow', id: 'work-mail', name: 'Mail at work', enabled: false, priority: 5, path: '/usr/bin/evolution', pin: true,
      include_children: true, all_scripts: true, ancestor: 'package:make', user: 'alice', address: '192.0.2.0/24', port: '143', protocol: 'tcp',
      lifetime: 'until', until_ms: Date.UTC(2027, 0, 1), schedule: 'mon,fri 08:00-18:00',
    }]);
  });

  test('no part of a rule is lost unseen', () => {
    for (const wrong of [
      'rule = 1', '[[rule]]', '[[rule]]\naction = "allow"\ncolour = 1', '[[rule]]\naction = "allow"\napplication = { unit = "x" }',
      '[[rule]]\naction = "allow"\ndestination = { host = "x" }', '[[rule]]\naction = "allow"\nlifetime = "boot"', 'x = 1\n[[rule]]\naction = "allow"',
      '[[rule]]\naction = "allow"\nancestor = { path = "/a", package = "b" }', '[[rule', '[[rule]]\naction = "allow"\nuser = [1]', '',
    ]) assert.throws(() => rulesOfToml(wrong, 'f'), UsageError, wrong);
  });
});
