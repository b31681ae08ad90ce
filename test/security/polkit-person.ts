/**
 * A person at a screen, for tests of authorization: runs as an ordinary user, registers as polkit's authentication agent for its
 * own process, makes one call with another connection, and tells on standard output what happens. Arguments: the bus, the call
 * (a key of CALLS), and `ask` or `quiet` for the flag ALLOW_INTERACTIVE_AUTHORIZATION. With a number instead: so many calls, each
 * from a connection of its own; the person refuses, closes the dialog, leaves and is silent by turns, and tells what came of it.
 *
 * Takes lines: `answered` ends the dialog, `leave` ends the caller's connection while the agent stays.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { BUS_NAME, INTERFACES, OBJECT_PATH } from '../../helper/contract/names.ts';
import { Variant, connectBus } from '../../helper/contract/transport.ts';
import type { IncomingMessage } from '../../helper/contract/transport.ts';

const AUTHORITY = {
  destination: 'org.freedesktop.PolicyKit1', path: '/org/freedesktop/PolicyKit1/Authority', interface: 'org.freedesktop.PolicyKit1.Authority',
} as const;
const CALLS = {
  learning: { interface: INTERFACES.helper, member: 'SetMode', signature: 'sa{sv}', body: ['learning', {}] },
  rule: {
    interface: INTERFACES.rules, member: 'Add', signature: 'a{sv}',
    body: [{ action: new Variant('s', 'deny'), path: new Variant('s', '/usr/bin/env'), id: new Variant('s', 'no-env') }],
  },
} as const;

function say(...words: readonly unknown[]): void {
  process.stdout.write(`${JSON.stringify(words)}\n`);
}

/** Field 22 of /proc/PID/stat, which polkit wants with the process number. */
function startTime(): bigint {
  return BigInt(readFileSync('/proc/self/stat', 'utf8').replace(/^.*\) /su, '').split(' ')[19] ?? '0');
}

const [address = '', wanted = '', how = ''] = process.argv.slice(2);
/** 0: one call. */
const times = Number(how) || 0;
const screen = await connectBus({ address });
const caller = await connectBus({ address });
let dialog: IncomingMessage | null = null;
/** Of the dialogs of the screen, told as they come and go. */
let onDialog: (shown: IncomingMessage) => void = () => undefined;
let onCancelled: () => void = () => undefined;

const STAYS_MS = 2000;
const WAYS = ['refuses', 'closes', 'leaves', 'is silent'] as const;

/** One call and what its caller was told. */
async function refusedCall(call: (typeof CALLS)[keyof typeof CALLS], way: (typeof WAYS)[number]): Promise<string> {
  const asks = await connectBus({ address });
  try {
    const shown = new Promise<IncomingMessage>((resolve) => { onDialog = resolve; });
    const cancelled = new Promise<void>((resolve) => { onCancelled = resolve; });
    const outcome = asks.call({ destination: BUS_NAME, path: OBJECT_PATH, ...call, interactive: true, timeoutMs: 60_000 }).then(
      () => 'done', (error: unknown) => (error instanceof Error && 'errorName' in error ? String(error.errorName) : String(error)),
    );
    const begun = await Promise.race([shown, outcome]);
    if (typeof begun === 'string') return `without a dialog: ${begun}`;
    if (way === 'leaves') asks.close();
    // Of a dialog that has just gone nothing more is told.
    if (way === 'leaves') await Promise.race([cancelled, pause(STAYS_MS)]);
    if (way === 'is silent') await Promise.race([cancelled, outcome]);
    if (way === 'closes') screen.replyError(begun, 'org.freedesktop.PolicyKit1.Error.Cancelled', 'closed');
    else screen.reply(begun, '', []);
    return `${way}: ${await outcome}`;
  } finally {
    asks.close();
  }
}

async function manyRefused(call: (typeof CALLS)[keyof typeof CALLS], times: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let time = 0; time < times; time += 1) {
    const outcome = await refusedCall(call, WAYS[time % WAYS.length] ?? 'refuses');
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

screen.onCall((call) => {
  const body = call.body();
  if (call.member === 'BeginAuthentication') {
    const [action, message, , , cookie] = body;
    dialog = call;
    onDialog(call);
    if (times === 0) say('dialog', action, message, cookie);
    return;
  }
  if (call.member === 'CancelAuthentication') {
    onCancelled();
    if (times === 0) say('cancelled', body[0]);
  }
  screen.reply(call, '', []);
});
createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'leave') caller.close();
  if (line === 'answered' && dialog !== null) screen.reply(dialog, '', []);
}).on('close', () => process.exit(0));
const subject = ['unix-process', { pid: new Variant('u', process.pid), 'start-time': new Variant('t', startTime()) }];
await screen.call({
  ...AUTHORITY, member: 'RegisterAuthenticationAgent', signature: '(sa{sv})ss', body: [subject, 'en_US.UTF-8', '/agent'],
});
const call = Object.entries(CALLS).find(([name]) => name === wanted)?.[1];
if (call === undefined) throw new Error(`there is no call '${wanted}'`);
if (times > 0) {
  say('counts', JSON.stringify(await manyRefused(call, times)));
  process.exit(0);
}
say('calling', caller.uniqueName);
caller.call({ destination: BUS_NAME, path: OBJECT_PATH, ...call, interactive: how === 'ask', timeoutMs: 60_000 }).then(
  () => { say('result', 'done'); },
  (error: unknown) => { say('result', error instanceof Error && 'errorName' in error ? error.errorName : String(error)); },
);
