/** Flatpaks, AppImages, scripts and ancestors, with real files and processes; each with what imitates it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync, chmodSync, chownSync, copyFileSync, linkSync, mkdirSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import type { Image, RecordedExec, RecordedProcess, Records } from '../../helper/adapters/identities/records.ts';
import type { IntegrityJudge } from '../../helper/ports.ts';
import { Scene, attribution, idOf, native, running, sha256Of, startOf } from './support-identities.ts';
import { until } from './support.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root: what is trusted belongs to root';
const LATER = (): bigint => native.bootNs() + 60_000_000_000n;
const APP = 'org.example.Tool';

function deployed(id = APP, commit = 'a1'): string {
  return `flatpak/app/${id}/x86_64/stable/${commit}/files/bin/tool`;
}

describe('Flatpaks', { skip }, () => {
  const inside = (path: string): ReturnType<typeof attribution> =>
    attribution({ path: null, claimed: '/app/bin/tool', executable: idOf(path), startNs: LATER(), uid: 1000 });

  test('the very file of a root-owned deployment has its application, its path, and is certain', async () => {
    await using scene = new Scene();
    const path = scene.program(deployed());
    const { identity, claimedPath, confidence } = await scene.open().identify(inside(path));
    assert.deepEqual({ identity, claimedPath, confidence }, { identity: { path, flatpak: APP }, claimedPath: null, confidence: 'certain' });
  });

  test('an older commit that still runs is found too, and a program that is run by its deployed path', async () => {
    await using scene = new Scene();
    const [old, path] = [scene.program(deployed(APP, 'a0'), 'old'), scene.program(deployed(APP, 'a1'), 'new')];
    const identities = scene.open();
    assert.equal((await identities.identify(inside(old))).identity.flatpak, APP);
    assert.equal((await identities.identify(running(path))).identity.flatpak, APP);
  });

  const spoofs: readonly (readonly [string, (scene: Scene, path: string) => string])[] = [
    ['a copy of the program', (scene, path) => {
      copyFileSync(path, join(scene.folder, 'copy'));
      return join(scene.folder, 'copy');
    }],
    ['a program that claims the path in a mount namespace of its own', (scene) => scene.program('home/app/bin/tool')],
    ['a deployment that a user can write', (_, path) => {
      chmodSync(dirname(path), 0o777);
      return path;
    }],
    ['a deployment that belongs to a user', (_, path) => {
      chownSync(dirname(dirname(path)), 1000, 1000);
      return path;
    }],
    ['a file that a user can write', (_, path) => {
      chmodSync(path, 0o775);
      return path;
    }],
    ['a deployment behind a link', (scene, path) => {
      const moved = join(scene.folder, 'moved');
      renameSync(dirname(path), moved);
      symlinkSync(moved, dirname(path));
      return join(moved, 'tool');
    }],
    ['a file that two applications share', (scene, path) => {
      const other = join(scene.folder, deployed('org.example.Other'));
      mkdirSync(dirname(other), { recursive: true });
      linkSync(path, other);
      return path;
    }],
  ];
  for (const [what, arrange] of spoofs) {
    test(`${what} is not the application`, async () => {
      await using scene = new Scene();
      const path = arrange(scene, scene.program(deployed()));
      const { identity, confidence } = await scene.open().identify(inside(path));
      assert.deepEqual({ identity, confidence }, { identity: { path: null }, confidence: 'unknown' });
    });
  }

  test('a path with steps upwards, and a runtime\'s program, are nobody\'s', async () => {
    await using scene = new Scene();
    const path = scene.program(deployed());
    const identities = scene.open();
    for (const claimed of ['/app/../app/bin/tool', '/app/bin/../bin/tool', '/usr/bin/tool', '/newroot/app/bin/tool']) {
      const told = attribution({ path: null, claimed, executable: idOf(path), startNs: LATER() });
      assert.deepEqual((await identities.identify(told)).identity, { path: null }, claimed);
    }
  });

  test('a user\'s own installation has a path, is likely at most, and names no application', async () => {
    await using scene = new Scene();
    const path = scene.program(`home/.local/share/${deployed()}`);
    const { identity, confidence } = await scene.open().identify(inside(path));
    assert.deepEqual({ identity, confidence }, { identity: { path }, confidence: 'likely' });
  });
});

/** One program of a recorded chain. */
function image(path: string | null, executable: Image['executable'], exec: RecordedExec | null = null, pid = 40): Image {
  return { pid, startNs: LATER(), executable, path, command: 'x', exec };
}

function records(record: Partial<RecordedProcess>): Records {
  return { get: () => ({ image: null, ancestors: [], complete: true, ...record }) };
}

describe('AppImages', { skip }, () => {
  /** A program that the kernel runs, marked as AppImages are. */
  function appImage(scene: Scene, name: string): string {
    const path = scene.program(name);
    execFileSync('python3', ['-c', `f=open(${JSON.stringify(path)},'r+b'); f.seek(8); f.write(b'AI\\x02')`]);
    execFileSync(path);
    return path;
  }

  /** A FUSE file system that nobody serves, mounted as `uid`'s; null where the kernel has none. */
  async function userMount(scene: Scene, uid: number): Promise<{ readonly folder: string; readonly device: number }> {
    const folder = join(scene.folder, `.mount_${String(uid)}`);
    mkdirSync(folder);
    const script = [
      'import ctypes,os,sys', "fd=os.open('/dev/fuse',os.O_RDWR)", 'libc=ctypes.CDLL(None,use_errno=True)',
      `r=libc.mount(b'tool',${JSON.stringify(folder)}.encode(),b'fuse.tool',0,b'fd=%d,rootmode=40000,user_id=${String(uid)},group_id=${String(uid)}'%fd)`,
      "print('mounted' if r==0 else 'failed',flush=True)", 'sys.stdin.read()',
    ].join('\n');
    await scene.started('python3', ['-c', script]);
    scene.atEnd(() => { execFileSync('umount', ['-l', folder]); });
    const numbers = execFileSync('findmnt', ['-n', '-o', 'MAJ:MIN', folder], { encoding: 'utf8' }).trim().split(':').map(Number);
    return { folder, device: (numbers[0] ?? 0) * 0x10_0000 + (numbers[1] ?? 0) };
  }

  test('run directly, it is its own file', async () => {
    await using scene = new Scene();
    const path = appImage(scene, 'Tool.AppImage');
    assert.equal((await scene.open().identify(running(path))).identity.appImage, path);
    assert.equal((await scene.open().identify(running(scene.program('plain.AppImage')))).identity.appImage, undefined);
  });

  test('on its own mount it is the regular file that was run before; what only looks so is not', async () => {
    await using scene = new Scene();
    const path = appImage(scene, 'Tool.AppImage');
    const plain = scene.program('plain');
    const mount = await userMount(scene, 1000);
    const onMount = { device: mount.device, inode: 5n, generation: 0, ctimeSec: 0 };
    const claimed = join(mount.folder, 'usr/bin/tool');
    const tool = image(path, idOf(path));
    const shell = image('/usr/bin/bash', idOf(realpathSync('/usr/bin/bash')));
    const ask = async (ancestors: readonly Image[], more: { readonly uid?: number; readonly device?: number } = {}): Promise<string | undefined> => {
      const executable = { ...onMount, device: more.device ?? mount.device };
      const told = attribution({ path: null, claimed, executable, startNs: LATER(), uid: more.uid ?? 1000 });
      const answer = await scene.open({ records: records({ ancestors }), wantsHash: () => true }).identify(told);
      assert.equal(answer.identity.path, null);
      if (answer.identity.appImage === undefined) return undefined;
      assert.equal(answer.confidence, 'likely');
      assert.equal(answer.identity.sha256, sha256Of(path));
      return answer.identity.appImage;
    };
    assert.equal(await ask([tool]), path);
    assert.equal(await ask([image(null, { ...onMount, inode: 7n }), shell, tool]), path);
    assert.equal(await ask([image(plain, idOf(plain)), tool]), undefined, 'started by another program');
    assert.equal(await ask([image(null, { ...onMount, device: mount.device + 1 }), tool]), undefined, 'from another mount');
    assert.equal(await ask([shell]), undefined, 'by nobody');
    assert.equal(await ask([image(null, idOf(path))]), undefined, 'the file was not verified');
    assert.equal(await ask([tool], { uid: 1001 }), undefined, 'another user\'s mount');
    assert.equal(await ask([tool], { device: 1 }), undefined, 'not on the mount');
  });
});

describe('scripts', { skip }, () => {
  const python = realpathSync('/usr/bin/python3');
  const SLEEPS = "import time\nprint('up',flush=True)\ntime.sleep(60)\n";
  const exec = (words: readonly string[], more: Partial<RecordedExec> = {}): RecordedExec => ({
    filename: words[0] ?? '', isScript: false, arguments: words, truncated: false, workingDirectory: '/', ...more,
  });

  test('what a process says of itself is a claim, without a hash', async () => {
    await using scene = new Scene();
    const script = join(scene.folder, 'tool.py');
    writeFileSync(script, SLEEPS);
    const identities = scene.open({ wantsHash: () => true });
    for (const word of [script, './tool.py']) {
      const { pid } = await scene.started(python, [word], { cwd: scene.folder });
      assert.ok(pid !== undefined);
      const { identity } = await identities.identify(attribution({ path: python, executable: idOf(python), pid, startNs: startOf(pid) }));
      assert.deepEqual(identity, { path: python, integrity: 'unknown', interpreter: true, script, scriptEvidence: 'claimed' });
    }
  });

  test('code from the command line is no script, whatever stands behind it; nor is argv[0]', async () => {
    await using scene = new Scene();
    const script = join(scene.folder, 'tool.py');
    writeFileSync(script, '');
    const identities = scene.open();
    const started = [
      await scene.started(python, ['-c', SLEEPS, script]), await scene.started(python, ['-c', SLEEPS], { argv0: script }),
    ];
    for (const { pid } of started) {
      assert.ok(pid !== undefined);
      const { identity } = await identities.identify(attribution({ path: python, executable: idOf(python), pid, startNs: startOf(pid) }));
      assert.equal(identity.script, undefined);
      assert.equal(identity.interpreter, true);
    }
  });

  test('a process in a mount namespace or below a root of its own reads other files by the same names', async () => {
    await using scene = new Scene();
    const [script, evil] = [join(scene.folder, 'tool.py'), join(scene.folder, 'evil.py')];
    writeFileSync(script, '');
    writeFileSync(evil, SLEEPS);
    const child = await scene.started('unshare', ['-m', 'sh', '-c', `mount --bind ${evil} ${script} && exec ${python} ${script}`]);
    const { pid } = child;
    assert.ok(pid !== undefined);
    const { identity } = await scene.open().identify(attribution({ path: python, executable: idOf(python), pid, startNs: startOf(pid) }));
    assert.equal(identity.script, undefined);
  });

  test('the kernel\'s record names the script, with its hash; another word of the same process does not change it', async () => {
    await using scene = new Scene();
    const script = join(scene.folder, 'tool.py');
    writeFileSync(script, 'x = 1');
    const told = running(python);
    const ask = async (record: Partial<RecordedProcess>): Promise<string | undefined> => {
      const { identity } = await scene.open({ records: records(record), wantsHash: () => true }).identify(told);
      if (identity.script !== undefined) {
        assert.equal(identity.scriptEvidence, 'exec');
        assert.equal(identity.sha256, sha256Of(script));
      }
      return identity.script;
    };
    const of = (one: RecordedExec): Image => image(python, idOf(python), one);
    assert.equal(await ask({ image: of(exec(['python3', script])) }), script);
    assert.equal(await ask({ image: of(exec(['python3', 'tool.py'], { workingDirectory: scene.folder })) }), script);
    assert.equal(await ask({ image: of(exec([python, script, 'x'], { isScript: true, filename: script })) }), script);
    assert.equal(await ask({ image: of(exec([python, '-E', script], { isScript: true, filename: '/other' })) }), undefined);
    assert.equal(await ask({ image: of(exec(['python3', script], { workingDirectory: null })) }), undefined);
    assert.equal(await ask({ image: of(exec(['python3', '-c', 'evil', script])) }), undefined);
    assert.equal(await ask({ image: of(exec(['python3', `${scene.folder}/x/../tool.py`])) }), undefined);
  });

  test('a known script that was changed makes its program changed, and one that cannot be read too', async () => {
    await using scene = new Scene();
    const script = join(scene.folder, 'tool.py');
    writeFileSync(script, 'x = 1');
    const known = sha256Of(script);
    const judge: IntegrityJudge = {
      expects: (path) => path === script,
      judge: ({ path, sha256 }) => ({ integrity: path === script && sha256 !== known ? 'changed' : 'valid', trusted: false }),
      onChanged: () => () => undefined,
    };
    const ask = async (): Promise<string | undefined> => {
      const record = records({ image: image(python, idOf(python), exec(['python3', script])) });
      return (await scene.open({ records: record, judge }).identify(running(python))).identity.scriptIntegrity;
    };
    assert.equal(await ask(), 'valid');
    writeFileSync(script, 'x = 2');
    assert.equal(await ask(), 'changed');
  });

  test('who ran the same interpreter before in the same process has no script: the flow may be the earlier one\'s', async () => {
    await using scene = new Scene();
    const script = join(scene.folder, 'tool.py');
    writeFileSync(script, '');
    const told = running(python);
    const { owner } = told;
    assert.ok(owner !== null);
    const before: Image = { ...image(python, idOf(python), exec(['python3', '-c', 'evil'])), pid: owner.pid, startNs: owner.startNs };
    const service = scene.open({ records: records({ image: image(python, idOf(python), exec(['python3', script])), ancestors: [before] }) });
    assert.equal((await service.identify(told)).identity.script, undefined);
  });

  test('a link that its user could have changed since is not followed; root\'s own is', async () => {
    await using scene = new Scene();
    const [script, home] = [join(scene.folder, 'tool.py'), join(scene.folder, 'home')];
    writeFileSync(script, '');
    mkdirSync(home);
    chownSync(home, 1000, 1000);
    symlinkSync(script, join(home, 'mine.py'));
    symlinkSync(script, join(scene.folder, 'roots.py'));
    const ask = async (word: string): Promise<string | undefined> => (await scene.open({
      records: records({ image: image(python, idOf(python), exec(['python3', word])) }),
    }).identify(running(python))).identity.script;
    assert.equal(await ask(join(home, 'mine.py')), undefined);
    assert.equal(await ask(join(scene.folder, 'roots.py')), undefined, 'the scene lies below /tmp, where everybody can make links');
    assert.equal(await ask('/usr/bin/../bin/python3'), undefined);
    assert.equal(await ask('/usr/bin/python3'), python, 'links of the system are root\'s');
    assert.equal(await ask(scene.folder), undefined, 'a folder is no script');
  });
});

describe('ancestors', { skip }, () => {
  test('recorded ones have an identity, with their package as soon as it is known', async () => {
    await using scene = new Scene();
    const [parent, path] = [scene.program('parent'), scene.program('tool')];
    scene.package('parent-pkg', [parent]);
    const identities = scene.open({ records: records({ ancestors: [image(parent, idOf(parent)), image(null, idOf(path))] }) });
    let told = 0;
    identities.onChanged(() => { told += 1; });
    const first = await identities.identify(running(path));
    assert.equal(first.lineage, 'kernel');
    assert.deepEqual(first.ancestors[1], { pid: 40, path: null, command: 'x' });
    await until('the package', () => Promise.resolve(told > 0 ? true : null));
    const [known] = (await identities.identify(running(path))).ancestors;
    assert.equal(known?.identity?.package, 'parent-pkg');
    assert.equal(known.identity.path, parent);
  });

  test('interpreters have the script that the kernel recorded, at once, also after they have ended; what may be another is none', async () => {
    await using scene = new Scene();
    const [python, path] = [realpathSync('/usr/bin/python3'), scene.program('tool')];
    const script = join(scene.folder, 'tool.py');
    writeFileSync(script, '');
    const exec = (words: readonly string[], more: Partial<RecordedExec> = {}): RecordedExec => (
      { filename: python, isScript: false, arguments: words, truncated: false, workingDirectory: '/', ...more }
    );
    const chain: readonly (readonly [RecordedExec | null, string | undefined])[] = [
      [exec(['python3', script]), script], [exec(['python3', 'tool.py'], { workingDirectory: scene.folder }), script],
      [exec([python, script, 'x'], { isScript: true, filename: script }), script], [exec([python, '-E', script], { isScript: true, filename: '/other' }), undefined],
      [exec(['python3', script], { workingDirectory: null }), undefined], [exec(['python3', '-c', 'evil', script]), undefined],
      [exec(['python3', join(scene.folder, 'gone.py')]), undefined], [null, undefined],
    ];
    const ancestors = chain.map(([one], index) => image(python, idOf(python), one, 4_000_000 + index));
    const found = await scene.open({ records: records({ ancestors }) }).identify(running(path));
    assert.deepEqual(found.ancestors.map(({ identity }) => identity?.script), chain.map(([, wanted]) => wanted));
    for (const { identity } of found.ancestors) {
      if (identity?.script !== undefined) assert.deepEqual([identity.scriptEvidence, identity.sha256], ['exec', undefined]);
    }
  });

  test('those of /proc are labels', async () => {
    await using scene = new Scene();
    const { pid } = await scene.started('sh', ['-c', 'echo up; read x']);
    assert.ok(pid !== undefined);
    const shell = realpathSync('/bin/sh');
    const { lineage, ancestors } = await scene.open().identify(attribution({ path: shell, executable: idOf(shell), pid, startNs: startOf(pid) }));
    assert.equal(lineage, 'procfs');
    assert.equal(ancestors[0]?.pid, process.pid);
    assert.ok(ancestors.every(({ identity }) => identity === undefined));
  });
});

describe('programs without a file of the machine', { skip }, () => {
  test('what could not be verified, the kernel and forwarded flows stay as they are', async () => {
    await using scene = new Scene();
    const path = scene.program('tool');
    const executable = idOf(path);
    rmSync(path);
    appendFileSync(path, 'another');
    const identities = scene.open();
    const deleted = await identities.identify(attribution({ path: null, claimed: path, executable }));
    assert.deepEqual([deleted.identity, deleted.claimedPath, deleted.confidence], [{ path: null }, path, 'unknown']);
    const memfd = await identities.identify(attribution({ path: null, claimed: '/memfd:tool (deleted)', executable }));
    assert.deepEqual(memfd.identity, { path: null });
    const kernel = { ...attribution({ path: 'kernel', executable }) };
    assert.equal(identities.identify(kernel), kernel);
    const nobody = { ...kernel, owner: null };
    assert.equal(identities.identify(nobody), nobody);
  });
});
