/** Many rules in one write: all or none, their own texts taken over as they are. */
import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { test } from 'node:test';
import { BastionError } from '../../helper/contract/errors.ts';
import type { ErrorCode } from '../../helper/contract/errors.ts';
import { inForce, makeStore, newRule } from './rule-store-support.ts';

const BLOCK = `# Mine, from the other machine.
[[rule]]
id = "mine"      # short
action = "allow"
application = { path = "/nonexistent/a" }
created = 2026-01-02T03:04:05Z
`;

function failsWith(code: ErrorCode, message = /./): (error: unknown) => boolean {
  return (error) => error instanceof BastionError && error.code === code && message.test(error.message);
}

test('addAll: rules and overrides are one new file, and a text is taken over with its comments and its time', async (t) => {
  const { store, userText, write } = await makeStore(t);
  await write('vendor/10-time.toml', '[[rule]]\nid = "vendor-ntp"\naction = "allow"\ndestination = { port = "123" }\n');
  await store.load();
  await store.addAll([
    { rule: newRule({ id: 'plain' }) },
    { rule: newRule({ id: 'mine', path: '/nonexistent/a' }), block: BLOCK },
  ], [{ rule: 'vendor-ntp', enabled: false }]);
  assert.ok((await userText()).includes(`\n\n${BLOCK}`));
  const { rules, errors } = await store.load();
  assert.deepEqual(errors, []);
  assert.equal(rules.find(({ id }) => id === 'mine')?.created, Date.UTC(2026, 0, 2, 3, 4, 5));
  assert.deepEqual((await inForce(store)).sort(), ['mine allow', 'plain allow', 'vendor-ntp allow (off)']);
});

test('addAll: one rule that cannot be written leaves the file as it was, byte for byte', async (t) => {
  const { store, userText, userFile } = await makeStore(t);
  await store.add(newRule({ id: 'first' }));
  const [before, { ino }] = [await userText(), await stat(userFile)];
  const good = { rule: newRule({ id: 'good' }) };
  await assert.rejects(store.addAll([good, { rule: newRule({ id: 'bad', path: 'relative' }) }], []), failsWith('InvalidArgument'));
  await assert.rejects(store.addAll([good, { rule: newRule({ id: 'first' }) }], []), failsWith('Conflict', /first/));
  await assert.rejects(store.addAll([good, good], []), failsWith('Conflict', /good/));
  await assert.rejects(store.addAll([good, { rule: newRule({ id: 'other', user: 'nobody-knows' }) }], []), failsWith('InvalidArgument'));
  assert.equal(await userText(), before);
  assert.equal((await stat(userFile)).ino, ino, 'nothing was written');
});

test('addAll: a text that says something else than its rule, or more than one rule, is not taken over', async (t) => {
  const { store } = await makeStore(t);
  const rule = newRule({ id: 'mine', path: '/nonexistent/a' });
  const others = [
    BLOCK.replace('"allow"', '"ask"'), BLOCK.replace('/nonexistent/a', '/nonexistent/b'), BLOCK.replace('"mine"', '"yours"'), '# nothing\n',
    `${BLOCK}\n[[rule]]\nid = "second"\naction = "allow"\n`, `${BLOCK}[[override]]\nrule = "x"\nenabled = true\n`, `${BLOCK}strange = 1\n`, `mode = "learning"\n${BLOCK}`,
  ];
  for (const block of others) await assert.rejects(store.addAll([{ rule, block }], []), failsWith('InvalidArgument'), block);
  assert.deepEqual(await inForce(store), []);
});

test('addAll: line endings become those of the file', async (t) => {
  const { store, userText, userFile, write } = await makeStore(t);
  await write('etc/rules.d/50-user.toml', '# mine\r\n\r\n[[rule]]\r\nid = "a"\r\naction = "deny"\r\n');
  await store.addAll([{ rule: newRule({ id: 'mine', path: '/nonexistent/a' }), block: BLOCK }, { rule: newRule({ id: 'b' }) }], []);
  assert.ok(!/[^\r]\n/.test(await userText()), userFile);
});

test('addAll: a thousand rules are one write, and other work has its turn meanwhile', async (t) => {
  const { store, userText } = await makeStore(t);
  let turns = 0;
  let done = false;
  const turn = (): void => {
    turns += 1;
    if (!done) setImmediate(turn);
  };
  setImmediate(turn);
  await store.addAll(Array.from({ length: 1000 }, (_, index) => ({ rule: newRule({ id: `r${String(index)}` }) })), []);
  done = true;
  assert.equal((await userText()).split('[[rule]]').length, 1001);
  assert.ok(turns > 10, `${String(turns)} turns`);
});
