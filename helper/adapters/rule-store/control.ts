/** `[control]` of bastion.toml: the socket for scripts. */
import type { Settings } from '../../ports.ts';
import { FieldReader } from './field-reader.ts';
import { LIMITS } from './limits.ts';
import { shown } from './text.ts';
import type { Problem, Section } from './toml.ts';

/** What the address of a socket holds, less the name under which it is made ready. Source: unix(7), sun_path. */
const SOCKET_PATH_BYTES = 90;

interface ReadControl {
  readonly settings: Pick<Settings, 'control'>;
  readonly problems: readonly Problem[];
}

/** Reads the table; '' and a missing table mean that there is no socket. */
export function readControl(sections: readonly Section[]): ReadControl {
  const section = sections.find(({ name, array }) => name === 'control' && !array);
  if (section === undefined) return { settings: {}, problems: [] };
  const reader = new FieldReader(section.table, section.at);
  reader.keys(['socket'], [], 'control.');
  const socket = reader.text('socket', LIMITS.pathBytes, true) ?? '';
  if (socket === '' || reader.isWrong) return { settings: {}, problems: reader.problems };
  if (!isPlainPath(socket)) {
    reader.complainAbout('socket', `${shown(socket)} is no "socket": it must be an absolute path without "." and "..", such as "/run/bastion/control.sock".`);
  } else if (Buffer.byteLength(socket) > SOCKET_PATH_BYTES) {
    reader.complainAbout('socket', `"socket" has at most ${String(SOCKET_PATH_BYTES)} bytes: the system takes no longer paths of sockets.`);
  }
  const { line } = reader.item('socket')?.at ?? section.at;
  return { settings: reader.problems.length > 0 ? {} : { control: { socket, line } }, problems: reader.problems };
}

function isPlainPath(path: string): boolean {
  const [root, ...parts] = path.split('/');
  return root === '' && parts.every((part) => part !== '' && part !== '.' && part !== '..') && !/\p{C}/u.test(path);
}
