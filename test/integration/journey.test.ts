/** The main job on real packets: held at the first packet, asked, obeyed, remembered. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import { Lab } from '../lab/lab.ts';
import type { Result } from '../lab/lab.ts';
import { clientOf, copyInto, hears, noLab, onceWithin, program, promptFor, ruleText, until } from './support.ts';

const CURL_REFUSED = 7;
const skip = noLab();

function curl(lab: Lab, path: string, url: string): Promise<Result> {
  return lab.run([path, '--silent', '--verbose', '--max-time', '25', url]);
}

for (const bpf of [true, false]) {
  describe(bpf ? 'journey with kernel identification' : 'journey without any BPF', { skip }, () => {
    let lab: Lab;
    let client: HelperClient;
    before(async () => {
      lab = await Lab.create({ bpf });
      client = clientOf(lab);
    });
    after(async () => {
      client.close();
      await lab.dispose();
    });

    test('the state says what the machine can do', async () => {
      const status = await client.status();
      assert.equal(status.mode, 'enforcing');
      assert.equal(status.state, bpf ? 'protecting' : 'degraded');
      assert.equal(status.degradedReasons.length > 0, !bpf);
    });

    test('a program without a rule is held, Allow lets the very same connection through, and the second is not asked about', async () => {
      const path = copyInto(lab, '/usr/bin/curl');
      await lab.peer.watch();
      const first = curl(lab, path, `http://${lab.peer4}/`);
      const prompt = await promptFor(client, path);
      assert.equal(prompt.address, lab.peer4);
      assert.equal(prompt.port, 80);
      assert.equal(prompt.uid, lab.user.uid);
      assert.equal((await lab.peer.counts()).of('syn/80'), 0);
      const result = await client.answer(prompt.nonce, { action: 'allow', lifetime: 'always', scope: 'host' });
      const done = await first;
      assert.equal(done.status, 0, done.stderr);
      // More than one where the answer came after a second: curl itself connects but once.
      assert.ok((await lab.peer.counts()).of('syn/80') > 0);
      assert.match(readFileSync(join(lab.configDir, 'rules.d/50-user.toml'), 'utf8'), new RegExp(`id = "${result.rule_id}"`, 'u'));
      const asked = (await client.status()).statistics.prompts;
      assert.equal((await curl(lab, path, `http://${lab.peer4}/`)).status, 0);
      assert.equal((await client.status()).statistics.prompts, asked);
    });

    test('Deny makes curl fail at once with connection refused, over IPv4 and IPv6, and nothing leaves', async () => {
      const path = copyInto(lab, '/usr/bin/curl', 'curl-denied');
      for (const address of [lab.peer4, `[${lab.peer6}]`]) {
        await lab.peer.watch();
        await onceWithin(1000, 'refused long after the answer', async (round) => {
          const held = curl(lab, path, `http://${address}:${String(80 + round)}/`);
          const prompt = await promptFor(client, path);
          const answeredAt = performance.now();
          await client.answer(prompt.nonce, { action: 'deny', lifetime: 'once', scope: 'host' });
          const done = await held;
          assert.equal(done.status, CURL_REFUSED, done.stderr);
          assert.match(done.stderr, /connection refused/iu);
          return performance.now() - answeredAt;
        });
        const held = curl(lab, path, `http://${address}/`);
        await client.answer((await promptFor(client, path)).nonce, { action: 'deny', lifetime: 'always', scope: 'host' });
        assert.equal((await held).status, CURL_REFUSED);
        assert.equal((await curl(lab, path, `http://${address}/`)).status, CURL_REFUSED);
        const { keys } = await lab.peer.counts();
        assert.deepEqual([...keys.keys()].filter((key) => key.startsWith('syn')), []);
      }
    });

    test('a held connect that gets its answer after 5 s succeeds without a second SYN from the program', async () => {
      const path = copyInto(lab, '/usr/bin/curl', 'curl-slow');
      await onceWithin(900, 'waited for a retransmit', async () => {
        const held = curl(lab, path, `http://${lab.peer4}/`);
        const prompt = await promptFor(client, path);
        await new Promise((resolve) => setTimeout(resolve, 5000));
        const answeredAt = performance.now();
        await client.answer(prompt.nonce, { action: 'allow', lifetime: 'once', scope: 'host' });
        assert.equal((await held).status, 0);
        return performance.now() - answeredAt;
      });
    });

    test('once covers the joined flows and no later one', async () => {
      const path = copyInto(lab, '/usr/bin/curl', 'curl-once');
      const first = curl(lab, path, `http://${lab.peer4}/`);
      await client.answer((await promptFor(client, path)).nonce, { action: 'allow', lifetime: 'once', scope: 'host' });
      assert.equal((await first).status, 0);
      const second = curl(lab, path, `http://${lab.peer4}/`);
      await client.answer((await promptFor(client, path)).nonce, { action: 'deny', lifetime: 'once', scope: 'host' });
      assert.equal((await second).status, CURL_REFUSED);
    });
  });
}

describe('rules decide', { skip }, () => {
  test('one rule denies ICMP echo over IPv4 and IPv6 while the web goes on', async () => {
    await using lab = await Lab.create({
      rules: '[[rule]]\nid = "no-ping"\naction = "deny"\ndestination = { protocol = "icmp" }\n\n[[rule]]\nid = "web"\naction = "allow"\ndestination = { port = "80", protocol = "tcp" }\n',
    });
    for (const address of [lab.peer4, lab.peer6]) {
      await lab.peer.watch();
      assert.notEqual((await lab.run(['ping', '-c1', '-W2', address])).status, 0);
      const counts = await lab.peer.counts();
      assert.equal(counts.of('icmp/8') + counts.of('icmp6/128'), 0);
    }
    for (const address of [lab.peer4, `[${lab.peer6}]`]) {
      assert.equal((await lab.run(['curl', '--silent', '--max-time', '20', `http://${address}/`])).status, 0);
    }
  });

  test('ping succeeds on its first attempt by rule and by prompt', async () => {
    await using lab = await Lab.create();
    const client = clientOf(lab);
    try {
      const ping = (await lab.run(['sh', '-c', 'readlink -f "$(command -v ping)"'])).stdout.trim();
      const held = lab.run(['ping', '-c1', '-W20', lab.peer4]);
      const prompt = await promptFor(client, ping);
      await client.answer(prompt.nonce, { action: 'allow', lifetime: 'once', scope: 'host' });
      assert.equal((await held).status, 0);
      await client.addRule({ action: 'allow', path: ping });
      for (const address of [lab.peer4, lab.peer6]) {
        assert.equal((await lab.run(['ping', '-c1', '-W20', address])).status, 0);
      }
    } finally {
      client.close();
    }
  });

  test('an allowed program that executes a denied one is denied', async () => {
    await using lab = await Lab.create({ startHelper: false });
    const denied = copyInto(lab, program('oneshot'), 'denied');
    const client = clientOf(lab);
    await lab.startHelper();
    await hears(client);
    try {
      const shell = (await lab.run(['sh', '-c', 'readlink -f /proc/$$/exe'])).stdout.trim();
      await client.addRule({ action: 'allow', path: shell });
      await client.addRule({ action: 'deny', path: denied });
      await lab.peer.watch();
      await lab.run([shell, '-c', `exec ${denied} many udp ${lab.peer4} 7 50 0`]);
      assert.equal((await lab.peer.counts()).of('udp/7'), 0);
    } finally {
      client.close();
    }
  });

  test('an expired prompt refuses the flow, writes no rule, and a later answer applies to the next attempt', async () => {
    await using lab = await Lab.create({ settings: 'prompt_timeout_s = 5' });
    const client = clientOf(lab);
    try {
      const path = copyInto(lab, '/usr/bin/curl');
      const rules = (await client.listRules(500, '')).rows.length;
      assert.equal((await curl(lab, path, `http://${lab.peer4}/`)).status, CURL_REFUSED);
      const late = await promptFor(client, path, 'expired');
      assert.equal((await client.listRules(500, '')).rows.length, rules);
      await client.answer(late.nonce, { action: 'allow', lifetime: 'always', scope: 'host' });
      assert.equal((await curl(lab, path, `http://${lab.peer4}/`)).status, 0);
    } finally {
      client.close();
    }
  });

  test('while one prompt is open 50 programs with rules connect and 50 without wait for their own prompts', async () => {
    await using lab = await Lab.create();
    const client = clientOf(lab);
    try {
      const source = program('oneshot');
      const known = Array.from({ length: 50 }, (_, index) => copyInto(lab, source, `known-${String(index)}`));
      const unknown = Array.from({ length: 50 }, (_, index) => copyInto(lab, source, `unknown-${String(index)}`));
      for (const path of known) await client.addRule({ action: 'allow', path });
      const open = copyInto(lab, '/usr/bin/curl', 'open');
      const waiting = curl(lab, open, `http://${lab.peer4}/`);
      const prompt = await promptFor(client, open);
      await lab.peer.watch();
      await Promise.all(unknown.map((path) => lab.run([path, 'one', 'udp', lab.peer4, '9'])));
      await Promise.all(known.map((path) => lab.run([path, 'one', 'udp', lab.peer4, '7'])));
      const counts = await until('50 datagrams', async () => {
        const now = await lab.peer.counts();
        return now.of('udp/7') === 50 ? now : null;
      });
      assert.equal(counts.of('udp/9'), 0);
      const raised = new Set((await client.listPrompts(500, '')).rows.map((row) => row.path));
      assert.deepEqual(unknown.filter((path) => !raised.has(path)), []);
      await client.answer(prompt.nonce, { action: 'deny', lifetime: 'once', scope: 'host' });
      await waiting;
    } finally {
      client.close();
    }
  });

  test('a broken rule file keeps its denials, and the error has line and column', async () => {
    await using lab = await Lab.create({ startHelper: false });
    const path = copyInto(lab, '/usr/bin/curl');
    await lab.startHelper();
    const client = clientOf(lab);
    try {
      const { writeFileSync } = await import('node:fs');
      const file = join(lab.configDir, 'rules.d/20-corrupt.toml');
      writeFileSync(file, `${ruleText('no-curl', 'deny', path)}\n[[rule]\nid = "torn`, { mode: 0o640 });
      const [error] = await until('the load error', async () => {
        const { loadErrors } = await client.status();
        return loadErrors.length > 0 ? loadErrors : null;
      });
      assert.equal(error?.file, join(lab.configDir, 'rules.d/20-corrupt.toml'));
      assert.ok(error.line > 0 && error.column > 0);
      assert.equal((await curl(lab, path, `http://${lab.peer4}/`)).status, CURL_REFUSED);
    } finally {
      client.close();
    }
  });
});
