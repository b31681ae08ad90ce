/** A person at the screen of a system: an active session of its own login manager, and what is typed in a terminal there. */
import { existsSync, readFileSync } from 'node:fs';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { until } from '../../integration/support.ts';
import { within } from '../../lab/process.ts';
import type { SystemMachine } from './machine.ts';

export const PERSON = 'alice';
const PASSWORD = 'by the rig alone';
const HOME = `/home/${PERSON}`;
/** The bus of the session lies on the disk, where the test outside reaches it too. */
const BUS_FOLDER = `${HOME}/bus`;
const BUS_FILE = '/opt/rig/session-bus.conf';
const LIMIT_MS = 60_000;

/** What a user runs, with the streams of the one who starts it, as a service does it: there is no session. */
export function asUser(name: string, argv: readonly string[], options: readonly string[] = []): readonly string[] {
  return ['systemd-run', '--quiet', '--pipe', '--wait', '--collect', `--uid=${name}`, ...options, '--', ...argv];
}

/** The same as a display manager does it, in a session at the screen of its own. Source: pam_systemd(8). */
export function atScreen(name: string, argv: readonly string[]): readonly string[] {
  return asUser(name, argv, [
    '--property=PAMName=login', '--setenv=XDG_SEAT=seat0', '--setenv=XDG_SESSION_TYPE=wayland', '--setenv=XDG_SESSION_CLASS=user',
    `--setenv=HOME=/home/${name}`, `--working-directory=/home/${name}`,
  ]);
}

/** Whoever reaches the folder may use it: the test is another user than the person. */
const BUS_CONFIG = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=${BUS_FOLDER}/bus</listen>
<policy context="default"><allow user="*"/><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>
`;

/** A command of the person's, while it runs and after. */
export class Typed {
  readonly #machine: SystemMachine;
  readonly #path: string;

  constructor(machine: SystemMachine, path: string) {
    this.#machine = machine;
    this.#path = path;
  }

  #read(kind: string): string | null {
    const file = join(this.#machine.root, `${this.#path}.${kind}`);
    return existsSync(file) ? readFileSync(file, 'utf8') : null;
  }

  /** What it has printed so far. */
  text(): string {
    return this.#read('out') ?? '';
  }

  get ended(): boolean {
    return this.#read('status') !== null;
  }

  /** What it printed; throws when it failed. */
  async done(): Promise<string> {
    const status = await until(`the end of a command, which has said so far: ${this.text()}`, () => Promise.resolve(this.#read('status')), LIMIT_MS);
    if (status.trim() !== '0') throw new Error(`status ${status.trim()}: ${this.text()}`);
    return this.text();
  }

  /** Types the person's password when it is asked for. Programs throw away what was typed before they ask. */
  async password(): Promise<void> {
    await until(`a password to be asked for by ${this.text()}`, () => {
      if (this.ended) throw new Error(`it ended without a password: ${this.text()}`);
      return Promise.resolve(/Password: ?$/u.test(this.text()) ? true : null);
    }, LIMIT_MS);
    await this.#machine.must(['sh', '-c', `echo '${PASSWORD}' > ${this.#path}.keys`]);
  }
}

/** The person has an account, and is an administrator as the first user of an installation is. */
export async function addPerson(machine: SystemMachine): Promise<void> {
  await machine.must(['useradd', '--create-home', '--shell', '/bin/sh', '--groups', 'sudo', PERSON]);
  await machine.must(['sh', '-c', `echo '${PERSON}:${PASSWORD}' | chpasswd`]);
}

export class PersonSession {
  /** Of all sessions, because their files stay from one boot to the next. */
  static #commands = 0;
  readonly #machine: SystemMachine;
  readonly #shell: ChildProcess;

  private constructor(machine: SystemMachine, shell: ChildProcess) {
    this.#machine = machine;
    this.#shell = shell;
  }

  /** Resolves when the login manager says that the session is the active one, and its bus is there. */
  static async begin(machine: SystemMachine): Promise<PersonSession> {
    const shell = machine.start(atScreen(PERSON, ['/bin/sh']));
    const session = new PersonSession(machine, shell);
    machine.put(BUS_FILE, BUS_CONFIG);
    // The login sets the one of the person's service manager.
    shell.stdin?.write(`export DBUS_SESSION_BUS_ADDRESS=unix:path=${BUS_FOLDER}/bus\n`);
    await session.type(`loginctl show-session "$XDG_SESSION_ID" -p Active --value | grep -x yes`).done();
    await session.type(`rm -rf ${BUS_FOLDER}; mkdir ${BUS_FOLDER} && dbus-daemon --config-file=${BUS_FILE} --fork`).done();
    return session;
  }

  /** Address of the session's bus for the test outside. */
  get busAddress(): string {
    return `unix:path=${join(this.#machine.root, BUS_FOLDER, 'bus')}`;
  }

  /** Starts a command of the person's. */
  type(command: string): Typed {
    const path = `${HOME}/command-${String(++PersonSession.#commands)}`;
    this.#shell.stdin?.write(`{ ( ${command}\n) > ${path}.out 2>&1 < /dev/null; echo $? > ${path}.ends; mv ${path}.ends ${path}.status; } &\n`);
    return new Typed(this.#machine, path);
  }

  /** The same in a terminal of its own, where passwords can be typed. */
  typeInTerminal(command: string): Typed {
    const path = `${HOME}/terminal-${String(++PersonSession.#commands)}`;
    const terminal = `script --quiet --return --command '${command}' /dev/null <> ${path}.keys`;
    this.#shell.stdin?.write(`mkfifo ${path}.keys; { ${terminal} > ${path}.out 2>&1; echo $? > ${path}.ends; mv ${path}.ends ${path}.status; } &\n`);
    return new Typed(this.#machine, path);
  }

  /** The person logs out. */
  async end(): Promise<void> {
    const gone = new Promise<void>((resolve) => { this.#shell.once('exit', () => { resolve(); }); });
    this.#shell.stdin?.end(`pkill -f ${BUS_FILE}\n`);
    await within(gone, LIMIT_MS, () => 'the session does not end');
  }
}
