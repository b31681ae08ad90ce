import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, chown, link, mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { BastionError } from '../../helper/contract/errors.ts';
import { complaints, inForce, makeStore, newRule } from './rule-store-support.ts';
import type { StoreFixture } from './rule-store-support.ts';

const ALLOW = '[[rule]]\nid = "x"\naction = "allow"\n';
const isRoot = process.getuid?.() === 0;

/** What makes a file or folder untrustworthy, and how the complaint begins. */
const REFUSED: readonly {
  readonly name: string; readonly make: (fixture: StoreFixture) => Promise<void>; readonly told: RegExp; readonly rootOnly?: boolean;
}[] = [
  { name: 'a file that its group may write', make: ({ rulesDir }) => chmod(`${rulesDir}/f.toml`, 0o660),
    told: /^f\.toml:0:0 .* can be written by others\. Mend it with: chmod 0640 \/.*\/f\.toml/ },
  { name: 'a file that everybody may write', make: ({ rulesDir }) => chmod(`${rulesDir}/f.toml`, 0o646), told: /chmod 0640/ },
  { name: 'a file of another user', make: ({ rulesDir }) => chown(`${rulesDir}/f.toml`, 12_345, 0), rootOnly: true,
    told: /belongs to user 12345, not to root\. Mend it with: chown root:root/ },
  { name: 'a link', told: /^f\.toml:0:0 This is a link; links are not followed\./, make: async ({ rulesDir, root }) => {
    await rename(`${rulesDir}/f.toml`, `${root}/elsewhere.toml`);
    await symlink(`${root}/elsewhere.toml`, `${rulesDir}/f.toml`);
  } },
  { name: 'a folder with the name of a file', told: /^f\.toml:0:0 This is not a regular file/, make: async ({ rulesDir, root }) => {
    await rename(`${rulesDir}/f.toml`, `${root}/elsewhere.toml`);
    await mkdir(`${rulesDir}/f.toml`, { mode: 0o755 });
  } },
  { name: 'a FIFO, without waiting for its writer', told: /^f\.toml:0:0 This is not a regular file/, make: async ({ rulesDir, root }) => {
    await rename(`${rulesDir}/f.toml`, `${root}/elsewhere.toml`);
    execFileSync('mkfifo', ['-m', '600', `${rulesDir}/f.toml`]);
  } },
  { name: 'a socket', told: /^f\.toml:0:0 This is not a regular file/, make: async ({ rulesDir, root }) => {
    await rename(`${rulesDir}/f.toml`, `${root}/elsewhere.toml`);
    const server = createServer();
    await new Promise<void>((done) => void server.listen(`${rulesDir}/s`, done));
    // Closing the server removes the name that it was made under, so the name in use is a second link.
    await link(`${rulesDir}/s`, `${rulesDir}/f.toml`);
    await new Promise<void>((done) => void server.close(() => done()));
  } },
  { name: 'a folder that others may write', make: ({ rulesDir }) => chmod(rulesDir, 0o777),
    told: /^rules\.d:0:0 .*rules\.d can be written by others\. Mend it with: chmod 0755/ },
  { name: 'a folder above that others may write', make: ({ root }) => chmod(`${root}/etc`, 0o775),
    told: /^rules\.d:0:0 .*etc can be written by others\. Mend it with: chmod 0755/ },
  { name: 'a folder above of another user', make: ({ root }) => chown(`${root}/etc`, 12_345, 0), rootOnly: true,
    told: /etc belongs to user 12345, not to root/ },
  { name: 'a folder that is a link', told: /^rules\.d:0:0 .*is a link; links are not followed\./, make: async ({ rulesDir, root }) => {
    await rename(rulesDir, `${root}/moved`);
    await symlink(`${root}/moved`, rulesDir);
  } },
];

for (const { name, make, told, rootOnly } of REFUSED) {
  const skip = rootOnly === true && !isRoot ? 'needs root to give a file away' : false;
  test(`load: refuses ${name} and tells how to mend it; the last good version stays`, { skip }, async (t) => {
    const fixture = await makeStore(t);
    await fixture.write('etc/rules.d/f.toml', ALLOW);
    assert.deepEqual(await inForce(fixture.store), ['x allow']);
    await make(fixture);
    const told1 = await complaints(fixture.store);
    assert.match(told1.find((one) => told.test(one)) ?? told1.join('\n'), told);
    assert.deepEqual(await inForce(fixture.store), ['x allow']);
    assert.deepEqual(await inForce(fixture.restarted({ stateDir: `${fixture.root}/none` })), [], 'without a copy nothing of it counts');
  });
}

test('add: writes nothing where the folder or the file cannot be trusted', async (t) => {
  const { store, rulesDir, userFile, write } = await makeStore(t);
  await write('etc/rules.d/50-user.toml', ALLOW);
  await chmod(userFile, 0o666);
  await assert.rejects(store.add(newRule({ id: 'new' })), (error) => error instanceof BastionError && error.message.includes('chmod 0640'));
  await chmod(userFile, 0o640);
  await chmod(rulesDir, 0o777);
  await assert.rejects(store.add(newRule({ id: 'new' })), /chmod 0755/);
  assert.equal(await readFile(userFile, 'utf8'), ALLOW);
});

test('add: leaves no temporary file behind, and never one that others may read', async (t) => {
  const { store, rulesDir } = await makeStore(t);
  await store.add(newRule({ id: 'a' }));
  await store.add(newRule({ id: 'b' }));
  assert.deepEqual(await readdir(rulesDir), ['50-user.toml']);
});

test('load: a file above the limit is refused, one at the limit is read', async (t) => {
  const fixture = await makeStore(t, { limits: { fileBytes: 200 } });
  await fixture.write('etc/rules.d/a.toml', ALLOW.padEnd(200, '\n'));
  await fixture.write('etc/rules.d/b.toml', ALLOW.replace('"x"', '"y"').padEnd(201, '\n'));
  assert.deepEqual(await inForce(fixture.store), ['x allow']);
  assert.match((await complaints(fixture.store)).join('\n'), /^b\.toml:0:0 The file is larger than 200 bytes, so it is not read\./);
});

test('load: files above the limit are not read and counted', async (t) => {
  const { store, write } = await makeStore(t, { limits: { files: 2 } });
  for (const name of ['a', 'b', 'c', 'd']) await write(`etc/rules.d/${name}.toml`, ALLOW.replace('"x"', `"${name}"`));
  assert.deepEqual(await inForce(store), ['a allow', 'b allow']);
  assert.match((await complaints(store)).join('\n'), /There are more than 2 rule files; 2 of this folder are not read/);
});

test('load: above the limit of rules those that deny are kept first, and the rest is counted', async (t) => {
  const { store, write } = await makeStore(t, { limits: { rules: 3 } });
  const rule = (id: string, action: string): string => `[[rule]]\nid = "${id}"\naction = "${action}"\n`;
  await write('etc/rules.d/a.toml', rule('a1', 'allow') + rule('a2', 'allow') + rule('a3', 'allow'));
  await write('etc/rules.d/b.toml', rule('d1', 'deny') + rule('d2', 'drop'));
  assert.deepEqual(await inForce(store), ['d1 deny', 'd2 drop', 'a1 allow']);
  assert.match((await complaints(store)).join('\n'), /There are more than 3 rules; 2 are not in force/);
  assert.equal(store.counters().rulesOverLimit, 2);
});

test('load: thousands of mistakes become a bounded number of complaints', async (t) => {
  const { store, write } = await makeStore(t);
  for (let file = 0; file < 15; file += 1) {
    await write(`etc/rules.d/f${String(file)}.toml`, '[[rule]]\nid = "Bad Id"\naction = "no"\n'.repeat(500));
  }
  const { errors } = await store.load();
  assert.equal(errors.length, 201);
  assert.ok(errors.every(({ message }) => message.length < 400));
});

test('load: file names and words of files cannot act on a terminal that shows the complaint', async (t) => {
  const { store, write, rulesDir } = await makeStore(t);
  await writeFile(`${rulesDir}/\u001b[31mred\u202e.toml`, ALLOW, { mode: 0o640 });
  await write('etc/rules.d/f.toml', '[[rule]]\nid = "a"\naction = "deny"\n"\\u001b[2J\\u202e" = 1\n');
  const told = await complaints(store);
  assert.equal(told.length, 2);
  assert.doesNotMatch(told.join(''), /[\p{Cc}\p{Cf}]/u);
});

test('load: names of the prototype are keys like any other', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/rules.d/f.toml', '[[rule]]\nid = "a"\naction = "allow"\n__proto__ = { enabled = false }\n');
  assert.match((await complaints(store))[0] ?? '', /There is no key "__proto__" here/);
  assert.equal(({} as Record<string, unknown>)['enabled'], undefined);
});
