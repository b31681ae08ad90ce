/** Packages, hashes and integrity of real files, by the real worker; and what must not be taken for a packaged program. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync, chmodSync, copyFileSync, existsSync, linkSync, mkdirSync, readFileSync, readlinkSync, realpathSync, renameSync, rmSync, statSync,
  symlinkSync, truncateSync, utimesSync, writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Scene, attribution, idOf, md5Of, native, running, sha256Of, startOf } from './support-identities.ts';
import { until } from './support.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root: a package database belongs to root';

/** dpkg wrote its database a while ago. */
function settle(scene: Scene): void {
  const before = Date.now() / 1000 - 60;
  utimesSync(join(scene.database, 'info'), before, before);
}

describe('packages', { skip }, () => {
  test('a file with its recorded checksum has its package, at once the second time', async () => {
    await using scene = new Scene();
    const path = scene.program('bin/tool');
    scene.package('tool-pkg:amd64', [path]);
    writeFileSync(join(scene.database, 'status'), 'Package: tool-pkg\nArchitecture: amd64\nDescription: does one thing well\n\n');
    settle(scene);
    const identities = scene.open();
    const { identity } = await identities.identify(running(path));
    assert.deepEqual(identity, { path, package: 'tool-pkg', sha256: sha256Of(path), integrity: 'valid' });
    assert.equal(identities.summaryOf?.('tool-pkg'), 'does one thing well');
    await until('an answer at once', async () => {
      const answer = identities.identify(running(path));
      await answer;
      return answer instanceof Promise ? null : true;
    });
  });

  test('wrong checksum, no checksum, configuration file, no package: none of them names a package', async () => {
    await using scene = new Scene();
    const [wrong, unsummed, conf, alone] = ['wrong', 'unsummed', 'conf', 'alone'].map((name) => scene.program(`bin/${name}`));
    assert.ok(wrong !== undefined && unsummed !== undefined && conf !== undefined && alone !== undefined);
    scene.package('wrong', [wrong]);
    scene.package('unsummed', [unsummed], { sums: false });
    scene.package('conf', [conf], { conffiles: [conf] });
    appendFileSync(wrong, 'changed');
    settle(scene);
    const identities = scene.open({ wantsHash: () => true });
    for (const path of [wrong, unsummed, conf, alone]) {
      assert.equal((await identities.identify(running(path))).identity.package, undefined, path);
    }
    const states = scene.judge.judged.map(({ path, packageState }) => [path, packageState]);
    assert.deepEqual(states, [[wrong, 'wrong'], [unsummed, 'none'], [conf, 'none'], [alone, 'none']]);
  });

  test('a diverted path is the diverting package\'s; the file that had to go is at its new place', async () => {
    await using scene = new Scene();
    const [path, away, local] = [scene.program('bin/tool', 'new'), scene.program('bin/tool.distrib', 'old'), scene.program('bin/local')];
    scene.package('diverter', [path]);
    scene.package('original', [path]);
    writeFileSync(join(scene.database, 'info/original.md5sums'), `${md5Of(away)}  ${path.slice(1)}\n`);
    scene.package('locally', [local]);
    writeFileSync(join(scene.database, 'diversions'), [path, away, 'diverter', local, `${local}.x`, ':', ''].join('\n'));
    settle(scene);
    const identities = scene.open();
    assert.equal((await identities.identify(running(path))).identity.package, 'diverter');
    assert.equal((await identities.identify(running(away))).identity.package, 'original');
    assert.equal((await identities.identify(running(local))).identity.package, undefined);
  });

  test('a package may list a path by its name before /usr was merged', { skip: existsSync('/bin/cat') && readlinkSync('/bin') === 'usr/bin' ? false : 'this machine is not merged' }, async () => {
    await using scene = new Scene();
    scene.package('old-name', ['/bin/cat']);
    settle(scene);
    assert.equal((await scene.open().identify(running('/usr/bin/cat'))).identity.package, 'old-name');
  });

  for (const what of ['the folder', 'a folder above it'] as const) {
    test(`a database is not believed where others can write ${what}`, async () => {
      await using scene = new Scene();
      const path = scene.program('bin/tool');
      scene.package('tool', [path]);
      chmodSync(what === 'the folder' ? join(scene.database, 'info') : scene.database, 0o777);
      assert.equal((await scene.open().identify(running(path))).identity.package, undefined);
    });
  }

  test('a copy and a hard link of a packaged program at another path belong to no package', async () => {
    await using scene = new Scene();
    const path = scene.program('bin/tool');
    scene.package('tool', [path]);
    settle(scene);
    const [copy, link] = [join(scene.folder, 'copy'), join(scene.folder, 'link')];
    copyFileSync(path, copy);
    linkSync(path, link);
    const identities = scene.open();
    for (const one of [copy, link]) assert.equal((await identities.identify(running(one))).identity.package, undefined);
  });

  test('the real database: a program of this machine has its real package', { skip: existsSync('/var/lib/dpkg/info/coreutils.md5sums') ? false : 'no dpkg' }, async () => {
    await using scene = new Scene();
    const identities = scene.open({ places: {} });
    assert.equal((await identities.identify(running('/usr/bin/cat'))).identity.package, 'coreutils');
  });
});

describe('upgrades', { skip }, () => {
  test('while dpkg holds its lock a wrong checksum waits, and the package\'s new checksum then decides', async () => {
    await using scene = new Scene();
    const path = scene.program('bin/tool');
    scene.package('tool', [path]);
    // As an unpacked file whose package is not recorded yet.
    writeFileSync(path, 'the new version', { flag: 'a' });
    settle(scene);
    const lock = join(scene.database, 'lock');
    const dpkg = await scene.started('python3', ['-c', `import fcntl,sys\nf=open(${JSON.stringify(lock)},'w')\nfcntl.lockf(f,fcntl.LOCK_EX)\nprint('held',flush=True)\nsys.stdin.read()`]);
    const identities = scene.open();
    const answer = identities.identify(running(path));
    assert.ok(answer instanceof Promise);
    const early = await Promise.race([answer.then(() => 'settled'), new Promise((resolve) => setTimeout(resolve, 2600, 'waits'))]);
    assert.equal(early, 'waits');
    assert.equal(scene.judge.judged.length, 0, 'nobody was told that it changed');
    scene.package('tool', [path]);
    settle(scene);
    dpkg.stdin?.end();
    await once(dpkg, 'exit');
    assert.equal((await answer).identity.package, 'tool');
    assert.deepEqual(scene.judge.judged.map(({ packageState }) => packageState), ['right']);
  });

  test('a package that goes takes its name away, and listeners are told', async () => {
    await using scene = new Scene();
    const path = scene.program('bin/tool');
    scene.package('tool', [path]);
    settle(scene);
    const identities = scene.open();
    assert.equal((await identities.identify(running(path))).identity.package, 'tool');
    let told = 0;
    identities.onChanged(() => { told += 1; });
    rmSync(join(scene.database, 'info/tool.list'));
    rmSync(join(scene.database, 'info/tool.md5sums'));
    await until('the news', () => Promise.resolve(told > 0 ? true : null));
    assert.equal((await identities.identify(running(path))).identity.package, undefined);
  });
});

describe('hashes and integrity', { skip }, () => {
  test('a file that the registry knows is hashed before anybody may rely on it; another content is changed', async () => {
    await using scene = new Scene();
    const path = scene.program('bin/tool');
    scene.judge.known.set(path, sha256Of(path));
    const identities = scene.open();
    assert.equal((await identities.identify(running(path))).identity.integrity, 'valid');
    appendFileSync(path, 'more');
    assert.equal((await identities.identify(running(path))).identity.integrity, 'changed');
    scene.judge.known.set(path, sha256Of(path));
    scene.judge.tell();
    assert.equal((await identities.identify(running(path))).identity.integrity, 'valid');
  });

  test('where nobody needs the hash the flow does not wait for it, and it is there later', async () => {
    await using scene = new Scene();
    const path = scene.program('bin/tool');
    const identities = scene.open();
    assert.equal((await identities.identify(running(path))).identity.sha256, undefined);
    await until('the hash', async () => ((await identities.identify(running(path))).identity.sha256 === undefined ? null : true));
  });

  test('a known file that cannot be hashed is changed, not unknown: too large, or replaced', async () => {
    await using scene = new Scene();
    const [large, replaced] = [scene.program('large'), scene.program('replaced')];
    for (const path of [large, replaced]) scene.judge.known.set(path, 'f'.repeat(64));
    truncateSync(large, 3 * 2 ** 30);
    const identities = scene.open();
    assert.deepEqual((await identities.identify(running(large))).identity, { path: large, integrity: 'changed' });
    const before = running(replaced);
    renameSync(scene.program('new'), replaced);
    assert.deepEqual((await identities.identify(before)).identity, { path: replaced, integrity: 'changed' });
  });

  test('a file that changes while it is hashed gets no hash', async () => {
    await using scene = new Scene();
    const path = scene.program('bin/tool');
    truncateSync(path, 64 * 2 ** 20);
    const identities = scene.open();
    const writer = await scene.started('python3', ['-c', [
      'import os,sys', `f=os.open(${JSON.stringify(path)},os.O_WRONLY)`, "print('writes',flush=True)",
      'while True: os.pwrite(f,os.urandom(1),33554432)',
    ].join('\n')]);
    assert.equal(await identities.hash(path), null);
    await scene.end(writer);
    assert.equal((await identities.hash(path))?.sha256, sha256Of(path));
  });

  test('a file that was written anew in the same second as a process ran it tells nothing of that process', async () => {
    await using scene = new Scene();
    const path = scene.program('bin/tool');
    const identities = scene.open({ wantsHash: () => true });
    const startNs = native.bootNs();
    writeFileSync(path, readFileSync('/bin/true'));
    const executable = idOf(path);
    const gone = await identities.identify(attribution({ path, executable, startNs }));
    assert.equal(gone.identity.sha256, undefined);
    assert.equal((await identities.identify(running(path))).identity.sha256, sha256Of(path));
  });

  test('a process that still runs the file proves its content, however young that is', async () => {
    await using scene = new Scene();
    const path = join(scene.folder, 'sleeper');
    copyFileSync('/bin/sleep', path);
    chmodSync(path, 0o755);
    const child = scene.spawn(path, ['60']);
    assert.ok(child.pid !== undefined);
    await until('exec', () => Promise.resolve(readlinkSync(`/proc/${String(child.pid)}/exe`) === path ? true : null));
    const { pid } = child;
    const told = attribution({ path, executable: idOf(path), pid, startNs: startOf(pid) });
    const identities = scene.open({ wantsHash: () => true });
    assert.equal((await identities.identify(told)).identity.sha256, sha256Of(path));
  });

  test('what is no regular file, and a link, have no hash; a FIFO does not block', async () => {
    await using scene = new Scene();
    const [fifo, link, folder] = [join(scene.folder, 'fifo'), join(scene.folder, 'link'), join(scene.folder, 'folder')];
    execFileSync('mkfifo', [fifo]);
    symlinkSync('/bin/true', link);
    mkdirSync(folder);
    const identities = scene.open();
    for (const path of [fifo, link, folder, '/dev/zero', '/nonexistent', '/proc/self/mem', 'relative']) {
      assert.equal(await identities.hash(path), null, path);
    }
  });

  test('hash: what sha256sum says, of an empty file too', async () => {
    await using scene = new Scene();
    const empty = join(scene.folder, 'empty');
    writeFileSync(empty, '');
    const identities = scene.open();
    for (const path of [empty, '/bin/true']) {
      const real = realpathSync(path);
      const hashed = await identities.hash(real);
      assert.deepEqual([hashed?.sha256, hashed?.sizeBytes], [sha256Of(real), statSync(real).size]);
    }
  });
});
