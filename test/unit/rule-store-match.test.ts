/** What a rule can name: every key of the format, what it may hold, and the way between file, D-Bus and rule. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../property.ts';
import type { RuleEdit, RuleInfo } from '../../helper/contract/types.ts';
import type { Rule } from '../../helper/contract/vocabulary.ts';
import { applyEdit, blankDraft, draftOf, fileForm, ruleInfoOf, ruleOf } from '../../helper/engine/rule-edit.ts';
import type { NewRule, Users } from '../../helper/ports.ts';
import { complaints, inForce, makeStore, newRule, NOW_MS } from './rule-store-support.ts';

const HASH = 'a1'.repeat(32);
const HEAD = '[[rule]]\nid = "x"\naction = "allow"\n';
const USERS: Users = { name: (uid) => String(uid), uid: (name) => (name === 'alice' ? 1000 : null) };
const SETTINGS = `[[interface]]
name = "wg*"
zone = "home"

[[profile]]
id = "home"
network = { gateway = "192.168.1.1", mac = "AA:BB:CC:00:11:22" }

[[profile]]
id = "work"
name = "At work"
network = { connection = "Office", ssid = "office-5" }
`;

const EVERYTHING = `[[rule]]
id = "script"
action = "allow"
application = { path = "/usr/bin/python3.11", script = "/opt/tool.py", sha256 = "${HASH.toUpperCase()}", pin = "sha256", include_children = true }
ancestor = { package = "make" }
destination = { domain = "*.Example.org", zone = "home", interface = "wg*", port = "443", protocol = "tcp" }
profile = "home"
group = "Tools"

[[rule]]
id = "package"
action = "deny"
application.package = "firefox-esr"
destination.address = "192.0.2.0/24"

[[rule]]
id = "flatpak"
action = "ask"
[rule.application]
flatpak = "org.mozilla.firefox"
[rule.ancestor]
path = "/usr/bin/make"

[[rule]]
id = "snap"
action = "drop"
application = { snap = "firefox_dev" }

[[rule]]
id = "appimage"
action = "allow"
application = { appimage = "/opt/Krita 5.AppImage" }

[[rule]]
id = "all"
action = "allow"
application = { path = "/usr/bin/bash", scripts = "all" }
`;

test('every key of a rule is read into what the rule matches', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/bastion.toml', SETTINGS);
  await write('etc/rules.d/f.toml', EVERYTHING);
  const { rules, errors } = await store.load();
  assert.deepEqual(errors, []);
  assert.deepEqual(rules.map(({ id, match }) => [id, match]), [
    ['script', {
      path: '/usr/bin/python3.11', script: '/opt/tool.py', sha256: HASH, pin: true, includeChildren: true,
      ancestor: { package: 'make' }, ports: [{ first: 443, last: 443 }], protocols: [6], domain: '*.example.org', zone: 'home',
      interface: 'wg*',
    }],
    ['package', { package: 'firefox-esr', address: '192.0.2.0/24' }],
    ['flatpak', { flatpak: 'org.mozilla.firefox', ancestor: { path: '/usr/bin/make' } }],
    ['snap', { snap: 'firefox_dev' }],
    ['appimage', { appImage: '/opt/Krita 5.AppImage' }],
    ['all', { path: '/usr/bin/bash', allScripts: true }],
  ]);
  assert.equal(rules[0]?.profile, 'home');
});

const BAD: readonly (readonly [string, RegExp])[] = [
  ['application = { container = "web/1" }', /^f\.toml:4:17 "container": 'web\/1' is no container/],
  ['application = { container = "we*b" }', /is no container/],
  ['application = { container = "" }', /"application" names no program|container/],
  ['application = { container = "web", path = "/usr/bin/curl" }', /^f\.toml:4:1 A container and a program exclude each other/],
  ['application = { container = "web", include_children = true }', /^f\.toml:4:1 Including children needs the program/],
  ['application = { packages = "curl" }', /^f\.toml:4:17 There is no key "application\.packages" here\. Did you mean "package"\?/],
  ['application = { package = "Firefox" }', /^f\.toml:4:17 "package": 'Firefox' is no package/],
  ['application = { package = "x" }', /is no package/],
  ['application = { package = "../curl" }', /is no package/],
  ['application = { package = "" }', /"package" is empty/],
  ['application = { package = 5 }', /"package" must be a text in quotes/],
  ['application = { flatpak = "firefox" }', /is no Flatpak application/],
  ['application = { flatpak = "org.mozilla" }', /is no Flatpak application/],
  ['application = { flatpak = "org.mo-zilla.firefox" }', /is no Flatpak application/],
  ['application = { snap = "Fire" }', /is no snap/],
  ['application = { snap = "-a" }', /is no snap/],
  ['application = { snap = "a--b" }', /is no snap/],
  ['application = { snap = "123" }', /is no snap/],
  ['application = { appimage = "Krita.AppImage" }', /is not the absolute path of an AppImage/],
  ['application = { appimage = "kernel" }', /is not the absolute path of an AppImage/],
  ['application = { script = "tool.py" }', /is not the absolute path of a script/],
  ['application = { script = "/opt/../tool.py" }', /can never match/],
  ['application = { sha256 = "abc" }', /is no SHA-256; write its 64 hexadecimal digits/],
  [`application = { path = "/a", pin = "md5" }`, /^f\.toml:4:30 "md5" is no pin\. Write pin = "sha256"/],
  [`application = { path = "/a", pin = true }`, /"pin" must be a text in quotes/],
  [`application = { path = "/a", scripts = "some" }`, /Write scripts = "all"/],
  [`application = { path = "/a", include_children = "yes" }`, /"include_children" must be true or false/],
  ['application = { pin = "sha256" }', /names no program/],
  ['application = { include_children = true }', /names no program/],
  ['application = { package = "bash", scripts = "all" }', /^f\.toml:4:1 "all" scripts needs the path of the interpreter/],
  ['application = { path = "/usr/bin/bash", script = "/opt/x", scripts = "all" }', /exclude each other/],
  ['application = { path = "kernel", package = "linux" }', /The kernel is no program/],
  ['application = { path = "kernel", include_children = true }', /Including children needs the program/],
  ['ancestor = { path = "make" }', /is no program; write its absolute path/],
  ['ancestor = { path = "kernel" }', /The kernel starts no programs/],
  ['ancestor = { path = "/usr/bin/make", package = "make" }', /^f\.toml:4:38 An ancestor is named by one key/],
  ['ancestor = { pin = "sha256" }', /There is no key "ancestor\.pin" here/],
  ['ancestor = {}', /"ancestor" must be a table/],
  ['destination = { domain = "exa mple.org" }', /^f\.toml:4:17 "domain": 'exa mple\.org' is no host name/],
  ['destination = { domain = "*" }', /is no (?:host name|domain)|write an address/],
  ['destination = { domain = "www.*.org" }', /is no (?:host name|domain)|write an address/],
  ['destination = { domain = "-a.org" }', /is no (?:host name|domain)|write an address/],
  ['destination = { domain = "192.0.2.7" }', /is no (?:host name|domain)|write an address/],
  ['destination = { domain = "example.org", address = "192.0.2.7" }', /^f\.toml:4:1 Address and domain exclude each other/],
  ['destination = { list = "ads", domain = "example.org" }', /Domain and list exclude each other/],
  ['destination = { list = "Ads!" }', /is no id of a list/],
  ['destination = { zone = "Home" }', /is no zone/],
  ['destination = { interface = "eth0/1" }', /is no network interface/],
  ['destination = { interface = "*" }', /is no network interface/],
  ['destination = { interface = "abcdefghijklmnop" }', /is no network interface/],
  ['profile = "At home"', /^f\.toml:4:1 "profile": 'At home' is no id of a profile/],
];

for (const [line, wanted] of BAD) {
  test(`a rule with ${line} is refused with line and column`, async (t) => {
    const { store, write } = await makeStore(t);
    await write('etc/rules.d/f.toml', `${HEAD}${line}\n`);
    assert.match((await complaints(store))[0] ?? 'no complaint', wanted);
    assert.deepEqual(await inForce(store), []);
  });
}

test('a rule for a zone, list or profile that bastion.toml does not have is in force and reported', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/bastion.toml', SETTINGS);
  await write('etc/rules.d/f.toml', [
    `${HEAD}destination = { zone = "hom" }\n`, '[[rule]]\nid = "y"\naction = "deny"\ndestination = { list = "ads" }\n',
    '[[rule]]\nid = "z"\naction = "deny"\nprofile = "cafe"\n',
  ].join('\n'));
  assert.deepEqual((await complaints(store)).map((one) => one.replace(/ Add it .*/, '')), [
    'f.toml:1:1 There is no zone "hom" in bastion.toml, so this rule matches nothing.',
    'f.toml:6:1 There is no list "ads" in bastion.toml, so this rule matches nothing.',
    'f.toml:11:1 There is no profile "cafe" in bastion.toml, so this rule matches nothing.',
  ]);
  assert.deepEqual(await inForce(store), ['x allow', 'y deny', 'z deny']);
});

test('interfaces and profiles of bastion.toml are settings', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/bastion.toml', `default_profile = "work"\n${SETTINGS}`);
  const { settings, errors } = await store.load();
  assert.deepEqual(errors, []);
  assert.deepEqual(settings.interfaces, [{ name: 'wg*', zone: 'home' }]);
  assert.deepEqual(settings.profiles, [
    { id: 'home', name: 'home', network: { gateway: '192.168.1.1', mac: 'aa:bb:cc:00:11:22' } },
    { id: 'work', name: 'At work', network: { connection: 'Office', ssid: 'office-5' } },
  ]);
  assert.equal(settings.defaultProfile, 'work');
});

test('an interface is known by name or hardware address, with what it should have; a profile may name its zone', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/bastion.toml', `default_zone = "wan"

[[interface]]
name = "eth0"
mac = "02:AA:BB:00:11:22"
zone = "lan"
dhcp = true

[[interface]]
mac = "02:aa:bb:00:11:33"
zone = "lab"
address = "2001:DB8:0::7"

[[profile]]
id = "away"
network = { zone = "wan" }
`);
  const { settings, errors } = await store.load();
  assert.deepEqual(errors, []);
  assert.deepEqual(settings.interfaces, [
    { name: 'eth0', mac: '02:aa:bb:00:11:22', zone: 'lan', dhcp: true }, { name: '', mac: '02:aa:bb:00:11:33', zone: 'lab', address: '2001:db8::7' },
  ]);
  assert.equal(settings.defaultZone, 'wan');
  assert.deepEqual(settings.profiles, [{ id: 'away', name: 'away', network: { zone: 'wan' } }]);
});

test('a rule may name the default zone and a [[zone]]', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/bastion.toml', 'default_zone = "wan"\n');
  await write('etc/rules.d/10-a.toml', '[[rule]]\nid = "x"\naction = "deny"\ndestination = { zone = "wan" }\n');
  assert.deepEqual(await complaints(store), []);
});

const BAD_INTERFACES: readonly (readonly [string, RegExp])[] = [
  ['[[interface]]\nzone = "lan"\n', /^bastion\.toml:1:1 "name" is missing here/],
  ['[[interface]]\nname = "eth0"\n', /^bastion\.toml:1:1 "zone" is missing here/],
  ['[[interface]]\nname = "eth0"\nzone = "The LAN"\n', /^bastion\.toml:3:1 "The LAN" is no "zone"/],
  ['[[interface]]\nname = "e*h"\nzone = "lan"\n', /^bastion\.toml:2:1 "e\*h" is no "name"/],
  ['[[interface]]\nmac = "02:aa"\nzone = "lan"\n', /^bastion\.toml:2:1 "mac": "02:aa" is no hardware address/],
  ['[[interface]]\nname = "eth0"\nzone = "lan"\ndhcp = "yes"\n', /^bastion\.toml:4:1 "dhcp" must be true or false/],
  ['[[interface]]\nname = "eth0"\nzone = "lan"\naddress = "192.0.2.7/24"\n', /^bastion\.toml:4:1 "address": "192\.0\.2\.7\/24" is no address/],
  ['[[interface]]\nname = "eth0"\nzone = "lan"\naddress = "fe80::1%eth0"\n', /^bastion\.toml:4:1 "address": .* is no address/],
  ['[[interface]]\nname = "wg*"\nzone = "lan"\naddress = "192.0.2.7"\n', /^bastion\.toml:4:1 "address" is that of one interface/],
  ['[[interface]]\nname = "eth0"\nzone = "lan"\ndhpc = true\n', /^bastion\.toml:4:1 There is no key "interface\.dhpc" here\. Did you mean/],
  ['default_zone = "W AN"\n', /^bastion\.toml:1:1 "W AN" is no "default_zone"/],
  ['[[interface]]\nname = "eth0"\nzone = "work"\n\n[[profile]]\nid = "a"\nnetwork = { zone = "wrok" }\n', /^bastion\.toml:7:13 "zone": no interface is in a zone "wrok"; add it with an \[\[interface\]\]/],
  [Array.from({ length: 257 }, () => '[[interface]]\nname = "a"\nzone = "b"\n').join(''), /^bastion\.toml:769:1 There are at most 256 \[\[interface\]\]/],
];

for (const [text, wanted] of BAD_INTERFACES) {
  test(`interfaces: bastion.toml with ${JSON.stringify(text.slice(0, 80))} is refused with line and column`, async (t) => {
    const { store, write } = await makeStore(t);
    await write('etc/bastion.toml', text);
    assert.match((await complaints(store))[0] ?? 'no complaint', wanted);
    assert.equal((await store.load()).settings.interfaces, undefined);
  });
}

const BAD_SETTINGS: readonly (readonly [string, RegExp])[] = [
  ['default_profile = "gone"\n', /^bastion\.toml:1:1 There is no \[\[profile\]\] with the id "gone"/],
  ['[profile]\nid = "home"\n', /Write \[\[profile\]\]/],
  ['[[profile]]\nname = "Home"\n', /^bastion\.toml:1:1 "id" is missing here/],
  ['[[profile]]\nid = "Home"\n', /^bastion\.toml:2:1 "Home" is no "id"/],
  ['[[profile]]\nid = "a"\n\n[[profile]]\nid = "a"\n', /^bastion\.toml:4:1 The id "a" is used for a \[\[profile\]\] already/],
  ['[[profile]]\nid = "a"\nnetwork = {}\n', /"network" must be a table/],
  ['[[profile]]\nid = "a"\nnetwork = { bssid = "x" }\n', /There is no key "network\.bssid" here/],
  ['[[profile]]\nid = "a"\nnetwork = { gateway = "router" }\n', /^bastion\.toml:3:13 "gateway": "router" is no address/],
  ['[[profile]]\nid = "a"\nnetwork = { gateway = "192.168.1.1", mac = "aa:bb" }\n', /is no hardware address/],
  ['[[profile]]\nid = "a"\nnetwork = { mac = "aa:bb:cc:dd:ee:ff" }\n', /"mac" is that of the gateway/],
  [`[[profile]]\nid = "a"\nnetwork = { ssid = "${'x'.repeat(33)}" }\n`, /of at most 32 bytes/],
  [Array.from({ length: 65 }, (_, at) => `[[profile]]\nid = "p${String(at)}"\n`).join(''), /^bastion\.toml:129:1 There are at most 64 \[\[profile\]\]/],
];

for (const [text, wanted] of BAD_SETTINGS) {
  test(`bastion.toml with ${JSON.stringify(text.slice(0, 80))} is refused with line and column`, async (t) => {
    const { store, write } = await makeStore(t);
    await write('etc/bastion.toml', text);
    assert.match((await complaints(store))[0] ?? 'no complaint', wanted);
    assert.equal((await store.load()).settings.profiles, undefined);
  });
}

const word = fc.stringMatching(/^[a-z][a-z0-9]{1,8}$/);
const path = word.map((name) => `/opt/${name}`);
const maybe = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(one, { nil: undefined });
const ancestor = fc.oneof(
  path.map((one) => `path:${one}`), word.map((one) => `package:${one}`), word.map((one) => `flatpak:org.${one}.App`),
  word.map((one) => `snap:${one}`), path.map((one) => `appimage:${one}`), path.map((one) => `script:${one}`), fc.constant(`sha256:${HASH}`),
);
const place = fc.oneof(
  fc.constant({}), word.map((name) => ({ domain: `*.${name}.org` })), word.map((name) => ({ list: name })), fc.constant({ address: '192.0.2.0/24' }),
);
const edit: fc.Arbitrary<RuleEdit> = fc.record({
  program: fc.record({
    path: fc.option(path, { nil: '' }), package: maybe(word), flatpak: maybe(word.map((one) => `org.${one}.App`)), snap: maybe(word),
    appimage: maybe(path), script: maybe(path), sha256: maybe(fc.constant(HASH)), pin: maybe(fc.boolean()),
    include_children: maybe(fc.boolean()), all_scripts: maybe(fc.boolean()), ancestor: maybe(ancestor),
  }),
  place,
  container: maybe(fc.oneof(word, word.map((one) => `${one}-*`), fc.constant('*'), fc.constant('3f2a9c0b1d2e'))),
  rest: fc.record({
    action: fc.constantFrom('allow', 'deny', 'drop', 'ask'), name: word, port: fc.constantFrom('', '443', '80,8000-8080'),
    protocol: fc.constantFrom('', 'tcp', 'tcp,udp'), zone: maybe(word), interface: maybe(fc.constantFrom('eth0', 'wg*')),
    profile: maybe(word), group: fc.constantFrom('', 'Tools "x"'), user: fc.constantFrom('', '1000'), enabled: fc.boolean(),
    priority: fc.integer({ min: -1000, max: 1000 }), schedule: fc.constantFrom('', 'mon,tue 09:00-17:30'),
  }),
}).map(({ program: programs, container, place: where, rest }) => {
  const program: Partial<typeof programs> & { readonly path: string } = container === undefined ? programs : { path: '' };
  const named = ['path', 'package', 'flatpak', 'snap', 'appimage', 'script', 'sha256'].some((key) => (program as Record<string, unknown>)[key] !== undefined && (program as Record<string, unknown>)[key] !== '');
  const wanted = {
    ...program, container, ...where, ...rest,
    pin: named ? program.pin : undefined, include_children: named ? program.include_children : undefined,
    all_scripts: program.path !== '' && program.script === undefined ? program.all_scripts : undefined,
  };
  return Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
});

function ruleFrom(id: string, change: RuleEdit): Rule {
  return ruleOf(applyEdit(blankDraft(id), change, NOW_MS), { tier: 'user', created: NOW_MS, source: null }, USERS);
}

function written(rule: Rule): NewRule {
  const form = fileForm(rule, USERS);
  assert.ok(form !== null);
  return form;
}

function told(rule: Rule): RuleInfo {
  return { ...ruleInfoOf(rule, { hits: 0, lastHitMs: 0 }, USERS), file: '', line: 0 };
}

test('whatever an edit says is written, read, told and edited again without loss', async (t) => {
  const { store, restarted, userText } = await makeStore(t);
  await fc.assert(fc.asyncProperty(edit, edit, async (first, second) => {
    const rule = ruleFrom('r', first);
    await store.add(written(rule));
    const [read] = (await restarted().load()).rules;
    assert.ok(read !== undefined);
    assert.deepEqual(told(read), told(rule), await userText());
    for (const [key, value] of Object.entries(first)) {
      const says: unknown = Object.entries(told(read)).find(([one]) => one === key)?.[1] ?? (typeof value === 'boolean' ? false : '');
      assert.deepEqual(says, value, key);
    }
    const blank = { path: '', address: '', package: '', flatpak: '', snap: '', appimage: '', script: '', sha256: '', container: '', pin: false,
      include_children: false, all_scripts: false, ancestor: '', domain: '', list: '', zone: '', interface: '', profile: '' };
    const changed = ruleOf(applyEdit(draftOf(read, USERS), { ...blank, ...second }, NOW_MS), read, USERS);
    await store.update('r', written(changed));
    const [again] = (await restarted().load()).rules;
    assert.ok(again !== undefined);
    assert.deepEqual(told(again), told(changed), await userText());
    await store.remove('r');
  }), { numRuns: process.env['BASTION_TEST_SIZE'] === 'full' ? 300 : 40 });
});

test('an edit of one key leaves the comments and every other key of the rule', async (t) => {
  const { store, write, userText } = await makeStore(t);
  await write('etc/bastion.toml', SETTINGS);
  await write('etc/rules.d/50-user.toml', `# mine\n${EVERYTHING.replace('profile = "home"', 'profile = "home" # only there')}`);
  const before = await userText();
  const [rule] = (await store.load()).rules;
  assert.ok(rule !== undefined);
  await store.update('script', { ...written(rule), domain: 'example.net', ancestor: 'path:/usr/bin/make' });
  assert.equal(await userText(), before.replace('"*.Example.org"', '"example.net"').replace('{ package = "make" }', '{ path = "/usr/bin/make" }'));
});

test('a group is switched off and on as one, whoever made its rules, and the file says so', async (t) => {
  const { store, write, userText, restarted } = await makeStore(t);
  const rule = (id: string, more: string): string => `[[rule]]\nid = "${id}"\naction = "deny"\n${more}`;
  await write('etc/rules.d/10-a.toml', rule('theirs', 'group = "Browsers"\n') + rule('other', ''));
  await store.add(newRule({ id: 'mine', group: 'Browsers' }));
  await store.setGroup('Browsers', false);
  assert.match(await userText(), /\n\[\[override\]\]\ngroup = "Browsers"\nenabled = false\n$/);
  assert.deepEqual((await restarted().load()).groupsOff, ['Browsers']);
  assert.deepEqual(await inForce(store), ['theirs deny (off)', 'other deny', 'mine allow (off)']);
  const { rules } = await store.load();
  assert.deepEqual(rules.map(({ groupOff }) => groupOff), [{ enabled: true }, undefined, { enabled: true }]);
  assert.equal(written(rules[2] ?? ruleFrom('x', {})).enabled, true, 'an edit meanwhile does not switch the rule itself off');
  await store.setGroup('Browsers', true);
  assert.doesNotMatch(await userText(), /override/);
  assert.deepEqual(await inForce(store), ['theirs deny', 'other deny', 'mine allow']);
});

test('a broken user file that was never right switches off what its group allows, not what it denies', async (t) => {
  const { store, write } = await makeStore(t);
  await write('etc/rules.d/10-a.toml', '[[rule]]\nid = "a"\naction = "allow"\ngroup = "G"\n\n[[rule]]\nid = "d"\naction = "deny"\ngroup = "G"\n');
  await write('etc/rules.d/50-user.toml', '[[override]]\ngroup = "G"\nenabled = false\n\n[[rule]]\nid = "broken"\n');
  assert.deepEqual(await inForce(store), ['a allow (off)', 'd deny']);
});

test('an override names a rule or a group, and nothing else', async (t) => {
  const { store, write } = await makeStore(t);
  for (const [text, wanted] of [
    ['enabled = false', /^50-user\.toml:1:1 This override names nothing/],
    ['rule = "a"\ngroup = "G"\nenabled = false', /^50-user\.toml:3:1 An override switches a rule or a group/],
    ['group = "G"', /This override says nothing/],
    ['groups = "G"\nenabled = true', /There is no key "groups" here\. Did you mean "group"\?/],
  ] as const) {
    await write('etc/rules.d/50-user.toml', `[[override]]\n${text}\n`);
    assert.match((await complaints(store))[0] ?? '', wanted);
  }
});
