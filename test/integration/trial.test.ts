/** A mode on trial while the helper is killed: nobody is locked out, nothing that was denied opens, and the trial ends in time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Lab } from '../lab/lab.ts';
import { clientOf, copyInto, noLab, until } from './support.ts';

/** A receiver thread counts as away after 3 s without a turn; a first SYN is sent again after 1 and 3 s. */
const OPEN_LIMIT_MS = 30_000;

async function opens(lab: Lab, program = 'curl', seconds = 1): Promise<boolean> {
  return (await lab.run([program, '--silent', '--max-time', String(seconds), `http://${lab.peer4}/`])).status === 0;
}

function untilOpen(lab: Lab): Promise<true> {
  return until('what nobody decides', async () => (await opens(lab) ? true : null), OPEN_LIMIT_MS);
}

async function endedByItself(lab: Lab): Promise<void> {
  const client = clientOf(lab);
  await until('the end of the trial', async () => ((await client.status()).trial === undefined ? true : null), 60_000);
  client.close();
}

describe('a mode on trial', { skip: noLab() }, () => {
  for (const defaultAction of ['deny', 'ask'] as const) {
    test(`from learning, default ${defaultAction}: a dead helper opens within seconds, denials stay; a new one ends the trial in time`, async () => {
      await using lab = await Lab.create({ mode: 'learning', defaultAction });
      const client = clientOf(lab);
      const denied = copyInto(lab, '/usr/bin/curl', 'denied');
      await client.addRule({ action: 'deny', path: denied });
      assert.deepEqual([await opens(lab, 'curl', 20), await opens(lab, denied)], [true, false]);
      const started = await lab.ctl(['trial', '15s', '--json'], { as: 'root' });
      assert.deepEqual(JSON.parse(started.stdout), { mode: 'enforcing', confirm_seconds: 15, before: 'learning' });
      const endsMs = (await client.status()).trial?.endsMs ?? 0;
      assert.deepEqual([await opens(lab), await opens(lab, denied)], [false, false]);
      client.close();
      await lab.stopHelper('SIGKILL');
      await untilOpen(lab);
      assert.equal(await opens(lab, denied), false);
      await lab.startHelper();
      const again = clientOf(lab);
      const { mode, trial } = await again.status();
      assert.deepEqual([mode, trial?.before], ['enforcing', 'learning']);
      assert.ok(Math.abs((trial?.endsMs ?? 0) - endsMs) < 50, 'the end is the same');
      assert.equal(await opens(lab), false);
      again.close();
      await endedByItself(lab);
      assert.ok(Date.now() >= endsMs - 50);
      assert.deepEqual([await opens(lab, 'curl', 20), await opens(lab, denied)], [true, false]);
    });
  }

  test('from off: a dead helper opens, a new one goes on with the trial and then off', async () => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    const client = clientOf(lab);
    await client.off();
    await client.setMode('enforcing', { confirmSeconds: 12 });
    assert.equal((await client.status()).trial?.before, 'off');
    assert.equal(await opens(lab), false);
    client.close();
    await lab.stopHelper('SIGKILL');
    await untilOpen(lab);
    await lab.startHelper();
    assert.equal(await opens(lab), false);
    await endedByItself(lab);
    const again = clientOf(lab);
    await until('off', async () => ((await again.status()).state === 'off' ? true : null));
    again.close();
    await untilOpen(lab);
  });

  test('of learning, from enforcing: a dead helper does not leave open what learning let pass', async () => {
    await using lab = await Lab.create({ defaultAction: 'deny' });
    const client = clientOf(lab);
    await client.setMode('learning', { confirmSeconds: 5 });
    const { trial } = await client.status();
    assert.equal(await opens(lab), true);
    client.close();
    await lab.stopHelper('SIGKILL');
    await until('the end of the trial', () => Promise.resolve(Date.now() > (trial?.endsMs ?? 0) ? true : null));
    assert.equal(await opens(lab, 'curl', 4), false);
    await lab.startHelper();
    assert.equal(await opens(lab), false);
  });

  test('kept, it stays over a restart; ended, and turned off, it does not come back', async () => {
    await using lab = await Lab.create({ mode: 'learning', defaultAction: 'deny' });
    const ctl = async (...args: readonly string[]): Promise<string> => {
      const { status, stdout, stderr } = await lab.ctl([...args], { as: 'root' });
      return `${String(status)} ${stdout}${stderr}`;
    };
    assert.match(await ctl('trial', '--keep'), /^1 bastionctl: No mode is on trial; it is learning\./);
    await ctl('trial', '1m');
    assert.match(await ctl('status'), /On trial: +goes back to learning in/);
    assert.equal(await ctl('trial', '--back'), '0 Mode is learning again.\n');
    await ctl('trial', '1m');
    assert.equal(await ctl('trial', '--keep'), '0 Mode enforcing stays.\n');
    await lab.restartHelper('SIGKILL');
    assert.match(await ctl('mode'), /^0 enforcing/);
    await ctl('off');
    await ctl('trial', '1m');
    await ctl('off');
    await lab.restartHelper('SIGKILL');
    assert.match(await ctl('status'), /State: +off/);
    await untilOpen(lab);
  });
});
