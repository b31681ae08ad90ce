/** Names that users give to their programs, and the environment, reach the real helper's log only escaped and on one line. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Lab } from '../lab/lab.ts';
import { ROOT } from '../lab/process.ts';
import { noLab, until } from './support.ts';

/** As printf takes them: line feeds, levels of the journal, escapes of terminals, bytes that are no UTF-8, other directions. */
const NAMES = [
  'a\\n<0>forged', '<3>level', 'esc\\033[2J\\033]0;title\\007', 'bytes\\377\\376\\303', 'turned\\342\\200\\256txt', 'field\\nBASTION_UID=0 x="1"', 'end\\\\u{41}',
];
/** Each as long as a name may be; together nearly as long as a path may be. */
const DEEP = 14;
const SCRIPT = `set -u
folder=$1; target=$2; shift 2
run() { cp /usr/bin/curl "$1" && "$1" --silent --max-time 2 "$target"; true; }
for name do run "$folder/$(printf "$name")"; done
cd "$folder"
deep=$(printf '%0250d' 7)
for level in $(seq ${String(DEEP)}); do mkdir "$deep" && cd "$deep"; done
run "$PWD/long"`;

describe('logging', { skip: noLab() }, () => {
  test('hostile names of programs and a hostile BASTION_LOG begin no line, act on no terminal and hide nothing', async () => {
    await using lab = await Lab.create({
      defaultAction: 'deny',
      helperProgram: ['env', 'BASTION_LOG=debug\n<0>forged\u001b[2J', join(ROOT, 'build/bin/bastion-helper')],
    });
    assert.match(lab.logText(), /^BASTION_LOG names no level and is ignored value=debug\\u\{a\}<0>forged\\u\{1b\}\[2J levels=/mu);
    const { stderr } = await lab.run(['sh', '-c', SCRIPT, 'sh', join(lab.folder, 'bin'), `http://${lab.peer4}:7/`, ...NAMES], { as: 'root' });
    assert.equal(stderr, '');
    const refused = (): readonly string[] => lab.logText().split('\n').filter((line) => line.startsWith('a connection was refused '));
    // A program that tries again has two lines.
    const shown = ['a\\u{a}<0>forged', '<3>level', 'esc\\u{1b}[2J', 'turned\\u{202e}txt', 'BASTION_UID=0', 'end\\\\u{41}', '0'.repeat(100)];
    const missing = (): readonly string[] => shown.filter((one) => !refused().join('\n').includes(one));
    await until('a line for each program', () => Promise.resolve(refused().length > NAMES.length && missing().length === 0 ? true : null))
      .catch((error: unknown) => { throw new Error(`${missing().join(', ')} in ${refused().join('\n')}`, { cause: error }); });
    for (const line of refused()) assert.match(line, /^[^\p{C}\p{Zl}\p{Zp}]* uid=0 .*address=10\.\d+\.\d+\.\d+ port=7 /u);
    assert.ok(lab.logText().split('\n').every((line) => !/^(?:<\d>|forged|BASTION_UID)/u.test(line)));
  });
});
