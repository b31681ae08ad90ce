/** What a prompt tells of a program on request. */
import type { PromptInfo } from '../../helper/contract/types.ts';
import { assertNever } from '../../helper/contract/errors.ts';
import type { Integrity, NameSource } from '../../helper/contract/vocabulary.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { showHost } from './host-name.ts';
import { visible } from './plain-text.ts';
import { serviceName } from './service-name.ts';

/** A line of the details: a heading and what stands under it. */
export interface Detail {
  readonly title: string;
  readonly text: string;
}

function withScript(path: string, script: string | undefined): string {
  return script === undefined || script === '' ? path : `${path} ${script}`;
}

/** Parents as a tree, the farthest at the top, the program itself at the end. */
function familyTree(prompt: PromptInfo): string {
  const family = [...prompt.ancestors].reverse().map((one) => ({ pid: one.pid, name: withScript(one.path === '' ? one.command : one.path, one.script) }));
  family.push({ pid: prompt.pid, name: withScript(prompt.path === '' ? _('unknown') : prompt.path, prompt.script) });
  return family
    .map((one, depth) => `${depth === 0 ? '' : `${'   '.repeat(depth - 1)}└ `}${visible(one.name, 200)}  (${String(one.pid)})`)
    .join('\n');
}

export function evidenceText(prompt: Pick<PromptInfo, 'evidence' | 'confidence'>): string {
  if (prompt.evidence === 'none') return _('not identified');
  if (prompt.confidence === 'certain') return _('recorded by the kernel, certain');
  return prompt.evidence === 'kernel' ? _('recorded by the kernel, its file could not be verified') : _('found by searching the processes');
}

/** `xn--mnchen-3ya.de` beside `münchen.de`, and where the name comes from when the program itself did not ask for it. */
export function nameLine(name: string, source: NameSource): string {
  const host = showHost(name);
  const shown = host.other === '' ? host.name : `${host.name} (${host.other})`;
  switch (source) {
    case 'program': return shown;
    case 'hosts': return fill(_('{name}: from the file /etc/hosts'), { name: shown });
    case 'machine': return fill(_('{name}: perhaps; a service of this computer looked it up'), { name: shown });
    default: return assertNever(source);
  }
}

/** `from the package firefox-esr, as installed`; '' where nobody looked. */
function packageText({ package: name, flatpak, snap, appimage, integrity }: FileFacts): string {
  if (flatpak !== undefined) return fill(_('the Flatpak {name}'), { name: visible(flatpak, 128) });
  if (snap !== undefined) return fill(_('the snap {name}'), { name: visible(snap, 64) });
  if (appimage !== undefined) return fill(_('the AppImage {path}'), { path: visible(appimage) });
  if (name !== undefined) return fill(_('from the package {name}, as installed'), { name: visible(name, 128) });
  return integrity === undefined ? '' : _('from no known package');
}

/** Whether the file is the one that it was known as; '' where nobody looked. */
function stateText({ integrity, trusted }: FileFacts): string {
  if (integrity === undefined) return '';
  const states: Record<Integrity, string> = {
    valid: trusted === true ? _('unchanged, trusted by hand') : _('unchanged'),
    changed: _('changed since it was last allowed'),
    unknown: _('seen for the first time'),
  };
  return states[integrity];
}

function lines(...texts: readonly string[]): string {
  return texts.filter((text) => text !== '').join('\n');
}

/** What is known of a file beyond its name. */
export type FileFacts = Pick<PromptInfo, 'path' | 'script' | 'script_evidence' | 'interpreter' | 'sha256' | 'package' | 'flatpak' | 'snap' | 'appimage' | 'integrity' | 'trusted'>;

/** The file, or the script and what runs it: where it lies, where it comes from, whether it is the same. */
export function fileDetails(prompt: FileFacts): readonly Detail[] {
  const { script = '', script_evidence: scriptEvidence, interpreter, sha256, path } = prompt;
  const hash = sha256 === undefined ? '' : `SHA-256 ${visible(sha256, 64)}`;
  const file = path === '' ? _('unknown') : visible(path);
  if (script !== '') {
    const evidence = scriptEvidence === 'exec' ? _('as the kernel recorded its start') : _('as the process itself says');
    return [
      { title: _('Script'), text: lines(visible(script), evidence, hash) },
      { title: _('Interpreter'), text: lines(file, packageText(prompt), stateText(prompt)) },
    ];
  }
  return [
    { title: _('Path'), text: file },
    ...(interpreter === true ? [{ title: _('Script'), text: _('unknown') }] : []),
    ...given(_('Package'), packageText(prompt)),
    ...given(_('File'), lines(stateText(prompt), hash)),
  ];
}

function given(title: string, text: string): readonly Detail[] {
  return text === '' ? [] : [{ title, text }];
}

/** What stands behind "Details". */
export function promptDetails(prompt: PromptInfo): readonly Detail[] {
  const names = prompt.names.map((name, at) => nameLine(name, prompt.name_sources[at] ?? 'machine'));
  const details: Detail[] = [
    ...fileDetails(prompt),
    { title: _('Identified'), text: evidenceText(prompt) },
    { title: _('User'), text: `${visible(prompt.user, 64)} (${String(prompt.uid)})` },
    { title: _('Process'), text: prompt.pid === 0 ? _('unknown') : `${String(prompt.pid)}  ${visible(prompt.command, 64)}` },
    { title: _('Started by'), text: familyTree(prompt) },
    { title: _('Address'), text: `${visible(prompt.address, 64)}, ${serviceName(prompt.protocol, prompt.port)}` },
  ];
  if (names.length > 0) details.push({ title: _('Names'), text: names.join('\n') });
  if (prompt.count > 1) {
    details.push({
      title: _('Waiting'),
      text: fill(ngettext('{number} connection', '{number} connections', prompt.count), { number: String(prompt.count) }),
    });
  }
  return details;
}
