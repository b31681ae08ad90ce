/** Prompts as notifications of a real server. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Lab } from '../lab/lab.ts';
import { ROOT } from '../lab/process.ts';
import { copyInto, noLab } from '../integration/support.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import type { SessionOptions } from './desktop-session.ts';
import { Dunst, missingForDunst } from './dunst.ts';
import { promptOf } from './samples.ts';

const missing = (await missingForDesktop()) || (await missingForDunst());
const PROGRAM = join(ROOT, 'build/bin/bastion-firewall-desktop');

async function withDunst(t: TestContext, options: SessionOptions = {}): Promise<{ readonly session: DesktopSession; readonly dunst: Dunst }> {
  const started: Dunst[] = [];
  const session = await DesktopSession.start(t, {
    ...options,
    before: async (_address, environment) => { started.push(await Dunst.start(t, environment, options.user)); },
  });
  const [dunst] = started;
  assert.ok(dunst !== undefined);
  return { session, dunst };
}

test('notification: Allow in a real server decides the connection that is held, and Deny refuses the next', { skip: noLab() || (missing === '' ? false : missing) }, async (t) => {
  const lab = await Lab.create({ settings: 'prompt_timeout_s = 120' });
  t.after(() => lab.dispose());
  const { session, dunst } = await withDunst(t, {
    program: PROGRAM, user: lab.user, environment: { DBUS_SYSTEM_BUS_ADDRESS: lab.busAddress },
  });
  const visit = (name: string): ReturnType<Lab['run']> => (
    lab.run([copyInto(lab, '/usr/bin/curl', name), '--silent', '--verbose', '--max-time', '50', `http://${lab.peer4}/`])
  );
  const allowed = visit('visitor');
  await dunst.displays(1);
  await session.screenshot('notification');
  await dunst.pick('Allow Once');
  assert.equal((await allowed).status, 0);
  await dunst.displays(0);
  const denied = visit('stranger');
  await dunst.displays(1);
  await dunst.pick('Deny');
  assert.match((await denied).stderr, /connection refused/iu);
  await dunst.displays(0);
  // What the window would warn of stands here too.
  const body = `${lab.peer4}, unencrypted web (80)\nThe program belongs to no package and lies in a folder that everybody can write to.`;
  assert.deepEqual(await dunst.history(), [{ summary: 'stranger wants to connect', body }, { summary: 'visitor wants to connect', body }]);
});

test('notification: a real server closes it when the prompt is withdrawn and when the application ends', { skip: missing === '' ? false : missing }, async (t) => {
  const { session, dunst } = await withDunst(t);
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf({ nonce: 'a' }) });
  await dunst.displays(1);
  session.say({ do: 'end', nonce: 'a', why: 'withdrawn' });
  await dunst.displays(0);
  session.say({ do: 'raise', prompt: promptOf({ nonce: 'b' }) });
  session.say({ do: 'raise', prompt: promptOf({ nonce: 'c', path: '/usr/bin/git' }) });
  await dunst.displays(1);
  await session.app.stop();
  await dunst.displays(0);
  assert.equal((await dunst.history())[0]?.summary, '2 programs are waiting');
});

test('notification: a click on its text opens the window', { skip: missing === '' ? false : missing }, async (t) => {
  const { session, dunst } = await withDunst(t);
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf() });
  await dunst.displays(1);
  await dunst.click();
  await session.shown('push button', 'Deny');
  await dunst.displays(0);
});
