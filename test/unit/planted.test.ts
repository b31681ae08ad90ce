/**
 * Links, other names, FIFOs and folders in the place of each file that the helper writes for itself. What they lead to stays as it
 * is, nothing waits for them, and when they are gone the file is written again. Rule files: rule-store-security; the history:
 * history-store; programs and lists of packages: applications-files, identities.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { createApplicationStore } from '../../helper/adapters/applications/store.ts';
import { createTrustedApplications } from '../../helper/adapters/applications/trusted-file.ts';
import { writeFileAtomic } from '../../helper/adapters/atomic-file.ts';
import { BootWord } from '../../helper/adapters/boot-word.ts';
import { listenForControl } from '../../helper/adapters/control-listener.ts';
import { FileDigests } from '../../helper/adapters/file-digests.ts';
import { makeFile } from '../../helper/adapters/history/files.ts';
import { ListShelf } from '../../helper/adapters/lists/shelf.ts';
import { createOriginals } from '../../helper/adapters/originals.ts';
import { LastGood } from '../../helper/adapters/rule-store/last-good.ts';
import { createRunState } from '../../helper/adapters/run-state.ts';
import { createSetMemory } from '../../helper/adapters/set-memory.ts';
import { OffSwitch } from '../../helper/off-switch.ts';
import { silent } from './rule-store-support.ts';

const KEPT = 'what somebody keeps here\n';
const LIMIT_BYTES = 1024 * 1024;
const SET = { family: 'inet', table: 'filter', set: 'wan_ips', version: 4, addresses: new Set(['192.0.2.1']) } as const;
const NOTE = { source: 'https://lists.example/ads', sha256: '', etag: '', lastModified: '', checkedMs: 1, updatedMs: 1 };

interface Place {
  /** Below the root folder. */
  readonly path: string;
  /** Reads and writes it as the helper does; may refuse. */
  readonly use: (root: string) => Promise<unknown>;
}

function offSwitch(root: string, words: string): OffSwitch {
  writeFileSync(join(root, 'command-line'), words);
  const nothing = (): Promise<void> => Promise.resolve();
  return new OffSwitch({ runDir: join(root, 'run'), commandLineFile: join(root, 'command-line'), attach: nothing, detach: nothing, onError: () => undefined }, false);
}

async function shelf(root: string): Promise<void> {
  const lists = new ListShelf(join(root, 'state'), LIMIT_BYTES);
  await lists.text('ads');
  await lists.note('ads', NOTE.source);
  await lists.keep('ads', Buffer.from('0.0.0.0 a.test\n'), NOTE);
}

async function control(root: string): Promise<void> {
  const listener = await listenForControl(join(root, 'run/control.sock'), join(root, 'run'), (socket) => { socket.destroy(); });
  await listener.close();
}

async function digests(root: string): Promise<void> {
  const files = new FileDigests({ configDir: join(root, 'config'), stateDir: join(root, 'state'), logger: silent });
  await files.announce();
  await files.stop();
}

const PLACES: readonly Place[] = [
  { path: 'run/off', use: async (root) => {
    const off = offSwitch(root, 'quiet');
    await off.turnOff().finally(() => off.turnOn(false));
  } },
  { path: 'run/command-line', use: async (root) => { await offSwitch(root, 'quiet bastion=off').turnOn(false); } },
  { path: 'run/state.json', use: async (root) => {
    const state = createRunState({ runDir: join(root, 'run'), logger: silent });
    await state.load();
    await state.save({ version: 1 });
  } },
  { path: 'run/set-elements', use: async (root) => {
    const memory = createSetMemory({ runDir: join(root, 'run'), logger: silent });
    await memory.load();
    memory.save([SET]);
  } },
  { path: 'run/control-socket.json', use: control },
  { path: 'run/control.sock', use: control },
  { path: 'state/boot', use: async (root) => {
    const word = new BootWord(join(root, 'state'), silent);
    word.set('open');
    await word.settled();
  } },
  { path: 'state/files.json', use: digests },
  { path: 'config/bastion.toml', use: digests },
  { path: 'config/applications.toml', use: async (root) => {
    const applications = createTrustedApplications({ configDir: join(root, 'config'), stateDir: join(root, 'state'), logger: silent });
    await applications.load();
    await applications.write([]);
  } },
  { path: 'state/applications.json', use: async (root) => {
    const store = createApplicationStore({ stateDir: join(root, 'state'), logger: silent });
    await store.load();
    await store.save('{}');
  } },
  { path: 'state/imported.json', use: async (root) => {
    const originals = createOriginals({ configDir: join(root, 'config'), stateDir: join(root, 'state'), logger: silent });
    await originals.report();
    await originals.remember([{ name: 'rules.json', sha256: '0' }]);
  } },
  { path: 'state/last-good/a.toml', use: async (root) => {
    const copies = new LastGood(join(root, 'state'), LIMIT_BYTES, silent);
    await copies.read('rules', 'a.toml');
    await copies.keep('rules', 'a.toml', Buffer.from('# nothing\n'));
  } },
  { path: 'state/lists/ads.list', use: shelf },
  { path: 'state/lists/ads.json', use: shelf },
  { path: 'state/history.sqlite', use: async (root) => {
    await Promise.resolve();
    makeFile(join(root, 'state/history.sqlite'));
  } },
  { path: 'state/bastion.prom', use: (root) => writeFileAtomic(join(root, 'state/bastion.prom'), Buffer.from('# nothing\n'), 0o644) },
];

const KINDS: Readonly<Record<string, (path: string, victim: string) => void>> = {
  'a symbolic link': (path, victim) => { symlinkSync(victim, path); },
  'a symbolic link to nothing': (path, victim) => { symlinkSync(`${victim}-none`, path); },
  'another name of a file': (path, victim) => { linkSync(victim, path); },
  'a FIFO': (path) => { execFileSync('mkfifo', ['-m', '600', path]); },
  'a folder': (path) => {
    mkdirSync(path, { mode: 0o700 });
    linkSync(join(dirname(dirname(path)), 'victim'), join(path, 'kept'));
  },
};

for (const [kind, plant] of Object.entries(KINDS)) {
  for (const { path, use } of PLACES) {
    test(`${kind} as ${path}: nothing is reached through it, nothing waits for it, and afterwards all is well`, async (t) => {
      const root = mkdtempSync(join(tmpdir(), 'bastion-planted-'));
      t.after(() => { rmSync(root, { recursive: true, force: true }); });
      for (const folder of ['run', 'state', 'config', 'state/last-good', 'state/lists']) mkdirSync(join(root, folder), { mode: 0o700 });
      const victim = join(root, 'victim');
      writeFileSync(victim, KEPT);
      chmodSync(victim, 0o600);
      // For the folder's content, one level further down.
      if (path.split('/').length > 2) linkSync(victim, join(root, 'state/victim'));
      plant(join(root, path), victim);
      await use(root).catch(() => undefined);
      assert.equal(readFileSync(victim, 'utf8'), KEPT);
      assert.equal(lstatSync(victim).mode & 0o7777, 0o600);
      assert.equal(lstatSync(`${victim}-none`, { throwIfNoEntry: false }), undefined, 'a file was made where a link leads');
      rmSync(join(root, path), { recursive: true, force: true });
      await use(root);
    });
  }
}
