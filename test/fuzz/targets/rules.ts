/** Rule files, as administrators and programs write them. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readRuleFile, segmentsOf } from '../../../helper/adapters/rule-store/rule-file.ts';
import { isAsMeant, withRuleEnabled, withoutRule } from '../../../helper/adapters/rule-store/user-edits.ts';
import { BastionError } from '../../../helper/contract/errors.ts';
import { printable } from '../../../helper/contract/printable.ts';
import { ruleTextParsers as parsers } from '../../../helper/parsers.ts';
import { ROOT } from '../../lab/process.ts';
import type { Target } from '../engine.ts';

const VENDOR = join(ROOT, 'data/rules');
const FULL = `[[rule]]
id = "a.b-c"
name = "A name"
action = "deny"
enabled = false
priority = -5
group = "The group"
lifetime = "2026-11-21T12:00:00Z"
schedule = "mon-fri 08:00-18:00"
user = "alice"
[rule.application]
path = "/usr/bin/*"
[rule.destination]
address = "192.0.2.0/24"
port = "80, 443, 8000-8100"
protocol = "tcp"
[[override]]
rule = "a.b-c"
enabled = true
`;

async function run(input: Buffer): Promise<void> {
  const text = input.toString('utf8');
  assert.equal(segmentsOf(text).map((segment) => segment.text).join(''), text);
  const options = { parsers, overrides: true };
  const file = await readRuleFile(text, options);
  for (const { line, column, message } of [...file.problems, ...file.notes]) {
    assert.ok(line >= 1 && column >= 1 && message.length < 2000, message);
    assert.equal(printable(message), message, 'a message is one line that steers no terminal');
  }
  const ids = file.rules.map(({ content }) => content.id);
  assert.equal(new Set(ids).size, ids.length);
  const [id] = ids;
  if (id === undefined || file.problems.length > 0) return;
  // Whatever an edit makes of the file is what it meant, or it is refused with a sentence.
  for (const edit of [() => withRuleEnabled(text, file, id, file.rules[0]?.content.enabled === false), () => withoutRule(text, file, id)]) {
    try {
      const edited = edit();
      assert.ok(isAsMeant(await readRuleFile(edited.text, options), edited.meaning), edited.text);
    } catch (error: unknown) {
      if (!(error instanceof BastionError)) throw error;
    }
  }
}

export const target: Target = {
  name: 'rules', run, maxBytes: 4096,
  seeds: [FULL, FULL.replaceAll('\n', '\r\n'), ...readdirSync(VENDOR).slice(0, 4).map((name) => readFileSync(join(VENDOR, name), 'utf8').slice(0, 4096))],
  dictionary: [
    '[[rule]]\n', '[[override]]\n', '[rule.application]\n', '[rule.destination]\n', '[rule.ancestor]\n', 'id = ', 'action = "allow"\n', 'enabled = true\n', 'domain = "*.example.org"\n',
    'package = "curl"\n', 'script = "/a.sh"\n', 'flatpak = "org.a.B"\n', 'list = "ads"\n', 'zone = "home"\n', 'interface = "eth*"\n', 'schedule = "', 'lifetime = "boot"\n', "'''\n", '"""\n', '#', '\\u0041', '\\U0010ffff', '= { a = 1 }', '1979-05-27T07:32:00Z',
    'destination.port = "1-65535"\n', '::ffff:192.0.2.1/128', 'lan', 'group = "x"\n',
  ],
};
