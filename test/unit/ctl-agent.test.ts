import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BastionError } from '../../helper/contract/errors.ts';
import type { PromptInfo } from '../../helper/contract/types.ts';
import { AgentModel, lifetimeChoices, QUEUE_LIMIT, WAKE_MS } from '../../helper/ctl/agent/model.ts';
import type { Effect } from '../../helper/ctl/agent/model.ts';
import { bastionctl, fakeIo, PROMPT, ScriptedClient } from './ctl-support.ts';
import type { FakeIo, Outcome } from './ctl-support.ts';

const AWAKE_MS = WAKE_MS + 1;

function prompt(n: number, change: Partial<PromptInfo> = {}): PromptInfo {
  return { ...PROMPT, id: `p${String(n)}`, nonce: `nonce-${String(n)}`, application: `program${String(n)}`, ...change };
}

function kinds(effects: readonly Effect[]): readonly string[] {
  return effects.map((effect) => effect.kind);
}

test('agent: a key that decides does nothing until the prompt has been there for a moment', () => {
  const model = new AgentModel();
  assert.deepEqual(kinds(model.raised(prompt(1), 0)), ['present']);
  for (const key of ['a', 'd', 'enter', 'n']) assert.deepEqual(model.key(key, WAKE_MS - 1), [], key);
  assert.deepEqual(kinds(model.key('a', AWAKE_MS)), ['answer']);
  assert.deepEqual(model.key('a', AWAKE_MS), [], 'one answer is enough');
});

test('agent: Enter denies, and the choices are in the answer', () => {
  const model = new AgentModel();
  model.raised(prompt(1), 0);
  model.key('l', 0);
  model.key('s', 0);
  const [effect] = model.key('enter', AWAKE_MS);
  assert.ok(effect?.kind === 'answer');
  assert.deepEqual(effect.answer, { action: 'deny', scope: 'port', lifetime: 'session' });
});

test('agent: proposes what costs no password, and marks what does', () => {
  const model = new AgentModel();
  model.raised(prompt(1), 0);
  assert.deepEqual(model.shown?.lifetime, { value: 'process', free: true });
  assert.deepEqual(lifetimeChoices(prompt(1)).filter((one) => !one.free).map((one) => one.value), ['session', 'boot', '1h', 'always']);
});

test('agent: a program that was not identified for certain is offered nothing longer than the helper says', () => {
  assert.deepEqual(lifetimeChoices(prompt(1, { confidence: 'unknown', lifetimes: ['once'] })).map((one) => one.value), ['once']);
});

test('agent: prompts queue, one is shown, withdrawn ones vanish', () => {
  const model = new AgentModel();
  model.raised(prompt(1), 0);
  assert.deepEqual(model.raised(prompt(2), 0), []);
  assert.deepEqual(model.raised(prompt(3), 0), []);
  assert.equal(model.waiting, 2);
  assert.deepEqual(model.withdrawn('nonce-2', 'answered', 10), []);
  assert.deepEqual(kinds(model.withdrawn('nonce-1', 'answered', 10)), ['ended', 'present']);
  assert.equal(model.shown?.prompt.nonce, 'nonce-3');
  assert.deepEqual(kinds(model.withdrawn('nonce-3', 'expired', 20)), ['ended']);
  assert.equal(model.shown, null);
});

test('agent: the next prompt sleeps too, so that a key pressed twice answers once', () => {
  const model = new AgentModel();
  model.raised(prompt(1), 0);
  model.raised(prompt(2), 0);
  model.key('a', AWAKE_MS);
  assert.deepEqual(kinds(model.answered('nonce-1', AWAKE_MS)), ['present']);
  assert.deepEqual(model.key('a', AWAKE_MS + 1), []);
});

test('agent: news of a prompt change it in its place', () => {
  const model = new AgentModel();
  model.raised(prompt(1), 0);
  model.raised(prompt(2), 0);
  assert.deepEqual(model.raised(prompt(1, { count: 5, expires_in_ms: 9000 }), 1000), []);
  const { shown } = model;
  assert.deepEqual([shown?.prompt.count, shown?.deadlineMs], [5, 10_000]);
  model.raised(prompt(2, { count: 7 }), 1000);
  assert.equal(model.waiting, 1);
});

test('agent: what was put aside comes back with a key', () => {
  const model = new AgentModel();
  model.raised(prompt(1), 0);
  model.key('escape', AWAKE_MS);
  assert.equal(model.shown, null);
  assert.equal(model.aside, 1);
  assert.deepEqual(kinds(model.key('b', AWAKE_MS)), ['present']);
  assert.equal(model.aside, 0);
});

test('agent: keeps at most so many prompts and counts the others', () => {
  const model = new AgentModel();
  for (let n = 0; n < QUEUE_LIMIT + 11; n += 1) model.raised(prompt(n), 0);
  assert.equal(model.waiting, QUEUE_LIMIT);
  assert.equal(model.overflow, 10);
});

test('agent: a helper that went away takes its prompts with it', () => {
  const model = new AgentModel();
  model.raised(prompt(1), 0);
  model.raised(prompt(2), 0);
  model.disconnected();
  assert.equal(model.shown, null);
  assert.equal(model.waiting, 0);
});

async function turn(): Promise<void> {
  for (let n = 0; n < 5; n += 1) await new Promise((resolve) => setImmediate(resolve));
}

async function started(client: ScriptedClient, io: FakeIo): Promise<{ readonly ended: Promise<Outcome> }> {
  const ended = bastionctl(['agent', '--no-ask-password'], client, io);
  while (io.keyboardState === 'none') await turn();
  return { ended };
}

test('bastionctl agent: shows who, where and what, answers with one key, and gives the terminal back', async () => {
  const client = new ScriptedClient();
  const io = fakeIo({ terminal: true, env: { TERM: 'dumb' } });
  const { ended } = await started(client, io);
  client.emit('promptRaised', PROMPT);
  assert.match(io.stdout, /curl wants to connect\n {2}example\.org \(192\.0\.2\.7\)\n {2}encrypted web \(443\), started by bash\n {2}\/usr\/bin\/curl/);
  io.clockMs += AWAKE_MS;
  io.press('a');
  await turn();
  assert.deepEqual(client.calls.at(-1), ['answer', PROMPT.nonce, { action: 'allow', scope: 'host', lifetime: 'process' }]);
  assert.match(io.stdout, /curl may reach example\.org on port 443 while it runs\./);
  io.press('q');
  assert.equal((await ended).exitCode, 0);
  assert.deepEqual(client.calls.at(-1), ['unregisterAgent']);
  assert.equal(io.keyboardState, 'closed');
  assert.equal(client.listeners(), 0);
});

test('agent: c also covers what it starts, only for a lifetime that makes a rule, and not in the next prompt', () => {
  const model = new AgentModel();
  const named = { named_by: 'path', lifetimes: ['once', 'process', 'always'], default_lifetime: 'always' };
  model.raised(prompt(1, named), 0);
  model.raised(prompt(2, named), 0);
  model.key('c', 0);
  const [effect] = model.key('a', AWAKE_MS);
  assert.ok(effect?.kind === 'answer');
  assert.deepEqual(effect.answer, { action: 'allow', scope: 'host', lifetime: 'always', include_children: true });
  model.answered('nonce-1', AWAKE_MS);
  model.key('c', AWAKE_MS);
  for (const lifetime of ['session', 'boot', '1h', 'once']) {
    model.key('l', AWAKE_MS);
    assert.equal(model.shown?.lifetime.value, lifetime);
  }
  const [once] = model.key('a', 3 * AWAKE_MS);
  assert.ok(once?.kind === 'answer');
  assert.deepEqual(once.answer, { action: 'allow', scope: 'host', lifetime: 'once' });
});

test('agent: what no rule could name has no children to cover', () => {
  for (const change of [{}, { named_by: 'path', path: 'kernel' }]) {
    const model = new AgentModel();
    model.raised(prompt(1, { lifetimes: ['always'], default_lifetime: 'always', ...change }), 0);
    model.key('c', 0);
    const [effect] = model.key('a', AWAKE_MS);
    assert.ok(effect?.kind === 'answer');
    assert.equal('include_children' in effect.answer, false);
  }
});

/** What the agent prints for a prompt, with its details, keys and an allowing answer. */
async function printed(change: Partial<PromptInfo>, ...keys: readonly string[]): Promise<string> {
  const client = new ScriptedClient();
  const io = fakeIo({ terminal: true, env: { TERM: 'dumb' } });
  const { ended } = await started(client, io);
  client.emit('promptRaised', { ...PROMPT, ...change });
  io.clockMs += AWAKE_MS;
  io.press('i', ...keys);
  await turn();
  io.press('q');
  await ended;
  return io.stdout.replaceAll(/\s+/gu, ' ');
}

test('bastionctl agent: warns of what changes the decision, the gravest first', async () => {
  const python = { path: '/usr/bin/python3', interpreter: true };
  for (const [change, text] of [
    [{ integrity: 'changed', ...python }, 'The program was changed since it was last allowed; its rules are suspended.'],
    [{ ...python, script: '/opt/x.py', script_evidence: 'claimed' }, 'Only the program itself says'],
    [python, 'it is not known which one it runs now'],
    [{ ...python, script: '/tmp/x.py', script_evidence: 'exec' }, 'The script lies in a folder that everybody can write to.'],
    [{ path: '/dev/shm/x' }, 'belongs to no package and lies in a folder'],
  ] as const) assert.ok((await printed(change)).includes(text), text);
  for (const change of [{}, { ...python, script: '/opt/x.py', script_evidence: 'exec' }, { path: '/tmp/x', package: 'x' }] as const) {
    assert.doesNotMatch(await printed(change), /says of itself|not known|everybody|changed/);
  }
});

test('bastionctl agent: details say script, package, state and hash; c and the sentence say who is covered', async () => {
  const text = await printed({
    path: '/usr/bin/python3', interpreter: true, script: '/opt/x.py', script_evidence: 'exec', package: 'python3-minimal', integrity: 'valid', sha256: 'ab12',
    application: 'x.py (python3)', named_by: 'script', lifetimes: ['always'], default_lifetime: 'always',
    ancestors: [{ pid: 9, path: '/usr/bin/dash', command: 'sh', script: '/opt/nightly.sh' }],
  }, 'c', 'a');
  for (const part of [
    'x.py (python3) wants to connect', 'started by nightly.sh', 'Script /opt/x.py, as the kernel recorded its start', 'Package python3-minimal, as installed (python3)',
    'File unchanged', 'SHA-256 ab12', 'Parent /usr/bin/dash /opt/nightly.sh (9)', '[c] what it starts: no', '[c] what it starts: too',
    'x.py (python3) may always reach example.org on port 443. So may the programs that it starts.',
  ]) assert.ok(text.includes(part), `${part} in ${text}`);
  assert.match(await printed({ integrity: 'changed' }), /Package none that is known File changed since it was last allowed/);
});

test('bastionctl agent: text from outside cannot steer the terminal', async () => {
  const client = new ScriptedClient();
  const io = fakeIo({ terminal: true, env: { TERM: 'dumb' } });
  const { ended } = await started(client, io);
  const evil = '\x1b]0;x\x07\u{202e}\r\n';
  client.emit('promptRaised', {
    ...PROMPT, application: evil, destination: evil, path: evil, command: evil, user: evil, ancestors: [{ pid: 1, path: '', command: evil, script: evil }],
    script: evil, script_evidence: 'claimed', interpreter: true, package: evil, flatpak: evil, sha256: evil, integrity: 'unknown',
  });
  io.clockMs += AWAKE_MS;
  io.press('i', 'l');
  io.press('q');
  await ended;
  assert.doesNotMatch(io.stdout.replaceAll(/\r?\x1b\[(?:\d*A\x1b\[)?J/g, ''), /[\x00-\x09\x0b-\x1f\u{202e}]/u);
});

test('bastionctl agent: a refused answer is told and asked again, the terminal stays ours', async () => {
  const client = new ScriptedClient();
  client.failures = { answer: new BastionError('NotAuthorized') };
  const io = fakeIo({ terminal: true, env: { TERM: 'dumb' } });
  const { ended } = await started(client, io);
  client.emit('promptRaised', PROMPT);
  io.clockMs += AWAKE_MS;
  io.press('l', 'a');
  assert.equal(io.keyboardState, 'suspended', 'a password may be asked for');
  await turn();
  assert.equal(io.keyboardState, 'open');
  assert.match(io.stdout, /You are not allowed to do this\./);
  client.failures = {};
  io.clockMs += AWAKE_MS;
  io.press('d');
  await turn();
  assert.equal(client.calls.filter(([name]) => name === 'answer').length, 2);
  io.press('interrupt');
  assert.equal((await ended).exitCode, 0);
});

test('bastionctl agent: the terminal is given back when the process is told to stop, and when registering fails', async () => {
  const io = fakeIo({ terminal: true });
  const { ended } = await started(new ScriptedClient(), io);
  io.stop('terminate');
  assert.equal((await ended).exitCode, 0);
  assert.equal(io.keyboardState, 'closed');

  const refused = new ScriptedClient();
  refused.failures = { registerAgent: new BastionError('AgentExists') };
  const other = fakeIo({ terminal: true });
  const { exitCode, stderr } = await bastionctl(['agent', '--no-ask-password'], refused, other);
  assert.equal(exitCode, 1);
  assert.match(stderr, /Another agent answers/);
  assert.equal(other.keyboardState, 'none');
  assert.equal(refused.listeners(), 0);
});

test('bastionctl agent: says when the helper goes and comes, and drops prompts that it no longer knows', async () => {
  const client = new ScriptedClient();
  const io = fakeIo({ terminal: true, env: { TERM: 'dumb' } });
  const { ended } = await started(client, io);
  client.emit('promptRaised', PROMPT);
  client.emit('connected', false);
  client.emit('connected', true);
  io.clockMs += AWAKE_MS;
  io.press('a', 'q');
  await ended;
  assert.match(io.stdout, /went away[^]*is back/);
  assert.ok(client.calls.every(([name]) => name !== 'answer'));
});

test('bastionctl agent: refuses politely without a terminal', async () => {
  const { exitCode, stderr, stdout, connected } = await bastionctl(['agent']);
  assert.equal(exitCode, 1);
  assert.equal(stdout, '');
  assert.match(stderr, /needs a terminal.*\nTry: bastionctl prompts list --json/);
  assert.deepEqual(connected, []);
});
