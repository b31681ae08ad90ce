/**
 * Every method, property and signal of the contract, asked for by everybody who could, on a system with the package and with real
 * logins: its login manager and its polkit, as they are installed, give them what the table of the contract says for the lab's
 * callers.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { build } from 'esbuild';
import { INTERFACES } from '../../../helper/contract/names.ts';
import { RULES, shortName } from '../../contract/authorization-calls.ts';
import type { AuthorizationTable, Column, Outcomes, Subjects } from '../../contract/authorization-calls.ts';
import { contractXml, declaredMembers } from '../../contract/contract-xml.ts';
import type { Member } from '../../contract/contract-xml.ts';
import { until } from '../../integration/support.ts';
import { ADDRESSES } from '../../lab/network.ts';
import { ROOT, endChild, within } from '../../lab/process.ts';
import { mustHold } from '../../must-hold.ts';
import { builtPackage, noPackages } from '../packages.ts';
import type { Reply, Request } from './caller.ts';
import { archives, noSystem } from './image.ts';
import { HELPER_UNIT, SystemMachine } from './machine.ts';
import { ALLOWED } from './root.ts';
import { PERSON, addPerson, asUser, atScreen } from './session.ts';
import { pause, running } from './support.ts';

const OTHER = 'bob';
const INSTALL_LIMIT_MS = 120_000;
const REPLY_LIMIT_MS = 90_000;
const LOOK_MS = 200;
const BUNDLE = '/opt/rig/caller.mjs';
/** The package's own runtime, which is what a program of the desktop runs too. */
const PROGRAM = ['/usr/lib/bastion/bin/node', BUNDLE];
const KEY = '/opt/rig/key';
const WRONG_RULES = '/etc/bastion/rules.d/99-wrong.toml';
const STRANGER = '/opt/rig/stranger';
/** By the address of the network: somebody who comes from localhost is not remote. */
const SSH = [
  'ssh', '-i', KEY, '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR',
  `${PERSON}@${ADDRESSES.client4}`,
];

/** What a user has his own service manager run. */
function asOwnService(argv: readonly string[]): readonly string[] {
  return ['systemd-run', '--user', '--quiet', '--pipe', '--wait', '--collect', '--', ...argv];
}

const PROMPT_SIGNALS: ReadonlySet<string> = new Set(['Prompts.PromptRaised', 'Prompts.PromptWithdrawn']);
const NO_SUBJECTS: Subjects = { nonce: '', flow: '' };

interface Kind {
  readonly name: string;
  readonly argv: readonly string[];
  /** What the login manager says of it, see caller.ts. */
  readonly session: string | null;
  /** What it gets. */
  readonly column: Column;
  /** The first agent of the session at the screen: unlike in the lab, where there is none, it is asked about system users' programs too. */
  readonly agent?: true;
}

/** In the order of their calls. On a seat without virtual terminals the session that began last is the active one. */
const KINDS: readonly Kind[] = [
  { name: 'another user, whose session at the screen is not the active one', argv: atScreen(OTHER, PROGRAM), session: 'local, not active', column: 'user' },
  { name: 'a system user without a session', argv: asUser('daemon', PROGRAM), session: null, column: 'other' },
  { name: 'the user at the screen, over ssh', argv: [...SSH, ...PROGRAM], session: 'remote, active', column: 'user' },
  { name: 'the user at the screen, in a service outside of his session', argv: asUser(PERSON, PROGRAM), session: null, column: 'user' },
  // polkit counts what a user's own service manager starts to his session at the screen, also where he asks for it from afar.
  { name: 'the user at the screen, over ssh and his own service manager', argv: [...SSH, ...asOwnService(PROGRAM)], session: null, column: 'active', agent: true },
  { name: 'the user at the screen', argv: atScreen(PERSON, PROGRAM), session: 'local, active', column: 'active' },
  { name: 'root', argv: PROGRAM, session: null, column: 'root' },
];

/** A process of one of them. */
class Caller {
  readonly kind: Kind;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #errors = '';

  private constructor(kind: Kind, child: ChildProcess) {
    assert.ok(child.stdout !== null && child.stderr !== null);
    this.kind = kind;
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stderr.setEncoding('utf8').on('data', (text: string) => { this.#errors += text; });
  }

  /** Resolves when it is on the bus. */
  static async start(machine: SystemMachine, kind: Kind): Promise<Caller> {
    const caller = new Caller(kind, machine.start(kind.argv));
    await caller.#request({ members: [], subjects: NO_SUBJECTS });
    return caller;
  }

  ask(members: readonly Member[], subjects: Subjects): Promise<Reply> {
    return this.#request({ members, subjects });
  }

  /** The signals since it was asked for the first time, also all that were sent before this call. */
  async heard(): Promise<readonly string[]> {
    return (await this.#request({ members: [], subjects: NO_SUBJECTS, listen: true })).heard;
  }

  async #request(request: Request): Promise<Reply> {
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    const line = await within(this.#lines.next(), REPLY_LIMIT_MS, () => `no reply of ${this.kind.name}: ${this.#errors}`);
    if (line.done === true) throw new Error(`${this.kind.name} ended: ${this.#errors}`);
    return JSON.parse(line.value) as Reply;
  }

  end(): Promise<void> {
    return endChild(this.#child, 0);
  }
}

async function install(machine: SystemMachine, debs: readonly string[]): Promise<void> {
  const inside = '/opt/rig/debs';
  mkdirSync(join(machine.root, inside), { recursive: true });
  for (const deb of debs) copyFileSync(deb, join(machine.root, inside, basename(deb)));
  await machine.must(['env', 'DEBIAN_FRONTEND=noninteractive', 'dpkg', '--install', ...debs.map((deb) => join(inside, basename(deb)))], INSTALL_LIMIT_MS);
}

/** The product enforces, has a rule that calls can be about, and its questions last as long as the test. */
async function setUp(machine: SystemMachine, product: string): Promise<void> {
  machine.put(`/etc/systemd/system/${HELPER_UNIT}.d/rig.conf`, '[Service]\nWatchdogSec=30\n');
  await install(machine, [product]);
  await running(machine);
  const settings = await machine.must(['cat', '/etc/bastion/bastion.toml']);
  machine.put('/etc/bastion/bastion.toml', settings.replace(/^prompt_timeout_s = .*$/mu, 'prompt_timeout_s = 300'), 0o640);
  machine.put('/etc/bastion/rules.d/10-lab.toml', RULES, 0o640);
  await machine.must(['systemctl', 'reload', HELPER_UNIT]);
  await machine.must(['bastionctl', 'mode', 'enforcing']);
}

/** Users, a server of ssh that knows a key, and the program that calls. */
async function letIn(machine: SystemMachine, server: readonly string[]): Promise<void> {
  await addPerson(machine);
  await machine.must(['useradd', '--create-home', OTHER]);
  await install(machine, server);
  await machine.must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', KEY]);
  await machine.must(['install', '-D', '-o', PERSON, '-m', '600', `${KEY}.pub`, `/home/${PERSON}/.ssh/authorized_keys`]);
  await machine.must(['systemctl', 'start', 'ssh.service']);
  await build({
    entryPoints: [join(ROOT, 'test/system/nspawn/caller.ts')], outfile: join(machine.root, BUNDLE), bundle: true, platform: 'node', target: 'node24',
    format: 'esm', logLevel: 'warning',
    banner: { js: "import { createRequire as bundleRequire } from 'node:module';\nconst require = bundleRequire(import.meta.url);" },
  });
}

const HELPER = ['org.bastionfirewall.Helper1', '/org/bastionfirewall/Helper1'];

/** A question about a program of that user's that waits. */
function promptOf(machine: SystemMachine, uid: number): Promise<string> {
  const list = ['busctl', '--json=short', 'call', ...HELPER, INTERFACES.prompts, 'ListPending', 'us', '10', ''];
  return until('a prompt', async () => {
    const { data: [rows] } = JSON.parse(await machine.must(list)) as { readonly data: readonly [readonly Readonly<Record<string, { readonly data: unknown }>>[], string] };
    const found = rows.find((row) => row['status']?.data === 'pending' && row['uid']?.data === uid)?.['nonce']?.data;
    if (typeof found === 'string') return found;
    await pause(LOOK_MS);
    return null;
  });
}

/** A question about a program of root's that waits, and a connection of root's. */
async function subjectsOf(machine: SystemMachine): Promise<Subjects> {
  const nonce = await promptOf(machine, 0);
  const flow = await until('a flow', async () => {
    const flows = JSON.parse(await machine.must(['bastionctl', 'history', '--json', '--limit', '10'])) as readonly { readonly id: string; readonly uid: number }[];
    const found = flows.find(({ uid }) => uid === 0);
    if (found !== undefined) return found.id;
    await pause(LOOK_MS);
    return null;
  });
  return { nonce, flow };
}

/** One of everything that signals tell of: a rule, a property (what could not be loaded), a question about a system user's program and its answer, an interface. */
async function makeNews(machine: SystemMachine): Promise<void> {
  await machine.must(['bastionctl', 'rules', 'add', 'deny', '--to', '192.0.2.3']);
  machine.put(WRONG_RULES, '[[rule]]\n', 0o640);
  await machine.must(['systemctl', 'reload', HELPER_UNIT]);
  await machine.must(['rm', WRONG_RULES]);
  await machine.must(['systemctl', 'reload', HELPER_UNIT]);
  await machine.must(['cp', ALLOWED, STRANGER]);
  const held = machine.run(['systemd-run', '--uid=daemon', '--quiet', '--pipe', '--wait', '--collect', '--', STRANGER, 'tcp', ADDRESSES.peer4, '7']);
  const nonce = await promptOf(machine, Number(await machine.must(['id', '--user', 'daemon'])));
  const answer = ['busctl', 'call', ...HELPER, INTERFACES.prompts, 'Answer', 'sa{sv}', nonce, '2', 'action', 's', 'deny', 'lifetime', 's', 'once'];
  await machine.must(answer);
  await held;
  await machine.must(['ip', 'link', 'add', 'name', 'told0', 'type', 'veth', 'peer', 'name', 'told1']);
}

function expected(rows: Outcomes): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(rows).map(([row, outcomes]) => [row, Object.fromEntries(KINDS.map(({ name, column, agent }) => {
    return [name, agent === true && PROMPT_SIGNALS.has(row) ? 'heard' : outcomes[column]];
  }))]));
}

test('a system with systemd gives each caller of the bus what the table of the contract says, by its own sessions and polkit', {
  skip: noSystem() || noPackages(),
}, async (t) => {
  const table = JSON.parse(readFileSync(join(ROOT, 'test/contract/authorization.json'), 'utf8')) as AuthorizationTable;
  const members = declaredMembers(contractXml());
  const methods = members.filter(({ kind }) => kind === 'method');
  const properties = members.filter(({ kind }) => kind === 'property');
  const product = builtPackage('bastion-firewall');
  const server = await archives('openssh-server');
  await using machine = await SystemMachine.started({ plain: true });
  await setUp(machine, product);
  await letIn(machine, server);
  const callers: Caller[] = [];
  t.after(() => Promise.all(callers.map((caller) => caller.end())));
  for (const kind of KINDS) callers.push(await Caller.start(machine, kind));
  const signals = members.filter(({ kind }) => kind === 'signal').map(shortName);

  async function told(): Promise<Record<string, Record<string, string>>> {
    for (const caller of callers) await caller.heard();
    await makeNews(machine);
    for (const caller of callers) await caller.ask(methods.filter((one) => shortName(one) === 'Applications.RehashAll'), NO_SUBJECTS);
    await until('every signal', async () => {
      const heard = await callers.at(-1)?.heard();
      return heard?.length === signals.length ? true : null;
    }).catch(() => undefined);
    const heard = await Promise.all(callers.map(async (caller) => [caller.kind.name, await caller.heard()] as const));
    return Object.fromEntries(signals.map((name) => [
      name, Object.fromEntries(heard.map(([kind, names]) => [kind, names.includes(name) ? 'heard' : 'nothing'])),
    ]));
  }

  async function found(subjects: Subjects, asked: readonly (readonly Member[])[]): Promise<Record<string, Record<string, string>>> {
    const rows: Record<string, Record<string, string>> = {};
    for (const some of asked) {
      for (const caller of callers) {
        const { session, outcomes } = await caller.ask(some, subjects);
        assert.equal(session, caller.kind.session, caller.kind.name);
        for (const [row, outcome] of Object.entries(outcomes)) (rows[row] ??= {})[caller.kind.name] = outcome;
      }
    }
    return rows;
  }

  const subjects = await subjectsOf(machine);
  const heard = await told();
  // A pause would answer the prompt, and off end it.
  const first = methods.filter((one) => one.interface === INTERFACES.prompts);
  const results = {
    signals: heard, methods: await found(subjects, [first, methods.filter((one) => !first.includes(one))]), properties: await found(subjects, [properties]),
  };
  assert.deepEqual(results, { signals: expected(table.signals), methods: expected(table.methods), properties: expected(table.properties) });
  mustHold({
    id: 'system-callers',
    claim: 'D-Bus gives root, the user at the screen, the same user in a service and over ssh, another user and a system user what the contract says',
    size: `${String(methods.length)} methods, ${String(properties.length)} properties, ${String(signals.length)} signals, ${String(KINDS.length)} callers`, undecided: null, figures: [],
  });
});
