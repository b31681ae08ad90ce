/** Texts of /proc and of /etc that are read here. A process chooses its own name and arguments. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostName } from '../../../helper/adapters/dns-message.ts';
import { parseMounts } from '../../../helper/adapters/identities/mounts.ts';
import { createProcesses } from '../../../helper/adapters/procfs.ts';
import { parseHosts, parseResolvConf, RESOLVER_LIMITS } from '../../../helper/adapters/resolver-config.ts';
import { parsePasswdLine } from '../../../helper/adapters/users.ts';
import type { Owner } from '../../../helper/contract/vocabulary.ts';
import type { Target } from '../engine.ts';

const root = mkdtempSync(join(tmpdir(), 'bastion-fuzz-proc-'));
process.once('exit', () => { rmSync(root, { recursive: true, force: true }); });
const folder = join(root, '1');
mkdirSync(folder);
const processes = createProcesses(root);

const STARTED = 5;
const owner: Owner = {
  cookie: 0n, pid: 1, startNs: BigInt(STARTED) * 10_000_000n, uid: 0, gid: 0, executable: { device: 0, inode: 0n, generation: 0, ctimeSec: 0 },
  mountNamespace: 0, networkNamespace: 0n, cgroup: 0n, command: '',
};

function checkProcess(input: Buffer): void {
  writeFileSync(join(folder, 'stat'), input);
  writeFileSync(join(folder, 'cmdline'), input);
  const ancestors = processes.ancestors(owner, 8);
  assert.ok(ancestors.length <= 8);
  for (const { pid, path, command } of ancestors) assert.ok(Number.isSafeInteger(pid) && pid > 0 && path === null && command.length <= 64);
  assert.equal(typeof processes.alive(1, owner.startNs), 'boolean');
  assert.equal(processes.executable(1), null);
  const words = processes.commandLine(1);
  assert.ok(words.every((word) => !word.includes('\0')) && words.join('').length <= 4096);
}

function run(input: Buffer): void {
  checkProcess(input);
  const text = input.toString('utf8');
  for (const mount of parseMounts(text)) assert.ok(mount.type !== '' && mount.options.length > 0);
  const servers = parseResolvConf(text);
  assert.ok(servers.length <= RESOLVER_LIMITS.servers && servers.every((server) => isIP(server.split('%', 1)[0] ?? '') !== 0), String(servers));
  const hosts = parseHosts(text);
  assert.ok(hosts.size <= RESOLVER_LIMITS.hostAddresses);
  for (const [address, names] of hosts) {
    assert.ok(isIP(address) !== 0 && names.length <= RESOLVER_LIMITS.namesPerAddress && names.every((name) => hostName(name) === name));
  }
  const user = parsePasswdLine(text);
  if (user !== null) assert.ok(Number.isSafeInteger(user.uid) && user.uid >= 0 && /^[^\s:]+$/u.test(user.name), user.name);
}

export const target: Target = {
  name: 'proc', run, maxBytes: 6000,
  seeds: [
    `1 (a) b) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 ${String(STARTED)} 0 0 0`, `1 (a\n) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 ${String(STARTED + 1)} 0`, 'curl\0-s\0https://example.org\0',
    '29 1 0:26 / /sys\\040a rw,nosuid shared:7 - sysfs sysfs rw\n36 29 8:1 /a /b ro - ext4 /dev/sda1 rw,errors=remount-ro\n',
    'nameserver 192.0.2.53\nnameserver fe80::1%eth0\noptions edns0\n', '192.0.2.1 a.example b # c\n::1 localhost\nfd00::1 c.example\n', 'alice:x:1000:1000:Alice,,,:/home/alice:/bin/bash',
  ],
  dictionary: ['nameserver ', ' - ', '\\040', '\\134', '\\777', ' S 1 ', ') ', '(', '::ffff:192.0.2.1', '%eth0', ' (deleted)', ':', '0:0', 'root:x:0:0:'],
};
