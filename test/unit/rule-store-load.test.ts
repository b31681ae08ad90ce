import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { test } from 'node:test';
import { complaints, inForce, makeStore } from './rule-store-support.ts';

const FULL = `# A comment
[[rule]]
id = "full"
name = "Everything at once"
action = "allow"
application = { path = "/nonexistent/firefox" }
user = "alice"
destination = { address = "192.0.2.0/24", port = "443,8000-8080", protocol = "tcp" }
lifetime = { until = 2027-01-01T00:00:00Z }
schedule = { days = ["mon", "fri"], from = "09:00", to = "17:30" }
priority = -5
group = "Browsers"
created = 2026-01-02T03:04:05Z
`;

test('load: a block with every key becomes exactly the rule that it says', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/rules.d/60-work.toml', FULL);
  const { rules, errors } = await store.load();
  assert.deepEqual(errors, []);
  assert.deepEqual(rules, [{
    id: 'full', name: 'Everything at once', action: 'allow', enabled: true, priority: -5, tier: 'administrator', group: 'Browsers',
    match: {
      path: '/nonexistent/firefox', uid: 1000, address: '192.0.2.0/24', protocols: [6],
      ports: [{ first: 443, last: 443 }, { first: 8000, last: 8080 }],
      schedule: { days: [0, 4], fromMinute: 540, toMinute: 1050 },
    },
    lifetime: { until: Date.UTC(2027, 0, 1) },
    created: Date.UTC(2026, 0, 2, 3, 4, 5),
    source: { file: '60-work.toml', line: 2 },
  }]);
});

test('load: dotted keys, sub-tables and numbers mean the same as inline tables', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/rules.d/50-user.toml', `[[rule]]
id = "a"
action = "deny"
application.path = "/nonexistent/x"
destination.port = 53
user = 33
schedule = { days = ["sat", "sun"] }
[[rule]]
id = "b"
action = "drop"
[rule.application]
path = "/nonexistent/y"
`);
  const { rules, errors } = await store.load();
  assert.deepEqual(errors, []);
  assert.deepEqual(rules.map(({ tier, match }) => ({ tier, match })), [
    { tier: 'user', match: {
      path: '/nonexistent/x', uid: 33, ports: [{ first: 53, last: 53 }], schedule: { days: [5, 6], fromMinute: 0, toMinute: 1440 },
    } },
    { tier: 'user', match: { path: '/nonexistent/y' } },
  ]);
});

test('load: the folder decides the tier, and files are read in the order of their names', async (t) => {
  const { store, write } = await makeStore(t);
  const rule = (id: string): string => `[[rule]]\nid = "${id}"\naction = "allow"\napplication = { path = "/nonexistent/x" }\n`;
  await write('etc/rules.d/90-late.toml', rule('late'));
  await write('etc/rules.d/10-early.toml', rule('early'));
  await write('etc/rules.d/50-user.toml', rule('mine'));
  await write('vendor/10-names.toml', rule('names'));
  await write('etc/rules.d/notes.txt', 'not a rule file');
  const { rules } = await store.load();
  assert.deepEqual(rules.map(({ id, tier }) => [id, tier]), [
    ['early', 'administrator'], ['mine', 'user'], ['late', 'administrator'], ['names', 'vendor'],
  ]);
});

const BASE = '[[rule]]\nid = "x"\naction = "allow"\napplication = { path = "/nonexistent/x" }\n';
const BAD: readonly (readonly [string, RegExp])[] = [
  ['[[rule]]\nid = "x"\n', /^f\.toml:1:1 This rule has no action\. /],
  ['[[rule]]\naction = "deny"\n', /^f\.toml:1:1 This rule has no id\. /],
  [`${BASE}destinaton = { port = "1" }\n`, /^f\.toml:5:1 There is no key "destinaton" here\. Did you mean "destination"\?/],
  ['[[rule]]\nid = "x"\naction = "allow"\napplication = { container = "a/b" }\n', /^f\.toml:4:17 .*container/],
  ['[[rule]]\nid = "x"\naction = "allow"\napplication = {}\n', /"application" must be a table/],
  [`${BASE}destination = { port = " " }\n`, /"port" says nothing/],
  [`${BASE}destination = { port = "" }\n`, /"port" is empty/],
  [`${BASE}destination = { port = "70000" }\n`, /^f\.toml:5:17 "port": /],
  [`${BASE}destination = { address = "example.org" }\n`, /^f\.toml:5:17 "address": /],
  [`${BASE}lifetime = "session"\n`, /^f\.toml:5:1 Lifetime "session" is for answers to prompts/],
  [`${BASE}lifetime = { until = 2027-01-01T00:00:00 }\n`, /with its zone/],
  [`${BASE}schedule = { days = ["mo"], from = "09:00", to = "17:30" }\n`, /"days" must be a list of "mon"/],
  [`${BASE}schedule = { from = "09:00" }\n`, /Write schedule = /],
  [`${BASE}schedule = {}\n`, /Write schedule = /],
  [`${BASE}priority = 1001\n`, /"priority" must be a whole number from -1000 to 1000/],
  [`${BASE}enabled = "no"\n`, /"enabled" must be true or false, without quotes/],
  [`${BASE}user = ""\n`, /"user" is empty/],
  [`${BASE}user = "-u root"\n`, /is not the name or number of a user/],
  [`${BASE}action = "deny"\n`, /^f\.toml:5:1 This is not valid TOML/],
  ['[[rule]]\nid = "x"\naction = "alow"\n', /^f\.toml:3:1 "alow" is no action.* Did you mean "allow"\?/],
  ['[[rule]]\nid = "X Y"\naction = "allow"\n', /is not a valid id/],
  ['[[rule]]\nid = "x"\naction = "allow"\napplication = { path = "firefox" }\n', /is no program; write its absolute path/],
  ['[[rule]]\nid = "x"\naction = "allow"\napplication = { path = "/usr/../bin/x" }\n', /can never match/],
  ['[rule]\nid = "x"\naction = "allow"\n', /Write \[\[rule\]\] with two brackets/],
  ['mode = "learning"\n', /^f\.toml:1:1 The key "mode" stands outside a rule/],
  ['[[override]]\nrule = "x"\nenabled = false\n', /Overrides belong in 50-user\.toml/],
  ['[[rules]]\nid = "x"\n', /There is no table "rules" in a rule file\. Did you mean "rule"\?/],
  [`${BASE}\n${BASE}`, /^f\.toml:6:1 The id "x" is used in line 1 already/],
  ['\ufeff[[rule]]\n', /^f\.toml:1:1 This is not valid TOML/],
  [`a = ${'['.repeat(100_000)}\n`, /This is not valid TOML|nested too deep/],
  [`${BASE}destination = { port = { port = "1" } }\n`, /"port" must be a text in quotes/],
];

for (const [text, wanted] of BAD) {
  test(`load: refuses ${JSON.stringify(text.slice(0, 120))} with line and column, and uses no allow rule of it`, async (t) => {
    const { store, write } = await makeStore(t);
    await write('etc/rules.d/f.toml', text);
    assert.match((await complaints(store))[0] ?? 'no complaint', wanted);
    assert.deepEqual(await inForce(store), []);
  });
}

test('load: of a file that was never right, what denies holds and what allows does not', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/rules.d/f.toml', `[[rule]]
id = "good-deny"
action = "deny"
[[rule]]
id = "typo
action = "allow"
[[rule]]
id = "good-allow"
action = "allow"
[[rule]]
id = "good-drop"
action = "drop"
`);
  assert.deepEqual(await inForce(store), ['good-deny deny', 'good-drop drop']);
  const [first] = await complaints(store);
  assert.match(first ?? '', /^f\.toml:5:\d+ This is not valid TOML: .* only the rules of this file that deny or drop are in force\.$/);
});

test('load: a header that is torn costs its own block, and a table of a rule is never cut off', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/rules.d/f.toml', `[[rule]]
id = "kept"
action = "deny"
[rule.application]
path = "/nonexistent/x"

[[rule]
id = "torn"
action = "deny"
`);
  const { rules, errors } = await store.load();
  assert.deepEqual(rules.map(({ id, match, source }) => [id, match.path, source?.line]), [['kept', '/nonexistent/x', 1]]);
  assert.deepEqual(errors.map(({ line }) => line), [7]);
});

test('load: bytes that are not text are told with their place, and what denies beside them holds', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/rules.d/f.toml', Buffer.concat([
    Buffer.from('[[rule]]\nid = "d"\naction = "deny"\n# '), Buffer.from([0xff, 0xfe]), Buffer.from('\n'),
  ]));
  assert.match((await complaints(store))[0] ?? '', /^f\.toml:4:3 This is not UTF-8 text/);
  assert.deepEqual(await inForce(store), ['d deny']);
});

test('load: a line that looks like a header inside a text of several lines begins no rule', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/rules.d/f.toml', `[[rule]]\nid = "a"\naction = "allow"\napplication = { path = "/nonexistent/a" }\ngroup = """x
[[rule]]
id = 'b'
"""\n`);
  const { rules, errors } = await store.load();
  assert.deepEqual(errors, []);
  assert.deepEqual(rules.map(({ id, group }) => [id, group]), [['a', "x\n[[rule]]\nid = 'b'\n"]]);
});

test('load: a file that breaks keeps its last good rules, over a restart too, and others are untouched', async (t) => {
  const { store, restarted, write } = await makeStore(t);
  await write('etc/rules.d/f.toml', BASE + '[[rule]]\nid = "y"\naction = "deny"\n');
  await write('etc/rules.d/g.toml', '[[rule]]\nid = "other"\naction = "drop"\n');
  const before = await inForce(store);
  await write('etc/rules.d/f.toml', '[[rule]]\nid = "x"\naction = "allow"\nbroken\n');
  for (const one of [store, restarted()]) {
    assert.deepEqual(await inForce(one), before);
    const [first] = await complaints(one);
    assert.match(first ?? '', /^f\.toml:4:\d+ .*The last good version of this file stays in force\.$/);
  }
});

test('load: the rules of a removed file are gone, and its last good copy with them', async (t) => {
  const { store, restarted, write, rulesDir } = await makeStore(t);
  await write('etc/rules.d/f.toml', BASE);
  assert.deepEqual(await inForce(store), ['x allow']);
  await rm(`${rulesDir}/f.toml`);
  assert.deepEqual(await inForce(store), []);
  await write('etc/rules.d/f.toml', 'broken\n');
  assert.deepEqual(await inForce(restarted()), []);
});

test('load: a folder that vanished keeps its last good rules and is reported', async (t) => {
  const { store, write, rulesDir } = await makeStore(t);
  await write('etc/rules.d/f.toml', '[[rule]]\nid = "d"\naction = "deny"\n');
  await store.load();
  await rm(rulesDir, { recursive: true });
  assert.deepEqual(await inForce(store), ['d deny']);
  assert.match((await complaints(store))[0] ?? '', /^rules\.d:0:0 .*is not there.*last good versions/);
});

test('load: a repeated id in a later file loses an allow rule and keeps a deny rule under an id of its own', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/rules.d/10-a.toml', BASE);
  await write('etc/rules.d/20-b.toml', BASE);
  await write('etc/rules.d/30-c.toml', '[[rule]]\nid = "x"\naction = "deny"\n');
  assert.deepEqual(await inForce(store), ['x allow', 'x.2 deny']);
  const told = await complaints(store);
  assert.match(told[0] ?? '', /^20-b\.toml:1:1 The id "x" is used in 10-a\.toml already.*It is not in force\.$/);
  assert.match(told[1] ?? '', /^30-c\.toml:1:1 .*in force all the same, because it denies\.$/);
});

test('load: a rule for an unknown user matches nothing and is reported; the others of its file hold', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/rules.d/f.toml', `${BASE}user = "nobody-here"\n[[rule]]\nid = "y"\naction = "deny"\n`);
  assert.deepEqual(await inForce(store), ['y deny']);
  assert.match((await complaints(store))[0] ?? '', /^f\.toml:1:1 The user "nobody-here" is not known/);
});

test('load: an override switches a rule of another file, and one without a rule is reported', async (t) => {
  const { store, write } = await makeStore(t);
  await write('vendor/v.toml', BASE);
  await write('etc/rules.d/50-user.toml', '[[override]]\nrule = "x"\nenabled = false\n[[override]]\nrule = "gone"\nenabled = false\n');
  assert.deepEqual(await inForce(store), ['x allow (off)']);
  assert.match((await complaints(store))[0] ?? '', /^50-user\.toml:4:1 There is no rule "gone"/);
});

test('load: an override in a broken file forbids more but never less', async (t) => {
  const { store, write } = await makeStore(t);
  await write('vendor/v.toml', `${BASE}[[rule]]\nid = "d"\naction = "deny"\n`);
  await write('etc/rules.d/50-user.toml', `[[override]]\nrule = "x"\nenabled = false\n[[override]]\nrule = "d"\nenabled = false\n[[rule]]\nbroken\n`);
  assert.deepEqual(await inForce(store), ['x allow (off)', 'd deny']);
});

test('load: a path that is a link is told together with the path to write', async (t) => {
  const { store, write, root } = await makeStore(t);
  const { symlink } = await import('node:fs/promises');
  await write('program', '');
  await symlink(`${root}/program`, `${root}/link`);
  await write('etc/rules.d/f.toml', `[[rule]]\nid = "x"\naction = "deny"\napplication = { path = "${root}/link" }\n`);
  assert.match((await complaints(store))[0] ?? '', new RegExp(`is a link.*path = "${root}/program"`));
});

test('load: host bits behind a prefix are cleared and told', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/rules.d/f.toml', `${BASE}destination = { address = "10.1.2.3/8" }\n`);
  const { rules } = await store.load();
  assert.equal(rules[0]?.match.address, '10.0.0.0/8');
  assert.match((await complaints(store))[0] ?? '', /^f\.toml:5:17 "address": /);
});
