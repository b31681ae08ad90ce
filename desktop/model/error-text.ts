/** What a failed call means to a person. */
import { BastionError } from '../../helper/contract/errors.ts';
import { NotConnectedError } from '../../helper/contract/client.ts';
import { _ } from '../i18n.ts';
import { visible } from './plain-text.ts';

/** One sentence for any failure. The helper's own words are kept where it has said what is wrong. */
export function errorText(error: unknown): string {
  if (error instanceof NotConnectedError) return _('The firewall service does not answer.');
  if (error instanceof BastionError && error.code === 'NotAuthorized') return _('You are not allowed to do this.');
  if (error instanceof BastionError) return visible(error.message, 300);
  return _('Something went wrong. The system’s journal says what.');
}

/** Did the call fail because the person may not, or did not give the password? */
export function isNotAuthorized(error: unknown): boolean {
  return error instanceof BastionError && error.code === 'NotAuthorized';
}
