/** What a program is called: by the system's own desktop files, else by its file; and which program asks in a prompt. */
import type { AncestorInfo, PromptInfo } from '../../helper/contract/types.ts';
import { KERNEL_PATH } from '../../helper/contract/vocabulary.ts';
import { _, fill } from '../i18n.ts';
import { baseName, visible } from './plain-text.ts';

/** Name and icon that the system's own desktop files give a program. */
export interface KnownProgram {
  readonly name: string;
  /** Icon name of the theme, or an absolute path. */
  readonly icon: string;
  /** What it is, in a few words; absent where the file does not say. */
  readonly about?: string;
}
/** By an absolute path, `flatpak:ID` or `snap:NAME`; null for a program without a desktop file. */
export type FindProgram = (program: string) => KnownProgram | null;

/** 'An unknown program' where no path is known: never a guess from a name that the process chose itself. */
export function programName(path: string, find: FindProgram): string {
  if (path === '') return _('An unknown program');
  if (path === KERNEL_PATH) return _('The kernel (tunnels, network file systems)');
  return find(path)?.name ?? baseName(path);
}

/** What is known of who made a flow: parts of a prompt, or of a recorded flow. */
export type Asker = Pick<PromptInfo, 'path' | 'script' | 'flatpak' | 'snap' | 'appimage' | 'forwarded_from'>;

/** The desktop file of a bundle goes before one for the executable in it, which is often a runtime's. */
function desktopFileOf({ path, flatpak, snap, appimage }: Asker, find: FindProgram): KnownProgram | null {
  if (flatpak !== undefined) return find(`flatpak:${flatpak}`);
  if (snap !== undefined) return find(`snap:${snap}`);
  const file = appimage ?? path;
  return file === '' ? null : find(file);
}

/** The desktop file of the program that asks, null without one and for scripts. */
export function knownAsker(prompt: PromptInfo, find: FindProgram): KnownProgram | null {
  return (prompt.script ?? '') === '' ? desktopFileOf(prompt, find) : null;
}

/** `backup.py (python3)`; an interpreter has no name of its own in any desktop file. */
function scriptName(script: string, interpreter: string): string {
  return fill(_('{script} ({program})'), { script: baseName(script), program: baseName(interpreter) });
}

/** Who asks. Of a forwarded flow no program is known: the helper's words say where it comes from. */
export function asker(prompt: Asker, find: FindProgram): string {
  const { path, script, flatpak, snap, appimage, forwarded_from: sender } = prompt;
  if (sender !== undefined) return visible(sender);
  if (script !== undefined && script !== '') return scriptName(script, path);
  const bundle = flatpak ?? snap;
  const plain = bundle === undefined ? programName(appimage ?? path, find) : visible(bundle, 128);
  return desktopFileOf(prompt, find)?.name ?? plain;
}

/** The file that stands for who asks: the script, the AppImage, the executable; '' where none is known. */
export function askerFile({ script = '', appimage = '', path }: Asker): string {
  return script || appimage || path;
}

/** Icon name or absolute path; '' for a program that nobody knows. */
export function askerIcon(prompt: Asker, find: FindProgram): string {
  if (prompt.script !== undefined && prompt.script !== '') return 'text-x-script';
  const icon = desktopFileOf(prompt, find)?.icon ?? '';
  if (icon !== '') return icon;
  return prompt.path === '' && prompt.appimage === undefined ? '' : 'application-x-executable';
}

/** A program above the one that asks: its script where it ran one, else its name; '' where only a label is known. */
export function ancestorName({ path, script }: AncestorInfo, find: FindProgram): string {
  if (script !== undefined && script !== '') return baseName(script);
  return path === '' ? '' : programName(path, find);
}
