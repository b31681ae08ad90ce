/** The lab that every other suite stands on: what it offers, and that nothing of it stays. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Lab } from '../lab/lab.ts';
import type { LabOptions } from '../lab/lab.ts';
import { ROOT, finish, tryTool } from '../lab/process.ts';
import type { Result } from '../lab/process.ts';
import { cgroup2Mount, removeLeftovers } from '../lab/traces.ts';
import { noLab } from './support.ts';

const skip = noLab();
const PROBE = join(ROOT, 'test/lab/probe.ts');
const STAND_IN: LabOptions = { helperProgram: [process.execPath, join(ROOT, 'test/lab/stand-in.ts')] };

/** Echo of one text over UDP or TCP. */
const ECHO = `
const [kind, address] = process.argv.slice(1);
if (kind === 'tcp') {
  const socket = require('node:net').connect(7, address, () => socket.write('lab-tag:tcp;'));
  socket.on('data', (text) => { console.log(String(text)); socket.end(); });
} else {
  const socket = require('node:dgram').createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (text, from) => { console.log(String(text), from.address); socket.close(); });
  socket.send('lab-tag:udp;', 7, address);
}`;

/** Everything in the system that carries a lab's name. */
function traces(name: string): string[] {
  const cgroup = cgroup2Mount();
  const places = ['/tmp', '/run/netns', ...(cgroup === null ? [] : [cgroup])];
  const entries = places.flatMap((place) => (existsSync(place) ? readdirSync(place).map((entry) => join(place, entry)) : []));
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return [...entries, ...mounts].filter((entry) => entry.includes(name));
}

async function startProbe(prefix: readonly string[] = []): Promise<{ readonly child: ChildProcess; readonly name: string; readonly limits: string[]; readonly page: string }> {
  const child = spawn('env', [...prefix, process.execPath, PROBE], { stdio: ['ignore', 'pipe', 'inherit'] });
  const values: unknown[] = await once(child.stdout, 'data');
  return { child, ...(JSON.parse(String(values[0])) as { name: string; limits: string[]; page: string }) };
}

describe('lab', { skip }, () => {
  let lab: Lab;
  before(async () => { lab = await Lab.create(STAND_IN); });
  after(() => lab.dispose());

  test('the peer answers HTTP and echo, on IPv4 and IPv6, at its own address and at any of its ranges', async () => {
    for (const address of [lab.peer4, lab.peer6, '198.18.4.5', 'fd78::45']) {
      const host = address.includes(':') ? `[${address}]` : address;
      assert.equal((await lab.run(['curl', '--silent', `http://${host}/`])).stdout, 'Hello from the peer of the lab.\n');
      assert.equal((await lab.run([process.execPath, '-e', ECHO, 'tcp', address])).stdout, 'lab-tag:tcp;\n');
      assert.equal((await lab.run([process.execPath, '-e', ECHO, 'udp', address])).stdout, `lab-tag:udp; ${address}\n`);
    }
    assert.equal((await lab.run(['curl', '--silent', `http://${lab.peer4}/bytes/1000000`])).stdout.length, 1_000_000);
  });

  test('the peer counts exactly what arrives since it was told to', async () => {
    await lab.peer.watch();
    await lab.run([process.execPath, '-e', ECHO, 'udp', lab.peer6]);
    await lab.run([process.execPath, '-e', ECHO, 'tcp', lab.peer4]);
    await lab.run(['ping', '-c', '2', '-i', '0.01', lab.peer4]);
    const counts = await lab.peer.counts();
    const keys = ['udp6/7', 'udp/7', 'syn/7', 'syn6/7', 'icmp/8', 'tag/udp', 'tag/tcp'];
    assert.deepEqual(keys.map((key) => counts.of(key)), [1, 0, 1, 0, 2, 1, 1]);
    assert.equal(counts.lost, 0);
    await lab.peer.watch();
    assert.equal((await lab.peer.counts()).of('icmp/8'), 0);
  });

  test('a program runs as the ordinary user, or as root, inside namespace and cgroup', async () => {
    const script = 'id -u; sed -n "s/^0:://p" /proc/self/cgroup; readlink /proc/self/ns/net';
    const user = (await lab.run(['sh', '-c', script])).stdout.split('\n');
    const root = (await lab.run(['sh', '-c', script], { as: 'root' })).stdout.split('\n');
    assert.deepEqual([user[0], root[0]], [String(lab.user.uid), '0']);
    assert.equal(user[1], `/${lab.name}`);
    assert.equal(root[1], `/${lab.name}`);
    assert.notEqual(user[2], (await finish(spawn('readlink', ['/proc/self/ns/net']), '', 5000)).stdout.trim());
  });

  test('a restart gives the name on the bus to another process, also after a kill', async () => {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const first = lab.helperPid;
      await lab.restartHelper(signal);
      assert.notEqual(lab.helperPid, first);
    }
  });

  test('two labs at one time do not meet', async () => {
    await using other = await Lab.create(STAND_IN);
    await other.peer.watch();
    await lab.run(['curl', '--silent', `http://${lab.peer4}/`]);
    assert.equal((await other.peer.counts()).of('syn/80'), 0);
  });

  test('polkitd answers on the bus of the lab', async () => {
    const authority = ['org.freedesktop.PolicyKit1', '/org/freedesktop/PolicyKit1/Authority', 'org.freedesktop.PolicyKit1.Authority'];
    const done = await lab.run(['busctl', `--address=${lab.busAddress}`, 'call', ...authority, 'EnumerateActions', 's', '']);
    assert.equal(done.status, 0, done.stderr);
  });
});

describe('what a lab leaves', { skip }, () => {
  test('nothing after dispose, with a program still running in it', async () => {
    const lab = await Lab.create(STAND_IN);
    const sleeper = lab.spawn(['sh', '-c', 'sleep infinity & sleep infinity'], { stdio: 'ignore' });
    assert.ok(traces(lab.name).length >= 4);
    const gone = once(sleeper, 'exit');
    await lab.dispose();
    await gone;
    assert.deepEqual(traces(lab.name), []);
  });

  test('nothing when the helper does not start, and the error holds the end of its output', async () => {
    let name = '';
    await assert.rejects(Lab.create({ ...STAND_IN, helperArguments: ['--fail'] }), (error: unknown) => {
      assert.ok(error instanceof Error);
      assert.match(error.message, /the stand-in fails as it should/u);
      name = `bastion-lab-${String(process.pid)}-`;
      return true;
    });
    assert.deepEqual(traces(name), []);
  });

  test('nothing after SIGTERM, and the exit status tells the signal', async () => {
    const { child, name } = await startProbe();
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    assert.deepEqual(await ended, [143, null]);
    assert.deepEqual(traces(name), []);
  });

  test('after a crash, nothing once the next lab has started', async () => {
    const { child, name } = await startProbe();
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    assert.notDeepEqual(traces(name), []);
    removeLeftovers();
    assert.deepEqual(traces(name), []);
  });
});

const nobody = ['setpriv', '--reuid', 'nobody', '--regid', 'nogroup', '--init-groups', '--'];
const readable = skip === false && tryTool('env', [...nobody, 'unshare', '-Urnm', 'test', '-r', PROBE]) !== null;

test('without root the lab works in a user namespace, says what is missing, and leaves nothing',
  { skip: readable ? false : 'an ordinary user can read this tree or have a user namespace: no' }, async () => {
    const { child, name, limits, page } = await startProbe(nobody);
    const ended = once(child, 'exit');
    assert.equal(page, 'Hello from the peer of the lab.\n');
    assert.match(limits.join('\n'), /One user only.*state is degraded.*BPF/su);
    child.kill('SIGTERM');
    await ended;
    assert.deepEqual(traces(name), []);
  });

describe('npm run lab', { skip: skip !== false ? skip : existsSync(join(ROOT, 'build/bin/bastion-helper')) ? false : 'the helper is not built' }, () => {
  function cli(args: readonly string[], input = ''): Promise<Result> {
    return finish(spawn(process.execPath, [join(ROOT, 'test/lab/cli.ts'), ...args]), input, 60_000);
  }

  test('passes standard input, output and the exit status of the command, and prints nothing else to standard output', async () => {
    const done = await cli(['--no-agent', '--default', 'deny', 'sh', '-c', 'cat; id -u; exit 7'], 'from outside\n');
    assert.match(done.stdout, /^from outside\n\d+\n$/u);
    assert.notEqual(done.stdout, 'from outside\n0\n');
    assert.equal(done.status, 7);
  });

  test('the exit status is 128 and the signal that ended the command', async () => {
    assert.equal((await cli(['--as', 'root', '--', 'sh', '-c', 'kill -TERM $$'])).status, 143);
  });

  test('what is exported leads to helper and peer', async () => {
    const script = `
      "$BASTION_CTL" status >&2 && test -d "$BASTION_CONFIG_DIR" && kill -0 "$BASTION_HELPER_PID" &&
      test -e "/run/netns/$BASTION_PEER_NS" && test -e "/run/netns/$BASTION_CLIENT_NS" && busctl --address="$BASTION_BUS" list >&2 &&
      curl --silent --max-time 5 "http://$BASTION_PEER4/" && curl --silent --max-time 5 "http://[$BASTION_PEER6]/"`;
    const done = await cli(['--as', 'root', '--default', 'allow', 'sh', '-c', script]);
    assert.equal(done.stdout, 'Hello from the peer of the lab.\n'.repeat(2), done.stderr);
  });

  test('a program without a rule is refused with --default deny', async () => {
    const done = await cli(['--default=deny', 'sh', '-c', 'curl --silent --max-time 5 "http://$BASTION_PEER4/"; echo $?']);
    assert.equal(done.stdout, '7\n', done.stderr);
  });
});

test('npm run lab: a wrong command line is status 2, and --help is 0, both on standard error', async () => {
  for (const [args, status] of [[['--mode', 'open', 'true'], 2], [['--nonsense', 'true'], 2], [['--rules', '/nonexistent', 'true'], 2], [[], 2], [['--help'], 0]] as const) {
    const done = await finish(spawn(process.execPath, [join(ROOT, 'test/lab/cli.ts'), ...args]), '', 20_000);
    assert.deepEqual([done.status, done.stdout], [status, ''], done.stderr);
  }
});
