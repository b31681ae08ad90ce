/** The manual pages of the files: each key that is read is in its section, and each example is taken as it stands. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mock, test } from 'node:test';
import { readTrustedApplications } from '../../helper/adapters/applications/trusted-toml.ts';
import { FieldReader } from '../../helper/adapters/rule-store/field-reader.ts';
import { readRuleFile } from '../../helper/adapters/rule-store/rule-file.ts';
import { SETTING_TABLES, readSettings } from '../../helper/adapters/rule-store/settings.ts';
import { ruleTextParsers } from '../../helper/parsers.ts';

/** What the readers complain about before a key -> the section that has it. */
const RULE_SECTIONS = { '': 'Rules', 'application.': 'Programs', 'ancestor.': 'Programs', 'destination.': 'Destinations', 'schedule.': 'Rules', 'lifetime.': 'Rules' };
const SETTING_SECTIONS = {
  '': 'Settings', 'history.': 'History', 'interface.': 'Interfaces', 'profile.': 'Profiles', 'network.': 'Profiles', 'zone.': 'Sets of addresses',
  'allow.': 'What comes in', 'containers.': 'Containers', 'container.': 'Containers', 'safeguard.': 'Safeguard', 'control.': 'Control socket', 'list.': 'Lists',
};

function page(name: string): string {
  return readFileSync(new URL(`../../data/man/${name}`, import.meta.url), 'utf8');
}

/** Words of the lines of a section that show a key: `.It Va key` and `.Va one , two`. */
function keysShown(text: string, heading: string): ReadonlySet<string> {
  const section = text.split(/^\.S[sh] /mu).find((part) => part.startsWith(`${heading}\n`));
  assert.ok(section !== undefined, `there is no section "${heading}"`);
  return new Set([...section.matchAll(/^\.(?:It )?Va (.+)$/gmu)].flatMap(([, words = '']) => words.split(/[ ,;.]+/u)));
}

/** The blocks that people copy, as they see them. */
function examplesOf(text: string): readonly string[] {
  const blocks = [...text.matchAll(/^\.Bd -literal[^\n]*\n([\s\S]*?)^\.Ed$/gmu)].map(([, block = '']) => block);
  assert.ok(blocks.every((block) => !block.includes('\\')), 'an example that roff would change');
  return blocks;
}

/** Reads all examples of a page with the reader of their file; returns what was wrong. */
async function complaintsAbout(examples: readonly string[], isSettings: boolean): Promise<readonly string[]> {
  const found: string[] = [];
  for (const example of examples) {
    if (isSettings) {
      const read = readSettings(example);
      if (!read.ok) found.push(...read.problems.map(({ message }) => message));
    } else if (example.includes('[[application]]')) {
      found.push(...(await readTrustedApplications(example)).problems.map(({ message }) => message));
    } else {
      const { problems, notes, rules, overrides } = await readRuleFile(example, { parsers: ruleTextParsers, overrides: true });
      found.push(...[...problems, ...notes].map(({ message }) => message));
      if (rules.length + overrides.length === 0) found.push(`no rule: ${example}`);
    }
  }
  return found;
}

/** The keys that each table takes, by what stands before them in complaints; asked of the readers while they read `examples`. */
async function keysTaken(examples: readonly string[], isSettings: boolean): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const taken = new Map<string, Set<string>>();
  const asked = mock.method(FieldReader.prototype, 'keys');
  try {
    assert.deepEqual(await complaintsAbout(examples, isSettings), []);
    for (const { arguments: [known, , prefix] } of asked.mock.calls) taken.set(prefix, new Set([...taken.get(prefix) ?? [], ...known]));
  } finally {
    asked.mock.restore();
  }
  return taken;
}

function assertShown(text: string, taken: ReadonlyMap<string, ReadonlySet<string>>, sections: Readonly<Record<string, string>>): void {
  for (const [prefix, keys] of taken) {
    const heading = sections[prefix];
    assert.ok(heading !== undefined, `no section is known for keys after "${prefix}"`);
    const shown = keysShown(text, heading);
    for (const key of keys) assert.ok(shown.has(key), `${prefix}${key} is not in "${heading}"`);
  }
  assert.deepEqual(Object.keys(sections).filter((prefix) => !taken.has(prefix)), [], 'tables of which the page has no example');
}

test('manual: bastion-rules(5) has each key of a rule, its examples are rules, and docs/rules.md has the keys too', async () => {
  const text = page('bastion-rules.5');
  const examples = examplesOf(text).filter((example) => example.includes('[[rule]]'));
  const taken = await keysTaken(examples, false);
  assertShown(text, taken, RULE_SECTIONS);
  assert.ok((taken.get('')?.size ?? 0) > 10);
  const guide = readFileSync(new URL('../../docs/rules.md', import.meta.url), 'utf8');
  for (const key of [...taken.values()].flatMap((keys) => [...keys])) assert.match(guide, new RegExp(`[\` {]${key}(?:\`| = )`, 'u'), `docs/rules.md: ${key}`);
});

test('manual: bastion-rules(5) has each key of an override and of applications.toml', async () => {
  const text = page('bastion-rules.5');
  for (const [word, heading] of [['[[override]]', 'Overrides'], ['[[application]]', 'Trusted programs']] as const) {
    const examples = examplesOf(text).filter((example) => example.includes(word));
    assert.ok(examples.length > 0, word);
    assertShown(text, await keysTaken(examples, false), { '': heading });
  }
});

test('manual: bastion.toml(5) has each setting, and its examples are settings', async () => {
  const text = page('bastion.toml.5');
  const examples = examplesOf(text);
  assertShown(text, await keysTaken(examples, true), SETTING_SECTIONS);
  for (const written of Object.values(SETTING_TABLES)) {
    assert.ok(examples.some((example) => example.includes(`${written}\n`)), `there is no example of ${written}`);
    assert.ok(text.includes(`.Li ${written}`), `${written} is not explained`);
  }
});

test('manual: every page leads to the pages of the files', () => {
  for (const name of ['bastionctl.1', 'bastion-helper.8', 'bastion-firewall-desktop.1']) {
    for (const other of ['bastion-rules 5', 'bastion.toml 5']) assert.ok(page(name).includes(`.Xr ${other}`), `${name}: ${other}`);
  }
});
