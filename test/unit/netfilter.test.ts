import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OwnTools, describeChange } from '../../helper/adapters/netfilter/changes.ts';
import { checkSpec, mappedUidRanges, rulesOf } from '../../helper/adapters/netfilter/rules.ts';
import { isLeftOver, parseSaved, tableOf, tokenize } from '../../helper/adapters/netfilter/saved.ts';
import { faults, faultyTables, transaction } from '../../helper/adapters/netfilter/transaction.ts';
import type { RulesetSpec } from '../../helper/ports.ts';
import { LookPace } from '../../helper/ruleset-watch.ts';
import type { NetfilterChanges } from '../../native/binding.ts';

const PINS = { allow: '/sys/fs/bpf/b/allow', refuse: '/sys/fs/bpf/b/refuse', hold: '/sys/fs/bpf/b/hold', reply: '/sys/fs/bpf/b/reply' };
const SPEC: RulesetSpec = { queueNumber: 1, bypass: false, refuseMark: 0x1000, xtPrograms: PINS };
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
  [true, '-A INPUT -m conntrack --ctstate NEW -m comment --comment BASTION_INBOUND -j DROP'],
  [false, '-A FORWARD -m comment --comment BASTION_INBOUND -j DROP'],
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

test('transaction: mends only the table that has a fault', () => {
  const text = transaction(parseSaved(''), rulesOf(4, SPEC, UIDS), faultyTables(['filter: chain BASTION_REFUSE is missing']));
  assert.match(text, /^\*filter\n/u);
  assert.doesNotMatch(text, /mangle/u);
});

test('transaction: nothing to remove makes no text, so no table comes into being', () => {
  assert.equal(transaction(parseSaved(''), []), '');
});

test('faults: an empty listing names every chain', () => {
  assert.deepEqual(faults(rulesOf(6, SPEC, UIDS), parseSaved(''), null), [
    'mangle: chain BASTION_HOLD is missing', 'mangle: chain BASTION_BELT is missing', 'filter: chain BASTION_REFUSE is missing',
  ]);
});

test('rulesOf: what nobody has decided is held, answers pass while nobody listens, and the last rule drops the rest', () => {
  const queue = '-j NFQUEUE --queue-num 1';
  const wanted = (bypass: string): string[] => [
    `-m bpf --object-pinned ${PINS.hold} ${queue}${bypass}`, `-m bpf --object-pinned ${PINS.reply} ${queue} --queue-bypass`, '-j DROP',
  ];
  assert.deepEqual(hold(SPEC).slice(-3), wanted(''));
  assert.deepEqual(hold({ ...SPEC, bypass: true }, 6).slice(-3), wanted(' --queue-bypass'));
});

test('rulesOf: without programs the last rule holds everything, and bypass is there only when asked for', () => {
  assert.equal(hold({ ...SPEC, xtPrograms: null }).at(-1), '-j NFQUEUE --queue-num 1');
  assert.equal(hold({ ...SPEC, xtPrograms: null, bypass: true }, 6).at(-1), '-j NFQUEUE --queue-num 1 --queue-bypass');
});

test('rulesOf: a refusal ends the table, after loopback and before every other exception', () => {
  const rules = hold(SPEC);
  const refuse = rules.findIndex((rule) => rule.includes('/refuse '));
  assert.match(rules[refuse + 1] ?? '', /^-m mark --mark 0x1000\/0x1000 -j ACCEPT$/u);
  const returning = rules.map((rule, at) => ({ rule, at })).filter(({ rule }) => rule.includes('bastion: '));
  for (const { rule, at } of returning) assert.equal(at < refuse, /bastion: (?:open-tcp|loopback)/u.test(rule), rule);
});

test('rulesOf: an allowed packet of a program passes only what comes cheap before it', () => {
  assert.match(hold(SPEC)[3] ?? '', /\/allow -j RETURN$/u);
});

for (const spec of [SPEC, { ...SPEC, xtPrograms: null }]) {
  test(`rulesOf: nothing with the SYN bit passes as an open connection but an answer without programs (${spec.xtPrograms === null ? 'state' : 'programs'})`, () => {
    const open = hold(spec).filter((rule) => rule.includes('bastion: open-tcp')).map((rule) => /--tcp-flags (\S+ \S+)/u.exec(rule)?.[1]);
    assert.deepEqual(open, spec.xtPrograms === null ? ['SYN NONE', 'FIN,SYN,RST,ACK SYN,ACK'] : ['SYN NONE']);
  });
}

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
  ['a path with a line break', { ...SPEC, xtPrograms: { ...PINS, allow: '/a\n*raw' } }],
  ['a relative path', { ...SPEC, xtPrograms: { ...PINS, refuse: 'b' } }],
  ['a path that the kernel would cut', { ...SPEC, xtPrograms: { ...PINS, reply: `/${'a'.repeat(511)}` } }],
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

function changes(...by: readonly (readonly [string, number])[]): NetfilterChanges {
  return { by: by.map(([command, pid]) => ({ command, pid })), unnamed: false };
}

test('describeChange: names others, never our own tools, and a name cannot bring control characters', () => {
  const own = new OwnTools();
  own.add(7);
  assert.equal(describeChange(changes(['iptables-nft', 7]), own), null);
  assert.equal(describeChange(changes(['iptables-nft', 7], ['ufw', 12]), own), 'ufw (pid 12)');
  assert.equal(describeChange({ ...changes(['a\u001b[31m\nb', 3]), unnamed: true }, own), 'a?[31m?b (pid 3), somebody');
});

test('describeChange: only the last runs of our own tools count as ours', () => {
  const own = new OwnTools();
  for (let pid = 1; pid <= 33; pid += 1) own.add(pid);
  assert.equal(describeChange(changes(['nft', 1]), own), 'nft (pid 1)');
  assert.equal(describeChange(changes(['nft', 2]), own), null);
});

test('LookPace: the first look is at once, the next 25 ms later, and a loop of changes gets fifteen a second', () => {
  const pace = new LookPace();
  assert.equal(pace.delayMs(0), 0);
  pace.take(0);
  assert.equal(pace.delayMs(10), 15);
  let nowMs = 0;
  let looks = 0;
  let longestMs = 0;
  for (; nowMs < 60_000; looks += 1) {
    const delayMs = pace.delayMs(nowMs);
    longestMs = Math.max(longestMs, delayMs);
    nowMs += delayMs;
    pace.take(nowMs);
  }
  assert.ok(looks <= 20 + 60 * 15 + 1, String(looks));
  assert.ok(longestMs <= 67, String(longestMs));
});
