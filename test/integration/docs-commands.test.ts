/** Follows the guides: what they tell to type is typed, in their order, at a helper that stands where they say. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { EXIT } from '../../helper/contract/names.ts';
import type { HelperClient } from '../../helper/contract/client.ts';
import { Lab } from '../lab/lab.ts';
import type { LabOptions } from '../lab/lab.ts';
import { ROOT, endChild } from '../lab/process.ts';
import { mappedUids } from '../lab/user-namespace.ts';
import { blocksOf, commandsOf } from '../unit/docs-support.ts';
import { clientOf, copyInto, noLab, promptFor, until } from './support.ts';

const SAMPLES = join(ROOT, 'test/unit/import-samples');
/** What a line begins with or holds that is not typed here: it asks a person, looks at the machine, or is for another one. */
const NOT_TYPED = /bastionctl (?:agent|doctor|monitor|rescue|selftest)|--host/u;
/** On a terminal it asks. */
const ASKS = /^bastionctl rules import(?!.*--(?:yes|dry-run))/u;

function blockOf(file: string, begin: string): string {
  const block = blocksOf(file).find(({ text }) => text.startsWith(begin));
  assert.ok(block !== undefined, `${file} has no block that begins with ${begin}`);
  return block.text;
}

function settings(lab: Lab, name: string, text: string): void {
  const path = join(lab.configDir, name);
  writeFileSync(path, text);
  chmodSync(path, 0o640);
}

/** Lines of the guide that need nothing but bastionctl. */
function linesOf(file: string): readonly string[] {
  return blocksOf(file).filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.replaceAll('\\\n', ' ').split('\n'))
    .filter((line) => line !== '' && !NOT_TYPED.test(line) && commandsOf(line).every(({ words: [first] }) => first === 'bastionctl'));
}

/** Types the lines as root; `places` are put where the guide has an example. */
async function follow(lab: Lab, file: string, places: Readonly<Record<string, string>> = {}): Promise<void> {
  const folder = join(lab.folder, 'desk');
  mkdirSync(folder, { recursive: true });
  const lines = linesOf(file);
  assert.ok(lines.length > 3);
  for (const line of lines) {
    const typed = Object.entries(places).reduce((text, [from, to]) => text.replaceAll(from, to), ASKS.test(line) ? `${line} --yes` : line);
    const { status, stderr } = await lab.run(['sh', '-c', `PATH=${dirname(lab.ctlPath)}:$PATH; ${typed}`], {
      as: 'root', cwd: folder, env: { RUST_NETWORK_MGR_CONFIG: join(SAMPLES, 'network.yaml') },
    });
    assert.equal(status, 0, `${file}: ${typed}\n${stderr}`);
  }
}

async function withLab(options: LabOptions, use: (lab: Lab, client: HelperClient) => Promise<void>): Promise<void> {
  await using lab = await Lab.create(options);
  const client = clientOf(lab);
  try {
    await use(lab, client);
  } finally {
    client.close();
  }
}

describe('the guides', { skip: noLab() }, () => {
  test('the administrator guide', () => withLab({ mode: 'learning' }, async (lab, client) => {
    const file = 'docs/administrator-guide.md';
    const rules = blockOf(file, '# /etc/bastion/rules.d/20-office.toml');
    const tool = copyInto(lab, '/usr/bin/curl', 'tool');
    await lab.run([tool, '--silent', `http://${lab.peer4}/`]);
    await until('the hash of the tool', async () => ((await client.listApplications({ path: tool }, 1, '')).rows[0]?.state === 'valid' ? true : null));
    settings(lab, 'bastion.toml', blockOf(file, '# /etc/bastion/bastion.toml').replace('"enforcing"', '"learning"'));
    settings(lab, 'rules.d/20-office.toml', rules);
    mkdirSync(join(lab.folder, 'desk'));
    writeFileSync(join(lab.folder, 'desk/20-office.toml'), rules);
    await follow(lab, file, { '/usr/local/bin/tool': tool });
    const { mode, loadErrors } = await client.status();
    assert.deepEqual([mode, loadErrors], ['learning', []]);
  }));

  test('the user guide', () => withLab({ rules: '[[rule]]\nid = "no-web"\naction = "deny"\ndestination = { port = 80 }\n' }, async (lab, client) => {
    await lab.run(['curl', '--silent', `http://${lab.peer4}/`]);
    const flow = await until('the refused connection', async () => (await client.queryFlows({ verdict: 'refused' }, 1, '')).rows[0] ?? null);
    await follow(lab, 'docs/user-guide.md', { FLOW: flow.id });
  }));

  test('the migration guide', () => withLab({}, async (lab, client) => {
    for (const name of ['rules.json', 'config.json']) cpSync(join(SAMPLES, `bastion-${name}`), join(lab.configDir, name));
    const list = blockOf('docs/migration.md', '[[list]]').replace(/url = .*/u, `file = "${join(lab.configDir, 'hosts')}"`);
    settings(lab, 'bastion.toml', `prompt_timeout_s = 300\n${list}`);
    settings(lab, 'hosts', '0.0.0.0 ads.example.com\n');
    const asker = copyInto(lab, '/usr/bin/curl', 'asker');
    await until('the settings', async () => ((await client.listLists()).length > 0 ? true : null));
    const asking = lab.spawn([asker, '--silent', `http://${lab.peer4}/`]);
    const { id } = await promptFor(client, asker);
    await follow(lab, 'docs/migration.md', { ' p7 ': ` ${id} `, '/etc/opensnitchd/rules': join(SAMPLES, 'opensnitch') });
    const rules = (await client.listRules(500, '')).rows;
    assert.ok(rules.some(({ group }) => group === 'Imported from Bastion Firewall 2') && rules.some(({ group }) => group === 'Imported from OpenSnitch'));
    assert.ok(rules.some(({ id: rule, list }) => rule === 'no-ads' && list === 'ads'));
    await endChild(asking, 1000);
  }));

  const alone = mappedUids() < 2 ? 'one user only is mapped' : false;
  test('the rule for polkit of the administrator guide lets a group change rules, and no more', { skip: alone }, () => withLab({ polkit: 'strict' }, async (lab) => {
    const change = async (...args: readonly string[]): Promise<number | null> => (await lab.ctl([...args, '--no-ask-password'])).status;
    const add = ['rules', 'add', 'deny', '--application', '/usr/bin/env'];
    assert.deepEqual([await change(...add), await change('mode', 'learning')], [EXIT.notAuthorized, EXIT.notAuthorized]);
    const group = execFileSync('id', ['-gn', lab.user.name], { encoding: 'utf8' }).trim();
    const text = blockOf('docs/administrator-guide.md', '// /etc/polkit-1/rules.d/40-bastion-netops.rules').replace('netops")', `${group}")`);
    writeFileSync(join(lab.folder, 'bus/rules.d/40-bastion-netops.rules'), text);
    await lab.bus.stopPolkit();
    await lab.bus.startPolkit();
    assert.deepEqual([await change(...add), await change('mode', 'learning')], [EXIT.done, EXIT.notAuthorized]);
  }));
});
