/** Counts of refused packets: shared by all who ask, and true over changes of the rules that fail. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRuleset } from '../../helper/adapters/netfilter.ts';
import { RefusedPackets } from '../../helper/adapters/netfilter/refused.ts';
import { findTools } from '../../helper/adapters/netfilter/tool.ts';
import type { InboundSpec } from '../../helper/ports.ts';

const WAN: InboundSpec = { ways: [], zones: [{ name: 'wan', allow: [] }] };
const LAN: InboundSpec = { ways: [], zones: [{ name: 'lan', allow: [] }] };

class Rig {
  nowMs = 0;
  listings = 0;
  readonly packets = { 4: 0, 6: 0 };
  /** While set, listings wait for it. */
  gate: Promise<void> = Promise.resolve();
  readonly refused = new RefusedPackets({
    list: async (family) => {
      this.listings += 1;
      const listing = `[${String(this.packets[family])}:1] -A BASTION_INBOUND_1 -j DROP\n`;
      await this.gate;
      return listing;
    },
    nowMs: () => this.nowMs,
  });

  /** Fails at the first family that is not among these. */
  async apply(next: InboundSpec | undefined, families: readonly (4 | 6)[] = [4, 6]): Promise<void> {
    await this.refused.duringChange(async () => {
      for (const family of [4, 6] as const) {
        const replaced = await this.refused.replacing(family, next);
        if (!families.includes(family)) break;
        this.packets[family] = 0;
        replaced();
        replaced();
      }
    });
  }

  async now(): Promise<Readonly<Record<string, number>>> {
    this.nowMs += 2000;
    return Object.fromEntries(await this.refused.current());
  }
}

test('refused: many who ask share one count for a second, also one that fails', async () => {
  const rig = new Rig();
  await rig.apply(WAN);
  const counts = await Promise.all(Array.from({ length: 64 }, () => rig.refused.current()));
  rig.nowMs += 999;
  await rig.refused.current();
  assert.deepEqual([rig.listings, counts.length], [2, 64]);
  rig.nowMs += 1;
  rig.gate = Promise.reject(new Error('they cannot be listed'));
  await assert.rejects(rig.refused.current(), /cannot be listed/u);
  await assert.rejects(rig.refused.current(), /cannot be listed/u);
  assert.equal(rig.listings, 3);
});

test('refused: what chains had counted is kept when they are replaced, and not counted twice when that fails', async () => {
  const rig = new Rig();
  await rig.apply(WAN);
  Object.assign(rig.packets, { 4: 5, 6: 7 });
  assert.deepEqual(await rig.now(), { wan: 12 });
  // Fails before anything is replaced.
  await rig.apply(LAN, []);
  await rig.apply(LAN, []);
  assert.deepEqual(await rig.now(), { wan: 12 });
  // Fails half way: the chains of IPv4 are the new zone's.
  await rig.apply(LAN, [4]);
  rig.packets[4] = 2;
  assert.deepEqual(await rig.now(), { wan: 12, lan: 2 });
  await rig.apply(undefined);
  assert.deepEqual(await rig.now(), { wan: 12, lan: 2 });
});

test('refused: while the rules change, the last count is told', async () => {
  const rig = new Rig();
  await rig.apply(WAN);
  rig.packets[4] = 5;
  assert.deepEqual(await rig.now(), { wan: 5 });
  let open = (): void => undefined;
  rig.gate = new Promise((resolve) => { open = resolve; });
  const crossed = rig.now();
  rig.packets[4] = 6;
  const applied = rig.apply(WAN);
  open();
  await applied;
  assert.deepEqual(await crossed, { wan: 5 });
  await rig.refused.duringChange(async () => { assert.deepEqual(await rig.now(), { wan: 5 }); });
  assert.deepEqual(await rig.now(), { wan: 6 });
});

const installed = ([4, 6] as const).every((family) => findTools('iptables-nft', family) !== null);

test('refused: asking takes no turn from the rules', { skip: !installed && 'iptables is not installed' }, async () => {
  const unused = (): never => { throw new Error('not in this test'); };
  const ruleset = createRuleset({
    backend: 'iptables-nft', logger: { log: () => undefined, setLevel: () => undefined }, native: { watchNetfilter: unused, removeBaseRules: unused },
  });
  const asked = Array.from({ length: 64 }, () => ruleset.refusedInbound());
  assert.equal((await ruleset.check()).intact, false);
  await Promise.all(asked);
});
