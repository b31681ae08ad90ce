/** Lines on the control socket, as root's scripts write them, with a reload that finds fault with hostile names. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ControlSocket } from '../../../helper/control-socket.ts';
import { MemoryNetwork } from '../../contract/memory-network.ts';
import { silent } from '../../unit/rule-store-support.ts';
import type { Target } from '../engine.ts';

const runDir = mkdtempSync(join(tmpdir(), 'bastion-fuzz-control-'));
process.once('exit', () => { rmSync(runDir, { recursive: true, force: true }); });
const path = join(runDir, 'control.sock');
/** What the reload complains of: the input itself. */
let complaint = '';
const control = new ControlSocket({
  runDir, settingsFile: 'bastion.toml', network: new MemoryNetwork(), logger: silent,
  reload: () => Promise.resolve(complaint === '' ? [] : [{ file: complaint, line: 1, column: 2, message: complaint }]),
});
await control.follow({ socket: path, line: 1 });
assert.deepEqual(control.errors(), []);

const REPLY = /^(?:PONG|OK: [^\n]*|ERROR: [^\n]*|Current Status:\n[\s\S]*|\{[^\n]*\})\n$/u;

async function run(input: Buffer): Promise<void> {
  complaint = input.toString('utf8');
  const socket = connect(path);
  let reply = '';
  socket.setEncoding('utf8');
  socket.on('data', (part: string) => { reply += part; });
  // The other side may end before all was written.
  socket.on('error', () => undefined);
  socket.end(input);
  await once(socket, 'close');
  const line = input.subarray(0, (input.indexOf(0x0a) + 1 || input.length + 1) - 1);
  if (line.length === 0 && !input.includes(0x0a)) assert.equal(reply, '');
  else assert.match(reply, REPLY);
  if (line.length > 1024) assert.match(reply, /^ERROR: Line too long/u);
  assert.doesNotMatch(reply.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
}

export const target: Target = {
  name: 'control', run, maxBytes: 2048,
  seeds: ['ping\n', 'status\n', 'status json\n', 'reload\n', 'reload', 'shutdown\n', 'ping\nping\n', `${'x'.repeat(1025)}\n`, '\n', 'reload\n\u{1b}[2J\u{202e}'],
  dictionary: ['ping', 'status', 'status json', 'reload', 'shutdown', '\n', '\r\n', ' ', '\t'],
};
