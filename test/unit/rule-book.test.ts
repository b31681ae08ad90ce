/** Whatever way the rules came in, one by one, by loads that change little or all, the book is the same as a new one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../property.ts';
import type { Rule } from '../../helper/contract/vocabulary.ts';
import { RuleSum } from '../../helper/engine/fingerprint.ts';
import { RuleBook } from '../../helper/engine/rule-book.ts';

const base: Rule = {
  id: 'r', name: 'r', action: 'deny', enabled: true, match: {}, lifetime: 'always', priority: 0, tier: 'user', group: '', created: 0, source: null,
};

const rule: fc.Arbitrary<Rule> = fc.record({
  id: fc.nat(400).map((number) => `r${String(number)}`), action: fc.constantFrom('allow', 'deny'), enabled: fc.boolean(),
  priority: fc.integer({ min: -1, max: 1 }), group: fc.constantFrom('', 'G', 'H'), created: fc.nat(3),
  match: fc.constantFrom({}, { path: '/a' }, { path: '/b', address: '192.0.2.1' }, { domain: 'example.org' }, { ports: [{ first: 1, last: 9 }] }),
}).map((change) => ({ ...base, ...change, name: change.id }));

function shapeOf(book: RuleBook): unknown {
  const rules = book.sorted();
  return { rules, sum: String(book.sum), counted: book.countedIds(), written: book.writtenCount, temporary: book.temporaryCount, index: book.index.size };
}

function settle(book: RuleBook, work: ReturnType<RuleBook['prepare']>): void {
  let step = work.next();
  while (step.done !== true) step = work.next();
  book.replace(step.value);
}

const load = (size: number): fc.Arbitrary<readonly Rule[]> => fc.array(rule, { maxLength: size });

test('a book after loads, edits and switched groups is the book of its rules', () => {
  fc.assert(fc.property(load(600), load(40), fc.array(rule, { maxLength: 10 }), fc.boolean(), (first, few, put, off) => {
    const book = new RuleBook();
    book.setLoaded(first);
    settle(book, book.prepareGroup('G', !off));
    for (const one of put) book.put(one);
    for (const one of put.slice(0, 3)) book.delete(one.id);
    const now = book.sorted();
    const fresh = new RuleBook();
    fresh.setLoaded(now, off ? ['G'] : []);
    assert.deepEqual(shapeOf(book), shapeOf(fresh));
    assert.ok(!off || now.every((one) => one.group !== 'G' || (!one.enabled && one.groupOff !== undefined)));
    const changed = [...now.slice(5), ...few];
    settle(book, book.prepare(changed, []));
    const other = new RuleBook();
    other.setLoaded(changed);
    assert.deepEqual(shapeOf(book), shapeOf(other));
  }), { numRuns: 60 });
});

test('a rule that is put while a load is being prepared stays, and one that was taken away does not come back', () => {
  const book = new RuleBook();
  const many = Array.from({ length: 1000 }, (_, at): Rule => ({ ...base, id: `f${String(at)}` }));
  book.put({ ...base, id: 'gone', lifetime: 'boot' });
  const work = book.prepare(many, []);
  work.next();
  book.put({ ...base, id: 'answer', lifetime: 'boot' });
  book.put({ ...base, id: 'unwritten' });
  book.setUnwritten('unwritten', true);
  book.delete('gone');
  settle(book, work);
  assert.deepEqual(['answer', 'unwritten', 'gone', 'f999'].map((id) => book.has(id)), [true, true, false, true]);
  assert.equal(book.size, 1002);
});

test('a group that is switched off holds for rules in memory too, and leaves their own switch alone', () => {
  const book = new RuleBook();
  book.put({ ...base, id: 'on', lifetime: 'boot', group: 'G' });
  book.put({ ...base, id: 'off', lifetime: 'boot', group: 'G', enabled: false });
  book.setLoaded([], ['G']);
  assert.deepEqual(book.countedIds(), []);
  book.setLoaded([], []);
  assert.deepEqual(book.countedIds(), ['on']);
});

test('the sum of rules tells every part of a match apart, and not the order of keys or rules', () => {
  const matches: readonly Rule['match'][] = [
    {}, { path: '/a' }, { package: '/a' }, { flatpak: '/a' }, { snap: '/a' }, { appImage: '/a' }, { script: '/a' }, { sha256: '/a' }, { pin: true },
    { includeChildren: true }, { allScripts: true }, { ancestor: { path: '/a' } }, { ancestor: { package: '/a' } }, { domain: '/a' }, { list: '/a' },
    { zone: '/a' }, { interface: '/a' }, { uid: 1 }, { address: '/a' }, { ports: [{ first: 1, last: 2 }] }, { ports: [{ first: 1, last: 3 }] },
    { protocols: [1] }, { schedule: { days: [1], fromMinute: 0, toMinute: 1 } }, { process: { pid: 1, startNs: 1n } }, { session: '/a' },
  ];
  const sumOf = (...rules: readonly Rule[]): string => {
    const sum = new RuleSum();
    for (const one of rules) sum.add(one);
    return String(sum);
  };
  assert.equal(new Set(matches.map((match) => sumOf({ ...base, match }))).size, matches.length);
  assert.notEqual(sumOf(base), sumOf({ ...base, profile: 'home' }));
  assert.equal(sumOf({ ...base, match: { path: '/a', domain: 'b' } }), sumOf({ ...base, match: { domain: 'b', path: '/a' } }));
  assert.equal(sumOf(base, { ...base, id: 's' }), sumOf({ ...base, id: 's' }, base));
  const sum = new RuleSum();
  sum.add(base);
  sum.add({ ...base, id: 's' });
  sum.remove(base);
  assert.equal(String(sum), sumOf({ ...base, id: 's' }));
});
