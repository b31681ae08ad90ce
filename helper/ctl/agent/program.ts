/** What the terminal says of the program behind a prompt. From outside, and escaped where it is printed. */
import { assertNever } from '../../contract/errors.ts';
import type { AncestorInfo, PromptInfo } from '../../contract/types.ts';
import type { Integrity } from '../../contract/vocabulary.ts';

const OPEN_FOLDERS = ['/tmp/', '/var/tmp/', '/dev/shm/', '/run/lock/'];

/** The last part of a path. */
function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function isOpen(path: string): boolean {
  return OPEN_FOLDERS.some((folder) => path.startsWith(folder));
}

/** `, started by build.sh`; '' where nobody is known. */
export function startedBy({ ancestors: [parent] }: PromptInfo): string {
  if (parent === undefined) return '';
  return `, started by ${baseName(parent.script ?? '') || baseName(parent.path) || parent.command || String(parent.pid)}`;
}

/** `/usr/bin/bash /opt/build.sh`. */
export function ancestorWords({ path, command, script }: AncestorInfo): string {
  return [path || command, script ?? ''].filter((part) => part !== '').join(' ');
}

function scriptWarning({ script, script_evidence: scriptEvidence, interpreter }: PromptInfo): string {
  if (script !== undefined) return scriptEvidence === 'exec' ? '' : 'Only the program itself says that it runs this script; it may be another one.';
  return interpreter === true ? 'The program runs scripts, and it is not known which one it runs now.' : '';
}

function placeWarning({ script, package: name, appimage, path }: PromptInfo): string {
  if (script !== undefined && isOpen(script)) return 'The script lies in a folder that everybody can write to.';
  if (name !== undefined || !isOpen(appimage ?? path)) return '';
  return 'The program belongs to no package and lies in a folder that everybody can write to.';
}

/** What changes the decision, the gravest first; '' when nothing does. */
export function promptWarning(prompt: PromptInfo): string {
  if (prompt.forwarded_from !== undefined) return 'This machine only passes the connection on; which program makes it cannot be told.';
  if (prompt.integrity === 'changed') return 'The program was changed since it was last allowed; its rules are suspended.';
  switch (prompt.confidence) {
    case 'certain': return scriptWarning(prompt) || placeWarning(prompt);
    case 'likely': return scriptWarning(prompt) || 'Which program this is was read from /proc; a program of the same user could deceive there.';
    case 'unknown': return 'Which program this is could not be found out.';
    default: return assertNever(prompt.confidence);
  }
}

function packageWords({ package: name, flatpak, snap, appimage, integrity, script, path }: PromptInfo): string {
  if (flatpak !== undefined) return `Flatpak ${flatpak}`;
  if (snap !== undefined) return `snap ${snap}`;
  if (appimage !== undefined) return `AppImage ${appimage}`;
  if (name !== undefined) return `${name}, as installed${script === undefined ? '' : ` (${baseName(path)})`}`;
  return integrity === undefined ? '' : 'none that is known';
}

function stateWords(integrity: Integrity, trusted: boolean): string {
  switch (integrity) {
    case 'valid': return trusted ? 'unchanged, trusted by hand' : 'unchanged';
    case 'changed': return 'changed since it was last allowed';
    case 'unknown': return 'seen for the first time';
    default: return assertNever(integrity);
  }
}

function scriptWords({ script, script_evidence: evidence, interpreter }: PromptInfo): string {
  if (script === undefined) return interpreter === true ? 'unknown' : '';
  return `${script}, as ${evidence === 'exec' ? 'the kernel recorded its start' : 'the process says of itself'}`;
}

/** Rows of the details: script, package, state of the file and its hash, each only where something is known. */
export function identityRows(prompt: PromptInfo): readonly (readonly [string, string])[] {
  const { integrity, trusted, sha256 } = prompt;
  const rows: readonly (readonly [string, string])[] = [
    ['Script', scriptWords(prompt)],
    ['Package', packageWords(prompt)],
    ['File', integrity === undefined ? '' : stateWords(integrity, trusted === true)],
    ['SHA-256', sha256 ?? ''],
  ];
  return rows.filter(([, text]) => text !== '');
}
