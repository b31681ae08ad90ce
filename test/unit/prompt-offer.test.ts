/** What a prompt offers for the programs that people know, and which flows are one question to them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Identity } from '../../helper/contract/vocabulary.ts';
import { choices } from '../../helper/prompt/choices.ts';
import type { ChoiceFacts } from '../../helper/prompt/choices.ts';
import type { Question } from '../../helper/prompt/question.ts';
import { PATH } from './policy-support.ts';
import { owner, question } from './prompt-support.ts';

const USER: ChoiceFacts = { system: false, hasSession: true, requireKernelIdentity: false, expired: false };

function lifetimes(change: Partial<Question>, facts: Partial<ChoiceFacts> = {}): readonly string[] {
  return choices(question(change), { ...USER, ...facts }).lifetimes;
}

const known = (change: Partial<Identity>): Partial<Question> => ({ identity: { path: PATH, ...change } });

describe('the program decides what is proposed', () => {
  test('choices: a browser is proposed every host on one port, for good, under each of its names', () => {
    const names = 'brave brave-browser chrome chromium epiphany epiphany-browser falkon firefox firefox-esr konqueror librewolf msedge opera palemoon vivaldi-bin';
    for (const name of names.split(' ')) {
      const { defaultLifetime, defaultScope } = choices(question({ path: `/usr/lib/${name}/${name}` }), USER);
      assert.deepEqual([name, defaultLifetime, defaultScope], [name, 'always', 'port']);
    }
  });

  test('choices: a program for one errand is proposed this once', () => {
    const names = 'aria2c curl dig ftp git git-remote-http git-remote-https host nc nc.openbsd ncat nslookup ping rsync scp sftp socat ssh telnet traceroute wget whois';
    for (const name of names.split(' ')) {
      const { defaultLifetime, defaultScope } = choices(question({ path: `/usr/bin/${name}` }), USER);
      assert.deepEqual([name, defaultLifetime, defaultScope], [name, 'once', 'host']);
    }
  });

  test('choices: what a service needs it needs for good, whatever it is called', () => {
    assert.equal(choices(question(), { ...USER, system: true }).defaultLifetime, 'always');
    assert.equal(choices(question({ path: '/usr/bin/firefox' }), { ...USER, system: true }).defaultScope, 'port');
  });

  test('choices: where nothing can be said of it any more, this once is what is left', () => {
    const offered = choices(question({ path: null, confidence: 'unknown', evidence: 'sock_diag' }), { ...USER, expired: true });
    assert.deepEqual([offered.lifetimes, offered.defaultLifetime], [[], 'once']);
  });
});

describe('what holds for how long', () => {
  test('choices: a process that has ended, and what the kernel sends, are no process to bind a rule to', () => {
    assert.ok(lifetimes({}).includes('process'));
    assert.ok(lifetimes({}, { ended: false }).includes('process'));
    assert.ok(!lifetimes({}, { ended: true }).includes('process'));
    assert.deepEqual(lifetimes({ path: 'kernel', owner: owner({ pid: 0 }) }, { hasSession: false }), ['once', 'boot', 'until', 'always']);
  });

  test('choices: of a changed program, or of a changed script, nothing is offered but this once', () => {
    assert.deepEqual(lifetimes(known({ integrity: 'changed' })), ['once']);
    assert.deepEqual(lifetimes(known({ scriptIntegrity: 'changed' })), ['once']);
    assert.equal(lifetimes(known({ integrity: 'valid', scriptIntegrity: 'valid' })).length, 6);
  });

  test('choices: an interpreter whose script nobody knows has no rule that outlives the process, a packaged script has', () => {
    assert.deepEqual(lifetimes(known({ interpreter: true })), ['once', 'process']);
    assert.deepEqual(lifetimes(known({ interpreter: true, script: '/opt/a.py', scriptEvidence: 'claimed' })), ['once', 'process']);
    assert.equal(lifetimes(known({ interpreter: true, script: '/opt/a.py', scriptEvidence: 'exec' })).length, 6);
  });

  test('choices: a user without a session gets none offered', () => {
    assert.ok(!lifetimes({}, { hasSession: false }).includes('session'));
  });

  test('choices: children are offered for a program that can be named, and not for the kernel', () => {
    assert.equal(choices(question(), USER).children, true);
    assert.equal(choices(question({ path: 'kernel' }), USER).children, false);
    assert.equal(choices(question({ path: null }), USER).children, false);
    assert.equal(choices(question(known({ interpreter: true })), USER).children, false);
  });
});
