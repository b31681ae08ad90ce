/** What one user can do to the identification of programs, and what it costs the others: nothing that they notice. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { copyInto, noLab, program, until } from '../integration/support.ts';
import { SpoofBed } from './support-spoof.ts';

/** Hashing one of these takes a second or more. */
const HUGE = '1900M';
const HUGE_PROGRAMS = 3;
/** Far below the two seconds after which a flow goes on without an identity; more than it takes without anything beside it. */
const NOTICEABLE_MS = 1000;
const STARTED = 3000;

describe('identification', { skip: noLab() }, () => {
  test('of another user\'s new program does not wait for one user\'s huge programs', async () => {
    await using bed = await SpoofBed.create();
    // While a rule names a hash each program is hashed before its first flow goes on.
    await bed.allow({ sha256: 'f'.repeat(64) });
    await bed.lab.peer.watch();
    /** How long the other user's new program takes to get a datagram out. */
    const firstDatagramMs = async (name: string): Promise<number> => {
      const path = copyInto(bed.lab, program('disguise'), name);
      await bed.allow({ path });
      const startedMs = performance.now();
      const done = await bed.lab.run([path, 'send', bed.lab.peer4, '9', name], { as: 'root' });
      assert.equal(done.status, 0, done.stderr);
      await until('the other user\'s datagram', async () => ((await bed.lab.peer.counts()).of(`tag/${name}`) > 0 ? true : null));
      return performance.now() - startedMs;
    };
    const usualMs = await firstDatagramMs('before');
    await bed.script([
      `for i in $(seq ${String(HUGE_PROGRAMS)}); do cp $V $W/huge$i; truncate -s ${HUGE} $W/huge$i; done; sleep 0.1`,
      `for i in $(seq ${String(HUGE_PROGRAMS)}); do $W/huge$i send $TO $((PORT + i)) $TAG & done; wait`,
    ].join('\n'), STARTED, 'huge');
    assert.equal(await bed.flows(STARTED + 1), null, 'they are being hashed');
    const tookMs = await firstDatagramMs('beside');
    assert.ok(tookMs < usualMs + NOTICEABLE_MS, `it took ${String(Math.round(tookMs))} ms, before ${String(Math.round(usualMs))} ms`);
    for (let at = 1; at <= HUGE_PROGRAMS; at += 1) {
      const [flow] = await until('a decision', () => bed.flows(STARTED + at), 25_000);
      assert.equal(flow?.action, 'deny');
    }
    assert.equal((await bed.lab.peer.counts()).of('tag/huge'), 0);
  });
});
