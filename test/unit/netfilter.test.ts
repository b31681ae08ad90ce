import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkSpec, mappedUidRanges, rulesOf } from '../../helper/adapters/netfilter/rules.ts';
import { isLeftOver, parseSaved, tableOf, tokenize } from '../../helper/adapters/netfilter/saved.ts';
import { faults, transaction } from '../../helper/adapters/netfilter/transaction.ts';
import type { RulesetSpec } from '../../helper/ports.ts';

const SPEC: RulesetSpec = {
  queueNumber: 1, bypass: false, refuseMark: 0x1000, xtPrograms: { allow: '/sys/fs/bpf/b/allow', refuse: '/sys/fs/bpf/b/refuse' },
};
const UIDS = ['0-4294967294'];

function hold(spec: RulesetSpec, family: 4 | 6 = 4): readonly string[] {
  return rulesOf(family, spec, UIDS)[0]?.chains[0]?.rules ?? [];
}

test('tokenize: quoted comments with blanks, quotes and targets in them stay one word', () => {
  assert.deepEqual(
    tokenize(String.raw`-m comment --comment "a -j BASTION_HOLD \"b\" \\" -j ACCEPT`),
    ['-m', 'comment', '--comment', String.raw`a -j BASTION_HOLD "b" \ `.trimEnd(), '-j', 'ACCEPT'],
  );
});

test('transaction: a comment that names our chain does not make a rule ours', () => {
  const saved = parseSaved('*mangle\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -m comment --comment "x -j BASTION_HOLD" -j ACCEPT\nCOMMIT\n');
  assert.equal(transaction(saved, []), '');
});

for (const [wanted, line] of [
  [true, '-A OUTPUT -m conntrack --ctstate NEW -j NFQUEUE --queue-num 1 --queue-bypass'],
  [true, '-A OUTPUT -j NFQUEUE --queue-num 1'],
  [true, '-A OUTPUT -m owner --gid-owner 998 -m comment --comment BASTION_BYPASS -j ACCEPT'],
  [false, '-A OUTPUT -j NFQUEUE --queue-num 10'],
  [false, '-A INPUT -j NFQUEUE --queue-num 1'],
  [false, '-A OUTPUT -m comment --comment "--queue-num 1" -j ACCEPT'],
] as const) {
  test(`isLeftOver: ${String(wanted)} for "${line}"`, () => {
    const [rule] = tableOf(parseSaved(`*filter\n${line}\nCOMMIT\n`), 'filter').rules;
    assert.ok(rule !== undefined);
    assert.equal(isLeftOver('filter', rule), wanted);
  });
}

test('transaction: holds in mangle before it takes away what version 2 held in filter', () => {
  const saved = parseSaved('*filter\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -j NFQUEUE --queue-num 1\nCOMMIT\n');
  const text = transaction(saved, rulesOf(4, SPEC, UIDS));
  assert.ok(text.indexOf('-I OUTPUT 1 -j BASTION_HOLD') < text.indexOf('-D OUTPUT -j NFQUEUE --queue-num 1'));
  assert.ok(text.indexOf('COMMIT') < text.indexOf('*filter'));
});

test('transaction: nothing to remove makes no text, so no table comes into being', () => {
  assert.equal(transaction(parseSaved(''), []), '');
});

test('faults: an empty listing names every chain', () => {
  assert.deepEqual(faults(rulesOf(6, SPEC, UIDS), parseSaved(''), null), [
    'mangle: chain BASTION_HOLD is missing', 'mangle: chain BASTION_BELT is missing', 'filter: chain BASTION_REFUSE is missing',
  ]);
});

test('rulesOf: the last rule holds everything, and bypass is there only when asked for', () => {
  assert.equal(hold(SPEC).at(-1), '-j NFQUEUE --queue-num 1');
  assert.equal(hold({ ...SPEC, bypass: true }, 6).at(-1), '-j NFQUEUE --queue-num 1 --queue-bypass');
});

test('rulesOf: a refusal is asked for before an allowance, and ends the table', () => {
  const rules = hold(SPEC);
  const refuse = rules.findIndex((rule) => rule.includes('/refuse '));
  assert.match(rules[refuse + 1] ?? '', /^-m mark --mark 0x1000\/0x1000 -j ACCEPT$/u);
  assert.match(rules[refuse + 2] ?? '', /\/allow -j RETURN$/u);
});

test('rulesOf: a first SYN returns by no rule of state', () => {
  for (const rule of hold({ ...SPEC, xtPrograms: null })) {
    if (rule.includes('ctstate')) assert.match(rule, /^! -p tcp /u);
  }
});

for (const [what, spec] of [
  ['a queue number above 65535', { ...SPEC, queueNumber: 65_536 }],
  ['a fraction', { ...SPEC, queueNumber: 1.5 }],
  ['a mark of two bits', { ...SPEC, refuseMark: 3 }],
  ['no mark', { ...SPEC, refuseMark: 0 }],
  ['a mark of more than 32 bits', { ...SPEC, refuseMark: 2 ** 32 }],
  ['a path with a line break', { ...SPEC, xtPrograms: { allow: '/a\n*raw', refuse: '/b' } }],
  ['a relative path', { ...SPEC, xtPrograms: { allow: '/a', refuse: 'b' } }],
  ['a path that the kernel would cut', { ...SPEC, xtPrograms: { allow: `/${'a'.repeat(511)}`, refuse: '/b' } }],
] as const) {
  test(`checkSpec: refuses ${what}`, () => {
    assert.throws(() => { checkSpec(spec); }, { code: 'InvalidArgument' });
  });
}

test('checkSpec: takes the highest bit and queue 0', () => {
  checkSpec({ ...SPEC, queueNumber: 0, refuseMark: 0x8000_0000 });
});

test('mappedUidRanges: the first namespace, a single user, two extents, and noise', () => {
  assert.deepEqual(mappedUidRanges('         0          0 4294967295\n'), ['0-4294967294']);
  assert.deepEqual(mappedUidRanges('0 1000 1\n'), ['0-0']);
  assert.deepEqual(mappedUidRanges('0 1000 1\n1 100000 65536\n'), ['0-0', '1-65536']);
  assert.deepEqual(mappedUidRanges('-j ACCEPT\n'), []);
});
