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
    version: '3.0.0', mode: 'enforcing', state: 'protecting', degraded_reasons: [], paused_until_ms: 0, load_errors: [], statistics: STATUS.statistics,
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
  assert.match(trial.stdout, /goes back to enforcing in 1 min, unless you say: bastionctl mode learning/);
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
    'group', 'tier', 'editable', 'file', 'line', 'created_ms', 'hits', 'last_hit_ms',
  ]);
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
  };
  assert.deepEqual(json((await bastionctl(['prompts', 'list', '--json'], client)).stdout), [row]);
  assert.deepEqual(json((await bastionctl(['prompts', 'list', '--json', '--all'], client)).stdout), [row, { ...row, id: 'p8', expires_in_ms: 0 }]);
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

test('applications: who sent and received how much, with the program’s whole path where there is room', async () => {
  const client = new ScriptedClient();
  const evil = 'x\x1b[2J\u{202e}';
  client.rowTotals = [
    TOTALS,
    { ...TOTALS, application: evil, path: evil, user: evil, sent_bytes: 1, received_bytes: 0 },
    { ...TOTALS, application: 'Other programs', path: '', uid: 0xffff_ffff, user: '', others: 12 },
  ];
  const { stdout } = await bastionctl(['applications'], client);
  assert.match(stdout, /^APPLICATION +USER +SENT +RECEIVED +PACKETS SENT +PACKETS RECEIVED +PATH\n/);
  assert.match(stdout, /\ncurl +alice +1\.5 kB +2\.5 MB +3 +1700 +\/usr\/bin\/curl\n/);
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
