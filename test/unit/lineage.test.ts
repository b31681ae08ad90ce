/** Who started a program, as prompts and flows have it; and what a path meant when it was given. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { recordedPath } from '../../helper/contract/recorded-path.ts';
import type { Attribution } from '../../helper/contract/vocabulary.ts';
import { Lineage } from '../../helper/engine/lineage.ts';
import type { ProcessRecord, RecordedImage } from '../../helper/ports.ts';
import { owner } from './prompt-support.ts';

const SHELL = { pid: 7, path: '/usr/bin/sh', command: 'sh' };

function image(changes: Partial<RecordedImage>): RecordedImage {
  return {
    pid: 7, startNs: 7n, executable: { device: 1, inode: 7n, generation: 0, ctimeSec: 1 }, path: '/usr/bin/sh', command: 'sh', adopted: false,
    exec: null, ...changes,
  };
}

/** Time that moves when told, and how often was asked. */
class Rig {
  ns = 0n;
  asked = 0;
  record: ProcessRecord | null;

  constructor(record: ProcessRecord | null) {
    this.record = record;
  }

  lineage(): Lineage {
    return new Lineage({
      clock: { bootNs: () => this.ns },
      processes: { ancestors: () => [{ pid: 1, path: '/sbin/init', command: 'init' }] },
      records: {
        get: () => {
          this.asked += 1;
          return this.record;
        },
      },
    });
  }
}

function attribution(changes: Partial<Attribution> = {}): Attribution {
  return {
    owner: owner(), identity: { path: '/usr/bin/curl' }, claimedPath: null, evidence: 'kernel', confidence: 'certain', ancestors: [],
    ...changes,
  };
}

describe('lineage', () => {
  test('the kernel\'s record goes before /proc, and rules may name only what has a path', () => {
    const rig = new Rig({ image: null, ancestors: [image({}), image({ pid: 8, path: null, command: 'gone' })], complete: true });
    const { ancestors, lineage } = rig.lineage().attribute(attribution());
    assert.equal(lineage, 'kernel');
    assert.deepEqual(ancestors, [{ ...SHELL, identity: { path: '/usr/bin/sh' } }, { pid: 8, path: null, command: 'gone' }]);
  });

  test('an empty record is the kernel\'s word that nobody is above; /proc is not asked', () => {
    const rig = new Rig({ image: null, ancestors: [], complete: true });
    assert.deepEqual(rig.lineage().of(owner()), { ancestors: [], lineage: 'kernel' });
  });

  test('without a record it is /proc, without an identity that a rule could name', () => {
    const { ancestors, lineage } = new Rig(null).lineage().attribute(attribution());
    assert.equal(lineage, 'procfs');
    assert.deepEqual(ancestors, [{ pid: 1, path: '/sbin/init', command: 'init' }]);
  });

  test('nobody is above the kernel, and above what is forwarded', () => {
    const lineage = new Rig({ image: null, ancestors: [image({})], complete: true }).lineage();
    for (const nobody of [owner({ pid: 0 }), owner({ forwardedFrom: 'a container' })]) {
      assert.deepEqual(lineage.of(nobody), { ancestors: [] });
    }
    assert.deepEqual(lineage.attribute(attribution({ owner: null })).ancestors, []);
  });

  test('a process is looked at once a second, and its next program anew', () => {
    const rig = new Rig({ image: null, ancestors: [image({})], complete: true });
    const lineage = rig.lineage();
    for (let flow = 0; flow < 5; flow += 1) lineage.of(owner());
    assert.equal(rig.asked, 1);
    lineage.of(owner({ executable: { device: 1, inode: 99n, generation: 0, ctimeSec: 1 } }));
    assert.equal(rig.asked, 2);
    rig.ns = 1_000_000_000n;
    lineage.of(owner());
    assert.equal(rig.asked, 3);
  });

  test('more processes than are remembered: the oldest is looked at again', () => {
    const rig = new Rig({ image: null, ancestors: [], complete: true });
    const lineage = rig.lineage();
    for (let pid = 1; pid <= 257; pid += 1) lineage.of(owner({ pid }));
    lineage.of(owner({ pid: 257 }));
    assert.equal(rig.asked, 257);
    lineage.of(owner({ pid: 1 }));
    assert.equal(rig.asked, 258);
  });
});

describe('a path as it was given', () => {
  const cases: readonly (readonly [given: string, directory: string | null, path: string | null])[] = [
    ['/usr/bin/job', null, '/usr/bin/job'],
    ['//usr/./bin//job', '/', '/usr/bin/job'],
    ['job.py', '/home/u', '/home/u/job.py'],
    ['./a/job.py', '/home/u', '/home/u/a/job.py'],
    ['../../job.py', '/home/u', '/job.py'],
    ['../../../job.py', '/home/u', '/job.py'],
    ['job.py', '/', '/job.py'],
    ['job.py', null, null],
    ['', '/home/u', null],
    // What stands before the two points may have been a link.
    ['/home/link/../job.py', null, null],
    ['link/../job.py', '/home/u', null],
    ['../link/../job.py', '/home/u', null],
    // Another file for each process that asks.
    ['/proc/self/fd/3', null, null],
    ['/dev/fd/3', null, null],
    ['fd/3', '/proc/self', null],
    ['a\0b', '/', null],
  ];
  for (const [given, directory, path] of cases) {
    test(`${JSON.stringify(given)} from ${directory ?? 'nowhere'} is ${path ?? 'not known'}`, () => {
      assert.equal(recordedPath(given, directory), path);
    });
  }
});
