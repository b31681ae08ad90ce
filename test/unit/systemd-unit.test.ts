/** The units are what systemd understands, and promise what the rest of the product relies on. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const UNITS = join(import.meta.dirname, '../../data/systemd');
const HELPER = 'bastion-firewall.service';
const analyze = spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' });
const skip = analyze.status !== 0 && 'needs systemd-analyze (Debian package systemd)';
/** As `systemd-analyze security` counts: lower is better. OpenSnitch has 9.6, firewalld 7.5. */
const MOST_EXPOSED = 2.5;

/** Every value of a key, in order, of all lines of it. */
function values(key: string): readonly string[] {
  const text = readFileSync(join(UNITS, HELPER), 'utf8');
  return [...text.matchAll(new RegExp(`^${key}=(.*)$`, 'gmu'))].map(([, value = '']) => value);
}

function inFolder(work: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-units-'));
  try {
    work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('units: systemd finds nothing to complain about', { skip }, () => {
  inFolder((folder) => {
    const names = readdirSync(UNITS).filter((name) => /\.(?:service|socket)$/u.test(name));
    assert.ok(names.includes(HELPER));
    for (const name of names) {
      // Our programs are not installed on the machine that runs the tests.
      const text = readFileSync(join(UNITS, name), 'utf8').replaceAll(/\/usr\/(?:sbin\/bastion-|lib\/bastion\/(?:bin\/)?)[a-z-]+/gu, '/bin/true');
      writeFileSync(join(folder, name), text);
    }
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', '--recursive-errors=no', ...names.map((name) => join(folder, name))], {
      encoding: 'utf8', env: { ...process.env, SYSTEMD_UNIT_PATH: `${folder}:` },
    });
    const ours = stderr.split('\n').filter((line) => line.includes('bastion'));
    assert.deepEqual(ours, []);
    assert.equal(status, 0, stderr);
  });
});

test('units: the helper is confined as far as its work allows', { skip }, (context) => {
  const text = execFileSync('systemd-analyze', ['security', '--offline=yes', '--no-pager', '--threshold=100', join(UNITS, HELPER)], { encoding: 'utf8' });
  const score = Number(/Overall exposure level for bastion-firewall\.service: ([\d.]+)/u.exec(text)?.[1]);
  context.diagnostic(`systemd-analyze security: ${String(score)}`);
  assert.ok(score <= MOST_EXPOSED, text);
});

test('units: a hang of the helper is over within five seconds, and what cannot be started ends in the rest state', () => {
  const seconds = (text: string): number => Number.parseFloat(text) / (text.endsWith('ms') ? 1000 : 1);
  const [watchdog = ''] = values('WatchdogSec');
  const [pause = ''] = values('RestartSec');
  // What is left is for the start.
  assert.ok(seconds(watchdog) + seconds(pause) <= 3.5, `${watchdog} and ${pause}`);
  // Also after a signal that ends it in good order; only systemctl stops it, and a person is told what holds then.
  assert.deepEqual([values('Restart'), values('ExecStopPost')], [['always'], ['-+/usr/lib/bastion/bastion-boot stopped']]);
  // A core dump of the runtime would take longer than the start.
  assert.deepEqual(values('WatchdogSignal'), ['SIGKILL']);
  assert.deepEqual(values('OnFailure'), ['bastion-firewall-rest.service']);
  const [interval = ''] = values('StartLimitIntervalSec');
  const [burst = ''] = values('StartLimitBurst');
  // The limit is reached by a helper that hangs after each start, too.
  assert.ok(Number(burst) * (seconds(watchdog) + seconds(pause) + 1) < seconds(interval), `${burst} in ${interval}`);
  assert.deepEqual([values('Type'), values('NotifyAccess'), values('Alias')], [['notify'], ['main'], ['bastion-daemon.service']]);
});

test('units: what would blind the helper is not switched on', () => {
  const on = (key: string): boolean => values(key).some((value) => !['no', ''].includes(value));
  // Programs lie in home folders and below /tmp, and are looked at there; V8 compiles at run time.
  for (const key of ['PrivateTmp', 'PrivateNetwork', 'PrivateUsers', 'MemoryDenyWriteExecute', 'ProcSubset']) assert.equal(on(key), false, key);
  assert.deepEqual([values('ProtectHome'), values('BindReadOnlyPaths')], [['tmpfs'], ['-/home -/root -/run/user']]);
  const writable = values('ReadWritePaths').join(' ').split(' ');
  for (const path of ['-/etc/bastion', '-/sys/fs/bpf/bastion', '-/run/xtables.lock', '-/var/lib/prometheus/node-exporter']) assert.ok(writable.includes(path), path);
});
