/** Which file an interpreter's command line makes it run, and that nothing else is taken for one. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isInterpreter, isShell, scriptOperand } from '../../helper/adapters/identities/interpreters.ts';

function operand(path: string, ...words: readonly string[]): string | null {
  return scriptOperand(path, { words: [path, ...words], truncated: false });
}

const TOOL = '/opt/tool';

describe('programs that run scripts of others', () => {
  for (const name of ['python3', 'python3.11', 'pypy3', 'perl', 'perl5.36.0', 'ruby3.1', 'bash', 'dash', 'sh', 'zsh', 'zsh-5.9', 'mksh', 'node',
    'nodejs', 'java', 'php8.2', 'lua5.4', 'luajit', 'deno', 'bun', 'busybox', 'tclsh8.6', 'electron', 'gjs', 'mawk', 'pwsh', 'guile-3.0']) {
    test(`${name} is one`, () => { assert.equal(isInterpreter(`/usr/bin/${name}`), true); });
  }
  for (const name of ['firefox', 'curl', 'ssh', 'rsh', 'fish-server', 'python-config.sh.txt', 'wish-list', 'perldoc.bin', 'java-tool', 'nodepad']) {
    test(`${name} is none`, () => { assert.equal(isInterpreter(`/usr/bin/${name}`), false); });
  }
  test('ssh and its like are no shells', () => {
    assert.equal(isShell('/usr/bin/bash'), true);
    for (const name of ['ssh', 'mosh', 'python3', 'wish']) assert.equal(isShell(`/usr/bin/${name}`), false);
  });
});

describe('the script is the first word that is no option', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['/usr/bin/python3', [TOOL, '-c', 'x']], ['/usr/bin/python3', ['-Bu', '-W', 'ignore', TOOL]], ['/usr/bin/python3', ['-Xdev', '-I', TOOL]],
    ['/usr/bin/bash', [TOOL]], ['/bin/sh', ['-eu', TOOL, '-c']], ['/usr/bin/bash', ['-eo', 'pipefail', '--norc', TOOL]], ['/usr/bin/bash', ['--', TOOL]],
    ['/usr/bin/perl', ['-w', '-T', TOOL]], ['/usr/bin/perl', ['--', TOOL]], ['/usr/bin/ruby', ['-W0', TOOL]],
    ['/usr/bin/node', ['--no-warnings', '--max-old-space-size=64', TOOL]], ['/usr/bin/java', ['-Xmx1g', '-jar', TOOL]],
    ['/usr/bin/java', ['-XX:+UseG1GC', '-Dfile.encoding=UTF-8', '-jar', TOOL, '-cp', 'x']], ['/usr/bin/php', ['-q', TOOL]], ['/usr/bin/php', ['-f', TOOL]],
    ['/usr/bin/lua5.4', ['-W', TOOL]],
  ];
  for (const [path, words] of cases) {
    test(`${path} ${words.join(' ')}`, () => { assert.equal(operand(path, ...words), TOOL); });
  }
});

describe('where the code is elsewhere, or may be, there is no script', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['python3', ['-c', 'evil', TOOL]], ['python3', ['-Bc', 'evil', TOOL]], ['python3', ['-m', 'evil', TOOL]], ['python3', ['-mevil', TOOL]],
    ['python3', ['-', TOOL]], ['python3', []], ['python3', ['-i', TOOL]], ['python3', ['--unknown', TOOL]], ['python3', ['', TOOL]],
    ['python3', ['-W', TOOL]], ['python3', ['/dev/fd/3', TOOL]], ['python3', ['/proc/self/fd/3']], ['python3', ['/dev/stdin']],
    ['bash', ['-c', 'evil', TOOL]], ['bash', ['-ec', 'evil', TOOL]], ['bash', ['-s', TOOL]], ['bash', ['-i', TOOL]], ['bash', ['-l', TOOL]],
    ['bash', ['--rcfile', 'x', TOOL]], ['bash', ['--init-file=x', TOOL]], ['dash', ['-sc', TOOL]], ['sh', ['-o', TOOL]],
    ['perl', ['-e', 'evil', TOOL]], ['perl', ['-wE', 'evil', TOOL]], ['perl', ['-Mevil', TOOL]], ['perl', ['-I/tmp', TOOL]], ['perl', ['-d:evil', TOOL]],
    ['perl', ['-x', TOOL]], ['ruby', ['-e', 'evil', TOOL]], ['ruby', ['-revil', TOOL]], ['ruby', ['-I', '/tmp', TOOL]], ['ruby', ['-S', TOOL]],
    ['node', ['-e', 'evil', TOOL]], ['node', ['-p', 'evil', TOOL]], ['node', ['-r', './evil', TOOL]], ['node', ['--require=./evil', TOOL]],
    ['node', ['--import', './evil', TOOL]], ['node', ['--inspect', TOOL]], ['node', ['--env-file=x', TOOL]], ['node', ['inspect', TOOL]],
    ['node', ['--loader', 'x', TOOL]], ['node', ['-', TOOL]], ['node', ['--test', TOOL]],
    ['java', ['-cp', '/tmp', 'Evil', TOOL]], ['java', ['Evil', TOOL]], ['java', ['-javaagent:evil.jar', '-jar', TOOL]], ['java', ['@args', TOOL]],
    ['java', ['-Djava.system.class.loader=Evil', '-jar', TOOL]], ['java', ['-XX:OnError=evil', '-jar', TOOL]], ['java', ['-jar']],
    ['php', ['-r', 'evil', TOOL]], ['php', ['-d', 'auto_prepend_file=evil', TOOL]], ['php', ['-S', 'x', TOOL]], ['php', ['--', TOOL]],
    ['lua5.4', ['-e', 'evil', TOOL]], ['lua5.4', ['-levil', TOOL]], ['lua5.4', ['-i', TOOL]],
    ['deno', ['run', TOOL]], ['bun', [TOOL]], ['busybox', ['sh', TOOL]], ['electron', [TOOL]], ['curl', [TOOL]],
  ];
  for (const [name, words] of cases) {
    test(`${name} ${words.join(' ')}`, () => { assert.equal(operand(`/usr/bin/${name}`, ...words), null); });
  }

  test('a login shell reads files of its user first', () => {
    assert.equal(scriptOperand('/usr/bin/bash', { words: ['-bash', TOOL], truncated: false }), null);
  });

  test('the program\'s own name says nothing: argv[0] is whatever its caller wrote', () => {
    assert.equal(scriptOperand('/usr/bin/python3', { words: [TOOL, '-c', 'evil'], truncated: false }), null);
    assert.equal(scriptOperand('/usr/bin/curl', { words: ['python3', TOOL], truncated: false }), null);
  });

  test('a word that may have been cut is no script, one before it is', () => {
    assert.equal(scriptOperand('/usr/bin/python3', { words: ['python3', TOOL], truncated: true }), null);
    assert.equal(scriptOperand('/usr/bin/python3', { words: ['python3', TOOL, 'x'], truncated: true }), TOOL);
  });
});
