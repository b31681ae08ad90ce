/** The rule that an answer makes: what it is called, whom it names, and how far it reaches in the less usual cases. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Rule, Scope } from '../../helper/contract/vocabulary.ts';
import { answerDomains, answerRule, answerRuleId } from '../../helper/prompt/answer-rule.ts';
import type { AnswerFacts } from '../../helper/prompt/answer-rule.ts';
import type { Question } from '../../helper/prompt/question.ts';
import { tuple } from './policy-support.ts';
import { owner, question } from './prompt-support.ts';

function answered(change: Partial<Question>, facts: Partial<AnswerFacts> = {}): Rule {
  return answerRule(question(change), { action: 'allow', lifetime: 'always', scope: 'any', session: null, id: 'x', created: 5, ...facts });
}

const ASKED_BY_MACHINE: Partial<Question> = { name: 'www.example.org', names: [{ name: 'www.example.org', source: 'machine' }] };
const LOOKUP: Partial<Question> = { ...ASKED_BY_MACHINE, isLookup: true, tuple: tuple({ protocol: 17, destinationPort: 53 }) };
const LONG_NAME = `${'a'.repeat(30)}.${'b'.repeat(30)}.example.org`;

describe('what a rule made from an answer is called', () => {
  const names: readonly (readonly [string, Partial<Question>, Partial<AnswerFacts>, string])[] = [
    ['an address', {}, { scope: 'host' }, 'curl: 10.77.0.2, tcp 443'],
    ['an address with the name that led to it', ASKED_BY_MACHINE, { scope: 'host' }, 'curl: www.example.org (10.77.0.2), tcp 443'],
    ['the address of a name server, which is not what it is asked for', LOOKUP, { scope: 'host' }, 'curl: 10.77.0.2, udp 53'],
    ['a name that is looked up', LOOKUP, { scope: 'host', domain: 'www.example.org' }, 'curl: www.example.org'],
    ['a domain', ASKED_BY_MACHINE, { scope: 'domain', domain: '*.example.org' }, 'curl: *.example.org, tcp 443'],
    ['the end of a long name', {}, { scope: 'host', domain: LONG_NAME }, `curl: …${LONG_NAME.slice(-47)}, tcp 443`],
    ['a name that just fits', {}, { scope: 'host', domain: LONG_NAME.slice(-48) }, `curl: ${LONG_NAME.slice(-48)}, tcp 443`],
    ['a port', {}, { scope: 'port' }, 'curl: any host, tcp 443'],
    ['anything', {}, { scope: 'any' }, 'curl: anything'],
    ['a ping, which has no port', { tuple: tuple({ protocol: 1, destinationPort: 8 }) }, { scope: 'host' }, 'curl: 10.77.0.2, icmp'],
    ['a script', { path: '/usr/bin/python3', identity: { path: '/usr/bin/python3', script: '/opt/backup.py' } }, {}, 'backup.py: anything'],
    ['a process whose program nobody knows', { path: null, owner: owner({ command: 'mystery' }) }, {}, 'mystery: anything'],
    ['a program with a deceiving name', { path: '/opt/good\u202eexe' }, {}, 'good\u{fffd}exe: anything'],
    ['a program with a long name', { path: `/opt/${'p'.repeat(60)}` }, {}, `${'p'.repeat(48)}: anything`],
  ];
  for (const [what, change, facts, wanted] of names) {
    test(`answerRule: ${what} is told`, () => { assert.equal(answered(change, facts).name, wanted); });
  }
});

describe('whom and what it names', () => {
  test('answerRule: the whole rule is the user’s, in memory, and in no group', () => {
    assert.deepEqual(answered({}, { action: 'drop', lifetime: 'boot' }), {
      id: 'x', name: 'curl: anything', action: 'drop', enabled: true, match: { path: '/usr/bin/curl', uid: 1000 }, lifetime: 'boot',
      priority: 0, tier: 'user', group: '', created: 5, source: null,
    });
  });

  const script: Partial<Question> = {
    path: '/opt/python', identity: { path: '/opt/python', interpreter: true, script: '/opt/backup.py', scriptEvidence: 'exec' },
  };
  test('answerRule: a script is allowed under its interpreter only, and refused under every one', () => {
    assert.deepEqual(answered(script).match, { script: '/opt/backup.py', path: '/opt/python', uid: 1000 });
    for (const action of ['deny', 'drop'] as const) assert.deepEqual(answered(script, { action }).match, { script: '/opt/backup.py', uid: 1000 });
    assert.deepEqual(answered({}, { action: 'deny' }).match, { path: '/usr/bin/curl', uid: 1000 });
  });

  test('answerRule: an interpreter without a script is named with whatever it runs', () => {
    const interpreter = { path: '/usr/bin/python3', identity: { path: '/usr/bin/python3', interpreter: true } };
    assert.deepEqual(answered(interpreter, { lifetime: 'process' }).match, {
      path: '/usr/bin/python3', allScripts: true, uid: 1000, process: { pid: 100, startNs: 5n },
    });
  });

  test('answerRule: children are in it where that was said, and only there', () => {
    assert.deepEqual(answered({}, { includeChildren: true }).match, { path: '/usr/bin/curl', uid: 1000, includeChildren: true });
    assert.deepEqual(answered({}, { includeChildren: false }).match, { path: '/usr/bin/curl', uid: 1000 });
  });

  test('answerRule: without a login session it is bound to none', () => {
    assert.deepEqual(answered({}, { lifetime: 'session', session: null }).match, { path: '/usr/bin/curl', uid: 1000 });
    assert.deepEqual(answered({}, { lifetime: 'boot', session: 's1' }).match, { path: '/usr/bin/curl', uid: 1000 });
  });

  test('answerRule: a ping of either version is both', () => {
    for (const protocol of [1, 58]) {
      assert.deepEqual(answered({ tuple: tuple({ protocol }) }, { scope: 'port' }).match, { path: '/usr/bin/curl', uid: 1000, protocols: [1, 58] });
    }
  });

  test('answerRule: a domain that nobody named is no rule for every host', () => {
    assert.throws(() => answered({}, { scope: 'domain' }), /an answer for a domain needs one/);
  });

  test('answerDomains: only a host and a domain have names', () => {
    const asked = question({ name: 'www.example.org', names: [{ name: 'www.example.org', source: 'program' }] });
    const found = (['host', 'domain', 'port', 'any'] as const).map((scope) => answerDomains(asked, scope));
    assert.deepEqual(found, [['www.example.org'], ['*.example.org'], [null], [null]]);
    assert.deepEqual(answerDomains(question(), 'domain'), []);
  });
});

describe('the id of a rule', () => {
  const ids: readonly (readonly [string, Partial<Question>, Scope, string | null, string])[] = [
    ['a name with its port', {}, 'host', 'www.example.org', 'curl-www.example.org-443-ab12'],
    ['a name that is looked up', LOOKUP, 'host', 'www.example.org', 'curl-www.example.org-ab12'],
    ['the address of which nothing is left', { tuple: tuple({ family: 6, destinationAddress: '::' }) }, 'host', null, 'curl-443-ab12'],
    ['a program between signs', { path: '/opt/..-app.-' }, 'any', null, 'app-any-ab12'],
    ['a long program, without the sign at its end', { path: `/opt/${'a'.repeat(22)}.-bcd` }, 'any', null, `${'a'.repeat(22)}-any-ab12`],
    ['a long program', { path: `/opt/${'a'.repeat(40)}` }, 'any', null, `${'a'.repeat(24)}-any-ab12`],
    ['the end of a long name', {}, 'host', `www.${'b'.repeat(40)}.org`, `curl-${'b'.repeat(26)}.org-443-ab12`],
    ['a long name without the signs at its beginning', {}, 'host', `www.-${'b'.repeat(24)}.org`, `curl-${'b'.repeat(24)}.org-443-ab12`],
    ['a script', { identity: { path: '/usr/bin/python3', script: '/opt/backup.py' } }, 'any', null, 'backup.py-any-ab12'],
  ];
  for (const [what, change, scope, domain, wanted] of ids) {
    test(`answerRuleId: ${what}: ${wanted}`, () => { assert.equal(answerRuleId(question(change), scope, 'ab12', domain), wanted); });
  }
});
