/** Which flows are one question: a flow that looks worse never joins one that looks better, and nobody answers for another. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ContainerEnd, Identity } from '../../helper/contract/vocabulary.ts';
import { applicationKey, isLookup, lastingProgram, questionKey } from '../../helper/prompt/question.ts';
import type { Question } from '../../helper/prompt/question.ts';
import { PATH, tuple } from './policy-support.ts';
import { owner, question } from './prompt-support.ts';

const known = (change: Partial<Identity>, path: string | null = PATH): Partial<Question> => ({ path, identity: { path, ...change } });
const web: ContainerEnd = { engine: 'docker', id: 'a'.repeat(64), name: 'web', image: 'nginx', side: 'sender', certain: true };

describe('what a program is called for longer than its process', () => {
  const names: readonly (readonly [string, Partial<Question>, ReturnType<typeof lastingProgram>])[] = [
    ['its path', {}, { path: PATH }],
    ['nothing, where no path is known', { path: null }, null],
    ['its Flatpak', known({ flatpak: 'org.example.App' }), { flatpak: 'org.example.App' }],
    ['its snap', known({ snap: 'app' }), { snap: 'app' }],
    ['its AppImage', known({ appImage: '/opt/a.AppImage' }), { appImage: '/opt/a.AppImage' }],
    ['the script of a packaged interpreter', known({ interpreter: true, package: 'python3', script: '/opt/a.py', scriptEvidence: 'exec' }), { script: '/opt/a.py' }],
    ['the script and the interpreter that is nobody’s package', known({ interpreter: true, script: '/opt/a.py', scriptEvidence: 'exec' }),
      { script: '/opt/a.py', path: PATH }],
    ['the script alone, where no path is known', known({ interpreter: true, script: '/opt/a.py', scriptEvidence: 'exec' }, null), { script: '/opt/a.py' }],
    ['nothing, where the script is what the process says', known({ interpreter: true, script: '/opt/a.py', scriptEvidence: 'claimed' }), null],
    ['that script, where all is known through /proc only',
      { ...known({ interpreter: true, script: '/opt/a.py', scriptEvidence: 'claimed' }), confidence: 'likely' }, { script: '/opt/a.py', path: PATH }],
    ['nothing, where there is no script', known({ interpreter: true, scriptEvidence: 'exec' }), null],
  ];
  for (const [what, change, wanted] of names) {
    test(`lastingProgram: ${what}`, () => { assert.deepEqual(lastingProgram(question(change)), wanted); });
  }
});

describe('one program', () => {
  const different: readonly (readonly [string, Partial<Question>, Partial<Question>])[] = [
    ['two Flatpaks with one runtime', known({ flatpak: 'org.example.A' }), known({ flatpak: 'org.example.B' })],
    ['two snaps', known({ snap: 'a' }), known({ snap: 'b' })],
    ['two AppImages', known({ appImage: '/a.AppImage' }), known({ appImage: '/b.AppImage' })],
    ['two scripts', known({ interpreter: true, script: '/a.py', scriptEvidence: 'exec' }), known({ interpreter: true, script: '/b.py', scriptEvidence: 'exec' })],
    ['one script under two interpreters', known({ interpreter: true, script: '/a.py', scriptEvidence: 'exec' }),
      known({ interpreter: true, script: '/a.py', scriptEvidence: 'exec' }, '/tmp/python3')],
    ['two files without a path whose numbers read alike',
      { path: null, owner: owner({ executable: { device: 1, inode: 23n, generation: 0, ctimeSec: 1 } }) },
      { path: null, owner: owner({ executable: { device: 12, inode: 3n, generation: 0, ctimeSec: 1 } }) }],
  ];
  for (const [what, a, b] of different) {
    test(`applicationKey: not ${what}`, () => {
      assert.notEqual(applicationKey(question(a)), applicationKey(question(b)));
      assert.equal(applicationKey(question(a)), applicationKey(question(a)));
    });
  }

  test('applicationKey: one Flatpak is one program, whichever of its files runs', () => {
    assert.equal(applicationKey(question(known({ flatpak: 'org.example.A' }))), applicationKey(question(known({ flatpak: 'org.example.A' }, '/app/bin/b'))));
  });
});

describe('one question', () => {
  const forwarded = (address: string, containers?: readonly ContainerEnd[]): Partial<Question> => ({
    path: null, owner: owner({ forwardedFrom: address }), tuple: tuple({ sourceAddress: address }), ...(containers === undefined ? {} : { containers }),
  });
  const different: readonly (readonly [string, Partial<Question>, Partial<Question>])[] = [
    ['of the program and of its changed file', {}, known({ integrity: 'changed' })],
    ['of a script that the kernel saw and of one that is claimed', known({ script: '/a.py', scriptEvidence: 'exec' }), known({ script: '/a.py', scriptEvidence: 'claimed' })],
    ['of two claimed scripts', known({ script: '/a.py', scriptEvidence: 'claimed' }), known({ script: '/b.py', scriptEvidence: 'claimed' })],
    ['of a certain and of a likely program', {}, { confidence: 'likely' }],
    ['of a likely and of an unknown program', { confidence: 'likely' }, { confidence: 'unknown' }],
    ['of two machines whose flows are forwarded', forwarded('10.0.3.2'), forwarded('10.0.3.3')],
    ['of a container and of none', forwarded('10.0.3.2', [web]), forwarded('10.0.3.2')],
    ['of two names of a container', forwarded('10.0.3.2', [web]), forwarded('10.0.3.2', [{ ...web, name: 'db' }])],
    ['of a container that is certain and of one that is not', forwarded('10.0.3.2', [web]), forwarded('10.0.3.2', [{ ...web, certain: false }])],
    ['of a lookup and of a connection to the same name', { name: 'example.org', isLookup: true }, { name: 'example.org' }],
  ];
  for (const [what, a, b] of different) {
    test(`questionKey: not ${what}`, () => { assert.notEqual(questionKey(question(a)), questionKey(question(b))); });
  }

  const same: readonly (readonly [string, Partial<Question>, Partial<Question>])[] = [
    ['from two ports and addresses of this machine', {}, { tuple: tuple({ sourceAddress: '10.77.0.9', sourcePort: 9 }) }],
    ['to one name, however it is written', { name: 'Example.ORG' }, { name: 'example.org' }],
    ['by lookups of one name, however it is written', { name: 'Example.ORG', isLookup: true }, { name: 'example.org', isLookup: true }],
    ['by pings of two types', { tuple: tuple({ protocol: 1, destinationPort: 8 }) }, { tuple: tuple({ protocol: 1, destinationPort: 13 }) }],
    ['by pings of both versions to one name', { name: 'a.example', tuple: tuple({ protocol: 1, destinationPort: 8 }) },
      { name: 'a.example', tuple: tuple({ family: 6, protocol: 58, destinationPort: 128, destinationAddress: '2001:db8::1' }) }],
  ];
  for (const [what, a, b] of same) {
    test(`questionKey: ${what}`, () => { assert.equal(questionKey(question(a)), questionKey(question(b))); });
  }

  test('isLookup: a question on the port of name servers, by a protocol with ports', () => {
    const dns = tuple({ protocol: 17, destinationPort: 53 });
    assert.equal(isLookup(dns, 'example.org'), true);
    assert.equal(isLookup({ ...dns, protocol: 6 }, 'example.org'), true);
    assert.equal(isLookup(dns, null), false);
    assert.equal(isLookup({ ...dns, destinationPort: 5353 }, 'example.org'), false);
    assert.equal(isLookup({ ...dns, protocol: 1 }, 'example.org'), false);
  });
});
