import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../property.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import type { RuleEdit } from '../../helper/contract/types.ts';
import type { Verdict } from '../../helper/contract/vocabulary.ts';
import type { Ask } from '../../helper/ports.ts';
import { Rig } from './engine-support.ts';

const LIFETIMES = ['once', 'process', 'session', 'boot', 'until', 'always'] as const;
const HOSTS = ['10.0.0.1', '10.0.0.2', '10.9.9.9'];
const PORTS = [443, 25, 8080];

type Step =
  | { readonly do: 'ask'; readonly program: number; readonly host: number; readonly port: number; readonly pid: number; readonly known: boolean }
  | { readonly do: 'answer'; readonly pick: number; readonly action: 'allow' | 'deny' | 'drop'; readonly lifetime: number; readonly scope: 'host' | 'port' | 'any' }
  | { readonly do: 'add'; readonly edit: RuleEdit; readonly program: number | null; readonly untilMs: number }
  | { readonly do: 'remove' | 'ended' | 'probe'; readonly pick: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'pause' | 'resume' | 'learning' | 'enforcing' | 'logout' };

const edit: fc.Arbitrary<RuleEdit> = fc.record(
  {
    action: fc.constantFrom('allow', 'deny', 'drop', 'ask'),
    address: fc.constantFrom('10.0.0.1', '10.0.0.0/24', '0.0.0.0/0'),
    port: fc.constantFrom('443', '25', '1-1000'),
    user: fc.constantFrom('alice', 'bob'),
    lifetime: fc.constantFrom('always', 'boot', 'until'),
    schedule: fc.constantFrom('00:00-12:00', '12:00-24:00', 'mon-wed'),
    priority: fc.constantFrom(-1, 1),
  },
  { requiredKeys: ['action'] },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({
    do: fc.constant('ask' as const), program: fc.nat(2), host: fc.nat(2), port: fc.constantFrom(0, 0, 1, 2), pid: fc.integer({ min: 1, max: 2 }),
    known: fc.constantFrom(true, true, true, false),
  }) },
  { weight: 4, arbitrary: fc.record({
    do: fc.constant('answer' as const), pick: fc.nat(9), action: fc.constantFrom('allow', 'allow', 'deny', 'drop'),
    lifetime: fc.nat(LIFETIMES.length - 1), scope: fc.constantFrom('host', 'port', 'any'),
  }) },
  { weight: 2, arbitrary: fc.record({
    do: fc.constant('add' as const), edit, program: fc.option(fc.nat(2)), untilMs: fc.integer({ min: 1_000, max: 100_000 }),
  }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('remove', 'ended', 'probe', 'probe', 'probe'), pick: fc.nat(99) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(10, 999, 31_000, 59_000, 3_600_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('pause', 'resume', 'learning', 'enforcing', 'logout') }) },
);

interface AskOf {
  readonly program: number;
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  readonly known: boolean;
  readonly reply?: boolean;
}

/** The engine with everything that ever happened to each flow. */
class World {
  readonly rig = Rig.with();
  readonly asks: number[] = [];
  /** Ask -> when it came, as the number of answers given before. */
  readonly came = new Map<number, number>();
  readonly endedOutside = new Set<number>();
  answersGiven = 0;
  remembered: Verdict | null = null;

  async run(one: Step): Promise<void> {
    const { engine, time } = this.rig;
    switch (one.do) {
      case 'ask':
        this.ask({ program: one.program, host: HOSTS[one.host] ?? '', port: PORTS[one.port] ?? 0, pid: one.pid, known: one.known });
        return;
      case 'answer':
        return this.answer(one);
      case 'add': {
        const until = one.edit.lifetime === 'until' ? { until_ms: time.wallMs() + one.untilMs } : {};
        const path = one.program === null ? {} : { path: `/p${String(one.program)}` };
        await engine.addRule({ ...one.edit, ...until, ...path });
        return;
      }
      case 'remove': {
        const rules = engine.ruleInfos();
        const rule = rules[one.pick % Math.max(1, rules.length)];
        if (rule !== undefined) await engine.removeRule(rule.id);
        return;
      }
      case 'ended': {
        const held = this.held();
        const id = held[one.pick % Math.max(1, held.length)];
        if (id === undefined) return;
        this.endedOutside.add(id);
        engine.onEnded([id]);
        return;
      }
      case 'probe':
        this.probe(one.pick);
        return;
      case 'wait':
        time.pass(one.ms);
        return;
      case 'pause':
        engine.pause(45_000);
        return;
      case 'resume':
        engine.resume();
        return;
      case 'logout':
        this.rig.setSessions(this.rig.sessions.length === 0 ? [{ id: 's2', uid: 1000, active: true, remote: false, locked: false }] : []);
        return;
      default:
        await engine.setMode(one.do);
    }
  }

  ask({ program, host, port, pid, known, reply = false }: AskOf, before: (ask: Ask) => void = () => undefined): number {
    const path = `/p${String(program)}`;
    const executable = { device: 1, inode: BigInt(program + 1), generation: 0, ctimeSec: 1 };
    const ask = this.rig.make({
      ...(known ? { path } : { path: null, claimedPath: path }), owner: { pid, executable },
      tuple: { destinationAddress: host, destinationPort: port }, answersPeer: reply,
    });
    const { id } = ask;
    before(ask);
    this.rig.engine.onAsks([ask]);
    this.asks.push(id);
    this.came.set(id, this.answersGiven);
    return id;
  }

  async answer(one: Step & { readonly do: 'answer' }): Promise<void> {
    const { engine, time, dataPath } = this.rig;
    const views = engine.prompts();
    const view = views[one.pick % Math.max(1, views.length)];
    const lifetime = LIFETIMES[one.lifetime];
    if (view === undefined || lifetime === undefined) return;
    this.answersGiven += 1;
    const heldBefore = new Set(this.held());
    const told = dataPath.answers.length;
    const until = lifetime === 'until' ? { until_ms: time.wallMs() + 50_000 } : {};
    try {
      await engine.answer(view.info.nonce, { action: one.action, lifetime, scope: one.scope, ...until });
    } catch (error: unknown) {
      // Not offered to this prompt, or too late for once: then nothing may have been decided.
      assert.ok(error instanceof BastionError);
      assert.equal(dataPath.answers.length, told);
      return;
    }
    for (const { id } of dataPath.answers.slice(told)) assert.ok(heldBefore.has(id), 'an answer decides what was held, nothing else');
  }

  /** What the kernel would repeat now is what the engine says when it is asked anew. */
  probe(pick: number): void {
    const { dataPath, time } = this.rig;
    const [host = '', port = 0] = [HOSTS[(pick >> 2) % 3], PORTS[(pick >> 4) % 3]];
    const id = this.ask({ program: pick % 3, host, port, pid: 77, known: true, reply: pick % 5 === 0 }, (ask) => {
      this.remembered = dataPath.recall(ask, time.ns);
    });
    if (this.remembered !== null) assert.equal(dataPath.last(id).verdict, this.remembered);
  }

  held(): readonly number[] {
    return this.asks.filter((id) => !this.endedOutside.has(id) && this.rig.dataPath.last(id).verdict === 'hold');
  }

  check(): void {
    const { dataPath, engine, flows } = this.rig;
    for (const id of this.asks) {
      const told = dataPath.told(id);
      assert.ok(told.length === 1 || (told.length === 2 && told[0] === 'hold' && told[1] !== 'hold'), `told ${told.join(' ')}`);
      const records = flows.filter((flow) => flow.tuple.sourcePort === 30_000 + id);
      const decided = told.at(-1) !== 'hold' || this.endedOutside.has(id);
      assert.equal(records.length, decided ? 1 : 0, 'one record for each decided flow');
      const [record] = records;
      if (told.at(-1) === 'accept') assert.equal(record?.decision.action, 'allow', 'nothing passes that nobody allowed');
      if (told.length === 1) assert.notEqual(record?.decision.reason, 'prompt-answer', 'an answer never covers what came later');
    }
    const shown = engine.prompts().filter((view) => view.info.status === 'pending');
    assert.equal(shown.length > 0, this.held().length > 0, 'what is held can be answered');
    assert.ok(this.held().length >= shown.length);
  }
}

test('Engine: every flow is answered once or held by a prompt, nothing passes unallowed, memory equals the rules', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 50, size: 'max' }), async (steps) => {
    const world = new World();
    for (const one of steps) {
      await world.run(one);
      world.check();
    }
  }), { numRuns: 250 });
});
