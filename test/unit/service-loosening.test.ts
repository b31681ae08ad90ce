/** Which answers would go before a rule that forbids, and therefore cost a password. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Answer, RuleInfo } from '../../helper/contract/types.ts';
import { loosens } from '../../helper/service/loosening.ts';
import { promptOf, ruleInfoOf } from '../desktop/samples.ts';

const PROMPT = { ...promptOf({}), path: '/usr/bin/curl', protocol: 'tcp', port: 443, user: 'alice' };
const deny = (change: Partial<RuleInfo>): RuleInfo => (
  ruleInfoOf({ action: 'deny', tier: 'user', path: '', address: '', port: '', protocol: '', user: '', schedule: '', ...change })
);
const allow = (scope: NonNullable<Answer['scope']>): Answer => ({ action: 'allow', lifetime: 'always', scope });

const CASES: readonly (readonly [string, Partial<RuleInfo>, NonNullable<Answer['scope']>, boolean])[] = [
  ['a list that is denied to all, and an answer for any host', { list: 'ads' }, 'any', true],
  ['a list that is denied to all, and an answer for this host', { list: 'ads' }, 'host', false],
  ['a domain that is denied to all, and an answer for the port', { domain: '*.example.org' }, 'port', true],
  ['a domain that is denied to this program, and an answer for this host', { path: '/usr/bin/curl', domain: 'example.org' }, 'host', true],
  ['a denial that hangs on who started the program', { path: '/usr/bin/curl', ancestor: 'path:/usr/bin/make' }, 'host', true],
  ['a denial that hangs on the interface', { zone: 'home' }, 'host', true],
  ['a denial of another profile', { path: '/usr/bin/curl', profile: 'cafe' }, 'host', true],
  ['a denial for a script of this interpreter', { path: '/usr/bin/curl', script: '/opt/x' }, 'host', true],
  ['a package that may be this program’s', { package: 'curl' }, 'any', true],
  ['a denial of what another program starts', { path: '/usr/bin/make', include_children: true }, 'host', true],
  ['a denial of another program', { path: '/usr/bin/make', domain: 'example.org' }, 'any', false],
  ['a denial whose group is switched off', { zone: 'home', group_enabled: false }, 'any', false],
  ['a denial that is switched off', { zone: 'home', enabled: false }, 'any', false],
  ['a denial of another port', { zone: 'home', port: '22' }, 'host', false],
  ['a denial of the administrator, which goes first', { zone: 'home', tier: 'administrator' }, 'any', false],
];

for (const [what, rule, scope, costs] of CASES) {
  test(`${what}: ${costs ? 'costs a password' : 'is answered freely'}`, () => {
    assert.equal(loosens(PROMPT, allow(scope), [deny(rule)]), costs);
  });
}

for (const [what, rule] of [
  ['another program', { path: '/usr/bin/make', domain: 'example.org' }], ['a package', { package: 'telemetry', address: '192.0.2.1' }],
] as const) {
  test(`an answer that covers what the program starts costs a password where ${what} is forbidden something`, () => {
    assert.equal(loosens(PROMPT, { ...allow('host'), include_children: true }, [deny(rule)]), true);
    assert.equal(loosens(PROMPT, { ...allow('host'), action: 'deny', include_children: true }, [deny(rule)]), false);
    assert.equal(loosens(PROMPT, allow('host'), [deny(rule)]), false);
  });
}
