/** Packets that the machine forwards for a container: let pass, asked about, refused; and containers on the machine's own network. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { PromptInfo } from '../../helper/contract/types.ts';
import { Lab } from '../lab/lab.ts';
import type { LabOptions, Result } from '../lab/lab.ts';
import { enterNamespace } from '../lab/network.ts';
import { CONTAINER, Container, forwardRulesIn } from './support-forwarded.ts';
import { clientOf, copyInto, noLab, program, ruleText, until } from './support.ts';

const CURL_REFUSED = 7;
const CURL_TIMEOUT = 28;

interface Rig {
  readonly lab: Lab;
  readonly client: HelperClient;
  readonly container: Container;
}

async function rig(t: TestContext, options: LabOptions = {}): Promise<Rig> {
  const lab = await Lab.create(options);
  t.after(() => lab.dispose());
  const client = clientOf(lab);
  t.after(() => { client.close(); });
  return { lab, client, container: new Container(lab) };
}

function forwardedPrompt(client: HelperClient): Promise<PromptInfo> {
  return until('a prompt for the container', async () => {
    const { rows } = await client.listPrompts(500, '');
    return rows.find((row) => row.forwarded_from !== undefined && row.status === 'pending') ?? null;
  });
}

/** A search for the name has little time on a busy machine, and is made again a second later: with the next visit. */
function namedPrompt(client: HelperClient, container: Container, address: string, named: RegExp): Promise<readonly [Promise<Result>, PromptInfo]> {
  return until(`a prompt that says ${String(named)}`, async () => {
    const visit = container.visit(address);
    const prompt = await forwardedPrompt(client);
    if (named.test(prompt.forwarded_from ?? '')) return [visit, prompt] as const;
    await client.answer(prompt.nonce, { action: 'deny', lifetime: 'once' });
    await visit;
    return null;
  });
}

function worked(result: Result): void {
  assert.equal(result.status, 0, `${String(result.status)} ${result.stderr}`);
}

describe('forwarded packets', { skip: noLab() }, () => {
  test('as installed a container reaches everything, nobody is asked, and there is no rule about it in the kernel', async (t) => {
    const { lab, client, container } = await rig(t, { defaultAction: 'deny' });
    for (const address of [lab.peer4, lab.peer6]) {
      worked(await container.visit(address));
      worked(await container.datagram(address, 'pass'));
    }
    worked(await container.run(['ping', '-c', '1', '-W', '5', lab.peer4]));
    assert.equal(forwardRulesIn(lab), '');
    assert.equal((await client.status()).statistics.prompts, 0);
  });

  test('ask: the prompt says where the flow comes from, the packet waits, Allow lets this flow through and the next one is asked about', async (t) => {
    const { lab, client, container } = await rig(t, { settings: 'forwarded = "ask"' });
    for (const [address, source] of [[lab.peer4, CONTAINER.address4], [lab.peer6, CONTAINER.address6]] as const) {
      await lab.peer.watch();
      const named = new RegExp(`^Network namespace of /usr/bin/(?:sleep|curl) \\(process \\d+\\), ${source}$`, 'u');
      const [visit, prompt] = await namedPrompt(client, container, address, named);
      assert.equal(prompt.application, prompt.forwarded_from);
      assert.deepEqual([prompt.address, prompt.port, prompt.uid, prompt.path], [address, 80, 0, '']);
      // A rule for an address would be for the machine's own programs too, so there is none to choose.
      assert.deepEqual(prompt.lifetimes, ['once']);
      assert.equal((await lab.peer.counts()).keys.get(address === lab.peer4 ? 'syn/80' : 'syn6/80'), undefined);
      await client.answer(prompt.nonce, { action: 'allow', lifetime: 'once' });
      worked(await visit);
      const again = container.visit(address);
      const second = await forwardedPrompt(client);
      await client.answer(second.nonce, { action: 'deny', lifetime: 'once' });
      assert.equal((await again).status, CURL_REFUSED);
    }
  });

  test('ask: Deny refuses at once, over TCP and UDP, IPv4 and IPv6, and nothing reaches the peer', async (t) => {
    const { lab, client, container } = await rig(t, { settings: 'forwarded = "ask"' });
    await lab.peer.watch();
    for (const address of [lab.peer4, lab.peer6]) {
      const visit = container.visit(address);
      await client.answer((await forwardedPrompt(client)).nonce, { action: 'deny', lifetime: 'once' });
      const refused = await visit;
      assert.equal(refused.status, CURL_REFUSED, refused.stderr);
      const datagram = container.datagram(address, 'denied');
      await client.answer((await forwardedPrompt(client)).nonce, { action: 'deny', lifetime: 'once' });
      assert.notEqual((await datagram).status, 0);
    }
    const counts = await lab.peer.counts();
    assert.deepEqual(['syn/80', 'syn6/80', 'udp/7', 'udp6/7', 'tag/denied'].map((key) => counts.of(key)), [0, 0, 0, 0, 0]);
  });

  test('ask: an allowed UDP flow goes on in both directions without another question, and so does its answer', async (t) => {
    const { lab, client, container } = await rig(t, { settings: 'forwarded = "ask"' });
    const script = 'exec 3<>"/dev/udp/$1/7"; for n in 1 2 3 4 5; do printf x >&3; read -r -t 20 -N 1 -u 3 || exit 1; done';
    const flow = container.run(['bash', '-c', script, 'bash', lab.peer4]);
    await client.answer((await forwardedPrompt(client)).nonce, { action: 'allow', lifetime: 'once' });
    worked(await flow);
    assert.equal((await client.status()).statistics.prompts, 1);
  });

  test('deny: an allow rule by address lets a container through; one for a program or for root does not', async (t) => {
    const { lab, container } = await rig(t, {
      settings: 'forwarded = "deny"',
      rules: [
        `[[rule]]\nid = "there"\naction = "allow"\ndestination = { address = "10.77.0.1" }\n`,
        ruleText('curl', 'allow', '/usr/bin/curl'),
        '[[rule]]\nid = "root"\naction = "allow"\nuser = "root"\n',
      ].join('\n'),
    });
    await lab.peer.watch();
    worked(await container.visit(lab.peer4));
    const refused = await container.visit(lab.peer6);
    assert.equal(refused.status, CURL_REFUSED, refused.stderr);
    assert.equal((await lab.peer.counts()).of('syn6/80'), 0);
    worked(await lab.run(['/usr/bin/curl', '--silent', '--max-time', '20', `http://[${lab.peer6}]/`]));
  });

  for (const setting of ['deny', 'pass'] as const) {
    const what = setting === 'deny' ? 'no unusual packet leaves a container, be it a fragment, with a false source or without a first SYN'
      : 'the same unusual packets do arrive';
    test(`${setting}: ${what}`, async (t) => {
      const { lab, container } = await rig(t, { settings: `forwarded = "${setting}"` });
      const path = copyInto(lab, program('ways'));
      await lab.peer.watch();
      for (const list of ['try', 'root']) worked(await container.run([path, list, lab.peer4, lab.peer6, '5000', 'way']));
      // But for what this machine itself says on the link: neighbours and multicast membership.
      const arrived = [...(await lab.peer.counts()).keys.keys()].filter((key) => !/^icmp6\/(?:13[0-6]|143)$/u.test(key));
      if (setting === 'deny') assert.deepEqual(arrived, []);
      else assert.ok(arrived.filter((key) => key.startsWith('tag/')).length > 10);
    });
  }

  test('a container of Docker is named by its id', async (t) => {
    const { lab, client, container } = await rig(t, { settings: 'forwarded = "ask"' });
    const id = '3f2a9c0b1d2e'.padEnd(64, '7');
    if (lab.cgroup === null) {
      t.skip('no cgroup v2 to put a container in');
      return;
    }
    const cgroup = join(lab.cgroup, `docker-${id}.scope`);
    mkdirSync(cgroup);
    writeFileSync(join(cgroup, 'cgroup.procs'), String(await container.firstProcess()));
    const [visit, prompt] = await namedPrompt(client, container, lab.peer4, /^Container 3f2a9c0b1d2e \(docker\), /u);
    assert.equal(prompt.application, `Container 3f2a9c0b1d2e (docker), ${CONTAINER.address4}`);
    await client.answer(prompt.nonce, { action: 'deny', lifetime: 'once' });
    assert.equal((await visit).status, CURL_REFUSED);
    const shown = await lab.ctl(['history'], { as: 'root' });
    assert.match(shown.stdout, /Container 3f2a9c0b1d2e \(docker\)/u);
  });

  test('drop: the container hears nothing, and a server there that somebody calls is not reached either', async (t) => {
    const { lab, container } = await rig(t, { settings: 'forwarded = "drop"' });
    await lab.peer.watch();
    assert.equal((await container.visit(lab.peer4, 1)).status, CURL_TIMEOUT);
    assert.equal((await lab.peer.counts()).of('syn/80'), 0);
    const call = await lab.runAtPeer(['curl', '--silent', '--max-time', '1', `http://${CONTAINER.address4}:9/`]);
    assert.equal(call.status, CURL_TIMEOUT);
  });
});

describe('rules that deny, and forwarded packets', { skip: noLab() }, () => {
  for (const setting of ['pass', 'ask'] as const) {
    test(`${setting}: a denied address is refused for a container too, also while learning; other addresses are not`, async (t) => {
      const { lab, client, container } = await rig(t, {
        mode: 'learning', settings: `forwarded = "${setting}"`,
        rules: '[[rule]]\nid = "no"\naction = "deny"\ndestination = { address = "198.18.0.0/24" }\n',
      });
      await lab.peer.watch();
      for (const tag of ['first', 'second']) {
        assert.equal((await container.visit('198.18.0.1')).status, CURL_REFUSED);
        assert.notEqual((await container.datagram('198.18.0.1', tag, 2)).status, 0);
      }
      const counts = await lab.peer.counts();
      assert.deepEqual(['syn/80', 'tag/first', 'tag/second'].map((key) => counts.of(key)), [0, 0, 0]);
      worked(await container.visit('198.18.1.1'));
      const { rows } = await client.queryFlows({}, 100, '');
      const denied = rows.find((row) => row.rule_id === 'no');
      assert.match(denied?.forwarded_from ?? '', /172\.30\.0\.2/u);
      assert.match((await client.explain(denied?.id ?? '')).text, /^Refused by .*“no”.*forwarded for: /u);
    });
  }

  test('a rule that denies ends an open connection of a container, TCP and UDP, and its removal takes the rules away', async (t) => {
    const { lab, client, container } = await rig(t);
    const script = [
      'exec 3<>"/dev/tcp/$1/7" 4<>"/dev/udp/$1/7"', 'printf a >&3; read -r -t 20 -N 1 -u 3 || exit 1',
      'printf a >&4; read -r -t 20 -N 1 -u 4 || exit 1', 'echo open', 'read -r go',
      'printf "lab-tag:late;" >&3', 'printf "lab-tag:late;" >&4', 'if read -r -t 2 -N 1 -u 3; then exit 3; fi', 'exit 0',
    ].join('\n');
    const child = lab.spawn([...enterNamespace(container.namespace), 'bash', '-c', script, 'bash', lab.peer4], { as: 'root' });
    assert.ok(child.stdout && child.stdin);
    await once(child.stdout, 'data');
    await client.addRule({ id: 'no-more', action: 'deny', address: lab.peer4 });
    await until('the rule in the kernel', () => Promise.resolve(forwardRulesIn(lab).includes(`-d ${lab.peer4}/32`) ? true : null));
    await lab.peer.watch();
    child.stdin.write('go\n');
    const [status] = await once(child, 'exit') as [number | null];
    assert.equal(status, 0);
    assert.equal((await lab.peer.counts()).of('tag/late'), 0);
    await client.removeRule('no-more');
    await until('the rules to go', () => Promise.resolve(forwardRulesIn(lab) === '' ? true : null));
    worked(await container.visit(lab.peer4));
  });

  test('ask: rules that deny every program of some port refuse a container, and one that denies one program does not', async (t) => {
    const { lab, container } = await rig(t, {
      mode: 'learning', settings: 'forwarded = "ask"',
      rules: `[[rule]]\nid = "port"\naction = "deny"\ndestination = { port = 7 }\n\n${ruleText('curl', 'deny', '/usr/bin/curl')}`,
    });
    worked(await container.visit(lab.peer6));
    assert.notEqual((await container.datagram(lab.peer6, 'port', 2)).status, 0);
  });
});

describe('forwarded packets while the helper is away', { skip: noLab() }, () => {
  for (const [setting, onFailure, passes] of [['ask', 'closed', false], ['ask', 'open', true], ['pass', 'closed', true]] as const) {
    test(`killed, forwarded = ${setting}, on_failure = ${onFailure}: ${passes ? 'a container goes on' : 'nothing leaves the container'}`, async (t) => {
      const { lab, container } = await rig(t, { settings: `forwarded = "${setting}"\non_failure = "${onFailure}"` });
      await lab.stopHelper('SIGKILL');
      await lab.peer.watch();
      const visit = await container.visit(lab.peer4, passes ? 25 : 2);
      assert.equal(visit.status, passes ? 0 : CURL_TIMEOUT, visit.stderr);
      assert.equal((await lab.peer.counts()).of('syn/80') > 0, passes);
    });
  }
});

describe('containers that are no network of their own', { skip: noLab() }, () => {
  test('on the host\'s network, a program of another root that has the path of an allowed one is not that program', async (t) => {
    const { lab, client } = await rig(t, { defaultAction: 'deny' });
    const allowed = copyInto(lab, '/usr/bin/curl', 'allowed');
    await client.addRule({ action: 'allow', path: allowed });
    const root = join(lab.folder, 'root');
    mkdirSync(root);
    await lab.peer.watch();
    const script = [
      'mount -t tmpfs none "$1"', 'for d in usr lib lib64 etc proc dev; do mkdir -p "$1/$d"; mount --rbind "/$d" "$1/$d"; done',
      'mkdir -p "$1/${2%/*}"; cp /usr/bin/curl "$1/$2"', 'exec chroot "$1" "$2" --silent --max-time 20 "http://$3/"',
    ].join('\n');
    const run = await lab.run(['unshare', '--mount', 'sh', '-ec', script, 'sh', root, allowed, lab.peer4], { as: 'root' });
    assert.equal(run.status, CURL_REFUSED, run.stderr);
    assert.equal((await lab.peer.counts()).of('syn/80'), 0);
    const { rows } = await client.queryFlows({}, 100, '');
    assert.ok(rows.some(({ action, confidence, evidence }) => action === 'deny' && confidence === 'unknown' && evidence === 'kernel'));
    worked(await lab.run([allowed, '--silent', '--max-time', '20', `http://${lab.peer4}/`]));
  });

  test('a user who makes a network namespace of his own has no way out of it', async (t) => {
    const { lab } = await rig(t, { settings: 'forwarded = "pass"' });
    const script = [
      'ip link set lo up', `ip link add eth0 type veth peer name cont1 netns "$1" && exit 9`,
      `ip address add ${CONTAINER.address4}/24 dev lo`, `exec curl --silent --max-time 2 "http://$2/"`,
    ].join('\n');
    await lab.peer.watch();
    const run = await lab.run(['unshare', '-Urn', 'sh', '-c', script, 'sh', String(lab.helperPid), lab.peer4]);
    assert.equal(run.status, CURL_REFUSED, run.stderr);
    assert.equal((await lab.peer.counts()).of('syn/80'), 0);
  });
});
