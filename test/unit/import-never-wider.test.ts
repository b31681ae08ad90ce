/**
 * What imported rules allow was allowed there. Random rule files are decided twice, as the other program does it and by our own
 * rule index, for every flow of a small world; ours may ask more and refuse more, never allow more. The one exception is told in
 * the report: a refusal that cannot be said here is for review, and refuses nothing until somebody has looked at it.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from '../property.ts';
import { parseAddress, parsePorts, parseProtocols } from '../../helper/policy/text.ts';
import { RuleIndex } from '../../helper/policy/rule-index.ts';
import { toPrefix } from '../../helper/policy/address.ts';
import type { RuleEdit } from '../../helper/contract/types.ts';
import type { Rule, RuleMatch } from '../../helper/contract/vocabulary.ts';
import { facts, moment, rule as ruleOf, tuple } from './policy-support.ts';
import { all, openSnitchRule, read, simple } from './import-support.ts';

const RUNS = process.env['BASTION_TEST_SIZE'] === 'full' ? 3000 : 400;
const PATHS = ['/usr/bin/a', '/usr/bin/b'];
const ADDRESSES = ['192.0.2.1', '192.0.2.200', '198.51.100.1', '2001:db8::1', '2001:db9::1'];
const PORTS = [53, 80, 443];
const PROTOCOLS = [6, 17];
const UIDS = [0, 1000];

interface Flow {
  readonly path: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: number;
  readonly uid: number;
}

const WORLD: readonly Flow[] = PATHS.flatMap((path) => ADDRESSES.flatMap((address) => PORTS.flatMap((port) => (
  PROTOCOLS.flatMap((protocol) => UIDS.map((uid) => ({ path, address, port, protocol, uid })))
))));

function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

function term<T>(parsed: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string }): T {
  assert.ok(parsed.ok);
  return parsed.value;
}

/** The rule that an edit makes, for the parts that this world has. */
function made(edit: RuleEdit): Rule {
  const match: { -readonly [K in keyof RuleMatch]: RuleMatch[K] } = {};
  const [address, ports, protocols] = [term(parseAddress(edit.address ?? '')), term(parsePorts(edit.port ?? '')), term(parseProtocols(edit.protocol ?? ''))];
  if (edit.path !== undefined) match.path = edit.path;
  if (edit.user !== undefined) match.uid = Number(edit.user);
  if (address !== undefined) match.address = address;
  if (ports !== undefined) match.ports = ports;
  if (protocols !== undefined) match.protocols = protocols;
  const known = ['id', 'name', 'action', 'enabled', 'path', 'user', 'address', 'port', 'protocol', 'priority', 'group'];
  assert.deepEqual(Object.keys(edit).filter((key) => !known.includes(key)), [], 'this world knows every part');
  return ruleOf(edit.id ?? '', edit.action ?? 'deny', match, { enabled: edit.enabled ?? true, priority: edit.priority ?? 0 });
}

function decidedHere(index: RuleIndex, { path, address, port, protocol, uid }: Flow): string {
  const found = index.evaluate(facts({
    path, uid, tuple: tuple({ family: familyOf(address), protocol, destinationAddress: address, destinationPort: port }),
  }), moment());
  return found.rule?.action ?? 'ask';
}

function indexOf(text: string): RuleIndex {
  return new RuleIndex(read(text, 'opensnitch').items.flatMap(({ rule }) => (rule === undefined ? [] : [made(rule)])));
}

interface Condition {
  readonly type: string;
  readonly operand: string;
  readonly data: string;
}

const condition: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({ type: fc.constant('simple'), operand: fc.constant('process.path'), data: fc.constantFrom(...PATHS) }),
  fc.record({ type: fc.constant('regexp'), operand: fc.constant('process.path'), data: fc.constantFrom('^/usr/bin/(a|b)$', '^/usr/bin/.*', '/usr/bin/a', '^/usr/bin/a|b$') }),
  fc.record({ type: fc.constant('simple'), operand: fc.constant('dest.ip'), data: fc.constantFrom(...ADDRESSES) }),
  fc.record({ type: fc.constant('network'), operand: fc.constant('dest.network'), data: fc.constantFrom('192.0.2.0/24', '192.0.2.0/25', '2001:db8::/32', '0.0.0.0/0', '192.0.2.7/24') }),
  fc.record({ type: fc.constant('simple'), operand: fc.constant('dest.port'), data: fc.constantFrom('53', '80', '443', '8080') }),
  fc.record({ type: fc.constant('regexp'), operand: fc.constant('dest.port'), data: fc.constantFrom('^(53|80)$', '^80$', '80', '^4..$', '^443|80$', '^(80|443)') }),
  fc.record({ type: fc.constant('simple'), operand: fc.constant('protocol'), data: fc.constantFrom('tcp', 'tcp6', 'udp', 'udp6', 'TCP') }),
  fc.record({ type: fc.constant('regexp'), operand: fc.constant('protocol'), data: fc.constantFrom('^(tcp|tcp6)$', '^(tcp|udp)$', '^tcp6?$', 'udp') }),
  fc.record({ type: fc.constant('simple'), operand: fc.constant('user.id'), data: fc.constantFrom('0', '1000') }),
);

interface Foreign {
  readonly name: string;
  readonly action: string;
  readonly enabled: boolean;
  readonly precedence: boolean;
  readonly conditions: readonly Condition[];
}

const foreign: fc.Arbitrary<Foreign> = fc.record({
  name: fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom('0', '1', 'a', 'b') }),
  action: fc.constantFrom('allow', 'allow', 'deny', 'reject'),
  enabled: fc.constantFrom(true, true, true, false),
  precedence: fc.boolean(),
  conditions: fc.array(condition, { minLength: 1, maxLength: 3 }),
});

/** A connection's value of an operand, as OpenSnitch has it. */
function valueOf(flow: Flow, operand: string): string {
  switch (operand) {
    case 'process.path': return flow.path;
    case 'dest.ip': return flow.address;
    case 'dest.port': return String(flow.port);
    case 'user.id': return String(flow.uid);
    case 'protocol': return (flow.protocol === 6 ? 'tcp' : 'udp') + (familyOf(flow.address) === 6 ? '6' : '');
    default: throw new Error(operand);
  }
}

function inNetwork(address: string, network: string): boolean {
  const wanted = toPrefix(network);
  if (wanted?.family !== familyOf(address)) return false;
  return toPrefix(`${address}/${String(wanted.bits)}`)?.words.every((word, index) => word === wanted.words[index]) === true;
}

function holdsThere({ type, operand, data }: Condition, flow: Flow): boolean {
  switch (type) {
    case 'simple': return valueOf(flow, operand).toLowerCase() === data.toLowerCase();
    case 'regexp': return new RegExp(data.toLowerCase(), 'u').test(valueOf(flow, operand).toLowerCase());
    default: return inNetwork(flow.address, data);
  }
}

/** Rules by name; the first that denies or has precedence ends the search, of the others the last counts. */
function decidedThere(rules: readonly Foreign[], flow: Flow): string {
  let decision = 'ask';
  for (const one of rules.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))) {
    if (!one.enabled || !one.conditions.every((part) => holdsThere(part, flow))) continue;
    decision = one.action;
    if (one.action !== 'allow' || one.precedence) return decision;
  }
  return decision;
}

describe('imported rules allow no more than they did', () => {
  test('OpenSnitch: conditions, patterns, networks, precedence', () => {
    let allowed = 0;
    fc.assert(fc.property(fc.uniqueArray(foreign, { maxLength: 8, selector: (one) => one.name }), (rules) => {
      const text = `[${rules.map(({ conditions, ...rest }) => openSnitchRule(all(...conditions), rest)).join(',')}]`;
      const index = indexOf(text);
      const open = new Set(read(text, 'opensnitch').items.filter((item) => item.text.includes('other rules decide what it refused')).map(({ source }) => source));
      for (const flow of WORLD) {
        if (decidedHere(index, flow) !== 'allow') continue;
        allowed += 1;
        assert.equal(decidedThere(rules.filter(({ name }) => !open.has(name)), flow), 'allow', JSON.stringify(flow));
      }
    }), { numRuns: RUNS });
    assert.ok(allowed > RUNS, 'the test has something to say');
  });

  test('OpenSnitch: what is said exactly is refused here too', () => {
    const exact = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd'), action: fc.constantFrom('allow', 'deny'), enabled: fc.constant(true), precedence: fc.boolean(),
      conditions: fc.constantFrom<readonly Condition[]>(
        [{ type: 'simple', operand: 'process.path', data: '/usr/bin/a' }],
        [{ type: 'network', operand: 'dest.network', data: '192.0.2.0/24' }],
        [{ type: 'simple', operand: 'process.path', data: '/usr/bin/a' }, { type: 'regexp', operand: 'dest.port', data: '^(53|80)$' }],
        [{ type: 'simple', operand: 'user.id', data: '0' }, { type: 'simple', operand: 'dest.ip', data: '192.0.2.1' }],
      ),
    });
    fc.assert(fc.property(fc.uniqueArray(exact, { maxLength: 4, selector: (one) => one.name }), (rules) => {
      const index = indexOf(`[${rules.map(({ conditions, ...rest }) => openSnitchRule(all(...conditions), rest)).join(',')}]`);
      for (const flow of WORLD) {
        const there = decidedThere(rules, flow);
        assert.equal(decidedHere(index, flow), there === 'deny' ? 'drop' : there, JSON.stringify(flow));
      }
    }), { numRuns: RUNS });
  });

  test('rules.json: the very port goes before any port, and nothing else is allowed', () => {
    const ports = fc.constantFrom('*', '0', '53', '80', '443', 'x');
    const keys = fc.tuple(fc.constantFrom(...PATHS, '@name:a', '@dest:192.0.2.1:80'), ports).map(([subject, port]) => `${subject}:${port}`);
    fc.assert(fc.property(fc.dictionary(keys, fc.boolean(), { maxKeys: 12 }), (file) => {
      fc.pre(Object.keys(file).length > 0 && !PATHS.some((path) => `${path}:*` in file && `${path}:0` in file));
      const index = new RuleIndex(read(JSON.stringify(file), 'bastion-rules').items.flatMap(({ rule }) => (rule === undefined ? [] : [made(rule)])));
      for (const flow of WORLD) {
        const there = file[`${flow.path}:${String(flow.port)}`] ?? file[`${flow.path}:*`] ?? file[`${flow.path}:0`];
        assert.equal(decidedHere(index, flow), there === undefined ? 'ask' : there ? 'allow' : 'deny', JSON.stringify(flow));
      }
    }), { numRuns: RUNS });
  });

  test('a condition by name and one by program together never lose one of them', () => {
    const { items } = read(openSnitchRule(all(simple('process.path', '/usr/bin/a'), simple('dest.host', 'Example.ORG'))));
    assert.deepEqual(items.map(({ outcome, rule }) => [outcome, rule?.path, rule?.domain]), [['kept', '/usr/bin/a', 'example.org']]);
  });
});
