/** docs/contributing.md names files, commands and suites that are there. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../lab/process.ts';

const TEXT = readFileSync(join(ROOT, 'docs/contributing.md'), 'utf8');
const QUOTED = [...TEXT.matchAll(/`([^`\n]+)`/gu)].map(([, quoted = '']) => quoted);
/** What building and setting up make. */
const MADE = /^(?:build|node_modules)\//u;

test('contributing: every path in it is there', () => {
  const top = readdirSync(ROOT, { withFileTypes: true }).map(({ name }) => name);
  const paths = QUOTED.filter((quoted) => top.some((name) => quoted === name || quoted.startsWith(`${name}/`)) && !MADE.test(quoted));
  assert.ok(paths.length > 30);
  for (const path of paths) assert.ok(existsSync(join(ROOT, path)) || path.includes('NAME'), path);
  for (const path of QUOTED.filter((quoted) => /^[\w-]+\.ts$/u.test(quoted))) {
    const folders = ['helper', 'helper/contract', 'helper/adapters/rule-store'];
    assert.ok(folders.some((folder) => existsSync(join(ROOT, folder, path))), path);
  }
});

test('contributing: every npm command and program of tools/ in it is there', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly scripts: Readonly<Record<string, string>> };
  for (const [, name = ''] of TEXT.matchAll(/npm (?:run )?([a-z][a-z:]*)/gu)) if (name !== 'and') assert.ok(name in scripts, `npm run ${name}`);
  for (const [, path = ''] of TEXT.matchAll(/`node ([\w./-]+)/gu)) assert.ok(existsSync(join(ROOT, path)), path);
});

test('contributing: it has every suite that there is, and no other', () => {
  const table = TEXT.slice(TEXT.indexOf('| suite |'), TEXT.indexOf('- One file'));
  const named = [...table.matchAll(/^\| (\w+) \| .* \| `(npm [^`]+)` \|$/gmu)].map(([, name = '', command = '']) => [name, command]);
  const folders = readdirSync(join(ROOT, 'test'), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map(({ parentPath }) => parentPath.slice(join(ROOT, 'test').length + 1).split('/')[0] ?? '');
  assert.deepEqual(named.map(([name]) => name).sort(), [...new Set(['lint', ...folders])].sort());
  const runner = readFileSync(join(ROOT, 'test/run.ts'), 'utf8');
  const usual = /DEFAULT_SUITES = \[([^\]]+)\]/u.exec(runner)?.[1] ?? '';
  for (const [name = '', command] of named) assert.equal(command, usual.includes(`'${name}'`) ? 'npm test' : `npm run test:${name}`);
});
