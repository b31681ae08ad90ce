/**
 * Runs in a network namespace of its own: begins watches while addresses come and go, then takes the socket of one away. Prints what it
 * saw as one line of JSON. Arguments: the addon, how many watches.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { watchLinks } from '../../../helper/adapters/link-monitor.ts';
import { loadBinding } from '../../../native/binding.ts';
import type { NativeLinkNews } from '../../../native/binding.ts';

export interface StartsSeen {
  readonly starts: number;
  /** Watches that told changes before everything. */
  readonly partial: number;
  /** Interfaces, in their order, a while after the socket of a watch has failed. */
  readonly afterFailure: readonly string[];
  readonly resyncs: number;
  /** Is a change after that told again? */
  readonly followed: boolean;
}

const [addon = '', starts = ''] = process.argv.slice(2);
const FIRST_MS = 10_000;
const WAIT_MS = 15_000;
/** Until the churn is under way. */
const CHURN_MS = 300;

const native = loadBinding(addon);
const alive = setInterval(() => undefined, 1000);

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, LD_PRELOAD: '' } });
}

/** Does what is told first tell everything? */
async function startsWhole(): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  let isPartial = false;
  const watch = native.watchLinks(4_194_304, ({ whole, changes }: NativeLinkNews) => {
    if (!whole && changes.length > 0) isPartial = true;
    if (whole || isPartial) resolve(!isPartial);
  });
  const timer = setTimeout(() => { resolve(false); }, FIRST_MS);
  const isWhole = await promise;
  clearTimeout(timer);
  watch.close();
  return isWhole;
}

/** Descriptors of rtnetlink that this process has. Source: proc_pid_fd(5); /proc/net/netlink: the second column is the protocol. */
function rtnetlinkFds(): readonly number[] {
  const rows = readFileSync('/proc/self/net/netlink', 'utf8').trim().split('\n').slice(1).map((line) => line.trim().split(/\s+/u));
  const inodes = new Set(rows.filter((row) => row[1] === '0').map((row) => `socket:[${row.at(-1) ?? ''}]`));
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return inodes.has(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false;
    }
  }).map(Number);
}

/** A file stands in the socket's place from now on, so that no other socket gets its number. */
function takeAway(fd: number): void {
  closeSync(fd);
  while (openSync(process.execPath, 'r') < fd);
}

async function until(isSo: () => boolean): Promise<boolean> {
  const end = performance.now() + WAIT_MS;
  while (!isSo() && performance.now() < end) await sleep(20);
  return isSo();
}

ip('link', 'add', 'd0', 'type', 'veth', 'peer', 'name', 'd1');
ip('link', 'set', 'd0', 'up');
const churn = spawn('sh', ['-c', `for n in 1 2 3; do (while :; do i=0; while [ $i -lt 250 ]; do
  echo "address add 10.$n.$i.1/32 dev d0"; echo "address del 10.$n.$i.1/32 dev d0"; i=$((i + 1)); done; done) | ip -batch - & done; wait`], {
  stdio: ['ignore', 'ignore', 'inherit'], detached: true, env: { ...process.env, LD_PRELOAD: '' },
});
await sleep(CHURN_MS);
let partial = 0;
for (let at = 0; at < Number(starts); at += 1) if (!await startsWhole()) partial += 1;
const ended = once(churn, 'close');
if (churn.pid !== undefined) process.kill(-churn.pid, 'SIGKILL');
await ended;

const before = new Set(rtnetlinkFds());
const monitor = watchLinks({ native, logger: { log: () => undefined, setLevel: () => undefined } });
await monitor.list();
const [fd = -1] = rtnetlinkFds().filter((one) => !before.has(one));
takeAway(fd);
// Who waits at the old socket is woken by this once more.
ip('link', 'add', 'late0', 'type', 'veth', 'peer', 'name', 'late1');
await until(() => monitor.counters.resyncs > 0 && monitor.current.length === 5);
const afterFailure = monitor.current.map(({ name }) => name).sort((a, b) => ['lo', 'd0', 'd1', 'late0', 'late1'].indexOf(a) - ['lo', 'd0', 'd1', 'late0', 'late1'].indexOf(b));
const { resyncs } = monitor.counters;
ip('link', 'delete', 'late0');
const followed = await until(() => monitor.current.length === 3);
const seen: StartsSeen = { starts: Number(starts), partial, afterFailure, resyncs, followed };
process.stdout.write(`${JSON.stringify(seen)}\n`);
monitor.close();
clearInterval(alive);
