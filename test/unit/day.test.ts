/** Twenty-four hours of the engine on a clock of the test's own: what waits for a time comes at its time, and nothing piles up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLOW_LIMIT } from '../../helper/engine/flow-log.ts';
import { Rig } from './engine-support.ts';
import { rule } from './policy-support.ts';

const MINUTES = 24 * 60;
const MINUTE_MS = 60_000;
const ALLOWED = '/usr/bin/allowed';
const OFFICE = '/usr/bin/office';
const STRANGERS = 40;
const STORM = 80;
/** Local time, so that it is half of the minutes of a day wherever the test runs. */
const MORNINGS = { days: [0, 1, 2, 3, 4, 5, 6], fromMinute: 0, toMinute: MINUTES / 2 };
const FLOWS_A_MINUTE = 12;

/** One minute: decided traffic, somebody whom nobody knows, and now and then what a person or a noisy program does. */
class Day {
  readonly rig = Rig.with([
    rule('allowed', 'allow', { path: ALLOWED }),
    rule('office', 'allow', { path: OFFICE, schedule: MORNINGS }),
  ]);
  officeAllowed = 0;
  asked = 0;
  storms = 0;

  minute(at: number): void {
    const { rig } = this;
    for (let flow = 0; flow < FLOWS_A_MINUTE; flow += 1) {
      const id = rig.ask({ path: ALLOWED, tuple: { destinationAddress: `10.${String(at % 200)}.0.${String(flow + 1)}` } });
      assert.equal(rig.dataPath.last(id).verdict, 'accept');
    }
    if (rig.dataPath.last(rig.ask({ path: OFFICE, tuple: { destinationPort: 1000 + at } })).verdict === 'accept') this.officeAllowed += 1;
    if (at % 5 === 0) this.stranger(at);
    if (at % 180 === 90) this.storm(at);
    if (at % 240 === 120) this.pause(at);
    rig.time.pass(MINUTE_MS);
  }

  stranger(at: number): void {
    const id = this.rig.ask({ path: `/usr/bin/stranger-${String((at / 5) % STRANGERS)}`, owner: { uid: 1000 }, tuple: { destinationPort: 2000 + (at % 1000) } });
    assert.equal(this.rig.dataPath.last(id).verdict, 'hold');
    this.asked += 1;
  }

  storm(at: number): void {
    for (let flow = 0; flow < STORM; flow += 1) this.rig.ask({ path: '/usr/bin/noisy', tuple: { destinationPort: 10_000 + at * 10 + flow } });
    assert.equal(this.rig.engine.status().state, 'safeguard');
    this.storms += 1;
  }

  pause(at: number): void {
    this.rig.engine.pause(30_000);
    assert.equal(this.rig.dataPath.last(this.rig.ask({ path: `/usr/bin/guest-${String(at)}` })).verdict, 'accept');
  }
}

test('a day: prompts expire, schedules turn, pauses and storms end by themselves, and what is kept keeps to its limits', () => {
  const day = new Day();
  const { rig } = day;
  let timersAtNoon = 0;
  for (let at = 0; at < MINUTES; at += 1) {
    day.minute(at);
    // Everything that was begun in this minute is over by its end: 30 s of a prompt, of a pause; 10 quiet seconds.
    assert.deepEqual([rig.engine.status().state, rig.engine.prompts().filter(({ info }) => info.status === 'pending').length], ['protecting', 0], `minute ${String(at)}`);
    if (at === MINUTES / 2) timersAtNoon = rig.time.timers;
  }
  assert.equal(day.officeAllowed, MINUTES / 2);
  assert.ok(rig.time.timers <= timersAtNoon + 1, `${String(timersAtNoon)} timers at noon, ${String(rig.time.timers)} in the evening`);
  const { statistics } = rig.engine.status();
  assert.equal(statistics.safeguard_begins, day.storms);
  assert.equal(statistics.safeguard_refused, rig.flows.filter(({ decision }) => decision.reason === 'safeguard').length);
  // A pause lets go what is held; everything else nobody answered.
  const letGo = rig.ended.filter(({ prompt, why }) => why !== 'expired' && prompt.info.status === 'pending').length;
  assert.equal(statistics.prompts, statistics.prompts_expired + letGo);
  assert.ok(letGo > 0 && statistics.prompts_expired > 1000);
  assert.ok(rig.engine.prompts().length <= 200, 'the inbox has its limit');
  assert.ok(rig.flows.length > FLOW_LIMIT, 'more than is kept in memory');
});
