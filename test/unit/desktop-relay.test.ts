/** What the windows ask of the process of the session: of this form or not at all, and each answer to its own question. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BastionError } from '../../helper/contract/errors.ts';
import { readToSession, readToWindow } from '../../desktop/channel.ts';
import type { ToSession } from '../../desktop/channel.ts';
import { AnswerRelay } from '../../desktop/window/relay.ts';
import { promptOf } from '../desktop/samples.ts';

test('relay: each reply goes to the question with its number, and one of another kind to none', async () => {
  const sent: ToSession[] = [];
  const relay = new AnswerRelay((message) => { sent.push(message); });
  const held = relay.hold('a');
  const listed = relay.listPrompts('');
  const dismissed = relay.dismissPrompts(['b']);
  const refused = relay.hold('c');
  assert.deepEqual(sent.map((message) => readToSession(JSON.parse(JSON.stringify(message)))), [
    { say: 'hold', number: 1, nonce: 'a' }, { say: 'list', number: 2, cursor: '' }, { say: 'dismiss', number: 3, nonces: ['b'] }, { say: 'hold', number: 4, nonce: 'c' },
  ]);
  relay.dismissed(1, 7);
  relay.held(99);
  relay.listed(2, { rows: [promptOf()], next: '' });
  relay.dismissed(3, 1);
  relay.held(1);
  relay.refused(4, 'PromptGone', 'gone');
  await held;
  assert.equal((await listed).rows.length, 1);
  assert.equal(await dismissed, 1);
  await assert.rejects(refused, (error) => error instanceof BastionError && error.code === 'PromptGone');
});

test('channel: lists are bounded, and one thing in them that is none spoils the whole', () => {
  const dismiss = (nonces: unknown): unknown => readToSession({ say: 'dismiss', number: 1, nonces });
  assert.notEqual(dismiss(Array<string>(256).fill('a')), null);
  for (const nonces of [Array<string>(257).fill('a'), ['a', 1], 'a', null, [['a']], ['x'.repeat(129)]]) assert.equal(dismiss(nonces), null, JSON.stringify(nonces).slice(0, 30));
  const listed = (prompts: unknown): unknown => readToWindow({ do: 'listed', number: 1, prompts, next: '' });
  assert.notEqual(listed([promptOf(), promptOf({ status: 'expired', package_summary: 'x' })]), null);
  for (const prompts of [[promptOf(), {}], [promptOf({ path: 'x'.repeat(4097) })], [{ ...promptOf(), scopes: ['everything'] }], Array(501).fill(promptOf())]) assert.equal(listed(prompts), null);
});
