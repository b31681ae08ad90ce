/** What the netfilter adapter leaves in the tables, whatever it found there. Both backends, IPv4 and IPv6. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { RulesetSpec } from '../../helper/ports.ts';
import { Lab } from '../lab/lab.ts';
import { RulesetClient, RulesetError } from '../lab/ruleset-client.ts';
import type { Backend } from '../lab/ruleset-client.ts';
import { missingRights } from '../lab/user-namespace.ts';

const SPEC: RulesetSpec = { queueNumber: 5, bypass: false, refuseMark: 0x2000, xtPrograms: null };
const ABSENT = { allow: '/nonexistent/allow', refuse: '/nonexistent/refuse', hold: '/nonexistent/hold', reply: '/nonexistent/reply' };
const BACKENDS: readonly Backend[] = ['iptables-nft', 'iptables-legacy'];

/** Rules of somebody else that a set of ours must never touch. */
const FOREIGN = [
  '-t filter -N DOCKER-USER',
  '-t filter -A DOCKER-USER -j RETURN',
  '-t filter -A OUTPUT -p udp --dport 9999 -j DROP',
  '-t filter -A OUTPUT -j NFQUEUE --queue-num 12',
  '-t mangle -A OUTPUT -j MARK --set-xmark 0x40/0x40',
  '-t mangle -A POSTROUTING -p tcp -m comment --comment named_BASTION_HOLD -j ACCEPT',
];

/** What Bastion Firewall 2 put into filter OUTPUT. */
const VERSION_2 = [
  '-t filter -N BASTION_BYPASS',
  '-t filter -A BASTION_BYPASS -j ACCEPT',
  '-t filter -I OUTPUT 1 -m conntrack --ctstate NEW -j NFQUEUE --queue-num 1 --queue-bypass',
  '-t filter -I OUTPUT 1 -m owner --uid-owner 0 -m comment --comment BASTION_BYPASS -j ACCEPT',
  '-t filter -I OUTPUT 1 -j BASTION_BYPASS',
];

/** Damage, and what `check` says of it. */
const SABOTAGE: readonly { readonly name: string; readonly changes: readonly string[]; readonly says: RegExp }[] = [
  { name: 'a second jump', changes: ['-t mangle -A OUTPUT -j BASTION_HOLD'], says: /2 rules lead to BASTION_HOLD/u },
  { name: 'a missing jump', changes: ['-t mangle -D OUTPUT -j BASTION_HOLD'], says: /OUTPUT does not lead to BASTION_HOLD/u },
  { name: 'a jump from elsewhere', changes: ['-t mangle -A FORWARD -j BASTION_BELT'], says: /2 rules lead to BASTION_BELT/u },
  { name: 'an emptied chain', changes: ['-t mangle -F BASTION_HOLD'], says: /BASTION_HOLD has 0 rules instead of \d+/u },
  { name: 'an added rule', changes: ['-t mangle -I BASTION_HOLD 1 -j ACCEPT'], says: /BASTION_HOLD has \d+ rules instead of/u },
  {
    name: 'a replaced rule', changes: ['-t mangle -R BASTION_BELT 1 -m mark --mark 0x1/0x1 -j DROP'],
    says: /rule 1 of chain BASTION_BELT was changed/u,
  },
  { name: 'an opening rule before ours', changes: ['-t mangle -I OUTPUT 1 -j ACCEPT'], says: /another rule of OUTPUT comes before BASTION_HOLD/u },
  { name: 'flushed tables', changes: ['-t mangle -F', '-t mangle -X', '-t filter -F', '-t filter -X'], says: /chain BASTION_HOLD is missing/u },
  { name: 'half a set', changes: ['-t filter -F OUTPUT', '-t filter -F BASTION_REFUSE', '-t filter -X BASTION_REFUSE'], says: /BASTION_REFUSE is missing/u },
  { name: 'a chain too many', changes: ['-t mangle -N BASTION_OTHER', '-t mangle -A OUTPUT -j BASTION_OTHER'], says: /BASTION_OTHER is superfluous/u },
  { name: 'what version 2 left', changes: VERSION_2, says: /OUTPUT has a rule of Bastion Firewall 2/u },
];

const missing = missingRights();
const skip = missing === null ? false : `needs network namespaces: ${missing}`;

for (const backend of BACKENDS) {
  describe(backend, { skip }, () => {
    let lab: Lab;
    let rules: RulesetClient;
    let clean: string;
    let whole: string;

    before(async () => {
      lab = await Lab.create({ startHelper: false });
      rules = new RulesetClient(lab);
      await rules.change(backend, ...FOREIGN);
      clean = await rules.listing(backend);
      await rules.apply(backend, SPEC);
      whole = await rules.listing(backend);
    });
    after(async () => {
      await rules.close();
      await lab.dispose();
    });

    test('apply: keeps every rule of others, in its order', () => {
      const others = whole.split('\n').filter((line) => !/^:BASTION_|^-A BASTION_|-j BASTION_/u.test(line));
      assert.deepEqual(others, clean.split('\n'));
    });

    test('apply: ten times leaves what once leaves', async () => {
      for (let round = 0; round < 10; round += 1) await rules.apply(backend, SPEC);
      assert.equal(await rules.listing(backend), whole);
      assert.deepEqual(await rules.check(backend), { intact: true, detail: `one set of rules in ${backend}` });
    });

    for (const { name, changes, says } of SABOTAGE) {
      test(`apply: leaves exactly one set after ${name}, and check names the damage before`, async () => {
        await rules.change(backend, ...changes);
        const found = await rules.check(backend);
        assert.equal(found.intact, false);
        assert.match(found.detail, says);
        await rules.apply(backend, SPEC);
        const listing = await rules.listing(backend);
        const ours = (text: string): string[] => text.split('\n').filter((line) => /BASTION_(?!HOLD -j ACCEPT)|queue-num 1\b/u.test(line));
        assert.deepEqual(ours(listing), ours(whole));
        await restoreForeign(name, listing);
      });
    }

    /** Damage that took away or added rules of others is undone by hand: the adapter must not. */
    async function restoreForeign(name: string, listing: string): Promise<void> {
      if (name === 'an opening rule before ours') await rules.change(backend, '-t mangle -D OUTPUT -j ACCEPT');
      else if (name === 'flushed tables') await rules.change(backend, ...FOREIGN);
      else if (name === 'half a set') await rules.change(backend, ...FOREIGN.slice(2, 4));
      else assert.equal(listing, whole);
    }

    for (const { name, changes } of SABOTAGE) {
      test(`mend: puts back what ${name} took, says what it was, and finds nothing the second time`, async () => {
        await rules.change(backend, ...changes);
        const { mended, detail } = await rules.mend(backend);
        assert.equal(mended, true);
        assert.match(detail, /^IPv4 .*; IPv6 /u);
        assert.equal((await rules.check(backend)).intact, true);
        assert.deepEqual(await rules.mend(backend), { mended: false, detail: '' });
        await restoreForeign(name, await rules.listing(backend));
      });
    }

    test('check: a harmless rule of others before ours is no fault', async () => {
      await rules.change(backend, '-t mangle -I OUTPUT 1 -j CONNMARK --save-mark');
      assert.equal((await rules.check(backend)).intact, true);
      await rules.change(backend, '-t mangle -D OUTPUT -j CONNMARK --save-mark');
    });

    test('apply: refuses what could smuggle text into the rules', async () => {
      const xtPrograms = { ...ABSENT, allow: '/sys/fs/bpf/a\n-A OUTPUT -j ACCEPT' };
      await assert.rejects(rules.apply(backend, { ...SPEC, xtPrograms }), new RulesetError('InvalidArgument', 'The path of a pinned program is not usable in a rule.'));
      assert.equal(await rules.listing(backend), whole);
    });

    test('apply: a program that is not pinned leaves the rules as they were, and the error names the tool', async () => {
      await assert.rejects(rules.apply(backend, { ...SPEC, xtPrograms: ABSENT }), { code: 'Failed', message: /rules could not be put in place/u });
      assert.equal(await rules.listing(backend), whole);
    });

    test('apply: takes away the set that the other backend holds', async () => {
      const other = BACKENDS.find((one) => one !== backend) ?? backend;
      await rules.apply(other, SPEC);
      assert.doesNotMatch(await rules.listing(backend), /^:BASTION_|-j BASTION_/mu);
      await rules.apply(backend, SPEC);
      assert.doesNotMatch(await rules.listing(other), /BASTION/u);
    });

    test('remove: leaves nothing of ours or of version 2, and everything of others, also the second time', async () => {
      await rules.change(backend, ...VERSION_2);
      await rules.remove(backend);
      const removed = await rules.listing(backend);
      assert.deepEqual(removed.split('\n').sort(), clean.split('\n').sort());
      await rules.remove(backend);
      assert.equal(await rules.listing(backend), removed);
      assert.equal((await rules.check(backend)).intact, false);
    });
  });
}
