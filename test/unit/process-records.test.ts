/** What is remembered of a process for a second, and what is not. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RememberedRecords } from '../../helper/adapters/process-records.ts';
import type { ExecutableId } from '../../helper/contract/vocabulary.ts';
import type { NativeProcessRecord } from '../../native/binding.ts';

const CURL: ExecutableId = { device: 1, inode: 100n, generation: 0, ctimeSec: 1 };
const WGET: ExecutableId = { ...CURL, inode: 200n };

/** A kernel with one process, and how often it was asked for all of its record. */
class Kernel {
  image: string | null = '1/7';
  path: string | null = '/usr/bin/curl';
  nowNs = 0n;
  asked = 0;
  readonly records = new RememberedRecords(
    { processImage: () => this.image, processRecord: (_pid, _startNs, ran) => this.#record(ran) }, { matches: () => true }, () => this.nowNs,
  );

  #record(ran: ExecutableId | undefined): NativeProcessRecord {
    this.asked += 1;
    const path = ran?.inode === WGET.inode ? '/usr/bin/wget' : this.path;
    const image = { pid: 7, startNs: 5n, executable: ran ?? CURL, path, command: 'x', adopted: true, exec: null };
    return { image, ancestors: [image], complete: true };
  }

  /** The path of the program, by its record. */
  program(ran?: ExecutableId, pid = 7): string | null | undefined {
    return this.records.get(pid, 5n, ran)?.image?.path;
  }
}

describe('records of processes', () => {
  test('what is asked again within a second is remembered, and looked at again after it', () => {
    const kernel = new Kernel();
    assert.deepEqual([kernel.program(), kernel.program(), kernel.asked], ['/usr/bin/curl', '/usr/bin/curl', 1]);
    kernel.path = '/usr/bin/moved';
    kernel.nowNs = 999_999_999n;
    assert.equal(kernel.program(), '/usr/bin/curl');
    kernel.nowNs = 1_000_000_000n;
    assert.deepEqual([kernel.program(), kernel.asked], ['/usr/bin/moved', 2]);
  });

  test('an exec is seen at once, also of the same program, and so is the end of the process', () => {
    const kernel = new Kernel();
    kernel.program();
    kernel.image = '2/7';
    kernel.path = '/usr/bin/other';
    assert.equal(kernel.program(), '/usr/bin/other');
    // An exec that there was no room to record.
    kernel.image = '2/7?';
    kernel.path = '/usr/bin/third';
    assert.equal(kernel.program(), '/usr/bin/third');
    kernel.image = null;
    assert.equal(kernel.records.get(7, 5n), null);
  });

  test('another program that the process ran, and another process, have records of their own', () => {
    const kernel = new Kernel();
    assert.deepEqual([kernel.program(), kernel.program(WGET), kernel.program(CURL), kernel.program(WGET)], ['/usr/bin/curl', '/usr/bin/wget', '/usr/bin/curl', '/usr/bin/wget']);
    kernel.program(undefined, 8);
    assert.equal(kernel.asked, 4);
  });

  test('what is not known yet is asked for each time', () => {
    const kernel = new Kernel();
    kernel.path = null;
    assert.equal(kernel.program(), null);
    kernel.path = '/usr/bin/curl';
    assert.equal(kernel.program(), '/usr/bin/curl');
  });

  test('processes without end take no more room than the limit', () => {
    const kernel = new Kernel();
    for (let pid = 0; pid <= 1024; pid += 1) kernel.program(undefined, pid);
    kernel.program(undefined, 1024);
    assert.equal(kernel.asked, 1025);
    kernel.program(undefined, 0);
    assert.equal(kernel.asked, 1026);
  });
});
