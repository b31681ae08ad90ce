/**
 * Every method and property of the contract, called by everybody who could, on a system with the package and with real logins:
 * its login manager and its polkit, as they are installed, give them what the table of the contract says for the lab's callers.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { build } from 'esbuild';
import { INTERFACES } from '../../../helper/contract/names.ts';
import { RULES } from '../../contract/authorization-calls.ts';
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
/** By the address of the network: somebody who comes from localhost is not remote. */
const SSH = [
  'ssh', '-i', KEY, '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR',
  `${PERSON}@${ADDRESSES.client4}`,
];

/** What a user has his own service manager run. */
function asOwnService(argv: readonly string[]): readonly string[] {
  return ['systemd-run', '--user', '--quiet', '--pipe', '--wait', '--collect', '--', ...argv];
}

interface Kind {
  readonly name: string;
  readonly argv: readonly string[];
  /** What the login manager says of it, see caller.ts. */
  readonly session: string | null;
  /** What it gets. */
  readonly column: Column;
}

/** In the order of their calls. On a seat without virtual terminals the session that began last is the active one. */
const KINDS: readonly Kind[] = [
  { name: 'another user, whose session at the screen is not the active one', argv: atScreen(OTHER, PROGRAM), session: 'local, not active', column: 'user' },
  { name: 'a system user without a session', argv: asUser('daemon', PROGRAM), session: null, column: 'other' },
  { name: 'the user at the screen, over ssh', argv: [...SSH, ...PROGRAM], session: 'remote, active', column: 'user' },
  { name: 'the user at the screen, in a service outside of his session', argv: asUser(PERSON, PROGRAM), session: null, column: 'user' },
  // polkit counts what a user's own service manager starts to his session at the screen, also where he asks for it from afar.
  { name: 'the user at the screen, over ssh and his own service manager', argv: [...SSH, ...asOwnService(PROGRAM)], session: null, column: 'active' },
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
    await caller.ask([], { nonce: '', flow: '' });
    return caller;
  }

  async ask(members: readonly Member[], subjects: Subjects): Promise<Reply> {
    this.#child.stdin?.write(`${JSON.stringify({ members, subjects } satisfies Request)}\n`);
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

/** A question about a program of root's that waits, and a connection of root's. */
async function subjectsOf(machine: SystemMachine): Promise<Subjects> {
  const list = ['busctl', '--json=short', 'call', 'org.bastionfirewall.Helper1', '/org/bastionfirewall/Helper1', INTERFACES.prompts, 'ListPending', 'us', '10', ''];
  const nonce = await until('a prompt', async () => {
    const { data: [rows] } = JSON.parse(await machine.must(list)) as { readonly data: readonly [readonly Readonly<Record<string, { readonly data: unknown }>>[], string] };
    const found = rows.find((row) => row['status']?.data === 'pending' && row['uid']?.data === 0)?.['nonce']?.data;
    if (typeof found === 'string') return found;
    await pause(LOOK_MS);
    return null;
  });
  const flow = await until('a flow', async () => {
    const flows = JSON.parse(await machine.must(['bastionctl', 'history', '--json', '--limit', '10'])) as readonly { readonly id: string; readonly uid: number }[];
    const found = flows.find(({ uid }) => uid === 0);
    if (found !== undefined) return found.id;
    await pause(LOOK_MS);
    return null;
  });
  return { nonce, flow };
}

function expected(rows: Outcomes): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(rows).map(([row, outcomes]) => [row, Object.fromEntries(KINDS.map(({ name, column }) => [name, outcomes[column]]))]));
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
  const subjects = await subjectsOf(machine);

  async function found(asked: readonly (readonly Member[])[]): Promise<Record<string, Record<string, string>>> {
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

  // A pause would answer the prompt, and off end it.
  const first = methods.filter((one) => one.interface === INTERFACES.prompts);
  const results = { methods: await found([first, methods.filter((one) => !first.includes(one))]), properties: await found([properties]) };
  assert.deepEqual(results, { methods: expected(table.methods), properties: expected(table.properties) });
  mustHold({
    id: 'system-callers',
    claim: 'D-Bus gives root, the user at the screen, the same user in a service and over ssh, another user and a system user what the contract says',
    size: `${String(methods.length)} methods, ${String(properties.length)} properties, ${String(KINDS.length)} callers`, undecided: null, figures: [],
  });
});
