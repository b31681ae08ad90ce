/**
 * Every byte of every file is damaged in turn. What cannot be read any more leaves the last good rules in force, with an error
 * that says file, line and column; what still can be read is somebody's edit, and is announced.
 */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createRuleStore } from '../../helper/adapters/rule-store.ts';
import type { LoadedRules, Logger, RuleStore } from '../../helper/ports.ts';
import { NOW_MS, parsers } from './rule-store-support.ts';

const FULL = process.env['BASTION_TEST_SIZE'] === 'full';
/** Of each file, this many places are tried in a short run. */
const PLACES = 60;

const SETTINGS = `# Settings
mode = "enforcing"
default_action = "ask"
prompt_timeout_s = 30
default_profile = "home"

[[interface]]
name = "wg*"
zone = "home"

[[profile]]
id = "home"
network = { gateway = "192.168.1.1", mac = "aa:bb:cc:00:11:22" }
`;

const USER_FILE = `# Rules made from answers. Ünïcödé stays.

[[rule]]
id = "curl-web"
action = "allow"
application = { path = "/usr/bin/curl", include_children = true }
destination = { domain = "*.example.org", port = "443", protocol = "tcp" }
lifetime = { until = 2028-01-01T00:00:00Z }
created = 2026-11-21T12:00:00Z

[[rule]]
id = "no-ads"
action = "deny"
destination = { address = "192.0.2.0/24" }
profile = "home"

[[override]]
group = "Games"
enabled = false
`;

const RULES = `# Forty lines of the administrator's.
${Array.from({ length: 5 }, (_, at) => `
[[rule]]
id = "rule-${String(at)}"
name = "Rule \\"${String(at)}\\""
action = "${at % 2 === 0 ? 'deny' : 'allow'}"
application = { package = "package-${String(at)}", pin = "sha256" }
destination.port = "80,443"   # the web
`).join('')}
[rule.ancestor]
path = '/usr/bin/make'
`;

const FILES: Readonly<Record<string, string>> = { 'bastion.toml': SETTINGS, 'rules.d/50-user.toml': USER_FILE, 'rules.d/10-rules.toml': RULES };

const DAMAGES: Readonly<Record<string, (bytes: Buffer, at: number) => Buffer>> = {
  'a bit is flipped': (bytes, at) => replaced(bytes, at, [(bytes[at] ?? 0) ^ 1]),
  'every bit is flipped': (bytes, at) => replaced(bytes, at, [(bytes[at] ?? 0) ^ 0xff]),
  'it is zero': (bytes, at) => replaced(bytes, at, [0]),
  'it is gone': (bytes, at) => replaced(bytes, at, []),
  'it is doubled': (bytes, at) => replaced(bytes, at, [bytes[at] ?? 0, bytes[at] ?? 0]),
};

function replaced(bytes: Buffer, at: number, by: readonly number[]): Buffer {
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(by), bytes.subarray(at + 1)]);
}

function places(length: number): readonly number[] {
  const step = FULL ? 1 : Math.max(1, Math.trunc(length / PLACES));
  return Array.from({ length: Math.ceil(length / step) }, (_, index) => index * step);
}

interface Ground {
  readonly config: string;
  readonly store: RuleStore;
  readonly restarted: () => RuleStore;
  readonly announced: string[];
  readonly copyOf: (name: string) => string;
}

async function makeGround(t: TestContext): Promise<Ground> {
  const root = await mkdtemp(join(tmpdir(), 'bastion-corrupt-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const config = join(root, 'etc');
  for (const folder of ['etc', 'etc/rules.d', 'vendor', 'state']) await mkdir(join(root, folder), { mode: 0o755 });
  for (const [name, text] of Object.entries(FILES)) await writeFile(join(config, name), text, { mode: 0o640 });
  const announced: string[] = [];
  const logger: Logger = {
    log: (_level, message, fields) => {
      if (message.includes('changed by hand')) announced.push(String(fields?.['file']));
    },
    setLevel: () => undefined,
  };
  const restarted = (): RuleStore => createRuleStore({
    configDir: config, vendorDir: join(root, 'vendor'), stateDir: join(root, 'state'), parsers, logger,
    lookupUser: () => Promise.resolve(null), clock: { bootNs: () => 0n, wallMs: () => NOW_MS },
  });
  const copyOf = (name: string): string => join(root, 'state/last-good', name === 'bastion.toml' ? 'settings/bastion.toml' : name.replace('rules.d/', ''));
  return { config, store: restarted(), restarted, announced, copyOf };
}

/** What is in force, without the lines that rules stand in. */
function inForce({ rules, settings, groupsOff }: LoadedRules): string {
  return JSON.stringify([settings, groupsOff, rules.map((rule) => ({ ...rule, source: rule.source?.file }))]);
}

for (const [name, text] of Object.entries(FILES)) {
  test(`${name}: whichever byte is damaged, the good rules stay or the edit is announced`, { timeout: 600_000 }, async (t) => {
    const { config, store, announced } = await makeGround(t);
    const good = inForce(await store.load());
    const bytes = Buffer.from(text);
    let [refused, edits] = [0, 0];
    for (const at of places(bytes.length)) {
      for (const [what, damage] of Object.entries(DAMAGES)) {
        const where = `byte ${String(at)} of ${name} (${JSON.stringify(String.fromCharCode(bytes[at] ?? 0))}): ${what}`;
        await writeFile(join(config, name), damage(bytes, at));
        announced.length = 0;
        const loaded = await store.load();
        const broken = loaded.errors.filter(({ message }) => message.includes('The last good version of this file stays in force'));
        if (broken.length > 0) {
          refused += 1;
          assert.equal(inForce(loaded), good, where);
          const [error] = loaded.errors;
          assert.ok(error?.file === join(config, name) && error.line > 0 && error.column > 0, `${where}: ${JSON.stringify(error)}`);
          const lines = damage(bytes, at).toString().split('\n');
          assert.ok(error.line <= lines.length && error.column <= (lines[error.line - 1] ?? '').length + 1, `${where}: ${JSON.stringify(error)}`);
          assert.deepEqual(announced, [], where);
        } else {
          edits += 1;
          assert.deepEqual(announced, damage(bytes, at).equals(bytes) ? [] : [join(config, name)], where);
        }
        await writeFile(join(config, name), bytes);
        assert.equal(inForce(await store.load()), good, `${where}: mended`);
      }
    }
    assert.ok(refused > 0 && edits > 0, `${String(refused)} refused, ${String(edits)} edits`);
  });
}

test('a damaged last good copy is no copy: whichever byte it is, only what denies in the broken file holds', async (t) => {
  const { config, store, restarted, copyOf } = await makeGround(t);
  const good = inForce(await store.load());
  const name = 'rules.d/10-rules.toml';
  await writeFile(join(config, name), RULES.replace('id = "rule-3"', 'id = rule-3'));
  assert.equal(inForce(await restarted().load()), good, 'the copy stands in');
  const copy = await readFile(copyOf(name));
  for (const at of places(copy.length)) {
    for (const [what, damage] of Object.entries(DAMAGES)) {
      if (damage(copy, at).equals(copy)) continue;
      await writeFile(copyOf(name), damage(copy, at), { mode: 0o640 });
      const { rules, errors } = await restarted().load();
      const ofFile = rules.filter(({ source }) => source?.file === '10-rules.toml');
      assert.deepEqual(ofFile.map(({ id, action }) => [id, action]), [['rule-0', 'deny'], ['rule-2', 'deny'], ['rule-4', 'deny']], `byte ${String(at)}: ${what}`);
      assert.ok(errors.some(({ message, line, column }) => line > 0 && column > 0 && message.includes('only the rules of this file that deny or drop')));
    }
  }
});

test('a last good copy that others may write is no copy either', async (t) => {
  const { config, store, restarted, copyOf } = await makeGround(t);
  await store.load();
  await writeFile(join(config, 'bastion.toml'), 'mode = \n');
  assert.equal((await restarted().load()).settings.defaultProfile, 'home');
  await chmod(copyOf('bastion.toml'), 0o666);
  const { settings, errors } = await restarted().load();
  assert.equal(settings.defaultProfile, undefined);
  assert.ok(errors.some(({ message }) => message.includes('The default settings are in force')));
});

test('an edit that was made while the helper was away is announced by the next one', async (t) => {
  const { config, store, restarted, announced } = await makeGround(t);
  await store.load();
  await restarted().load();
  assert.deepEqual(announced, [], 'nothing was edited');
  await writeFile(join(config, 'rules.d/10-rules.toml'), RULES.replace('"rule-1"', '"rule-one"'));
  await restarted().load();
  assert.deepEqual(announced, [join(config, 'rules.d/10-rules.toml')]);
});

test('what the helper writes itself is not announced as an edit', async (t) => {
  const { store, restarted, announced } = await makeGround(t);
  await store.load();
  await store.setEnabled('curl-web', false);
  await store.setGroup('Games', true);
  await store.setMode('learning');
  await store.load();
  await restarted().load();
  assert.deepEqual(announced, []);
});
