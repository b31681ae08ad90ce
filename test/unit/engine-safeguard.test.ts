/** The safeguard in the engine: who is told first, who is refused, who is not touched, and how it ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rig } from './engine-support.ts';
import { rule } from './policy-support.ts';

const NOISY = '/usr/bin/noisy';

function storm(rig: Rig, count: number, path = NOISY): readonly number[] {
  return Array.from({ length: count }, (_, index) => rig.ask({ path, tuple: { sourcePort: 10_000 + index, destinationPort: 8080 } }));
}

test('a storm: the state is told before the first refusal, the rest is dropped without a prompt, and the log says who', () => {
  const rig = Rig.with();
  const order: string[] = [];
  rig.engine.onEvents({
    statusChanged: () => { order.push(`${rig.engine.status().state}, ${String(rig.dataPath.answers.filter(({ verdict }) => verdict === 'drop').length)} dropped`); },
  });
  const ids = storm(rig, 200);
  assert.deepEqual(order, ['safeguard, 0 dropped']);
  assert.equal(ids.filter((id) => rig.dataPath.last(id).verdict === 'hold').length, 50);
  assert.equal(ids.filter((id) => rig.dataPath.last(id).verdict === 'drop').length, 150);
  assert.ok(rig.log.includes('warning: safeguard: too many new connections, they are refused without a question'));
  assert.equal(rig.flows.filter(({ decision }) => decision.reason === 'safeguard').length, 150);
  const { statistics } = rig.engine.status();
  assert.deepEqual([statistics.safeguard_begins, statistics.safeguard_refused], [1, 150]);
  const view = rig.engine.safeguard();
  assert.deepEqual(view?.trips.map(({ scope, application }) => [scope, application]), [['application', NOISY]]);
  assert.deepEqual([view.refused, view.offenders[0]?.refused], [150, 150]);
});

test('a storm: a rule decides as ever, for the program that storms too, and other programs are asked about', () => {
  const rig = Rig.with([rule('web', 'allow', { path: NOISY, ports: [{ first: 443, last: 443 }] })]);
  storm(rig, 200);
  assert.equal(rig.dataPath.last(rig.ask({ path: NOISY })).verdict, 'accept');
  assert.equal(rig.dataPath.last(rig.ask({ path: '/usr/bin/calm' })).verdict, 'hold');
});

test('a storm while learning or paused is let through and is no storm', () => {
  const learning = Rig.with([], { mode: 'learning' });
  const paused = Rig.with();
  paused.engine.pause(60_000);
  for (const rig of [learning, paused]) {
    const ids = storm(rig, 1000);
    assert.ok(ids.every((id) => rig.dataPath.last(id).verdict === 'accept'));
    assert.equal(rig.engine.status().statistics.safeguard_begins, 0);
  }
});

test('its end is told, also when a connection comes before the timer that looks for it', () => {
  const rig = Rig.with();
  storm(rig, 60);
  const told: string[] = [];
  rig.engine.onEvents({ statusChanged: () => { told.push(rig.engine.status().state); } });
  rig.time.ns += 60_000_000_000n;
  rig.ask({ path: '/usr/bin/late' });
  assert.deepEqual(told, []);
  rig.time.pass(1);
  assert.deepEqual(told, ['protecting']);
});

test('a shorter quiet time in bastion.toml counts for a safeguard that is on', () => {
  const rig = Rig.with([], { safeguard: { quietMs: 86_400_000 } });
  storm(rig, 60);
  rig.load([], { safeguard: { quietMs: 5000 } });
  rig.time.pass(5100);
  assert.equal(rig.engine.status().state, 'protecting');
});

test('a storm ends by itself after the quiet time, and by hand; what it refused is asked about again', () => {
  const rig = Rig.with([], { safeguard: { quietMs: 5000, action: 'deny' } });
  const ids = storm(rig, 60);
  assert.equal(rig.dataPath.last(ids.at(-1) ?? 0).verdict, 'refuse');
  rig.time.pass(4900);
  assert.equal(rig.engine.status().state, 'safeguard');
  rig.time.pass(200);
  assert.equal(rig.engine.status().state, 'protecting');
  assert.equal(rig.engine.safeguard(), null);
  storm(rig, 60);
  assert.equal(rig.engine.status().state, 'safeguard');
  rig.engine.endSafeguard();
  assert.equal(rig.engine.status().state, 'protecting');
  const again = rig.ask({ path: '/usr/bin/other' });
  assert.equal(rig.dataPath.last(again).verdict, 'hold');
  assert.equal(rig.time.timers > 0, true);
});

test('limits of bastion.toml count from the next connection on', () => {
  const rig = Rig.with([], { safeguard: { perApp: 5 } });
  assert.equal(storm(rig, 20).filter((id) => rig.dataPath.last(id).verdict === 'hold').length, 5);
  rig.load([], { safeguard: { perApp: 1000, perUid: 2000, all: 3000 } });
  rig.engine.endSafeguard();
  assert.ok(storm(rig, 20).every((id) => rig.dataPath.last(id).verdict === 'hold'));
});
