/**
 * The power is cut at every system call of a write of rules: what is on the disk then is always the old or the new rules. The
 * calls of real writes are recorded; each beginning of the record is played into folders, with whatever had not been made
 * durable there, lost, cut short, or full of zeros.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { createRuleStore } from '../../helper/adapters/rule-store.ts';
import type { FileCalls } from '../../helper/adapters/atomic-file.ts';
import type { RuleStore } from '../../helper/ports.ts';
import { newRule, NOW_MS, parsers, silent } from './rule-store-support.ts';

const FOLDERS = ['etc', 'etc/rules.d', 'vendor', 'state', 'state/last-good', 'state/last-good/settings'];

/** One system call; `inode` names a file however it is called. */
type Op =
  | { readonly kind: 'create'; readonly path: string; readonly inode: number }
  | { readonly kind: 'write'; readonly inode: number; readonly bytes: Buffer }
  | { readonly kind: 'sync'; readonly inode: number }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly inode: number }
  | { readonly kind: 'unlink'; readonly path: string; readonly inode: number }
  | { readonly kind: 'sync-folder'; readonly path: string }
  | { readonly kind: 'other'; readonly what: string };

type Disk = ReadonlyMap<string, Buffer>;

/** The real calls, written down as they succeed. */
class Recorder implements FileCalls {
  readonly ops: Op[] = [];
  readonly #root: string;
  readonly #names = new Map<string, number>();
  #inodes = 0;

  constructor(root: string) {
    this.#root = root;
  }

  open: FileCalls['open'] = async (path, flags, mode) => {
    const name = relative(this.#root, String(path));
    const handle = await open(path, flags, mode);
    if ((await handle.stat()).isDirectory()) return this.#folder(handle, name);
    const inode = this.#inodes += 1;
    this.#names.set(name, inode);
    this.ops.push({ kind: 'create', path: name, inode });
    return this.#file(handle, inode);
  };

  rename: FileCalls['rename'] = async (from, to) => {
    await rename(from, to);
    const [before, after] = [relative(this.#root, String(from)), relative(this.#root, String(to))];
    const inode = this.#names.get(before) ?? 0;
    this.#names.set(after, inode);
    this.ops.push({ kind: 'rename', from: before, to: after, inode });
  };

  unlink: FileCalls['unlink'] = async (path) => {
    await unlink(path);
    const name = relative(this.#root, String(path));
    this.ops.push({ kind: 'unlink', path: name, inode: this.#names.get(name) ?? 0 });
  };

  #file(handle: FileHandle, inode: number): FileHandle {
    return this.#watched(handle, (call, args) => {
      if (call === 'writeFile') this.ops.push({ kind: 'write', inode, bytes: Buffer.from(args[0] as Uint8Array) });
      else if (call === 'sync') this.ops.push({ kind: 'sync', inode });
      else this.ops.push({ kind: 'other', what: call });
    });
  }

  #folder(handle: FileHandle, path: string): FileHandle {
    return this.#watched(handle, (call) => {
      this.ops.push(call === 'sync' ? { kind: 'sync-folder', path } : { kind: 'other', what: call });
    });
  }

  #watched(handle: FileHandle, done: (call: string, args: readonly unknown[]) => void): FileHandle {
    return new Proxy(handle, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key);
        if (typeof member !== 'function') return member;
        return async (...args: unknown[]): Promise<unknown> => {
          const result: unknown = await Reflect.apply(member, target, args);
          done(String(key), args);
          return result;
        };
      },
    });
  }
}

/** Every state that the disk may be in after these calls and a power cut. */
function* disksAfter(before: Disk, ops: readonly Op[]): Generator<Disk> {
  const data = new Map<number, { bytes: Buffer; durable: boolean }>();
  const names = new Map<string, number | Buffer>(before);
  let pending: Op[] = [];
  for (const op of ops) {
    if (op.kind === 'create') data.set(op.inode, { bytes: Buffer.alloc(0), durable: false });
    if (op.kind === 'write') data.set(op.inode, { bytes: op.bytes, durable: false });
    if (op.kind === 'sync') data.set(op.inode, { bytes: data.get(op.inode)?.bytes ?? Buffer.alloc(0), durable: true });
    if (op.kind === 'create' || op.kind === 'rename' || op.kind === 'unlink') pending.push(op);
    if (op.kind === 'sync-folder') {
      const isInside = (path: string): boolean => path.slice(0, path.lastIndexOf('/')) === op.path;
      for (const one of pending) if (isInside(placeOf(one))) applyName(names, one);
      pending = pending.filter((one) => !isInside(placeOf(one)));
    }
  }
  for (let mask = 0; mask < 2 ** pending.length; mask += 1) {
    const world = new Map(names);
    for (const [at, op] of pending.entries()) if ((mask & (1 << at)) !== 0) applyName(world, op);
    const volatile = [...new Set(world.values())].filter((one): one is number => typeof one === 'number' && data.get(one)?.durable === false);
    for (let variant = 0; variant < (volatile.length === 0 ? 1 : 4); variant += 1) {
      yield new Map([...world].map(([path, file]) => {
        if (typeof file !== 'number') return [path, file];
        const { bytes, durable } = data.get(file) ?? { bytes: Buffer.alloc(0), durable: true };
        return [path, durable ? bytes : lost(bytes, variant)];
      }));
    }
  }
}

function placeOf(op: Op): string {
  return op.kind === 'rename' ? op.to : op.kind === 'create' || op.kind === 'unlink' ? op.path : '';
}

function applyName(names: Map<string, number | Buffer>, op: Op): void {
  if (op.kind === 'create') names.set(op.path, op.inode);
  if (op.kind === 'unlink') names.delete(op.path);
  if (op.kind === 'rename') {
    names.delete(op.from);
    names.set(op.to, op.inode);
  }
}

/** What may be left of data that was not made durable. */
function lost(bytes: Buffer, variant: number): Buffer {
  switch (variant) {
    case 0: return Buffer.alloc(0);
    case 1: return bytes.subarray(0, Math.trunc(bytes.length / 2));
    case 2: return Buffer.alloc(bytes.length);
    default: return bytes;
  }
}

function makeRoot(disk: Disk): string {
  const root = mkdtempSync(join(tmpdir(), 'bastion-power-'));
  for (const folder of FOLDERS) mkdirSync(join(root, folder), { mode: folder.startsWith('state') ? 0o700 : 0o755 });
  for (const [path, bytes] of disk) writeFileSync(join(root, path), bytes, { mode: 0o640 });
  return root;
}

function diskOf(root: string): Disk {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(files.map((entry) => [relative(root, join(entry.parentPath, entry.name)), readFileSync(join(entry.parentPath, entry.name))]));
}

function storeIn(root: string, fileCalls?: FileCalls): RuleStore {
  return createRuleStore({
    configDir: join(root, 'etc'), vendorDir: join(root, 'vendor'), stateDir: join(root, 'state'), parsers, logger: silent,
    lookupUser: () => Promise.resolve(null), clock: { bootNs: () => 0n, wallMs: () => NOW_MS },
    ...(fileCalls === undefined ? {} : { fileCalls }),
  });
}

/** All that decides, as text; line numbers are not of it. */
async function contentOf(disk: Disk): Promise<{ readonly content: string; readonly leftovers: readonly string[] }> {
  const root = makeRoot(disk);
  try {
    const { rules, settings, errors, groupsOff } = await storeIn(root).load();
    assert.deepEqual(errors, []);
    const leftovers = [...diskOf(root).keys()].filter((path) => path.endsWith('.tmp'));
    return { content: JSON.stringify([settings, groupsOff, rules.map((rule) => ({ ...rule, source: null }))]), leftovers };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const OLD_FILE = '# mine\n\n[[rule]]\nid = "old"\naction = "deny"\ngroup = "G"\ndestination = { address = "192.0.2.1" }\n';
const WRITES: Readonly<Record<string, (store: RuleStore) => Promise<void>>> = {
  'the first rule of all': (store) => store.add(newRule({ id: 'first' })),
  'a new rule': (store) => store.add(newRule({ id: 'new', domain: 'example.org' })),
  'a changed rule': (store) => store.update('old', newRule({ id: 'old', action: 'drop', path: '/usr/bin/changed' })),
  'a removed rule': (store) => store.remove('old'),
  'a rule that is switched off': (store) => store.setEnabled('old', false),
  'a group that is switched off': (store) => store.setGroup('G', false),
  'a changed mode': (store) => store.setMode('learning'),
};

for (const [what, write] of Object.entries(WRITES)) {
  test(`a power cut at any call of the write of ${what} leaves the old or the new rules`, async (t) => {
    const first = what.startsWith('the first');
    const root = makeRoot(new Map([
      ['etc/bastion.toml', Buffer.from('mode = "enforcing"\n')],
      ...(first ? [] : [['etc/rules.d/50-user.toml', Buffer.from(OLD_FILE)] as const]),
    ]));
    t.after(() => { rmSync(root, { recursive: true, force: true }); });
    const recorder = new Recorder(root);
    const store = storeIn(root, recorder);
    await store.load();
    recorder.ops.length = 0;
    const before = diskOf(root);
    await write(store);
    const old = (await contentOf(before)).content;
    const after = (await contentOf(diskOf(root))).content;
    assert.notEqual(old, after);
    assert.ok(recorder.ops.some(({ kind }) => kind === 'rename') && recorder.ops.filter(({ kind }) => kind === 'sync-folder').length > 0);
    let worlds = 0;
    for (let calls = 0; calls <= recorder.ops.length; calls += 1) {
      const happened = recorder.ops.slice(0, calls);
      for (const disk of disksAfter(before, happened)) {
        worlds += 1;
        const { content, leftovers } = await contentOf(disk);
        assert.ok(content === old || content === after, `after ${JSON.stringify(happened.map(({ kind }) => kind))}: ${content}`);
        assert.deepEqual(leftovers, [], 'an unfinished write does not stay for ever');
      }
    }
    assert.equal((await contentOf([...disksAfter(before, recorder.ops)][0] ?? new Map())).content, after, 'what resolved is durable');
    assert.ok(worlds > recorder.ops.length);
  });
}

test('a write that is not made durable before it is renamed would be noticed here', async (t) => {
  const root = makeRoot(new Map([['etc/rules.d/50-user.toml', Buffer.from(OLD_FILE)]]));
  t.after(() => { rmSync(root, { recursive: true, force: true }); });
  const recorder = new Recorder(root);
  const store = storeIn(root, recorder);
  await store.load();
  recorder.ops.length = 0;
  const before = diskOf(root);
  const { content: old } = await contentOf(before);
  await store.add(newRule({ id: 'new' }));
  const { content: after } = await contentOf(diskOf(root));
  const careless = recorder.ops.filter(({ kind }) => kind !== 'sync');
  let torn = 0;
  for (const disk of disksAfter(before, careless)) {
    const content = await contentOf(disk).then((one) => one.content, () => 'refused');
    if (content !== old && content !== after) torn += 1;
  }
  assert.ok(torn > 0);
});
