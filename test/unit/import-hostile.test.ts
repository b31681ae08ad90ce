/** Foreign files are anybody's bytes: they are refused with their place, or give rules that can be written, in bounded time. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from '../property.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import { IMPORT_FORMATS } from '../../helper/contract/names.ts';
import { readForeign } from '../../helper/import-reader.ts';
import { importText } from '../../helper/import/formats.ts';
import { readJson } from '../../helper/import/json.ts';
import { literalsOf } from '../../helper/import/pattern.ts';
import { processorTime } from './processor-time.ts';
import { assertSound, NOW_MS, openSnitchRule, read, sample, tried } from './import-support.ts';

const WORKER = join(import.meta.dirname, '../../helper/import-worker.ts');
const RUNS = process.env['BASTION_TEST_SIZE'] === 'full' ? 5000 : 300;
const NAMES = ['bastion-rules.json', 'bastion-config.json', 'identities.toml', 'rules.toml', 'blocklist.lsrules', 'network.yaml', 'bastion.toml', 'opensnitch'];

/** Words that mean something in some format, and some that are meant to hurt. */
const word = fc.oneof(
  fc.constantFrom('allow', 'deny', 'any', '*', '0', '443', '80-90', 'tcp6', '/usr/bin/a', '@name:x', '@dest:::1:1:1', '2001:db8::/32', '192.0.2.1-192.0.2.9',
    'example.org', '*.x.example', '^(a|b)$', '^.*\\.a\\.b$', 'simple', 'regexp', 'list', 'lists', 'process.path', 'dest.port', 'dest.network',
    '__proto__', 'constructor', 'toString', '\u{0}', '\ud800', '\u{202e}', 'a'.repeat(5000), '1'.repeat(400), 'until restart', '5m', '-1'),
  fc.string({ maxLength: 20, unit: 'binary' }),
);
const key = fc.oneof(fc.constantFrom('operator', 'type', 'operand', 'data', 'list', 'name', 'action', 'duration', 'created', 'enabled', 'precedence',
  'rules', 'process', 'remote-domains', 'remote-hosts', 'remote-addresses', 'remote', 'ports', 'protocol', 'direction', 'priority', 'disabled', 'via',
  'denied-remote-domains', 'denied-remote-hosts', 'denied-remote-addresses', 'mode', 'timeout_seconds', 'allow_lan', 'interfaces', 'nftables_zone', 'zones'),
word, word.map((one) => `${one}:443`));
const value = fc.letrec<{ node: unknown }>((tie) => ({
  node: fc.oneof({ depthSize: 'small', withCrossShrink: true }, word, fc.boolean(), fc.constant(null), fc.double(), fc.array(tie('node'), { maxLength: 5 }),
    fc.array(fc.tuple(key, tie('node')), { maxLength: 6 }).map((entries) => Object.fromEntries(entries))),
})).node;

describe('hostile files', () => {
  test('trees of likely words give sound rules or a typed error, in every format', () => {
    fc.assert(fc.property(value, fc.constantFrom(...IMPORT_FORMATS), (tree, format) => {
      const imported = tried(JSON.stringify(tree), format);
      if (imported !== null) assertSound(imported);
    }), { numRuns: RUNS * 4 });
  });

  test('samples with pieces cut, doubled and put elsewhere do the same', () => {
    const texts = NAMES.map(sample);
    const piece = fc.record({ text: fc.constantFrom(...texts), from: fc.nat(), length: fc.nat({ max: 400 }), to: fc.nat(), with: fc.option(word) });
    fc.assert(fc.property(piece, fc.constantFrom(...IMPORT_FORMATS), (cut, format) => {
      const at = cut.from % cut.text.length;
      const moved = cut.with ?? cut.text.slice(cut.to % cut.text.length, (cut.to % cut.text.length) + cut.length);
      const imported = tried(cut.text.slice(0, at) + moved + cut.text.slice(at + cut.length), format);
      if (imported !== null) assertSound(imported);
    }), { numRuns: RUNS * 2 });
  });

  test('any characters at all do the same', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.constantFrom(...IMPORT_FORMATS), (text, format) => {
      const imported = tried(text, format);
      if (imported !== null) assertSound(imported);
    }), { numRuns: RUNS * 2 });
  });

  test('JSON is read as the language has it', () => {
    fc.assert(fc.property(fc.json({ maxDepth: 8 }), (text) => {
      assert.deepEqual(plain(readJson(text).root), JSON.parse(text));
    }), { numRuns: RUNS });
    for (const text of ['{"a":1,}', '[1,]', '01', '1.', "'a'", '{"a" 1}', '"\n"', '"\\x"', '[1 2]', 'nul', '', '"', '{} {}', '\u{feff}']) {
      assert.throws(() => readJson(text), /line \d+, column \d+: this is not valid JSON/, text);
    }
  });

  test('a key that stands twice is refused with both places, whichever name it has', () => {
    assert.throws(() => read('{\n"/a:1": true,\n"/a:1": false}', 'bastion-rules'), /line 3, column 1: this key stands in line 2 already/);
    assert.throws(() => read('interfaces: []\ninterfaces: []\n', 'network-manager'), /stands in line 1 already/);
    assert.throws(() => read('{"__proto__": 1, "__proto__": 2}', 'bastion-config'), /stands in line 1 already/);
  });

  test('names of objects are keys like any other', () => {
    const { items } = read('{"__proto__": {"mode": "learning"}, "constructor": 1, "mode": "enforcement"}', 'bastion-config');
    assert.deepEqual(items.map(({ outcome }) => outcome), ['skipped', 'skipped', 'kept']);
  });

  test('depth, values and entries have an end, told as one', () => {
    assert.throws(() => readJson('['.repeat(100_000)), /levels deep/);
    assert.throws(() => readJson(`[${'1,'.repeat(250_000)}1]`), { code: 'LimitReached' });
    assert.throws(() => read(`a = ${'['.repeat(50_000)}`, 'rules-toml'), BastionError);
    assert.throws(() => read(`a: ${'['.repeat(20_000)}`, 'network-manager'), BastionError);
    const many = Object.fromEntries(Array.from({ length: 4001 }, (_, index) => [`/a${String(index)}:1`, true]));
    assert.throws(() => read(JSON.stringify(many), 'bastion-rules'), { code: 'LimitReached' });
    delete many['/a0:1'];
    assert.equal(read(JSON.stringify(many), 'bastion-rules').items.length, 4000);
  });

  test('a text over the limit is refused before it is read', () => {
    for (const format of IMPORT_FORMATS) assert.throws(() => importText(' '.repeat(1_048_577), format, NOW_MS), { code: 'LimitReached' });
  });

  test('patterns cost time in proportion to their length', () => {
    const { tookMs } = processorTime(() => {
      for (const hard of ['(a|b)'.repeat(200), '(a|a)*'.repeat(100), '('.repeat(1000), 'a{1000}{1000}', '\\'.repeat(1001), '|'.repeat(1000)]) {
        assert.equal(literalsOf(`^${hard}$`), null, hard.slice(0, 10));
        read(openSnitchRule({ type: 'regexp', operand: 'dest.host', data: `^(.*\\.)?${hard}$` }));
      }
    });
    assert.ok(tookMs < 1000, `${tookMs.toFixed(0)} ms`);
  });

  test('numbers of any size are numbers', () => {
    const text = '{"timeout_seconds": 1e400, "mode": 9007199254740993}';
    assert.deepEqual(read(text, 'bastion-config').items.map(({ outcome }) => outcome), ['skipped', 'skipped']);
    assert.equal(read('{"timeout_seconds": -1e308}', 'bastion-config').settings, 'prompt_timeout_s = 5\n');
  });
});

function plain(node: ReturnType<typeof readJson>['root']): unknown {
  switch (node.kind) {
    case 'list': return node.items.map(plain);
    case 'table': return Object.fromEntries([...node.entries].map(([name, entry]) => [name, plain(entry.value)]));
    case 'null': return null;
    default: return node.value;
  }
}

describe('the reading thread', () => {
  test('it reads as the importers do, and passes their errors on', async () => {
    const text = sample('bastion-rules.json');
    const { guess, imported } = await readForeign(WORKER, { format: '', text, nowMs: NOW_MS });
    assert.equal(guess.format, 'bastion-rules');
    assert.deepEqual(imported, read(text));
    await assert.rejects(readForeign(WORKER, { format: 'lsrules', text: '{', nowMs: NOW_MS }), { code: 'InvalidArgument', message: /^line 1, column 2: / });
    await assert.rejects(readForeign(WORKER, { format: 'xml', text: '', nowMs: NOW_MS }), { code: 'NotSupported' });
  });

  test('a file that takes too much memory or time is refused, and this process lives on', async () => {
    const text = `a = [${'1,'.repeat(120_000)}]`;
    const request = { format: 'identities', text, nowMs: NOW_MS };
    await assert.rejects(readForeign(WORKER, request, { timeMs: 20_000, memoryMb: 20, youngMb: 1 }), { code: 'LimitReached', message: /memory/ });
    await assert.rejects(readForeign(WORKER, request, { timeMs: 1, memoryMb: 256, youngMb: 16 }), { code: 'LimitReached', message: /too long/ });
  });
});
