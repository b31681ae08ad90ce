/** Every way that a program can send, in every state in which it may not: nothing arrives. Counted at the peer. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HelperClient } from '../../helper/contract/client.ts';
import type { PeerCounts } from '../lab/lab.ts';
import { Lab } from '../lab/lab.ts';
import { clientOf, copyInto, noLab, program, promptFor, rested, until } from '../integration/support.ts';
import { flushLoop, flushRules } from '../leaks/support.ts';

/** Ways whose first packets carry no text: counted by their port, which nobody else connects to. */
const STREAMS = new Set([
  'stream4', 'stream6', 'multipath', 'inherited-stream', 'fast-open', 'ring-connect', 'ring-worker-connect', 'ring-thread-connect',
  'header-syn', 'bare-reset',
]);
/** Ways that a kernel may lack, with what it says then. */
const OPTIONAL = new Map([
  ['udplite', 'EPROTONOSUPPORT'], ['udplite6', 'EPROTONOSUPPORT'], ['multipath', 'EPROTONOSUPPORT'],
  ...['connect', 'worker-connect', 'thread-connect', 'send', 'sendmsg', 'worker', 'thread'].flatMap((name) =>
    (['ENOSYS', 'EPERM'] as const).map((error) => [`ring-${name}`, error] as const)),
]);
/** A part of a datagram that nobody can tell the flow of: dropped in every state. */
const NEVER = new Set(['later-fragment4', 'later-fragment6']);
/** Way N of a set sends to the set's first port + N. */
const SETS = [
  { program: 'leak', what: 'try', as: 'user', firstPort: 21_000 },
  { program: 'ways', what: 'try', as: 'user', firstPort: 21_100 },
  { program: 'ways', what: 'root', as: 'root', firstPort: 21_200 },
] as const;
type WaySet = typeof SETS[number];

interface Way {
  readonly name: string;
  readonly port: number;
}

const STATES = [
  { state: 'no rule', defaultAction: 'deny' },
  { state: 'denied', defaultAction: 'deny' },
  { state: 'prompt open', defaultAction: 'ask' },
  { state: 'helper standing still', defaultAction: 'ask' },
  { state: 'helper killed', defaultAction: 'ask' },
  { state: 'helper stopped', defaultAction: 'ask' },
  { state: 'netfilter emptied in a loop', defaultAction: 'ask' },
  { state: 'helper killed, netfilter emptied', defaultAction: 'ask' },
  { state: 'denied, helper killed, netfilter emptied', defaultAction: 'ask' },
] as const;
type State = typeof STATES[number]['state'];

/** Every way of one set once; those that the kernel lacks are left out. */
async function attempt(lab: Lab, set: WaySet, sender: string, lender: string, tag: string): Promise<Way[]> {
  const more = set.program === 'leak' ? [lender] : [];
  const words = [sender, set.what, lab.peer4, lab.peer6, String(set.firstPort), tag, ...more];
  const { stdout, status, stderr } = await lab.run(words, { as: set.as });
  assert.equal(status, 0, stderr);
  return stdout.trim().split('\n').flatMap((line, index) => {
    const [name = '', said = ''] = line.split(' ');
    return OPTIONAL.get(name) === said ? [] : [{ name, port: set.firstPort + index }];
  });
}

function arrived(counts: PeerCounts, { name, port }: Way, tag: string): number {
  if (STREAMS.has(name)) return counts.of(`tcp/${String(port)}`) + counts.of(`tcp6/${String(port)}`);
  return counts.of(`tag/${tag}-${name}`);
}

/** Waits until a datagram of the lender has arrived that was sent after all others: the queue keeps their order. */
async function settle(lab: Lab, lender: string): Promise<PeerCounts> {
  const tag = 'last';
  return until('the last datagram', async () => {
    await lab.run([lender, 'lend', 'alone', lab.peer4, '7', lender, `lab-tag:${tag};`]);
    const counts = await lab.peer.counts();
    return counts.of(`tag/${tag}`) > 0 ? counts : null;
  });
}

/** Brings about what the intruder shall not pass; the result undoes what outlives the lab. */
async function bring(lab: Lab, client: HelperClient, state: State, set: WaySet, programs: { intruder: string; lender: string }): Promise<() => Promise<void>> {
  const { intruder, lender } = programs;
  if (state.startsWith('denied')) await client.addRule({ action: 'deny', path: intruder });
  if (state === 'prompt open' || state.startsWith('denied, ')) await attempt(lab, set, intruder, lender, 'first');
  if (state === 'prompt open') await promptFor(client, intruder);
  if (state === 'helper stopped') await lab.stopHelper('SIGTERM');
  if (state.includes('helper killed')) await lab.stopHelper('SIGKILL');
  if (state.endsWith('netfilter emptied')) await flushRules(lab);
  if (state === 'helper standing still') {
    process.kill(lab.helperPid, 'SIGSTOP');
    return () => Promise.resolve(void process.kill(lab.helperPid, 'SIGCONT'));
  }
  if (state !== 'netfilter emptied in a loop') return () => Promise.resolve();
  const flushing = await flushLoop(lab);
  return async () => void await flushing.end();
}

for (const set of SETS) {
  describe(`an intruder that tries every way to send (${set.program} ${set.what})`, { skip: noLab() }, () => {
    test('when it is allowed, every way arrives: the other counts mean something', async () => {
      await using lab = await Lab.create({ defaultAction: 'allow' });
      const lender = copyInto(lab, program('leak'), 'lender');
      // Two programs on one tuple would be taken for nobody, so the set with a lender is its own.
      const sender = set === SETS[0] ? lender : copyInto(lab, program(set.program), 'sender');
      await lab.peer.watch();
      // Again and again: what netfilter lets pass for others' sake is asked about when the gate has dropped one, and a program that
      // was just made is looked at again for two seconds.
      await until('every way', async () => {
        const ways = await attempt(lab, set, sender, lender, 'lent');
        const counts = await settle(lab, lender);
        assert.equal(counts.lost, 0);
        return ways.every((way) => NEVER.has(way.name) || arrived(counts, way, 'lent') > 0) ? true : null;
      }, 60_000);
    });

    for (const { state, defaultAction } of STATES) {
      test(`${state}: nothing arrives, also not by the permission of another program`, async () => {
        await using lab = await Lab.create({ defaultAction });
        const client = clientOf(lab);
        let undo = (): Promise<void> => Promise.resolve();
        try {
          const intruder = copyInto(lab, program(set.program), 'intruder');
          const lender = copyInto(lab, program('leak'), 'lender');
          await client.addRule({ action: 'allow', path: lender });
          // From here on the kernel remembers what the lender may do, because its file is no new one.
          await rested(lender);
          await lab.peer.watch();
          const lent = await attempt(lab, SETS[0], lender, lender, 'lent');
          // Its connections, held while its program is looked at for the first time, go to the ports that are counted below.
          await until('the connections of the lender', async () => {
            const counts = await settle(lab, lender);
            return lent.every((way) => !/stream|multipath|fast-open/u.test(way.name) || arrived(counts, way, 'lent') > 0) ? true : null;
          });
          undo = await bring(lab, client, state, set, { intruder, lender });
          await lab.peer.watch();
          const ways = await attempt(lab, set, intruder, lender, 'leak');
          const counts = await settle(lab, lender);
          assert.equal(counts.lost, 0);
          assert.deepEqual(ways.filter((way) => arrived(counts, way, 'leak') > 0), []);
        } finally {
          await undo();
          client.close();
        }
      });
    }
  });
}
