/** The window: state in words, rules as sentences, what happens when the helper goes away. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../integration/support.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import { LineProcess } from './processes.ts';
import { promptOf, ruleInfoOf, sampleRules, statusOf } from './samples.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };

test('status page: state, reasons with remedies, mistakes with their place, and what protects without the helper', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  await session.shown('label', 'Not connected');
  await session.screenshot('status-not-connected');
  await session.connect();
  await session.shown('label', 'Protecting');
  await session.screenshot('status');
  session.say({ do: 'status', status: {
    state: 'degraded',
    degradedReasons: [{ code: 'no-bpf', text: 'The kernel refuses cgroup BPF.', remedy: 'Boot a kernel with BTF, or set lockdown to none.' }],
    loadErrors: [{ file: '50-user.toml', line: 3, column: 7, message: 'expected "=" after a key' }],
  } });
  await session.shown('label', 'Limited protection');
  await session.shown('label', 'What to do: Boot a kernel with BTF, or set lockdown to none.');
  await session.shown('label', '50-user.toml, line 3, column 7');
  await session.screenshot('status-degraded');
  await session.dark(true);
  await session.screenshot('status-degraded-dark');
  session.say({ do: 'connected', connected: false });
  await session.shown('label', 'Not connected');
  await session.dark(false);
  session.say({ do: 'status', status: statusOf() });
  session.say({ do: 'connected', connected: true });
  await session.shown('label', 'Protecting');
});

test('status page: pause and resume', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  await session.connect();
  await session.click('push button', 'Pause for 5 minutes');
  assert.deepEqual((await session.call('pause')).args, [300]);
  await session.shown('label', 'Paused');
  await session.screenshot('status-paused');
  await session.click('push button', 'Resume');
  await session.call('resume');
  await session.shown('label', 'Protecting');
});

test('status page: a refusal is said and the control goes back to what is', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  await session.connect();
  session.say({ do: 'refuse', call: 'pause', code: 'NotAuthorized', message: '' });
  await session.click('push button', 'Pause for 1 hour');
  await session.shown('label', 'You are not allowed to do this.');
  await session.shown('label', 'Protecting');
});

test('rules page: sentences, a search, a switch, and a deletion that can be undone', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  session.say({ do: 'rules', rules: sampleRules(Date.now()) });
  await session.connect();
  await session.pointAt(400, 500);
  await session.focus('Bastion Firewall');
  await session.key('ctrl+f');
  await session.shown('label', 'curl may reach any host for encrypted web (443).');
  await session.screenshot('rules');
  await session.dark(true);
  await session.screenshot('rules-dark');
  await session.dark(false);
  await session.type('entry', 'Search rules', 'steam');
  await session.gone('label', 'curl may reach any host for encrypted web (443).');
  await session.click('check box', 'steam may reach any host on ports 27000-27050 (UDP).');
  assert.deepEqual((await session.call('updateRule')).args, ['steam', { enabled: true }]);
  await session.click('push button', 'Delete');
  assert.deepEqual((await session.call('removeRule')).args, ['steam']);
  await session.shown('label', 'Rule deleted');
  await session.screenshot('rules-deleted');
  await session.click('push button', 'Undo');
  const [restored] = (await session.call('addRule')).args;
  assert.deepEqual(restored, {
    id: 'steam', name: 'steam', action: 'allow', enabled: true, path: '/usr/games/steam', address: '', port: '27000-27050',
    protocol: 'udp', user: '', schedule: '', priority: 0, group: '', lifetime: 'always',
  });
  await session.shown('label', 'steam may reach any host on ports 27000-27050 (UDP).');
});

test('rules page: a locked rule has no delete button, an empty list says what will come', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  await session.connect();
  await session.focus('Bastion Firewall');
  await session.key('ctrl+f');
  await session.shown('label', 'No Rules Yet');
  await session.screenshot('rules-empty');
  session.say({ do: 'rules', rules: [ruleInfoOf({ id: 'admin', tier: 'administrator', editable: false, hits: 2 })] });
  await session.shown('label', 'The administrator’s rule  ·  used 2 times');
  await session.gone('push button', 'Delete');
  session.say({ do: 'refuse', call: 'listRules', code: 'NotAuthorized', message: '' });
});

test('rule editor: mistakes stand next to their field, the helper’s refusal too, and then the rule is made', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  await session.connect();
  await session.focus('Bastion Firewall');
  await session.key('ctrl+n');
  await session.shown('label', 'New Rule');
  await session.click('push button', 'Save');
  await session.shown('label', 'This would allow every program to reach everything. Name a program, an address or a port.');
  await session.type('text', 'Program, by its full path', 'curl');
  await session.shown('label', 'The full path of a program, like /usr/bin/curl.');
  await session.screenshot('rule-editor-mistake');
  await session.type('text', 'Program, by its full path', '/usr/bin/curl');
  await session.type('text', 'Ports (empty: any port)', '443');
  await session.shown('label', 'curl may reach any host for encrypted web (443).');
  session.say({ do: 'refuse', call: 'addRule', code: 'LimitReached', message: 'There are 10,000 rules already.' });
  await session.click('push button', 'Save');
  await session.shown('label', 'There are 10,000 rules already.');
  await session.screenshot('rule-editor');
});

test('window: 360 pixels are enough, and large text fits', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [], textScale: 2 });
  session.say({ do: 'rules', rules: sampleRules(Date.now()) });
  await session.connect();
  await session.shown('label', 'Protecting');
  await session.resize('Bastion Firewall', 360, 900);
  await session.shown('push button', 'Back');
  await session.screenshot('status-narrow-large');
  await session.focus('Bastion Firewall');
  await session.key('ctrl+f');
  await session.shown('label', 'curl may reach any host for encrypted web (443).');
  await session.screenshot('rules-narrow-large');
});

test('window: the row that is marked is the page that is shown, wherever the focus goes', options, async (t) => {
  const session = await DesktopSession.start(t, { arguments: [] });
  await session.connect();
  const marked = async (): Promise<readonly string[]> => {
    return (await session.tree()).filter(({ role, states }) => role === 'list item' && states?.includes('selected') === true).map(({ name }) => name);
  };
  await session.focus('Bastion Firewall');
  await session.focusInto('list item', 'Network', 'Tab', 40);
  assert.deepEqual(await marked(), ['Overview']);
  await session.key('Return');
  await until('the mark of the page that was opened', async () => ((await marked()).join() === 'Network' ? true : null));
});

test('window: a second start opens it, a second start in the background does not', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  const again = async (...args: readonly string[]): Promise<void> => {
    const second = new LineProcess(process.execPath, [session.bundle, ...args], session.environment);
    await second.ended();
    assert.equal(second.child.exitCode, 0, second.stderr);
  };
  await again('--background');
  await session.gone('label', 'Protecting');
  await again();
  await session.shown('label', 'Protecting');
});

test('application: answers that are open when the helper goes away are closed, and the agent registers once more', options, async (t) => {
  const session = await DesktopSession.start(t);
  await session.connect();
  session.say({ do: 'raise', prompt: promptOf() });
  await session.shown('push button', 'Deny');
  session.say({ do: 'connected', connected: false });
  await session.gone('push button', 'Deny');
  session.say({ do: 'connected', connected: true });
  await session.shown('push button', 'Deny');
});
