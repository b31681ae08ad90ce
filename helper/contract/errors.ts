/** One registry of everything that the helper refuses, with the sentence that people read. */

const PREFIX = 'org.bastionfirewall.Error.';

/** Code -> the sentence used when a place has nothing more exact to say. `since` is the first version that raises it. */
export const ERRORS = {
  InvalidArgument: { since: '3.0', text: 'An argument is not valid.' },
  NotAuthorized: { since: '3.0', text: 'You are not allowed to do this.' },
  NotFound: { since: '3.0', text: 'There is nothing with this id.' },
  ReadOnly: { since: '3.0', text: 'This rule belongs to the administrator or the vendor and can only be switched off.' },
  Conflict: { since: '3.0', text: 'Something else with this id is there already.' },
  LimitReached: { since: '3.0', text: 'There are too many of these; remove some first.' },
  AgentExists: { since: '3.0', text: 'Another agent answers the prompts of this session.' },
  NotAnAgent: { since: '3.0', text: 'Register as an agent first.' },
  PromptGone: { since: '3.0', text: 'This prompt has been answered or has expired.' },
  NotSupported: { since: '3.0', text: 'This machine or this version cannot do that.' },
  Busy: { since: '3.0', text: 'Too many calls are waiting; try again in a moment.' },
  Failed: { since: '3.0', text: 'The helper could not do this; its journal says why.' },
} as const;

export type ErrorCode = keyof typeof ERRORS;

/** An expected failure with a code of the registry. Its message is shown to people; never branch on it. */
export class BastionError extends Error {
  override readonly name = 'BastionError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message?: string, options?: ErrorOptions) {
    super(message ?? ERRORS[code].text, options);
    this.code = code;
  }
}

/** The D-Bus error name of a code. */
export function errorName(code: ErrorCode): string {
  return PREFIX + code;
}

/** The code of a D-Bus error name, or null for one that is not ours. */
export function errorCode(name: string): ErrorCode | null {
  const code = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : '';
  return Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : null;
}

/** Ends a switch over a union; a new member is a type error at the switch. */
export function assertNever(value: never): never {
  throw new TypeError(`unhandled case: ${JSON.stringify(value)}`);
}

/** What a tool or the system said: the innermost cause of an error. */
export function reasonOf(error: unknown): string {
  if (error instanceof BastionError && error.cause !== undefined) return reasonOf(error.cause);
  return error instanceof Error ? error.message : String(error);
}
