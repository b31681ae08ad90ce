/** What a prompt says and what it makes of an answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PromptInfo } from '../../helper/contract/types.ts';
import { answerOf, defaultChoice, domainWords, lifetimeChoices, offersChildren, scopeChoices } from '../../desktop/model/choices.ts';
import { showHost } from '../../desktop/model/host-name.ts';
import { baseName, escapeMarkup, visible } from '../../desktop/model/plain-text.ts';
import { fractionLeft, PromptQueue, QUEUE_LIMIT } from '../../desktop/model/prompt-queue.ts';
import { asker, askerFile, askerIcon, programName } from '../../desktop/model/program-name.ts';
import { promptDetails } from '../../desktop/model/prompt-details.ts';
import { hostTitle, promptBody, promptSubtitle, promptTitle, ruleSentence, severalTitle, startedBy, waitingText } from '../../desktop/model/prompt-text.ts';
import { promptWarning as warningOf } from '../../desktop/model/prompt-warning.ts';
import { serviceName } from '../../desktop/model/service-name.ts';
import { promptOf } from '../desktop/samples.ts';

const nobody = (): null => null;
const promptWarning = (prompt: PromptInfo): string => warningOf(prompt, nobody);
const NOW_MS = 1_800_000_000_000;

test('prompt: the title names the program of the desktop file, else the file, else says that it is unknown', () => {
  const known = (path: string) => (path === '/usr/lib/firefox/firefox' ? { name: 'Firefox', icon: 'firefox' } : null);
  assert.equal(promptTitle(promptOf({ path: '/usr/lib/firefox/firefox' }), known), 'Firefox wants to connect');
  assert.equal(promptTitle(promptOf(), nobody), 'curl wants to connect');
  assert.equal(promptTitle(promptOf({ path: '', command: 'firefox' }), nobody), 'An unknown program wants to connect');
});

test('prompt: of a forwarded connection the title says where it comes from, and the warning that no program is known', () => {
  const prompt = promptOf({ path: '', confidence: 'unknown', forwarded_from: 'A container or machine behind br\u202e0 (172.17.0.2)' });
  assert.match(promptTitle(prompt, nobody), /^A container or machine behind br[^\u202e]+0 \(172\.17\.0\.2\) wants to connect$/u);
  assert.match(promptWarning(prompt), /only forwards the connection/u);
});

test('prompt: the second line says the service in words with its number, and who started the program', () => {
  assert.equal(promptSubtitle(promptOf(), nobody), 'encrypted web (443)  ·  started by bash, in xterm');
  assert.equal(promptSubtitle(promptOf({ ancestors: [] }), nobody), 'encrypted web (443)');
  assert.equal(promptBody(promptOf()), 'example.org, encrypted web (443)');
});

test('prompt: services are words where they are known and plain numbers elsewhere', () => {
  const cases: readonly [string, string, number][] = [
    ['encrypted web (443)', 'tcp', 443], ['TCP port 8081', 'tcp', 8081], ['UDP port 40000', 'udp', 40_000], ['time synchronization (123)', 'udp', 123],
    ['ping', 'icmp', 8], ['ping', 'icmp', 128], ['network message (ICMP 3)', 'icmp', 3], ['telephony (SCTP), protocol 132', '132', 0], ['protocol 200', '200', 0],
  ];
  for (const [text, protocol, port] of cases) assert.equal(serviceName(protocol, port), text);
});

test('prompt: the sentence follows action, lifetime and scope', () => {
  const prompt = promptOf({ path: '/usr/bin/firefox' });
  assert.equal(
    ruleSentence(prompt, 'allow', { lifetime: 'always', scope: 'host' }, nobody),
    'firefox may always reach example.org on port 443.',
  );
  assert.equal(
    ruleSentence(prompt, 'deny', { lifetime: 'always', scope: 'port' }, nobody),
    'firefox may never reach any host on port 443.',
  );
  assert.equal(
    ruleSentence(prompt, 'allow', { lifetime: 'until', scope: 'any' }, nobody),
    'firefox may reach any host on any port for 1 hour.',
  );
  assert.equal(
    ruleSentence(promptOf({ path: '/usr/bin/firefox', by_name: 'www.example.org', pattern: '*.example.org' }), 'allow', { lifetime: 'process', scope: 'domain' }, nobody),
    'firefox may reach *.example.org on port 443 while it runs.',
  );
  assert.equal(
    ruleSentence(promptOf({ path: '/usr/bin/firefox', by_name: 'example.org', pattern: '*.example.org' }), 'deny', { lifetime: 'always', scope: 'domain' }, nobody),
    'firefox may never reach example.org and *.example.org on port 443.',
  );
});

test('prompt: the helper says what a domain is, and its letters are shown as those of names are', () => {
  assert.equal(domainWords(promptOf({ by_name: 'www.example.co.uk', pattern: '*.example.co.uk' })), '*.example.co.uk');
  assert.equal(domainWords(promptOf({ by_name: 'xn--mnchen-3ya.de', pattern: '*.xn--mnchen-3ya.de' })), 'münchen.de and *.münchen.de');
  assert.equal(domainWords(promptOf({ by_name: 'www.xn--pple-43d.com', pattern: '*.xn--pple-43d.com' })), '*.xn--pple-43d.com');
});

test('prompt: what lasts of a lookup is for its name where that counts, by whichever port it is reached', () => {
  const prompt = promptOf({ is_lookup: true, address: '192.0.2.53', port: 53, protocol: 'udp', destination: 'www.example.org', by_name: 'www.example.org', pattern: '*.example.org' });
  assert.equal(ruleSentence(prompt, 'allow', { lifetime: 'once', scope: 'host' }, nobody), 'curl may reach www.example.org this once.');
  assert.equal(ruleSentence(prompt, 'allow', { lifetime: 'always', scope: 'host' }, nobody), 'curl may always reach www.example.org on any port.');
  assert.equal(ruleSentence(prompt, 'deny', { lifetime: 'always', scope: 'domain' }, nobody), 'curl may never reach *.example.org on any port.');
  assert.equal(ruleSentence(prompt, 'allow', { lifetime: 'always', scope: 'port' }, nobody), 'curl may always reach any host on port 53. This once it may also reach www.example.org.');
});

test('prompt: the sentence about a name lookup says what lasts, and that the connection goes with it', () => {
  const prompt = promptOf({ is_lookup: true, address: '192.0.2.53', port: 53, protocol: 'udp' });
  assert.equal(ruleSentence(prompt, 'allow', { lifetime: 'once', scope: 'host' }, nobody), 'curl may reach example.org this once.');
  assert.equal(
    ruleSentence(prompt, 'allow', { lifetime: 'always', scope: 'host' }, nobody),
    'curl may always reach the name server 192.0.2.53. This once it may also reach example.org.',
  );
  assert.equal(ruleSentence(prompt, 'deny', { lifetime: 'always', scope: 'host' }, nobody), 'curl may never reach the name server 192.0.2.53.');
});

test('prompt: a name that a service of the system asked for is only perhaps the name', () => {
  assert.equal(hostTitle(promptOf()), 'example.org');
  assert.equal(hostTitle(promptOf({ name_sources: ['machine'] })), 'perhaps example.org');
  assert.equal(promptBody(promptOf({ name_sources: ['machine'] })), 'perhaps example.org, encrypted web (443)');
});

test('prompt: details name every name with where it comes from, and a look-alike with its punycode', () => {
  const names = ['xn--80ak6aa92e.com', 'printer.lan', 'example.org'];
  const details = promptDetails(promptOf({ names, name_sources: ['program', 'hosts', 'machine'] }));
  assert.deepEqual(details.find((detail) => detail.title === 'Names')?.text.split('\n'), [
    'xn--80ak6aa92e.com (аррӏе.com)', 'printer.lan: from the file /etc/hosts',
    'example.org: perhaps; a service of this computer looked it up',
  ]);
  assert.equal(promptDetails(promptOf({ names: [], name_sources: [] })).some((detail) => detail.title === 'Names'), false);
});

test('prompt: a program name with place holders in it does not rewrite the sentence', () => {
  const prompt = promptOf({ path: '/tmp/{target}' });
  assert.equal(
    ruleSentence(prompt, 'allow', { lifetime: 'once', scope: 'any' }, nobody),
    '{target} may reach any host on any port this once.',
  );
});

test('prompt: only what the helper offers can be chosen, and unknown words are left out', () => {
  const prompt = promptOf({ lifetimes: ['once', 'forever', 'process'], scopes: ['host'], default_lifetime: 'always', default_scope: 'any' });
  assert.deepEqual(lifetimeChoices(prompt).map((choice) => choice.value), ['once', 'process']);
  assert.deepEqual(scopeChoices(prompt).map((choice) => choice.value), ['host']);
  assert.deepEqual(defaultChoice(prompt), { lifetime: 'once', scope: 'host' });
  assert.deepEqual(lifetimeChoices(promptOf({ lifetimes: [] })).map((choice) => choice.value), ['once']);
});

test('prompt: one hour is said as a time, the other lifetimes by their word', () => {
  assert.deepEqual(answerOf(promptOf(), 'allow', { lifetime: 'until', scope: 'port' }, NOW_MS), {
    action: 'allow', lifetime: 'until', scope: 'port', until_ms: NOW_MS + 3_600_000,
  });
  assert.deepEqual(answerOf(promptOf(), 'deny', { lifetime: 'once', scope: 'host' }, NOW_MS), { action: 'deny', lifetime: 'once', scope: 'host' });
});

test('prompt: a warning appears only when it changes the decision', () => {
  assert.equal(promptWarning(promptOf()), '');
  assert.equal(promptWarning(promptOf({ destination: '192.168.1.9', address: '192.168.1.9' })), '');
  assert.match(promptWarning(promptOf({ confidence: 'likely' })), /not be identified with certainty/);
  assert.match(promptWarning(promptOf({ confidence: 'unknown', path: '' })), /not known which program/);
  assert.match(promptWarning(promptOf({ path: '/tmp/x/run' })), /everybody can write/);
  assert.match(promptWarning(promptOf({ path: '/usr/bin/x (deleted)' })), /deleted or replaced/);
  assert.match(promptWarning(promptOf({ destination: '203.0.113.7', address: '203.0.113.7' })), /without looking up a name/);
  assert.match(promptWarning(promptOf({ destination: 'xn--80ak6aa92e.com' })), /another alphabet/);
});

const SCRIPT = {
  path: '/usr/bin/python3.11', interpreter: true, script: '/home/alice/backup.py', script_evidence: 'exec', named_by: 'script',
} as const;

test('prompt: a script has its own name with its interpreter, and so has its rule', () => {
  const prompt = promptOf(SCRIPT);
  assert.equal(promptTitle(prompt, nobody), 'backup.py (python3.11) wants to connect');
  assert.equal(ruleSentence(prompt, 'allow', { lifetime: 'always', scope: 'host' }, nobody), 'backup.py (python3.11) may always reach example.org on port 443.');
  assert.equal(promptTitle(promptOf({ ...SCRIPT, script: '/tmp/a\u{202e}yp.exe' }), nobody), 'a\\u{202e}yp.exe (python3.11) wants to connect');
});

test('prompt: a Flatpak, a Snap and an AppImage have the name and icon of the system’s desktop file, else their own', () => {
  const find = (program: string) => ({ 'flatpak:org.example.Mail': { name: 'Mail', icon: 'mail' }, 'snap:chat': { name: 'Chat', icon: '/snap/chat.png' } })[program] ?? null;
  const mail = promptOf({ path: '/var/lib/flatpak/app/org.example.Mail/x/bin/python3', flatpak: 'org.example.Mail' });
  assert.deepEqual([asker(mail, find), askerIcon(mail, find), asker(mail, nobody)], ['Mail', 'mail', 'org.example.Mail']);
  const chat = promptOf({ path: '/snap/chat/7/bin/chat', snap: 'chat' });
  assert.deepEqual([asker(chat, find), askerIcon(chat, find), asker(chat, nobody)], ['Chat', '/snap/chat.png', 'chat']);
  const draw = promptOf({ path: '/tmp/.mount_DrawXY/usr/bin/draw', appimage: '/home/alice/Draw.AppImage', confidence: 'likely' });
  assert.deepEqual([asker(draw, find), askerFile(draw)], ['Draw.AppImage', '/home/alice/Draw.AppImage']);
});

test('prompt: what a program starts is meant only where it was ticked and a rule can say so', () => {
  const named = promptOf({ named_by: 'path' });
  const chosen = { lifetime: 'always', scope: 'host', children: true } as const;
  assert.equal(ruleSentence(named, 'allow', chosen, nobody), 'curl may always reach example.org on port 443. So may the programs that it starts.');
  assert.equal(ruleSentence(named, 'deny', chosen, nobody), 'curl may never reach example.org on port 443. Nor may the programs that it starts.');
  assert.equal(answerOf(named, 'allow', chosen, NOW_MS).include_children, true);
  for (const lifetime of ['once', 'process'] as const) {
    assert.equal(answerOf(named, 'allow', { ...chosen, lifetime }, NOW_MS).include_children, undefined, lifetime);
  }
  for (const prompt of [promptOf(), promptOf({ path: 'kernel', named_by: 'path' })]) {
    assert.equal(offersChildren(prompt, 'always'), false);
    assert.equal('include_children' in answerOf(prompt, 'allow', chosen, NOW_MS), false);
  }
});

const parent = (path: string): PromptInfo['ancestors'] => [{ pid: 5, path: '/usr/bin/dash', command: 'sh' }, { pid: 4, path, command: 'x' }];
const WARNINGS: readonly (readonly [string, Partial<PromptInfo>, RegExp | null])[] = [
  ['a changed program, before all else', { integrity: 'changed', confidence: 'likely', path: '/tmp/x' }, /changed since it was last allowed; its rules are suspended/],
  ['a script that only the process names', { ...SCRIPT, script_evidence: 'claimed' }, /Only the program itself says/],
  ['an interpreter whose script nobody knows', { path: '/usr/bin/python3', interpreter: true }, /not known which one it runs/],
  ['a script that the kernel recorded', SCRIPT, null],
  ['a script in a folder of everybody', { ...SCRIPT, script: '/var/tmp/x.py' }, /The script lies in a folder that everybody can write/],
  ['a packaged program is not told off for its folder', { path: '/tmp/x', package: 'x' }, null],
  ['an AppImage counts by its file, not by its mount', { path: '/tmp/.mount_x/y', appimage: '/home/a/y.AppImage' }, null],
  ['curl behind a document viewer and a shell', { ancestors: parent('/usr/bin/evince') }, /started by evince, perhaps because of a document/],
  ['a browser behind a document viewer, which opens a link', { path: '/usr/lib/firefox-esr/firefox-esr', ancestors: parent('/usr/bin/evince') }, null],
  ['a viewer’s own part', { path: '/usr/lib/libreoffice/program/soffice.bin', ancestors: parent('/usr/lib/libreoffice/program/oosplash') }, null],
  ['a download that a browser started', { path: '/home/a/Downloads/setup', ancestors: parent('/usr/lib/firefox/firefox') }, /started by firefox and comes from no package/],
  ['a browser’s own process in the home folder', { path: '/home/a/ff/crashreporter', ancestors: [{ pid: 4, path: '/home/a/ff/firefox', command: 'x' }] }, null],
  ['an installed program that a browser started', { ancestors: parent('/usr/lib/firefox/firefox') }, null],
];
for (const [what, change, expected] of WARNINGS) {
  test(`prompt: the warning of ${what}`, () => {
    const warning = promptWarning(promptOf(change));
    if (expected === null) assert.equal(warning, '');
    else assert.match(warning, expected);
  });
}

test('prompt: details say where the file comes from, whether it is the same, and its hash', () => {
  const details = (change: Partial<PromptInfo>) => new Map(promptDetails(promptOf(change)).map(({ title, text }) => [title, text]));
  const firefox = details({ package: 'firefox-esr', integrity: 'valid', sha256: 'ab12' });
  assert.equal(firefox.get('Package'), 'from the package firefox-esr, as installed');
  assert.equal(firefox.get('File'), 'unchanged\nSHA-256 ab12');
  assert.equal(details({ integrity: 'unknown' }).get('Package'), 'from no known package');
  assert.equal(details({ integrity: 'changed' }).get('File'), 'changed since it was last allowed');
  assert.equal(details({ flatpak: 'org.example.Mail' }).get('Package'), 'the Flatpak org.example.Mail');
  const script = details({ ...SCRIPT, package: 'python3.11-minimal', integrity: 'valid', trusted: true, sha256: 'ab12' });
  assert.equal(script.get('Script'), '/home/alice/backup.py\nas the kernel recorded its start\nSHA-256 ab12');
  assert.equal(script.get('Interpreter'), '/usr/bin/python3.11\nfrom the package python3.11-minimal, as installed\nunchanged, trusted by hand');
  assert.equal(details({ interpreter: true }).get('Script'), 'unknown');
  assert.equal(details({}).has('Package'), false, 'nobody looked');
});

test('prompt: the second line and the tree say which script started it, and where that runs', () => {
  const ancestors = [
    { pid: 3, path: '/usr/bin/dash', command: 'build.sh', script: '/home/alice/build.sh' }, { pid: 2, path: '/usr/bin/bash', command: 'bash' },
    { pid: 1, path: '/usr/libexec/gnome-terminal-server', command: 'x' },
  ];
  const find = (path: string) => (path.endsWith('terminal-server') ? { name: 'Terminal', icon: 't' } : null);
  assert.equal(startedBy(promptOf({ ancestors }), find), 'started by build.sh, in Terminal');
  assert.match(promptDetails(promptOf({ ancestors })).find(({ title }) => title === 'Started by')?.text ?? '', /└ \/usr\/bin\/dash \/home\/alice\/build\.sh {2}\(3\)/);
  assert.equal(startedBy(promptOf({ ancestors: ancestors.slice(2) }), find), 'started by Terminal');
  assert.equal(startedBy(promptOf({ ancestors: [{ pid: 1, path: '', command: 'liar' }] }), find), '');
});

test('prompt: look-alike names show their punycode first, honest ones their letters first', () => {
  assert.deepEqual(showHost('example.org'), { name: 'example.org', other: '', deceptive: false });
  assert.deepEqual(showHost('203.0.113.7'), { name: '203.0.113.7', other: '', deceptive: false });
  assert.deepEqual(showHost('xn--mnchen-3ya.de'), { name: 'münchen.de', other: 'xn--mnchen-3ya.de', deceptive: false });
  assert.deepEqual(showHost('xn--80ak6aa92e.com'), { name: 'xn--80ak6aa92e.com', other: 'аррӏе.com', deceptive: true });
  assert.equal(showHost('xn--pypal-4ve.com').deceptive, true);
});

test('prompt: invisible and turning characters from outside are shown, markup is escaped, length is bounded', () => {
  assert.equal(visible('a\u{202e}b\nc\u{200b}'), 'a\\u{202e}b\\u{a}c\\u{200b}');
  assert.equal(visible('x'.repeat(5000)).length, 1025);
  assert.equal(escapeMarkup('<b>&"\''), '&lt;b&gt;&amp;&quot;&apos;');
  assert.equal(baseName('/tmp/evil\u{202e}txt.exe'), 'evil\\u{202e}txt.exe');
});

test('prompt: details hold the path, the user, the parents as a tree and the address', () => {
  const details = new Map(promptDetails(promptOf({ count: 3 })).map((detail) => [detail.title, detail.text]));
  assert.equal(details.get('Path'), '/usr/bin/curl');
  assert.equal(details.get('User'), 'alice (1000)');
  assert.equal(details.get('Waiting'), '3 connections');
  assert.equal(
    details.get('Started by'),
    '/usr/lib/systemd/systemd  (1)\n└ /usr/bin/xterm  (4600)\n   └ /usr/bin/bash  (4700)\n      └ /usr/bin/curl  (4711)',
  );
});

test('prompt: counts have their own forms', () => {
  assert.equal(waitingText(0), '');
  assert.equal(waitingText(1), '1 more is waiting');
  assert.equal(waitingText(2), '2 more are waiting');
  assert.equal(severalTitle(3), '3 programs are waiting');
  assert.equal(programName('/usr/bin/x', nobody), 'x');
});

test('queue: prompts keep their order, expired ones wait no more, a full queue counts what it refuses', () => {
  const queue = new PromptQueue();
  for (let index = 0; index < QUEUE_LIMIT; index += 1) assert.ok(queue.put(promptOf({ nonce: String(index) }), 0));
  assert.equal(queue.put(promptOf({ nonce: 'one too many' }), 0), false);
  assert.equal(queue.overflowed, 1);
  assert.ok(queue.put(promptOf({ nonce: '7', count: 9 }), 0));
  assert.equal(queue.get('7')?.info.count, 9);
  queue.expire('0');
  queue.remove('1');
  assert.deepEqual(queue.pending().slice(0, 2).map((prompt) => prompt.info.nonce), ['2', '3']);
  assert.equal(queue.pending().length, QUEUE_LIMIT - 2);
});

test('queue: the time left goes from the whole bar to nothing', () => {
  const queue = new PromptQueue();
  queue.put(promptOf({ nonce: 'a', expires_in_ms: 15_000, timeout_ms: 30_000 }), 1000);
  const prompt = queue.get('a');
  assert.ok(prompt !== null);
  assert.equal(fractionLeft(prompt, 1000), 0.5);
  assert.equal(fractionLeft(prompt, 16_000), 0);
  assert.equal(fractionLeft(prompt, 99_000), 0);
});
