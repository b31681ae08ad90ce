/**
 * Loaded into a helper under test, in its threads too: each call of ours that leaves JavaScript is counted by its place in our
 * code, and made to fail where the plan says so. The plan is a file that is read at each call, so that one helper meets many.
 */
import childProcess from 'node:child_process';
import fs from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import { dirname, join } from 'node:path';
import sqlite from 'node:sqlite';
import { isMainThread } from 'node:worker_threads';
import type { Worker } from 'node:worker_threads';
import { SQLITE_FAULTS, systemError } from './faults.ts';
import type { FaultCode } from './faults.ts';
import { ANY, PLAN_BYTES, parsePlan, targetOf } from './plan.ts';
import type { Plan } from './plan.ts';

type Callable = (this: unknown, ...values: unknown[]) => unknown;
type Holder = Record<string, Callable>;

const folder = process.env['BASTION_INJECT'] ?? '';
const product = dirname(dirname(process.argv[1] ?? ''));
const real = { readSync: fs.readSync, appendFileSync: fs.appendFileSync };
const seenFile = join(folder, 'seen');
const planFile = fs.openSync(join(folder, 'plan'), 'r');

const latest = Buffer.alloc(PLAN_BYTES);
const known = Buffer.alloc(PLAN_BYTES);
let plan: Plan | null = null;
let met = 0;

function currentPlan(): Plan | null {
  real.readSync(planFile, latest, 0, PLAN_BYTES, 0);
  if (latest.equals(known)) return plan;
  latest.copy(known);
  plan = parsePlan(known);
  met = 0;
  return plan;
}

/** Can this kind of call have a part in the plan? The place of a call costs time to find. */
function concerns({ record, site, calls }: Plan, call: string): boolean {
  if (record) return true;
  return site === ANY ? calls.length === 0 || calls.includes(call) : site.startsWith(`${call} `);
}

/** The innermost frame that is ours, as `main.mjs:LINE:COLUMN`; null for a call by somebody else. */
function caller(): string | null {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 12;
  Error.prepareStackTrace = (_, frames) => frames;
  const holder: { stack?: unknown } = {};
  Error.captureStackTrace(holder, caller);
  const frames = holder.stack as NodeJS.CallSite[];
  Object.assign(Error, { prepareStackTrace: undefined, stackTraceLimit });
  const frame = frames.find((one) => (one.getFileName() ?? '').includes(`${product}/`));
  if (frame === undefined) return null;
  const file = (frame.getFileName() ?? '').replace(/^file:\/\//u, '').slice(product.length + 1);
  return `${file}:${String(frame.getLineNumber())}:${String(frame.getColumnNumber())}`;
}

let busy = false;

/** The error that this call shall meet, null for none. */
function fault(call: string, target: unknown): FaultCode | null {
  if (busy) return null;
  busy = true;
  try {
    const now = currentPlan();
    if (now === null || !concerns(now, call)) return null;
    const place = caller();
    if (place === null) return null;
    const site = `${call} ${place} ${targetOf(target, product)}`;
    if (now.record) {
      real.appendFileSync(seenFile, `${now.id}\tmet\t${site}\n`);
      return null;
    }
    // Who cannot speak any more is not asked to say why.
    if (now.site !== site && (now.site !== ANY || call === 'fs.writeSync')) return null;
    met += 1;
    if (met <= now.skip || (now.form === 'once' && met > now.skip + 1)) return null;
    real.appendFileSync(seenFile, `${now.id}\tfailed\t${site}\n`);
    return now.code;
  } finally {
    busy = false;
  }
}

/** Wraps `names` of a holder; `fail` makes the failure in the way of that kind of call. */
function wrap(
  holder: object, prefix: string, names: readonly string[],
  fail: (original: () => unknown, code: FaultCode, name: string, values: readonly unknown[], self: unknown) => unknown,
  target: (values: readonly unknown[], self: unknown) => unknown = ([first]) => first,
): void {
  const calls = holder as Holder;
  for (const name of names) {
    const original = calls[name];
    if (typeof original !== 'function') throw new Error(`there is no ${prefix}${name} to wrap`);
    const wrapped: Callable = function wrapped(this: unknown, ...values) {
      const code = fault(`${prefix}${name}`, target(values, this));
      const go = (): unknown => original.apply(this, values);
      return code === null ? go() : fail(go, code, name, values, this);
    };
    Object.defineProperty(wrapped, 'name', { value: name });
    calls[name] = Object.assign(wrapped, original);
  }
}

function pathOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : value instanceof URL ? value.pathname : undefined;
}

const SYNC = [
  'accessSync', 'closeSync', 'fstatSync', 'lstatSync', 'mkdirSync', 'openSync', 'readFileSync', 'readSync', 'readdirSync',
  'readlinkSync', 'realpathSync', 'renameSync', 'rmSync', 'statSync', 'watch', 'writeFileSync', 'writeSync',
];
const PROMISES = [
  'access', 'chmod', 'copyFile', 'lstat', 'mkdir', 'mkdtemp', 'readFile', 'readdir', 'readlink', 'realpath', 'rename', 'rm', 'stat',
  'unlink', 'writeFile',
];
const HANDLE = ['chmod', 'read', 'readFile', 'stat', 'sync', 'write', 'writeFile'];

wrap(fs, 'fs.', SYNC, (original, code, name, values) => {
  // What is closed is closed, whatever the kernel says of it.
  if (name === 'closeSync') original();
  throw systemError(code, name.replace(/Sync$/u, ''), pathOf(values[0]));
});
wrap(fs, 'fs.', ['existsSync'], () => false);
wrap(fs.promises, 'fs.promises.', PROMISES, (_, code, name, values) => Promise.reject(systemError(code, name, pathOf(values[0]))));

const paths = new WeakMap<object, unknown>();
const openFile = fs.promises.open;
const handle = await openFile(import.meta.filename);
await handle.close();
fs.promises.open = async (...values) => {
  const opened = await openFile(...values);
  paths.set(opened, values[0]);
  // What is closed is closed, whatever the kernel says of it.
  wrap(opened, 'file.', ['close'], async (close, code) => {
    await close();
    throw systemError(code, 'close');
  }, () => values[0]);
  return opened;
};
wrap(fs.promises, 'fs.promises.', ['open'], (_, code, name, values) => Promise.reject(systemError(code, name, pathOf(values[0]))));
wrap(Object.getPrototypeOf(handle) as object, 'file.', HANDLE, async (_, code, name, values, self) => {
  // A disk that fills up takes a part.
  const [content] = values;
  if (name === 'writeFile' && content instanceof Uint8Array) {
    const half = content.subarray(0, content.length >> 1);
    await (self as fs.promises.FileHandle).write(half);
  }
  throw systemError(code, name === 'writeFile' ? 'write' : name);
}, (_, self) => paths.get(self as object));

/** The kernel lacks what a child needs: node tells some errors by an event, and throws the others. */
const TOLD = ['EMFILE'];
const MISSING = '/nonexistent/program';
const realSpawn = childProcess.spawn;
const realExecFile = childProcess.execFile;

function failedChild(code: FaultCode, command: unknown): childProcess.ChildProcess {
  const error = systemError(code, `spawn ${String(command)}`, String(command));
  if (!TOLD.includes(code)) throw error;
  const child = realSpawn(MISSING);
  const emit = child.emit.bind(child) as (...values: unknown[]) => boolean;
  child.emit = (event: string | symbol, ...values: unknown[]) => emit(event, ...(event === 'error' ? [error] : values));
  // Source: lib/internal/child_process.js: with EMFILE no streams are made.
  for (const stream of ['stdin', 'stdout', 'stderr'] as const) Object.defineProperty(child, stream, { value: undefined });
  return child;
}

wrap(childProcess, 'process.', ['spawn'], (_, code, __, [command]) => failedChild(code, command));
wrap(childProcess, 'process.', ['execFile'], (_, code, __, values) => {
  const [command] = values;
  const error = systemError(code, `spawn ${String(command)}`, String(command));
  if (!TOLD.includes(code)) throw error;
  const told = values.at(-1) as (error: Error, stdout: string, stderr: string) => void;
  const child = realExecFile(MISSING, () => { told(error, '', ''); });
  for (const stream of ['stdin', 'stdout', 'stderr'] as const) Object.defineProperty(child, stream, { value: undefined });
  return child;
});

wrap(net, 'net.', ['connect', 'createConnection'], (_, code, name, [first]) => {
  const socket = new net.Socket();
  process.nextTick(() => socket.destroy(systemError(code, name, pathOf(first))));
  return socket;
});

wrap(process, 'process.', ['dlopen'], (_, code, __, values) => {
  throw systemError(code, 'dlopen', pathOf(values[1]));
}, (values) => values[1]);

function sqliteError(code: FaultCode): Error {
  const [errcode, message] = SQLITE_FAULTS[code];
  return Object.assign(new Error(message), { code: 'ERR_SQLITE_ERROR', errcode, errstr: message });
}

const RealDatabase = sqlite.DatabaseSync;
wrap(RealDatabase.prototype, 'sqlite.', ['exec', 'prepare', 'close'], (_, code) => { throw sqliteError(code); }, () => undefined);
wrap(sqlite.StatementSync.prototype, 'sqlite.', ['run', 'get', 'all', 'iterate'], (_, code) => { throw sqliteError(code); }, () => undefined);
sqlite.DatabaseSync = class DatabaseSync extends RealDatabase {
  constructor(...values: ConstructorParameters<typeof RealDatabase>) {
    const code = fault('sqlite.open', values[0]);
    if (code !== null) throw sqliteError(code);
    super(...values);
  }
};

const threads = createRequire(import.meta.url)('node:worker_threads') as { Worker: typeof Worker };
const RealWorker = threads.Worker;
if (isMainThread) {
  threads.Worker = class Worker extends RealWorker {
    constructor(...values: ConstructorParameters<typeof RealWorker>) {
      const code = fault('thread.start', values[0]);
      if (code !== null) throw Object.assign(new Error(`Worker initialization failure: ${code}`), { code: 'ERR_WORKER_INIT_FAILED' });
      super(...values);
    }
  };
}

syncBuiltinESMExports();
