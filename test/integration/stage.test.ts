/** The product as packages lay it out: complete, with the modes it needs whatever the umask, and fit to run from there. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { verifyOwnFiles } from '../../helper/adapters/own-files.ts';
import { STAGED, stage } from '../../tools/stage.ts';

const MODE = 0o7777;
const SETTINGS = 'etc/bastion/bastion.toml';

describe('the product below a root folder', () => {
  const root = mkdtempSync(join(tmpdir(), 'bastion-stage-'));
  const productDir = join(root, 'usr/lib/bastion');
  after(() => { rmSync(root, { recursive: true, force: true }); });

  before(() => {
    const umask = process.umask(0o077);
    try {
      stage(root);
    } finally {
      process.umask(umask);
    }
  });

  test('has the modes of the table, and folders that everybody can enter', () => {
    const mode = (path: string): number => statSync(join(root, path)).mode & MODE;
    for (const { target, mode: wanted } of STAGED) {
      if (statSync(join(root, target)).isFile()) assert.equal(mode(target), wanted, target);
      else assert.equal(mode(target), 0o755, target);
    }
    assert.equal(mode('var/lib/bastion'), 0o700);
  });

  test('runs from there with its own runtime', () => {
    for (const program of ['usr/bin/bastionctl', 'usr/sbin/bastion-helper']) {
      assert.match(execFileSync(join(root, program), ['--version'], { encoding: 'utf8', cwd: '/' }), / \d+\.\d+\.\d+/u);
    }
  });

  test('finds each of its files as it was installed, and one that was changed', async () => {
    const packages = join(root, 'no-packages');
    const found = await verifyOwnFiles({ productDir, dpkgInfoDir: packages });
    assert.deepEqual([found.record, found.changed, found.missing], ['manifest', [], []]);
    const changed = join(productDir, 'rules.d/10-names.toml');
    const text = readFileSync(changed, 'utf8');
    writeFileSync(changed, `${text}#\n`);
    assert.deepEqual((await verifyOwnFiles({ productDir, dpkgInfoDir: packages })).changed, [changed]);
    writeFileSync(changed, text);
  });

  test('keeps the settings of a system that it is laid over', () => {
    writeFileSync(join(root, SETTINGS), 'mode = "learning"\n');
    stage(root, { packages: ['bastion-firewall'] });
    assert.equal(readFileSync(join(root, SETTINGS), 'utf8'), 'mode = "learning"\n');
  });
});
