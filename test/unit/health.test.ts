/** When the service manager is told that the helper lives, and what it is told besides. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../property.ts';
import { HealthJudge } from '../../helper/health/judge.ts';
import type { Answers, Judgement } from '../../helper/health/judge.ts';
import { ServiceManager, statusLine, watchdogInterval } from '../../helper/service-manager.ts';
import { Watchdog } from '../../helper/watchdog.ts';

const INTERVAL_MS = 3000;

/** A judge whose looks come on time, with a thread that turns once a second unless it is told otherwise. */
class Course {
  readonly judge = new HealthJudge(INTERVAL_MS);
  nowMs = 0;
  turns = true;
  queue = true;
  kernelFault = '';
  #turnNs = 1n;

  answers(): Answers {
    if (this.turns && this.nowMs % 1000 < this.judge.everyMs) this.#turnNs += 1_000_000_000n;
    return { lastTurnNs: this.#turnNs, queue: this.queue, kernelFault: this.kernelFault };
  }

  look(answers: Answers | null = this.answers()): Judgement {
    const judgement = this.judge.look(answers, this.nowMs);
    this.nowMs += this.judge.everyMs;
    return judgement;
  }

  /** All judgements of the next `ms`. */
  run(ms: number): Judgement[] {
    return Array.from({ length: ms / this.judge.everyMs }, () => this.look());
  }
}

function mends(judgements: readonly Judgement[]): readonly string[] {
  return judgements.flatMap(({ mend }) => (mend === null ? [] : [mend]));
}

test('health: while everything answers, each look is a ping and nothing is mended', () => {
  const course = new Course();
  const judgements = course.run(60_000);
  assert.ok(judgements.every(({ alive, mend, hopeless }) => alive && mend === null && hopeless === null));
});

test('health: a receiver thread that does not turn is told at once as hopeless, in time for a restart within five seconds', () => {
  const course = new Course();
  course.run(10_000);
  course.turns = false;
  const judgements = course.run(6000);
  const hopeless = judgements.findIndex((one) => one.hopeless !== null);
  assert.ok(judgements.slice(0, hopeless).every(({ alive }) => alive));
  assert.ok(judgements.slice(hopeless).every(({ alive }) => !alive));
  // Kill and restart, half a second and the start, come after it.
  assert.ok((hopeless + 1) * course.judge.everyMs <= 3500, String(hopeless));
  assert.match(judgements.at(-1)?.hopeless ?? '', /receiver thread/);
});

test('health: nothing attached, as while the firewall is off or the queue belongs to another, is no hang', () => {
  const course = new Course();
  course.turns = false;
  course.queue = false;
  assert.ok(Array.from({ length: 60 }, () => course.look(null)).every(({ alive }) => alive));
  // What was before does not count when it is attached again.
  assert.equal(course.look().alive, true);
});

test('health: a queue that has gone is mended once, and only if that does not help nothing more is told', () => {
  const course = new Course();
  course.run(5000);
  course.queue = false;
  const until = course.run(1500);
  assert.deepEqual(mends(until), ['the packet queue is not the helper\'s any more']);
  assert.ok(until.every(({ alive }) => alive));
  course.queue = true;
  assert.ok(course.run(10_000).every(({ alive, mend }) => alive && mend === null));
  course.queue = false;
  const after = course.run(6000);
  assert.equal(mends(after).length, 1);
  assert.equal(after.at(-1)?.alive, false);
  assert.match(after.at(-1)?.hopeless ?? '', /queue/);
});

test('health: the receiver thread has a moment to open the queue again by itself', () => {
  const course = new Course();
  course.run(3000);
  course.queue = false;
  assert.deepEqual(mends(course.run(500)), []);
  course.queue = true;
  assert.deepEqual(mends(course.run(5000)), []);
});

test('health: pins that somebody removed are attached anew, with what is wrong with them', () => {
  const course = new Course();
  course.run(3000);
  course.kernelFault = '/sys/fs/bpf/bastion/maps/settings: No such file or directory';
  assert.deepEqual(mends(course.run(2000)), [course.kernelFault]);
});

test('health: after a sleep of the machine, or of the process, nothing looks dead that had no time to answer', () => {
  const course = new Course();
  course.run(5000);
  course.turns = false;
  course.nowMs += 3_600_000;
  assert.deepEqual(course.look(), { alive: true, mend: null, hopeless: null });
  course.turns = true;
  assert.ok(course.run(10_000).every(({ alive }) => alive));
  // A clock that goes back is none either.
  course.nowMs -= 100_000;
  assert.equal(course.look().alive, true);
});

test('health: whatever happens before, one that answers again is alive again, and a dead thread never is', () => {
  const step = fc.record({ turns: fc.boolean(), queue: fc.boolean(), fault: fc.boolean(), laterMs: fc.integer({ min: 0, max: 10_000 }) });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const judge = new HealthJudge(INTERVAL_MS);
    let nowMs = 0;
    let turnNs = 1n;
    for (const { turns, queue, fault, laterMs } of steps) {
      nowMs += laterMs;
      if (turns) turnNs += 1n;
      judge.look({ lastTurnNs: turnNs, queue, kernelFault: fault ? 'x' : '' }, nowMs);
    }
    nowMs += judge.everyMs;
    assert.equal(judge.look({ lastTurnNs: turnNs + 1n, queue: true, kernelFault: '' }, nowMs).alive, true);
    const later = Array.from({ length: 6 }, () => judge.look({ lastTurnNs: turnNs + 1n, queue: true, kernelFault: '' }, (nowMs += judge.everyMs)));
    assert.equal(later.at(-1)?.alive, false);
  }));
});

test('health: the watchdog pings, mends once at a time, and says once that it is hopeless', async () => {
  const said: string[] = [];
  let answers: Answers | null = { lastTurnNs: 1n, queue: true, kernelFault: '' };
  let nowMs = 0;
  let finish: () => void = () => undefined;
  const renewed: string[] = [];
  // The interval is short, so that the real timer turns often; time is the test's own.
  const watchdog = new Watchdog(60, {
    manager: { alive: () => void said.push('alive'), hopeless: () => void said.push('hopeless') },
    logger: { log: (level, message) => void said.push(`${level}: ${message}`), setLevel: () => undefined },
    health: () => answers,
    renew: () => {
      renewed.push('x');
      return new Promise((resolve) => { finish = resolve; });
    },
    nowMs: () => (nowMs += 10),
  });
  const seen = async (wanted: string): Promise<void> => {
    for (const from = said.length; !said.slice(from).includes(wanted);) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  watchdog.start();
  try {
    assert.deepEqual(said, ['alive']);
    answers = { lastTurnNs: 2n, queue: false, kernelFault: '' };
    await seen('error: a part of the firewall has gone; everything is attached anew');
    await seen('alive');
    assert.equal(renewed.length, 1);
    answers = null;
    finish();
    await seen('alive');
    answers = { lastTurnNs: 3n, queue: true, kernelFault: '' };
    await seen('hopeless');
    const heard = said.length;
    for (const looks = nowMs; nowMs < looks + 50;) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(said.slice(heard), []);
  } finally {
    watchdog.stop();
  }
});

test('service manager: WATCHDOG_USEC counts only for this process, and only as a number', () => {
  assert.equal(watchdogInterval({ WATCHDOG_USEC: '3000000' }, 7), 3000);
  assert.equal(watchdogInterval({ WATCHDOG_USEC: '3000000', WATCHDOG_PID: '7' }, 7), 3000);
  assert.equal(watchdogInterval({ WATCHDOG_USEC: '3000000', WATCHDOG_PID: '8' }, 7), null);
  for (const strange of ['', '0', '-1', '1e6', '3s', ' 3', '99999999999999']) {
    assert.equal(watchdogInterval({ WATCHDOG_USEC: strange }, 7), null, strange);
  }
  assert.equal(watchdogInterval({}, 7), null);
});

test('service manager: the status is one printable line, whatever a reason quotes', () => {
  const line = statusLine({
    mode: 'enforcing', state: 'degraded', loadErrors: 2,
    degradedReasons: [
      { code: 'x', text: `The firewall could not be attached: a\nREADY=1\u001b[2J\u202e${'long '.repeat(200)}`, remedy: '' },
      { code: 'y', text: 'Another.', remedy: '' },
    ],
  });
  assert.match(line, /^Mode enforcing, degraded\. The firewall could not be attached: a\\u\{a\}READY=1/);
  assert.match(line, /^[^\p{C}\p{Zl}\p{Zp}]{1,400}$/u);
  assert.equal(statusLine({ mode: 'learning', state: 'off', degradedReasons: [], loadErrors: 0 }), 'Off: nothing is filtered.');
  assert.equal(
    statusLine({ mode: 'learning', state: 'protecting', degradedReasons: [], loadErrors: 0, trial: { before: 'enforcing', endsMs: 1 } }),
    'Mode learning, protecting. On trial, goes back to enforcing.',
  );
});

test('service manager: a reload and the changes of the status are told as systemd wants them', () => {
  const said: string[] = [];
  const manager = new ServiceManager({ notify: (state) => said.push(state) > 0, monotonicNs: () => 5_000_123n });
  // What is told while the start goes on would end it too early.
  manager.reloading();
  manager.reloaded();
  assert.deepEqual(said.splice(0), []);
  manager.ready();
  manager.reloading();
  manager.reloaded();
  manager.status('a');
  manager.status('a');
  manager.status('b');
  assert.deepEqual(said, ['READY=1', 'RELOADING=1\nMONOTONIC_USEC=5000', 'READY=1', 'STATUS=a', 'STATUS=b']);
});

test('service manager: a start that goes on is given more time, until it has taken too long', (context) => {
  context.mock.timers.enable({ apis: ['setInterval'] });
  const said: string[] = [];
  let ns = 0n;
  const manager = new ServiceManager({ notify: (state) => said.push(state) > 0, monotonicNs: () => ns });
  manager.starting();
  const pass = (seconds: number): void => {
    for (let second = 0; second < seconds; second += 5) {
      ns += 5_000_000_000n;
      context.mock.timers.tick(5000);
    }
  };
  pass(20);
  assert.deepEqual(said, ['STATUS=Starting.', ...Array<string>(4).fill('EXTEND_TIMEOUT_USEC=20000000')]);
  pass(400);
  const most = said.length;
  assert.ok(most <= 62);
  pass(100);
  assert.equal(said.length, most);
  manager.ready();
  assert.equal(said.at(-1), 'READY=1');
});
