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

function isYes(result: unknown): boolean {
  return Array.isArray(result) && result[0] === true;
}

/**
 * Asks over `bus`, which should serve nothing else that waits: dbus-daemon lets a connection wait for 128 replies. The subject
 * is the connection, not the process, because a process number can be given to another one meanwhile.
 */
export function polkitAuthority(bus: BusConnection, logger: Logger, { dialogMs = DIALOG_TIMEOUT_MS } = {}): Authority {
  let counter = 0;
  async function cancel(cancellation: string): Promise<void> {
    await bus.call({ ...POLKIT, member: 'CancelCheckAuthorization', signature: 's', body: [cancellation] });
  }
  return {
    async isAuthorized(subject, action, details, interactive) {
      counter += 1;
      const cancellation = `bastion-${String(process.pid)}-${String(counter)}`;
      try {
        const [result] = await bus.call({
          ...POLKIT,
          member: 'CheckAuthorization',
          signature: '(sa{sv})sa{ss}us',
          body: [
            ['system-bus-name', { name: new Variant('s', subject) }],
            action,
            { ...details },
            interactive ? ALLOW_USER_INTERACTION : 0,
            cancellation,
          ],
          timeoutMs: interactive ? dialogMs : CHECK_TIMEOUT_MS,
        });
        return isYes(result);
      } catch (error: unknown) {
        const why = error instanceof Error ? error.message : String(error);
        if (error instanceof BusError && error.errorName.startsWith(POLKIT_ERRORS)) {
          logger.log('warning', 'polkit cannot say, so the call is refused', { action, why });
          return false;
        }
        logger.log('warning', 'polkit did not answer, so the call is refused', { action, why });
        // A dialog that nobody waits for any more must not stay on the screen.
        if (interactive && !bus.closed) cancel(cancellation).catch(() => undefined);
        // Nobody gave the password; polkit itself may be well.
        if (interactive && error instanceof BusTimeout) return false;
        throw new BastionError('Failed', NO_ANSWER, { cause: error });
      }
    },
  };
}
