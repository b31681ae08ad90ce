/** What the package does with files of version 2 when it takes its place. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const POSTINST = new URL('../../debian/bastion-firewall.postinst', import.meta.url);

test('postinst: units that version 2 left go, a mask of the administrator stays', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-postinst-'));
  try {
    const units = join(folder, 'systemd/system');
    mkdirSync(units, { recursive: true });
    symlinkSync('/dev/null', join(units, 'bastion-firewall.service'));
    writeFileSync(join(units, 'bastion-daemon.service'), '[Unit]\n');
    const found = /^remove_version_2\(\) \{\n[\s\S]*?\n\}\n/mu.exec(readFileSync(POSTINST, 'utf8'))?.[0] ?? '';
    const script = `set -e\nbastion_rescue() { :; }\n${found.replaceAll('/etc/', `${folder}/`).replace('bastion-rescue', 'bastion_rescue')}remove_version_2\n`;
    assert.ok(script.includes(`${units}/bastion-firewall.service`) && !script.includes('/etc/'), script);
    execFileSync('/bin/sh', ['-c', script]);
    assert.equal(readlinkSync(join(units, 'bastion-firewall.service')), '/dev/null');
    assert.equal(existsSync(join(units, 'bastion-daemon.service')), false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
