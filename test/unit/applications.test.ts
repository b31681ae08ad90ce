/** The registry of applications: what it learns, what it shows, what it forgets. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { A, B, C, RegistryRig, flowOf, quietly, ruleFor } from './applications-support.ts';

const TOOL = '/usr/local/bin/tool';

describe('registry: what it learns', () => {
  test('a program that speaks is known with the hash that it had first, and who used it', async () => {
    const rig = await RegistryRig.start();
    rig.write(TOOL, A);
    rig.speak(TOOL);
    rig.speak(TOOL, { uid: 1001, timeMs: 3000, decision: { action: 'deny', reason: 'rule', ruleId: 'no' } });
    const row = await rig.row(TOOL);
    assert.deepEqual([row.state, row.reason, row.name, row.sha256, row.knownSha256], ['valid', 'first-seen', 'tool', A, A]);
    assert.deepEqual([...row.users.keys()], [1000, 1001]);
    assert.deepEqual(row.users.get(1001), { firstSeenMs: 3000, lastSeenMs: 3000, allowed: 0, refused: 1, sentBytes: 0, receivedBytes: 0 });
  });

  test('a file that was replaced is changed; whoever judged before is told', async () => {
    const rig = await RegistryRig.start();
    rig.write(TOOL, A);
    rig.speak(TOOL);
    await rig.row(TOOL);
    rig.write(TOOL, B);
    assert.equal(await rig.state(TOOL), 'changed other-hash');
    assert.equal(rig.judged, 1);
    assert.ok(rig.log.some((line) => line.startsWith('warning the file of a program was changed') && line.includes(TOOL)));
    rig.write(TOOL, A);
    assert.equal(await rig.state(TOOL), 'valid first-seen');
  });

  test('what others hash is not hashed again, and a file that did not change is not either', async () => {
    const rig = await RegistryRig.start();
    rig.write(TOOL, A);
    const executable = { device: 1, inode: rig.inodeOf(TOOL), generation: 7, ctimeSec: 1 };
    const judged = rig.registry.judge({ path: TOOL, executable, sha256: A, packageState: 'none', package: null });
    assert.deepEqual(judged, { integrity: 'valid', trusted: false });
    rig.speak(TOOL);
    assert.equal(await rig.state(TOOL), 'valid first-seen');
    rig.speak(TOOL);
    assert.equal(await rig.state(TOOL), 'valid first-seen');
    assert.deepEqual(rig.hashed, []);
  });

  test('an update by the package is silent but for a line in the journal and the last change', async () => {
    const rig = await RegistryRig.start();
    const file = { path: '/usr/bin/curl', executable: null, packageState: 'right', package: 'curl' } as const;
    rig.write(file.path, A, file);
    rig.registry.judge({ ...file, sha256: A });
    rig.write(file.path, B, file);
    assert.deepEqual(rig.registry.judge({ ...file, sha256: B }), { integrity: 'valid', trusted: false });
    const row = await rig.row(file.path);
    assert.deepEqual([row.state, row.reason, row.package], ['valid', 'package', 'curl']);
    assert.deepEqual(row.change, { timeMs: 5000, from: A, to: B, by: 'package' });
    assert.ok(rig.log.some((line) => line.startsWith('info the file of a program is another one now')));
    assert.ok(!rig.log.some((line) => line.startsWith('warning')));
  });

  test('a file of a package is not judged where nobody asked the package system', async () => {
    const rig = await RegistryRig.start();
    rig.write('/usr/bin/curl', A);
    rig.registry.judge({ path: '/usr/bin/curl', executable: null, sha256: A, packageState: 'right', package: 'curl' });
    rig.speak('/usr/bin/curl', { identity: { path: '/usr/bin/curl', package: 'curl' } });
    await rig.row('/usr/bin/curl');
    rig.write('/usr/bin/curl', B);
    assert.equal(await rig.state('/usr/bin/curl'), 'unknown');
    assert.equal(rig.judged, 0);
  });

  test('a hash is expected of what is known, trusted, or named by a rule', async () => {
    const rig = await RegistryRig.start((one) => { one.trusted = [{ name: 'T', path: '/opt/trusted', sha256: A }]; });
    assert.equal(rig.registry.expects('/opt/trusted'), true);
    assert.equal(rig.registry.expects(TOOL), false);
    rig.registry.setRules([ruleFor({ path: TOOL }), ruleFor({ script: '/opt/run.py', path: '/usr/bin/python3' }), ruleFor({ ancestor: { path: '/usr/bin/make' } })]);
    for (const path of [TOOL, '/opt/run.py', '/usr/bin/python3', '/usr/bin/make']) assert.equal(rig.registry.expects(path), true, path);
    rig.registry.setRules([]);
    assert.equal(rig.registry.expects(TOOL), false);
    rig.registry.judge({ path: TOOL, executable: null, sha256: A, packageState: 'none', package: null });
    assert.equal(rig.registry.expects(TOOL), true);
  });

  test('forwarded flows, the kernel, and programs without a path are nobody’s', async () => {
    const rig = await RegistryRig.start();
    rig.registry.observe([flowOf(TOOL, { forwardedFrom: 'Container x' }), flowOf('kernel'), flowOf(null)]);
    assert.deepEqual(await rig.registry.list(), []);
  });
});

describe('registry: what it shows', () => {
  test('a program that only a rule names is there, and missing where its file is', async () => {
    const rig = await RegistryRig.start();
    rig.write(TOOL, A);
    rig.registry.setRules([
      ruleFor({ path: TOOL }, 'a'), ruleFor({ path: TOOL }, 'b'), ruleFor({ path: '/opt/gone' }), ruleFor({ flatpak: 'org.example.App' }),
      ruleFor({ path: 'kernel' }), ruleFor({ address: '192.0.2.1' }),
    ]);
    const rows = (await rig.registry.list()).map(({ name, path, kind, state, rules }) => [name, path, kind, state, rules]);
    assert.deepEqual(rows, [
      ['org.example.App', '', 'flatpak', 'unknown', 1],
      ['tool', TOOL, 'program', 'unknown', 2],
      ['gone', '/opt/gone', 'program', 'missing', 1],
    ]);
  });

  test('a Flatpak is one row with one id over its updates, and a changed file of it is not hidden', async () => {
    const rig = await RegistryRig.start();
    const path = (commit: string): string => `/var/lib/flatpak/app/org.example.App/x86_64/stable/${commit}/files/bin/app`;
    for (const commit of ['one', 'two']) {
      rig.write(path(commit), A);
      rig.speak(path(commit), { path: path(commit), identity: { path: path(commit), flatpak: 'org.example.App' } });
    }
    const [before] = await rig.rows();
    assert.deepEqual([before?.name, before?.kind, before?.users.get(1000)?.allowed], ['org.example.App', 'flatpak', 2]);
    rig.write(path('one'), B);
    const rows = await rig.rows();
    assert.deepEqual(rows.map(({ id, state }) => [id, state]), [[before?.id, 'changed']]);
  });

  test('a script is known by its own file, and its interpreter’s traffic is not its own', async () => {
    const rig = await RegistryRig.start();
    rig.write('/opt/run.py', A);
    rig.totals = [{ path: '/usr/bin/python3', uid: 1000, sentBytes: 1, sentPackets: 1, receivedBytes: 1, receivedPackets: 1 }];
    rig.speak('/usr/bin/python3', { identity: { path: '/usr/bin/python3', interpreter: true, script: '/opt/run.py' } });
    const row = await rig.row('/opt/run.py');
    assert.deepEqual([row.kind, row.interpreter, row.users.get(1000)?.sentBytes], ['script', '/usr/bin/python3', 0]);
  });

  test('traffic is joined by path and user', async () => {
    const rig = await RegistryRig.start();
    rig.write(TOOL, A);
    rig.speak(TOOL);
    const total = { path: TOOL, sentPackets: 1, receivedPackets: 1 };
    rig.totals = [{ ...total, uid: 1000, sentBytes: 10, receivedBytes: 20 }, { ...total, uid: 1001, sentBytes: 5, receivedBytes: 6 }];
    const { users } = await rig.row(TOOL);
    assert.deepEqual([users.get(1000)?.sentBytes, users.get(1000)?.receivedBytes, users.get(1001)?.sentBytes], [10, 20, 5]);
  });
});

describe('registry: applications.toml', () => {
  test('an entry decides, its name is shown, and a change of the file counts at once', async () => {
    const rig = await RegistryRig.start((one) => { one.trusted = [{ name: 'My tool', path: TOOL, sha256: A }]; });
    rig.write(TOOL, A);
    rig.speak(TOOL);
    assert.equal(await rig.state(TOOL), 'valid trusted');
    assert.deepEqual([(await rig.row(TOOL)).name, (await rig.row(TOOL)).trusted], ['My tool', true]);
    const before = rig.registry.digest();
    rig.judged = 0;
    rig.trusted = [{ name: 'My tool', path: TOOL, sha256: B }];
    rig.trustedChanged();
    assert.equal(await rig.state(TOOL), 'changed not-trusted');
    assert.notEqual(rig.registry.digest(), before);
    assert.equal(rig.judged, 1);
  });

  test('its errors are told', async () => {
    const error = { file: '/etc/bastion/applications.toml', line: 3, column: 1, message: 'torn' };
    const rig = await RegistryRig.start((one) => { one.errors = [error]; });
    assert.deepEqual(rig.registry.loadErrors, [error]);
  });
});

describe('registry: Rehash', () => {
  async function red(owner: Parameters<RegistryRig['write']>[2] = {}): Promise<RegistryRig> {
    const rig = await RegistryRig.start();
    rig.write(TOOL, A, owner);
    rig.speak(TOOL);
    await rig.row(TOOL);
    rig.write(TOOL, B, owner);
    await rig.row(TOOL);
    return rig;
  }

  test('a changed file without a package is accepted into applications.toml', async () => {
    const rig = await red();
    const [row] = await rig.registry.rehash([(await rig.row(TOOL)).id], quietly());
    assert.deepEqual([row?.oldSha256, row?.newSha256, row?.state, row?.result], [A, B, 'valid', 'accepted']);
    assert.deepEqual(rig.trusted, [{ name: 'tool', path: TOOL, sha256: B }]);
    assert.equal(await rig.state(TOOL), 'valid trusted');
  });

  test('a changed file of a package is accepted in the state alone, and its package still goes before', async () => {
    const rig = await RegistryRig.start();
    const file = { path: '/usr/bin/curl', executable: null, package: 'curl' } as const;
    rig.write(file.path, A, { packageState: 'wrong', package: 'curl' });
    assert.equal(rig.registry.judge({ ...file, sha256: A, packageState: 'wrong' }).integrity, 'changed');
    const [row] = await rig.registry.rehash([(await rig.row(file.path)).id], quietly());
    assert.deepEqual([row?.result, row?.state], ['accepted', 'valid']);
    assert.deepEqual(rig.trusted, []);
    assert.equal(rig.registry.judge({ ...file, sha256: A, packageState: 'wrong' }).integrity, 'valid');
    assert.equal(rig.registry.judge({ ...file, sha256: C, packageState: 'right' }).integrity, 'valid');
    assert.equal(rig.registry.judge({ ...file, sha256: A, packageState: 'wrong' }).integrity, 'changed');
  });

  test('a file of a package is accepted as other than the package’s where nobody asked the package system', async () => {
    const rig = await RegistryRig.start();
    const file = { path: '/usr/bin/curl', executable: null, package: 'curl' } as const;
    rig.write(file.path, A);
    rig.registry.judge({ ...file, sha256: A, packageState: 'right' });
    rig.write(file.path, B);
    assert.equal(rig.registry.judge({ ...file, sha256: B, packageState: 'wrong' }).integrity, 'changed');
    rig.write(file.path, C);
    const [row] = await rig.registry.rehash([(await rig.row(file.path)).id], quietly());
    assert.deepEqual([row?.result, row?.state, rig.trusted], ['accepted', 'valid', []]);
    assert.equal((await rig.row(file.path)).change?.by, 'accepted');
    assert.equal(rig.registry.judge({ ...file, sha256: C, packageState: 'wrong' }).integrity, 'valid');
    assert.equal(rig.registry.judge({ ...file, sha256: B, packageState: 'wrong' }).integrity, 'changed');
  });

  test('only the hash that was shown is accepted', async () => {
    const rig = await red();
    const { id } = await rig.row(TOOL);
    rig.write(TOOL, C);
    const [row] = await rig.registry.rehash([`${id}=${B}`], quietly());
    assert.deepEqual([row?.result, row?.newSha256], ['other-hash', C]);
    assert.equal(await rig.state(TOOL), 'changed other-hash');
    assert.deepEqual(rig.trusted, []);
  });

  test('a dialog names what is accepted by its path', async () => {
    const rig = await red();
    const { id } = await rig.row(TOOL);
    assert.deepEqual(rig.registry.called([`${id}=${B}`, id, 'beef']), [TOOL, TOOL, 'beef']);
  });

  test('one that is stopped accepts nothing, and leaves room for the next', async () => {
    const rig = await red();
    const { id } = await rig.row(TOOL);
    const abort = new AbortController();
    const stopped = rig.registry.rehash([id], quietly({ signal: abort.signal, progress: () => { abort.abort(); } }));
    await assert.rejects(stopped, { code: 'Failed' });
    assert.equal(await rig.state(TOOL), 'changed other-hash');
    assert.equal((await rig.registry.rehash([id], quietly()))[0]?.result, 'accepted');
  });

  test('while one runs another is Busy, and an unknown id is refused', async () => {
    const rig = await red();
    const { id } = await rig.row(TOOL);
    const first = rig.registry.rehashAll(quietly());
    await assert.rejects(rig.registry.rehash([id], quietly()), { code: 'Busy' });
    await first;
    await assert.rejects(rig.registry.rehash(['0123456789abcdef'], quietly()), { code: 'NotFound' });
    await assert.rejects(rig.registry.rehash(['../etc'], quietly()), { code: 'InvalidArgument' });
  });

  test('where applications.toml cannot be written nothing is accepted', async () => {
    const rig = await red();
    rig.unwritable = 'Mend applications.toml first.';
    await assert.rejects(rig.registry.rehash([(await rig.row(TOOL)).id], quietly()), { message: rig.unwritable });
    assert.equal(await rig.state(TOOL), 'changed other-hash');
  });

  test('all of them: progress in bytes to the end, missing files told, the rest as before', async () => {
    const rig = await red();
    rig.write('/opt/same', A);
    rig.speak('/opt/same');
    await rig.row('/opt/same');
    rig.registry.setRules([ruleFor({ path: '/opt/gone' })]);
    const progress: (readonly number[])[] = [];
    const rows = await rig.registry.rehashAll(quietly({ progress: (done, total) => progress.push([done, total]) }));
    assert.deepEqual(rows.map(({ path, result }) => [path, result]), [[TOOL, 'accepted'], ['/opt/same', 'same'], ['/opt/gone', 'missing']]);
    assert.deepEqual([progress[0], progress.at(-1)], [[0, 200], [200, 200]]);
  });
});

describe('registry: what it keeps', () => {
  test('hashes, users and counts outlive the helper; a file that was replaced meanwhile is changed', async () => {
    const rig = await RegistryRig.start();
    rig.write(TOOL, A);
    rig.speak(TOOL, { identity: { path: TOOL } });
    const before = await rig.row(TOOL);
    const next = await rig.restarted();
    assert.deepEqual(await next.row(TOOL), before);
    next.write(TOOL, B);
    assert.equal(await next.state(TOOL), 'changed other-hash');
  });

  test('many changes are one write, some seconds later', async () => {
    const rig = await RegistryRig.start();
    for (let count = 0; count < 1000; count += 1) rig.speak(TOOL);
    assert.equal(rig.saved.length, 0);
    await rig.pass(6);
    assert.equal(rig.saved.length, 1);
    await rig.registry.stop();
    assert.equal(rig.saved.length, 1);
  });

  test('a state that is not one starts empty, with a complaint, and is kept aside', async () => {
    for (const kept of [{}, [], 'x', { version: 2, applications: [] }, { version: 1, applications: {} }]) {
      const rig = await RegistryRig.start((one) => { one.kept = kept; });
      assert.deepEqual(await rig.registry.list(), []);
      assert.equal(rig.setAside, 1);
      assert.ok(rig.log.some((line) => line.startsWith('warning applications that were known cannot be read')));
    }
  });

  test('an entry that is wrong costs itself alone', async () => {
    const rig = await RegistryRig.start();
    for (const path of [TOOL, '/opt/other']) rig.speak(path);
    await rig.registry.stop();
    const kept = JSON.parse(rig.saved.at(-1) ?? '') as { readonly applications: { path: string }[] };
    for (const wrong of ['relative', '/x'.repeat(5000), 7, null]) {
      const broken = structuredClone(kept) as { readonly applications: { path: unknown }[] };
      if (broken.applications[0] !== undefined) broken.applications[0].path = wrong;
      const next = await RegistryRig.start((one) => { one.kept = broken; });
      assert.deepEqual((await next.registry.list()).map(({ path }) => path), ['/opt/other']);
      assert.equal(next.setAside, 1);
    }
  });
});

describe('registry: limits', () => {
  const paths = (rig: RegistryRig): Promise<readonly string[]> => rig.registry.list().then((rows) => rows.map(({ path }) => path).reverse());

  test('the longest unseen without a rule leaves, and is counted', async () => {
    const rig = await RegistryRig.start(undefined, { applications: 3, text: 1000 });
    rig.registry.setRules([ruleFor({ path: '/a' })]);
    for (const path of ['/a', '/b', '/c']) rig.speak(path);
    rig.speak('/b');
    rig.speak('/d');
    assert.deepEqual(await paths(rig), ['/a', '/b', '/d']);
    assert.equal(rig.registry.counters.evicted, 1);
  });

  test('one user who brings in many pushes out his own', async () => {
    const rig = await RegistryRig.start(undefined, { applications: 10, text: 1000 });
    for (const path of ['/mine-1', '/mine-2']) rig.speak(path, { uid: 1001 });
    for (let count = 0; count < 100; count += 1) rig.speak(`/flood-${String(count)}`);
    const left = await paths(rig);
    assert.equal(left.length, 10);
    assert.deepEqual(left.slice(0, 2), ['/mine-1', '/mine-2']);
  });

  test('where all have a rule a new one is not remembered: its hash is unknown, not valid', async () => {
    const rig = await RegistryRig.start(undefined, { applications: 2, text: 1000 });
    rig.registry.setRules([ruleFor({ path: '/a' }), ruleFor({ path: '/b' })]);
    for (const path of ['/a', '/b', '/c']) rig.speak(path);
    assert.deepEqual(rig.registry.judge({ path: '/c', executable: null, sha256: A, packageState: 'none', package: null }), { integrity: 'unknown', trusted: false });
    assert.equal(rig.registry.counters.applications, 2);
    assert.equal(rig.registry.counters.refused, 2);
  });

  test('long paths are bounded in all', async () => {
    const rig = await RegistryRig.start(undefined, { applications: 100, text: 10_000 });
    for (let count = 0; count < 50; count += 1) rig.speak(`/${String(count)}${'x'.repeat(1000)}`);
    assert.ok(rig.registry.counters.applications < 10);
  });

  test('of more than 16 users of one program the longest unseen is forgotten', async () => {
    const rig = await RegistryRig.start();
    for (let uid = 0; uid < 20; uid += 1) rig.speak(TOOL, { uid });
    const { users } = await rig.row(TOOL);
    assert.deepEqual([users.size, users.has(3), users.has(4)], [16, false, true]);
  });

  test('of many files at once 64 wait to be looked at, and the rest is counted', async () => {
    const rig = await RegistryRig.start();
    for (let count = 0; count < 100; count += 1) rig.speak(`/p${String(count)}`);
    assert.equal(rig.registry.counters.looksLeftOut, 36);
  });
});
