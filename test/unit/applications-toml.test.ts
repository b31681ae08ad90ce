/** applications.toml: what it may say, where it is wrong, and that edits leave everything else alone. */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import fc from '../property.ts';
import { createTrustedApplications } from '../../helper/adapters/applications/trusted-file.ts';
import { readTrustedApplications, TRUSTED_LIMITS, withTrusted } from '../../helper/adapters/applications/trusted-toml.ts';
import type { TrustedFile } from '../../helper/adapters/applications/trusted-toml.ts';
import type { TrustedApplication, TrustedApplications } from '../../helper/ports.ts';
import { silent } from './rule-store-support.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);

interface Fixture {
  readonly file: string;
  readonly stateDir: string;
  readonly store: TrustedApplications;
  readonly restarted: () => TrustedApplications;
  readonly write: (text: string) => Promise<void>;
  readonly text: () => Promise<string>;
}

async function fixture(context: TestContext): Promise<Fixture> {
  const root = await mkdtemp(join(tmpdir(), 'bastion-trusted-'));
  context.after(() => rm(root, { recursive: true, force: true }));
  const dirs = { configDir: join(root, 'etc'), stateDir: join(root, 'state') };
  for (const folder of Object.values(dirs)) await mkdir(folder, { mode: 0o755 });
  const file = join(dirs.configDir, 'applications.toml');
  const restarted = (): TrustedApplications => createTrustedApplications({ ...dirs, logger: silent });
  return {
    file, stateDir: dirs.stateDir, store: restarted(), restarted,
    write: (text) => writeFile(file, text, { mode: 0o640 }),
    text: () => readFile(file, 'utf8'),
  };
}

/** Without the text that the parts were made of. */
async function read(text: string): Promise<Pick<TrustedFile, 'entries' | 'problems'>> {
  const { entries, problems } = await readTrustedApplications(text);
  return { entries, problems };
}

function block(path: string, sha256: string, more = ''): string {
  return `[[application]]\npath = "${path}"\nsha256 = "${sha256}"\n${more}`;
}

describe('applications.toml: reading', () => {
  test('name and note are optional, hashes may be written in capitals', async () => {
    const text = `# mine\n[[application]]\nname = "Tool"\npath = "/opt/tool"\nsha256 = "${A.toUpperCase()}"\nnote = "built by hand"\n${block('/opt/other', B)}`;
    assert.deepEqual(await read(text), {
      entries: [{ name: 'Tool', path: '/opt/tool', sha256: A }, { name: 'other', path: '/opt/other', sha256: B }], problems: [],
    });
  });

  const wrong: readonly (readonly [string, string, string])[] = [
    ['a relative path', block('opt/tool', A), '2:1 "path" must be the absolute path'],
    ['a path with dots', block('/opt/../etc/tool', A), '2:1 "path" must be the absolute path'],
    ['a folder', block('/opt/', A), '2:1 "path" must be the absolute path'],
    ['a short hash', block('/opt/tool', 'abc'), '3:1 "sha256" must be 64 hexadecimal digits'],
    ['no hash', '[[application]]\npath = "/opt/tool"\n', '1:1 The key "sha256" is missing'],
    ['no path', `[[application]]\nsha256 = "${A}"\n`, '1:1 The key "path" is missing'],
    ['an unknown key', block('/opt/tool', A, 'sha265 = "x"\n'), '4:1 There is no key "sha265" here. Did you mean "sha256"?'],
    ['one bracket', `[application]\npath = "/opt/tool"\nsha256 = "${A}"\n`, '1:1 Write [[application]] with two brackets'],
    ['another table', '[[rule]]\nid = "x"\n', '1:1 There is no table "rule" in applications.toml.'],
    ['a key outside', 'path = "/opt/tool"\n', '1:1 The key "path" stands outside an application.'],
    ['the same path twice', block('/opt/tool', A) + block('/opt/tool', B), '4:1 The path "/opt/tool" has an entry in line 1 already.'],
    ['what is not TOML', '[[application]\n', '1:'],
  ];
  for (const [name, text, expected] of wrong) {
    test(`${name} is a problem with line and column`, async () => {
      const [problem] = (await read(text)).problems;
      assert.ok(`${String(problem?.line)}:${String(problem?.column)} ${problem?.message ?? ''}`.startsWith(expected), JSON.stringify(problem));
    });
  }

  test('more than 4096 entries are a problem, and the first are used', async () => {
    const text = Array.from({ length: TRUSTED_LIMITS.entries + 1 }, (_, index) => block(`/opt/${String(index)}`, A)).join('');
    const { entries, problems } = await read(text);
    assert.equal(entries.length, TRUSTED_LIMITS.entries);
    assert.equal(problems.length, 1);
  });
});

describe('applications.toml: the file', () => {
  test('a missing file trusts nothing and is no error', async (context) => {
    assert.deepEqual(await (await fixture(context)).store.load(), { entries: [], errors: [] });
  });

  test('a broken file keeps its last good entries, over a restart too, and says where it is broken', async (context) => {
    const { store, restarted, write, file } = await fixture(context);
    await write(block('/opt/tool', A));
    await store.load();
    await write(`${block('/opt/tool', B)}sha256 = "twice"\n`);
    for (const one of [store, restarted()]) {
      const { entries, errors } = await one.load();
      assert.deepEqual(entries.map(({ sha256 }) => sha256), [A]);
      assert.deepEqual(errors.map((error) => [error.file, error.line]), [[file, 4]]);
      assert.match(errors[0]?.message ?? '', /The last good version of this file stays in force\./u);
    }
  });

  test('of a file that was never right the entries that are right are used', async (context) => {
    const { store, write } = await fixture(context);
    await write(block('/opt/tool', A) + block('opt/other', A));
    const { entries, errors } = await store.load();
    assert.deepEqual(entries.map(({ path }) => path), ['/opt/tool']);
    assert.match(errors[0]?.message ?? '', /Only the applications of this file that are right are used\./u);
  });

  test('a file that others may write, and a link, are not used', async (context) => {
    const { store, write, file } = await fixture(context);
    await write(block('/opt/tool', A));
    await chmod(file, 0o666);
    const open = await store.load();
    assert.deepEqual(open.entries, []);
    assert.match(open.errors[0]?.message ?? '', /chmod 0640/u);
    await rm(file);
    await writeFile(`${file}.real`, block('/opt/tool', A), { mode: 0o640 });
    await symlink(`${file}.real`, file);
    assert.match((await store.load()).errors[0]?.message ?? '', /links are not followed/u);
  });

  test('a hand edit is told, the helper’s own write is not', async (context) => {
    const { store, write } = await fixture(context);
    await store.load();
    let told = 0;
    const change = new Promise<void>((resolve) => {
      context.after(store.watch(() => {
        told += 1;
        resolve();
      }));
    });
    await store.write([{ name: 'tool', path: '/opt/tool', sha256: A }]);
    await write(block('/opt/tool', B));
    await change;
    assert.equal(told, 1);
    assert.deepEqual((await store.load()).entries.map(({ sha256 }) => sha256), [B]);
  });
});

describe('applications.toml: writing', () => {
  test('a hash is set in place: comments, order, spacing and other keys stay', async (context) => {
    const { store, write, text } = await fixture(context);
    const before = `# head\n\n[[application]] # one\nsha256   =   '${A}'   # as of May\npath = "/opt/tool"\nnote = "x"\n\n${block('/opt/other', A)}# tail\n`;
    await write(before);
    await store.write([{ name: 'ignored', path: '/opt/tool', sha256: B }]);
    assert.equal(await text(), before.replace(`'${A}'`, `"${B}"`));
  });

  test('a new one is appended, into a new file with a word on what it is; mode 0640', async (context) => {
    const { store, text, file } = await fixture(context);
    await store.write([{ name: 'A "tool"', path: '/opt/tool', sha256: A }]);
    assert.match(await text(), /^# Programs that are trusted by hand/u);
    await store.write([{ name: 'other', path: '/opt/other', sha256: B }, { name: 'x', path: '/opt/tool', sha256: B }]);
    assert.deepEqual((await store.load()).entries, [
      { name: 'A "tool"', path: '/opt/tool', sha256: B }, { name: 'other', path: '/opt/other', sha256: B },
    ]);
    assert.equal((await stat(file)).mode & 0o7777, 0o640);
    assert.deepEqual((await readdir(join(file, '..'))).sort(), ['applications.toml']);
  });

  test('line endings stay, and a file without one at its end gets one', async (context) => {
    const { store, write, text } = await fixture(context);
    await write(block('/opt/tool', A).trimEnd().replaceAll('\n', '\r\n'));
    await store.write([{ name: 'other', path: '/opt/other', sha256: B }]);
    assert.ok(!/[^\r]\n/u.test(await text()));
    assert.equal((await store.load()).entries.length, 2);
  });

  test('a broken file is not written until it is mended, and the error says where', async (context) => {
    const { store, write, text } = await fixture(context);
    await write('[[application]]\npath = 7\n');
    await assert.rejects(store.write([{ name: 't', path: '/opt/tool', sha256: A }]), { code: 'Failed', message: /Mend applications\.toml first, line 2/u });
    assert.equal(await text(), '[[application]]\npath = 7\n');
  });

  test('an entry that could not be read back is not written', async (context) => {
    const { store } = await fixture(context);
    await assert.rejects(store.write([{ name: 't', path: '/opt/../x', sha256: A }]), { code: 'Failed' });
    assert.deepEqual(await store.load(), { entries: [], errors: [] });
  });

  test('any names and paths go in and come out, and what was there stays', async () => {
    const name = fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' }).map((text) => text.replaceAll('\0', 'x').toWellFormed());
    const entry = fc.record({
      name, path: fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.map((part) => `p${part.replaceAll('/', '_')}`).join('/')}`),
      sha256: fc.constantFrom(A, B),
    }, { noNullPrototype: true });
    await fc.assert(fc.asyncProperty(fc.uniqueArray(entry, { selector: ({ path }) => path, maxLength: 5 }), fc.constantFrom(A, B), async (entries, hash) => {
      const first = withTrusted(await readTrustedApplications(''), entries);
      assert.deepEqual(await read(first), { entries, problems: [] });
      const changed: TrustedApplication[] = entries.slice(0, 2).map((one) => ({ ...one, sha256: hash }));
      const second = withTrusted(await readTrustedApplications(first), changed);
      assert.deepEqual(await read(second), { entries: [...changed, ...entries.slice(2)], problems: [] });
    }), { numRuns: 100 });
  });

  test('a note of several lines that looks like an entry is one note', async (context) => {
    const { store, write, text } = await fixture(context);
    const before = `${block('/opt/tool', A, `note = """\n[[application]]\npath = 7\n"""\n`)}${block('/opt/other', A)}`;
    await write(before);
    await store.write([{ name: 'x', path: '/opt/other', sha256: B }]);
    assert.equal(await text(), before.replace(new RegExp(`${A}(?="\\n$)`), B));
    assert.deepEqual((await store.load()).entries.map(({ path, sha256 }) => [path, sha256]), [['/opt/tool', A], ['/opt/other', B]]);
  });

  test('problems of later blocks have the lines of the file', async () => {
    const { problems, entries } = await read(`# head\n${block('/opt/tool', A)}\n${block('/opt/other', 'x')}${block('/opt/third', B)}`);
    assert.deepEqual(problems.map(({ line, column }) => [line, column]), [[8, 1]]);
    assert.deepEqual(entries.map(({ path }) => path), ['/opt/tool', '/opt/third']);
  });
});
