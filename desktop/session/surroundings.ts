/** What a start finds in its environment. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** Source: wl_display_connect(3): without a name the socket wayland-0 is tried. */
export function hasDisplay(environment: Environment): boolean {
  if ((environment['WAYLAND_DISPLAY'] ?? '') !== '' || (environment['DISPLAY'] ?? '') !== '') return true;
  return existsSync(join(environment['XDG_RUNTIME_DIR'] ?? '/nonexistent', 'wayland-0'));
}

const TOKENS = ['XDG_ACTIVATION_TOKEN', 'DESKTOP_STARTUP_ID'] as const;

/** The token of the click that started this process, '' for none. It leaves the environment, because it is for one use. */
export function takeStartToken(environment: NodeJS.ProcessEnv): string {
  const token = TOKENS.map((name) => environment[name] ?? '').find((text) => text !== '') ?? '';
  for (const name of TOKENS) Reflect.deleteProperty(environment, name);
  return token;
}
