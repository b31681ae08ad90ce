/** What bastionctl itself can say no to, how every failure is told, and which exit code it has. */
import { BastionError } from '../contract/errors.ts';
import type { ErrorCode } from '../contract/errors.ts';
import { NotConnectedError } from '../contract/client.ts';
import { EXIT } from '../contract/names.ts';

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The command line is not right; exit code 2. `help` is the command whose --help tells more. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Something local refused: no terminal, no ssh; exit code 1. `next` is what to do about it. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly next: string;

  constructor(message: string, next: string, options?: ErrorOptions) {
    super(message, options);
    this.next = next;
  }
}

/** What an error is to the person at the terminal. */
export interface Failure {
  readonly exitCode: ExitCode;
  readonly message: string;
  /** The next command to try, '' when there is none. */
  readonly next: string;
}

/** What a failure needs to know of the command that failed. */
export interface FailedCommand {
  /** `bastionctl rules add`: whose --help to point to. */
  readonly path: string;
  /** The whole command line again, quoted. */
  readonly line: string;
  /** Not root, so that more rights are to be had. */
  readonly unprivileged: boolean;
  /** Another bus or host than this machine's: advice about its services would be wrong. */
  readonly elsewhere: boolean;
}

/** What can be done to every rule but the built-in ones. */
const SWITCHES: ReadonlySet<string> = new Set(['bastionctl rules enable', 'bastionctl rules disable']);

/** The one place where an error becomes a message and an exit code. Unknown errors are refusals, with their message. */
export function describeFailure(error: unknown, command: FailedCommand): Failure {
  if (error instanceof UsageError) {
    return { exitCode: EXIT.usage, message: error.message, next: `${command.path} --help` };
  }
  if (error instanceof RefusedError) return { exitCode: EXIT.refused, message: error.message, next: error.next };
  if (error instanceof NotConnectedError) {
    return {
      exitCode: EXIT.notConnected,
      message: 'The firewall helper cannot be reached.',
      next: command.elsewhere
        ? 'check the address given with --bus or --host'
        : 'systemctl status bastion-firewall.service, or bastionctl doctor',
    };
  }
  if (error instanceof BastionError) {
    if (error.code === 'ReadOnly' && SWITCHES.has(command.path)) {
      return { exitCode: EXIT.refused, message: 'This rule is built in and stays on: the network itself needs it.', next: 'bastionctl rules list' };
    }
    return {
      exitCode: error.code === 'NotAuthorized' ? EXIT.notAuthorized : EXIT.refused,
      message: error.message,
      next: nextCommand(error.code, command),
    };
  }
  return { exitCode: EXIT.refused, message: error instanceof Error ? error.message : String(error), next: 'bastionctl doctor' };
}

function nextCommand(code: ErrorCode, command: FailedCommand): string {
  const thing = command.path.split(' ')[1] ?? '';
  switch (code) {
    case 'NotAuthorized':
      return command.unprivileged ? `sudo ${command.line}` : '';
    case 'NotFound':
      if (thing === 'prompts') return 'bastionctl prompts list --all';
      return thing === 'rules' ? 'bastionctl rules list' : 'bastionctl history';
    case 'PromptGone':
      return 'bastionctl prompts list --all';
    case 'ReadOnly':
      return 'bastionctl rules disable RULE';
    case 'Conflict':
      return 'bastionctl rules list, then choose another --id';
    case 'AgentExists':
      return 'answer there, or use: bastionctl prompts list';
    case 'Busy':
      return 'the same again in a moment';
    case 'Failed':
      return 'journalctl -u bastion-firewall.service -n 20';
    case 'InvalidArgument':
      return `${command.path} --help`;
    case 'LimitReached':
      return thing === 'rules' ? 'bastionctl rules list' : '';
    case 'NotSupported':
    case 'NotAnAgent':
      return 'bastionctl selftest';
  }
}
