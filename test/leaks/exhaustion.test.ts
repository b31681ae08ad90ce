/** One user fills processes and prompts: each program is still told from the others, and another user is asked as ever. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { PromptInfo } from '../../helper/contract/types.ts';
import { memoryMegabytes } from '../bench/bed.ts';
import { Lab } from '../lab/lab.ts';
import { ROOT, startTied } from '../lab/process.ts';
import { mustHold } from '../must-hold.ts';
import { FULL_SIZE, clientOf, copyInto, noLab, program, promptFor, rested, until } from '../integration/support.ts';
import { Talking } from './support.ts';

/** `daemon`, another user than the lab's, whose prompts go to root's agent. */
const SYSTEM_USER = ['setpriv', '--reuid', '1', '--regid', '1', '--clear-groups', '--'];
const PROCESSES = FULL_SIZE ? 30_000 : 3000;
/** More than one user's share; see prompt/book.ts. */
const ASKING = 80;
const PROMPTS_OF_ONE_USER = 64;
const ALLOWED_PORT = 9;
const REFUSED_PORT = 10;
const FLOOD_LIMIT_MS = FULL_SIZE ? 300_000 : 50_000;
/** As many as the system's bus gives one user; see dbus-daemon(1), max_connections_per_user. */
const CONNECTIONS = 256;
const MATCH_RULES = 100;
const CROWD = join(ROOT, 'test/security/crowd.ts');
const CROWD_LIMIT_MS = 40_000;

function descriptorsOf(lab: Lab): number {
  return readdirSync(`/proc/${String(lab.helperPid)}/fd`).length;
}

describe('one user fills what everybody shares', { skip: noLab() }, () => {
  test(`${String(PROCESSES)} processes that send once and are gone, of two programs at the same time: each is told from the other`, async (t) => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    const client = clientOf(lab);
    t.after(() => { client.close(); });
    const [allowed, refused] = [copyInto(lab, program('oneshot'), 'allowed'), copyInto(lab, program('oneshot'), 'refused')];
    await client.addRule({ action: 'allow', path: allowed });
    // A file that was written a moment ago is not taken for what a process ran that has ended: it is refused until then.
    await rested(allowed);
    await lab.peer.watch();
    const before = (await memoryMegabytes(lab.helperPid)).pss;
    const half = String(PROCESSES / 2);
    const flood = [[allowed, ALLOWED_PORT], [refused, REFUSED_PORT]].map(([path, port]) => (
      lab.run([String(path), 'many', 'udp', lab.peer4, String(port), half, '0'], { timeoutMs: FLOOD_LIMIT_MS })));
    const fresh = copyInto(lab, program('daily'), 'fresh');
    await client.addRule({ action: 'allow', path: fresh });
    const visited = await lab.run([...SYSTEM_USER, fresh, 'visit', lab.peer4, '7', '20', '0'], { as: 'root' });
    assert.match(visited.stdout, /^opened=20 refused=0 /u);
    await Promise.all(flood);
    const arrived = await until('what is allowed', async () => {
      const counts = await lab.peer.counts();
      return counts.of(`udp/${String(ALLOWED_PORT)}`) >= PROCESSES / 2 ? counts : null;
    });
    assert.deepEqual([arrived.lost, arrived.of(`udp/${String(ALLOWED_PORT)}`), arrived.of(`udp/${String(REFUSED_PORT)}`)], [0, PROCESSES / 2, 0]);
    mustHold({
      id: 'full-processes', claim: 'Short processes in masses: each is told from the others, and another user connects as ever',
      size: `${String(PROCESSES)} processes of two programs`, undecided: arrived.of(`udp/${String(REFUSED_PORT)}`),
      figures: [`memory of the helper: ${before.toFixed(0)} MB before, ${(await memoryMegabytes(lab.helperPid)).pss.toFixed(0)} MB after`],
    });
  });

  test('prompts up to his limit: the rest is refused and said to be, an agent hears of no more, and another user is asked', async (t) => {
    await using lab = await Lab.create();
    const client = clientOf(lab);
    t.after(() => { client.close(); });
    const raised: PromptInfo[] = [];
    client.on('promptRaised', (prompt) => { raised.push(prompt); });
    await client.registerAgent();
    const programs = Array.from({ length: ASKING }, (_, at) => copyInto(lab, program('storm'), `asking-${String(at)}`));
    await lab.peer.watch();
    const crowd = lab.spawn([...SYSTEM_USER, programs[0] ?? '', lab.peer4, '20000', '1', '1000', ...programs], { as: 'root' });
    const gone = once(crowd, 'exit');
    const limited = await until('refusals at the limit', async () => {
      const { rows } = await client.queryFlows({}, 500, '');
      const found = rows.filter(({ reason }) => reason === 'limit' || reason === 'safeguard');
      return found.length >= ASKING - PROMPTS_OF_ONE_USER ? found : null;
    });
    assert.equal(limited.length, ASKING - PROMPTS_OF_ONE_USER);
    const pending = (await client.listPrompts(500, '')).rows.filter(({ status }) => status === 'pending');
    assert.equal(pending.length, PROMPTS_OF_ONE_USER);
    const fresh = copyInto(lab, program('daily'), 'fresh');
    const visit = lab.run([fresh, 'visit', lab.peer4, '7', '1', '0']);
    const { nonce } = await promptFor(client, fresh);
    await client.answer(nonce, { action: 'allow', lifetime: 'once', scope: 'host' });
    assert.match((await visit).stdout, /^opened=1 /u);
    assert.equal(raised.length, PROMPTS_OF_ONE_USER);
    await gone;
    const counts = await lab.peer.counts();
    assert.deepEqual([counts.lost, counts.of('syn/20000')], [0, 0]);
    mustHold({
      id: 'full-prompts', claim: 'One user’s prompts at their limit: another user is asked as ever', size: `${String(ASKING)} programs that ask`,
      undecided: counts.of('syn/20000'), figures: [`${String(pending.length)} prompts, ${String(limited.length)} refusals`],
    });
  });

  test('connections to the bus, match rules and calls that wait: another user is told of a change, and the helper has no descriptor for them', async (t) => {
    await using lab = await Lab.create({ polkit: 'strict' });
    const client = clientOf(lab);
    t.after(() => { client.close(); });
    await client.status();
    const before = { descriptors: descriptorsOf(lab), memory: (await memoryMegabytes(lab.helperPid)).pss };
    const crowd = new Talking(startTied([process.execPath, CROWD, lab.busAddress.replace('unix:path=', ''), '1', String(CONNECTIONS), String(MATCH_RULES)], {
      stdio: ['pipe', 'pipe', lab.logDescriptor],
    }));
    t.after(() => crowd.end());
    const joined = Number(await crowd.line(CROWD_LIMIT_MS));
    assert.ok(joined > 0);
    const changed = new Promise<void>((resolve) => { client.on('rulesChanged', resolve); });
    await client.addRule({ action: 'allow', path: '/usr/bin/curl' });
    await changed;
    const visited = await lab.run(['curl', '--silent', '--max-time', '10', `http://${lab.peer4}/`]);
    assert.equal(visited.status, 0, visited.stderr);
    // Connections are the bus's own; what the helper opens for its work is not theirs.
    assert.ok(descriptorsOf(lab) < before.descriptors + joined / 4, `${String(before.descriptors)} descriptors, then ${String(descriptorsOf(lab))}`);
    await crowd.end();
    await client.ping();
    mustHold({
      id: 'full-bus', claim: 'The bus full of one user’s connections, match rules and calls: another user’s rule is written, told and in force',
      size: `${String(joined)} connections with ${String(MATCH_RULES)} match rules and 64 calls each`, undecided: null,
      figures: [`memory of the helper: ${before.memory.toFixed(0)} MB before, ${(await memoryMegabytes(lab.helperPid)).pss.toFixed(0)} MB after`],
    });
  });
});
