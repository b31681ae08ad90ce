import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { NotConnectedError } from '../../helper/contract/client.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import type { ErrorCode } from '../../helper/contract/errors.ts';
import { COMMANDS } from '../../helper/ctl/commands.ts';
import { GLOBAL_OPTIONS, isNoun } from '../../helper/ctl/tree.ts';
import { VERSION } from '../../helper/ctl/version.ts';
import { bastionctl, fakeIo, FLOW, NOW_MS, PROMPT, RULE, ScriptedClient, STATUS, TOTALS } from './ctl-support.ts';

function json(text: string): unknown {
  assert.ok(text.endsWith('\n'));
  return JSON.parse(text);
}

test('version: is the version of the package', async () => {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  assert.equal((manifest as { version: string }).version, VERSION);
  assert.equal((await bastionctl(['--version'])).stdout, `bastionctl ${VERSION}\n`);
});

test('help: every command has one, with an example, and needs no helper', async () => {
  const lines = COMMANDS.flatMap((entry) => (isNoun(entry) ? [[entry.name], ...entry.verbs.map((verb) => [entry.name, verb.name])] : [[entry.name]]));
  for (const words of lines) {
    const { exitCode, stdout, stderr, connected } = await bastionctl([...words, '--help']);
    assert.equal(exitCode, 0, words.join(' '));
    assert.match(stdout, new RegExp(`^Usage: bastionctl ${words.join(' ')}`));
    assert.equal(stderr, '');
    assert.deepEqual(connected, []);
  }
  assert.match((await bastionctl(['rules', 'add', '--help'])).stdout, /Examples:\n {2}bastionctl rules add/);
  assert.match((await bastionctl(['--help'])).stdout, /0 done, 1 refused, 2 wrong usage, 3 not connected, 4 not authorized/);
});

test('usage: a wrong line ends with 2, an empty stdout and the way to the help', async () => {
  const wrong: readonly (readonly string[])[] = [
    [], ['staus'], ['rules', 'bogus'], ['status', 'more'], ['mode', 'off'], ['mode', '--confirm', '60'], ['mode', 'learning', '--confirm', 'x'],
    ['pause', '25h'], ['pause', '0'], ['rules', 'add'], ['rules', 'add', 'permit'], ['rules', 'add', 'allow', '--application', 'no-such-program-here'],
    ['rules', 'add', 'allow', '--lifetime', 'once'], ['rules', 'add', 'allow', '--priority', '1001'], ['rules', 'edit', 'x'],
    ['prompts', 'answer', 'p7'], ['prompts', 'answer', 'p7', 'ask'], ['prompts', 'answer', 'p7', 'allow', '--lifetime', 'forever'],
    ['prompts', 'answer', 'p7', 'allow', '--scope', 'world'], ['prompts', 'answer', 'p7', 'allow', '--scope', 'domain'],
    ['log-level', 'loud'], ['monitor', '--count', '0'], ['history', '--user', 'no such user'], ['status', '--bogus'],
    ['--host', '-oProxyCommand=x', 'status'], ['--host', 'a b', 'status'], ['--host', 'h', '--bus', 'x', 'status'], ['agent', '--json'],
    ['aplications'], ['completion', 'tcsh'],
  ];
  for (const args of wrong) {
    const { exitCode, stdout, stderr, client } = await bastionctl(args);
    assert.equal(exitCode, 2, args.join(' '));
    assert.equal(stdout, '', args.join(' '));
    assert.match(stderr, args.length === 0 ? /Usage:/ : /^bastionctl: .*\nTry: bastionctl.* --help\n$/, args.join(' '));
    assert.ok(client.calls.every(([name]) => name === 'listPrompts'), args.join(' '));
  }
});

test('failures: each code has its exit code, nothing on stdout, and the next command to try', async () => {
  const wanted: readonly (readonly [ErrorCode, number, RegExp])[] = [
    ['NotAuthorized', 4, process.getuid?.() === 0 ? /allowed/ : /Try: sudo bastionctl rules remove x/],
    ['NotFound', 1, /Try: bastionctl rules list/],
    ['ReadOnly', 1, /Try: bastionctl rules disable/],
    ['Busy', 1, /in a moment/],
    ['Failed', 1, /journalctl/],
  ];
  for (const [code, exit, next] of wanted) {
    const client = new ScriptedClient();
    client.failures = { removeRule: new BastionError(code) };
    for (const flags of [[], ['--json']]) {
      const outcome = await bastionctl(['rules', 'remove', 'x', ...flags], client);
      assert.equal(outcome.exitCode, exit);
      assert.equal(outcome.stdout, '');
      assert.match(outcome.stderr, next);
    }
    assert.ok(client.closed);
  }
});

test('failures: a helper that is not there ends with 3, whatever was asked', async () => {
  const failure = new NotConnectedError('gone');
  const client = new ScriptedClient();
  client.failures = Object.fromEntries(
    ['status', 'setMode', 'listRules', 'listPrompts', 'subscribe', 'queryFlows', 'explain', 'totals', 'selfTest', 'registerAgent'].map((name) => [name, failure]),
  );
  for (const line of ['status', 'mode', 'mode learning', 'rules', 'prompts', 'prompts answer p1 allow', 'monitor', 'history', 'explain f1', 'applications', 'selftest']) {
    const { exitCode, stdout, stderr } = await bastionctl(line.split(' '), client);
    assert.equal(exitCode, 3, line);
    assert.equal(stdout, '');
    assert.match(stderr, /cannot be reached.*\nTry: /);
  }
});

test('failures: what the helper says is escaped before it reaches the terminal', async () => {
  const client = new ScriptedClient();
  client.failures = { removeRule: new BastionError('Failed', 'bad\x1b[2J\u{202e}name') };
  assert.match((await bastionctl(['rules', 'remove', 'x'], client)).stderr, /bad\\x1b\[2J\\u\{202e\}name/);
});

test('global options: may stand before or after the command, and reach the connection', async () => {
  for (const args of [['--json', '--bus', 'unix:path=/x', 'rules', 'list'], ['rules', 'list', '--bus=unix:path=/x', '--json']]) {
    const { connected, stdout } = await bastionctl([...args, '--no-ask-password']);
    assert.deepEqual(connected, [{ address: 'unix:path=/x', timeoutMs: 10_000, interactive: false }]);
    json(stdout);
  }
});

test('status --json: stable keys', async () => {
  const { stdout } = await bastionctl(['status', '--json']);
  assert.deepEqual(json(stdout), {
    version: '3.0.0', mode: 'enforcing', state: 'protecting', degraded_reasons: [], paused_until_ms: 0, trial: null, safeguard: null, profile: '', load_errors: [], statistics: STATUS.statistics,
  });
});

test('status: says what limits it, what to do, and which line of which file is wrong', async () => {
  const client = new ScriptedClient();
  client.state = {
    ...STATUS, state: 'degraded', pausedUntilMs: NOW_MS + 240_000,
    degradedReasons: [{ code: 'no-btf', text: 'Programs are found through /proc.', remedy: 'Use a kernel with BTF.' }],
    loadErrors: [{ file: '50-user.toml', line: 12, column: 3, message: 'unexpected \x1b' }],
  };
  const { stdout } = await bastionctl(['status'], client);
  assert.match(stdout, /State: +degraded/);
  assert.match(stdout, /4 min left/);
  assert.match(stdout, /Programs are found through \/proc\.\n +Use a kernel with BTF\./);
  assert.match(stdout, /50-user\.toml:12:3: unexpected \\x1b/);
});

test('status: what was left out for lack of room is told one by one, also what this version has no words for', async () => {
  const client = new ScriptedClient();
  const counted = { ...STATUS.statistics, losses: { prompts_over_limit: 1200, calls_refused: 3, lists_refused: 0, from_the_future: 2 } };
  client.state = { ...STATUS, statistics: counted };
  const { stdout } = await bastionctl(['status'], client);
  assert.match(stdout, /Left out: +1[,.]?200 connections because too many questions waited, 3 calls because too many waited, 2 from_the_future/);
  assert.doesNotMatch((await bastionctl(['status'])).stdout, /Left out/);
});

test('colours: only on a terminal, and not where NO_COLOR, --no-color or a dumb terminal says so', async () => {
  const colourful = async (args: readonly string[], env: Record<string, string>, terminal = true): Promise<boolean> =>
    (await bastionctl(['status', ...args], new ScriptedClient(), fakeIo({ terminal, env }))).stdout.includes('\x1b[');
  assert.equal(await colourful([], { TERM: 'xterm' }), true);
  assert.equal(await colourful([], { TERM: 'xterm', NO_COLOR: '1' }), false);
  assert.equal(await colourful(['--no-color'], { TERM: 'xterm' }), false);
  assert.equal(await colourful([], { TERM: 'dumb' }), false);
  assert.equal(await colourful([], { TERM: 'xterm' }, false), false);
});

test('mode: reads, sets, and sets for a while', async () => {
  assert.equal((await bastionctl(['mode'])).stdout, 'enforcing\n');
  assert.deepEqual(json((await bastionctl(['mode', '--json'])).stdout), { mode: 'enforcing' });
  assert.deepEqual((await bastionctl(['mode', 'learning'])).client.calls, [['setMode', 'learning']]);
  const trial = await bastionctl(['mode', 'learning', '--confirm', '60']);
  assert.deepEqual(trial.client.calls, [['status'], ['setMode', 'learning', { confirmSeconds: 60 }]]);
  assert.match(trial.stdout, /goes back to enforcing in 1 min, unless you say: bastionctl trial --keep/);
});

async function untilPrinted(io: { readonly stdout: string }, text: string): Promise<void> {
  while (!io.stdout.includes(text)) await new Promise((resolve) => setImmediate(resolve));
}

test('mode --confirm on a terminal: y keeps it, another key goes back at once, and the keyboard is given back', async () => {
  for (const [key, exit, last] of [['y', 0, ['setMode', 'learning']], ['n', 1, ['setMode', 'enforcing']]] as const) {
    const io = fakeIo({ terminal: true });
    const running = bastionctl(['mode', 'learning', '--confirm', '60'], new ScriptedClient(), io);
    await untilPrinted(io, '[y/N]');
    io.press(key);
    const { exitCode, client } = await running;
    assert.equal(exitCode, exit);
    assert.deepEqual(client.calls.at(-1), last);
    assert.equal(io.keyboardState, 'closed');
  }
});

test('trial: five minutes of enforcing if not said; is kept, ended, and refused where none runs', async () => {
  const client = new ScriptedClient();
  client.state = { ...STATUS, mode: 'learning' };
  const started = await bastionctl(['trial', '--json'], client);
  assert.deepEqual(json(started.stdout), { mode: 'enforcing', confirm_seconds: 300, before: 'learning' });
  assert.deepEqual(json((await bastionctl(['status', '--json'], client)).stdout), {
    ...(json((await bastionctl(['status', '--json'])).stdout) as object), trial: { before: 'learning', ends_ms: NOW_MS + 300_000 },
  });
  assert.equal((await bastionctl(['trial', '--back'], client)).stdout, 'Mode is learning again.\n');
  for (const option of ['--keep', '--back']) {
    const { exitCode, stderr } = await bastionctl(['trial', option], client);
    assert.deepEqual([exitCode, stderr], [1, 'bastionctl: No mode is on trial; it is learning.\nTry: bastionctl trial 5m\n']);
  }
  await bastionctl(['trial', '10s'], client);
  assert.equal((await bastionctl(['trial', '--keep'], client)).stdout, 'Mode enforcing stays.\n');
  for (const wrong of [['2s'], ['2h'], ['--keep', '--back'], ['5m', '--keep']]) {
    assert.equal((await bastionctl(['trial', ...wrong])).exitCode, 2);
  }
});

test('trial on a terminal: a helper that went away is no failure that nobody explains', async () => {
  const io = fakeIo({ terminal: true });
  const client = new ScriptedClient();
  const running = bastionctl(['trial'], client, io);
  await untilPrinted(io, '[y/N]');
  client.failures = { status: new NotConnectedError('gone') };
  io.press('y');
  const { exitCode, stderr } = await running;
  assert.equal(exitCode, 1);
  assert.match(stderr, /does not answer\. It goes back to enforcing by itself/);
});

test('pause: five minutes if not said, seconds to the helper', async () => {
  assert.deepEqual((await bastionctl(['pause'])).client.calls, [['pause', 300]]);
  assert.deepEqual((await bastionctl(['pause', '1h'])).client.calls, [['pause', 3600]]);
  assert.deepEqual(json((await bastionctl(['pause', '30', '--json'])).stdout), { paused_until_ms: NOW_MS + 30_000 });
});

test('reload: a file with errors ends with 1 and is named', async () => {
  const client = new ScriptedClient();
  client.state = { ...STATUS, loadErrors: [{ file: 'a.toml', line: 2, column: 1, message: 'no' }] };
  const { exitCode, stderr } = await bastionctl(['reload'], client);
  assert.equal(exitCode, 1);
  assert.match(stderr, /a\.toml:2:1: no/);
  assert.equal((await bastionctl(['reload'])).exitCode, 0);
});

test('rules list: turns every page, and JSON has stable keys', async () => {
  const client = new ScriptedClient();
  client.rules = ['a', 'b', 'c', 'd', 'e'].map((id) => ({ ...RULE, id }));
  const { stdout } = await bastionctl(['rules', '--json'], client);
  const rows = json(stdout);
  assert.ok(Array.isArray(rows));
  assert.deepEqual(rows.map((row: { id: string }) => row.id), ['a', 'b', 'c', 'd', 'e']);
  assert.deepEqual(Object.keys(rows[0] as object), [
    'id', 'name', 'action', 'enabled', 'path', 'address', 'port', 'protocol', 'user', 'lifetime', 'until_ms', 'schedule', 'priority',
    'group', 'group_enabled', 'package', 'flatpak', 'snap', 'appimage', 'script', 'sha256', 'pin', 'include_children', 'all_scripts',
    'container', 'ancestor', 'domain', 'list', 'zone', 'interface', 'profile', 'tier', 'editable', 'file', 'line', 'created_ms', 'hits', 'last_hit_ms',
  ]);
});

test('rules add and edit: every way to name a program and a place reaches the helper, and any and no- take it away', async () => {
  const hash = 'ab'.repeat(32);
  const client = new ScriptedClient();
  await bastionctl(['rules', 'add', 'allow', '--package', 'firefox-esr', '--flatpak', 'org.mozilla.firefox', '--snap', 'firefox',
    '--appimage', '/opt/a.AppImage', '--script', '/opt/tool.py', '--sha256', hash, '--pin', '--include-children', '--all-scripts',
    '--ancestor', 'path:/usr/bin/make', '--domain', '*.example.org', '--list', 'ads', '--zone', 'home', '--interface', 'wg*', '--profile', 'work'], client);
  await bastionctl(['rules', 'edit', 'x', '--package', 'any', '--domain', 'any', '--script', 'any', '--no-pin', '--no-include-children', '--no-all-scripts'], client);
  await bastionctl(['rules', 'add', 'deny', '--container', 'web-*'], client);
  await bastionctl(['rules', 'group', 'Browsers', 'off'], client);
  assert.deepEqual(client.calls, [
    ['addRule', {
      action: 'allow', package: 'firefox-esr', flatpak: 'org.mozilla.firefox', snap: 'firefox', sha256: hash, ancestor: 'path:/usr/bin/make',
      domain: '*.example.org', list: 'ads', zone: 'home', interface: 'wg*', profile: 'work', appimage: '/opt/a.AppImage',
      script: '/opt/tool.py', pin: true, include_children: true, all_scripts: true,
    }],
    ['updateRule', 'x', { package: '', domain: '', script: '', pin: false, include_children: false, all_scripts: false }],
    ['addRule', { action: 'deny', container: 'web-*' }],
    ['setGroup', 'Browsers', false],
  ]);
});

test('rules show: what a rule names is said in a sentence and in lines', async () => {
  const client = new ScriptedClient();
  client.rules = [{
    ...RULE, id: 'tool', path: '/usr/bin/python3', script: '/opt/tool.py', domain: '*.example.org', zone: 'home', include_children: true,
    pin: true, ancestor: 'path:/usr/bin/make', profile: 'work', group: 'Tools', group_enabled: false,
  }];
  const { stdout } = await bastionctl(['rules', 'show', 'tool'], client);
  assert.match(stdout, /^\/usr\/bin\/python3 script \/opt\/tool\.py may reach \*\.example\.org by zone home on port 443 by tcp, and the programs that it starts, while its file is the trusted one, started by \/usr\/bin\/make, in profile work\./);
  assert.match(stdout, /\nEnabled: +group off\n/);
  assert.match(stdout, /\nOnly: +and the programs that it starts; while its file is the trusted one; started by \/usr\/bin\/make; in profile work\n/);
});

test('rules list: columns stay the same, and an empty list says how rules come', async () => {
  const { stdout } = await bastionctl(['rules', 'list']);
  assert.match(stdout, /^ID +ACTION +APPLICATION +TO +PORT +PROTOCOL +USER +LIFETIME +ENABLED +TIER +HITS\ncurl-web +allow +\/usr\/bin\/curl +any +443 +tcp +any +always +yes +user +1234\n$/);
  const none = new ScriptedClient();
  none.rules = [];
  assert.match((await bastionctl(['rules'], none)).stdout, /No rules yet/);
  assert.deepEqual(json((await bastionctl(['rules', '--json'], none)).stdout), []);
});

test('rules add: options become the edit, what is not given is not sent', async () => {
  const line = ['rules', 'add', 'deny', '--application', '/usr/bin/env', '--to', '192.0.2.0/24', '--port', '80,443', '--protocol', 'tcp',
    '--user', 'alice', '--lifetime', '1h', '--name', 'No env', '--id', 'no-env', '--priority', '-5', '--group', 'G', '--schedule', 'mon 09:00-17:30'];
  const { client, stdout } = await bastionctl(line);
  assert.deepEqual(client.calls, [['addRule', {
    action: 'deny', path: '/usr/bin/env', address: '192.0.2.0/24', port: '80,443', protocol: 'tcp', user: 'alice', lifetime: 'until',
    until_ms: NOW_MS + 3_600_000, name: 'No env', id: 'no-env', priority: -5, group: 'G', schedule: 'mon 09:00-17:30',
  }]]);
  assert.equal(stdout, 'Added rule new-rule.\n');
  assert.deepEqual((await bastionctl(['rules', 'add', '--application', 'any', 'allow'])).client.calls, [['addRule', { action: 'allow', path: '' }]]);
});

test('rules add: a name is looked for in PATH and a link is followed, because the kernel sees the file itself', async () => {
  const { client, stderr } = await bastionctl(['rules', 'add', 'allow', '--application', 'sh']);
  const edit = client.calls[0]?.[1];
  assert.ok(typeof edit === 'object' && edit !== null && 'path' in edit);
  assert.match(String(edit.path), /^\/usr\/bin\/(?!sh$)\w+$/);
  assert.match(stderr, /Note: \/usr\/bin\/sh is \/usr\/bin\/\w+; the rule names that\./);
});

test('rules edit, enable, disable, remove: exactly the change that was asked for', async () => {
  assert.deepEqual((await bastionctl(['rules', 'edit', 'x', '--to', 'any', '--action', 'drop'])).client.calls, [['updateRule', 'x', { action: 'drop', address: '' }]]);
  assert.deepEqual((await bastionctl(['rules', 'disable', 'x', 'y'])).client.calls, [['updateRule', 'x', { enabled: false }], ['updateRule', 'y', { enabled: false }]]);
  assert.deepEqual((await bastionctl(['rules', 'enable', 'x'])).client.calls, [['updateRule', 'x', { enabled: true }]]);
  const removed = await bastionctl(['rules', 'remove', 'x', 'y', '--json']);
  assert.deepEqual(removed.client.calls, [['removeRule', 'x'], ['removeRule', 'y']]);
  assert.deepEqual(json(removed.stdout), { ids: ['x', 'y'] });
});

test('rules export: the text itself into a pipe', async () => {
  assert.equal((await bastionctl(['rules', 'export'])).stdout, '[[rule]]\nid = "a"\n');
});

test('prompts list --json: exactly the keys that others rely on, only what waits unless --all', async () => {
  const client = new ScriptedClient();
  client.prompts = [PROMPT, { ...PROMPT, id: 'p8', status: 'expired', expires_in_ms: 0 }];
  const row = {
    id: 'p7', application: 'curl', destination: 'example.org', address: '192.0.2.7', port: 443, protocol: 'tcp', uid: 1000, count: 1, expires_in_ms: 30_000,
    path: '/usr/bin/curl', confidence: 'certain', package: '', flatpak: '', snap: '', appimage: '', interpreter: false, script: '', script_evidence: '',
    sha256: '', integrity: '', trusted: false, named_by: '', container: '', image: '', ancestors: [{ pid: 4000, path: '/usr/bin/bash', command: 'bash', script: '' }],
  };
  assert.deepEqual(json((await bastionctl(['prompts', 'list', '--json'], client)).stdout), [row]);
  assert.deepEqual(json((await bastionctl(['prompts', 'list', '--json', '--all'], client)).stdout), [row, { ...row, id: 'p8', expires_in_ms: 0 }]);
});

test('prompts answer --children: is sent, told, and refused where it can mean nothing', async () => {
  const client = new ScriptedClient();
  client.prompts = [{ ...PROMPT, named_by: 'path', lifetimes: ['once', 'process', 'always'] }];
  const done = await bastionctl(['prompts', 'answer', 'p7', 'allow', '--lifetime', '1h', '--children'], client);
  assert.match(done.stdout, /for 1h\. So may the programs that it starts\./);
  assert.deepEqual(client.calls.at(-1)?.[2], { action: 'allow', scope: 'host', lifetime: 'until', until_ms: NOW_MS + 3_600_000, include_children: true });
  const brief = await bastionctl(['prompts', 'answer', 'p7', 'allow', '--lifetime', 'process', '--children'], client);
  assert.deepEqual([brief.exitCode, brief.stderr.includes('--children: not with the lifetime process')], [2, true]);
  client.prompts = [PROMPT];
  const unnamed = await bastionctl(['prompts', 'answer', 'p7', 'allow', '--lifetime', 'always', '--children'], client);
  assert.deepEqual([unnamed.exitCode, unnamed.stderr.includes('--children: this program could not be named')], [2, true]);
  assert.equal(client.calls.filter(([name]) => name === 'answer').length, 1);
});

test('prompts answer: finds the nonce by id, on any page, and sends what was chosen', async () => {
  const client = new ScriptedClient();
  client.prompts = [1, 2, 3, 4, 5].map((n) => ({ ...PROMPT, id: `p${String(n)}`, nonce: `n${String(n)}` }));
  const { exitCode, stdout } = await bastionctl(['prompts', 'answer', 'p5', 'allow', '--lifetime', 'always', '--scope', 'port', '--json'], client);
  assert.equal(exitCode, 0);
  assert.deepEqual(client.calls.at(-1), ['answer', 'n5', { action: 'allow', scope: 'port', lifetime: 'always' }]);
  assert.deepEqual(json(stdout), { rule_id: 'made', flows: 1 });
});

test('prompts answer: without --lifetime it costs no password', async () => {
  const { client, stdout } = await bastionctl(['prompts', 'answer', 'p7', 'deny']);
  const lifetime = process.getuid?.() === 0 ? 'always' : 'process';
  assert.deepEqual(client.calls.at(-1), ['answer', PROMPT.nonce, { action: 'deny', scope: 'host', lifetime }]);
  assert.match(stdout, /curl may n(ever|ot) reach example\.org on port 443/);
});

test('prompts dismiss: takes the expired ones named or all of them, never one that waits, and answers nothing', async () => {
  const client = new ScriptedClient();
  const expired = (id: string): typeof PROMPT => ({ ...PROMPT, id, nonce: `n-${id}`, status: 'expired', expires_in_ms: 0 });
  client.prompts = [PROMPT, expired('p8'), expired('p9'), expired('p10')];
  const named = await bastionctl(['prompts', 'dismiss', 'p8', 'p10'], client);
  assert.deepEqual(client.calls.at(-1), ['dismissPrompts', ['n-p8', 'n-p10']]);
  assert.equal(named.stdout, 'Dismissed 2 prompts; nothing was answered.\n');
  assert.deepEqual(json((await bastionctl(['prompts', 'dismiss', '--all', '--json'], client)).stdout), { dismissed: 3 });
  assert.deepEqual(client.calls.at(-1), ['dismissPrompts', ['n-p8', 'n-p9', 'n-p10']]);
  client.prompts = Array.from({ length: 300 }, (_none, at) => expired(`q${String(at)}`));
  assert.match((await bastionctl(['prompts', 'dismiss', '--all'], client)).stdout, /^Dismissed 300 prompts/);
  client.prompts = [PROMPT, expired('p8')];
  const waits = await bastionctl(['prompts', 'dismiss', 'p8', PROMPT.id], client);
  assert.deepEqual([waits.exitCode, waits.stdout], [2, '']);
  assert.match(waits.stderr, /still waits; answer it with: bastionctl prompts answer p7 deny/);
  const unknown = await bastionctl(['prompts', 'dismiss', 'p99'], client);
  assert.equal(unknown.exitCode, 1);
  assert.match(unknown.stderr, /no prompt 'p99'.*\nTry: bastionctl prompts list --all/);
  assert.deepEqual([(await bastionctl(['prompts', 'dismiss'], client)).exitCode, (await bastionctl(['prompts', 'dismiss', 'p8', '--all'], client)).exitCode], [2, 2]);
  client.prompts = [PROMPT];
  assert.equal((await bastionctl(['prompts', 'dismiss', '--all'], client)).stdout, 'Nothing was there to be dismissed.\n');
  assert.ok(client.calls.every(([name]) => name !== 'answer'));
  assert.deepEqual(client.calls.filter(([name]) => name === 'dismissPrompts').map(([, nonces]) => (nonces as readonly string[]).length), [2, 3, 256, 44]);
});

test('prompts answer: an unknown id is refused with the way to the list', async () => {
  const { exitCode, stderr, client } = await bastionctl(['prompts', 'answer', 'p99', 'allow']);
  assert.equal(exitCode, 1);
  assert.match(stderr, /no prompt 'p99'.*\nTry: bastionctl prompts list --all/);
  assert.ok(client.calls.every(([name]) => name !== 'answer'));
});

test('history and explain: filters reach the helper, the limit holds over pages', async () => {
  const client = new ScriptedClient();
  client.rowFlows = [1, 2, 3, 4, 5].map((n) => ({ ...FLOW, id: `f${String(n)}` }));
  const rows = json((await bastionctl(['history', '--limit', '3', '--json'], client)).stdout);
  assert.ok(Array.isArray(rows));
  assert.equal(rows.length, 3);
  assert.match((await bastionctl(['explain', 'f7'])).stdout, /^Allowed by rule curl-web\.\n\nFlow: +f7/);
});

test('history: every filter reaches the helper, with or without the word list', async () => {
  const client = new ScriptedClient();
  const line = ['--since', '2h', '--until', '2027-01-31T12:00Z', '--app', 'fire', '--destination', 'example.org', '--port', '443', '--action', 'deny',
    '--rule', 'web', '--user', '7', '--application', '/usr/bin/curl'];
  for (const words of [['history'], ['history', 'list']]) {
    await bastionctl([...words, ...line], client);
    assert.deepEqual(client.filters.pop(), {
      since_ms: NOW_MS - 7_200_000, until_ms: Date.UTC(2027, 0, 31, 12), application: 'fire', path: '/usr/bin/curl', host: 'example.org', port: 443,
      rule_id: 'web', action: 'deny', uid: 7,
    });
  }
  for (const bad of [['--since', 'yesterday'], ['--port', '70000'], ['--action', 'ask'], ['nonsense']]) {
    assert.equal((await bastionctl(['history', ...bad], client)).exitCode, 2, bad.join(' '));
  }
});

test('history export: page after page as CSV or JSON, without formulas or control characters, and how to go on', async () => {
  const client = new ScriptedClient();
  const evil = '=cmd|"/c calc"!A1,\x1b[2J\n';
  client.rowFlows = [1, 2, 3, 4, 5].map((n) => ({ ...FLOW, id: `f${String(n)}`, ...(n === 2 ? { application: evil, host: '@x', rule_id: '+1' } : {}) }));
  const csv = await bastionctl(['history', 'export'], client);
  const lines = csv.stdout.split('\r\n');
  assert.equal(lines.length, 7);
  assert.match(lines[0] ?? '', /^id,time,action,reason,rule,application,path,uid,/);
  assert.ok(lines[2]?.startsWith(`f2,${new Date(FLOW.time_ms).toISOString()},allow,rule,'+1,"'=cmd|""/c calc""!A1,\\x1b[2J\\n",/usr/bin/curl,1000,`), lines[2]);
  assert.match(lines[2] ?? '', /,'@x,/);
  const rows = json((await bastionctl(['history', 'export', '--format', 'json'], client)).stdout);
  assert.ok(Array.isArray(rows) && rows.length === 5);
  const part = await bastionctl(['history', 'export', '--format', 'json', '--limit', '2'], client);
  assert.equal((json(part.stdout) as unknown[]).length, 2);
  assert.match(part.stderr, /--cursor 2/);
  assert.equal((json((await bastionctl(['history', 'export', '--format', 'json', '--cursor', '2'], client)).stdout) as unknown[]).length, 3);
  client.rowFlows = [];
  assert.deepEqual(json((await bastionctl(['history', 'export', '--format', 'json'], client)).stdout), []);
});

test('history totals and clear: what is asked of the helper, and nothing is cleared by mistake', async () => {
  const client = new ScriptedClient();
  client.rowTotals = [{ ...TOTALS, connections: 12, allowed: 10, refused: 2 }];
  assert.match((await bastionctl(['history', 'totals', '--range', 'week'], client)).stdout, /curl +alice +12 +2 +1\.5 kB/);
  assert.deepEqual(client.calls.at(-1), ['historyTotals', 'week', 'application']);
  client.rowTotals = [{ ...TOTALS, application: '', destination: 'example.org', port: 443, protocol: 'tcp', connections: 1 }];
  assert.match((await bastionctl(['history', 'totals', '--by', 'destination'], client)).stdout, /\nexample\.org:443 +tcp +1 +0\n/);
  assert.equal((await bastionctl(['history', 'clear'], client)).exitCode, 2);
  assert.ok(client.calls.every(([name]) => name !== 'clearHistory'));
  assert.equal((await bastionctl(['history', 'clear', '--yes'], client)).stdout, 'The history is empty.\n');
  assert.equal(client.calls.at(-1)?.[0], 'clearHistory');
});

test('applications: who sent and received how much, with the program’s whole path where there is room', async () => {
  const client = new ScriptedClient();
  const evil = 'x\x1b[2J\u{202e}';
  client.rowTotals = [
    TOTALS,
    { ...TOTALS, application: evil, path: evil, user: evil, sent_bytes: 1, received_bytes: 0 },
    { ...TOTALS, application: 'Other programs', path: '', uid: 0xffff_ffff, user: '', others: 12 },
  ];
  const { stdout } = await bastionctl(['applications'], client);
  assert.match(stdout, /^APPLICATION +FILE +USER +SENT +RECEIVED +PACKETS SENT +PACKETS RECEIVED +PATH\n/);
  assert.match(stdout, /\ncurl +-- +alice +1\.5 kB +2\.5 MB +3 +1700 +\/usr\/bin\/curl\n/);
  assert.match(stdout, /\nx\\x1b\[2J\\u\{202e\} /);
  assert.match(stdout, /\nOther programs \(12\) +-- /);
  const rows = json((await bastionctl(['applications', '--limit', '1', '--json'], client)).stdout);
  assert.deepEqual(rows, [TOTALS]);
  client.rowTotals = [];
  assert.equal((await bastionctl(['applications'], client)).stdout, 'No program sent or received anything yet.\n');
});

test('selftest: a failed check ends with 1', async () => {
  const client = new ScriptedClient();
  client.selfTest = () => Promise.resolve([{ name: 'queue', ok: false, detail: 'taken' }]);
  const { exitCode, stdout } = await bastionctl(['selftest', '--json'], client);
  assert.equal(exitCode, 1);
  assert.deepEqual(json(stdout), [{ name: 'queue', ok: false, detail: 'taken' }]);
});

test('rules lists: a row for each list; update waits until none of them is being updated, and fails where one is wrong', async () => {
  const ads = {
    id: 'ads', name: 'Advertisers', source: '/etc/bastion/lists/ads.txt', format: 'hosts' as const, entries: 3, domains: 2, prefixes: 1, exceptions: 0,
    ignored: 4, updated_ms: 0, next_ms: 0, error: '', updating: false, used_by: ['no-ads'],
  };
  const client = new ScriptedClient();
  client.lists = [ads, { ...ads, id: 'far', error: 'The server answers 404.\u{1b}[31m' }];
  const shown = await bastionctl(['rules', 'lists'], client);
  assert.equal(shown.exitCode, 0);
  assert.match(shown.stdout, /^ID .*STATE\nads .* ok\nfar .*The server answers 404\.\\x1b\[31m\n$/);
  assert.deepEqual(JSON.parse((await bastionctl(['rules', 'lists', '--json'], client)).stdout), client.lists);
  assert.equal((await bastionctl(['rules', 'lists', 'update', 'ads'], client)).exitCode, 0);
  assert.deepEqual(client.calls.filter(([name]) => name === 'updateLists'), [['updateLists', ['ads']]]);
  assert.equal((await bastionctl(['rules', 'lists', 'update'], client)).exitCode, 1);
  assert.equal((await bastionctl(['rules', 'lists', 'renew'], client)).exitCode, 2);
  assert.match((await bastionctl(['rules', 'lists'])).stdout, /names no lists/);
});

test('the manual names every command and option', () => {
  const manual = readFileSync(new URL('../../data/man/bastionctl.1', import.meta.url), 'utf8');
  for (const entry of COMMANDS) {
    for (const verb of isNoun(entry) ? entry.verbs : [entry]) {
      if (verb.hidden === true) continue;
      const words = isNoun(entry) ? `${entry.name} ${verb.name}` : verb.name;
      assert.match(manual, new RegExp(`^\\.It Cm ${words.replace(' ', '(?: Cm)? ')}\\b`, 'm'), words);
      for (const option of verb.options ?? []) assert.ok(manual.includes(`Fl -${option.name}`), `${words} --${option.name}`);
    }
  }
  for (const option of GLOBAL_OPTIONS) assert.ok(manual.includes(`Fl -${option.name}`), option.name);
});

test('status: names who is refused while the safeguard is on, and how to end it', async () => {
  const client = new ScriptedClient();
  client.state = { ...STATUS, state: 'safeguard' };
  client.guard = {
    on: true, since_ms: NOW_MS - 12_000, refused: 4200, scope: 'application', rate: 900,
    offenders: [{ path: '/opt/noisy\u001b[31m', uid: 1000, refused: 4200, rate: 880 }],
  };
  const { stdout } = await bastionctl(['status'], client);
  assert.match(stdout, /one program made 900 new connections a second; 4200 were refused in 12 sec/u);
  assert.match(stdout, /\/opt\/noisy\\x1b\[31m, user 1000: 4200 refused/u);
  assert.match(stdout, /bastionctl end-safeguard/u);
  assert.deepEqual((json((await bastionctl(['status', '--json'], client)).stdout) as { readonly safeguard: unknown }).safeguard, client.guard);
});

test('end-safeguard: tells the helper, and says what the state is', async () => {
  const client = new ScriptedClient();
  const { stdout, exitCode } = await bastionctl(['end-safeguard'], client);
  assert.equal(exitCode, 0);
  assert.match(stdout, /State is protecting/u);
  assert.ok(client.calls.some(([name]) => name === 'endSafeguard'));
});
