/** What the mount table says of snaps and of file systems that users provide; what looks like one and is none. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isOlderThan, isSettled } from '../../helper/adapters/identities/content.ts';
import { isUserMount, isUserProvided, parseMounts, snapOf } from '../../helper/adapters/identities/mounts.ts';
import type { Mount } from '../../helper/adapters/identities/mounts.ts';
import { PathIndex, canonicalPath, namesOf } from '../../helper/adapters/identities/dpkg-index.ts';

function mount(line: string): Mount {
  const [one] = parseMounts(line);
  assert.ok(one !== undefined);
  return one;
}

const SNAP = mount('90 29 7:3 / /snap/firefox/4173 ro,nodev,relatime shared:48 - squashfs /dev/loop3 ro,errors=continue');
const FILE = '/snap/firefox/4173/usr/lib/firefox/firefox';

describe('snaps', () => {
  test('a file on the snap\'s own read-only squashfs has its name, in both places that snapd mounts to', () => {
    assert.equal(snapOf(FILE, SNAP), 'firefox');
    assert.equal(snapOf(`/var/lib/snapd${FILE}`, { ...SNAP, point: '/var/lib/snapd/snap/firefox/4173' }), 'firefox');
    assert.equal(snapOf('/snap/tool_work/x1/bin/t', { ...SNAP, point: '/snap/tool_work/x1' }), 'tool_work');
  });

  const imitations: readonly (readonly [string, Mount, string])[] = [
    ['a folder of that name', { ...SNAP, point: '/', type: 'ext4', options: ['rw'] }, FILE],
    ['a tmpfs', { ...SNAP, type: 'tmpfs' }, FILE],
    ['squashfs in user space', { ...SNAP, type: 'fuse.squashfuse' }, FILE],
    ['a mount that can be written', { ...SNAP, options: ['rw'] }, FILE],
    ['another snap\'s mount', { ...SNAP, point: '/snap/other/1' }, FILE],
    ['a mount below the snap', { ...SNAP, point: '/snap/firefox/4173/usr' }, FILE],
    ['a snap mounted elsewhere', { ...SNAP, point: '/home/u/snap/firefox/4173' }, `/home/u${FILE}`],
    ['a name with other characters', { ...SNAP, point: '/snap/Fire fox/1' }, '/snap/Fire fox/1/x'],
  ];
  for (const [what, at, path] of imitations) {
    test(`${what} is no snap`, () => { assert.equal(snapOf(path, at), null); });
  }
});

describe('mounts of users', () => {
  const fuse = mount('91 29 0:53 / /tmp/.mount_Tool\\040x rw,nosuid,nodev,relatime - fuse.Tool Tool.AppImage ro,user_id=1000,group_id=1000');

  test('a FUSE mount is its user\'s, by device and below its mount point', () => {
    assert.equal(fuse.point, '/tmp/.mount_Tool x');
    assert.equal(isUserMount([SNAP, fuse], '/tmp/.mount_Tool x/AppRun', 53, 1000), true);
    assert.equal(isUserMount([fuse], '/tmp/.mount_Tool x/AppRun', 53, 1001), false);
    assert.equal(isUserMount([fuse], '/tmp/.mount_Tool x/AppRun', 54, 1000), false);
    assert.equal(isUserMount([fuse], '/opt/AppRun', 53, 1000), false);
  });

  test('what a user\'s program provides is told from what root mounts', () => {
    assert.equal(isUserProvided(fuse), true);
    assert.equal(isUserProvided({ ...fuse, type: 'fuse' }), true);
    for (const type of ['ext4', 'fuseblk', 'tmpfs', 'nfs4', 'overlay']) assert.equal(isUserProvided({ ...fuse, type }), false);
  });

  test('lines that are none are left out', () => {
    assert.deepEqual(parseMounts('\nnonsense\n1 2\n'), []);
  });
});

describe('the content that a process ran', () => {
  const now = { bootNs: 100_000_000_000n, wallMs: 1_000_000 };
  test('a file that was last changed well before the process began', () => {
    assert.equal(isOlderThan(990_000_000_000n, 95_000_000_000n, now), true);
  });
  test('a file that changed after it, or within one tick of the clock before it, may have held something else', () => {
    assert.equal(isOlderThan(996_000_000_000n, 95_000_000_000n, now), false);
    assert.equal(isOlderThan(994_990_000_000n, 95_000_000_000n, now), false);
  });
  test('a file of this second or the one before can still change unnoticed', () => {
    assert.equal(isSettled(999, now.wallMs), false);
    assert.equal(isSettled(998, now.wallMs), true);
  });
});

describe('paths of packages', () => {
  test('merged folders have one name, others keep theirs', () => {
    const merged = new Set(['bin']);
    assert.equal(canonicalPath('/bin/cat', merged), '/usr/bin/cat');
    assert.equal(canonicalPath('/usr/bin/cat', merged), '/usr/bin/cat');
    assert.equal(canonicalPath('/binary/cat', merged), '/binary/cat');
    assert.deepEqual(namesOf('/usr/bin/cat', merged), ['/usr/bin/cat', '/bin/cat']);
    assert.deepEqual(namesOf('/usr/sbin/x', merged), ['/usr/sbin/x']);
  });

  test('a folder that is not there has no index', async () => {
    await assert.rejects(PathIndex.build('/nonexistent', new Set(), () => Promise.resolve()));
  });
});
