/** Prompts by program, what a program is, and the inbox as a list. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../property.ts';
import { parseDesktopEntry } from '../../desktop/model/desktop-entry.ts';
import { inboxRows, isAnswerable, programSubtitle, questionSubtitle, questionTitle } from '../../desktop/model/inbox-rows.ts';
import { listChange } from '../../desktop/model/list-change.ts';
import { aboutLine, aboutText, originText } from '../../desktop/model/prompt-about.ts';
import { groupPrompts } from '../../desktop/model/prompt-groups.ts';
import { notificationBody } from '../../desktop/model/prompt-text.ts';
import { promptWarning } from '../../desktop/model/prompt-warning.ts';
import { promptOf } from '../desktop/samples.ts';

const nobody = (): null => null;
const NOW_MS = 1_800_000_210_000;

test('groups: one program of one user is one group; a claim, another user or another script is another', () => {
  const prompts = [
    promptOf({ nonce: 'a' }), promptOf({ nonce: 'b', path: '/usr/bin/git' }), promptOf({ nonce: 'c', destination: 'other.example' }),
    promptOf({ nonce: 'd', uid: 1001 }), promptOf({ nonce: 'e', confidence: 'unknown', pid: 1 }), promptOf({ nonce: 'f', confidence: 'unknown', pid: 2 }),
    promptOf({ nonce: 'g', path: '/usr/bin/python3', script: '/a.py' }), promptOf({ nonce: 'h', path: '/usr/bin/python3', script: '/b.py' }),
  ];
  assert.deepEqual(groupPrompts(prompts, nobody).map((group) => group.prompts.map(({ nonce }) => nonce).join('')), ['ac', 'b', 'd', 'e', 'f', 'g', 'h']);
});

test('inbox: a heading for each program and its questions below, with ids that stay', () => {
  const prompts = [promptOf({ nonce: 'a' }), promptOf({ nonce: 'b', path: '/usr/bin/git' }), promptOf({ nonce: 'c' })];
  const rows = inboxRows(prompts, nobody);
  assert.deepEqual(rows.map((row) => (row.kind === 'program' ? row.group.name : row.prompt.nonce)), ['curl', 'a', 'c', 'git', 'b']);
  assert.deepEqual(inboxRows(prompts.slice(1), nobody).map(({ id }) => id).filter((id) => !rows.some((row) => row.id === id)), []);
  for (const { id } of rows) assert.ok(!id.includes('\0'));
});

test('inbox: a question says where, what for and since when; a program whose it is where that is somebody else', () => {
  const expired = promptOf({ status: 'expired', lifetimes: ['always'] });
  assert.equal(questionSubtitle(promptOf(), NOW_MS), 'encrypted web (443)  ·  waiting now');
  assert.equal(questionSubtitle(expired, NOW_MS), 'encrypted web (443)  ·  refused 3 minutes ago');
  assert.equal(questionTitle(promptOf({ destination: 'xn--80ak6aa92e.com' })), 'xn--80ak6aa92e.com (аррӏе.com)');
  const [group] = groupPrompts([expired], nobody);
  assert.ok(group !== undefined);
  assert.equal(programSubtitle(group, 1000), '/usr/bin/curl');
  assert.equal(programSubtitle(group, 0), '/usr/bin/curl  ·  as user alice');
  assert.equal(isAnswerable(expired), true);
  assert.equal(isAnswerable(promptOf({ lifetimes: [] })), false);
});

test('inbox: the change from one list to another makes the other, and touches nothing at its ends', () => {
  const list = fc.uniqueArray(fc.constantFrom<string[]>('a', 'b', 'c', 'd', 'e', 'f'), { maxLength: 8 });
  fc.assert(fc.property(list, list, (before, after) => {
    const { position, removals, additions } = listChange(before, after);
    assert.deepEqual(before.toSpliced(position, removals, ...additions), after);
    if (additions.length > 0 && removals > 0) assert.notEqual(before[position], additions[0]);
  }));
  assert.deepEqual(listChange(['a', 'b', 'c'], ['a', 'c']), { position: 1, removals: 1, additions: [] });
});

test('about: the system’s desktop file, else the package; of a script, or what is forwarded, neither', () => {
  const find = (path: string) => (path === '/usr/bin/curl' ? { name: 'Curl', icon: '', about: 'Fetch files' } : null);
  const packaged = promptOf({ package: 'curl', package_summary: 'command line tool' });
  assert.equal(aboutText(packaged, find), 'Fetch files');
  assert.equal(aboutText(packaged, nobody), 'command line tool');
  assert.equal(aboutLine(packaged, nobody), 'command line tool\npackage curl');
  assert.equal(aboutLine(promptOf(), nobody), '/usr/bin/curl', 'nothing but its path is known');
  assert.equal(aboutLine(promptOf({ path: '' }), nobody), '');
  assert.equal(aboutLine(promptOf({ flatpak: 'org.example.Mail' }), nobody), 'Flatpak org.example.Mail');
  const script = promptOf({ path: '/usr/bin/python3', script: '/home/a/x.py', package: 'python3-minimal', interpreter: true, package_summary: 'a language' });
  assert.deepEqual([aboutText(script, find), originText(script), aboutLine(script, find)], ['', '', '/home/a/x.py']);
  assert.equal(aboutText(promptOf({ forwarded_from: 'a container' }), find), '');
  assert.equal(aboutText(promptOf({ package_summary: 'x\u{202e}y'.repeat(100) }), nobody).includes('\u{202e}'), false);
});

test('about: a desktop file’s comment, else its generic name, in the person’s language, as one bounded line', () => {
  const file = (...keys: readonly string[]): string => ['[Desktop Entry]', 'Type=Application', 'Name=X', 'Exec=/usr/bin/x', ...keys].join('\n');
  const about = (...keys: readonly string[]) => parseDesktopEntry(file(...keys), ['de'])?.about;
  assert.equal(about('Comment=Edit', 'Comment[de]=Bearbeiten', 'GenericName=Editor'), 'Bearbeiten');
  assert.equal(about('GenericName=Editor'), 'Editor');
  assert.equal(about(), undefined);
  assert.equal(about('Comment=one\\ntwo\\tthree\u{202e}'), 'one two three\\u{202e}');
  assert.equal(about(`Comment=${'x'.repeat(5000)}`)?.length, 121);
});

test('warning: no package is said where somebody has looked, below what is graver, and not of what an administrator put there', () => {
  const own = { path: '/home/alice/bin/tool', integrity: 'unknown' } as const;
  assert.match(promptWarning(promptOf(own), nobody), /^This program comes from no package\.$/u);
  assert.equal(promptWarning(promptOf({ ...own, path: '/usr/local/bin/tool' }), nobody), '');
  assert.equal(promptWarning(promptOf({ ...own, package: 'tool' }), nobody), '');
  assert.equal(promptWarning(promptOf({ path: own.path }), nobody), '', 'nobody has looked');
  assert.match(promptWarning(promptOf({ ...own, integrity: 'changed' }), nobody), /was changed/u);
  assert.match(promptWarning(promptOf({ ...own, destination: 'xn--80ak6aa92e.com' }), nobody), /another alphabet/u);
  assert.match(promptWarning(promptOf({ ...own, destination: '203.0.113.7' }), nobody), /comes from no package/u);
});

test('notification: what the window would warn of stands there too, and nothing where there is nothing', () => {
  assert.equal(notificationBody(promptOf(), nobody), 'example.org, encrypted web (443)');
  assert.equal(notificationBody(promptOf({ integrity: 'changed' }), nobody), 'example.org, encrypted web (443)\nThe program was changed since it was last allowed; its rules are suspended.');
});
