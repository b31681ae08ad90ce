/**
 * A person at a screen, for tests of authorization: runs as an ordinary user, registers as polkit's authentication agent for its
 * own process, makes one call with another connection, and tells on standard output what happens. Arguments: the bus, the call
 * (a key of CALLS), and `ask` or `quiet` for the flag ALLOW_INTERACTIVE_AUTHORIZATION.
 *
 * Takes lines: `answered` ends the dialog, `leave` ends the caller's connection while the agent stays.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
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
const screen = await connectBus({ address });
const caller = await connectBus({ address });
let dialog: IncomingMessage | null = null;
screen.onCall((call) => {
  const body = call.body();
  if (call.member === 'BeginAuthentication') {
    const [action, message, , , cookie] = body;
    dialog = call;
    say('dialog', action, message, cookie);
    return;
  }
  if (call.member === 'CancelAuthentication') say('cancelled', body[0]);
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
say('calling', caller.uniqueName);
caller.call({ destination: BUS_NAME, path: OBJECT_PATH, ...call, interactive: how === 'ask', timeoutMs: 60_000 }).then(
  () => { say('result', 'done'); },
  (error: unknown) => { say('result', error instanceof Error && 'errorName' in error ? error.errorName : String(error)); },
);
