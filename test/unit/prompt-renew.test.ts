/** The time of a prompt that somebody looks at, its bounds, and the inbox that is emptied by hand. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BastionError } from '../../helper/contract/errors.ts';
import { LONGEST_HOLD_MS, PromptBook } from '../../helper/prompt/book.ts';
import type { Prompt } from '../../helper/prompt/book.ts';
import type { Question } from '../../helper/prompt/question.ts';
import { Rig } from './engine-support.ts';
import { tuple } from './policy-support.ts';
import { nonces, question } from './prompt-support.ts';

const TIMEOUT_MS = 30_000;
const at = (ms: number): { bootNs: bigint; wallMs: number } => ({ bootNs: BigInt(ms) * 1_000_000n, wallMs: 1_000_000 + ms });
const ms = (ns: bigint | undefined): number => Number((ns ?? 0n) / 1_000_000n);

function bookWith(...asked: readonly Question[]): { readonly book: PromptBook<null>; readonly prompts: readonly Prompt<null>[] } {
  const book = new PromptBook<null>({ newNonce: nonces(), describe: () => null });
  const prompts = asked.map((one, flow) => {
    const joined = book.join(one, flow, TIMEOUT_MS, at(0));
    assert.ok(joined.outcome !== 'limit');
    return joined.prompt;
  });
  return { book, prompts };
}

const to = (host: string, change: Partial<Question> = {}): Question => question({ tuple: tuple({ destinationAddress: host }), ...change });

describe('the book', () => {
  test('a prompt that is renewed has its whole time again, and what waits behind it for the same program too', () => {
    const { book, prompts: [shown, behind, other] } = bookWith(to('10.0.0.1'), to('10.0.0.2'), to('10.0.0.3', { path: '/usr/bin/wget' }));
    assert.deepEqual(book.renew(shown?.nonce ?? '', at(20_000).bootNs), [shown, behind]);
    assert.deepEqual([shown, behind, other].map((one) => ms(one?.deadlineNs)), [50_000, 50_000, 30_000]);
    assert.equal(ms(book.nextDeadlineNs() ?? 0n), 30_000);
  });

  test('nobody holds it for ever: five minutes after its first flow it ends, however often it was renewed', () => {
    const { book, prompts: [prompt] } = bookWith(question());
    const nonce = prompt?.nonce ?? '';
    for (let now = 1000; now < LONGEST_HOLD_MS; now += 1000) assert.notEqual(book.renew(nonce, at(now).bootNs), null, String(now));
    assert.equal(ms(prompt?.deadlineNs), LONGEST_HOLD_MS);
    assert.equal(book.renew(nonce, at(LONGEST_HOLD_MS).bootNs), null);
    assert.equal(book.expire(at(LONGEST_HOLD_MS).bootNs).length, 1);
  });

  test('a renewal that gains less than a second moves nothing', () => {
    const { book, prompts: [prompt] } = bookWith(question());
    assert.deepEqual(book.renew(prompt?.nonce ?? '', at(999).bootNs), []);
    assert.equal(ms(prompt?.deadlineNs), TIMEOUT_MS);
  });

  test('what is queued, due, expired, answered or unknown is not renewed', () => {
    const { book, prompts: [shown, queued] } = bookWith(to('10.0.0.1'), to('10.0.0.2'));
    assert.equal(book.renew(queued?.nonce ?? '', at(5000).bootNs), null);
    assert.equal(book.renew(shown?.nonce ?? '', at(TIMEOUT_MS).bootNs), null);
    book.expire(at(TIMEOUT_MS).bootNs);
    assert.equal(book.renew(shown?.nonce ?? '', at(TIMEOUT_MS).bootNs), null);
    assert.equal(book.renew('f'.repeat(32), at(0).bootNs), null);
  });

  test('only an expired prompt is dismissed, and once', () => {
    const { book, prompts: [prompt] } = bookWith(question());
    const nonce = prompt?.nonce ?? '';
    assert.equal(book.dismiss(nonce), null);
    book.expire(at(TIMEOUT_MS).bootNs);
    assert.equal(book.dismiss(nonce), prompt);
    assert.equal(book.dismiss(nonce), null);
    assert.deepEqual(book.inbox(), []);
  });
});

describe('the engine', () => {
  test('renewing moves the deadline of every held flow, in the data path too, is told once and counted', () => {
    const rig = Rig.with();
    const ids = [rig.ask(), rig.ask()];
    const nonce = rig.nonce();
    rig.time.pass(20_000);
    const changed = rig.changed.length;
    assert.equal(rig.engine.renewPrompt(nonce), TIMEOUT_MS);
    const heldUntil = rig.time.ns + BigInt(TIMEOUT_MS + 2000) * 1_000_000n;
    assert.deepEqual(ids.map((id) => rig.dataPath.last(id)), ids.map((id) => ({ id, verdict: 'hold', deadlineNs: heldUntil })));
    assert.deepEqual(rig.changed.slice(changed).map(({ info }) => info.expires_in_ms), [TIMEOUT_MS]);
    assert.equal(rig.engine.status().statistics.prompts_renewed, 1);
    rig.time.pass(29_999);
    assert.deepEqual(rig.ended, []);
    rig.time.pass(1);
    assert.deepEqual(rig.ended.map(({ why }) => why), ['expired']);
    assert.throws(() => rig.engine.renewPrompt(nonce), (error) => error instanceof BastionError && error.code === 'PromptGone');
  });

  test('dismissing empties the inbox, tells its end, leaves what waits, and is kept over a restart', async () => {
    const rig = Rig.with();
    rig.ask();
    const expired = rig.nonce();
    rig.time.pass(TIMEOUT_MS);
    rig.ask({ path: '/usr/bin/wget' });
    const waiting = rig.nonce();
    assert.equal(rig.engine.dismissPrompts([expired, waiting, expired, 'f'.repeat(32)]), 1);
    assert.deepEqual(rig.ended.map(({ prompt, why }) => [prompt.info.nonce, why]), [[expired, 'expired'], [expired, 'withdrawn']]);
    assert.deepEqual(rig.engine.prompts().map(({ info }) => info.nonce), [waiting]);
    await rig.engine.stop();
    assert.deepEqual((rig.runState.state as { readonly inbox: readonly unknown[] }).inbox, []);
  });

  test('in the inbox nothing is offered for a process that has ended', () => {
    const rig = Rig.with();
    rig.ask();
    rig.time.pass(TIMEOUT_MS);
    assert.ok(rig.engine.prompts()[0]?.info.lifetimes.includes('process'));
    rig.deadProcesses.add(rig.engine.prompts()[0]?.info.pid ?? 0);
    const lifetimes = rig.engine.prompts()[0]?.info.lifetimes ?? [];
    assert.ok(!lifetimes.includes('process') && lifetimes.includes('always'));
  });

  test('a package’s own line is told with its prompt, but of an interpreter nothing of what it runs', () => {
    const rig = Rig.with();
    rig.identities.summaries.set('curl', 'command line tool for transferring data');
    rig.identities.known.set('/usr/bin/curl', { identity: { path: '/usr/bin/curl', package: 'curl' } });
    rig.identities.known.set('/usr/bin/python3', { identity: { path: '/usr/bin/python3', package: 'curl', interpreter: true } });
    rig.identities.known.set('/usr/bin/other', { identity: { path: '/usr/bin/other', package: 'other' } });
    for (const path of ['/usr/bin/curl', '/usr/bin/python3', '/usr/bin/other']) rig.ask({ path });
    assert.deepEqual(rig.raised.map(({ info }) => info.package_summary), ['command line tool for transferring data', undefined, undefined]);
  });
});
