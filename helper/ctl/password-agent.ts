/** Asks for polkit's passwords on the terminal, as systemctl does, by polkit's own pkttyagent. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const PROGRAM = '/usr/bin/pkttyagent';
/** It reports within milliseconds; without polkit it never does. */
const READY_TIMEOUT_MS = 2000;
/** The descriptor that it closes when it is registered. */
const NOTIFY_FD = 3;

export interface PasswordAgent {
  /** Ends it; idempotent. */
  stop(): void;
}

/** Signs of a login session, whose own agent goes first. Without one polkit never asks an agent that is only a fallback. */
const SESSION_VARIABLES = ['XDG_SESSION_ID', 'WAYLAND_DISPLAY', 'DISPLAY'] as const;

/**
 * Starts the agent for this process and waits until it is registered. Null for root, who is never asked, and where there is no
 * pkttyagent: the call is refused then, with its reason.
 */
export async function startPasswordAgent(
  env: Readonly<Record<string, string | undefined>>, bus: string | undefined,
): Promise<PasswordAgent | null> {
  if (process.getuid?.() === 0) return null;
  const fallback = SESSION_VARIABLES.some((name) => env[name] !== undefined) ? ['--fallback'] : [];
  const child = spawn(PROGRAM, ['--process', String(process.pid), '--notify-fd', String(NOTIFY_FD), ...fallback], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: bus === undefined ? env : { ...env, DBUS_SYSTEM_BUS_ADDRESS: bus },
  });
  const stop = (): void => void child.kill('SIGTERM');
  const exit = once(child, 'exit').catch(() => undefined);
  const notify = child.stdio[NOTIFY_FD];
  const registered = notify == null ? exit : once(notify, 'close').catch(() => undefined);
  if (notify != null && 'resume' in notify) notify.resume();
  const timeout = AbortSignal.timeout(READY_TIMEOUT_MS);
  await Promise.race([registered, exit, once(timeout, 'abort')]);
  if (child.pid === undefined || child.exitCode !== null) return null;
  child.unref();
  return { stop };
}
