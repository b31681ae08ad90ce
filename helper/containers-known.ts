/** Waits until the engines whose socket is there have told of their containers, so that rules for them hold from the first packet on. */
import { lstatSync } from 'node:fs';
import type { Containers } from './ports.ts';

/** A link is not followed, as when it is connected to: Podman's socket is told as Podman's. */
function isThere(socket: string): boolean {
  try {
    return !lstatSync(socket).isSymbolicLink();
  } catch {
    return false;
  }
}

function answers({ engines }: Containers): boolean {
  return engines.every(({ socket, state }) => state === 'connected' || state === 'forbidden' || state === 'failing' || !isThere(socket));
}

/** At most `limitMs`: an engine that is only starting is known later, and nothing else waits for it. */
export async function containersKnown(containers: Containers, limitMs: number): Promise<void> {
  if (answers(containers)) return;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const stop = containers.onChanged(() => { if (answers(containers)) resolve(undefined); });
  const timer = setTimeout(() => { resolve(undefined); }, limitMs);
  await promise;
  clearTimeout(timer);
  stop();
}
