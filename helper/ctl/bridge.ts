/** The system bus of another machine over ssh, as busctl --host reaches it: `ssh HOST systemd-stdio-bridge`. */
import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { NotConnectedError } from '../contract/client.ts';
import { UsageError } from './errors.ts';

export interface Bridge {
  /** Starts ssh and hands out its stream; only once. Throws NotConnectedError the second time. */
  readonly stream: () => Duplex;
  /** Resolves when ssh has ended. */
  readonly ended: Promise<void>;
}

/** `[USER@]HOST`: what ssh takes, without anything that ssh would take for an option. */
const HOST = /^(?:[A-Za-z0-9_][\w.-]*@)?(?:[A-Za-z0-9][A-Za-z0-9._-]*|[0-9A-Fa-f:.]+(?:%[\w.-]+)?)$/;
const HOST_LENGTH = 255;

/** Throws UsageError for a name that cannot be a host. */
function checkHost(host: string): void {
  if (host.length > HOST_LENGTH || !HOST.test(host)) throw new UsageError(`--host: '${host}' is not HOST or USER@HOST`);
}

/**
 * ssh starts when the stream is wanted, and asks for what it needs on the terminal; what it has to say goes to stderr. A
 * connection that ended is not made again behind the user's back: it could ask for a password. Throws UsageError for a bad
 * host.
 */
export function makeBridge(host: string, env: Readonly<Record<string, string | undefined>>): Bridge {
  checkHost(host);
  let used = false;
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  return {
    ended,
    stream() {
      if (used) throw new NotConnectedError('The connection over ssh has ended.');
      used = true;
      const ssh = spawn('ssh', ['-xT', '--', host, 'systemd-stdio-bridge'], { stdio: ['pipe', 'pipe', 'inherit'], env });
      ssh.on('error', end).on('close', end);
      const stream = Duplex.from({ readable: ssh.stdout, writable: ssh.stdin });
      // The connection learns of an error by its own listener; this one only keeps it from being nobody's.
      stream.on('error', () => undefined);
      stream.on('close', () => void ssh.kill('SIGTERM'));
      return stream;
    },
  };
}
