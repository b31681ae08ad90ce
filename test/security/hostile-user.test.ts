/** Another, unprivileged user against the whole product: refused everywhere, and what is decided goes on flowing. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { once } from 'node:events';
import { Lab } from '../lab/lab.ts';
import { ROOT, endChild, isRunning, startTied } from '../lab/process.ts';
import { FULL_SIZE, clientOf, noLab } from '../integration/support.ts';

const skip = noLab();
/** `daemon`, who owns no session and no process of the lab. */
const STRANGER = ['setpriv', '--reuid', '1', '--regid', '1', '--clear-groups', '--'];
const FLOOD_MS = FULL_SIZE ? 10_000 : 4000;
/** It goes on for so long, unless it is ended before. */
const FLOOD_LIMIT_MS = 120_000;
const VISITS = 4;
const END_GRACE_MS = 5000;

test('a stranger changes nothing, whatever is called', { skip }, async (t) => {
  const lab = await Lab.create({ polkit: 'strict' });
  t.after(() => lab.dispose());
  const client = clientOf(lab);
  t.after(() => { client.close(); });
  const rules = (await client.listRules(500, '')).rows;
  for (const args of [
    ['mode', 'learning'], ['pause', '5m'], ['off'], ['reload'], ['log-level', 'debug'], ['rules', 'list'], ['prompts', 'list'],
    ['rules', 'add', 'allow', '--application', '/usr/bin/curl'], ['rules', 'remove', rules[0]?.id ?? ''], ['history'], ['selftest'],
  ]) {
    const done = await lab.run([...STRANGER, lab.ctlPath, ...args], { as: 'root' });
    assert.equal(done.status, 4, `bastionctl ${args.join(' ')}: ${done.stdout}${done.stderr}`);
  }
  const status = await client.status();
  assert.equal(status.mode, 'enforcing');
  assert.equal(status.state, 'protecting');
  assert.deepEqual((await client.listRules(500, '')).rows.map((rule) => rule.id), rules.map((rule) => rule.id));
});

test('a flood of messages from one sender leaves the service up and decided traffic flowing', { skip }, async (t) => {
  const lab = await Lab.create({ polkit: 'strict', rules: '[[rule]]\nid = "curl"\naction = "allow"\napplication = { path = "/usr/bin/curl" }\n' });
  t.after(() => lab.dispose());
  const client = clientOf(lab);
  t.after(() => { client.close(); });
  const flood = startTied([process.execPath, join(ROOT, 'test/security/flood.ts'), lab.busAddress.replace('unix:path=', ''), '1', String(FLOOD_LIMIT_MS)], {
    stdio: ['ignore', 'pipe', lab.logDescriptor],
  });
  t.after(() => endChild(flood, END_GRACE_MS));
  assert.ok(flood.stdout !== null);
  await once(flood.stdout, 'data');
  let visits = 0;
  for (const endMs = performance.now() + FLOOD_MS; performance.now() < endMs || visits < VISITS; visits += 1) {
    const done = await lab.run(['curl', '--silent', '--max-time', '20', `http://${lab.peer4}/`]);
    assert.equal(done.status, 0, done.stderr);
  }
  assert.ok(isRunning(flood), 'the flood went on all the time');
  await client.ping();
});
