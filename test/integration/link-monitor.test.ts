/** The interfaces as the real kernel tells of them, in a network namespace of the test. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ROOT, finish, searchPath, tool } from '../lab/process.ts';
import { mustHold } from '../must-hold.ts';
import { FULL_SIZE, noLab } from './support.ts';
import { sanitizerLibrary } from './support-native/bed.ts';
import type { SceneSeen } from './programs/link-scene.ts';
import type { StartsSeen } from './programs/link-starts.ts';
import type { TourStep } from './programs/link-tour.ts';

const ADDON = join(ROOT, 'build/native/bastion.node');
const BURSTS = FULL_SIZE ? 100 : 20;
const CHANGES = FULL_SIZE ? 10_000 : 1000;
const STARTS = FULL_SIZE ? 1500 : 300;
const SPOILED = FULL_SIZE ? 5_000_000 : 200_000;

async function inNamespace<T>(program: string, ...args: readonly string[]): Promise<T> {
  const command = ['-n', process.execPath, ...process.execArgv.filter((one) => !one.startsWith('--test')), join(ROOT, 'test/integration/programs', program), ADDON, ...args];
  const child = spawn('unshare', command, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, PATH: searchPath(), NODE_TEST_CONTEXT: '' } });
  const done = await finish(child, undefined, 80_000);
  assert.deepEqual([done.status, done.stderr], [0, '']);
  return JSON.parse(done.stdout) as T;
}

async function tour(...steps: readonly TourStep[]): Promise<{ readonly results: readonly (readonly string[])[]; readonly resyncs: number }> {
  return inNamespace('link-tour.ts', JSON.stringify(steps));
}

/** The line of one interface after the last step. */
function lastOf({ results }: { readonly results: readonly (readonly string[])[] }, name: string): string {
  return results.at(-1)?.find((line) => line.startsWith(`${name} `)) ?? '';
}

test('messages that were spoiled at random are read within their bytes, or not at all', async (context) => {
  const folder = join(ROOT, 'build/test');
  mkdirSync(folder, { recursive: true });
  const program = join(folder, `link-messages-${String(process.pid)}`);
  const sources = [join(ROOT, 'test/integration/support-native/link-messages.cpp'), join(ROOT, 'native/src/link_message.cpp')];
  const sanitizers = sanitizerLibrary() === null ? [] : ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined'];
  tool('g++', ['-std=c++20', '-g', '-O1', ...sanitizers, ...sources, '-lmnl', '-o', program]);
  try {
    const done = await finish(spawn(program, [String(SPOILED)], { stdio: ['pipe', 'pipe', 'pipe'] }), undefined, 60_000);
    assert.deepEqual([done.status, done.stderr], [0, '']);
    const [, read = '0', unreadable = '0'] = /^(\d+) read, (\d+) unreadable$/m.exec(done.stdout) ?? [];
    context.diagnostic(done.stdout.trim());
    assert.ok(Number(read) > 0 && Number(unreadable) > 0, done.stdout);
  } finally {
    rmSync(program, { force: true });
  }
});

describe('link monitor', { skip: noLab(), timeout: 90_000 }, () => {
  test('bursts of changes over 50 pairs: every state that was held was one of the kernel’s, and nothing is lost, with a buffer that is too small too', async (context) => {
    const { bursts, neverWere, resyncs, tinyResyncs, kernel, held, tinyHeld } = await inNamespace<SceneSeen>('link-scene.ts', String(BURSTS), String(CHANGES));
    assert.deepEqual(neverWere, []);
    assert.deepEqual(held, kernel);
    assert.deepEqual(tinyHeld, kernel);
    assert.equal(resyncs, 0);
    assert.ok(tinyResyncs > 0, 'the small buffer was never full');
    const behind = bursts.map(({ behindMs }) => behindMs).sort((a, b) => a - b);
    const states = bursts.reduce((sum, burst) => sum + burst.states, 0);
    const [median = 0, longest = 0] = [behind[Math.floor(behind.length / 2)], behind.at(-1)];
    const figure = `behind the last change of a burst: median ${median.toFixed(1)} ms, longest ${longest.toFixed(1)} ms`;
    context.diagnostic(`${figure}; ${String(states)} states, ${String(tinyResyncs)} listings after losses`);
    mustHold({
      id: 'links-bursts', claim: 'interfaces and addresses are the kernel’s after bursts of changes, each state between was one of the kernel’s, and none is lost after an overflow',
      size: `${String(CHANGES)} changes in ${String(BURSTS)} bursts over 50 pairs of interfaces`, undecided: null,
      figures: [figure, `${String(states)} states held between`, `${String(tinyResyncs)} listings after forced overflows`],
    });
  });

  test('while addresses come and go the first that is told is everything; a watch whose socket fails opens another one and reads everything again', async () => {
    const seen = await inNamespace<StartsSeen>('link-starts.ts', String(STARTS));
    assert.deepEqual(seen, { starts: STARTS, partial: 0, afterFailure: ['lo', 'd0', 'd1', 'late0', 'late1'], resyncs: 1, followed: true });
  });

  test('an interface that is renamed, switched off and on, or moved to another namespace is followed', async () => {
    const done = await tour(
      ['ip link add v0 type veth peer name v1 && ip address add 192.0.2.7/24 dev v0 && ip link set v1 up && ip link set v0 up', 'v0 container up connected: 192.0.2.7/24'],
      // The carriers of a pair come one after the other.
      ['true', 'v1 container up connected'],
      ['ip link set v0 down', 'v0 container down: 192.0.2.7/24'],
      ['ip link set v0 name wan0', 'wan0 container down: 192.0.2.7/24'],
      ['ip link set wan0 up', 'wan0 container up connected: 192.0.2.7/24'],
      ['unshare -n sleep 30 & other=$!; while ip link show wan0; do ip link set wan0 netns $other; done 2>/dev/null; kill $other', '!wan0'],
    );
    assert.match(done.results[1]?.join('\n') ?? '', /^v1 container up connected/m);
    assert.equal(lastOf(done, 'wan0'), '');
    assert.equal(done.resyncs, 0);
  });

  test('a port that leaves its bridge is still there', async () => {
    const done = await tour(
      ['ip link add br0 type bridge && ip link add v0 type veth peer name v1 && ip link set v0 master br0 up', 'v0 container up'],
      ['ip link set v0 nomaster && ip address add 192.0.2.8/24 dev v0', '192.0.2.8/24'],
    );
    assert.match(lastOf(done, 'br0'), /^br0 bridge down/);
    assert.match(lastOf(done, 'v0'), /^v0 container up: 192\.0\.2\.8\/24/);
  });

  test('addresses of a time, deprecated ones, those with another end and second ones are told as what they are', async () => {
    const done = await tour(
      ['ip link add d0 type veth peer name d1 && ip link set d1 up && ip link set d0 up', 'd0 container up connected'],
      [`ip address add 192.0.2.7/24 dev d0 valid_lft 1000 preferred_lft 500
        ip address add 192.0.2.8/24 dev d0
        ip address add 10.9.0.1 peer 10.9.0.2/32 dev d0
        ip address add 2001:db8::7/64 dev d0 nodad valid_lft 1000 preferred_lft 0`, '2001:db8::7'],
    );
    const line = lastOf(done, 'd0');
    for (const wanted of ['192.0.2.7/24 dynamic', '192.0.2.8/24,', '10.9.0.1/32,', '2001:db8::7/64 dynamic deprecated']) assert.ok(line.includes(wanted), line);
  });

  test('a default route that comes or goes is told, other routes are not', async () => {
    const routes = Array.from({ length: 50 }, (_, at) => `ip route add 10.8.0.${String(at)}/32 dev v0`).join('; ');
    const done = await tour(
      ['ip link add v0 type veth peer name v1 && ip link set v1 up && ip link set v0 up && ip address add 192.0.2.7/24 dev v0', 'v0 container up connected: 192.0.2.7/24'],
      [`${routes}; ip route add default via 192.0.2.1`, 'default routes changed: 2'],
      ['ip route del default', 'default routes changed: 3'],
    );
    // The first time is the listing.
    assert.deepEqual(done.results.map((lines) => lines.at(-1)), [1, 2, 3].map((count) => `default routes changed: ${String(count)}`));
  });

  test('an address that somebody else on the link has already is none', async () => {
    const done = await tour(
      ['ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up && ip address add 2001:db8::7/64 dev v1 nodad', 'v1 container up connected: 2001:db8::7/64'],
      ['ip address add 2001:db8::7/64 dev v0 && ip address add 2001:db8::8/64 dev v0', 'v0 container up connected: 2001:db8::8/64'],
    );
    assert.ok(!lastOf(done, 'v0').includes('2001:db8::7'), lastOf(done, 'v0'));
  });

  test('more changes than may wait while JavaScript is busy are made good by reading everything again', async () => {
    const many = `i=0; while [ $i -lt 9000 ]; do echo "address add 10.$((i / 250)).$((i % 250)).1/32 dev d0"; echo "address del 10.$((i / 250)).$((i % 250)).1/32 dev d0"; i=$((i + 1)); done`;
    const done = await tour(
      ['ip link add d0 type veth peer name d1 && ip link set d1 up && ip link set d0 up', 'd0 container up connected'],
      [`(${many}; echo "address add 192.0.2.9/24 dev d0") | ip -batch -`, '192.0.2.9/24'],
    );
    assert.match(lastOf(done, 'd0'), /192\.0\.2\.9\/24/);
    assert.doesNotMatch(lastOf(done, 'd0'), / 10\./);
    assert.ok(done.resyncs > 0);
  });
});
