/** The one place that chooses how the helper is reached. */
import { connectHelper } from '../../helper/contract/client.ts';
import type { HelperClient } from '../../helper/contract/client.ts';

/** The helper on the system bus (DBUS_SYSTEM_BUS_ADDRESS or the standard socket); connects again by itself. */
export function connectToHelper(): HelperClient {
  return connectHelper({});
}
