/** The socket for scripts, on the real helper: what it answers, and what it leaves alone. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, readFileSync, readdirSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import { Lab } from '../lab/lab.ts';
import { FULL_SIZE, clientOf, hears, noLab, until } from './support.ts';

const FLOOD = FULL_SIZE ? 2000 : 200;

describe('the control socket', { skip: noLab(), timeout: 300_000 }, () => {
  let lab: Lab;
  let client: HelperClient;
  let path: string;
  let settings: string;
  let withSocket: string;

  before(async () => {
    lab = await Lab.create();
    client = clientOf(lab);
    path = join(lab.runDir, 'control.sock');
    settings = readFileSync(join(lab.configDir, 'bastion.toml'), 'utf8');
    withSocket = `${settings}\n[control]\nsocket = "${path}"\n`;
  });
  after(async () => {
    client.close();
    await lab.dispose();
  });
  afterEach(() => { rmSync(path, { force: true }); });

  async function configure(text: string): Promise<readonly string[]> {
    writeFileSync(join(lab.configDir, 'bastion.toml'), text);
    return (await client.reload()).map(({ message }) => message);
  }

  /** A connection, made or refused. */
  async function open(at = path): Promise<Socket> {
    const socket = connect({ path: at, allowHalfOpen: true });
    await once(socket, 'connect');
    // What matters is what was said until then.
    socket.on('error', () => undefined);
    return socket;
  }

  /** Everything that is said until the other side ends. Half a connection stays open, as of a script that only reads. */
  async function rest(socket: Socket): Promise<string> {
    let text = '';
    try {
      for await (const part of socket) text += String(part);
      return text;
    } finally {
      socket.destroy();
    }
  }

  async function ask(line: string, at = path): Promise<string> {
    const socket = await open(at);
    socket.write(line);
    return rest(socket);
  }

  /** Until it is there and has room. */
  async function answered(): Promise<void> {
    await until('an answer to ping', async () => (await ask('ping\n').catch(() => '') === 'PONG\n' ? true : null), 30_000);
  }

  function inode(): number {
    return lstatSync(path).ino;
  }

  /** Nothing but the socket is in its folder that was not there before. */
  function leftovers(): readonly string[] {
    return readdirSync(lab.runDir).filter((name) => name.startsWith('.bastion-'));
  }

  test('there is none until bastion.toml says so, and none after it no longer does', async () => {
    assert.throws(() => lstatSync(path), /ENOENT/);
    assert.deepEqual(await configure(withSocket), []);
    assert.equal(await ask('ping\n'), 'PONG\n');
    assert.deepEqual(await configure(settings), []);
    assert.throws(() => lstatSync(path), /ENOENT/);
    assert.deepEqual(leftovers(), []);
  });

  test('it belongs to root alone, and an ordinary user is not let in', async () => {
    await configure(withSocket);
    const { mode, uid } = lstatSync(path);
    assert.deepEqual([mode & 0o777, uid], [0o600, 0]);
    const { status, stderr } = await lab.run([
      process.execPath, '-e', `require('net').connect(${JSON.stringify(path)}).on('error', (e) => { console.error(e.code); process.exit(7); })`,
    ]);
    assert.equal(status, 7, stderr);
    assert.match(stderr, /EACCES/);
  });

  test('ping, status and reload are answered in the words that scripts know, then the connection ends', async () => {
    await configure(`${withSocket}\n[[interface]]\nname = "extra*"\nzone = "attic"\n`);
    execFileSync('ip', ['-netns', lab.clientNamespace, 'link', 'add', 'extra0', 'type', 'veth', 'peer', 'name', 'other0']);
    execFileSync('ip', ['-netns', lab.clientNamespace, 'address', 'add', '192.0.2.77/28', 'dev', 'extra0']);
    const status = await until('the address in the reply', async () => {
      const text = await ask('status\n');
      return text.includes('192.0.2.77') ? text : null;
    });
    assert.match(status, /^Current Status:\nInterfaces:\n(?: {2}\S+: \[[^\]]*\]\n)+Tracked Containers:\n {2}\(None\)\n/);
    assert.match(status, /^ {2}extra0: \[192\.0\.2\.77\]$/m);
    assert.match(status, /^Zones:\n {2}attic: \[extra0\]$/m);
    const told = JSON.parse(await ask('status json\n')) as { readonly interfaces: readonly { readonly name: string; readonly zone: string; readonly addresses: readonly string[] }[] };
    const extra = told.interfaces.find(({ name }) => name === 'extra0');
    assert.deepEqual([extra?.zone, extra?.addresses], ['attic', ['192.0.2.77']]);
    assert.equal(await ask('reload\r\n'), 'OK: Reload command sent\n');
  });

  test('reload reads what was written just before, and says what is wrong with it', async () => {
    await configure(withSocket);
    writeFileSync(join(lab.configDir, 'bastion.toml'), withSocket.replace('[control]', 'nonsense = 1\n[control]'));
    assert.match(await ask('reload\n'), /^ERROR: .*bastion\.toml:\d+:\d+: .*nonsense/);
    writeFileSync(join(lab.configDir, 'bastion.toml'), withSocket);
    assert.equal(await ask('reload\n'), 'OK: Reload command sent\n');
  });

  test('a reload that takes the socket away is answered still', async () => {
    await configure(withSocket);
    // Connected before the file changes: the helper watches it, and may take the socket away by itself.
    const script = await open();
    writeFileSync(join(lab.configDir, 'bastion.toml'), settings);
    script.write('reload\n');
    assert.equal(await rest(script), 'OK: Reload command sent\n');
    assert.throws(() => lstatSync(path), /ENOENT/);
  });

  test('socat and a line without its end are understood; garbage is told what there is; nobody is turned off', async () => {
    await configure(withSocket);
    const script = await open();
    script.end('ping');
    assert.equal(await rest(script), 'PONG\n');
    for (const line of ['\n', 'PING\n', 'ping status\n', '\0\0\n', '\u{1b}[2J\n', '{"command":"status"}\n']) {
      assert.equal(await ask(line), 'ERROR: Unknown command; there are: status, status json, reload, ping\n');
    }
    assert.match(await ask('shutdown\n'), /^ERROR: Not done here/);
    assert.match(await ask(`${'x'.repeat(1025)}\n`), /^ERROR: Line too long/);
    assert.match(await ask('x'.repeat(60_000)), /^ERROR: Line too long/);
    const silent = await open();
    silent.end();
    assert.equal(await rest(silent), '');
    assert.equal((await client.status()).mode, 'enforcing');
  });

  test('more connections than it takes are told so, and those before them are served', async () => {
    await configure(withSocket);
    const held = await Promise.all(Array.from({ length: 16 }, () => open()));
    assert.match(await rest(await open()), /^ERROR: Busy/);
    const [first, ...others] = held;
    first?.end('ping\n');
    assert.equal(first === undefined ? '' : await rest(first), 'PONG\n');
    for (const socket of others) socket.destroy();
    await answered();
  });

  test('a flood of connections and of bytes leaves the helper as it was', async () => {
    await configure(withSocket);
    const block = Buffer.alloc(65_536, 0x78);
    await Promise.all(Array.from({ length: FLOOD }, async () => {
      const socket = connect({ path, allowHalfOpen: true });
      socket.on('error', () => undefined);
      const ended = new Promise((resolve) => { socket.once('close', resolve); });
      socket.on('connect', () => { for (let count = 0; count < 8; count += 1) socket.write(block); });
      // Said or not, the other side ends it.
      socket.on('end', () => socket.destroy());
      socket.resume();
      await ended;
    }));
    await answered();
    assert.equal((await client.status()).mode, 'enforcing');
  });

  test('a file, a link and another program’s socket in its place are reported, and stay as they are', async () => {
    writeFileSync(path, 'mine');
    assert.match((await configure(withSocket)).join(), /There is no control socket\. .*is there already and is no socket/);
    assert.equal(readFileSync(path, 'utf8'), 'mine');
    unlinkSync(path);
    symlinkSync(join(lab.runDir, 'elsewhere'), path);
    assert.match((await configure(withSocket)).join(), /is no socket/);
    assert.ok(lstatSync(path).isSymbolicLink());
    assert.throws(() => lstatSync(join(lab.runDir, 'elsewhere')), /ENOENT/);
    unlinkSync(path);
    const other: Server = createServer((socket) => { socket.on('error', () => undefined).resume().end('not yours\n'); });
    other.listen(path);
    await once(other, 'listening');
    const before = inode();
    assert.match((await configure(withSocket)).join(), /Another program listens on/);
    assert.equal(await ask('ping\n'), 'not yours\n');
    assert.equal(inode(), before);
    const { stdout } = await lab.ctl(['status'], { as: 'root' });
    assert.match(stdout, /Another program listens on/);
    other.close();
    await once(other, 'close');
    // The way is free: the next reload takes it.
    assert.deepEqual(await configure(withSocket), []);
    assert.equal(await ask('ping\n'), 'PONG\n');
  });

  test('a socket that another program left behind is not taken for its own', async () => {
    const program = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    assert.equal(spawnSync(process.execPath, ['-e', program], { timeout: 20_000, killSignal: 'SIGKILL' }).signal, 'SIGKILL');
    const before = inode();
    assert.match((await configure(withSocket)).join(), /a socket that another program left behind/);
    assert.equal(inode(), before);
  });

  test('where others can put files, or nobody can, there is none', async () => {
    for (const [socket, problem] of [['/tmp/bastion-control.sock', /can be written by others/], [join(lab.runDir, 'none', 'c.sock'), /is not there/]] as const) {
      assert.match((await configure(`${settings}\n[control]\nsocket = "${socket}"\n`)).join(), problem);
      assert.throws(() => lstatSync(socket), /ENOENT/);
    }
    assert.match((await configure(`${settings}\n[control]\nsocket = "control.sock"\n`)).join(), /must be an absolute path/);
  });

  test('a second helper with the same path leaves the first one’s alone', async () => {
    await configure(withSocket);
    const before = inode();
    await using other = await Lab.create({ settings: `[control]\nsocket = "${path}"` });
    const second = clientOf(other);
    try {
      assert.match((await second.reload()).map(({ message }) => message).join(), /Another program listens on/);
    } finally {
      second.close();
    }
    assert.equal(inode(), before);
    await other.stopHelper();
    assert.equal(await ask('ping\n'), 'PONG\n');
  });

  test('a helper that was killed leaves a socket that the next one replaces; one that ends takes it away', async () => {
    await configure(withSocket);
    await lab.restartHelper('SIGKILL');
    await answered();
    await lab.stopHelper('SIGKILL');
    // What came into its place while it was away is somebody else's.
    unlinkSync(path);
    writeFileSync(path, 'mine');
    await lab.startHelper();
    await hears(client);
    assert.match((await configure(withSocket)).join(), /is no socket/);
    assert.equal(readFileSync(path, 'utf8'), 'mine');
    unlinkSync(path);
    assert.deepEqual(await configure(withSocket), []);
    await lab.stopHelper();
    assert.throws(() => lstatSync(path), /ENOENT/);
    assert.deepEqual(leftovers(), []);
  });
});
