/** What the kernel remembers while the rules change, the helper restarts and time passes: on real connections. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import { Lab } from '../lab/lab.ts';
import { clientOf, copyInto, noLab, program, promptFor, until } from './support.ts';

const ECHO = 7;
/** A lost packet of an open connection is sent again after 200 ms at the earliest. Source: include/net/tcp.h TCP_RTO_MIN. */
const NO_GAP_MS = 190;

/** A program that sends without end, and what became of that since it was last asked. */
class Traffic {
  readonly path: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(path: string, child: ChildProcess, lines: AsyncIterator<string>) {
    this.path = path;
    this.#child = child;
    this.#lines = lines;
  }

  /** Begun, but not yet told to be ready. */
  static start(lab: Lab, name: string, way: 'stream' | 'datagrams'): Traffic {
    const path = copyInto(lab, program('traffic'), name);
    const child = lab.spawn([path, way, lab.peer4, String(ECHO), name], { stdio: ['pipe', 'pipe', lab.logDescriptor] });
    assert.ok(child.stdout !== null);
    return new Traffic(path, child, createInterface({ input: child.stdout })[Symbol.asyncIterator]());
  }

  async ready(): Promise<void> {
    assert.equal(await this.#line(), 'ready');
  }

  async ask(): Promise<{ readonly received: number; readonly gapMs: number; readonly ended: boolean; readonly error: string }> {
    this.#child.stdin?.write('\n');
    const said = new Map((await this.#line()).split(' ').map((pair) => pair.split('=') as [string, string]));
    return {
      received: Number(said.get('received')), gapMs: Number(said.get('gap_ms')), ended: Number(said.get('ended_ms')) > 0,
      error: said.get('error') ?? '',
    };
  }

  async stop(): Promise<void> {
    const gone = once(this.#child, 'exit');
    this.#child.stdin?.end();
    this.#child.kill();
    await gone;
  }

  async #line(): Promise<string> {
    const { value } = await this.#lines.next() as { readonly value: string };
    return value;
  }
}

describe('memory', { skip: noLab() }, () => {
  let lab: Lab;
  let client: HelperClient;
  const running: Traffic[] = [];
  before(async () => {
    lab = await Lab.create();
    client = clientOf(lab);
  });
  after(async () => {
    await Promise.all(running.map((traffic) => traffic.stop()));
    client.close();
    await lab.dispose();
  });

  /** Sends, allowed by a rule. */
  async function allowed(name: string, way: 'stream' | 'datagrams', rule: object = {}): Promise<readonly [Traffic, string]> {
    const id = await client.addRule({ action: 'allow', path: `${lab.folder}/bin/${name}`, ...rule });
    const traffic = Traffic.start(lab, name, way);
    running.push(traffic);
    await traffic.ready();
    return [traffic, id];
  }

  for (const way of ['stream', 'datagrams'] as const) {
    test(`${way}: rules of others come and go without a gap; a denial ends it and nothing arrives any more`, async () => {
      const [traffic, id] = await allowed(`goes-on-${way}`, way);
      await traffic.ask();
      for (let round = 0; round < 5; round += 1) {
        const other = await client.addRule({ action: 'deny', path: '/usr/bin/other', port: String(round + 1) });
        await client.removeRule(other);
      }
      const going = await traffic.ask();
      assert.ok(going.received > 0);
      assert.ok(going.gapMs < NO_GAP_MS, `${String(going.gapMs)} ms without an answer`);
      await client.updateRule(id, { action: 'deny' });
      await lab.peer.watch();
      if (way === 'stream') assert.equal((await until('the end', async () => { const said = await traffic.ask(); return said.ended ? said : null; })).ended, true);
      // What was on its way when the rule changed has arrived.
      await lab.peer.watch();
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.equal((await lab.peer.counts()).of(`tag/goes-on-${way}`), 0);
    });
  }

  test('a rule that goes leaves an open connection undecided: it is asked about, and the answer lets it go on', async () => {
    const [traffic, id] = await allowed('asked-again', 'stream');
    await client.removeRule(id);
    const prompt = await promptFor(client, traffic.path);
    assert.equal(prompt.port, ECHO);
    await client.answer(prompt.nonce, { action: 'allow', lifetime: 'once', scope: 'host' });
    await traffic.ask();
    const said = await until('more answers', async () => { const one = await traffic.ask(); return one.received > 0 ? one : null; });
    assert.equal(said.error, '-');
    assert.equal(said.ended, false);
  });

  test('a rule that only holds for a time ends the connection with it, and not before', async () => {
    const [traffic] = await allowed('for-a-time', 'stream', { lifetime: 'until', until_ms: Date.now() + 3000 });
    await traffic.ask();
    const prompt = await promptFor(client, traffic.path);
    assert.ok(Date.now() - prompt.raised_ms < 5000);
    const { received } = await traffic.ask();
    assert.ok(received > 0, 'it went on until then');
  });

  test('what the kernel decides counts for the rule', async () => {
    const [traffic, id] = await allowed('counted', 'datagrams');
    const hits = async (): Promise<number> => (await client.getRule(id)).hits;
    const more = await until('hits', async () => { const count = await hits(); return count > 5 ? count : null; });
    assert.ok(more > 5);
    assert.equal((await traffic.ask()).error, '-');
  });

  test('a helper that is killed and comes back knows what was decided: nothing pauses, nobody is asked', async () => {
    const [traffic] = await allowed('survives', 'stream');
    await traffic.ask();
    await lab.restartHelper('SIGKILL');
    client.close();
    client = clientOf(lab);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { gapMs, error } = await traffic.ask();
    assert.equal(error, '-');
    assert.ok(gapMs < NO_GAP_MS, `${String(gapMs)} ms without an answer`);
    assert.equal((await client.queryFlows({ path: traffic.path }, 10, '')).rows.length, 0, 'no question reached the engine');
  });
});
