/** rescue: takes the firewall off this machine by the script that needs no helper, no bus and no runtime. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BastionError } from '../../contract/errors.ts';
import { EXIT } from '../../contract/names.ts';
import type { Context } from '../context.ts';
import { RefusedError, UsageError } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import { printable } from '../text/escape.ts';
import type { Invocation, Verb } from '../tree.ts';
import { confirm } from './confirm.ts';

/** Where packages put it: it must be found when nothing else of the product is. */
const INSTALLED = '/usr/sbin/bastion-rescue';
const QUESTION = 'This masks bastion-firewall.service and takes rules and kernel programs away: nothing is filtered until you undo it. Go on?';

/** Runs the script. Tests put their own in its place. */
export interface Rescuer {
  readonly uid: number;
  /** Resolves with its exit status, after every line was told. Rejects when it cannot be started. */
  run(args: readonly string[], onLine: (line: string, isError: boolean) => void): Promise<number>;
}

/** The one beside this bundle (build/ctl/main.mjs) goes first: two versions of the product do not mix. */
function scriptPath(): string {
  const beside = join(dirname(dirname(fileURLToPath(import.meta.url))), 'bin', 'bastion-rescue');
  return existsSync(beside) ? beside : INSTALLED;
}

/** Calls `onLine` for each whole line, and for the rest at the end. */
function byLine(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
  stream.on('end', () => { if (rest !== '') onLine(rest); });
}

function systemRescuer(): Rescuer {
  return {
    uid: process.getuid?.() ?? -1,
    run: (args, onLine) => new Promise((resolve, reject) => {
      // A shell reads it, so that a file system mounted noexec does not matter.
      const child = spawn('/bin/sh', [scriptPath(), ...args], { stdio: ['ignore', 'pipe', 'pipe'], cwd: '/', env: {} });
      byLine(child.stdout, (line) => { onLine(line, false); });
      byLine(child.stderr, (line) => { onLine(line, true); });
      child.on('error', reject);
      child.on('close', (status) => { resolve(status ?? EXIT.refused); });
    }),
  };
}

function exitOf(status: number): ExitCode {
  return Object.values(EXIT).find((code) => code === status) ?? EXIT.refused;
}

async function mayGoOn(context: Context, options: Invocation['options']): Promise<boolean> {
  if (options['yes'] === true || options['dry-run'] === true) return true;
  if (context.io.stdinIsTerminal && context.io.stdoutIsTerminal) return await confirm(context, QUESTION);
  throw new UsageError('nobody can be asked here; to go on without: rescue --yes');
}

/** The verb with a script of the caller's. */
export async function rescue(context: Context, { options }: Invocation, rescuer: Rescuer): Promise<ExitCode> {
  if (context.options.host !== undefined) throw new UsageError('rescue works on this machine; there: ssh HOST sudo bastion-rescue');
  if (rescuer.uid !== 0) throw new BastionError('NotAuthorized', 'This takes root: there is no helper to ask.');
  if (!await mayGoOn(context, options)) throw new RefusedError('Nothing was changed.', 'bastionctl rescue --dry-run');
  const lines: string[] = [];
  const status = await rescuer.run(options['dry-run'] === true ? ['--dry-run'] : [], (line, isError) => {
    lines.push(line);
    if (isError && !context.options.json) context.io.err(`${printable(line)}\n`);
    else if (!context.options.json) context.say(line);
  });
  if (context.options.json) context.json({ exit_status: status, lines });
  return exitOf(status);
}

export const rescueVerb: Verb = {
  name: 'rescue',
  about: 'Take the firewall off this machine, also when its helper is dead or hangs',
  text: 'Masks the service, stops the helper, removes packet rules and kernel programs, and says how to come back. Rules and settings '
    + 'stay. Needs root, and neither the helper nor D-Bus. The same without bastionctl: bastion-rescue.',
  options: [
    { name: 'yes', about: 'do not ask' },
    { name: 'dry-run', about: 'say what would be done, and change nothing' },
  ],
  examples: ['rescue --dry-run', 'rescue --yes'],
  run: (context, invocation) => rescue(context, invocation, systemRescuer()),
};
