/** While no helper runs: what passes and what does not, by `on_failure` and mode, with netfilter's rules and without. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Lab } from '../lab/lab.ts';
import type { LabOptions } from '../lab/lab.ts';
import { clientOf, copyInto, noLab, until } from '../integration/support.ts';
import { Traffic, flushRules, trafficProgram } from './support.ts';

const TRIES = 100;
/** A receiver thread counts as away after 3 s without a turn. */
const AWAY_LIMIT_MS = 20_000;
const TIMEOUT_MS = '20';
const NETFILTER = ['its rules in place', 'emptied'] as const;

interface Case {
  readonly name: string;
  readonly options: LabOptions;
  readonly undecided: 'drop' | 'pass';
}

const CASES: readonly Case[] = [
  { name: 'on_failure closed', options: {}, undecided: 'drop' },
  { name: 'on_failure closed, default_action deny', options: { defaultAction: 'deny' }, undecided: 'drop' },
  { name: 'on_failure open', options: { settings: 'on_failure = "open"\n' }, undecided: 'pass' },
  { name: 'learning', options: { mode: 'learning' }, undecided: 'pass' },
];

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  describe(`no helper, after ${signal}`, { skip: noLab() }, () => {
    for (const { name, options, undecided } of CASES) {
      for (const netfilter of NETFILTER) {
        test(`${name}, netfilter ${netfilter}: undecided is ${undecided === 'drop' ? 'dropped' : 'passed'}, decided is as decided`, async (t) => {
          await using lab = await Lab.create(options);
          const client = clientOf(lab);
          t.after(() => { client.close(); });
          const [allowed = '', denied = '', stranger = ''] = ['allowed', 'denied', 'stranger'].map((copy) => copyInto(lab, trafficProgram(), copy));
          await client.addRule({ action: 'allow', path: allowed });
          await client.addRule({ action: 'deny', path: denied });
          const decided = await Promise.all([
            Traffic.start(lab, [allowed, 'connect', lab.peer4, '7', '1500']),
            Traffic.start(lab, [allowed, 'datagrams', lab.peer6, '7', 'lab-tag:allowed;']),
          ]);
          const refused = await Promise.all([
            Traffic.attempt(lab, [denied, 'connect', lab.peer4, '80', TIMEOUT_MS]),
            Traffic.attempt(lab, [denied, 'anew', lab.peer6, '7', 'lab-tag:denied;']),
          ]);
          for (const traffic of refused) await traffic.total('refused', 1, 10_000);
          await lab.peer.watch();
          await lab.stopHelper(signal);
          if (netfilter === 'emptied') await flushRules(lab);
          const others = await Promise.all([
            Traffic.attempt(lab, [stranger, 'connect', lab.peer4, '443', TIMEOUT_MS]),
            Traffic.attempt(lab, [stranger, 'anew', lab.peer6, '7', 'lab-tag:stranger;']),
          ]);
          if (undecided === 'pass') {
            await until('what nobody decided', async () => {
              const counts = await lab.peer.counts();
              return counts.of('syn/443') > 0 && counts.of('tag/stranger') > 0 ? true : null;
            }, AWAY_LIMIT_MS);
          }
          for (const traffic of [...others, ...refused]) await traffic.total('sent', TRIES, 30_000);
          const counts = await lab.peer.counts();
          assert.deepEqual([counts.lost, counts.of('tag/denied'), counts.of('tcp/80')], [0, 0, 0]);
          if (undecided === 'drop') assert.deepEqual([counts.of('tag/stranger'), counts.of('tcp/443')], [0, 0]);
          for (const traffic of decided) {
            await traffic.read();
            const line = await traffic.total('received', TRIES, 30_000);
            assert.equal(line.refused, 0);
          }
          await Promise.all([...decided, ...refused, ...others].map((traffic) => traffic.end()));
        });
      }
    }
  });
}
