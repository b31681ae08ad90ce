/** What one user can do to the identification of programs, and what it costs the others: nothing that they notice. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { copyInto, noLab, program, until } from '../integration/support.ts';
import { SpoofBed } from './support-spoof.ts';

/** Hashing one of these takes a second or more. */
const HUGE = '1900M';
const HUGE_PROGRAMS = 3;
/** Far below the two seconds after which a flow goes on without an identity. */
const NOTICEABLE_MS = 1000;
const STARTED = 3000;

describe('identification', { skip: noLab() }, () => {
  test('of another user\'s new program does not wait for one user\'s huge programs', async () => {
    await using bed = await SpoofBed.create();
    // While a rule names a hash each program is hashed before its first flow goes on.
    await bed.allow({ sha256: 'f'.repeat(64) });
    const other = copyInto(bed.lab, program('disguise'), 'other');
    await bed.allow({ path: other });
    await bed.lab.peer.watch();
    const flood = bed.script([
      `for i in $(seq ${String(HUGE_PROGRAMS)}); do cp $V $W/huge$i; truncate -s ${HUGE} $W/huge$i; done; sleep 0.1`,
      `for i in $(seq ${String(HUGE_PROGRAMS)}); do $W/huge$i send $TO $((PORT + i)) $TAG & done; wait`,
    ].join('\n'), STARTED, 'huge');
    await flood;
    assert.equal(await bed.flows(STARTED + 1), null, 'they are being hashed');
    const startedMs = performance.now();
    const done = await bed.lab.run([other, 'send', bed.lab.peer4, '9', 'other'], { as: 'root' });
    assert.equal(done.status, 0, done.stderr);
    await until('the other user\'s datagram', async () => ((await bed.lab.peer.counts()).of('tag/other') > 0 ? true : null));
    const tookMs = performance.now() - startedMs;
    assert.ok(tookMs < NOTICEABLE_MS, `it took ${String(Math.round(tookMs))} ms`);
    for (let at = 1; at <= HUGE_PROGRAMS; at += 1) {
      const [flow] = await until('a decision', () => bed.flows(STARTED + at), 25_000);
      assert.equal(flow?.action, 'deny');
    }
    assert.equal((await bed.lab.peer.counts()).of('tag/huge'), 0);
  });
});
