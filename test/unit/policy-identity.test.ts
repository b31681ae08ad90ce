/** Rules that name a program by more than its path, and a destination by more than its address. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Ancestor, Identity, Rule, RuleAction, RuleMatch } from '../../helper/contract/vocabulary.ts';
import type { Facts } from '../../helper/policy/facts.ts';
import type { Places } from '../../helper/policy/places.ts';
import { interfaceMatches, nameMatches, patternsOf } from '../../helper/policy/places.ts';
import { remembering } from '../../helper/policy/remembering.ts';
import { RuleIndex } from '../../helper/policy/rule-index.ts';
import { facts, moment, PATH, ports, rule, tuple } from './policy-support.ts';

const PLACES: Places = {
  listHasName: (list, name) => list === 'ads' && name.endsWith('ads.test'),
  listHasAddress: (list, address) => list === 'ads' && address === '192.0.2.66',
  zoneOf: (name) => (name === 'eth0' ? 'home' : null),
};
const AT = moment({ places: PLACES });
const PYTHON = '/usr/bin/python3.11';

function winner(list: readonly Rule[], flow: Facts): string | null {
  return new RuleIndex(list).evaluate(flow, AT).rule?.id ?? null;
}

function says(match: RuleMatch, flow: Facts, action: RuleAction = 'allow'): boolean {
  return winner([rule('it', action, match)], flow) === 'it';
}

function program(identity: Partial<Identity>, change: Partial<Facts> = {}): Facts {
  return facts({ identity: { path: PATH, ...identity }, ancestors: [], lineage: 'kernel', ...change });
}

function script(name: string, scriptEvidence: 'exec' | 'claimed' = 'exec', change: Partial<Facts> = {}): Facts {
  return program({ path: PYTHON, interpreter: true, package: 'python3', script: name, scriptEvidence }, { path: PYTHON, ...change });
}

const parent = (path: string, identity?: Partial<Identity>): Ancestor =>
  ({ pid: 7, path, command: 'p', ...(identity === undefined ? {} : { identity: { path, ...identity } }) });

describe('programs', () => {
  const parts: readonly (readonly [string, RuleMatch, Identity, Identity])[] = [
    ['package', { package: 'curl' }, { path: PATH, package: 'curl' }, { path: PATH }],
    ['Flatpak', { flatpak: 'org.x.App' }, { path: PATH, flatpak: 'org.x.App' }, { path: PATH, flatpak: 'org.x.App2' }],
    ['Snap', { snap: 'hello' }, { path: PATH, snap: 'hello' }, { path: PATH }],
    ['AppImage', { appImage: '/home/a/X.AppImage' }, { path: PATH, appImage: '/home/a/X.AppImage' }, { path: '/home/a/X.AppImage' }],
    ['hash', { sha256: 'ab' }, { path: PATH, sha256: 'ab' }, { path: PATH, sha256: 'ac' }],
    ['pinned path', { path: PATH, pin: true }, { path: PATH, trusted: true }, { path: PATH, integrity: 'valid' }],
  ];
  for (const [name, match, right, wrong] of parts) {
    test(`a ${name} that is right is allowed, and one that is not known is not`, () => {
      assert.ok(says(match, program(right)));
      assert.ok(!says(match, program(wrong)));
    });
  }

  test('a rule that names two parts wants both', () => {
    const both = { path: PATH, sha256: 'ab' };
    assert.ok(says(both, program({ sha256: 'ab' })));
    assert.ok(!says(both, program({ path: '/tmp/copy', sha256: 'ab' }, { path: '/tmp/copy' })));
  });

  test('the allow rules of a changed file are suspended, its refusals are not', () => {
    const changed = program({ package: 'curl', integrity: 'changed' });
    assert.ok(!says({ path: PATH }, changed));
    assert.ok(!says({ package: 'curl' }, changed));
    assert.ok(says({ path: PATH }, changed, 'deny'));
    assert.ok(says({}, changed), 'a rule for any program');
  });

  test('the more exact name of a program wins: hash, script, Flatpak, path, package, any', () => {
    const flow = program({ sha256: 'ab', flatpak: 'f', package: 'curl' });
    const list = [
      rule('any', 'deny'), rule('package', 'deny', { package: 'curl' }), rule('path', 'deny', { path: PATH }),
      rule('flatpak', 'deny', { flatpak: 'f' }), rule('hash', 'allow', { sha256: 'ab' }),
    ];
    const order = list.map((_, at) => winner(list.slice(0, at + 1), flow));
    assert.deepEqual(order, ['any', 'package', 'path', 'flatpak', 'hash']);
  });
});

describe('scripts', () => {
  test('a rule for a script opens this script and not its interpreter', () => {
    const match = { script: '/opt/backup.py' };
    assert.ok(says(match, script('/opt/backup.py')));
    assert.ok(!says(match, script('/opt/other.py')));
    assert.ok(!says(match, program({ path: PYTHON, interpreter: true }, { path: PYTHON })), 'python -c');
  });

  test('what allows a script knows its interpreter: by its package, or because the rule names it', () => {
    const own = program({ path: '/home/u/python3', interpreter: true, script: '/opt/backup.py', scriptEvidence: 'exec' }, { path: '/home/u/python3' });
    assert.ok(!says({ script: '/opt/backup.py' }, own), 'any program can have that name');
    assert.ok(says({ script: '/opt/backup.py' }, own, 'deny'));
    assert.ok(says({ path: '/home/u/python3', script: '/opt/backup.py' }, own));
  });

  test('an allow rule for an interpreter needs the words for all scripts, a refusal does not', () => {
    for (const flow of [script('/opt/x.py'), program({ path: PYTHON, interpreter: true }, { path: PYTHON })]) {
      assert.ok(!says({ path: PYTHON }, flow));
      assert.ok(says({ path: PYTHON, allScripts: true }, flow));
      assert.ok(says({ path: PYTHON }, flow, 'deny'));
    }
  });

  test('a command line that the process may have written itself allows nothing, and can be refused', () => {
    const claimed = script('/opt/backup.py', 'claimed');
    assert.ok(!says({ script: '/opt/backup.py' }, claimed));
    assert.ok(says({ script: '/opt/backup.py' }, claimed, 'deny'));
    assert.ok(says({ script: '/opt/backup.py' }, script('/opt/backup.py', 'claimed', { confidence: 'likely', evidence: 'sock_diag' })));
  });

  test('what is said of a script is remembered for its socket, because the kernel knows interpreters only', () => {
    const flow = script('/opt/backup.py');
    const list = [rule('it', 'allow', { script: '/opt/backup.py' }), rule('other', 'deny', { script: '/opt/other.py' })];
    assert.equal(remembering(flow, new RuleIndex(list).evaluate(flow, AT), AT.nowMs).for, 'socket');
    const wide = [rule('all', 'allow', { path: PYTHON, allScripts: true }), ...list];
    const third = script('/opt/third.py');
    assert.equal(remembering(third, new RuleIndex(wide).evaluate(third, AT), AT.nowMs).for, 'socket', 'another script is denied');
  });
});

describe('who started it', () => {
  const shell = parent('/usr/bin/bash', {});
  const build = parent('/opt/build', { package: 'build-tools' });

  test('a rule with an ancestor wants one that the kernel recorded, however far up', () => {
    const match = { path: PATH, ancestor: { path: '/opt/build' } };
    assert.ok(says(match, program({}, { ancestors: [shell, build] })));
    assert.ok(!says(match, program({}, { ancestors: [shell] })));
    assert.ok(!says(match, program({}, { ancestors: [shell, build], lineage: 'procfs' })), 'as /proc says now');
    assert.ok(!says(match, program({}, { ancestors: [shell, parent('/opt/build')] })), 'a path that nobody verified');
  });

  test('a refusal by ancestor holds on less: an unverified one, and where nobody knows who it was', () => {
    const match = { path: PATH, ancestor: { path: '/opt/build' } };
    assert.ok(says(match, program({}, { ancestors: [parent('/opt/build')], lineage: 'procfs' }), 'deny'));
    const unknown = facts({ identity: { path: PATH } });
    assert.ok(says(match, unknown, 'deny'));
    assert.ok(!says(match, unknown));
    assert.ok(!says(match, program({}, { ancestors: [shell] }), 'deny'));
  });

  test('include_children covers the program and what it starts, and nobody else', () => {
    const match = { package: 'build-tools', includeChildren: true };
    assert.ok(says(match, program({}, { ancestors: [shell, build] })));
    assert.ok(says(match, program({ path: '/opt/build', package: 'build-tools' }, { path: '/opt/build' })));
    assert.ok(!says(match, program({}, { ancestors: [shell] })));
    assert.ok(!says(match, program({}, { ancestors: [parent('/opt/build', { package: 'build-tools', integrity: 'changed' })] })), 'changed');
  });

  test('a rule of the started program goes before that of who started it', () => {
    const list = [rule('children', 'allow', { path: '/opt/build', includeChildren: true }), rule('curl', 'deny', { path: PATH })];
    assert.equal(winner(list, program({}, { ancestors: [build] })), 'curl');
  });

  test('another program with children that are refused keeps an allowance from covering every process of a program', () => {
    const list = [rule('curl', 'allow', { path: PATH }), rule('build', 'deny', { path: '/opt/build', includeChildren: true }, { priority: 1 })];
    const free = program({}, { ancestors: [shell] });
    const evaluation = new RuleIndex(list).evaluate(free, AT);
    assert.equal(evaluation.rule?.id, 'curl');
    assert.equal(remembering(free, evaluation, AT.nowMs).for, 'socket');
    assert.equal(winner(list, program({}, { ancestors: [build] })), 'build');
  });
});

describe('names', () => {
  const named = (...names: readonly string[]): Facts =>
    program({}, { names: names.map((name) => ({ name, source: 'program' as const })) });

  test('nameMatches: a name is itself, a wildcard every name below and not the name itself', () => {
    assert.ok(nameMatches('example.org', 'example.org'));
    assert.ok(nameMatches('*.example.org', 'a.b.example.org'));
    for (const other of ['example.org', 'badexample.org', '.example.org', 'example.org.evil.test']) {
      assert.ok(!nameMatches('*.example.org', other), other);
    }
    assert.ok(!nameMatches('example.org', 'www.example.org'));
    assert.deepEqual(patternsOf('a.b.test'), ['a.b.test', '*.b.test', '*.test']);
  });

  test('an allowance rests on the name that the program asked for last, a refusal on any', () => {
    assert.ok(says({ domain: 'example.org' }, named('example.org', 'other.test')));
    assert.ok(!says({ domain: 'other.test' }, named('example.org', 'other.test')));
    assert.ok(says({ domain: 'other.test' }, named('example.org', 'other.test'), 'deny'));
  });

  test('a name that somebody else may have asked for allows nothing', () => {
    const perhaps = program({}, { names: [{ name: 'example.org', source: 'machine' }] });
    assert.ok(!says({ domain: 'example.org' }, perhaps));
    assert.ok(says({ domain: 'example.org' }, perhaps, 'deny'));
  });

  test('who may reach a name may look it up, whatever the port; what is refused on a port may be looked up', () => {
    const lookup = program({}, {
      isLookup: true, names: [{ name: 'example.org', source: 'program' }], tuple: tuple({ protocol: 17, destinationPort: 53 }),
    });
    const web = { domain: 'example.org', ...ports(443), protocols: [6] };
    assert.ok(says(web, lookup));
    assert.ok(!says(web, lookup, 'deny'));
    assert.ok(says({ domain: 'example.org' }, lookup, 'deny'));
    assert.equal(remembering(lookup, new RuleIndex([rule('it', 'allow', web)]).evaluate(lookup, AT), AT.nowMs).for, 'nothing');
    const other = [rule('dns', 'allow', ports(53)), rule('bad', 'deny', { domain: 'bad.test' }, { priority: 1 })];
    assert.equal(
      remembering(lookup, new RuleIndex(other).evaluate(lookup, AT), AT.nowMs).for, 'nothing', 'the next question of the socket may be another',
    );
  });

  test('a decision that a name could change is remembered for the socket only', () => {
    const list = [rule('curl', 'allow', { path: PATH }), rule('bad', 'deny', { domain: '*.bad.test' }, { priority: 1 })];
    const flow = named('example.org');
    assert.equal(remembering(flow, new RuleIndex(list).evaluate(flow, AT), AT.nowMs).for, 'socket');
    const behind = [rule('curl', 'allow', { path: PATH }, { priority: 2 }), rule('bad', 'deny', { domain: '*.bad.test' }, { priority: 1 })];
    assert.equal(remembering(flow, new RuleIndex(behind).evaluate(flow, AT), AT.nowMs).for, 'program');
  });

  test('a list holds by name and by address', () => {
    assert.ok(says({ list: 'ads' }, named('x.ads.test'), 'deny'));
    assert.ok(says({ list: 'ads' }, program({}, { tuple: tuple({ destinationAddress: '192.0.2.66' }) }), 'deny'));
    assert.ok(!says({ list: 'ads' }, named('example.org'), 'deny'));
    assert.ok(!says({ list: 'gone' }, named('x.ads.test'), 'deny'), 'a list that is not loaded');
  });

  test('the more exact destination wins: address, prefix, name, longer wildcard, wildcard, list, interface, zone, any', () => {
    const flow = program({}, { interfaceName: 'eth0', names: [{ name: 'a.b.ads.test', source: 'program' }] });
    const list = [
      rule('any', 'deny', { path: PATH }), rule('zone', 'deny', { path: PATH, zone: 'home' }), rule('interface', 'deny', { path: PATH, interface: 'eth*' }),
      rule('list', 'deny', { path: PATH, list: 'ads' }), rule('wildcard', 'deny', { path: PATH, domain: '*.ads.test' }),
      rule('longer', 'deny', { path: PATH, domain: '*.b.ads.test' }), rule('name', 'deny', { path: PATH, domain: 'a.b.ads.test' }),
      rule('prefix', 'deny', { path: PATH, address: '10.0.0.0/8' }), rule('address', 'allow', { path: PATH, address: '10.77.0.2' }),
    ];
    assert.deepEqual(list.map((_, at) => winner(list.slice(0, at + 1), flow)), list.map(({ id }) => id));
  });
});

describe('ways out', () => {
  test('a zone is that of the output interface, and one that is not known is none', () => {
    assert.ok(says({ zone: 'home' }, program({}, { interfaceName: 'eth0' })));
    assert.ok(!says({ zone: 'home' }, program({}, { interfaceName: 'wg0' })));
    assert.ok(!says({ zone: 'home' }, program({}, { interfaceName: '' })));
  });

  test('interfaceMatches: a name, or the beginning of several', () => {
    assert.ok(interfaceMatches('wg*', 'wg0'));
    assert.ok(!interfaceMatches('wg', 'wg0'));
  });
});
