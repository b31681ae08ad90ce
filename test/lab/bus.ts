/** A private system bus with the real polkitd on it. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync, copyFileSync, writeFileSync, chmodSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { watchNames } from './names.ts';
import type { NameWatch } from './names.ts';
import { ROOT, endChild, startTied, tool, within } from './process.ts';

const START_LIMIT_MS = 30_000;
const END_GRACE_MS = 1000;
const POLKIT_NAME = 'org.freedesktop.PolicyKit1';

/** Who asks polkit may do what: `open` lets the ordinary user do everything, `strict` leaves the product's defaults. */
export type PolkitMode = 'open' | 'strict';

export interface BusOptions {
  /** Folder of the lab's own, readable by everybody. */
  readonly folder: string;
  readonly polkit: PolkitMode;
  /** Name of the ordinary user. */
  readonly user: string;
  /** One uid only is mapped: polkitd stays root of the namespace. */
  readonly singleUser: boolean;
}

export interface PrivateBus {
  readonly address: string;
  readonly names: NameWatch;
  /** What could not be had, in words. */
  readonly limits: readonly string[];
  /** Ends polkitd; resolves when its name is free. */
  stopPolkit(signal?: NodeJS.Signals): Promise<void>;
  startPolkit(): Promise<void>;
  /** Ends the bus with everything on it. */
  stop(): Promise<void>;
  /** Starts it again at the same address, with polkitd. */
  start(): Promise<void>;
  close(): Promise<void>;
}

function hasUser(name: string): boolean {
  return readFileSync('/etc/passwd', 'utf8').split('\n').some((line) => line.startsWith(`${name}:`));
}

/** As /usr/share/dbus-1/system.conf decides: nothing may be owned or called but what a service's own policy opens. */
function busConfig(socket: string, policies: readonly string[]): string {
  const polkitUsers = ['root', ...(hasUser('polkitd') ? ['polkitd'] : [])];
  return `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=${socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Properties"/>
    <deny send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"
      send_member="UpdateActivationEnvironment"/>
    <allow send_destination="org.freedesktop.PolicyKit1"/>
  </policy>
${polkitUsers.map((user) => `  <policy user="${user}">
    <allow own="org.freedesktop.PolicyKit1"/>
    <allow own="org.fedoraproject.FirewallD1"/>
    <allow send_destination="*" send_interface="org.freedesktop.PolicyKit1.AuthenticationAgent"/>
  </policy>`).join('\n')}
${policies.map((path) => `  <include>${path}</include>`).join('\n')}
</busconfig>
`;
}

/** The product's bus policies; until there is one, root may own the name and everybody may talk to it. */
function busPolicies(folder: string): string[] {
  const shipped = join(ROOT, 'data/dbus');
  const found = existsSync(shipped) ? readdirSync(shipped).filter((file) => file.endsWith('.conf')) : [];
  if (found.length > 0) return found.map((file) => join(shipped, file));
  const path = join(folder, 'helper.conf');
  writeFileSync(path, `<busconfig>
  <policy user="root"><allow own="org.bastionfirewall.Helper1"/></policy>
  <policy context="default"><allow send_destination="org.bastionfirewall.Helper1"/></policy>
</busconfig>
`);
  return [path];
}

async function startBus(folder: string, log: number): Promise<{ readonly child: ChildProcess; readonly address: string }> {
  const socket = join(folder, 'socket');
  const config = join(folder, 'bus.conf');
  // An earlier one may have been killed.
  rmSync(socket, { force: true });
  writeFileSync(config, busConfig(socket, busPolicies(folder)));
  const child = startTied(['dbus-daemon', `--config-file=${config}`, '--nofork', '--nopidfile', '--print-address=1'], {
    stdio: ['ignore', 'pipe', log],
  });
  if (child.stdout === null) throw new Error('the bus has no output');
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, 'exit').then(() => {
    throw new Error(`dbus-daemon ended: ${readFileSync(join(folder, 'log'), 'utf8').slice(-1000)}`);
  });
  ended.catch(() => undefined);
  await within(Promise.race([once(lines, 'line'), ended]), START_LIMIT_MS, () => 'dbus-daemon did not start');
  return { child, address: `unix:path=${socket}` };
}

/** polkitd's folders are compiled in: it gets its own in a mount namespace of its own. */
function preparePolkit(options: BusOptions): string {
  const actions = join(options.folder, 'actions');
  const rules = join(options.folder, 'rules.d');
  mkdirSync(actions);
  mkdirSync(rules);
  const shipped = join(ROOT, 'data/polkit');
  for (const file of existsSync(shipped) ? readdirSync(shipped) : []) {
    if (file.endsWith('.policy')) copyFileSync(join(shipped, file), join(actions, file));
  }
  if (options.polkit === 'open') {
    writeFileSync(join(rules, '10-lab.rules'), `polkit.addRule(function (action, subject) {
  if (action.id.indexOf("org.bastionfirewall.") === 0 && subject.user === ${JSON.stringify(options.user)}) return polkit.Result.YES;
});
`);
  }
  let preload = '';
  const lines = [
    'set -e',
    `mount --bind ${actions} /usr/share/polkit-1/actions`,
    `mount --bind ${rules} /etc/polkit-1/rules.d`,
    'mount -t tmpfs tmpfs /usr/share/polkit-1/rules.d',
  ];
  if (options.singleUser) {
    const users = join(options.folder, 'passwd');
    writeFileSync(users, 'root:x:0:0:root:/root:/bin/sh\npolkitd:x:0:0:polkitd:/:/bin/sh\n');
    preload = join(options.folder, 'no-groups.so');
    tool('gcc', ['-shared', '-fPIC', '-o', preload, join(ROOT, 'test/lab/no-groups.c')]);
    lines.push(`mount --bind ${users} /etc/passwd`);
  }
  const daemon = ['/usr/lib/polkit-1/polkitd', '/usr/libexec/polkitd'].find((path) => existsSync(path));
  if (daemon === undefined) throw new Error('polkitd is not installed (package polkitd)');
  lines.push(`exec env ${preload === '' ? '' : `LD_PRELOAD=${preload} `}${daemon}`);
  return lines.join('\n');
}

async function startPolkit(script: string, folder: string, address: string, names: NameWatch, log: number): Promise<ChildProcess> {
  const child = startTied(['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-c', script], {
    env: { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: address },
    stdio: ['ignore', log, log],
  });
  const ended = once(child, 'exit').then(() => {
    throw new Error(`polkitd ended: ${readFileSync(join(folder, 'log'), 'utf8').slice(-1000)}`);
  });
  ended.catch(() => undefined);
  await within(Promise.race([names.owned(POLKIT_NAME), ended]), START_LIMIT_MS, () => 'polkitd did not start');
  return child;
}

class RunningBus implements PrivateBus {
  readonly address: string;
  readonly limits: string[] = [];
  readonly #folder: string;
  readonly #script: string;
  #daemon: ChildProcess | null = null;
  #polkit: ChildProcess | null = null;
  #names: NameWatch | null = null;

  constructor(options: BusOptions) {
    this.#folder = options.folder;
    this.#script = preparePolkit(options);
    this.address = `unix:path=${join(options.folder, 'socket')}`;
  }

  get names(): NameWatch {
    if (this.#names === null) throw new Error('the bus does not run');
    return this.#names;
  }

  async start(): Promise<void> {
    await this.#logging(async (log) => {
      this.#daemon = (await startBus(this.#folder, log)).child;
      this.#names = await watchNames(this.address);
    });
    try {
      await this.startPolkit();
    } catch (error: unknown) {
      const why = error instanceof Error ? error.message : String(error);
      this.limits.push(`polkitd does not run here (${why}): every call that needs authorization is refused.`);
    }
  }

  async startPolkit(): Promise<void> {
    await this.#logging(async (log) => {
      this.#polkit = await startPolkit(this.#script, this.#folder, this.address, this.names, log);
    });
  }

  async stopPolkit(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#polkit !== null) await endChild(this.#polkit, END_GRACE_MS, signal);
    await this.names.released(POLKIT_NAME);
  }

  async stop(): Promise<void> {
    this.#names?.close();
    this.#names = null;
    for (const child of [this.#polkit, this.#daemon]) if (child !== null) await endChild(child, END_GRACE_MS);
  }

  close(): Promise<void> {
    return this.stop();
  }

  async #logging(work: (log: number) => Promise<void>): Promise<void> {
    const log = openSync(join(this.#folder, 'log'), 'a');
    try {
      await work(log);
    } finally {
      closeSync(log);
    }
  }
}

/** Starts both; `folder` is made. A polkitd that cannot run is a limit, not an error. */
export async function startPrivateBus(options: BusOptions): Promise<PrivateBus> {
  mkdirSync(options.folder);
  chmodSync(options.folder, 0o755);
  const bus = new RunningBus(options);
  try {
    await bus.start();
    return bus;
  } catch (error: unknown) {
    await bus.close();
    throw error;
  }
}
