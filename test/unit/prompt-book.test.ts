/** The book of prompts at its edges: who counts towards which limit, and what an end leaves behind. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PromptBook } from '../../helper/prompt/book.ts';
import type { Joined, Prompt, PromptLimits } from '../../helper/prompt/book.ts';
import type { Question } from '../../helper/prompt/question.ts';
import { tuple } from './policy-support.ts';
import { nonces, owner, question } from './prompt-support.ts';

const TIMEOUT_MS = 30_000;
const at = (ms: number): { bootNs: bigint; wallMs: number } => ({ bootNs: BigInt(ms) * 1_000_000n, wallMs: 1_000_000 + ms });
const to = (host: string, change: Partial<Question> = {}): Question => question({ tuple: tuple({ destinationAddress: host }), ...change });
const by = (program: string, change: Partial<Question> = {}): Question => question({ path: `/usr/bin/${program}`, ...change });

/** A book whose flows are counted. */
class Filled {
  readonly book: PromptBook<null>;
  #flow = 0;

  constructor(limits: Partial<PromptLimits> = {}) {
    this.book = new PromptBook<null>({ newNonce: nonces(), describe: () => null, limits });
  }

  ask(asked: Question, ms = 0, timeoutMs = TIMEOUT_MS): Joined<null> {
    this.#flow += 1;
    return this.book.join(asked, this.#flow, timeoutMs, at(ms));
  }

  prompt(asked: Question, ms = 0, timeoutMs = TIMEOUT_MS): Prompt<null> {
    const joined = this.ask(asked, ms, timeoutMs);
    assert.ok(joined.outcome !== 'limit');
    return joined.prompt;
  }
}

/** An expired prompt of an earlier run, as it is kept. */
function kept(asked: Question, nonce: string): Parameters<PromptBook<null>['restore']>[0] {
  return {
    id: 'old', nonce, question: asked, data: null, raisedNs: 0n, raisedMs: 900_000, timeoutMs: TIMEOUT_MS, deadlineNs: 1n, count: 3,
  };
}

describe('who counts', () => {
  test('of a user’s prompts one that ends makes room for one, not for more', () => {
    const filled = new Filled({ pendingPerUid: 2 });
    const first = filled.prompt(by('a'));
    filled.prompt(by('b'));
    filled.book.answer(first.nonce);
    assert.deepEqual([by('c'), by('d')].map((asked) => filled.ask(asked).outcome), ['raised', 'limit']);
  });

  test('an expired prompt that is answered makes no room: it had none', () => {
    const filled = new Filled({ pendingPerUid: 1 });
    const old = filled.prompt(by('a'));
    filled.book.expire(at(TIMEOUT_MS).bootNs);
    filled.prompt(by('b'), TIMEOUT_MS);
    filled.book.answer(old.nonce);
    assert.equal(filled.ask(by('c'), TIMEOUT_MS).outcome, 'limit');
  });

  test('what was raised, queued and joined is told, and each prompt has its own id', () => {
    const filled = new Filled();
    const joined = [to('10.0.0.1'), to('10.0.0.2'), to('10.0.0.2')].map((asked) => filled.ask(asked));
    assert.deepEqual(joined.map(({ outcome }) => outcome), ['raised', 'queued', 'joined']);
    const ids = filled.book.pending().map(({ id }) => id);
    assert.equal(new Set(ids).size, 2);
    for (const id of ids) assert.match(id, /^p[1-9a-z][0-9a-z]*$/);
  });

  test('a flow over the limit of a prompt is counted as refused', () => {
    const filled = new Filled({ flowsPerPrompt: 1 });
    filled.prompt(question());
    assert.equal(filled.ask(question()).outcome, 'limit');
    assert.equal(filled.book.refusedByLimit, 1);
    assert.equal(filled.book.pending()[0]?.count, 1);
  });
});

describe('time', () => {
  test('the earliest deadline counts, wherever it stands, and none when nothing waits', () => {
    const filled = new Filled();
    assert.equal(filled.book.nextDeadlineNs(), null);
    filled.prompt(by('a'), 0, 20_000);
    filled.prompt(by('b'), 0, 10_000);
    filled.prompt(by('c'), 0, 30_000);
    assert.equal(filled.book.nextDeadlineNs(), at(10_000).bootNs);
  });

  test('a renewal that gains just a second moves the deadline, and none that is due', () => {
    const filled = new Filled();
    const shown = filled.prompt(to('10.0.0.1'));
    assert.deepEqual(filled.book.renew(shown.nonce, at(1000).bootNs), [shown]);
    const brief = filled.prompt(to('10.0.0.2'), 1000, 9000);
    assert.deepEqual(filled.book.renew(shown.nonce, at(10_000).bootNs), [shown]);
    assert.equal(brief.deadlineNs, at(10_000).bootNs);
  });

  test('a prompt that is due at the same instant is not raised in the place of another', () => {
    const filled = new Filled();
    filled.prompt(to('10.0.0.1'));
    filled.prompt(to('10.0.0.2'));
    const later = filled.prompt(to('10.0.0.3'), 1);
    assert.deepEqual(filled.book.expire(at(TIMEOUT_MS).bootNs).map(({ raised }) => raised), [later, null]);
  });
});

describe('what cannot be done', () => {
  test('a queued prompt is not answered, an unknown one not withdrawn, an expired one does not expire again', () => {
    const filled = new Filled();
    const shown = filled.prompt(to('10.0.0.1'));
    const queued = filled.prompt(to('10.0.0.2'));
    assert.equal(filled.book.answer(queued.nonce), null);
    assert.equal(filled.book.pendingCount, 2);
    assert.deepEqual(filled.book.toInbox(shown, at(5).bootNs)?.flows, [1]);
    assert.equal(filled.book.toInbox(shown, at(6).bootNs), null);
    assert.equal(filled.book.withdraw({ ...queued, nonce: 'f'.repeat(32) }), null);
    assert.equal(filled.book.toInbox({ ...queued, nonce: 'f'.repeat(32) }, at(7).bootNs), null);
    assert.deepEqual([filled.book.pendingCount, filled.book.inbox().length], [1, 1]);
  });

  test('a flow leaves once, and not at all when its prompt has ended', () => {
    const filled = new Filled();
    const prompt = filled.prompt(question());
    assert.deepEqual(filled.book.left([1]), [prompt]);
    assert.deepEqual(filled.book.left([1]), []);
    const other = filled.prompt(by('wget', { owner: owner({ uid: 1001 }) }));
    filled.book.expire(at(TIMEOUT_MS).bootNs);
    assert.deepEqual(filled.book.left([...other.flows, 2]), []);
  });
});

describe('prompts of an earlier run', () => {
  test('are in the inbox, can be answered, and give way to the same question', () => {
    const filled = new Filled();
    filled.book.restore(kept(by('a'), 'n1'));
    filled.book.restore(kept(by('b'), 'n2'));
    assert.deepEqual(filled.book.inbox().map(({ nonce, status, flows, count }) => [nonce, status, flows, count]), [['n2', 'expired', [], 3], ['n1', 'expired', [], 3]]);
    assert.equal(filled.book.pendingCount, 0);
    assert.equal(filled.book.answer('n1')?.prompt.id, 'old');
    const joined = filled.ask(by('b'));
    assert.equal(joined.outcome === 'limit' ? undefined : joined.replaced?.nonce, 'n2');
    assert.equal(filled.book.byNonce('n2'), null);
  });

  test('with a nonce or a question that is there already are left out', () => {
    const filled = new Filled();
    filled.book.restore(kept(by('a'), 'n1'));
    filled.book.restore(kept(by('b'), 'n1'));
    filled.book.restore(kept(by('a'), 'n2'));
    assert.deepEqual(filled.book.inbox().map(({ nonce, question: { path } }) => [nonce, path]), [['n1', '/usr/bin/a']]);
    assert.equal(filled.book.byNonce('n2'), null);
  });

  test('stay while the same question is asked again and answered, and give way to it when it expires', () => {
    const filled = new Filled();
    const answered = filled.prompt(by('a'));
    filled.book.restore(kept(by('a'), 'n1'));
    filled.book.answer(answered.nonce);
    assert.deepEqual(filled.book.inbox().map(({ nonce }) => nonce), ['n1']);
    const expired = filled.prompt(by('b'));
    filled.book.restore(kept(by('b'), 'n2'));
    filled.book.expire(at(TIMEOUT_MS).bootNs);
    assert.deepEqual(filled.book.inbox().map(({ nonce }) => nonce), [expired.nonce, 'n1']);
    assert.equal(filled.book.byNonce('n2'), null);
  });
});
