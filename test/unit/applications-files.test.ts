/** Files as the registry of applications looks at them, and as the helper looks at its own. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { appendFile, chmod, copyFile, mkdir, mkdtemp, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { createFileLook } from '../../helper/adapters/applications/file-look.ts';
import { createApplicationStore } from '../../helper/adapters/applications/store.ts';
import { FileDigests } from '../../helper/adapters/file-digests.ts';
import { verifyOwnFiles } from '../../helper/adapters/own-files.ts';
import type { DegradedReason } from '../../helper/contract/types.ts';
import { OwnFilesCheck } from '../../helper/own-files-check.ts';
import type { Logger } from '../../helper/ports.ts';
import { silent } from './rule-store-support.ts';

async function folder(context: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'bastion-files-'));
  context.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function loggerInto(lines: string[]): Logger {
  return { log: (level, message, fields) => void lines.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`), setLevel: () => undefined };
}

describe('files of programs', () => {
  test('a file is hashed as sha256sum does it, and found under the same numbers', async (context) => {
    const path = join(await folder(context), 'file');
    const bytes = randomBytes(700_000);
    await writeFile(path, bytes);
    const look = createFileLook();
    const hashed = await look.hash(path);
    const found = await look.find(path);
    assert.equal(hashed?.sha256, sha256(bytes));
    assert.equal(hashed.sizeBytes, bytes.length);
    assert.deepEqual(found, { executable: hashed.executable, sizeBytes: bytes.length });
  });

  test('an empty file has a hash; what is not there, a folder, a link and a FIFO have none', async (context) => {
    const root = await folder(context);
    const look = createFileLook();
    await writeFile(join(root, 'empty'), '');
    assert.equal((await look.hash(join(root, 'empty')))?.sha256, sha256(''));
    await symlink(join(root, 'empty'), join(root, 'link'));
    execFileSync('mkfifo', [join(root, 'fifo')]);
    for (const name of ['absent', '', 'link', 'fifo', 'empty/below']) {
      assert.equal(await look.hash(join(root, name)), null, name);
      assert.equal(await look.find(join(root, name)), null, name);
    }
  });

  test('a folder that becomes a link tells nothing of what is behind it, not even whether it is there', async (context) => {
    const root = await folder(context);
    await mkdir(join(root, 'secret'), { mode: 0o700 });
    await writeFile(join(root, 'secret/file'), 'secret');
    await symlink(join(root, 'secret'), join(root, 'mine'));
    const look = createFileLook();
    for (const name of ['mine/file', 'mine/absent', 'mine/../secret/file']) {
      assert.equal(await look.hash(`${root}/${name}`), null, name);
      assert.equal(await look.find(`${root}/${name}`), null, name);
    }
    assert.notEqual(await look.hash(join(root, 'secret/file')), null);
  });

  test('a file that is written while it is hashed is hashed again, and has none if it never rests', async (context) => {
    const path = join(await folder(context), 'file');
    await writeFile(path, randomBytes(600_000));
    let chunks = 0;
    const once = createFileLook({ onChunk: async () => { if ((chunks += 1) === 2) await appendFile(path, 'x'); } });
    assert.equal((await once.hash(path))?.sha256, sha256(await readFile(path)));
    const always = createFileLook({ onChunk: () => appendFile(path, 'x') });
    assert.equal(await always.hash(path), null);
  });

  test('a file that another one takes the place of while it is hashed is hashed as that one', async (context) => {
    const root = await folder(context);
    const [path, other] = [join(root, 'file'), join(root, 'other')];
    await writeFile(path, randomBytes(600_000));
    await writeFile(other, 'other');
    let done = false;
    const look = createFileLook({
      onChunk: async () => {
        if (done) return;
        done = true;
        await rename(other, path);
      },
    });
    assert.equal((await look.hash(path))?.sha256, sha256('other'));
  });

  test('a write that leaves size and time as they were is noticed', async (context) => {
    const path = join(await folder(context), 'file');
    await writeFile(path, 'a'.repeat(600_000));
    let done = false;
    const look = createFileLook({
      onChunk: () => {
        if (!done) execFileSync('sh', ['-c', 'stamp=$(stat -c %y "$1"); printf b | dd of="$1" conv=notrunc status=none; touch -d "$stamp" "$1"', 'sh', path]);
        done = true;
        return Promise.resolve();
      },
    });
    assert.equal((await look.hash(path))?.sha256, sha256(`b${'a'.repeat(599_999)}`));
  });

  test('whoever knows packages is asked first, about the very file; what he cannot tell is hashed here', async (context) => {
    const root = await folder(context);
    await writeFile(join(root, 'file'), 'bytes');
    await symlink(root, join(root, 'link'));
    const asked: (readonly [string, bigint])[] = [];
    let answer: { readonly sha256: string; readonly sizeBytes: number; readonly packageState: 'right'; readonly package: string } | null = {
      sha256: 'a'.repeat(64), sizeBytes: 5, packageState: 'right', package: 'tool',
    };
    const look = createFileLook({
      examine: (path, { inode }) => {
        asked.push([path, inode]);
        return Promise.resolve(answer);
      },
    });
    const found = await look.find(join(root, 'file'));
    assert.ok(found !== null && found !== 'unknown');
    assert.deepEqual(await look.hash(join(root, 'file')), { ...answer, executable: found.executable });
    answer = null;
    assert.deepEqual(await look.hash(join(root, 'file')), { sha256: sha256('bytes'), sizeBytes: 5, executable: found.executable });
    assert.equal(await look.hash(join(root, 'link/file')), null);
    assert.deepEqual(asked, [[join(root, 'file'), found.executable.inode], [join(root, 'file'), found.executable.inode]]);
  });

  test('it stops when it is told to, at once, and a file over the limit is not read', async (context) => {
    const path = join(await folder(context), 'file');
    await writeFile(path, randomBytes(600_000));
    const abort = new AbortController();
    const look = createFileLook({ onChunk: () => new Promise(() => { abort.abort(); }) });
    await assert.rejects(look.hash(path, abort.signal));
    assert.equal(await createFileLook({ longestBytes: 1000n }).hash(path), null);
  });
});

describe('the kept applications', () => {
  test('what is saved is loaded again; nothing is null', async (context) => {
    const stateDir = await folder(context);
    const store = createApplicationStore({ stateDir, logger: silent });
    assert.equal(await store.load(), null);
    await store.save('{"version":1}');
    assert.deepEqual(await store.load(), { version: 1 });
  });

  test('what is no JSON, or may be written by others, is not used, said so, and kept aside', async (context) => {
    const stateDir = await folder(context);
    const lines: string[] = [];
    const store = createApplicationStore({ stateDir, logger: loggerInto(lines) });
    await store.save('{"version":1');
    assert.equal(await store.load(), null);
    assert.deepEqual(await readdir(stateDir), ['applications.json.broken']);
    await store.save('{}');
    await chmod(join(stateDir, 'applications.json'), 0o666);
    assert.equal(await store.load(), null);
    assert.equal(lines.length, 2);
  });
});

describe('the helper’s own files', () => {
  async function product(context: TestContext): Promise<string> {
    const root = await folder(context);
    await mkdir(join(root, 'helper'));
    await writeFile(join(root, 'helper/main.mjs'), 'main');
    await writeFile(join(root, 'a.node'), 'native');
    const files = { 'helper/main.mjs': sha256('main'), 'a.node': sha256('native') };
    await writeFile(join(root, 'manifest.json'), JSON.stringify({ version: 1, files }));
    return root;
  }

  test('those of the manifest are verified: all right, changed, missing', async (context) => {
    const productDir = await product(context);
    const options = { productDir, dpkgInfoDir: join(productDir, 'none') };
    assert.deepEqual(await verifyOwnFiles(options), { record: 'manifest', checked: 2, changed: [], missing: [] });
    await appendFile(join(productDir, 'a.node'), 'x');
    await rm(join(productDir, 'helper/main.mjs'));
    const { changed, missing } = await verifyOwnFiles(options);
    assert.deepEqual([changed, missing], [[join(productDir, 'a.node')], [join(productDir, 'helper/main.mjs')]]);
  });

  test('a manifest that cannot be read, or leads elsewhere, is itself what is wrong', async (context) => {
    const productDir = await product(context);
    const path = join(productDir, 'manifest.json');
    for (const text of ['', '{}', '{"version":1,"files":{"../../etc/shadow":"' + 'a'.repeat(64) + '"}}', '{"version":1,"files":{"a":"b"}}']) {
      await writeFile(path, text);
      assert.deepEqual((await verifyOwnFiles({ productDir, dpkgInfoDir: '/none' })).changed, [path], text);
    }
    await rm(path);
    assert.equal((await verifyOwnFiles({ productDir, dpkgInfoDir: '/none' })).record, null);
  });

  test('where dpkg owns them its record decides; a build of one’s own beside it does not count', async (context) => {
    const root = await folder(context);
    const productDir = join(root, 'usr/lib/bastion');
    const dpkgInfoDir = join(root, 'info');
    await mkdir(productDir, { recursive: true });
    await mkdir(dpkgInfoDir);
    await writeFile(join(productDir, 'main.mjs'), 'main');
    const md5 = createHash('md5').update('main').digest('hex');
    await writeFile(join(dpkgInfoDir, 'bastion-firewall.md5sums'), `${md5}  usr/lib/bastion/main.mjs\n${md5}  usr/sbin/gone\n`);
    const found = await verifyOwnFiles({ productDir, dpkgInfoDir, root });
    assert.deepEqual(found, { record: 'dpkg', checked: 2, changed: [], missing: [join(root, 'usr/sbin/gone')] });
    await writeFile(join(dpkgInfoDir, 'bastion-firewall.md5sums'), `${md5}  usr/lib/bastion/main.mjs\n${md5}  usr/share/doc/bastion-firewall/copyright\n`);
    assert.deepEqual((await verifyOwnFiles({ productDir, dpkgInfoDir, root })).missing, [], 'systems that leave documentation out');
    assert.equal((await verifyOwnFiles({ productDir: join(root, 'elsewhere'), dpkgInfoDir, root })).record, null);
  });

  test('what is wrong twice is a reason with a remedy and a line of the journal; what was an update half-way is not', async (context) => {
    const productDir = await product(context);
    const lines: string[] = [];
    const told: (readonly DegradedReason[])[] = [];
    const both = new Promise<void>((resolve) => {
      const check = new OwnFilesCheck({
        files: { productDir, dpkgInfoDir: '/none' }, logger: loggerInto(lines), againMs: 1,
        onReasons: (reasons) => {
          told.push(reasons);
          resolve();
        },
      });
      context.after(() => { check.stop(); });
      void appendFile(join(productDir, 'a.node'), 'x').then(() => check.start());
    });
    await both;
    assert.deepEqual(told.map((reasons) => reasons.map(({ code }) => code)), [['files']]);
    assert.match(told[0]?.[0]?.text ?? '', /not as they were installed: .*a\.node\.$/u);
    assert.match(told[0]?.[0]?.remedy ?? '', /npm run build/u);
    assert.equal(lines.filter((line) => line.startsWith('error')).length, 1);
    const later = new OwnFilesCheck({ files: { productDir, dpkgInfoDir: '/none' }, logger: silent, onReasons: (reasons) => told.push(reasons) });
    await copyFile(join(productDir, 'manifest.json'), join(productDir, 'copy'));
    await writeFile(join(productDir, 'a.node'), 'native');
    assert.equal((await later.check()).ok, true);
    assert.deepEqual(told.at(-1), []);
  });
});

describe('edits while the helper was away', () => {
  test('new, changed and removed files are told once; the first start and a restart without an edit tell nothing', async (context) => {
    const root = await folder(context);
    const [configDir, stateDir] = [join(root, 'etc'), join(root, 'state')];
    await mkdir(join(configDir, 'rules.d'), { recursive: true });
    await mkdir(stateDir);
    const write = (name: string, text: string): Promise<void> => writeFile(join(configDir, name), text, { mode: 0o640 });
    const start = async (): Promise<readonly string[]> => {
      const lines: string[] = [];
      const digests = new FileDigests({ configDir, stateDir, logger: loggerInto(lines) });
      await digests.announce();
      await digests.stop();
      return lines.map((line) => line.replace(configDir, ''));
    };
    await write('bastion.toml', 'a');
    await write('rules.d/50-user.toml', 'a');
    assert.deepEqual(await start(), []);
    assert.deepEqual(await start(), []);
    await write('bastion.toml', 'b');
    await write('rules.d/10-new.toml', 'a');
    await rm(join(configDir, 'rules.d/50-user.toml'));
    const told = await start();
    assert.deepEqual(told.map((line) => /"file":"(.*)","what":"(.*)"/u.exec(line)?.slice(1)), [
      ['/bastion.toml', 'changed'], ['/rules.d/10-new.toml', 'new'], ['/rules.d/50-user.toml', 'removed'],
    ]);
    assert.deepEqual(await start(), []);
    await writeFile(join(stateDir, 'files.json'), 'torn');
    assert.match((await start()).join(''), /^warning what the rule files said cannot be read/u);
  });
});
