/** Text forms of the parts of a rule that name a program, a network or a place, and which of them go together. */
import { KERNEL_PATH } from '../contract/vocabulary.ts';
import type { ProgramMatch, RuleMatch } from '../contract/vocabulary.ts';
import { CONTAINER_NAME } from './containers.ts';
import { parseDomain } from './domains.ts';
import { failed, parsed, quoted } from './parsed.ts';
import type { Parsed } from './parsed.ts';
import { parseProgram } from './program.ts';

/** The parts by which a program can be named, in the order in which they are written. */
export const PROGRAM_PARTS = ['path', 'package', 'flatpak', 'snap', 'appImage', 'script', 'sha256'] as const;
export type ProgramPart = (typeof PROGRAM_PARTS)[number];

/** Parts of a match that are one word, and their reader. */
export type TextPart = ProgramPart | 'container' | 'domain' | 'list' | 'zone' | 'interface';

type Reader = (text: string) => Parsed<string | undefined>;

function word(pattern: RegExp, longest: number, what: string): Reader {
  return (text) => {
    if (text === '') return parsed(undefined);
    return text.length <= longest && pattern.test(text) ? parsed(text) : failed(`${quoted(text)} is no ${what}`);
  };
}

function file(what: string): Reader {
  return (text) => {
    const read = parseProgram(text);
    if (read.ok && read.value !== KERNEL_PATH) return read;
    return read.ok || !text.startsWith('/') ? failed(`${quoted(text)} is not the absolute path of ${what}`) : read;
  };
}

function sha256(text: string): Parsed<string | undefined> {
  if (text === '') return parsed(undefined);
  return /^[0-9a-f]{64}$/i.test(text) ? parsed(text.toLowerCase()) : failed(`${quoted(text)} is no SHA-256; write its 64 hexadecimal digits`);
}

const SNAP = /^(?=[^_]*[a-z])[a-z0-9](?:-?[a-z0-9]){0,39}(?:_[a-z0-9]{1,10})?$/;

/** '' is any (undefined) for each. */
export const PART_READERS: Readonly<Record<TextPart, Reader>> = {
  path: parseProgram,
  // Source: Debian Policy 5.6.1.
  package: word(/^[a-z0-9][a-z0-9+.-]+$/, 128, 'package; their names have two or more small letters, digits, "+", "-" and "."'),
  // Source: flatpak-utils, flatpak_is_valid_name: three parts or more, dashes in the last one only.
  flatpak: word(/^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\.[A-Za-z_][\w-]*$/, 255, 'Flatpak application; write its id, such as org.mozilla.firefox'),
  // Source: snapd, snap/naming.
  snap: word(SNAP, 51, 'snap; their names have small letters, digits and single dashes, at most 40'),
  appImage: file('an AppImage'),
  script: file('a script'),
  sha256,
  container: word(CONTAINER_NAME, 128, 'container; write its name, the beginning of several such as web-*, or its id of 12 or 64 digits'),
  domain: parseDomain,
  list: word(/^[a-z0-9][a-z0-9._-]*$/, 64, 'id of a list; write that of a [[list]] of bastion.toml'),
  zone: word(/^[a-z0-9][a-z0-9_-]*$/, 32, 'zone; write the "zone" of an [[interface]] of bastion.toml'),
  // Source: linux/if.h, IFNAMSIZ without its NUL.
  interface: word(/^[^\s/:*\p{C}]+\*?$/u, 15, 'network interface; write one such as eth0, or the beginning of several such as wg*'),
};

/** The id of a profile; '' is every one. */
export const parseProfile: (text: string) => Parsed<string | undefined> = word(
  /^[a-z0-9][a-z0-9_-]*$/, 32, 'id of a profile; write that of a [[profile]] of bastion.toml',
);

/** What D-Bus and people call the parts. */
export const PART_WORDS: Readonly<Record<ProgramPart, string>> = {
  path: 'path', package: 'package', flatpak: 'flatpak', snap: 'snap', appImage: 'appimage', script: 'script', sha256: 'sha256',
};

/** `path:/usr/bin/make`, `package:NAME` and so on; '' is none (undefined). */
export function parseAncestor(text: string): Parsed<ProgramMatch | undefined> {
  if (text === '') return parsed(undefined);
  const colon = text.indexOf(':');
  const part = PROGRAM_PARTS.find((one) => PART_WORDS[one] === text.slice(0, Math.max(colon, 0)));
  if (part === undefined) {
    return failed(`${quoted(text)} names no program; write path:/usr/bin/make, or package:, flatpak:, snap:, appimage:, script:, sha256:`);
  }
  const read = PART_READERS[part](text.slice(colon + 1));
  if (!read.ok) return read;
  if (read.value === undefined || read.value === KERNEL_PATH) return failed(`${quoted(text)} names no program that could start another one`);
  return parsed({ [part]: read.value });
}

/** Back to what `parseAncestor` reads; '' for none. */
export function formatAncestor(match: ProgramMatch | undefined): string {
  const part = match === undefined ? undefined : PROGRAM_PARTS.find((one) => match[one] !== undefined);
  return part === undefined ? '' : `${PART_WORDS[part]}:${match?.[part] ?? ''}`;
}

/** Does the match name a program, of which there may be children and a file that changes? */
function namesProgram(match: RuleMatch): boolean {
  return match.path !== KERNEL_PATH && PROGRAM_PARTS.some((part) => match[part] !== undefined);
}

/** Why the parts of a match, each of them right, do not go together; null where they do. */
export function conflictIn(match: RuleMatch): string | null {
  const places = (['address', 'domain', 'list'] as const).filter((part) => match[part] !== undefined);
  if (places.length > 1) return `${places.join(' and ')} exclude each other; make a rule for each`;
  if (match.path === KERNEL_PATH && (match.ancestor !== undefined || PROGRAM_PARTS.some((part) => part !== 'path' && match[part] !== undefined))) {
    return 'the kernel is no program of a package, has no file and was started by nobody; name one of the two';
  }
  if (match.container !== undefined && (match.path !== undefined || match.ancestor !== undefined || namesProgram(match))) {
    return 'a container and a program exclude each other: which program inside it sends cannot be told';
  }
  if (match.allScripts === true && (match.path === undefined || match.path === KERNEL_PATH)) return '"all" scripts needs the path of the interpreter';
  if (match.allScripts === true && match.script !== undefined) return 'a script and "all" scripts exclude each other';
  if (match.includeChildren === true && !namesProgram(match)) return 'including children needs the program that starts them';
  if (match.pin === true && !namesProgram(match)) return 'a pin needs the program whose file is not to change';
  return null;
}
