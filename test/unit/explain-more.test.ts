import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Rule } from '../../helper/contract/vocabulary.ts';
import type { FlowRecord } from '../../helper/engine-api.ts';
import { evidenceText, lineageText, nextText, programText } from '../../helper/engine/explain-more.ts';
import { whyBefore } from '../../helper/engine/explain.ts';
import { ORDER_STEPS } from '../../helper/policy/order.ts';
import { RuleIndex } from '../../helper/policy/rule-index.ts';
import { learned } from './insight-support.ts';
import type { FlowChange } from './insight-support.ts';
import { moment, ports, rule } from './policy-support.ts';

function record(change: FlowChange & Partial<FlowRecord> = {}): FlowRecord {
  return {
    ...learned({ decision: { action: 'deny', reason: 'prompt-expired', ruleId: null }, ...change }),
    pid: 7, host: null, lengthBytes: 60, nextRuleId: null, ...(change.command === undefined ? {} : { command: change.command }),
    ...(change.nextRuleId === undefined ? {} : { nextRuleId: change.nextRuleId }),
  };
}

function otherwise(change: FlowChange, ...rules: readonly Rule[]): string {
  return nextText(record(change), null, null, { index: new RuleIndex(rules), moment: moment() });
}

describe('explain: program, parents, evidence', () => {
  test('the program is told by what it is known by, and whether its file was changed', () => {
    assert.equal(programText(record({ identity: { path: '/usr/bin/curl', package: 'curl', integrity: 'valid' } })),
      '/usr/bin/curl of the package curl, its file is the one that it was known as');
    assert.equal(programText(record({ identity: { path: '/usr/bin/curl', integrity: 'changed' } })),
      '/usr/bin/curl, its file is not the one that it was known as');
    assert.equal(programText(record({ path: null, claimedPath: '/opt/x' })), 'a program that was started as /opt/x');
    assert.equal(programText(record({ path: '/usr/bin/bash', identity: { path: '/usr/bin/bash', script: '/opt/a.sh' } })), 'the script /opt/a.sh, run by /usr/bin/bash');
  });

  test('parents up to the manager of the session, the outermost as the place', () => {
    const ancestors = [
      { pid: 5, path: '/usr/bin/bash', command: 'bash', identity: { path: '/usr/bin/bash', script: '/src/build.sh' } },
      { pid: 4, path: '/usr/bin/bash', command: 'bash' }, { pid: 3, path: '/usr/bin/terminal', command: 'x' },
      { pid: 2, path: '/usr/lib/systemd/systemd', command: 'systemd' }, { pid: 1, path: '/usr/lib/systemd/systemd', command: 'systemd' },
    ];
    assert.equal(lineageText(record({ ancestors, lineage: 'kernel' })), 'curl, started by build.sh, by bash, in terminal');
    assert.equal(lineageText(record({ ancestors: [{ pid: 5, path: null, command: 'x' }], lineage: 'procfs' })),
      'curl, started by a program that calls itself “x” (as the process list said then)');
    assert.equal(lineageText(record({ ancestors: ancestors.slice(3) })), '');
    assert.equal(lineageText(record()), '');
  });

  test('every evidence has its sentence', () => {
    assert.match(evidenceText(record()), /^Certain/);
    assert.match(evidenceText(record({ confidence: 'unknown', path: null })), /^Not certain.*not at its path any more/);
    assert.match(evidenceText(record({ confidence: 'likely', evidence: 'sock_diag' })), /^Likely/);
    assert.match(evidenceText(record({ confidence: 'unknown', evidence: 'none' })), /^Unknown/);
    assert.match(evidenceText(record({ forwardedFrom: 'Container 1' })), /forwarded/);
  });
});

describe('explain: what else could have decided', () => {
  const allow = rule('web', 'allow', { path: '/usr/bin/curl' }, { name: 'The web' });

  test('the runner-up, and why it is only that', () => {
    const next = rule('all', 'deny', {}, { name: 'Nothing else' });
    const flow = record({ decision: { action: 'allow', reason: 'rule', ruleId: 'web' }, nextRuleId: 'all' });
    assert.equal(nextText(flow, allow, next, { index: new RuleIndex([allow, next]), moment: moment() }),
      'Next, “Nothing else” would have refused it; “The web” goes before it: it names the program.');
    assert.equal(nextText(flow, allow, null, { index: new RuleIndex([allow]), moment: moment() }),
      'Next would have been the rule all, which is not there any more.');
  });

  test('an allow rule that did not match, and why: file, script, interpreter, certainty, parents, pin', () => {
    const path = '/usr/bin/curl';
    assert.match(otherwise({ identity: { path, integrity: 'changed' } }, allow), /“The web” would have allowed it, but the program's file is not/);
    const script = rule('s', 'allow', { script: '/opt/a.py' });
    const python = { path, package: 'python3', interpreter: true, script: '/opt/a.py' } as const;
    assert.match(otherwise({ identity: { ...python, scriptEvidence: 'claimed' } }, script), /“s” would have allowed it, but the script is known only/);
    const unpackaged = { path, interpreter: true, script: '/opt/a.py', scriptEvidence: 'exec' } as const;
    assert.match(otherwise({ identity: unpackaged }, script), /the interpreter of the script belongs to no package/);
    assert.match(otherwise({ identity: { ...python, scriptEvidence: 'exec' } }, allow), /runs scripts of others/);
    assert.match(otherwise({ path: null, claimedPath: path, confidence: 'unknown', identity: { path: null } }, allow), /not certain which program/);
    assert.match(otherwise({ identity: { path } }, rule('p', 'allow', { path, pin: true })), /hash is not among the trusted/);
    const make = { pid: 4, path: '/usr/bin/make', command: 'make', identity: { path: '/usr/bin/make' } };
    assert.match(otherwise({ ancestors: [make], lineage: 'procfs' }, rule('c', 'allow', { path, ancestor: { path: '/usr/bin/make' } })), /process list only/);
    assert.match(otherwise({ identity: { path, integrity: 'changed' }, confidence: 'unknown' }, allow), /if more were certain/);
  });

  test('nothing is said of rules that have nothing to do with it, nor where it was allowed', () => {
    assert.equal(otherwise({ identity: { path: '/usr/bin/curl', integrity: 'changed' } }, rule('x', 'allow', { path: '/usr/bin/wget' }), rule('m', 'allow', ports(25))), '');
    const flow = record({ decision: { action: 'allow', reason: 'rule', ruleId: 'web' } });
    assert.equal(nextText(flow, allow, null, { index: new RuleIndex([allow]), moment: moment() }), '');
  });

  test('every step of the order of rules has its words', () => {
    const pairs: readonly (readonly [Rule, Rule])[] = [
      [rule('a', 'deny', {}, { tier: 'administrator' }), rule('b', 'deny')], [rule('a', 'deny', {}, { priority: 1 }), rule('b', 'deny')],
      [allow, rule('b', 'deny')], [rule('a', 'deny', { address: '10.0.0.1' }), rule('b', 'deny')], [rule('a', 'deny', ports(1)), rule('b', 'deny')],
      [rule('a', 'deny', { protocols: [6] }), rule('b', 'deny')], [rule('a', 'deny', { uid: 1 }), rule('b', 'deny')],
      [rule('a', 'deny', { ancestor: { path: '/x' } }), rule('b', 'deny')], [rule('a', 'deny'), rule('b', 'allow')],
      [rule('a', 'deny'), rule('b', 'deny', {}, { created: 2 })], [rule('a', 'deny'), rule('b', 'deny')],
    ];
    assert.equal(new Set(pairs.map(([first, second]) => whyBefore(first, second))).size, ORDER_STEPS.length);
  });
});
