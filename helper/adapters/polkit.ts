/** polkit as the authority. Whatever is not a clear yes refuses: no polkit, no answer, an answer that cannot be read. */
import { BastionError } from '../contract/errors.ts';
import type { BusConnection } from '../contract/transport.ts';
import { BusError, BusTimeout, Variant } from '../contract/transport.ts';
import type { Authority, Logger } from '../ports.ts';

const POLKIT = {
  destination: 'org.freedesktop.PolicyKit1',
  path: '/org/freedesktop/PolicyKit1/Authority',
  interface: 'org.freedesktop.PolicyKit1.Authority',
} as const;
/** What polkit itself answers, for example of a caller that has gone. */
const POLKIT_ERRORS = 'org.freedesktop.PolicyKit1.Error.';
const ALLOW_USER_INTERACTION = 1;
const CHECK_TIMEOUT_MS = 10_000;
/** A person may have to find a password. */
const DIALOG_TIMEOUT_MS = 300_000;

const NO_ANSWER = 'polkit did not answer, so nobody can be authorized; connections go on as they were decided. Is polkit.service running?';

/** polkit's (bba{ss}): is it granted, and if not, would a password help? Source: polkit's reference, struct AuthorizationResult. */
function answerOf(result: unknown): { readonly yes: boolean; readonly passwordHelps: boolean } {
  const [yes, passwordHelps] = Array.isArray(result) ? result as readonly unknown[] : [];
  return { yes: yes === true, passwordHelps: passwordHelps === true };
}

export interface AuthorityOptions {
  /** A connection for one dialog. Rejects where there is no bus. */
  readonly connect: () => Promise<BusConnection>;
  readonly logger: Logger;
  readonly dialogMs?: number;
}

/**
 * Asks over `bus`, which should serve nothing else that waits: dbus-daemon lets a connection wait for 128 replies. The subject
 * is the connection, not the process, because a process number can be given to another one meanwhile.
 *
 * A dialog has a connection of its own: when that ends, polkit takes the dialog off the screen. CancelCheckAuthorization would
 * too, but where the agent answers at that moment, polkitd 122 waits for itself for ever, and nobody is authorized for anything.
 */
export function polkitAuthority(bus: BusConnection, { connect, logger, dialogMs = DIALOG_TIMEOUT_MS }: AuthorityOptions): Authority {
  async function ask(on: BusConnection, question: readonly [subject: string, action: string, details: Readonly<Record<string, string>>], flags: number): Promise<unknown> {
    const [subject, action, details] = question;
    const [result] = await on.call({
      ...POLKIT,
      member: 'CheckAuthorization',
      signature: '(sa{sv})sa{ss}us',
      body: [['system-bus-name', { name: new Variant('s', subject) }], action, { ...details }, flags, ''],
      timeoutMs: flags === ALLOW_USER_INTERACTION ? dialogMs : CHECK_TIMEOUT_MS,
    });
    return result;
  }

  async function showDialog(...question: Parameters<typeof ask>[1]): Promise<boolean> {
    const own = await connect();
    try {
      return answerOf(await ask(own, question, ALLOW_USER_INTERACTION)).yes;
    } catch (error: unknown) {
      // Nobody gave the password; polkit itself may be well.
      if (error instanceof BusTimeout) return false;
      throw error;
    } finally {
      own.close();
    }
  }

  return {
    async isAuthorized(subject, action, details, interactive) {
      try {
        const { yes, passwordHelps } = answerOf(await ask(bus, [subject, action, details], 0));
        return yes || (interactive && passwordHelps && await showDialog(subject, action, details));
      } catch (error: unknown) {
        const why = error instanceof Error ? error.message : String(error);
        if (error instanceof BusError && error.errorName.startsWith(POLKIT_ERRORS)) {
          logger.log('warning', 'polkit cannot say, so the call is refused', { action, why });
          return false;
        }
        logger.log('warning', 'polkit did not answer, so the call is refused', { action, why });
        throw new BastionError('Failed', NO_ANSWER, { cause: error });
      }
    },
  };
}
