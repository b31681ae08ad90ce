/** Whose address it is: a /proc made by the test, as honest and hostile processes can make it look. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { containerOf } from '../../helper/adapters/container-names.ts';
import { createNamespaces } from '../../helper/adapters/namespaces.ts';
import type { Namespaces } from '../../helper/adapters/namespaces.ts';
import { tuple } from './policy-support.ts';

const ID = '3f2a9c0b1d2e'.padEnd(64, '0');
const HERE = { net: 1, user: 2 };

interface FakeProcess {
  readonly net: number;
  readonly user?: number;
  readonly cgroup?: string;
  readonly addresses4?: readonly string[];
  /** As if_inet6 writes them. */
  readonly lines6?: readonly string[];
}

class FakeProc {
  readonly root: string;
  nowMs = 0;

  constructor(t: TestContext) {
    this.root = mkdtempSync(join(tmpdir(), 'bastion-proc-'));
    t.after(() => { rmSync(this.root, { recursive: true }); });
    this.add('self', HERE);
  }

  add(pid: number | 'self', { net, user = HERE.user, cgroup = '0::/\n', addresses4 = [], lines6 = [] }: FakeProcess): void {
    const folder = join(this.root, String(pid));
    for (const name of ['ns', 'net']) mkdirSync(join(folder, name), { recursive: true });
    symlinkSync(`net:[${String(net)}]`, join(folder, 'ns/net'));
    symlinkSync(`user:[${String(user)}]`, join(folder, 'ns/user'));
    writeFileSync(join(folder, 'cgroup'), cgroup);
    const trie = ['127.0.0.1', ...addresses4].map((address) => `        |-- ${address}\n           /32 host LOCAL\n`).join('');
    writeFileSync(join(folder, 'net/fib_trie'), `Local:\n  +-- 0.0.0.0/0 3 0 5\n${trie}`);
    writeFileSync(join(folder, 'net/if_inet6'), lines6.map((line) => `${line}\n`).join(''));
  }

  remove(pid: number): void {
    rmSync(join(this.root, String(pid)), { recursive: true });
  }

  namespaces(): Namespaces {
    return createNamespaces({ root: this.root, nowMs: () => this.nowMs });
  }
}

function from(namespaces: Namespaces, sourceAddress = '172.17.0.2', interfaceName = 'docker0'): string {
  const { owner } = namespaces.forwardedOwner(tuple({ sourceAddress }), interfaceName);
  return owner?.forwardedFrom ?? '';
}

const UNKNOWN = 'A container or machine behind docker0 (172.17.0.2)';
const ADDRESS = { addresses4: ['172.17.0.2'] };

describe('createNamespaces', () => {
  test('an address of a container is told with the container\'s id, over IPv4 and IPv6', (t) => {
    const proc = new FakeProc(t);
    proc.add(1, { ...HERE, ...ADDRESS });
    proc.add(70, {
      net: 5, cgroup: `0::/system.slice/docker-${ID}.scope\n`, ...ADDRESS,
      lines6: ['fd790000000000000000000000000002 02 40 00 80     eth0', 'fe800000000000000000000000000002 02 40 20 80     eth0'],
    });
    assert.equal(from(proc.namespaces()), 'Container 3f2a9c0b1d2e (docker), 172.17.0.2');
    assert.equal(from(proc.namespaces(), 'fd79::2'), 'Container 3f2a9c0b1d2e (docker), fd79::2');
    assert.equal(from(proc.namespaces(), 'fe80::2'), 'A container or machine behind docker0 (fe80::2)');
    assert.equal(from(proc.namespaces(), '127.0.0.1'), 'A container or machine behind docker0 (127.0.0.1)');
  });

  test('the owner is nobody whom a rule could name, and the namespace is its number', (t) => {
    const proc = new FakeProc(t);
    proc.add(70, { net: 5, ...ADDRESS });
    const { owner, ...rest } = proc.namespaces().forwardedOwner(tuple({ sourceAddress: '172.17.0.2' }), 'docker0');
    assert.deepEqual([owner?.pid, owner?.uid, owner?.cookie, owner?.executable.inode], [0, 0, 0n, 5n]);
    assert.deepEqual(rest, { identity: { path: null }, claimedPath: null, evidence: 'none', confidence: 'unknown', ancestors: [] });
  });

  test('a namespace without a container is told by its first process', (t) => {
    const proc = new FakeProc(t);
    for (const pid of [90, 71, 80]) proc.add(pid, { net: 5, ...ADDRESS });
    assert.equal(from(proc.namespaces()), 'Network namespace of process 71, 172.17.0.2');
  });

  test('an address that nobody here has is a machine behind the interface, whose name is made visible', (t) => {
    const proc = new FakeProc(t);
    assert.equal(from(proc.namespaces()), UNKNOWN);
    assert.equal(from(proc.namespaces(), '10.0.0.9', 'br\u202e0'), 'A container or machine behind br\ufffd0 (10.0.0.9)');
  });

  test('a user\'s own namespace takes neither the name of a container nor its address', (t) => {
    const proc = new FakeProc(t);
    const pretended = `0::/user.slice/user-1000.slice/user@1000.service/docker-${ID}.scope\n`;
    proc.add(80, { net: 6, user: 9, cgroup: pretended, ...ADDRESS });
    assert.equal(from(proc.namespaces()), UNKNOWN);
    proc.add(70, { net: 5, cgroup: '0::/machine.slice/machine-web.scope\n', ...ADDRESS });
    assert.equal(from(proc.namespaces()), 'Container web (systemd-machined), 172.17.0.2');
  });

  test('of two namespaces of equal standing with one address neither is named', (t) => {
    const proc = new FakeProc(t);
    for (const net of [5, 6]) proc.add(60 + net, { net, ...ADDRESS });
    assert.equal(from(proc.namespaces()), UNKNOWN);
  });

  test('what was found holds for ten seconds; what was not is looked for again after one', (t) => {
    const proc = new FakeProc(t);
    const namespaces = proc.namespaces();
    assert.equal(from(namespaces), UNKNOWN);
    proc.add(70, { net: 5, ...ADDRESS });
    proc.nowMs = 999;
    assert.equal(from(namespaces), UNKNOWN);
    proc.nowMs = 1000;
    assert.match(from(namespaces), /process 70/u);
    proc.remove(70);
    proc.nowMs = 10_999;
    assert.match(from(namespaces), /process 70/u);
    proc.nowMs = 11_000;
    assert.equal(from(namespaces), UNKNOWN);
  });

  test('at each limit the search ends, is counted, and the rest keeps its plain description', (t) => {
    const proc = new FakeProc(t);
    proc.add(1, { net: 5, ...ADDRESS });
    for (let pid = 2; pid <= 256; pid += 1) proc.add(pid, { net: 1000 + pid, addresses4: [`10.1.0.${String(pid % 256)}`] });
    const whole = proc.namespaces();
    assert.match(from(whole), /process 1,/u);
    assert.equal(whole.cut, 0);
    proc.add(257, { net: 2000, addresses4: ['10.1.1.1'] });
    const cut = proc.namespaces();
    assert.equal(from(cut), UNKNOWN);
    assert.equal(cut.cut, 1);
    let calls = 0;
    const slow = createNamespaces({ root: proc.root, nowMs: () => { calls += 10; return calls; } });
    assert.equal(from(slow), UNKNOWN);
    assert.equal(slow.cut, 1);
  });

  test('of more than a thousand senders the oldest is forgotten', (t) => {
    const proc = new FakeProc(t);
    proc.add(70, { net: 5, ...ADDRESS });
    const namespaces = proc.namespaces();
    assert.match(from(namespaces), /process 70/u);
    proc.remove(70);
    for (let at = 0; at < 1023; at += 1) from(namespaces, `10.3.${String(at >> 8)}.${String(at & 255)}`);
    assert.match(from(namespaces), /process 70/u);
    from(namespaces, '10.4.0.1');
    assert.equal(from(namespaces), UNKNOWN);
  });

  test('a namespace with more addresses than are read is found by the first of them only', (t) => {
    const proc = new FakeProc(t);
    proc.add(70, { net: 5, addresses4: Array.from({ length: 300 }, (_, at) => `10.2.${String(at >> 8)}.${String(at & 255)}`) });
    const namespaces = proc.namespaces();
    assert.match(from(namespaces, '10.2.0.255'), /process 70/u);
    assert.equal(from(namespaces, '10.2.1.0'), 'A container or machine behind docker0 (10.2.1.0)');
  });
});

describe('containerOf', () => {
  for (const [wanted, text] of [
    ['Container 3f2a9c0b1d2e (docker)', `12:pids:/docker/${ID}\n0::/\n`],
    ['Container 3f2a9c0b1d2e (podman)', `0::/machine.slice/libpod-${ID}.scope/container\n`],
    ['Container 3f2a9c0b1d2e (containerd)', `0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-${ID}.scope\n`],
    ['Container 3f2a9c0b1d2e (cri-o)', `0::/kubepods.slice/crio-${ID}.scope\n`],
    ['Container web-1 (lxc)', '0::/lxc.payload.web-1\n'],
    ['Container my-box (systemd-nspawn)', String.raw`0::/machine.slice/systemd-nspawn@my\x2dbox.service/payload` + '\n'],
    [null, '0::/init.scope\n'],
    [null, `0::/docker/${ID.slice(1)}\n`],
    [null, '0::/lxc.payload.a\\x0ab\n'],
    [null, `docker-${ID}.scope\n`],
    [null, ''],
  ] as const) {
    test(`${wanted ?? 'nothing'} is told of ${JSON.stringify(text.slice(0, 60))}`, () => { assert.equal(containerOf(text), wanted); });
  }

  test('what a process inside a container calls its own groups does not count', () => {
    const other = ID.replaceAll('0', 'f');
    assert.equal(containerOf(`0::/system.slice/docker-${ID}.scope/docker-${other}.scope\n`), 'Container 3f2a9c0b1d2e (docker)');
  });
});
