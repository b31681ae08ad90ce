/** A person who takes his time, on the real helper: in the window, and days later in the inbox. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Lab } from '../lab/lab.ts';
import type { Result } from '../lab/lab.ts';
import { clientOf, copyInto, noLab, promptFor, until } from '../integration/support.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';

const missing = await missingForDesktop();
const skip = noLab() || (missing === '' ? false : missing);
const CURL_REFUSED = 7;
/** Renewals of a prompt of five seconds, which come each third of its time: more than that time in all. */
const LONGER_THAN_ITS_TIME = 5;

async function makeLab(t: TestContext): Promise<Lab> {
  const lab = await Lab.create({ settings: 'prompt_timeout_s = 5' });
  t.after(() => lab.dispose());
  return lab;
}

function desktop(t: TestContext, lab: Lab): Promise<DesktopSession> {
  return DesktopSession.start(t, {
    tree: lab.tree, program: join(lab.tree, 'build/bin/bastion-firewall-desktop'), arguments: ['--window'], user: lab.user,
    environment: { DBUS_SYSTEM_BUS_ADDRESS: lab.busAddress },
  });
}

function visit(lab: Lab, path: string): Promise<Result> {
  return lab.run([path, '--silent', '--verbose', '--max-time', '50', `http://${lab.peer4}/`]);
}

test('patience: while somebody works in the window the connection waits longer than its time, and then goes through', { skip }, async (t) => {
  const lab = await makeLab(t);
  const session = await desktop(t, lab);
  const client = clientOf(lab);
  t.after(() => { client.close(); });
  await session.shown('label', 'Overview');
  const held = visit(lab, copyInto(lab, '/usr/bin/curl', 'visitor'));
  await session.shown('label', 'visitor wants to connect');
  await session.focus('visitor wants to connect');
  await session.shown('label', 'waits while you decide');
  await until('renewals', async () => ((await client.status()).statistics.prompts_renewed ?? 0) >= LONGER_THAN_ITS_TIME ? true : null, 20_000);
  await session.click('push button', 'Allow');
  assert.equal((await held).status, 0);
  assert.equal((await client.status()).statistics.prompts_expired, 0);
});

test('patience: what ran out of time waits in the inbox over a restart of the helper and of the desktop, and an answer lets the next attempt through', { skip }, async (t) => {
  const lab = await makeLab(t);
  const path = copyInto(lab, '/usr/bin/curl', 'visitor');
  assert.equal((await visit(lab, path)).status, CURL_REFUSED, 'nobody was there to be asked');
  await lab.restartHelper();
  const client = clientOf(lab);
  t.after(() => { client.close(); });
  await promptFor(client, path, 'expired');
  const session = await desktop(t, lab);
  await session.shown('label', 'Overview');
  await session.focus('Bastion Firewall');
  await session.key('ctrl+7');
  await session.shown('label', 'visitor');
  const prompt = await promptFor(client, path, 'expired');
  // Somebody else answers: the page follows.
  await client.answer(prompt.nonce, { action: 'allow', lifetime: 'always', scope: 'host' });
  await session.shown('label', 'Nothing Is Waiting');
  assert.equal((await visit(lab, path)).status, 0);
});
