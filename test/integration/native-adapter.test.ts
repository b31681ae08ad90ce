/** What the adapter makes of the addon's asks: verified paths, names of DNS questions; and the addon's own small calls. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createClock } from '../../helper/adapters/clock.ts';
import { dnsQuestion } from '../../helper/adapters/dns-question.ts';
import { FileCheck, sameFile } from '../../helper/adapters/file-check.ts';
import { loadBinding } from '../../native/binding.ts';
import type { NativeFileIdentity } from '../../native/binding.ts';
import { ROOT } from './support-native/bed.ts';

const native = loadBinding(join(ROOT, 'build/native/bastion.node'));

/** A query's bytes: header, name, type A, class IN. */
function query(name: string, { flags = 0x0100, questions = 1 } = {}): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(flags, 2);
  header.writeUInt16BE(questions, 4);
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')]));
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, 1, 0, 1])]);
}

function identity(path: string): NativeFileIdentity {
  const found = native.fileIdentity(path);
  assert.ok(found !== null);
  return found;
}

describe('dnsQuestion', () => {
  const cases: readonly (readonly [string | null, string, Uint8Array | null])[] = [
    ['www.example.org', 'a plain query, in lower case', query('WWW.Example.ORG')],
    ['_dns._tcp.example', 'names of services', query('_dns._tcp.example')],
    [null, 'no payload', null],
    [null, 'an answer', query('example.org', { flags: 0x8180 })],
    [null, 'another operation', query('example.org', { flags: 0x2800 })],
    [null, 'two questions', query('example.org', { questions: 2 })],
    [null, 'a cut name', query('example.org').subarray(0, 16)],
    [null, 'a header alone', query('x').subarray(0, 12)],
    [null, 'control characters', query('exa\u001bmple.org')],
    [null, 'a label that holds a dot', query('example.org').fill(0x2e, 14, 15)],
    [null, 'a pointer to itself', Buffer.concat([query('x').subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])])],
    [null, 'the root', Buffer.concat([query('x').subarray(0, 12), Buffer.from([0, 0, 1, 0, 1])])],
  ];
  for (const [wanted, what, payload] of cases) {
    test(`${wanted ?? 'null'}: ${what}`, () => {
      assert.equal(dnsQuestion(payload), wanted);
    });
  }
});

describe('file identity', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'bastion-identity-'));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  test('fileIdentity: inode, size and mode are those of stat, and the change time has whole seconds', () => {
    const path = join(folder, 'one');
    writeFileSync(path, 'text');
    const found = identity(path);
    const info = statSync(path, { bigint: true });
    assert.equal(found.inode, info.ino);
    assert.equal(found.sizeBytes, 4);
    assert.equal(found.mode, Number(info.mode));
    assert.equal(BigInt(found.ctimeSec), info.ctimeNs / 1_000_000_000n);
  });

  test('fileIdentity: device is the one that mountinfo names, on another file system too', () => {
    const line = execFileSync('findmnt', ['-n', '-o', 'MAJ:MIN', '--target', '/proc/self'], { encoding: 'utf8' });
    assert.equal(native.fileIdentity('/proc/self'), null, 'a folder has no identity');
    const [major, minor] = line.trim().split(':').map(Number);
    assert.equal(identity('/proc/version').device, ((major ?? 0) << 20) | (minor ?? 0));
  });

  test('fileIdentity: a mount that comes and goes is noticed', { skip: process.getuid?.() === 0 ? false : 'needs root' }, () => {
    const mount = join(folder, 'mount');
    mkdirSync(mount);
    const devices = [0, 1].map(() => {
      execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', mount]);
      writeFileSync(join(mount, 'file'), '');
      const { device } = identity(join(mount, 'file'));
      const [major, minor] = execFileSync('findmnt', ['-n', '-o', 'MAJ:MIN', '--target', mount], { encoding: 'utf8' }).trim().split(':').map(Number);
      assert.equal(device, ((major ?? 0) << 20) | (minor ?? 0));
      execFileSync('umount', [mount]);
      return device;
    });
    assert.equal(devices.length, 2);
  });

  test('fileIdentity: nothing for what is not a regular file, and a FIFO does not block', () => {
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    assert.equal(native.fileIdentity(join(folder, 'fifo')), null);
    assert.equal(native.fileIdentity(join(folder, 'missing')), null);
    assert.equal(native.fileIdentity(folder), null);
  });

  test('FileCheck: a path matches the executable that is there, by link too, and no other', () => {
    const path = join(folder, 'program');
    writeFileSync(path, 'x');
    copyFileSync(path, join(folder, 'copy'));
    symlinkSync(path, join(folder, 'link'));
    const check = new FileCheck(native);
    assert.equal(check.matches(identity(path), path), true);
    assert.equal(check.matches(identity(path), join(folder, 'link')), true);
    assert.equal(check.matches(identity(path), join(folder, 'copy')), false);
    assert.equal(check.matches(identity(path), 'program'), false);
  });

  test('FileCheck: a replaced file is looked at anew after a second, a new executable at once', () => {
    const path = join(folder, 'replaced');
    writeFileSync(path, 'old');
    let nowNs = 1n;
    let looks = 0;
    const check = new FileCheck({
      bootNs: () => nowNs,
      fileIdentity: (asked) => {
        looks += 1;
        return native.fileIdentity(asked);
      },
    });
    const old = identity(path);
    assert.equal(check.matches(old, path), true);
    writeFileSync(join(folder, 'new'), 'new');
    renameSync(join(folder, 'new'), path);
    assert.equal(check.matches(identity(path), path), true);
    assert.equal(looks, 2);
    nowNs += 1_000_000_000n;
    assert.equal(check.matches(old, path), false);
  });

  test('sameFile: another change time or generation is another file, a generation that is not told is not', () => {
    const path = join(folder, 'same');
    writeFileSync(path, 'x');
    const before = identity(path);
    assert.ok(sameFile(before, { ...before, generation: 0 }));
    assert.ok(!sameFile({ ...before, generation: 5 }, { ...before, generation: 6 }));
    assert.ok(!sameFile(before, { ...before, ctimeSec: before.ctimeSec + 1 }));
  });
});

test('clock: boot time is that of /proc/uptime and goes forward', () => {
  const clock = createClock(native);
  const first = clock.bootNs();
  const uptimeSec = Number(execFileSync('cut', ['-d', ' ', '-f1', '/proc/uptime'], { encoding: 'utf8' }));
  assert.ok(Math.abs(Number(first) / 1e9 - uptimeSec) < 2);
  assert.ok(clock.bootNs() > first);
});

test('open: options of the wrong type or range are a TypeError', () => {
  const call = native.open.bind(native) as (options: unknown, callback: unknown) => unknown;
  const good = {
    queueNumber: 65535, queueMaxLength: 16, maxHeld: 1, maxHeldPerFlow: 1, maxHeldPerUid: 1, answerDeadlineMs: 100,
    defaultVerdict: 'drop', refuseMark: 1, kernel: null,
  };
  const wrong: readonly Record<string, unknown>[] = [
    { queueNumber: 65536 }, { queueNumber: 1.5 }, { queueNumber: '1' }, { maxHeld: 0 }, { defaultVerdict: 'open' },
    { refuseMark: 3 }, { refuseMark: 0 }, { kernel: {} }, { kernel: { objectPath: 'a\0b', cgroupPath: '/', pinPath: '/' } },
  ];
  for (const change of wrong) {
    assert.throws(() => call({ ...good, ...change }, () => undefined), TypeError, JSON.stringify(change));
  }
  assert.throws(() => call(good, null), TypeError);
  assert.throws(() => call(null, () => undefined), TypeError);
});

test('notify: one datagram to the socket that NOTIFY_SOCKET names; false without one', () => {
  const saved = process.env['NOTIFY_SOCKET'];
  delete process.env['NOTIFY_SOCKET'];
  assert.equal(native.notify('READY=1'), false);
  process.env['NOTIFY_SOCKET'] = `@bastion-nobody-${String(process.pid)}`;
  assert.equal(native.notify('READY=1'), false);
  if (saved === undefined) delete process.env['NOTIFY_SOCKET'];
  else process.env['NOTIFY_SOCKET'] = saved;
});

test('notify: the message arrives whole', () => {
  const script = [
    'import socket, subprocess, sys, os',
    's = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind("\\0bastion-test-%d" % os.getpid())',
    'env = dict(os.environ, NOTIFY_SOCKET="@bastion-test-%d" % os.getpid())',
    'subprocess.check_call(sys.argv[1:], env=env); print(s.recv(100).decode(), end="")',
  ].join('\n');
  const program = `require(${JSON.stringify(join(ROOT, 'build/native/bastion.node'))}).notify('READY=1\\nSTATUS=up')`;
  const said = execFileSync('python3', ['-c', script, process.execPath, '-e', program], { encoding: 'utf8' });
  assert.equal(said, 'READY=1\nSTATUS=up');
});

test('memory that was freed is given back to the system, also below what is still in use', () => {
  const program = `
    const { releaseMemory } = require(${JSON.stringify(join(ROOT, 'build/native/bastion.node'))});
    const { readFileSync } = require('node:fs');
    const megabytes = () => Number(/^RssAnon:\\s+(\\d+)/mu.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;
    let blocks = Array.from({ length: 30_000 }, () => Buffer.allocUnsafeSlow(2000));
    const above = Buffer.allocUnsafeSlow(2000);
    blocks = null;
    // The second collection waits for the first one's memory to be freed.
    gc();
    gc();
    const kept = megabytes();
    releaseMemory().then(() => { process.stdout.write(String(kept - megabytes() + 0 * above.length)); });
  `;
  const given = Number(execFileSync(process.execPath, ['--expose-gc', '-e', program], { encoding: 'utf8' }));
  assert.ok(given > 40, `${String(given)} MB`);
});

test('one helper for each folder: the lock is a file that nobody else can open, and a second one is told so', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-lock-'));
  try {
    assert.equal(native.lockFolder(folder), true);
    assert.equal(statSync(join(folder, 'lock')).mode & 0o777, 0o600);
    assert.equal(native.lockFolder(folder), false);
    assert.throws(() => native.lockFolder(join(folder, 'missing')), /missing\/lock: No such file/u);
    // Not through a link that somebody laid.
    const other = mkdtempSync(join(tmpdir(), 'bastion-lock-'));
    symlinkSync(join(folder, 'elsewhere'), join(other, 'lock'));
    assert.throws(() => native.lockFolder(other), /symbolic links/u);
    rmSync(other, { recursive: true });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
