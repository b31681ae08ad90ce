/** The closed base rules are made of the helper's own exceptions: one that is added here and not there is found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closedIptables, closedNft } from '../../helper/adapters/netfilter/boot-rules.ts';
import { BUILT_IN, rulesOf } from '../../helper/adapters/netfilter/rules.ts';

/** The fallback's rules: they know nothing of programs either. */
function helperRules(family: 4 | 6): readonly string[] {
  const spec = { queueNumber: 1, bypass: false, refuseMark: 0x1000, xtPrograms: null };
  return rulesOf(family, spec, ['0-4294967294'])[0]?.chains[0]?.rules ?? [];
}

test('boot rules: iptables lets pass what the helper\'s own rules let pass, and only that', () => {
  for (const family of [4, 6] as const) {
    const passing = (lines: readonly string[]): readonly string[] => lines.filter((line) => line.includes('--comment "bastion: ')).sort();
    const ours = closedIptables(family).split('\n').map((line) => line.replace(/^-A BASTION_BOOT /u, ''));
    assert.deepEqual(passing(ours), passing(helperRules(family)));
    assert.equal(ours.filter((line) => line.endsWith('-j DROP')).length, 1);
  }
});

test('boot rules: nft names every built-in exception of outgoing packets, and drops the rest', () => {
  const text = closedNft();
  for (const { id } of BUILT_IN) assert.equal(text.includes(id), !/^(?:forwarded|inbound)-/u.test(id), id);
  const addresses = (source: string): readonly string[] => [...new Set(source.match(/(?<![\w.:])(?:\d+\.\d+\.\d+\.\d+(?:\/\d+)?|(?:fe80|ff02)::[\w:]*(?:\/\d+)?)/gu))].sort();
  const helper = [...helperRules(4), ...helperRules(6)].join('\n');
  assert.deepEqual(addresses(text), addresses(helper));
  assert.match(text, /policy drop/u);
});
