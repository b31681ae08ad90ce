/** Suggestions: ticked and added, undone, hidden; what nothing is suggested for; and the step from learning to enforcing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proposalOf, sampleProposals } from './application-samples.ts';
import { DesktopSession, missingForDesktop } from './desktop-session.ts';
import type { SessionOptions } from './desktop-session.ts';
import type { TestContext } from 'node:test';
import type { Proposal } from '../../helper/contract/types.ts';

const missing = await missingForDesktop();
const options = missing === '' ? {} : { skip: missing };
const FIREFOX = 'Programs of the package firefox-esr may reach any host on ports 80, 443 (TCP).';
const CURL = 'curl may reach example.org for encrypted web (443).';

async function start(t: TestContext, proposals: readonly Proposal[], more: SessionOptions = {}): Promise<DesktopSession> {
  const session = await DesktopSession.start(t, { arguments: [], ...more });
  session.say({ do: 'status', status: { mode: 'learning' } });
  session.say({ do: 'answer', call: 'proposeRules', value: proposals });
  await session.connect();
  await session.click('push button', 'Skip');
  await session.gone('label', 'Your Programs, Your Decision');
  await session.pointAt(400, 500);
  await session.focus('Bastion Firewall');
  return session;
}

test('suggestions: sentences, warnings and what is left out; ticked ones are added, and one toast undoes them', options, async (t) => {
  const session = await start(t, sampleProposals(Date.now()));
  await session.shown('label', '3');
  await session.key('ctrl+5');
  await session.shown('label', FIREFOX);
  await session.shown('label', 'Its file lies in a folder that everybody can write to.');
  await session.shown('label', 'Nothing is suggested for 12 connections');
  await session.shown('label', 'Learning for 3 days');
  await session.shown('label', '5 programs. 97% of their connections are covered by your rules and these suggestions.');
  await session.screenshot('suggestions');
  await session.dark(true);
  await session.screenshot('suggestions-dark');
  await session.dark(false);
  // The toolkit gives check boxes no action.
  await session.pressOn('check box', FIREFOX);
  await session.pressOn('check box', CURL);
  await session.shown('push button', 'Add 2 Rules');
  await session.screenshot('suggestions-ticked');
  session.say({ do: 'answer', call: 'proposeRules', value: sampleProposals(Date.now()).slice(2) });
  await session.click('push button', 'Add 2 Rules');
  const added = [(await session.call('addRule')).args, (await session.call('addRule')).args];
  assert.deepEqual(added.map(([rule]) => (rule as { readonly name: string }).name), ['firefox-esr: ports 80 and 443, any address', 'curl: port 443, example.org']);
  await session.shown('label', '2 rules added');
  await session.gone('label', FIREFOX);
  await session.click('push button', 'Undo');
  assert.deepEqual([(await session.call('removeRule')).args, (await session.call('removeRule')).args], [['rule-1'], ['rule-2']]);
});

test('suggestions: a refused password adds nothing and keeps what was ticked', options, async (t) => {
  const session = await start(t, sampleProposals(Date.now()));
  await session.key('ctrl+5');
  await session.shown('label', CURL);
  await session.pressOn('check box', 'Select All');
  session.say({ do: 'refuse', call: 'addRule', code: 'NotAuthorized', message: '' });
  await session.click('push button', 'Add 2 Rules');
  await session.shown('label', 'You are not allowed to do this.');
  await session.shown('push button', 'Add 2 Rules');
  session.say({ do: 'accept', call: 'addRule' });
  await session.click('push button', 'Add 2 Rules');
  await session.shown('label', '2 rules added');
});

test('suggestions: edit first opens the editor, not this hides it and can be taken back', options, async (t) => {
  const session = await start(t, [proposalOf()]);
  await session.key('ctrl+5');
  await session.click('push button', 'Edit First');
  await session.shown('label', 'New Rule');
  await session.key('Escape');
  await session.gone('label', 'New Rule');
  await session.click('push button', 'Hide');
  await session.shown('label', '1 suggestion is hidden');
  await session.gone('label', CURL);
  await session.click('push button', 'Show Again');
  await session.shown('label', CURL);
});

test('learning: the question before enforcing says what happens, a trial can be kept, and enforcing has nothing to learn', options, async (t) => {
  const session = await start(t, [proposalOf()]);
  await session.key('ctrl+4');
  await session.click('push button', 'Start Enforcing…');
  await session.shown('label', CURL);
  // That was the banner's; this is the page's.
  await session.click('push button', 'Start Enforcing…');
  await session.focused('push button', 'Cancel');
  await session.shown('label', 'Everything else is held until you allow or deny it, and refused if nobody answers.');
  await session.screenshot('enforcing');
  session.say({ do: 'refuse', call: 'setMode', code: 'NotAuthorized', message: '' });
  await session.click('push button', 'Try for 10 Minutes First');
  await session.shown('alert', 'You are not allowed to do this.');
  session.say({ do: 'accept', call: 'setMode' });
  await session.click('push button', 'Try for 10 Minutes First');
  await session.call('setMode');
  assert.deepEqual((await session.call('setMode')).args, ['enforcing', { confirmSeconds: 600 }]);
  await session.shown('label', 'After that, learning goes on unless you keep enforcing. You are now asked about programs without a rule.');
  await session.screenshot('enforcing-trial');
  session.say({ do: 'answer', call: 'proposeRules', value: [] });
  session.say({ do: 'answer', call: 'reviewRules', value: [{ kind: 'unused', rule_id: 'old', name: 'Old one', other_id: '', text: '', advice: '', since_ms: Date.now() - 40 * 86_400_000 }] });
  await session.click('push button', 'Keep');
  assert.deepEqual((await session.call('setMode')).args, ['enforcing']);
  await session.shown('label', 'Nothing to Learn');
  session.say({ do: 'rules', rules: [] });
  await session.shown('label', '“Old one” has not been used for 40 days.');
  await session.screenshot('suggestions-enforcing');
});

test('suggestions at 360 pixels, and with large text', options, async (t) => {
  const session = await start(t, sampleProposals(Date.now()), { textScale: 2 });
  await session.key('ctrl+5');
  await session.shown('label', FIREFOX);
  await session.resize('Bastion Firewall', 360, 900);
  await session.shown('push button', 'Back');
  await session.screenshot('suggestions-narrow-large');
});
