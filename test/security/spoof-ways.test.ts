/** Tricks with parents, with sockets of the allowed program, with names and with the way out. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { RuleEdit } from '../../helper/contract/types.ts';
import { NameLab } from '../integration/support-names.ts';
import { copyInto, noLab, until } from '../integration/support.ts';
import { OBSERVED_MS, observe } from '../leaks/support.ts';
import { SpoofBed } from './support-spoof.ts';
import type { Trick } from './support-spoof.ts';

const PARENTS: readonly Trick[] = [
  ['the parent becomes the allowed program after the fork', 'sh -c \'$I wait $W/go1 $TO $PORT $TAG & exec $V wait $W/go1 127.0.0.1 9 x\' & ready $W/go1 2; touch $W/go1; wait'],
  ['an orphan is adopted by a subreaper that has become the allowed program', '$I adopted $V $W/go2 $I $S & sleep 1; touch $W/go2; wait'],
  ['the parent has the allowed program\'s name and arguments', 'cp $I $W/victim; bash -c \'exec -a $V $W/victim child $I $S\''],
  ['the parent is the allowed path in a mount namespace of its own', 'unshare -Urm sh -ec \'cp $I $W/inner; mount --bind $I $V; exec $V child $W/inner $S\''],
  ['the allowed program is a child, not the parent', '$I child $V send 127.0.0.1 9 x; $I $S'],
];

describe('a rule for what a program started', { skip: noLab() }, () => {
  for (const key of ['ancestor', 'include_children'] as const) {
    test(`(${key}) is for what the kernel saw it start, whoever is the parent later`, async () => {
      await using bed = await SpoofBed.create();
      bed.env['TOOL'] = copyInto(bed.lab, bed.victim, 'tool');
      await bed.allow(key === 'ancestor' ? { ancestor: `path:${bed.victim}` } : { path: bed.victim, include_children: true });
      await bed.withstands(PARENTS, '$V child $TOOL $S');
    });
  }
});

const SOCKETS: readonly Trick[] = [
  ['a connected socket is inherited over exec', '$V give exec $TO $PORT $TAG $I'],
  ['a connected socket is passed on', '$V give pass $TO $PORT $TAG $I'],
];

describe('a socket of the allowed program', { skip: noLab() }, () => {
  const kinds: readonly (readonly [string, (victim: string) => RuleEdit])[] = [
    ['path', (path) => ({ path })],
    ['hash', (path) => ({ sha256: createHash('sha256').update(readFileSync(path)).digest('hex') })],
    ['path and interface', (path) => ({ path, interface: 'eth0' })],
    ['path and time', (path) => ({ path, schedule: 'mon-sun 00:00-24:00' })],
  ];
  for (const [kind, rule] of kinds) {
    test(`gives nobody else what a rule by ${kind} allows`, async () => {
      await using bed = await SpoofBed.create({ distinct: true });
      await bed.allow(rule(bed.victim));
      await bed.withstands(SOCKETS);
    });
  }
});

describe('a rule for an interface', { skip: noLab() }, () => {
  test('is not for what only says that it leaves there', async () => {
    await using bed = await SpoofBed.create();
    const made = await bed.lab.run(['sh', '-ec', 'ip link add other0 type veth peer name other1; ip link set other0 up; ip link set other1 up; ip address add 10.99.0.2/24 dev other0'], { as: 'root' });
    assert.equal(made.status, 0, made.stderr);
    await bed.allow({ interface: 'other0' });
    await bed.fails(['the source address is the other interface\'s', '$I bound 10.99.0.2 $TO $PORT $TAG']);
    // The first datagram of the socket leaves that way and is allowed, the next one does not leave that way.
    const intruder = copyInto(bed.lab, bed.victim, 'mover');
    await bed.lab.peer.watch();
    const said = await bed.script(`${intruder} moved other0 $TO $PORT $TAG`, 3000, 'moved');
    await until('the first datagram', () => bed.flows(3000));
    await observe(OBSERVED_MS);
    assert.equal((await bed.lab.peer.counts()).of('tag/moved'), 0, said);
  });
});

describe('a rule for a name', { skip: noLab() }, () => {
  test('is for what this program asked for, and for the address that it was told', async () => {
    const names = await NameLab.create({ lab: { defaultAction: 'deny' } });
    try {
      const [allowed, other] = [await names.curl('allowed', true), await names.curl('other', true)];
      await names.client.addRule({ id: 'by-name', action: 'allow', path: allowed, domain: 'four.lab.test' });
      await names.lab.peer.watch();
      await names.get(other, 'http://four.lab.test/');
      const address = `http://${names.lab.peer4}/`;
      assert.notEqual((await names.get(allowed, address)).status, 0, 'another program asked for the name');
      assert.equal((await names.lab.peer.counts()).of('syn/80'), 0);
      assert.equal((await names.get(allowed, 'http://four.lab.test/')).status, 0);
      await names.lab.peer.watch();
      assert.notEqual((await names.get(allowed, 'http://198.18.0.9/')).status, 0, 'another address than the name\'s');
      assert.notEqual((await names.get(other, address)).status, 0, 'the allowed program asked, and another one connects');
      assert.notEqual((await names.get(allowed, 'http://alias.lab.test/')).status, 0, 'the same address by another name, asked for last');
      assert.equal((await names.lab.peer.counts()).of('syn/80'), 0);
      assert.equal((await names.get(allowed, 'http://four.lab.test/')).status, 0);
    } finally {
      await names.dispose();
    }
  });
});
