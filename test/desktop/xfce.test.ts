/** Tray and notifications in Xfce, with a pointer. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { clientOf, copyInto, noLab, until } from '../integration/support.ts';
import { Lab } from '../lab/lab.ts';
import type { Result } from '../lab/lab.ts';
import { ROOT } from '../lab/process.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import { promptOf, statusOf } from './samples.ts';
import { Xfce, missingForXfce } from './xfce.ts';

const missing = (await missingForDesktop()) || (await missingForXfce());
const skip = missing === '' ? false : missing;
const PROGRAM = join(ROOT, 'build/bin/bastion-firewall-desktop');
const CURL_REFUSED = 7;
/** Which row of the menu that can be chosen it is, from 1. */
const WAITING = { prompt: 2 } as const;
const PROTECTING = { pause: 2, quit: 4 } as const;
const PAUSED = { resume: 2 } as const;
/** Grey levels of 255 that an eye tells apart, and how many pixels of an icon of 16 have to. */
const DIFFERENT_LEVEL = 60;
const DIFFERENT_PIXELS = 12;

function differing(one: Buffer, other: Buffer): number {
  return one.reduce((count, level, index) => (Math.abs(level - (other[index] ?? 0)) > DIFFERENT_LEVEL ? count + 1 : count), 0);
}

test('Xfce: every state has an icon of its own shape in the panel', { skip }, async (t) => {
  const session = await DesktopSession.start(t, { before: (_address, environment) => Xfce.startIn(t, environment, ROOT) });
  const xfce = new Xfce(session);
  await session.connect();
  const pictures = new Map<string, Buffer>();
  /** Once it looks like none of those before. */
  const keep = async (name: string): Promise<void> => {
    pictures.set(name, await until(`an icon of its own for ${name}`, async () => {
      const picture = await xfce.picture();
      return [...pictures.values()].every((one) => differing(one, picture) >= DIFFERENT_PIXELS) ? picture : null;
    }));
    await session.screenshot(`xfce-${name}`);
  };
  await keep('protecting');
  const states = [
    ['learning', { mode: 'learning' }], ['paused', { state: 'paused', pausedUntilMs: Date.now() + 290_000 }],
    ['degraded', { state: 'degraded' }], ['safeguard', { state: 'safeguard' }],
  ] as const;
  for (const [name, change] of states) {
    session.say({ do: 'status', status: statusOf(change) });
    await keep(name);
  }
  session.say({ do: 'raise', prompt: promptOf() });
  await keep('prompt');
  session.say({ do: 'connected', connected: false });
  await keep('off');
});

/** The shipped program on a real helper. */
async function start(t: TestContext): Promise<{ readonly lab: Lab; readonly session: DesktopSession; readonly xfce: Xfce; readonly visit: (name: string) => Promise<Result> }> {
  const lab = await Lab.create({ settings: 'prompt_timeout_s = 120' });
  t.after(() => lab.dispose());
  const session = await DesktopSession.start(t, {
    program: PROGRAM, user: lab.user, environment: { DBUS_SYSTEM_BUS_ADDRESS: lab.busAddress },
    before: (_address, environment) => Xfce.startIn(t, environment, lab.tree, lab.user),
  });
  const visit = (name: string): Promise<Result> => (
    lab.run([copyInto(lab, '/usr/bin/curl', name), '--silent', '--verbose', '--max-time', '50', `http://${lab.peer4}/`])
  );
  return { lab, session, xfce: new Xfce(session), visit };
}

test('Xfce: Allow and Deny of its notifications decide held connections, and each button is there once', { skip: noLab() || skip }, async (t) => {
  const { session, xfce, visit } = await start(t);
  const allowed = visit('visitor');
  await session.shown('label', 'visitor wants to connect');
  const buttons = (await session.dump()).filter((line) => /^(?:push )?button: ./u.test(line)).map((line) => line.replace(/^.*?: /u, ''));
  assert.deepEqual(buttons, ['Deny', 'Allow Once', 'Details']);
  await session.screenshot('xfce-notification');
  await xfce.answer('visitor wants to connect', 'Allow Once');
  assert.equal((await allowed).status, 0);
  await session.gone('label', 'visitor wants to connect');
  const denied = visit('stranger');
  await session.shown('label', 'stranger wants to connect');
  await xfce.answer('stranger wants to connect', 'Deny');
  assert.equal((await denied).status, CURL_REFUSED);
  await session.gone('label', 'stranger wants to connect');
});

test('Xfce: the menu of the shield answers a held connection, pauses, resumes and quits', { skip: noLab() || skip }, async (t) => {
  const { lab, session, xfce, visit } = await start(t);
  const client = clientOf(lab);
  t.after(() => { client.close(); });
  /** The helper is in this state, and the shield shows another one than before: its menu is another one then too. */
  const state = async (wanted: string, before: Buffer): Promise<void> => {
    await until(`the state ${wanted}`, async () => (await client.status()).state === wanted || null);
    await until(`the shield of ${wanted}`, async () => differing(await xfce.picture(), before) >= DIFFERENT_PIXELS || null);
  };
  const visiting = visit('visitor');
  await session.shown('label', 'visitor wants to connect');
  await xfce.choose(WAITING.prompt, 1);
  await session.screenshot('xfce-menu');
  await session.key('Return');
  assert.equal((await visiting).status, 0);
  await session.gone('label', 'visitor wants to connect');
  const protecting = await xfce.picture();
  await xfce.choose(PROTECTING.pause, 1);
  await session.key('Return');
  await state('paused', protecting);
  const paused = await xfce.picture();
  await xfce.choose(PAUSED.resume);
  await session.key('Return');
  await state('protecting', paused);
  await xfce.choose(PROTECTING.quit);
  await session.key('Return');
  await session.app.ended();
  assert.equal(session.app.child.exitCode, 0, session.app.stderr);
});
