/** What a caller may ask of a lab, and what the helper is told of it. */
import { join } from 'node:path';
import type { PolkitMode } from './bus.ts';
import type { Ground } from './ground.ts';
import { ROOT } from './process.ts';

export interface LabOptions {
  /** enforcing by default. */
  readonly mode?: 'enforcing' | 'learning';
  /** default_action; ask by default. */
  readonly defaultAction?: 'ask' | 'deny' | 'drop' | 'allow';
  /** Text of rules.d/10-lab.toml. */
  readonly rules?: string;
  /** More lines of bastion.toml; top-level keys, then tables. */
  readonly settings?: string;
  /** `open` by default. */
  readonly polkit?: PolkitMode;
  /** false hides the kernel's programs from the helper: it falls back and is degraded. */
  readonly bpf?: boolean;
  readonly backend?: 'iptables-nft' | 'iptables-legacy';
  /** More arguments of the helper. */
  readonly helperArguments?: readonly string[];
  /** Programs whose file was changed in the last two seconds are not remembered, as on a machine. */
  readonly doubtNewFiles?: boolean;
  /** false leaves the helper to `startHelper`. */
  readonly startHelper?: boolean;
  /** Another program in the helper's place, which gets the same arguments. */
  readonly helperProgram?: readonly string[];
  /** false: the caller ends the lab on signals. */
  readonly handleSignals?: boolean;
}

export interface RunOptions {
  /** `user` (default) is the ordinary user. */
  readonly as?: 'user' | 'root';
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Text for standard input, which ends after it. */
  readonly input?: string;
  /** SIGKILL after this; 60 s by default. */
  readonly timeoutMs?: number;
}

type HelperPlace = Pick<Ground, 'configDir' | 'stateDir' | 'runDir' | 'vendorDir' | 'cgroup' | 'pinDir'> & { readonly busAddress: string };

/** The helper's command line in a lab. Without a cgroup of the lab's own it must not guard the machine's. */
export function helperCommand(options: LabOptions, lab: HelperPlace): string[] {
  const { bpf = true, backend, helperArguments = [], helperProgram } = options;
  const kernel = bpf && lab.cgroup !== null && lab.pinDir !== null;
  return [
    ...(helperProgram ?? [join(ROOT, 'build/bin/bastion-helper')]),
    '--config', lab.configDir, '--state', lab.stateDir, '--run', lab.runDir, '--vendor', lab.vendorDir,
    '--bus', lab.busAddress,
    ...(lab.cgroup === null ? [] : ['--cgroup', lab.cgroup]),
    ...(lab.pinDir === null ? [] : ['--pin', lab.pinDir]),
    ...(kernel ? [] : ['--identification', 'sock_diag']),
    ...(backend === undefined ? [] : ['--backend', backend]),
    // Every program of a test is new.
    ...(options.doubtNewFiles === true ? [] : ['--trust-new-files']),
    ...helperArguments,
  ];
}
