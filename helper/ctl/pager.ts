/** Long output goes through less, as systemd's and NetworkManager's tools do it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Shows the text with `less -FRX`: it ends by itself when all fits on the screen. False when there is no less, or the user
 * wants none (PAGER is empty or `cat`); nothing was shown then. LESSSECURE keeps it from starting other programs, so that
 * a sudo rule for bastionctl is not one for a shell.
 */
export async function page(text: string, env: Readonly<Record<string, string | undefined>>): Promise<boolean> {
  if (env['PAGER'] === '' || env['PAGER'] === 'cat' || env['TERM'] === 'dumb') return false;
  const less = spawn('less', ['-FRX'], {
    stdio: ['pipe', 'inherit', 'inherit'],
    env: { ...env, LESSSECURE: '1', LESSCHARSET: 'utf-8' },
  });
  // Ctrl-C belongs to less while it shows; ending before it would leave the terminal to both.
  const ignore = (): void => undefined;
  process.on('SIGINT', ignore);
  try {
    await once(less, 'spawn');
    const closed = once(less, 'close');
    // Quitting less before the end closes the pipe.
    less.stdin.on('error', ignore);
    less.stdin.end(text);
    await closed;
    return true;
  } catch {
    return false;
  } finally {
    process.off('SIGINT', ignore);
  }
}
