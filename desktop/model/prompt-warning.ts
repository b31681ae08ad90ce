/** The one line of a prompt that changes the decision. */
import type { PromptInfo } from '../../helper/contract/types.ts';
import { _, fill } from '../i18n.ts';
import { isLocalAddress, showHost } from './host-name.ts';
import { programName } from './program-name.ts';
import type { FindProgram } from './program-name.ts';
import { BROWSERS, DOCUMENT_VIEWERS } from './program-kinds.ts';

const OPEN_FOLDERS = ['/tmp/', '/var/tmp/', '/dev/shm/', '/run/lock/'];
/** Where only packages and the administrator put programs. */
const SYSTEM_FOLDERS = ['/usr/', '/bin/', '/sbin/', '/lib/', '/lib64/', '/opt/', '/snap/', '/var/lib/flatpak/', '/nix/store/', '/gnu/store/'];

function below(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path.startsWith(folder));
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}

/** What its file and its identification say. */
function ofItself(prompt: PromptInfo): string {
  const { path, confidence, interpreter, script, script_evidence: scriptEvidence, integrity } = prompt;
  if (prompt.forwarded_from !== undefined) {
    return _('This computer only forwards the connection; which program makes it is not known.');
  }
  if (integrity === 'changed') return _('The program was changed since it was last allowed; its rules are suspended.');
  if (confidence === 'unknown' || path === '') {
    return _('It is not known which program this is. Allow it only if you are expecting a connection.');
  }
  if (path.endsWith(' (deleted)')) return _('The program’s file has been deleted or replaced since it was started.');
  if (script !== undefined && scriptEvidence !== 'exec') {
    return _('Only the program itself says that it runs this script; it may be another one.');
  }
  if (interpreter === true && script === undefined) {
    return _('The program runs scripts, and it is not known which one it runs now.');
  }
  return '';
}

/** Who started it, where that is a reason to look twice. A viewer that opens a link starts a browser. */
function ofStarter(prompt: PromptInfo, find: FindProgram): string {
  const { path, ancestors, flatpak, snap, appimage } = prompt;
  const file = appimage ?? path;
  if (BROWSERS.test(path) || flatpak !== undefined || snap !== undefined) return '';
  const others = ancestors.filter((one) => one.path !== '' && folderOf(one.path) !== folderOf(path));
  const together = ancestors.filter((one) => one.path !== '' && one.path !== path);
  const viewer = DOCUMENT_VIEWERS.test(path) ? undefined : together.find((one) => DOCUMENT_VIEWERS.test(one.path));
  if (viewer !== undefined) {
    return fill(_('It was started by {program}, perhaps because of a document.'), { program: programName(viewer.path, find) });
  }
  const installed = prompt.package !== undefined || below(file, SYSTEM_FOLDERS);
  const browser = installed ? undefined : others.find((one) => BROWSERS.test(one.path));
  if (browser === undefined) return '';
  return fill(_('It was started by {program} and comes from no package. It may be a download.'), { program: programName(browser.path, find) });
}

function ofPlace({ path, script, appimage, package: name }: PromptInfo): string {
  if (script !== undefined && below(script, OPEN_FOLDERS)) return _('The script lies in a folder that everybody can write to.');
  if (name !== undefined || !below(appimage ?? path, OPEN_FOLDERS)) return '';
  return _('The program belongs to no package and lies in a folder that everybody can write to.');
}

function ofLetters({ destination }: PromptInfo): string {
  return showHost(destination).deceptive ? _('This name has letters of another alphabet that look like familiar ones.') : '';
}

/** Where somebody has looked, and the file lies where programs of no package can come from. */
function ofPackage({ path, script = '', appimage, package: name, flatpak, snap, integrity }: PromptInfo): string {
  const brought = name ?? flatpak ?? snap ?? appimage;
  if (brought !== undefined || integrity === undefined || script !== '' || below(path, SYSTEM_FOLDERS)) return '';
  return _('This program comes from no package.');
}

function ofDestination({ destination, address }: PromptInfo): string {
  if (destination !== address || isLocalAddress(address)) return '';
  return _('The program connects to this address directly, without looking up a name.');
}

/** What changes the decision, the gravest first; '' when nothing does. */
export function promptWarning(prompt: PromptInfo, find: FindProgram): string {
  const uncertain = prompt.confidence === 'likely'
    ? _('The program could not be identified with certainty; another program may be using its connection.')
    : '';
  return ofItself(prompt) || ofStarter(prompt, find) || uncertain || ofPlace(prompt) || ofLetters(prompt) || ofPackage(prompt) || ofDestination(prompt);
}
