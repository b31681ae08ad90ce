/** Rules that name a container: packets of a denied one do not arrive, its neighbour's do, and both stay so when addresses change hands. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { PromptInfo } from '../../helper/contract/types.ts';
import type { Result } from '../lab/lab.ts';
import { described } from '../unit/containers-support.ts';
import { addressesOf, bridgeRig } from './support-bridge.ts';
import { forwardRulesIn } from './support-forwarded.ts';
import { noLab, until } from './support.ts';

const CURL_REFUSED = 7;
/** As long as an echo is waited for that is not to come. */
const IN_VAIN_S = 2;
const IN_TIME_S = 20;
const PORT = 5555;

function rulesOf(action: string, more = ''): string {
  return `[[rule]]\nid = "web"\naction = "${action}"\napplication = { container = "web" }\n${more}`;
}

function worked(result: Result): void {
  assert.equal(result.status, 0, `${String(result.status)} ${result.stderr}`);
}

function refused(result: Result): void {
  assert.equal(result.status, CURL_REFUSED, result.stderr);
}

function promptOf(client: HelperClient, name: string): Promise<PromptInfo> {
  return until(`a prompt for ${name}`, async () => {
    const { rows } = await client.listPrompts(500, '');
    return rows.find((row) => row.forwarded_from?.startsWith(`Container ${name} `) === true && row.status === 'pending') ?? null;
  }, 30_000);
}

describe('a rule for a container', { skip: noLab() }, () => {
  test('deny: its packets do not arrive, over IPv4 and IPv6; its neighbour\'s do, also with the address that was denied before', async (t) => {
    const { lab, client, web, db, tell } = await bridgeRig(t, 'forwarded = "pass"', { rules: rulesOf('deny') });
    // The rules of the two families come one after the other.
    const held = (host: number): Promise<true> => until(`the container ${String(host)} to be held`, () => (
      Promise.resolve(addressesOf(host).every((address) => forwardRulesIn(lab).includes(`-s ${address}/`)) ? true : null)), 30_000);
    const free = (host: number): Promise<true> => until(`the addresses of ${String(host)} to go`, () => (
      Promise.resolve(addressesOf(host).some((address) => forwardRulesIn(lab).includes(`-s ${address}/`)) ? null : true)), 30_000);
    await held(2);
    for (const address of [lab.peer4, lab.peer6]) {
      refused(await web.visit(address));
      worked(await db.visit(address));
    }
    await lab.peer.watch();
    assert.notEqual((await web.datagram(lab.peer4, PORT, 'denied', IN_VAIN_S)).status, 0);
    worked(await db.datagram(lab.peer4, PORT, 'neighbour', IN_TIME_S));
    const { rows } = await client.queryFlows({}, 100, '');
    const denied = rows.find((row) => row.rule_id === 'web');
    assert.deepEqual([denied?.forwarded_from, denied?.container, denied?.image], ['Container web (docker), 172.30.0.2', 'web', 'web:1']);
    assert.match((await client.explain(denied?.id ?? '')).evidence_text ?? '', /The address it comes from is that of the container web \(docker\), web:1\./u);
    web.move(9);
    db.move(2);
    web.move(3);
    await tell(3, 2);
    await held(3);
    await free(2);
    for (const address of [lab.peer4, lab.peer6]) {
      refused(await web.visit(address));
      worked(await db.visit(address));
    }
    const counts = await lab.peer.counts();
    assert.deepEqual(['tag/denied', 'tag/neighbour'].map((key) => counts.of(key)), [0, 1]);
  });

  test('allow, where the rest is refused: it passes alone, and who gets its address gets nothing of its open flows', async (t) => {
    const { lab, web, db, tell } = await bridgeRig(t, 'forwarded = "deny"', { rules: rulesOf('allow', 'destination = { port = "7,80" }\n') });
    for (const address of [lab.peer4, lab.peer6]) {
      worked(await web.visit(address));
      refused(await db.visit(address));
    }
    worked(await web.datagram(lab.peer4, PORT, 'own', IN_TIME_S));
    await lab.peer.watch();
    web.move(9);
    db.move(2);
    await tell(9, 2);
    await until('the address to be looked at', () => Promise.resolve(forwardRulesIn(lab).includes('-s 172.30.0.2/') ? true : null), 30_000);
    assert.notEqual((await db.datagram(lab.peer4, PORT, 'stolen', IN_VAIN_S)).status, 0);
    refused(await db.visit(lab.peer4));
    worked(await web.visit(lab.peer4));
    assert.equal((await lab.peer.counts()).of('tag/stolen'), 0);
  });

  test('ask: the prompt names the container, and what is answered for good is not asked again; its neighbour is', async (t) => {
    const { lab, client, web, db } = await bridgeRig(t, 'forwarded = "ask"');
    const visit = web.visit(lab.peer4);
    const prompt = await promptOf(client, 'web');
    assert.deepEqual([prompt.container, prompt.image, prompt.named_by], ['web', 'web:1', 'container']);
    const { rule_id: id } = await client.answer(prompt.nonce, { action: 'allow', lifetime: 'always', scope: 'port' });
    worked(await visit);
    worked(await web.visit(lab.peer6));
    const shown = await lab.ctl(['rules', 'show', id], { as: 'root' });
    assert.match(shown.stdout, /^container web may reach /u);
    const other = db.visit(lab.peer4);
    await client.answer((await promptOf(client, 'db')).nonce, { action: 'deny', lifetime: 'once' });
    refused(await other);
  });

  test('on the machine\'s own network its programs are refused, and the same program outside is not', async (t) => {
    const { lab, engine, client } = await bridgeRig(t, 'forwarded = "pass"', { rules: rulesOf('deny').replaceAll('"web"', '"tool"'), defaultAction: 'allow' });
    if (lab.cgroup === null) {
      t.skip('no cgroup v2 to put a container in');
      return;
    }
    const curl = ['/usr/bin/curl', '--silent', '--max-time', '20', `http://${lab.peer4}/`];
    worked(await lab.run(curl, { as: 'root' }));
    const id = Buffer.from('tool').toString('hex').padEnd(64, '0');
    engine.containers.set(id, described(id, { name: 'tool', mode: 'host', networks: {} }));
    engine.tellOf(id, 'start');
    await until('the container to be known', async () => (await client.listContainers(100, '')).rows.some((one) => one.id === id) ? true : null, 30_000);
    const group = join(lab.cgroup, `docker-${id}.scope`);
    mkdirSync(group);
    refused(await lab.run(['sh', '-c', 'echo 0 > "$1/cgroup.procs" && shift && exec "$@"', 'sh', group, ...curl], { as: 'root' }));
    worked(await lab.run(curl, { as: 'root' }));
    const { rows } = await client.queryFlows({}, 100, '');
    assert.deepEqual(rows.find((row) => row.rule_id === 'tool')?.container, 'tool');
  });
});
