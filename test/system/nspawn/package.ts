/**
 * The packages' life on a system that never had them: installed by apt, chosen, asked at the screen, booted, hung, killed,
 * updated, put back, removed, purged.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { ADDRESSES } from '../../lab/network.ts';
import { which } from '../../lab/process.ts';
import { rested, until } from '../../integration/support.ts';
import { NotificationStub } from '../../desktop/bus-services.ts';
import { mustHold } from '../../must-hold.ts';
import { builtPackages } from '../packages.ts';
import { noSystem, releases } from './image.ts';
import { HELPER_UNIT, SystemMachine } from './machine.ts';
import { Apt, makeRepository } from './repository.ts';
import { ALLOWED, copyProgram } from './root.ts';
import { PersonSession, addPerson } from './session.ts';
import { allowedWorks, attached, decideAllowed, running, staysSilent } from './support.ts';

const NEXT = '3.0.1';
const BOTH = ['bastion-firewall', 'bastion-firewall-desktop'] as const;
/** A program that nobody has decided about, and the person at the screen starts. */
const ASKED = '/opt/rig/asked';
/** It waits 8 s for a connection, and a person may take longer: it tries again, which is the same question. */
const VISIT = `for time in 1 2 3 4 5; do ${ASKED} tcp ${ADDRESSES.peer4} 7 && exit 0; done; exit 1`;
/** What apt, dpkg, systemd and the journal keep of their own, what systems change while they run, and what is the rig's and a person's. */
const NOT_OURS = /^\/(?:dev|etc\/apt\/sources\.list\.d|home|proc|run|sys|tmp|var\/(?:cache|log|tmp|lib\/(?:apt|dpkg|systemd))|opt\/rig|etc\/ld\.so\.cache)(?:[/ ]|$)/u;
const AGENTS = [
  'busctl', '--json=short', 'get-property', 'org.bastionfirewall.Helper1', '/org/bastionfirewall/Helper1', 'org.bastionfirewall.Helper1.Prompts', 'Agents',
];
/** Written by mmdebstrap. */
const IMAGE_LEAVES_OUT = '/etc/dpkg/dpkg.cfg.d/99mmdebstrap';
const PATIENT = `/etc/systemd/system/${HELPER_UNIT}.d/rig.conf`;

/** What packages could leave behind, in lines. */
type Trace = ReadonlyMap<'files' | 'units' | 'ruleset' | 'pins', readonly string[]>;

async function trace(machine: SystemMachine): Promise<Trace> {
  const lines = async (...argv: readonly string[]): Promise<string[]> => (await machine.must(argv)).split('\n');
  const files = await lines('find', '/', '-xdev', '-type', 'd', '-printf', '%p %m\\n', '-o', '-printf', '%p %m %s\\n');
  const units = await lines('systemctl', 'list-unit-files', '--no-legend', '--plain');
  return new Map([
    ['files', files.filter((line) => !NOT_OURS.test(line))],
    // A session of the login manager's is one of these, and no file.
    ['units', units.map((line) => line.replace(/ +/gu, ' ')).filter((line) => !line.includes(' transient'))],
    ['ruleset', await lines('nft', 'list', 'ruleset')],
    ['pins', await lines('ls', '/sys/fs/bpf')],
  ]);
}

function differences(before: Trace, now: Trace, kinds: Iterable<Parameters<Trace['get']>[0]> = before.keys()): readonly string[] {
  return [...kinds].flatMap((kind) => {
    const [old, found] = [new Set(before.get(kind)), new Set(now.get(kind))];
    return [...[...found].filter((line) => !old.has(line)).map((line) => `+ ${line}`), ...[...old].filter((line) => !found.has(line)).map((line) => `- ${line}`)];
  });
}

async function status(machine: SystemMachine): Promise<{ readonly mode?: unknown; readonly statistics?: { readonly prompts?: unknown } }> {
  return JSON.parse(await machine.must(['bastionctl', 'status', '--json'])) as Awaited<ReturnType<typeof status>>;
}

/** On a machine that may be busy with others, an installation is no hang. */
async function patience(machine: SystemMachine, patient: boolean): Promise<void> {
  if (patient) machine.put(PATIENT, '[Service]\nWatchdogSec=30\n');
  else rmSync(join(machine.root, PATIENT));
  await machine.must(['systemctl', 'daemon-reload']);
}

/** Enforcing begins when an administrator says so. */
async function chosen(machine: SystemMachine): Promise<void> {
  await machine.must(['bastionctl', 'rules', 'add', 'allow', '--application', ALLOWED, '--id', 'allowed']);
  await machine.must(['bastionctl', 'mode', 'enforcing']);
  await machine.peer.watch();
  await decideAllowed(machine);
  await staysSilent(machine, 'enforcing');
}

interface Waiting {
  readonly id: string;
  readonly application: string;
}

function waiting(json: string): readonly Waiting[] {
  return JSON.parse(json) as readonly Waiting[];
}

/** The sender from the first moment asks too, over and over; until the next boot it does not. */
async function onlyThePerson(machine: SystemMachine): Promise<void> {
  await machine.must(['systemctl', 'stop', 'rig-undecided.service']);
  for (const { id } of waiting(await machine.must(['bastionctl', 'prompts', 'list', '--json']))) {
    await machine.run(['bastionctl', 'prompts', 'answer', id, 'deny', '--lifetime', 'once']);
  }
}

/** The desktop program of the session is asked, and a person presses Allow Once in its notification. */
async function allowedOnce(machine: SystemMachine, session: PersonSession): Promise<void> {
  const stub = await NotificationStub.start(session.busAddress);
  try {
    const desktop = session.type('DISPLAY=:9 exec bastion-firewall-desktop --background');
    await until('the desktop program to be the agent that the helper trusts', async () => {
      if (desktop.ended) throw new Error(`it ended: ${desktop.text()}`);
      return (await machine.must(AGENTS)).includes('"verified":{"type":"b","data":true}') ? true : null;
    }, 30_000);
    const visit = session.type(VISIT);
    const shown = await stub.shown.next((one) => one.summary === `${basename(ASKED)} wants to connect`);
    const stop = stub.pressing(shown.id, 'allow');
    await visit.done().finally(stop);
    await session.type('pkill -f bastion/desktop/main.cjs').done();
  } finally {
    stub.stop();
  }
}

/** The next question is answered in a terminal of the session, for always: that costs the person's password. */
async function allowedAlways(machine: SystemMachine, session: PersonSession): Promise<void> {
  const visit = session.type(VISIT);
  const id = await until('the prompt', async () => {
    const found = waiting(await session.type('bastionctl prompts list --json').done());
    return found.find(({ application }) => application.includes(basename(ASKED)))?.id ?? null;
  }, 30_000);
  const answer = session.typeInTerminal(`bastionctl prompts answer ${id} allow --lifetime always`);
  await answer.password();
  assert.match(await answer.done(), /Rule \S+ says so/u);
  await visit.done();
  assert.match(await machine.must(['cat', '/etc/bastion/rules.d/50-user.toml']), new RegExp(`"${ASKED}"`, 'u'));
}

/** The packaged unit as it is: hung, then killed. */
async function hangsAndDies(machine: SystemMachine): Promise<void> {
  for (const signal of ['STOP', 'KILL']) {
    await machine.must(['systemctl', 'reset-failed', HELPER_UNIT]);
    const { pid } = await running(machine);
    await machine.must(['kill', `-${signal}`, String(pid)]);
    await allowedWorks(machine, `after SIG${signal}`);
    await running(machine, pid);
    await staysSilent(machine, `after SIG${signal}`);
  }
  assert.match(await machine.journal(), /Watchdog timeout/u);
}

async function updatedAndPutBack(machine: SystemMachine, apt: Apt, next: string, version: string): Promise<void> {
  const { pid } = await running(machine);
  await apt.add(next);
  await apt.run('install', ...BOTH);
  const updated = await running(machine, pid);
  assert.equal(await machine.must(['dpkg-query', '-W', '-f', '${Version}', BOTH[0]]), NEXT);
  await staysSilent(machine, 'updated');
  await allowedWorks(machine, 'updated');
  await apt.run('install', '--allow-downgrades', ...BOTH.map((name) => `${name}=${version}`));
  await running(machine, updated.pid);
  await staysSilent(machine, 'put back');
  await allowedWorks(machine, 'put back');
  assert.equal((await status(machine)).mode, 'enforcing');
}

async function removedAndPurged(machine: SystemMachine, apt: Apt, before: Trace): Promise<void> {
  await apt.run('remove', ...BOTH);
  const removed = await trace(machine);
  assert.deepEqual(differences(before, removed, ['ruleset', 'pins']), []);
  assert.ok(removed.get('files')?.some((line) => line.startsWith('/etc/bastion/bastion.toml ')), 'settings stay until they are purged');
  await machine.probed(1);
  await apt.run('purge', ...BOTH);
  assert.deepEqual(differences(before, await trace(machine)), []);
}

interface Installed {
  readonly apt: Apt;
  readonly version: string;
  readonly before: Trace;
}

/** apt finds what they need, and what was there before is kept in mind. */
async function installed(machine: SystemMachine, t: TestContext, repository: string): Promise<Installed> {
  const apt = new Apt(machine);
  copyProgram(machine.root, join(machine.root, ALLOWED), ASKED);
  // The image leaves documents and translations out; this system has everything that the packages have.
  rmSync(join(machine.root, IMAGE_LEAVES_OUT));
  await addPerson(machine);
  await patience(machine, true);
  await apt.add(repository);
  for (const name of BOTH) t.diagnostic(`${name} on nothing but essential packages: ${String((await apt.plan(name)).length)} packages`);
  const before = await trace(machine);
  await apt.disown();
  assert.notDeepEqual(await apt.unasked(), [], 'without the product nobody asks for what it needs');
  assert.match(await apt.run('install', ...BOTH), /begins in learning mode/u);
  assert.deepEqual(await apt.unasked(), [], 'the packages ask for everything that the image has for them');
  await running(machine);
  await attached(machine);
  assert.equal((await status(machine)).mode, 'learning', 'enforcing begins when somebody chooses it');
  return { apt, version: await machine.must(['dpkg-query', '-W', '-f', '${Version}', BOTH[0]]), before };
}

/** A person at the screen is asked, by the desktop and in a terminal. */
async function asked(machine: SystemMachine): Promise<void> {
  const session = await PersonSession.begin(machine);
  await onlyThePerson(machine);
  await rested(join(machine.root, ASKED));
  await allowedOnce(machine, session);
  await allowedAlways(machine, session);
  await session.end();
}

async function bootedAgain(machine: SystemMachine): Promise<void> {
  await machine.powerOff();
  await machine.boot();
  await running(machine);
  assert.equal((await status(machine)).mode, 'enforcing');
  await staysSilent(machine, 'from the first moment of the next boot');
  await allowedWorks(machine, 'after the boot');
  const session = await PersonSession.begin(machine);
  const { statistics } = await status(machine);
  await session.type(VISIT).done();
  assert.equal((await status(machine)).statistics?.prompts, statistics?.prompts, 'the answer is kept');
  await attached(machine);
  await session.end();
}

function missing(release: string): string | false {
  if (!releases().includes(release)) return 'packages made here are for the release of this machine and later ones';
  return noSystem() || (which('dh') === null && 'not installed: debhelper');
}

async function journey(t: TestContext, release: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bastion-packages-'));
  t.after(() => { rmSync(folder, { recursive: true, force: true }); });
  const debs = builtPackages().filter((path) => BOTH.some((name) => basename(path).startsWith(`${name}_`)));
  await using machine = await SystemMachine.started({ release, plain: true });
  const { apt, version, before } = await installed(machine, t, makeRepository(join(folder, 'now'), debs));
  await chosen(machine);
  const exposure = /Overall exposure level for \S+ (\S+)/u.exec(await machine.must(['systemd-analyze', 'security', '--no-pager', HELPER_UNIT]))?.[1] ?? '';
  await asked(machine);
  await patience(machine, false);
  await bootedAgain(machine);
  await hangsAndDies(machine);
  await patience(machine, true);
  await updatedAndPutBack(machine, apt, makeRepository(join(folder, 'next'), debs, NEXT), version);
  await removedAndPurged(machine, apt, before);
  mustHold({
    id: `system-package-${release}`, claim: `The packages on ${release}: installed, asked at the screen, booted, hung, killed, updated, put back, removed, purged`,
    size: 'once', undecided: 0,
    figures: [`systemd-analyze security: exposure ${exposure}`, 'files, folders, units, packet rules and pins afterwards as before'],
  });
}

/** Defines the test of one release. */
export function testPackages(release: string): void {
  const name = `the package is installed on ${release}, asks, keeps the answer over a boot, is updated and put back without an open moment, and leaves nothing behind`;
  test(name, { skip: missing(release) }, (t) => journey(t, release).catch((error: unknown) => {
    // What failed first is the one to read, not what then went wrong while tidying up.
    throw error instanceof SuppressedError ? error.suppressed : error;
  }));
}
