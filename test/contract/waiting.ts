/** Waiting for what a client tells, without sleeping. */
import type { HelperClient, HelperEvents } from '../../helper/contract/client.ts';

/** Resolves with the arguments of the first `event` for which `test` holds. Ask before causing it. */
export function nextEvent<E extends keyof HelperEvents>(
  client: HelperClient, event: E, test: (...values: Parameters<HelperEvents[E]>) => boolean = () => true,
): Promise<Parameters<HelperEvents[E]>> {
  return new Promise((resolve) => {
    const listener = (...values: Parameters<HelperEvents[E]>): void => {
      if (!test(...values)) return;
      stop();
      resolve(values);
    };
    const stop = client.on(event, listener as HelperEvents[E]);
  });
}

/** Resolves when the client has found the helper. */
export async function whenConnected(client: HelperClient): Promise<void> {
  if (!client.connected) await nextEvent(client, 'connected', (there) => there);
}
