import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { chmod, mkdir, rename, rm } from 'node:fs/promises';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { FileWatch } from '../../helper/adapters/rule-store/file-watch.ts';
import type { RuleStore } from '../../helper/ports.ts';
import { inForce, makeStore, newRule, silent } from '../unit/rule-store-support.ts';

const RULE = '[[rule]]\nid = "x"\naction = "deny"\n';
/** Far above the 100 ms of quiet; a test that waits this long has failed. */
const PATIENCE_MS = 20_000;

/** At once: the watch is in this process and sees no half of it, however long the machine takes. */
function put(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o640 });
}

interface Changes {
  readonly count: () => number;
  /** Resolves at the next change. */
  readonly next: () => Promise<void>;
}

function follow(t: TestContext, store: Pick<RuleStore, 'watch'>): Changes {
  let count = 0;
  let wake: (() => void) | null = null;
  t.after(store.watch(() => {
    count += 1;
    wake?.();
    wake = null;
  }));
  return {
    count: () => count,
    next: () => new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no change was told')), PATIENCE_MS);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    }),
  };
}

test('watch: a new, a changed and a removed file are each told once they are quiet', async (t) => {
  const { store, rulesDir } = await makeStore(t);
  await store.load();
  const changes = follow(t, store);
  for (const [act, wanted] of [
    [() => put(`${rulesDir}/f.toml`, RULE), ['x deny']],
    [() => put(`${rulesDir}/f.toml`, RULE.replace('deny', 'drop')), ['x drop']],
    [() => rm(`${rulesDir}/f.toml`), []],
  ] as const) {
    const told = changes.next();
    await act();
    await told;
    assert.deepEqual(await inForce(store), wanted);
  }
});

test('watch: settings, vendor files and a mended mode are told too', async (t) => {
  const { store, root, rulesDir, write } = await makeStore(t);
  await write('etc/rules.d/f.toml', RULE);
  await chmod(`${rulesDir}/f.toml`, 0o666);
  await store.load();
  const changes = follow(t, store);
  for (const act of [
    () => write('etc/bastion.toml', 'mode = "learning"\n'),
    () => write('vendor/v.toml', RULE.replace('x', 'v')),
    () => chmod(`${rulesDir}/f.toml`, 0o640),
    () => rename(`${root}/vendor/v.toml`, `${root}/vendor/w.toml`),
  ]) {
    const told = changes.next();
    await act();
    await told;
    await store.load();
  }
  assert.equal((await store.load()).settings.mode, 'learning');
  assert.deepEqual(await inForce(store), ['x deny', 'v deny']);
});

test('watch: many writes in a row are one change', async (t) => {
  const { store, rulesDir } = await makeStore(t);
  await store.load();
  const changes = follow(t, store);
  const told = changes.next();
  for (let index = 0; index < 50; index += 1) put(`${rulesDir}/f.toml`, `${RULE}# ${String(index)}\n`);
  await told;
  const last = changes.next();
  await rm(`${rulesDir}/f.toml`);
  await last;
  assert.equal(changes.count(), 2);
});

test('watch: our own writes are not told, a hand edit right after one is', async (t) => {
  const { store, rulesDir, userFile } = await makeStore(t);
  await store.load();
  const changes = follow(t, store);
  await store.add(newRule({ id: 'a' }));
  await store.setMode('learning');
  await store.setEnabled('a', false);
  const told = changes.next();
  // An ignored file of the same folder cannot be told apart from silence; this one ends the wait.
  put(`${rulesDir}/f.toml`, RULE);
  await told;
  assert.equal(changes.count(), 1);
  await store.add(newRule({ id: 'b' }));
  const again = changes.next();
  put(userFile, RULE);
  await again;
  assert.equal(changes.count(), 2);
});

test('watch: goes on after the folder was replaced and after it was made for the first time', async (t) => {
  const { store, rulesDir, root } = await makeStore(t);
  await rm(rulesDir, { recursive: true });
  await store.load();
  const changes = follow(t, store);
  const made = changes.next();
  await mkdir(rulesDir, { mode: 0o755 });
  put(`${rulesDir}/f.toml`, RULE);
  await made;
  await store.load();
  const replaced = changes.next();
  await rename(rulesDir, `${root}/old`);
  await mkdir(rulesDir, { mode: 0o755 });
  await replaced;
  await store.load();
  const written = changes.next();
  put(`${rulesDir}/g.toml`, RULE.replace('x', 'y'));
  await written;
  assert.deepEqual(await inForce(store), ['y deny']);
});

test('watch: a load that waits for something outside the files is asked for again, though nothing changed', async (t) => {
  const { rulesDir, root } = await makeStore(t);
  const files = new FileWatch([rulesDir], [`${root}/etc/bastion.toml`], silent, 1);
  files.setKnown(await files.snapshot());
  files.lookAgainLater();
  const changes = follow(t, { watch: (changed) => files.listen(changed) });
  const keepAlive = setTimeout(() => undefined, PATIENCE_MS);
  await changes.next();
  clearTimeout(keepAlive);
  assert.equal(changes.count(), 1);
});

test('load: a hundred thousand rules load in bounded time and let other work have its turn', async (t) => {
  const { store, write } = await makeStore(t);
  for (let file = 0; file < 10; file += 1) {
    const rules = Array.from({ length: 10_000 }, (_, index) => (
      `[[rule]]\nid = "r${String(file)}-${String(index)}"\naction = "deny"\napplication = { path = "/nonexistent/${String(index)}" }\ndestination = { address = "192.0.2.1", port = "443", protocol = "tcp" }\n`
    ));
    await write(`etc/rules.d/f${String(file)}.toml`, rules.join('\n'));
  }
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  const { rules, errors } = await store.load();
  clearInterval(timer);
  assert.deepEqual([rules.length, errors.length], [100_000, 0]);
  assert.ok(turns > 50, `other work had ${String(turns)} turns`);
});
