/** What a program is, in one line, as somebody trusted describes it. */
import type { PromptInfo } from '../../helper/contract/types.ts';
import { _, fill } from '../i18n.ts';
import { visible } from './plain-text.ts';
import { askerFile, knownAsker } from './program-name.ts';
import type { FindProgram } from './program-name.ts';

const ABOUT_LIMIT = 120;

/** Who brought it: `package curl`, `Flatpak org.example.Mail`; '' where nobody is known. */
export function originText({ package: name, flatpak, snap, interpreter }: PromptInfo): string {
  if (flatpak !== undefined) return fill(_('Flatpak {name}'), { name: visible(flatpak, 128) });
  if (snap !== undefined) return fill(_('snap {name}'), { name: visible(snap, 64) });
  // An interpreter's package says nothing of the script.
  if (name === undefined || interpreter === true) return '';
  return fill(_('package {name}'), { name: visible(name, 128) });
}

/** `Browse the web`: by the system's own desktop file, else by its package; '' where nobody says. */
export function aboutText(prompt: PromptInfo, find: FindProgram): string {
  if (prompt.forwarded_from !== undefined || (prompt.script ?? '') !== '') return '';
  return visible(knownAsker(prompt, find)?.about ?? prompt.package_summary ?? '', ABOUT_LIMIT);
}

/** Under the title: what it is and who brought it; the file where neither is known, for then it is all that there is to go by. */
export function aboutLine(prompt: PromptInfo, find: FindProgram): string {
  const [about, origin] = [aboutText(prompt, find), originText(prompt)];
  return [about, origin === '' ? visible(askerFile(prompt)) : origin].filter((part) => part !== '').join('\n');
}
