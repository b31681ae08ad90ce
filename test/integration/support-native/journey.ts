/** What every build of the addon must do, plain or sanitized. */
import assert from 'node:assert/strict';
import type { NativeAsk, NativeRemembered, NativeVerdict } from '../../../native/binding.ts';
import { PEER4, PEER6 } from './bed.ts';
import type { Bed } from './bed.ts';
import type { Host } from './host-client.ts';

const ECONNREFUSED = 111;

/** The decision for every flow of the ask's program to the ask's destination. */
export function programDecision(ask: NativeAsk, verdict: NativeVerdict, untilNs = 0n): NativeRemembered {
  assert.ok(ask.owner !== null);
  const { executable, uid, networkNamespace } = ask.owner;
  const { protocol, family, destinationAddress, destinationPort } = ask.tuple;
  return {
    form: 'exact', reply: false, executable, uid, networkNamespace, protocol, family, destinationAddress, destinationPort, verdict, untilNs,
    hitSlot: 0,
  };
}

/** TCP and UDP over IPv4 and IPv6, accepted and refused. */
export async function answersObeyed(bed: Bed, host: Host): Promise<void> {
  for (const address of [PEER4, PEER6]) {
    for (const mode of ['tcp', 'udp-echo'] as const) {
      for (const verdict of ['accept', 'refuse'] as const) {
        const ended = bed.traffic(mode, address, 7);
        const ask = await host.nextAsk();
        assert.equal(ask.path, bed.program);
        assert.equal(ask.evidence, 'kernel');
        assert.equal(ask.owner?.uid, 0);
        assert.equal(ask.owner.command, 'traffic');
        assert.equal(ask.tuple.destinationAddress, address);
        assert.equal(ask.tuple.destinationPort, 7);
        assert.equal(await host.answer({ id: ask.id, verdict }), 1);
        assert.equal(await ended === 0, verdict === 'accept', `${mode} to ${address}, ${verdict}`);
      }
    }
  }
}

export async function deadlineGivesDefault(bed: Bed, host: Host): Promise<void> {
  const ended = bed.traffic('tcp', PEER4, 7);
  const ask = await host.nextAsk();
  assert.equal(await ended, ECONNREFUSED);
  const end = await host.until('the end of the ask', () => host.ended[0]);
  assert.deepEqual(end, { id: ask.id, why: 'deadline' });
  assert.equal(await host.answer({ id: ask.id, verdict: 'accept' }), 0, 'an answer came too late');
  assert.equal((await host.counters()).defaultVerdicts, 1);
}

export async function decidesWithoutAsking(bed: Bed, host: Host): Promise<void> {
  const child = bed.start(bed.program, ['udp-on-demand', PEER4, 7]);
  child.stdin?.write('1\n');
  const flow = await host.nextAsk();
  await host.answer({ id: flow.id, verdict: 'accept', rememberUntilNs: 0n });
  child.stdin?.write('2\n');
  for (let allowed = 0; allowed < 1;) allowed = (await host.counters()).kernelAllowed;
  await host.call({ op: 'replaceAll', programs: [], flows: [], policy: 1n });
  child.stdin?.write('3\n');
  const again = await host.nextAsk();
  assert.deepEqual(again.tuple, flow.tuple);

  await host.call({ op: 'remember', entries: [programDecision(again, 'refuse')] });
  await host.answer({ id: again.id, verdict: 'refuse' });
  child.stdin?.end();
  const { packets, kernelRefused } = await host.counters();
  assert.notEqual(await bed.traffic('udp-echo', PEER4, 7), 0);
  const later = await host.counters();
  assert.equal(later.packets, packets, 'a refused packet came to the queue');
  assert.ok(later.kernelRefused > kernelRefused);
}

/** Waits for as long as an unanswered ask lives: longer than anything in the receiver takes to settle. */
export async function letAskExpire(bed: Bed, host: Host): Promise<void> {
  const other = bed.copy(`waiting-${String(host.ended.length)}`);
  const ended = bed.run(other, ['tcp', PEER4, 7]);
  const ask = await host.nextAsk((one) => one.path === other);
  await host.until('the deadline', () => host.ended.find((end) => end.id === ask.id));
  await ended;
}

/** The counters once the receiver has taken this many packets: a sender is done before they are. */
async function countersAfter(host: Host, packets: number): Promise<Awaited<ReturnType<Host['counters']>>> {
  for (;;) {
    const counters = await host.counters();
    if (counters.packets >= packets) return counters;
  }
}

export async function limitsHold(bed: Bed, host: Host): Promise<void> {
  await bed.traffic('udp-send', PEER4, 7, 10);
  await host.nextAsk();
  assert.equal((await countersAfter(host, 10)).held, 3);
  await bed.traffic('udp-send', PEER6, 7, 10);
  const { held, limitDrops } = await countersAfter(host, 20);
  assert.equal(held, 5);
  assert.equal(limitDrops, 15);
}
