/** The tray's menu and its object on the bus, and which changes of state are told. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { ProfileInfo } from '../../helper/contract/types.ts';
import { StateNotices, changedProgramsNotice } from '../../desktop/model/state-notices.ts';
import type { Knowledge } from '../../desktop/model/status-text.ts';
import { MENU_PROFILES, MENU_PROMPTS, promptLabel, trayMenu } from '../../desktop/model/tray-menu.ts';
import type { MenuEntry, TrayCommand, TrayView } from '../../desktop/model/tray-menu.ts';
import { MenuObject } from '../../desktop/tray/menu-object.ts';
import { promptOf, statusOf } from '../desktop/samples.ts';

const NOW_MS = 1_800_000_000_000;
const known = (change: Partial<Knowledge> = {}): Knowledge => (
  { connected: true, sinceMs: NOW_MS, status: statusOf(), waiting: 0, agentProblem: null, ...change }
);
const view = (knowledge: Knowledge, change: Partial<TrayView> = {}): TrayView => (
  { known: knowledge, nowMs: NOW_MS, prompts: [], find: () => null, profiles: [], ...change }
);
const labels = (entries: readonly MenuEntry[]): readonly string[] => (
  entries.flatMap((entry) => (entry.kind === 'separator' ? [] : [entry.label, ...(entry.kind === 'submenu' ? labels(entry.entries) : [])]))
);
const top = (entries: readonly MenuEntry[]): readonly string[] => entries.flatMap((entry) => (entry.kind === 'separator' ? [] : [entry.label]));
const profile = (id: string, change: Partial<ProfileInfo> = {}): ProfileInfo => (
  { id, name: '', active: false, chosen: false, recognized: false, is_default: false, has_network: false, ...change }
);

test('tray menu: offers mode and pause only while the helper can be asked', () => {
  assert.deepEqual(top(trayMenu(view(known()))), ['Protecting', 'Mode', 'Pause', 'Open Bastion Firewall', 'Quit']);
  assert.deepEqual(top(trayMenu(view(known({ connected: false })))), ['Not connected', 'Open Bastion Firewall', 'Quit']);
  assert.deepEqual(top(trayMenu(view(known({ status: statusOf({ state: 'off' }) })))), ['Switched off', 'Open Bastion Firewall', 'Quit']);
});

test('tray menu: a pause says how long it lasts and can be ended', () => {
  const paused = known({ status: statusOf({ state: 'paused', pausedUntilMs: NOW_MS + 290_000 }) });
  assert.deepEqual(top(trayMenu(view(paused))), ['Paused, 5 min left', 'Mode', 'Resume (5 minutes left)', 'Open Bastion Firewall', 'Quit']);
});

test('tray menu: the prompts that wait longest have rows with answers for this flow alone; all are counted', () => {
  const prompts = Array.from({ length: MENU_PROMPTS + 3 }, (_one, index) => promptOf({ nonce: `n${String(index)}`, destination: `h${String(index)}.example` }));
  const menu = trayMenu(view(known({ waiting: prompts.length }), { prompts }));
  assert.deepEqual(top(menu).slice(0, MENU_PROMPTS + 3), [
    'Protecting', '8 questions waiting', 'curl to h0.example', 'curl to h1.example', 'curl to h2.example', 'curl to h3.example', 'curl to h4.example', 'Mode',
  ]);
  const [first] = menu.filter((entry) => entry.kind === 'submenu');
  assert.deepEqual(first?.entries.map((entry) => (entry.kind === 'command' ? [entry.label, entry.command] : [])), [
    ['Allow Once', { do: 'answer', nonce: 'n0', action: 'allow' }], ['Deny Once', { do: 'answer', nonce: 'n0', action: 'deny' }],
    ['Details', { do: 'details', nonce: 'n0' }],
  ]);
  assert.deepEqual(labels(trayMenu(view(known({ connected: false }), { prompts }))), ['Not connected', 'Open Bastion Firewall', 'Quit']);
});

test('tray menu: a prompt that cannot be answered once has only its details', () => {
  const prompts = [promptOf({ lifetimes: ['process'] })];
  const [first] = trayMenu(view(known({ waiting: 1 }), { prompts })).filter((entry) => entry.kind === 'submenu');
  assert.deepEqual(first === undefined ? [] : labels(first.entries), ['Details']);
});

test('tray menu: a hostile name stays on one short line, and of a long host the end stays', () => {
  const label = promptLabel(promptOf({
    path: `/tmp/${'a'.repeat(200)}\n\u{202e}b`, destination: `www.example.org.${'x'.repeat(150)}.evil.example`,
  }), () => null);
  assert.ok(label.length < 90 && !/[\n\u{202e}]/u.test(label), label);
  assert.match(label, /^a+… to …x+\.evil\.example$/u);
});

test('tray menu: profiles are offered where there are several, by network unless one was chosen', () => {
  const profiles = [profile('home', { name: 'At home' }), profile('cafe', { chosen: true })];
  assert.ok(!labels(trayMenu(view(known(), { profiles: profiles.slice(1) }))).includes('Profile'));
  const chosen = (list: readonly ProfileInfo[]): readonly string[] => (
    trayMenu(view(known(), { profiles: list })).flatMap((entry) => (entry.kind === 'submenu' && entry.label === 'Profile' ? entry.entries : []))
      .flatMap((entry) => (entry.kind === 'command' && entry.chosen === true ? [entry.label] : []))
  );
  assert.deepEqual(chosen(profiles), ['cafe']);
  assert.deepEqual(chosen([profile('home'), profile('cafe')]), ['By network']);
  const many = Array.from({ length: 64 }, (_one, index) => profile(`p${String(index)}`));
  assert.equal(labels(trayMenu(view(known(), { profiles: many }))).filter((text) => /^p\d+$/u.test(text)).length, MENU_PROFILES);
});

test('tray menu: the safeguard can be ended while it lasts', () => {
  const safeguard = known({ status: statusOf({ state: 'safeguard' }) });
  assert.ok(labels(trayMenu(view(safeguard))).includes('Safeguard Mode: end it'));
  assert.ok(!labels(trayMenu(view(known()))).includes('Safeguard Mode: end it'));
});

interface Served { readonly menu: MenuObject; readonly ran: TrayCommand[]; readonly told: () => number; readonly idOf: (label: string) => number; readonly event: (id: number, kind: string) => void }

function serve(): Served {
  const ran: TrayCommand[] = [];
  let told = 0;
  const menu = new MenuObject((command) => { ran.push(command); }, () => { told += 1; }, 'rtl');
  const rows = (): readonly (readonly [number, string])[] => {
    const [group] = menu.methods.GetGroupProperties.run([[], []]);
    return (group as readonly (readonly [number, { readonly label?: { readonly value: string } }])[]).map(([id, { label }]) => [id, label?.value ?? '']);
  };
  return {
    menu, ran, told: () => told, idOf: (label) => rows().find(([, text]) => text === label)?.[0] ?? -1,
    event: (id, kind) => { menu.methods.Event.run([id, kind]); },
  };
}
const answer = (nonce: string): MenuEntry => ({ kind: 'command', label: nonce, command: { do: 'answer', nonce, action: 'allow' } });

test('tray menu on the bus: it stays as it is while it is shown, so that no row moves under the pointer', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { menu, ran, told, idOf, event } = serve();
  menu.set([answer('a'), answer('b')]);
  event(0, 'opened');
  const [a, b, before] = [idOf('a'), idOf('b'), told()];
  menu.set([answer('b')]);
  assert.deepEqual([idOf('a'), idOf('b'), told()], [a, b, before]);
  event(0, 'closed');
  event(b, 'clicked');
  assert.deepEqual(ran, [{ do: 'answer', nonce: 'b', action: 'allow' }], 'the click comes after the menu has closed');
  t.mock.timers.tick(300);
  assert.equal(idOf('a'), -1);
  assert.equal(told(), before + 1);
  assert.throws(() => { event(b, 'clicked'); }, RangeError, 'ids are never used again');
});

test('tray menu on the bus: a host that never says that it closed the menu holds changes back for a minute', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { menu, idOf, event } = serve();
  menu.set([answer('a')]);
  event(0, 'opened');
  menu.set([answer('b')]);
  t.mock.timers.tick(59_000);
  assert.equal(idOf('b'), -1);
  t.mock.timers.tick(1000);
  assert.notEqual(idOf('b'), -1);
  assert.equal(menu.properties()['TextDirection']?.value, 'rtl');
  mock.timers.reset();
});

const degraded = (...codes: readonly string[]): Knowledge => (
  known({ status: statusOf({ state: 'degraded', degradedReasons: codes.map((code) => ({ code, text: `no ${code}`, remedy: '' })) }) })
);

test('notices: what is at the start is no news, what changes is told once and taken back when it has passed', () => {
  const notices = new StateNotices();
  assert.equal(notices.next(degraded('bpf'), false, NOW_MS), null);
  assert.equal(notices.next(known(), false, NOW_MS), null);
  const step = notices.next(degraded('log'), false, NOW_MS);
  assert.deepEqual(step, { do: 'show', notice: { title: 'Limited protection', body: 'no log', urgency: 'normal', icon: 'bastion-firewall-degraded-symbolic' } });
  assert.equal(notices.next(degraded('log'), false, NOW_MS), null);
  assert.deepEqual(notices.next(known(), false, NOW_MS), { do: 'close' });
  assert.equal(notices.next(degraded('log'), false, NOW_MS + 60_000), null, 'it comes and goes');
  assert.equal(notices.next(known(), false, NOW_MS + 61_000), null);
  assert.equal(notices.next(degraded('log'), false, NOW_MS + 3_600_000)?.do, 'show');
});

test('notices: the safeguard is critical and told every time, also at the start', () => {
  const notices = new StateNotices();
  const safeguard = known({ status: statusOf({ state: 'safeguard' }) });
  for (let round = 0; round < 2; round += 1) {
    assert.deepEqual(notices.next(safeguard, false, NOW_MS), {
      do: 'show', notice: {
        title: 'Safeguard Mode', urgency: 'critical', icon: 'bastion-firewall-safeguard-symbolic',
        body: 'Bastion Firewall detected abnormal network activity and has temporarily paused connections to protect your system.',
      },
    });
    assert.deepEqual(notices.next(known(), false, NOW_MS), { do: 'close' });
  }
});

test('notices: a helper that restarts is not told, one that stays away is; a pause is the person’s own', () => {
  const notices = new StateNotices();
  const away = known({ connected: false });
  assert.equal(notices.next(known(), false, NOW_MS), null);
  assert.equal(notices.next(away, false, NOW_MS), null);
  assert.equal(notices.next(known({ status: statusOf({ state: 'paused', pausedUntilMs: NOW_MS + 1 }) }), false, NOW_MS), null);
  assert.equal(notices.next(away, true, NOW_MS)?.do, 'show');
  assert.deepEqual(notices.next(known(), false, NOW_MS), { do: 'close' });
  assert.equal(notices.next(known({ status: statusOf({ state: 'off' }) }), false, NOW_MS)?.do, 'show');
});

test('notices: of many kinds of trouble the oldest are forgotten', () => {
  const notices = new StateNotices();
  notices.next(known(), false, NOW_MS);
  for (let index = 0; index < 65; index += 1) assert.equal(notices.next(degraded(String(index)), false, NOW_MS)?.do, 'show');
  assert.equal(notices.next(degraded('0'), false, NOW_MS)?.do, 'show');
  assert.equal(notices.next(degraded('64'), false, NOW_MS)?.do, 'close');
});

test('notices: changed programs are named, many are counted', () => {
  assert.deepEqual(changedProgramsNotice(['curl']).title, 'curl was changed');
  const many = changedProgramsNotice(['a', 'b', 'c', 'd', 'e']);
  assert.equal(many.title, '5 programs were changed');
  assert.match(many.body, /^a, b, c and 2 more\n/u);
});
