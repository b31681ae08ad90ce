/** The journeys once more under the address and undefined-behaviour sanitizers. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { buildNative } from '../../tools/build-native.ts';
import { finish, searchPath } from '../lab/process.ts';
import { Bed, PEER4, ROOT, missingForBed, sanitizerLibrary } from './support-native/bed.ts';
import type { Host } from './support-native/host-client.ts';
import { answersObeyed, deadlineGivesDefault, decidesWithoutAsking, limitsHold } from './support-native/journey.ts';

const library = sanitizerLibrary();
const missing = missingForBed() ?? (library === null ? 'the compiler has no address sanitizer' : null);

describe('native data path under sanitizers', { skip: missing ?? false }, () => {
  let bed: Bed;

  before(async () => {
    await buildNative({ root: ROOT, sanitize: true, log: () => undefined });
    bed = new Bed(join(ROOT, 'build/native-sanitized/bastion.node'));
    await bed.peer.ready();
  });
  afterEach(() => bed.closeHosts());
  after(() => bed.close());

  async function journey(changes: Parameters<Bed['open']>[0], travel: (bed: Bed, host: Host) => Promise<void>): Promise<void> {
    const host = await bed.open(changes, library);
    await travel(bed, host);
    await host.call({ op: 'close', unpin: true });
    assert.equal(await host.stop(), 0, host.errors);
    assert.doesNotMatch(host.errors, /Sanitizer|runtime error/u);
  }

  test('asks and answers', () => journey({}, answersObeyed));
  test('deadlines', () => journey({ answerDeadlineMs: 300 }, deadlineGivesDefault));
  test('remembered decisions', () => journey({}, decidesWithoutAsking));
  test('limits', () => journey({ maxHeldPerFlow: 3, maxHeldPerUid: 5 }, limitsHold));
  test('a burst of programs that exit at once, closed while packets are held', () => journey({}, async (here, host) => {
    await here.traffic('burst', PEER4, 7, 100, 'tcp-exit');
    await host.nextAsk();
  }));
  test('interfaces that come, change and go by the hundred, also while JavaScript stands still', async () => {
    const some = 'for i in $(seq 100); do echo "address add 10.7.0.$i/32 dev v0"; echo "address del 10.7.0.$i/32 dev v0"; done';
    const steps = [
      ['ip link add v0 type veth peer name v1 && ip link set v1 up && ip link set v0 up && ip address add 192.0.2.7/24 dev v0', 'v0 container up connected: 192.0.2.7/24'],
      [`(${some}; echo "route add default via 192.0.2.1"; echo "link set v0 down"; echo "link set v0 name w0") | ip -batch -`, 'w0 container down'],
      ['ip link delete w0', '!w0'],
    ];
    const program = [process.execPath, join(ROOT, 'test/integration/programs/link-tour.ts'), join(ROOT, 'build/native-sanitized/bastion.node'), JSON.stringify(steps)];
    const child = spawn('unshare', ['-n', 'env', `LD_PRELOAD=${library ?? ''}`, ...program], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, PATH: searchPath(), NODE_TEST_CONTEXT: '', ASAN_OPTIONS: 'detect_leaks=0:exitcode=66', UBSAN_OPTIONS: 'print_stacktrace=1' },
    });
    const done = await finish(child, undefined, 60_000);
    assert.deepEqual([done.status, done.stderr], [0, '']);
  });
  test('the fallback', () => journey({ kernel: null }, async (here, host) => {
    const ended = here.traffic('tcp', PEER4, 7);
    const ask = await host.nextAsk();
    await host.answer({ id: ask.id, verdict: 'accept' });
    assert.equal(await ended, 0);
    await here.traffic('burst', PEER4, 7, 50, 'udp-send');
  }));
});
