/** The program as it is shipped: its command line, and a session without a helper. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import { buildDesktop } from '../../tools/build-desktop.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import { LineProcess } from './processes.ts';

const ROOT = join(import.meta.dirname, '../..');
const PROGRAM = join(ROOT, 'build/bin/bastion-firewall-desktop');
const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
const run = promisify(execFile);

before(async () => { await buildDesktop({ root: ROOT, log: () => undefined }); });

test('program: help and version need no display, and without one it names the way to answer', async () => {
  const environment = { PATH: '/usr/bin:/bin' };
  assert.match((await run(PROGRAM, ['--help'], { env: environment })).stdout, /^Usage: bastion-firewall-desktop/);
  assert.match((await run(PROGRAM, ['--version'], { env: environment })).stdout, /^\d+\.\d+\.\d+\n$/);
  await assert.rejects(run(PROGRAM, ['--nonsense'], { env: environment }), { code: 2 });
  await assert.rejects(run(PROGRAM, [], { env: environment }), { code: 1, stderr: /no display; `bastionctl agent`/ });
});

test('program: without a helper it says so, goes on, and ends cleanly', options, async (t) => {
  const session = await DesktopSession.start(t, { environment: { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent/bus' } });
  // The stand-in has the application's name; only one of the two can have it.
  await session.app.stop();
  const program = new LineProcess(PROGRAM, [], session.environment);
  t.after(() => program.stop());
  await session.shown('label', 'Not connected');
  await session.shown('label', 'Overview');
  await program.stop('SIGTERM');
  assert.equal(program.child.exitCode, 0, program.stderr);
});
