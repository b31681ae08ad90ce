/** The desktop application beside a lab: on the caller's display, outside the firewall. */
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from './lab.ts';
import { startTied } from './process.ts';
import { becomeUser } from './user.ts';

/** Starts it as the ordinary user, on the lab's bus; null where there is no display or the application is not built. */
export function startDesktop(lab: Lab): ChildProcess | null {
  const display = process.env['WAYLAND_DISPLAY'] ?? process.env['DISPLAY'] ?? '';
  const program = join(lab.tree, 'build/bin/bastion-firewall-desktop');
  if (display === '' || !existsSync(program)) return null;
  const given = process.env['XDG_RUNTIME_DIR'];
  const runtime = given ?? join('/run/user', String(lab.user.uid));
  return startTied([...becomeUser(lab.user), program], {
    env: {
      ...process.env,
      ...lab.environment(),
      ...lab.userVariables(),
      ...(given !== undefined || existsSync(runtime) ? { XDG_RUNTIME_DIR: runtime } : {}),
    },
    stdio: ['ignore', 'ignore', lab.logDescriptor],
  });
}
