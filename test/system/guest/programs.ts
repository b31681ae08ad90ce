/** The compiled programs that the machine inside uses; the test compiles them before it boots, because it is much faster. */
import { compile } from '../../lab/compile.ts';

const SOURCES = {
  neighbour: '../system/guest/neighbour.c',
  peer: 'peer.c',
  traffic: '../integration/support-native/traffic.c',
} as const;

/** Path of the program, compiled if it is not there yet; `folder` is for trees that cannot be written. */
export function compiled(name: keyof typeof SOURCES, folder: string): string {
  return compile(SOURCES[name], folder);
}

export function compileAll(folder: string): void {
  compiled('peer', folder);
  compiled('neighbour', folder);
  compiled('traffic', folder);
}
