/** The quick reader of plain rules says what the full parser says, places included, or nothing; long work lets others go on. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from '../property.ts';
import { readPlain } from '../../helper/adapters/rule-store/plain-rule.ts';
import { readRuleFile, segmentsOf } from '../../helper/adapters/rule-store/rule-file.ts';
import { parseToml } from '../../helper/adapters/rule-store/toml.ts';
import { RuleBook } from '../../helper/engine/rule-book.ts';
import { sortInSteps } from '../../helper/engine/sorting.ts';
import { makeStore, parsers } from './rule-store-support.ts';

const RUNS = process.env['BASTION_TEST_SIZE'] === 'full' ? 50_000 : 3000;
const VENDOR = join(import.meta.dirname, '..', '..', 'data', 'rules');
const PLAIN = `[[rule]]
id = "work-mail" # mine
name = "Mail at work, Žluťoučký 代理"
action = "allow"
enabled = false
application = { path = "/usr/bin/evolution", pin = "sha256", include_children = true }
destination = { address = "192.0.2.0/24", port = "143,993", protocol = "tcp" }
schedule = { days = ["mon", "tue"], from = "08:00", to = "18:00" }
lifetime = { until = 2027-01-01T00:00:00Z }
priority = -5
created = 2026-11-21T12:00:00Z
`;

function agrees(text: string): boolean {
  const plain = readPlain(text, new Map());
  if (plain === null) return false;
  const full = parseToml(text, 0);
  assert.ok(full.ok, `plain accepts what is no TOML: ${JSON.stringify(text)}`);
  assert.deepEqual(plain, full.value, JSON.stringify(text));
  return true;
}

test('a rule as the helper and people write it is plain, and the vendor’s are', () => {
  for (const text of [PLAIN, PLAIN.replaceAll('\n', '\r\n'), PLAIN.trimEnd(), `\n  \t${PLAIN}\n# end`, PLAIN.replaceAll(' = ', '=')]) {
    assert.ok(agrees(text), text);
  }
  const texts = readdirSync(VENDOR).map((name) => readFileSync(join(VENDOR, name), 'utf8'));
  for (const segment of texts.flatMap(segmentsOf)) assert.ok(agrees(segment.text), segment.text);
});

const ODD = ['"', '""', '"""', "'", '\\', '\r', '\n', '\r\n', '\t', ' ', '#', ',', '=', '{', '}', '[', ']', '[[', '[[rule]]', '[rule.x]', '.', '-', '+', '_',
  '0', '01', '1e5', '1.5', '0x1', '1_0', 'true', 'truex', 'inf', 'nan', '2027-02-30T00:00:00Z', '2027-01-01', '2027-01-01T00:00:00+01:00', '24:00',
  'a', '__proto__', '\u0000', '\u007f', '\u0085', '\u2028', '\ud800', '🦊', '\ufeff', 'id = "x"', 'x = 1\n', '{ a = { b = 1 } }', '[1, [2]]', '[1,]', '{}', '[]'];

test('whatever is put into, taken out of or doubled in a plain rule, both readers agree', () => {
  let plain = 0;
  fc.assert(fc.property(
    fc.array(fc.record({ at: fc.nat(PLAIN.length), cut: fc.nat(3), put: fc.oneof(fc.constant(''), fc.constantFrom(...ODD)) }), { minLength: 1, maxLength: 3 }),
    (edits) => {
      let text = PLAIN;
      for (const { at, cut, put } of edits) text = text.slice(0, at) + put + text.slice(at + cut);
      if (agrees(text)) plain += 1;
    },
  ), { numRuns: RUNS });
  assert.ok(plain > RUNS / 50, 'some of them are still plain');
});

test('a file is read alike in its parts and as a whole', () => {
  fc.assert(fc.property(fc.array(fc.constantFrom(...ODD, PLAIN, '\n[[rule]]\n', '\n [[ "rule" ]] \n', '\n# [[rule]]\n', 'x = "[[rule]]"\n'), { maxLength: 6 }), (parts) => {
    const text = parts.join('');
    const segments = segmentsOf(text);
    assert.equal(segments.map((one) => one.text).join(''), text);
    for (const [index, one] of segments.entries()) {
      assert.equal(text.slice(0, one.offset).split('\n').length - 1, one.linesBefore);
      if (index > 0) assert.match(one.text, /^[ \t]*\[\[[ \t]*(?:rule|"rule"|'rule')[ \t]*\]\]/);
      assert.doesNotMatch(one.text, /\n[ \t]*\[\[[ \t]*rule[ \t]*\]\]/);
    }
  }), { numRuns: RUNS });
});

test('texts of a file that is gone are not held through the rules that were cut out of it', () => {
  const words = new Map<string, string>();
  readPlain(PLAIN, words);
  assert.deepEqual([...words.keys()], ['Mail at work, Žluťoučký 代理', '/usr/bin/evolution']);
});

test('sorting in steps sorts', () => {
  fc.assert(fc.property(fc.array(fc.nat(50), { maxLength: 5000 }), (numbers) => {
    const steps = sortInSteps(numbers, (a, b) => a - b);
    let step = steps.next();
    while (step.done !== true) step = steps.next();
    assert.deepEqual(step.value, [...numbers].sort((a, b) => a - b));
  }), { numRuns: 30 });
});

function manyRules(from: number, count: number): string {
  return Array.from({ length: count }, (_, at) => PLAIN.replace('"work-mail"', `"r${String(from + at)}"`).replace('until = 2027', 'until = 2028')).join('\n');
}

test('what did not change is the same rule after the next load, and its file is not read into rules again', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/rules.d/10-a.toml', manyRules(0, 50));
  await write('etc/rules.d/20-b.toml', manyRules(50, 50));
  const first = (await store.load()).rules;
  await write('etc/rules.d/20-b.toml', manyRules(50, 50).replace('priority = -5', 'priority = -6'));
  const second = (await store.load()).rules;
  assert.ok(first.slice(0, 50).every((rule, at) => rule === second[at]));
  assert.equal(second[50]?.priority, -6);
});

test('while thousands of rules are read and put in order, other work has its turn', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/rules.d/10-a.toml', manyRules(0, 8000));
  let turns = 0;
  let loaded = false;
  const count = (): void => {
    turns += 1;
    if (!loaded) setImmediate(count);
  };
  const done = store.load();
  setImmediate(count);
  const { rules } = await done;
  loaded = true;
  assert.equal(rules.length, 8000);
  assert.ok(turns > 4, `${String(turns)} turns while it was read`);
  let steps = 0;
  const work = new RuleBook().prepare(rules, []);
  while (work.next().done !== true) steps += 1;
  assert.ok(steps > 50, 'putting them in order pauses often');
});

test('an error in one of many rules is told with its own line and column', async () => {
  const text = manyRules(0, 300).replace('id = "r200" # mine', 'id = "r200" # mine\ncolour = "red"');
  const file = await readRuleFile(text, { parsers, overrides: false });
  const line = text.slice(0, text.indexOf('colour')).split('\n').length;
  assert.deepEqual(file.problems, [{ line, column: 1, message: 'There is no key "colour" here.' }]);
  assert.equal(file.rules.length, 299);
});
