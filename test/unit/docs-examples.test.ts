/** The examples of the documents are taken by what they are for; names in them are names that there are. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { Script, createContext } from 'node:vm';
import { CommanderError } from 'commander';
import { parseAllDocuments } from 'yaml';
import { readTrustedApplications } from '../../helper/adapters/applications/trusted-toml.ts';
import { readRuleFile } from '../../helper/adapters/rule-store/rule-file.ts';
import { readSettings } from '../../helper/adapters/rule-store/settings.ts';
import { EXIT } from '../../helper/contract/names.ts';
import { COMMANDS, PROGRAM_TEXT } from '../../helper/ctl/commands.ts';
import { UsageError } from '../../helper/ctl/errors.ts';
import { makeParser } from '../../helper/ctl/tree.ts';
import { bastionctl } from './ctl-support.ts';
import { GUIDES, bastionctlArguments, blocksOf, commandsOf, inlineOf, textOf } from './docs-support.ts';
import type { Block } from './docs-support.ts';
import { parsers } from './rule-store-support.ts';

/** They look at the machine, wait for a person, or read a file that is not there. */
const NOT_RUN = ['agent', 'doctor', 'monitor', 'rescue', 'rules import', 'rules simulate'];
/** Of a line that wants more words. */
const UNFINISHED = new Set(['commander.missingArgument', 'commander.help']);
const POLICY = textOf('data/polkit/org.bastionfirewall.helper1.policy');

function blocks(language: string): readonly Block[] {
  return GUIDES.flatMap((file) => blocksOf(file)).filter((block) => block.language === language);
}

/** What is wrong with the line; '' for nothing. In a sentence a command may be named without what it wants. */
function problemOf(args: readonly string[], isNamed = false): string {
  const ignore = { out: () => undefined, err: () => undefined };
  try {
    const parser = makeParser(COMMANDS, PROGRAM_TEXT, ignore, () => undefined);
    if (args.length > 0) parser.parse(args, { from: 'user' });
    return '';
  } catch (error: unknown) {
    if (!(error instanceof CommanderError) && !(error instanceof UsageError)) throw error;
    if (isNamed && error instanceof CommanderError && UNFINISHED.has(error.code)) return '';
    return `bastionctl ${args.join(' ')}: ${error.message}`;
  }
}

/** The same with what the command itself says of its arguments, against a helper that is written down. */
async function failureOf(args: readonly string[]): Promise<string> {
  const problem = problemOf(args);
  if (problem !== '' || NOT_RUN.some((verb) => args.join(' ').startsWith(verb))) return problem;
  const { exitCode, stderr } = await bastionctl(args);
  return exitCode === EXIT.usage ? stderr : '';
}

/** What is wrong with a block, by the reader of the file that it is a part of. */
async function tomlProblems({ text }: Block): Promise<readonly unknown[]> {
  const tables = [...text.matchAll(/^\[+(\w+)/gmu)].map(([, name]) => name);
  if (tables.length > 0 && tables.every((name) => name === 'rule' || name === 'override')) {
    const { problems, notes } = await readRuleFile(text, { parsers, overrides: true });
    return [...problems, ...notes];
  }
  if (tables.includes('application')) return (await readTrustedApplications(text)).problems;
  const read = readSettings(text);
  return read.ok ? [] : read.problems;
}

type PolkitRule = (action: { readonly id: string }, subject: { readonly isInGroup: (name: string) => boolean }) => unknown;

/** What the rules of a file say to the action of somebody who is in these groups. */
function polkitSays({ text }: Block, action: string, groups: readonly string[]): unknown {
  const rules: PolkitRule[] = [];
  const polkit = { Result: { YES: 'yes', AUTH_ADMIN: 'auth_admin' }, addRule: (rule: PolkitRule) => rules.push(rule) };
  new Script(text).runInContext(createContext({ polkit }));
  const [rule] = rules;
  assert.ok(rule !== undefined);
  return rule({ id: `org.bastionfirewall.helper1.${action}` }, { isInGroup: (name) => groups.includes(name) });
}

test('documents: each code block says what it is', () => {
  for (const { file, line, language } of GUIDES.flatMap((name) => blocksOf(name))) assert.notEqual(language, '', `${file}:${String(line)}`);
});

test('documents: rules, settings and trusted programs are right', async () => {
  const found = blocks('toml');
  assert.ok(found.length > 15);
  const wrong = await Promise.all(found.map(async (block) => {
    const problems = await tomlProblems(block);
    return problems.length === 0 ? [] : [{ file: block.file, line: block.line, problems }];
  }));
  assert.deepEqual(wrong.flat(), []);
});

test('documents: every bastionctl line is one that bastionctl takes', async () => {
  const lines = blocks('sh').flatMap(({ text }) => commandsOf(text)).map(bastionctlArguments).filter((args) => args !== null);
  assert.ok(lines.length > 50);
  const failures: string[] = [];
  for (const args of lines) failures.push(await failureOf(args));
  assert.deepEqual(failures.filter((one) => one !== ''), []);
});

test('documents: every command that a sentence names is one of bastionctl', () => {
  const named = GUIDES.flatMap((file) => inlineOf(file)).flatMap(commandsOf).map(bastionctlArguments).filter((args) => args !== null);
  assert.ok(named.length > 80);
  assert.deepEqual(named.map((args) => problemOf(args, true)).filter((one) => one !== ''), []);
});

test('documents: a wrong command, option or value is found', async () => {
  assert.match(await failureOf(['rules', 'add', 'allow', '--applikation', 'x']), /unknown option/u);
  assert.match(await failureOf(['mode', 'off']), /not one of/u);
  assert.match(await failureOf(['pause', '2d']), /pause/u);
  assert.match(problemOf(['networks'], true), /unknown command/u);
});

test('documents: shell, YAML and JSON can be read', () => {
  for (const { file, line, text } of blocks('sh')) {
    assert.doesNotThrow(() => execFileSync('/bin/sh', ['-n'], { input: text, stdio: ['pipe', 'ignore', 'pipe'] }), `${file}:${String(line)}`);
  }
  for (const { file, line, text } of blocks('yaml')) {
    assert.deepEqual(parseAllDocuments(text).flatMap(({ errors }) => errors), [], `${file}:${String(line)}`);
  }
  for (const { text } of blocks('json')) JSON.parse(text);
});

test('documents: rules for polkit do what is said, in the language that Debian\'s polkit reads', () => {
  const [netops, classroom] = blocks('js');
  assert.ok(netops !== undefined && classroom !== undefined);
  for (const { text } of blocks('js')) {
    assert.doesNotMatch(text, /=>|\b(?:const|let)\b|`/u);
    new Script(text);
  }
  const granted = ['view', 'view-all', 'register-agent', 'answer', 'edit-rules'];
  for (const [, action = ''] of POLICY.matchAll(/action id="org\.bastionfirewall\.helper1\.([a-z-]+)"/gu)) {
    assert.equal(polkitSays(netops, action, ['netops']), granted.includes(action) ? 'yes' : undefined, action);
    assert.equal(polkitSays(netops, action, ['users']), undefined, action);
    assert.equal(polkitSays(classroom, action, []), action === 'answer' ? 'auth_admin' : undefined, action);
  }
});

test('documents: actions of polkit, fields of the journal, metrics and members of D-Bus are those that there are', () => {
  const fields = `${textOf('data/man/bastion-helper.8')} ${textOf('test/lab/lab.ts')}`;
  const metrics = textOf('helper/adapters/metrics.ts');
  const contract = textOf('data/dbus/org.bastionfirewall.Helper1.xml');
  for (const file of GUIDES) {
    const text = textOf(file);
    for (const [id] of text.matchAll(/org\.bastionfirewall\.helper1\.[a-z-]+(?<!\.policy)/gu)) assert.ok(POLICY.includes(`"${id}"`), `${file}: ${id}`);
    for (const [, field = ''] of text.matchAll(/\b(BASTION_[A-Z]+)=/gu)) assert.ok(fields.includes(field), `${file}: ${field}`);
    for (const [, name = ''] of text.matchAll(/\bbastion_([a-z_]+)[{[]/gu)) assert.ok(metrics.includes(`'${name}'`), `${file}: ${name}`);
    for (const [all, member = ''] of text.matchAll(/`(?:Rules|Prompts|Activity|Applications|Network)\.([A-Z]\w+)`/gu)) {
      assert.ok(contract.includes(`name="${member}"`), `${file}: ${all}`);
    }
  }
});

test('the user guide: what it says to press, and the parts of windows that it names, are there', () => {
  const said = textOf('po/bastion-firewall.pot').replaceAll('_', '').replaceAll('’', "'");
  const bold = [...textOf('docs/user-guide.md').matchAll(/\*\*([A-Z][^*]*[^*.])\*\*/gu)].map(([, label = '']) => label.replaceAll(/\s+/gu, ' '));
  assert.ok(bold.length > 20);
  assert.deepEqual(bold.filter((label) => !said.includes(`"${label}"`) && !said.includes(`"${label}…"`)), []);
});
