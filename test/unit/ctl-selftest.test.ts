/** The leak test against a scripted helper and probe: what a score means, and that its rules and the helper always come back. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BastionError } from '../../helper/contract/errors.ts';
import { leakTest } from '../../helper/ctl/selftest/leaks.ts';
import type { LeakTest } from '../../helper/ctl/selftest/leaks.ts';
import { PROBES, readOutcome, scoreOf, targetProblem } from '../../helper/ctl/selftest/probes.ts';
import type { Outcome } from '../../helper/ctl/selftest/probes.ts';
import type { ProbeRunner } from '../../helper/ctl/selftest/runner.ts';
import { ScriptedClient, bastionctl } from './ctl-support.ts';

const TARGET = '192.0.2.1';

class Bench {
  readonly client = new ScriptedClient();
  readonly done: string[] = [];
  /** Verbs that systemd refuses. */
  refuses: readonly string[] = [];
  outcome: (program: string, kind: string) => Outcome = () => ({ what: 'refused', detail: 'EPERM' });
  #rules = 0;

  constructor() {
    this.client.addRule = (edit) => {
      this.#rules += 1;
      this.done.push(`add ${String(edit.action)} ${String(edit.path)} ${String(edit.lifetime)}`);
      return Promise.resolve(`rule${String(this.#rules)}`);
    };
    this.client.removeRule = (id) => {
      this.done.push(`remove ${id}`);
      return Promise.resolve();
    };
  }

  readonly runner: ProbeRunner = {
    uid: 1000,
    ownAddresses: new Set(),
    probePath: () => Promise.resolve('/p/probe'),
    run: (program, argv0, { kind }) => {
      if (program !== argv0) this.done.push(`spoof ${program} as ${argv0}`);
      return Promise.resolve(this.outcome(program, kind));
    },
    copy: () => Promise.resolve({ path: '/tmp/copy', remove: () => Promise.resolve(void this.done.push('remove copy')) }),
    service: (verb) => {
      this.done.push(verb);
      return Promise.resolve(!this.refuses.includes(verb));
    },
    wait: () => Promise.resolve(),
  };

  run(change: Partial<LeakTest> = {}): ReturnType<typeof leakTest> {
    return leakTest({ client: this.client, runner: this.runner, targets: [TARGET], stopHelper: false, stopped: () => false, ...change });
  }

  /** Rules that are still there. */
  get left(): number {
    return this.done.filter((one) => one.startsWith('add ')).length - this.done.filter((one) => one.startsWith('remove rule')).length;
  }
}

test('a score: only an answer is a leak, and silence counts only where it was not silent when allowed', () => {
  const [tcp, , , , , , own] = PROBES;
  assert.ok(tcp !== undefined && own !== undefined);
  const answered: Outcome = { what: 'answered', detail: 'connected' };
  const reset: Outcome = { what: 'reset', detail: '' };
  const silent: Outcome = { what: 'silent', detail: '' };
  assert.equal(scoreOf(tcp, TARGET, answered, answered).result, 'leak');
  assert.equal(scoreOf(tcp, TARGET, silent, answered).result, 'leak');
  assert.equal(scoreOf(tcp, TARGET, answered, reset).result, 'refused', 'the firewall resets too');
  assert.equal(scoreOf(tcp, TARGET, reset, reset).result, 'unknown', 'whose reset is it?');
  assert.equal(scoreOf(tcp, TARGET, silent, silent).result, 'unknown');
  assert.equal(scoreOf(tcp, TARGET, answered, { what: 'unable', detail: 'EACCES' }).result, 'unknown');
  assert.equal(scoreOf(own, TARGET, null, { what: 'refused', detail: 'ENETUNREACH' }).result, 'refused');
});

test('what the probe prints is one short line, or it could not be run', () => {
  assert.deepEqual(readOutcome('answered echo reply\n'), { what: 'answered', detail: 'echo reply' });
  assert.deepEqual(readOutcome('silent\n'), { what: 'silent', detail: '' });
  for (const line of ['', 'refused \x1b[2J\n', 'answered\nanswered\n', 'leaked all', `refused ${'x'.repeat(41)}`]) {
    assert.equal(readOutcome(line).what, 'unable', line);
  }
});

test('targets: addresses of other machines, no names', () => {
  for (const good of ['192.0.2.1', '10.0.0.1', '2001:db8::1', 'fd00::1']) assert.equal(targetProblem(good, new Set()), null, good);
  const bad = ['example.org', '', '127.0.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '::1', '::', 'fe80::1', 'ff02::1', '::ffff:127.0.0.1', '1.2.3.4%x', '192.0.2.9'];
  for (const address of bad) assert.notEqual(targetProblem(address, new Set(['192.0.2.9'])), null, address);
});

describe('the leak test', () => {
  test('allows, spoofs, denies before it takes the allowance away, and leaves nothing', async () => {
    const bench = new Bench();
    const scores = await bench.run();
    assert.equal(scores.length, PROBES.length + 1);
    assert.deepEqual(bench.done, [
      'add deny /tmp/copy boot', 'add allow /p/probe boot', 'spoof /tmp/copy as /p/probe', 'add deny /p/probe boot', 'remove rule2',
      'remove copy', 'remove rule1', 'remove rule3',
    ]);
  });

  test('a helper that refuses a rule, and somebody who wants to stop, leave nothing either', async () => {
    const refused = new Bench();
    const { addRule } = refused.client;
    refused.client.addRule = (edit) => (edit.action === 'allow' ? Promise.reject(new BastionError('NotAuthorized')) : addRule(edit));
    await assert.rejects(refused.run(), (error) => error instanceof BastionError && error.code === 'NotAuthorized');
    const stopped = new Bench();
    await assert.rejects(stopped.run({ stopped: () => true }), /Stopped before its end/);
    for (const bench of [refused, stopped]) assert.deepEqual([bench.left, bench.done.includes('remove copy')], [0, true]);
  });

  test('a rule that cannot be removed is told, after the others were removed', async () => {
    const bench = new Bench();
    const { removeRule } = bench.client;
    bench.client.removeRule = (id) => (id === 'rule1' ? Promise.reject(new BastionError('Busy')) : removeRule(id));
    await assert.rejects(bench.run(), (error) => error instanceof BastionError && error.code === 'Busy');
    assert.equal(bench.left, 1);
  });

  test('--stop-helper: the helper is started again, also when it could not be stopped', async () => {
    const bench = new Bench();
    const scores = await bench.run({ stopHelper: true });
    assert.deepEqual([scores.at(-1)?.name, scores.at(-1)?.result], ['a denied program while the helper is stopped', 'refused']);
    assert.deepEqual(bench.done.filter((one) => one === 'stop' || one === 'start'), ['stop', 'start']);
    for (const refuses of ['stop', 'start']) {
      const other = new Bench();
      other.refuses = [refuses];
      await assert.rejects(other.run({ stopHelper: true }), refuses === 'stop' ? /could not stop/ : /could not be started again/);
      assert.deepEqual([other.done.includes('start'), other.left], [true, 0]);
    }
  });
});

test('selftest: what cannot be is refused before the helper is asked', async () => {
  const cases = [['--target', 'example.org'], ['--target', '127.0.0.1'], ['--target', '192.0.2.1,192.0.2.2,192.0.2.3'], ['--stop-helper']];
  for (const args of [...cases, ['--host', 'x', '--target', TARGET]]) {
    const { exitCode, stdout, client } = await bastionctl(['selftest', ...args]);
    assert.deepEqual([exitCode, stdout, client.calls], [2, '', []], args.join(' '));
  }
});
