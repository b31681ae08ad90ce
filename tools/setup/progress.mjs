/** What every step of the set-up shares: progress lines, logs, failures with the command that mends them, the lock. */
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's root folder, absolute. */
export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const LOG_FOLDER = path.join(ROOT, 'build/log');
const LOG_TAIL_LINES = 30;
const LOCK_POLL_MS = 200;
/** A lock without a pid is one that is being made, unless it is older than this. */
const LOCK_WITHOUT_PID_MS = 5000;

/** A step that cannot go on. `mend` is the command that a person runs, `log` the file whose end explains it. */
export class SetupError extends Error {
  /** @param {string} message @param {{ mend?: string, log?: string }} [details] */
  constructor(message, details = {}) {
    super(message);
    this.mend = details.mend;
    this.log = details.log;
  }
}

/** Everything is told on stderr: the stdout of the commands behind the set-up belongs to them. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/**
 * One line for a step with its time. `work` returns what it did, or null when there was nothing to do; those lines are
 * left out when `quiet`.
 */
export async function step(name, quiet, work) {
  const startedMs = performance.now();
  const done = await work((doing) => { say(`set-up: ${name}: ${doing}`); });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  if (done !== null || !quiet) say(`set-up: ${name}: ${done ?? 'up to date'} (${seconds} s)`);
}

/** Tells a failure: what, the end of the log, and the command that mends it. */
export function tellFailure(error) {
  say(`set-up failed: ${error.message}`);
  if (error.log !== undefined) {
    say(`the end of ${path.relative(ROOT, error.log)}:`);
    for (const line of tail(error.log)) say(`  ${line}`);
  }
  if (error.mend !== undefined) say(`to mend it: ${error.mend}`);
}

function tail(file) {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES);
  } catch {
    return ['(no log was written)'];
  }
}

/** The log file of a step, truncated. */
export function logFile(name) {
  mkdirSync(LOG_FOLDER, { recursive: true });
  const file = path.join(LOG_FOLDER, `${name}.log`);
  writeFileSync(file, '');
  return file;
}

/** Runs a command with its whole output appended to `log`; resolves with the exit status (127: not found). */
export function runLogged(log, command, args, options = {}) {
  return new Promise((resolve) => {
    const out = createWriteStream(log, { flags: 'a' });
    out.write(`$ ${command} ${args.join(' ')}\n`);
    const child = spawn(command, args, { cwd: ROOT, ...options, stdio: [options.stdin ?? 'ignore', 'pipe', 'pipe'] });
    child.stdout.pipe(out, { end: false });
    child.stderr.pipe(out, { end: false });
    const finish = (status) => { out.end(() => { resolve(status); }); };
    child.once('error', (error) => { out.write(`${error.message}\n`); finish(127); });
    child.once('close', (status) => { finish(status ?? 1); });
  });
}

/** Runs a short command; resolves with its status and stdout, never throws. */
export function capture(command, args) {
  return new Promise((resolve) => {
    const env = { ...process.env, LC_ALL: 'C' };
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'ignore'] });
    let stdout = '';
    child.stdout.on('data', (chunk) => { stdout += String(chunk); });
    child.once('error', () => { resolve({ status: 127, stdout: '' }); });
    child.once('close', (status) => { resolve({ status: status ?? 1, stdout }); });
  });
}

/** Writes a whole file or nothing. */
export function writeAtomic(file, text) {
  mkdirSync(path.dirname(file), { recursive: true });
  const temporary = `${file}.${String(process.pid)}`;
  writeFileSync(temporary, text);
  renameSync(temporary, file);
}

/** The file's text, or null if it is not there. */
export function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/** A process by pid and start time, so that a pid used again is not taken for the old process. */
function processName(pid) {
  const text = readText(`/proc/${String(pid)}/stat`);
  // The command may hold spaces and brackets; the start time is field 22, the 20th after the last bracket.
  return text === null ? null : `${String(pid)} ${text.slice(text.lastIndexOf(')') + 2).split(' ')[19]}`;
}

function lockIsStale(folder) {
  const holder = readText(path.join(folder, 'pid'));
  if (holder !== null && holder !== '') return processName(Number(holder.split(' ')[0])) !== holder;
  try {
    return Date.now() - statSync(folder).mtimeMs > LOCK_WITHOUT_PID_MS;
  } catch {
    return false;
  }
}

function tryLock(folder) {
  try {
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'pid'), processName(process.pid) ?? '');
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  }
}

/** Removes a lock whose holder has gone. The rename lets one of several waiters win. */
function breakLock(folder) {
  const aside = `${folder}.${String(process.pid)}`;
  try {
    renameSync(folder, aside);
    rmSync(aside, { recursive: true, force: true });
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}

/** Runs `work` while no other set-up of this tree runs. */
export async function withLock(work) {
  const folder = path.join(ROOT, 'build/setup.lock');
  mkdirSync(path.dirname(folder), { recursive: true });
  let told = false;
  while (!tryLock(folder)) {
    if (lockIsStale(folder)) {
      breakLock(folder);
      continue;
    }
    if (!told) say('set-up: another set-up of this tree runs; waiting for it');
    told = true;
    await new Promise((resolve) => { setTimeout(resolve, LOCK_POLL_MS); });
  }
  const release = () => { rmSync(folder, { recursive: true, force: true }); };
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.removeListener('exit', release);
    release();
  }
}
