/** The scripts that work without the helper, in a lab: they see its folders, and neither its machine's units nor its console. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab, Result } from './lab.ts';
import { ROOT, tool } from './process.ts';

const BOOT = join(ROOT, 'build/bastion-boot');
const RESCUE = join(ROOT, 'build/bin/bastion-rescue');

export interface BootOptions {
  /** Words of the kernel command line. */
  readonly commandLine?: string;
  /** Text of /proc/self/mounts. */
  readonly mounts?: string;
  /** Programs below /usr/sbin that are not there. */
  readonly without?: readonly string[];
}

/** Runs `bastion-boot VERB`. */
export function boot(lab: Lab, verb: 'start' | 'rest' | 'stop' | 'stopped', options: BootOptions = {}): Promise<Result> {
  const { commandLine = 'quiet', mounts = '/dev/sda1 / ext4 rw 0 0\n', without = [] } = options;
  writeFileSync(join(lab.folder, 'command-line'), `${commandLine}\n`);
  writeFileSync(join(lab.folder, 'mounts'), mounts);
  const argv = [
    BOOT, verb, '--state', lab.stateDir, '--run', lab.runDir, '--command-line', join(lab.folder, 'command-line'),
    '--mounts', join(lab.folder, 'mounts'), '--console', join(lab.folder, 'console'),
  ];
  return lab.run(without.length === 0 ? argv : [...hide(lab, without), ...argv], { as: 'root' });
}

/** A file that cannot be run lies over each program, for one process. */
function hide(lab: Lab, programs: readonly string[]): string[] {
  const nothing = join(lab.folder, 'nothing');
  writeFileSync(nothing, '');
  const mounts = programs.map((name) => `mount --bind "$0" /usr/sbin/${name}`);
  return ['unshare', '-m', 'sh', '-c', `set -e; mount --make-rprivate /; ${mounts.join('; ')}; exec "$@"`, nothing];
}

/** What people were told last, on the console. */
export function told(lab: Lab): string {
  return readFileSync(join(lab.folder, 'console'), 'utf8');
}

/** Folder of units that `rescue` masks. */
export function unitFolder(lab: Lab): string {
  return join(lab.folder, 'units');
}

/** Runs `bastion-rescue ARGS`. */
export function rescue(lab: Lab, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<Result> {
  mkdirSync(unitFolder(lab), { recursive: true });
  const pin = lab.pinDir === null ? [] : ['--pin', lab.pinDir];
  return lab.run([RESCUE, '--units', unitFolder(lab), '--run', lab.runDir, ...pin, ...args], { as: 'root', env });
}

/** Everything of Bastion Firewall that netfilter holds in the client's namespace, in every form, without what it counted. */
export function oursInNetfilter(lab: Lab): string[] {
  const inside = (...argv: readonly string[]): string => tool('nsenter', [`--net=/run/netns/${lab.clientNamespace}`, '--', ...argv]);
  const listings = [
    inside('nft', 'list', 'ruleset'),
    ...['iptables', 'ip6tables'].flatMap((name) => ['nft', 'legacy'].map((variant) => inside(`${name}-${variant}-save`))),
  ];
  const lines = listings.join('\n').replaceAll(/packets \d+ bytes \d+/gu, '').split('\n');
  return lines.filter((line) => /bastion/iu.test(line));
}
