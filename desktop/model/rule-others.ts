/** What a rule may name besides path, address and port, in the words of its sentence. */
import type { RuleEdit } from '../../helper/contract/types.ts';
import { _, fill } from '../i18n.ts';
import { baseName, visible } from './plain-text.ts';
import { programName } from './program-name.ts';
import type { FindProgram } from './program-name.ts';

type Text = 'package' | 'flatpak' | 'snap' | 'appimage' | 'script' | 'sha256' | 'container' | 'ancestor' | 'domain' | 'list' | 'zone' | 'interface' | 'profile';
type Flag = 'pin' | 'include_children' | 'all_scripts';

/** Absent keys and empty ones say nothing. */
export type RuleOthers = { readonly [K in Text | Flag]?: RuleEdit[K] | undefined };

/** `Programs of the package curl`, `The script tool.py run by Python`; `Any program` where none is named. */
export function programWords(rule: RuleOthers & { readonly path: string }, find: FindProgram): string {
  const { path } = rule;
  if (given(rule.container)) {
    const name = visible(rule.container, 128);
    return rule.container.endsWith('*') ? fill(_('Containers {name}'), { name }) : fill(_('The container {name}'), { name });
  }
  if (given(rule.script)) {
    const name = baseName(rule.script);
    return path === '' ? fill(_('The script {name}'), { name }) : fill(_('The script {name} run by {program}'), { name, program: programName(path, find) });
  }
  if (given(rule.appimage)) return fill(_('The AppImage {name}'), { name: baseName(rule.appimage) });
  if (given(rule.flatpak)) return fill(_('The Flatpak {name}'), { name: visible(rule.flatpak, 128) });
  if (given(rule.snap)) return fill(_('The snap {name}'), { name: visible(rule.snap, 64) });
  if (path !== '') return programName(path, find);
  if (given(rule.package)) return fill(_('Programs of the package {name}'), { name: visible(rule.package, 128) });
  if (given(rule.sha256)) return fill(_('A file with the checksum {start}…'), { start: visible(rule.sha256.slice(0, 12), 64) });
  return _('Any program');
}

/** `example.org`, `any name below example.org`, `the list ads`; the address, or `any host`. */
export function hostWords(rule: RuleOthers & { readonly address: string }): string {
  if (given(rule.domain)) {
    const below = rule.domain.startsWith('*.');
    return below ? fill(_('any name below {name}'), { name: visible(rule.domain.slice(2), 255) }) : visible(rule.domain, 255);
  }
  if (given(rule.list)) return fill(_('the list {name}'), { name: visible(rule.list, 64) });
  return rule.address === '' ? _('any host') : visible(rule.address, 128);
}

/** What has to hold besides, each as a part of the sentence. */
export function conditionWords(rule: RuleOthers & { readonly path: string }, find: FindProgram): readonly string[] {
  return [
    ...(rule.include_children === true ? [_('and the programs that it starts')] : []),
    ...(rule.all_scripts === true ? [_('whatever script it runs')] : []),
    ...(given(rule.package) && rule.path !== '' ? [fill(_('from the package {name}'), { name: visible(rule.package, 128) })] : []),
    ...(given(rule.sha256) && named(rule) ? [fill(_('with the checksum {start}…'), { start: visible(rule.sha256.slice(0, 12), 64) })] : []),
    ...(rule.pin === true ? [_('while its file is the trusted one')] : []),
    ...(given(rule.ancestor) ? [fill(_('started by {program}'), { program: ancestorWords(rule.ancestor, find) })] : []),
    ...(given(rule.zone) ? [fill(_('in the zone {name}'), { name: visible(rule.zone, 64) })] : []),
    ...(given(rule.interface) ? [fill(_('through {name}'), { name: visible(rule.interface, 64) })] : []),
    ...(given(rule.profile) ? [fill(_('in the profile {name}'), { name: visible(rule.profile, 64) })] : []),
  ];
}

function named(rule: RuleOthers & { readonly path: string }): boolean {
  return rule.path !== '' || [rule.script, rule.appimage, rule.flatpak, rule.snap, rule.package].some((value) => given(value));
}

/** `path:/usr/bin/make` as make; the others by what stands behind the colon. */
function ancestorWords(ancestor: string, find: FindProgram): string {
  const colon = ancestor.indexOf(':');
  const value = ancestor.slice(colon + 1);
  return ancestor.startsWith('path:') ? programName(value, find) : visible(value, 128);
}

function given(value: string | boolean | undefined): value is string {
  return typeof value === 'string' && value !== '';
}
