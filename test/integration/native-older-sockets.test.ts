/** Streams that are older than the hooks, and the end of sockets whose flow was denied. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { onceWithin } from './support.ts';
import { ROOT, missingForBed } from './support-native/bed.ts';

const OBJECTS = ['adoption', 'sock_diag', 'socket_reaper', 'processes', 'file_identity', 'common', 'network_namespace'];
const NETWORK = [
  'ip link set lo up', 'ip link add d0 type veth peer name d1', 'ip address add 198.51.100.1/24 dev d0', 'ip link set d0 up', 'ip link set d1 up',
].join(' && ');
const missing = missingForBed();

describe('older sockets', { skip: missing ?? false }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-older-'));
  const program = join(folder, 'older-sockets');
  const other = join(folder, 'another-program');

  before(() => {
    const objects = OBJECTS.map((name) => join(ROOT, 'build/native/obj', `${name}.o`));
    const source = join(import.meta.dirname, 'support-native/older-sockets.cpp');
    execFileSync('g++', ['-std=c++20', '-Wall', '-Wextra', '-o', program, source, ...objects, '-lmnl', '-lpthread']);
    copyFileSync(program, other);
    chmodSync(folder, 0o755);
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  /** What the program saw, in a network namespace that ends with it. */
  function saw(...args: readonly string[]): Readonly<Record<string, string>> {
    const script = `${NETWORK}; ulimit -n 8000; exec "$0" "$@"`;
    const text = execFileSync('unshare', ['-n', 'sh', '-c', script, program, ...args], { encoding: 'utf8', timeout: 60_000 });
    return Object.fromEntries(text.trim().split('\n').map((line) => {
      const at = line.indexOf(': ');
      return [line.slice(0, at), line.slice(at + 2)] as const;
    }));
  }

  test('a socket is ended by its cookie alone, and its program hears of it at once', () => {
    const lines = saw('ends');
    const ended = 'wrong ENOENT, then speaks, ended ok, heard ECONNABORTED';
    for (const name of ['tcp4', 'tcp6', 'tcp mapped', 'udp4', 'udp6', 'udp mapped', 'tcp on a device', 'udp on a device'])
      assert.equal(lines[name], ended, name);
    assert.equal(lines['connecting'], 'ended ok, heard ECONNABORTED');
    assert.equal(lines['MPTCP subflow'], 'ended ok, then silent');
  });

  test('a server\'s socket and a socket without a peer are not ended', () => {
    const lines = saw('ends');
    assert.equal(lines['listening'], 'ENOTCONN, then speaks');
    assert.equal(lines['unconnected'], 'ENOTCONN, then speaks');
  });

  test('each older stream has its own holder, and only an accepted one answers a peer', () => {
    assert.deepEqual(saw('older', other), {
      'listening': 'its own',
      'opened': 'its own',
      'accepted': 'its own, inbound',
      'accepted over both families': 'its own, inbound',
      'opened over both families': 'its own',
      'opened from a server\'s port number': 'its own',
      'opened from a port that its program listens on': 'its own',
      'opened, not accepted yet': 'its own',
      'waiting to be accepted': 'its own, inbound',
      'MPTCP': 'its own',
      'held by two programs': 'nobody\'s',
      'passed on': 'its own',
      'twice': 'the same',
    });
  });

  test('a thousand sockets are told apart quickly, and what is over the limit is counted', async () => {
    // The goal is 50 ms; a machine that runs other tests meanwhile may take longer.
    await onceWithin(1000, 'took long', () => {
      const { found, limited, ms } = saw('many', '1000');
      assert.equal(found, '1001 inbound 500');
      assert.equal(limited, '10 left out 991');
      return Promise.resolve(Number(ms));
    });
  });

  test('the thread that ends sockets has a queue with an end, counts what it left out, and stops with work waiting', () => {
    const lines = saw('reap');
    assert.equal(lines['heard'], 'ECONNABORTED');
    assert.equal(lines['counts'], 'ended 1, failed 0, all counted, the queue has an end');
    assert.equal(lines['stop'], 'clean');
  });
});
