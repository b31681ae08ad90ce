/** What the two processes of the desktop say to each other, and when one may start the other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHANNEL_LIMITS, bounded, readToSession, readToWindow } from '../../desktop/channel.ts';
import type { ToSession, ToWindow } from '../../desktop/channel.ts';
import { InOrder } from '../../desktop/client/in-order.ts';
import { CRASHES, CrashLimit, WITHIN_MS } from '../../desktop/model/crash-limit.ts';
import { takeStartToken } from '../../desktop/session/surroundings.ts';
import { drawingVariables } from '../../desktop/window/drawing.ts';
import { ANSWERS_LIMIT, AnswerRelay } from '../../desktop/window/relay.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import { promptOf } from '../desktop/samples.ts';

const TO_WINDOW: readonly ToWindow[] = [
  { do: 'open', page: 'rules', application: '', search: 'curl', item: '', token: 't' },
  { do: 'put', prompt: promptOf(), leftMs: -12.5, expired: true },
  { do: 'gone', nonce: 'n' }, { do: 'agent', problem: 'elsewhere' }, { do: 'agent', problem: null }, { do: 'warm' },
  { do: 'show', nonce: 'n' }, { do: 'raise', token: '' }, { do: 'hide' }, { do: 'fail', message: 'm' }, { do: 'tell', message: 'm' },
  { do: 'answered', number: 3, result: { rule_id: '', flows: 1 } }, { do: 'refused', number: 3, code: 'PromptGone', message: 'm' },
  { do: 'refused', number: 3, code: '', message: 'm' }, { do: 'setting', key: 'prompts', value: 'window' }, { do: 'quit' },
];
const TO_SESSION: readonly ToSession[] = [
  { say: 'answer', number: 1, nonce: 'n', answer: { action: 'allow', lifetime: 'until', until_ms: 1_800_000_000_000, scope: 'host' } },
  { say: 'decide', nonce: 'n', answer: { action: 'deny' } }, { say: 'later', nonce: 'n' }, { say: 'pick', nonce: 'n' },
  { say: 'forget', nonce: 'n' }, { say: 'active', active: true }, { say: 'shown', nonce: 'n' },
  { say: 'setting', key: 'prompts', value: 'window' }, { say: 'idle', demands: 2 }, { say: 'quit' },
];
const overTheWire = (message: object): unknown => JSON.parse(JSON.stringify(message));

test('channel: every message arrives as it was sent', () => {
  for (const message of TO_WINDOW) assert.deepEqual(readToWindow(overTheWire(message)), message);
  for (const message of TO_SESSION) assert.deepEqual(readToSession(overTheWire(message)), message);
});

test('channel: what is missing, of the wrong kind, too long or unknown makes the whole message nothing', () => {
  const strange: readonly unknown[] = [undefined, null, 7, 'x', [], {}, { toString: 1 }, Number.NaN, 'x'.repeat(CHANNEL_LIMITS.textLength + 1)];
  const spoilt = (message: Readonly<Record<string, unknown>>, tag: string): readonly object[] => Object.keys(message).flatMap((key) => {
    if (key === tag) return strange.map((value) => ({ ...message, [key]: value }));
    return strange.filter((value) => typeof value !== typeof message[key] || (typeof value === 'string' && value.length > 10))
      .filter((value) => !(key === 'problem' && value === null)).map((value) => ({ ...message, [key]: value }));
  });
  for (const message of TO_WINDOW) for (const one of spoilt({ ...message }, 'do')) assert.equal(readToWindow(one), null, JSON.stringify(one).slice(0, 120));
  for (const message of TO_SESSION) for (const one of spoilt({ ...message }, 'say')) assert.equal(readToSession(one), null, JSON.stringify(one).slice(0, 120));
  for (const one of [...strange, { do: 'constructor' }, { do: '__proto__' }, { say: 'quit' }]) assert.equal(readToWindow(one), null);
});

test('channel: an answer has the contract’s own words only, and what else it carries is left behind', () => {
  const answer = (value: object): unknown => readToSession({ say: 'decide', nonce: 'n', answer: value });
  assert.equal(answer({ action: 'allow', lifetime: 'for ever' }), null);
  assert.equal(answer({ action: 'ask' }), null);
  assert.equal(answer({ lifetime: 'always' }), null);
  assert.equal(answer({ action: 'allow', until_ms: 'soon' }), null);
  assert.deepEqual(answer({ action: 'allow', as: 'root' }), { say: 'decide', nonce: 'n', answer: { action: 'allow' } });
  assert.equal(readToSession({ say: 'decide', nonce: 'n'.repeat(CHANNEL_LIMITS.nonceLength + 1), answer: { action: 'allow' } }), null);
});

test('channel: a long text of somebody else is cut before it is sent', () => {
  assert.notEqual(readToWindow({ do: 'fail', message: bounded('x'.repeat(100_000)) }), null);
});

test('channel: a message that comes while another is obeyed waits for its end', () => {
  const done: string[] = [];
  const order = new InOrder<string>((item) => {
    if (item === 'first') order.take('third');
    done.push(item);
    if (item === 'first') order.take('fourth');
  });
  order.take('first');
  assert.deepEqual(done, ['first', 'third', 'fourth']);
});

test('window process: three ends within a minute are a loop, and it rests for a minute', () => {
  let now = 0;
  const limit = new CrashLimit(() => now);
  for (let end = 1; end < CRASHES; end += 1) limit.note();
  assert.equal(limit.waitMs(), 0);
  now += WITHIN_MS - 1;
  limit.note();
  assert.equal(limit.waitMs(), WITHIN_MS);
  now += WITHIN_MS;
  assert.equal(limit.waitMs(), 0);
  now += 1;
  limit.note();
  assert.equal(limit.waitMs(), 0, 'the first ones are long past');
});

test('window process: answers wait for what became of them, not more of them than there can be prompts, and each is told once', async () => {
  const sent: ToSession[] = [];
  const relay = new AnswerRelay((message) => { sent.push(message); });
  const taken = relay.answer('a', { action: 'allow' });
  const refused = relay.answer('b', { action: 'deny' });
  relay.answered(1, { rule_id: 'r', flows: 1 });
  relay.answered(1, { rule_id: 'other', flows: 9 });
  relay.answered(77, { rule_id: 'none', flows: 0 });
  relay.refused(2, 'PromptGone', 'gone');
  assert.deepEqual(await taken, { rule_id: 'r', flows: 1 });
  await assert.rejects(refused, (error) => error instanceof BastionError && error.code === 'PromptGone');
  for (let n = 0; n < ANSWERS_LIMIT; n += 1) void relay.answer('c', { action: 'allow' });
  await assert.rejects(relay.answer('d', { action: 'allow' }), (error) => error instanceof BastionError && error.code === 'Busy');
  assert.equal(sent.length, 2 + ANSWERS_LIMIT);
});

test('window process: drawn without the graphics card’s library unless the person has chosen otherwise', () => {
  assert.deepEqual(drawingVariables({}, 8), { GSK_RENDERER: 'cairo', GDK_DEBUG: 'gl-disable' });
  assert.deepEqual(drawingVariables({ GSK_RENDERER: '' }, 18), { GSK_RENDERER: 'cairo', GDK_DISABLE: 'gl,vulkan' });
  for (const name of ['GSK_RENDERER', 'GDK_DEBUG', 'GDK_DISABLE']) assert.deepEqual(drawingVariables({ [name]: 'ngl' }, 18), {});
});

test('start: the token of the click is for one use, and children do not inherit it', () => {
  const environment: NodeJS.ProcessEnv = { XDG_ACTIVATION_TOKEN: 'new', DESKTOP_STARTUP_ID: 'old', HOME: '/home/alice' };
  assert.equal(takeStartToken(environment), 'new');
  assert.deepEqual(environment, { HOME: '/home/alice' });
  assert.equal(takeStartToken(environment), '');
});

test('channel: a NUL, which no text of C can hold, is spelled out like all that cannot be seen, and what is too long for that still arrives', () => {
  const shown = (path: string): string => {
    const message = readToWindow(overTheWire({ do: 'put', prompt: promptOf({ path }), leftMs: 1, expired: false }));
    return message?.do === 'put' ? message.prompt.path : '';
  };
  assert.equal(shown('/opt/evil\0.png'), '/opt/evil\\u{0}.png');
  assert.equal(shown('\0'.repeat(4096)), '\u{fffd}'.repeat(4096));
});
