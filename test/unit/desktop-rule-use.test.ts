/** How often rules were used: what is asked of the helper for it, and what is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { RuleUse, LIVE_USE_RULES } from '../../desktop/client/rule-use.ts';
import { HelperSession } from '../../desktop/client/session.ts';
import type { PromptRelay } from '../../desktop/client/session.ts';
import type { RuleInfo } from '../../helper/contract/types.ts';
import { ruleInfoOf, statusOf } from '../desktop/samples.ts';
import { StandInClient } from '../desktop/stand-in-client.ts';

const LEAST_MS = 2000;
const never = (): Promise<never> => new Promise(() => undefined);
const RELAY: PromptRelay = { answer: never, forget: () => undefined, hold: never, listPrompts: never, dismissPrompts: never };

/** A window's session with these rules read, and what RuleUse asks from then on. */
class Desk {
  readonly client: StandInClient;
  readonly session: HelperSession;
  readonly use: RuleUse;
  /** Cursors of the pages that were asked for. */
  readonly asked: string[] = [];
  changes = 0;
  #nowMs = 1_000_000;
  #packets = 100;
  readonly #timers: TestContext['mock']['timers'];

  private constructor(t: TestContext) {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    this.#timers = t.mock.timers;
    this.client = new StandInClient(statusOf(), ({ call, args }) => { if (call === 'listRules') this.asked.push(String(args[1])); });
    this.session = new HelperSession(this.client, { nowMs: () => this.#nowMs, wallMs: () => 1_800_000_000_000 + this.#nowMs }, RELAY);
    this.use = new RuleUse(this.session, () => { this.changes += 1; });
  }

  static async of(t: TestContext, rules: readonly RuleInfo[]): Promise<Desk> {
    const desk = new Desk(t);
    desk.client.rules = [...rules];
    desk.session.start(null);
    desk.client.setConnected(true);
    await desk.settle();
    assert.equal(desk.session.rules.kind, 'ready');
    desk.asked.length = 0;
    return desk;
  }

  /** Everything that is under way and needs no time comes to its end. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn += 1) {
      this.#timers.tick(0);
      await new Promise<void>((resolve) => { setImmediate(resolve); });
    }
  }

  async pass(ms: number): Promise<void> {
    this.#nowMs += ms;
    this.#timers.tick(ms);
    await this.settle();
  }

  /** Connections were decided, by a rule that has now so many hits. */
  async decide(hits: number): Promise<void> {
    // Without the signal by which the rules would be read anew: that is sent for other rules, not for their use.
    this.client.rules = this.client.rules.map((rule, at) => (at === 0 ? { ...rule, hits, last_hit_ms: hits } : rule));
    this.#packets += 1;
    const { statistics } = statusOf();
    this.client.setStatus({ statistics: { ...statistics, packets: this.#packets } });
    await this.settle();
  }

  get hits(): number | undefined {
    const { rules } = this.session;
    const [first] = rules.kind === 'ready' ? rules.rules : [];
    return first === undefined ? undefined : this.use.of(first).hits;
  }
}

function rulesOf(count: number): readonly RuleInfo[] {
  return Array.from({ length: count }, (_none, at) => ruleInfoOf({ id: `rule-${String(at)}` }));
}

test('use of rules: while nobody looks nothing is asked, however much is decided', async (t) => {
  const desk = await Desk.of(t, rulesOf(3));
  for (let hits = 1; hits < 5; hits += 1) {
    await desk.decide(hits);
    await desk.pass(60_000);
  }
  desk.use.start();
  await desk.settle();
  assert.equal(desk.hits, 4, 'who looks sees it at once');
  desk.asked.length = 0;
  desk.use.stop();
  await desk.decide(9);
  await desk.pass(60_000);
  assert.deepEqual(desk.asked, []);
  assert.equal(desk.hits, 4);
});

test('use of rules: a reading that waits is dropped when nobody looks any more', async (t) => {
  const desk = await Desk.of(t, rulesOf(3));
  desk.use.start();
  await desk.settle();
  desk.asked.length = 0;
  await desk.decide(1);
  desk.use.stop();
  await desk.pass(60_000);
  assert.deepEqual(desk.asked, []);
});

test('use of rules: between two readings lie at least two seconds, and the last decision is not forgotten', async (t) => {
  const desk = await Desk.of(t, rulesOf(3));
  desk.use.start();
  await desk.settle();
  assert.deepEqual(desk.asked, ['']);
  for (let hits = 1; hits <= 19; hits += 1) {
    await desk.decide(hits);
    await desk.pass(100);
  }
  assert.deepEqual(desk.asked, [''], 'not before two seconds have passed');
  await desk.pass(100);
  assert.deepEqual(desk.asked, ['', '']);
  assert.equal(desk.hits, 19);
  await desk.pass(60_000);
  assert.deepEqual(desk.asked, ['', ''], 'nothing was decided since');
  await desk.decide(20);
  assert.deepEqual(desk.asked, ['', '', ''], 'at once, for the last reading is long ago');
  await desk.decide(21);
  await desk.pass(LEAST_MS - 1);
  assert.equal(desk.asked.length, 3);
  await desk.pass(1);
  assert.equal(desk.asked.length, 4);
});

test('use of rules: a status in which nothing was decided asks nothing', async (t) => {
  const desk = await Desk.of(t, rulesOf(3));
  desk.use.start();
  await desk.decide(1);
  await desk.pass(LEAST_MS);
  desk.asked.length = 0;
  const { statistics } = desk.client.current;
  desk.client.setStatus({ statistics: { ...statistics, uptime_ms: 9_000_000, held: 3 }, profile: 'work' });
  await desk.pass(60_000);
  assert.deepEqual(desk.asked, []);
});

test('use of rules: it is told only when a number is another', async (t) => {
  const desk = await Desk.of(t, rulesOf(3));
  desk.use.start();
  await desk.settle();
  assert.equal(desk.changes, 0);
  await desk.pass(LEAST_MS);
  await desk.decide(5);
  assert.equal(desk.changes, 1);
  await desk.pass(LEAST_MS);
  await desk.decide(5);
  assert.deepEqual([desk.changes, desk.asked.length], [1, 3]);
});

test(`use of rules: ${String(LIVE_USE_RULES)} rules are read in pages, and one more is not worth it`, async (t) => {
  const most = await Desk.of(t, rulesOf(LIVE_USE_RULES));
  most.use.start();
  await most.settle();
  assert.deepEqual(most.asked, ['', '500', '1000', '1500']);
  t.mock.timers.reset();
  const more = await Desk.of(t, rulesOf(LIVE_USE_RULES + 1));
  more.use.start();
  await more.decide(7);
  await more.pass(60_000);
  assert.deepEqual(more.asked, []);
  assert.equal(more.hits, 0, 'as when the rules were read');
});

test('use of rules: a helper that never comes to an end, or that has more rules by now, is asked for no more than that', async (t) => {
  const desk = await Desk.of(t, rulesOf(3));
  desk.client.rules = [...rulesOf(LIVE_USE_RULES * 3)];
  desk.use.start();
  await desk.settle();
  assert.deepEqual(desk.asked, ['', '500', '1000', '1500']);
});

test('use of rules: without the helper nothing is asked, a refusal is silent, and both end by themselves', async (t) => {
  const desk = await Desk.of(t, rulesOf(3));
  desk.client.setConnected(false);
  desk.use.start();
  await desk.decide(1);
  await desk.pass(60_000);
  assert.deepEqual(desk.asked, []);
  desk.client.setConnected(true);
  desk.client.refusals.set('listRules', { code: 'NotAuthorized' });
  await desk.pass(60_000);
  await desk.decide(2);
  desk.client.refusals.delete('listRules');
  desk.session.loadRules();
  await desk.pass(60_000);
  await desk.decide(3);
  assert.equal(desk.hits, 3);
});

test('use of rules: numbers of before never stand beside rules that were read later', async (t) => {
  const desk = await Desk.of(t, rulesOf(2));
  desk.use.start();
  await desk.settle();
  await desk.pass(LEAST_MS);
  await desk.decide(8);
  assert.equal(desk.hits, 8);
  assert.equal(desk.use.of(ruleInfoOf({ id: 'rule-0', hits: 12 })).hits, 12, 'a later reading has more');
  desk.use.clear();
  assert.equal(desk.use.of(ruleInfoOf({ id: 'rule-0', hits: 2 })).hits, 2, 'the counters began anew');
});
