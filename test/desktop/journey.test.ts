/** The whole way on a screen: a real connection is held, a person clicks, the connection obeys, the rule is shown. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Lab } from '../lab/lab.ts';
import type { Result } from '../lab/lab.ts';
import { copyInto, noLab } from '../integration/support.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';

const missing = await missingForDesktop();
const skip = noLab() || (missing === '' ? false : missing);
const CURL_REFUSED = 7;

async function start(t: TestContext): Promise<{ readonly lab: Lab; readonly session: DesktopSession; readonly visit: (name: string) => Promise<Result> }> {
  const lab = await Lab.create({ settings: 'prompt_timeout_s = 120' });
  t.after(() => lab.dispose());
  const session = await DesktopSession.start(t, {
    tree: lab.tree, program: join(lab.tree, 'build/bin/bastion-firewall-desktop'), arguments: ['--window'], user: lab.user, environment: { DBUS_SYSTEM_BUS_ADDRESS: lab.busAddress },
  });
  await session.shown('label', 'Status');
  const visit = (name: string): Promise<Result> => {
    const path = copyInto(lab, '/usr/bin/curl', name);
    return lab.run([path, '--silent', '--verbose', '--max-time', '50', `http://${lab.peer4}/`]);
  };
  return { lab, session, visit };
}

test('desktop: Allow and Deny clicked by name decide the connection that is held', { skip }, async (t) => {
  const { lab, session, visit } = await start(t);
  await lab.peer.watch();
  const allowed = visit('visitor');
  await session.shown('label', 'visitor wants to connect');
  await session.shown('push button', 'Allow');
  assert.equal((await lab.peer.counts()).of('syn/80'), 0);
  await session.screenshot('journey-prompt');
  await session.click('push button', 'Allow');
  assert.equal((await allowed).status, 0);
  await session.gone('label', 'visitor wants to connect');

  const denied = visit('stranger');
  await session.shown('label', 'stranger wants to connect');
  await session.shown('push button', 'Deny');
  await session.click('push button', 'Deny');
  const done = await denied;
  assert.equal(done.status, CURL_REFUSED, done.stderr);
  assert.match(done.stderr, /connection refused/iu);
  assert.equal((await lab.peer.counts()).of('syn/80'), 1);
});

test('desktop: says so while the helper is away, registers again by itself, and asks again', { skip }, async (t) => {
  const { lab, session, visit } = await start(t);
  const held = visit('visitor');
  await session.shown('label', 'visitor wants to connect');
  await lab.stopHelper('SIGKILL');
  await session.shown('label', 'Not connected');
  await session.screenshot('journey-not-connected');
  await lab.startHelper();
  // The held packet was lost with the helper; the program's own retransmission is held anew.
  await session.shown('label', 'visitor wants to connect');
  await session.shown('push button', 'Allow');
  await session.click('push button', 'Allow');
  assert.equal((await held).status, 0);
});
