import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createUsers, parsePasswdLine } from '../../helper/adapters/users.ts';
import type { UserDirectory, UserRecord } from '../../helper/adapters/users.ts';

const PASSWD = 'root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\nalias:x:1000:1000::/:/bin/sh\n'
  + '::5:\nbad name:x:7:7:\n123:x:8:8:\nbig:x:4294967295:0:\n-n:x:9:9:\n';

interface Fixture {
  readonly users: UserDirectory;
  readonly asked: string[];
  readonly passwd: string;
  readonly clock: { nowMs: number };
}

async function fixture(t: TestContext, ask: (key: string) => Promise<UserRecord | null>): Promise<Fixture> {
  const folder = await mkdtemp(join(tmpdir(), 'bastion-users-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const passwd = join(folder, 'passwd');
  await writeFile(passwd, PASSWD);
  const asked: string[] = [];
  const clock = { nowMs: 0 };
  const users = createUsers({
    passwdPath: passwd, nowMs: () => clock.nowMs,
    ask: (key) => {
      asked.push(key);
      return ask(key);
    },
  });
  return { users, asked, passwd, clock };
}

const SERVICE: ReadonlyMap<string, UserRecord> = new Map(
  [{ name: 'carol@example.org', uid: 70_001 }].flatMap((user) => [[user.name, user], [String(user.uid), user]] as const),
);

test('users: /etc/passwd answers at once, its first line for a number wins, and lines that are wrong are left out', async (t) => {
  const { users, asked } = await fixture(t, () => Promise.resolve(null));
  assert.deepEqual([users.name(0), users.name(1000), users.uid('alice'), users.uid('alias')], ['root', 'alice', 1000, 1000]);
  assert.deepEqual(asked, []);
  for (const name of ['bad name', '123', '-n', '', 'a:b', 'a\nb', '\u202e', 'x'.repeat(65)]) assert.equal(users.uid(name), null, name);
  assert.deepEqual(asked, [], 'a name that cannot be one is not asked for');
});

test('users: a user of the name service is a number first and has a name once the service has answered', async (t) => {
  const { users, asked } = await fixture(t, (key) => Promise.resolve(SERVICE.get(key) ?? null));
  assert.equal(users.name(70_001), '70001');
  assert.equal(users.uid('carol@example.org'), null);
  assert.equal(await users.lookup('carol@example.org'), 70_001);
  assert.deepEqual([users.name(70_001), users.uid('carol@example.org')], ['carol@example.org', 70_001]);
  assert.deepEqual(asked, ['70001', 'carol@example.org'], 'two askers share one question');
});

test('users: an unknown name is asked for again after a while, and a failing service is no answer for ever', async (t) => {
  let isThere = false;
  const { users, asked, clock } = await fixture(t, () => (isThere ? Promise.resolve({ name: 'dave', uid: 2000 }) : Promise.reject(new Error('down'))));
  assert.equal(await users.lookup('dave'), null);
  assert.equal(await users.lookup('dave'), null);
  assert.equal(asked.length, 1);
  isThere = true;
  clock.nowMs = 20_000;
  assert.equal(await users.lookup('dave'), 2000);
});

test('users: a new line in /etc/passwd is seen', async (t) => {
  const { users, passwd, clock } = await fixture(t, () => Promise.resolve(null));
  assert.equal(users.uid('eve'), null);
  await writeFile(passwd, `${PASSWD}eve:x:1005:1005::/:/bin/sh\n`);
  clock.nowMs = 2000;
  assert.equal(users.uid('eve'), 1005);
});

test('users: a flood of unknown numbers runs at most four questions at once, refuses the rest and counts them', async (t) => {
  let running = 0;
  let most = 0;
  const release: (() => void)[] = [];
  const { users, asked } = await fixture(t, async () => {
    most = Math.max(most, running += 1);
    await new Promise<void>((go) => void release.push(go));
    running -= 1;
    return null;
  });
  for (let uid = 5000; uid < 6000; uid += 1) assert.equal(users.name(uid), String(uid));
  assert.equal(users.refused, 1000 - 260);
  const last = users.lookup('frank');
  assert.equal(await last, null, 'a refused question is answered as unknown');
  while (asked.length < 260 || running > 0) {
    release.shift()?.();
    await new Promise((next) => setImmediate(next));
  }
  assert.equal(most, 4);
});

test('users: the real name service knows root and nobody of that name', async () => {
  const users = createUsers({ passwdPath: '/nonexistent' });
  assert.equal(await users.lookup('root'), 0);
  assert.equal(await users.lookup('no-such-user-here'), null);
  assert.equal(users.uid('root'), 0);
});

test('users: a line of passwd is a name and a number or nothing', () => {
  assert.deepEqual(parsePasswdLine('a:x:1:2:'), { name: 'a', uid: 1 });
  for (const line of ['', 'a', 'a:x:', 'a:x:-1', 'a:x:1e3', 'a:x:99999999999']) assert.equal(parsePasswdLine(line), null, line);
});
