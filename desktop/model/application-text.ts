/** What is known of an application, in words. */
import type { ApplicationInfo, RehashInfo, RehashSummary } from '../../helper/contract/types.ts';
import { assertNever } from '../../helper/contract/errors.ts';
import { KERNEL_PATH } from '../../helper/contract/vocabulary.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { agoText, clockText, countText } from './durations.ts';
import { sizeText } from './format.ts';
import { baseName, visible } from './plain-text.ts';
import { programName } from './program-name.ts';
import type { FindProgram, KnownProgram } from './program-name.ts';

/** How a state looks; each has a shape of its own besides its colour. */
export type StateLook = 'good' | 'plain' | 'changed' | 'missing' | 'unknown';

export interface StateWords {
  readonly look: StateLook;
  /** One or two words. */
  readonly word: string;
  readonly icon: string;
  /** A sentence that says what it means. */
  readonly sentence: string;
}

const ICONS: Readonly<Record<StateLook, string>> = {
  good: 'object-select-symbolic', plain: 'help-about-symbolic', changed: 'dialog-warning-symbolic',
  missing: 'action-unavailable-symbolic', unknown: 'dialog-question-symbolic',
};

function knownProgram({ flatpak, snap, path }: ApplicationInfo, find: FindProgram): KnownProgram | null {
  if (flatpak !== '') return find(`flatpak:${flatpak}`);
  if (snap !== '') return find(`snap:${snap}`);
  return path === '' ? null : find(path);
}

/** By the system's own desktop files, else as the helper calls it. */
export function applicationName(info: ApplicationInfo, find: FindProgram): string {
  if (info.path === KERNEL_PATH) return programName(KERNEL_PATH, find);
  const known = knownProgram(info, find)?.name;
  return known ?? (visible(info.name, 128) || _('An unknown program'));
}

/** Icon name or absolute path. */
export function applicationIcon(info: ApplicationInfo, find: FindProgram): string {
  if (info.kind === 'script') return 'text-x-script';
  const icon = knownProgram(info, find)?.icon ?? '';
  if (icon !== '') return icon;
  return info.kind === 'package' ? 'package-x-generic' : 'application-x-executable';
}

/** Where it comes from, in one line: `Flatpak org.example.App`, `Package curl`, else where its file lies. */
export function placeText(info: ApplicationInfo): string {
  if (info.flatpak !== '') return fill(_('Flatpak {name}'), { name: visible(info.flatpak, 256) });
  if (info.snap !== '') return fill(_('Snap {name}'), { name: visible(info.snap, 64) });
  if (info.package !== '') return fill(_('Package {name}'), { name: visible(info.package, 128) });
  return visible(info.path);
}

function validWords(info: ApplicationInfo): StateWords {
  const words = (look: StateLook, word: string, sentence: string): StateWords => ({ look, word, icon: ICONS[look], sentence });
  switch (info.reason) {
    case 'package': return words('good', _('as installed'), _('Its file has the checksum that its package recorded.'));
    case 'trusted': return words('good', _('as trusted'), _('Its file is the one that applications.toml trusts.'));
    case 'accepted': return words('good', _('as accepted'), _('Its file is the one that was accepted by hand.'));
    default:
      return info.package === '' && info.flatpak === '' && info.snap === ''
        ? words('plain', _('not from a package'), _('Its file comes from no package. It has not changed since it was first seen.'))
        : words('plain', _('as first seen'), _('Its file has not changed since it was first seen; its package has no checksum to compare it with.'));
  }
}

function changedSentence(info: ApplicationInfo): string {
  switch (info.reason) {
    case 'package-wrong':
      return fill(_('Its file is not the one that the package {name} installed. Its allow rules are suspended until you accept this file.'), {
        name: visible(info.package, 128),
      });
    case 'not-trusted':
      return _('Its file is not the one that applications.toml trusts. Its allow rules are suspended until you accept this file.');
    default:
      return _('Its file is not the one that was known before. Its allow rules are suspended until you accept this file.');
  }
}

/** The state as icon, word and sentence. */
export function stateWords(info: ApplicationInfo): StateWords {
  switch (info.state) {
    case 'valid': return validWords(info);
    case 'changed': return { look: 'changed', word: _('changed'), icon: ICONS.changed, sentence: changedSentence(info) };
    case 'missing': return { look: 'missing', word: _('missing'), icon: ICONS.missing, sentence: _('Its file no longer exists. Its rules stay.') };
    case 'unknown': return { look: 'unknown', word: _('not checked yet'), icon: ICONS.unknown, sentence: unknownSentence(info) };
    default: return assertNever(info.state);
  }
}

function unknownSentence(info: ApplicationInfo): string {
  return info.path === ''
    ? _('None of its programs has connected yet; its files are checked when one does.')
    : _('Its file is checked when it connects, or now if you like.');
}

/** `3 rules  ·  seen 3 minutes ago  ·  1.2 MB`. Bytes are counted since the service started. */
export function useText(info: ApplicationInfo, nowMs: number): string {
  const bytes = info.sent_bytes + info.received_bytes;
  const parts = [
    info.last_seen_ms === 0 ? _('not seen yet') : fill(_('seen {when}'), { when: agoText(info.last_seen_ms, nowMs) }),
    bytes === 0 ? '' : sizeText(bytes),
    info.rules === 0 ? '' : rulesText(info.rules),
  ];
  return parts.filter((part) => part !== '').join('  ·  ');
}

export function rulesText(rules: number): string {
  return fill(ngettext('{number} rule', '{number} rules', rules), { number: countText(rules) });
}

export interface Fact {
  readonly title: string;
  readonly value: string;
  /** A hash or a path: shown so that letters can be told apart. */
  readonly exact: boolean;
}

/** The facts that the application's page lists; empty ones are left out. */
export function applicationFacts(info: ApplicationInfo, nowMs: number): readonly Fact[] {
  const fact = (title: string, value: string, exact = false): Fact => ({ title, value, exact });
  const when = (ms: number): string => (ms === 0 ? '' : clockText(ms, nowMs));
  const differs = info.known_sha256 !== '' && info.known_sha256 !== info.sha256;
  const facts = [
    fact(_('File'), visible(info.path), true),
    fact(_('Run by'), visible(info.interpreter), true),
    fact(_('Package'), visible(info.package, 128)),
    fact(_('Flatpak'), visible(info.flatpak, 256)),
    fact(_('Snap'), visible(info.snap, 64)),
    fact(differs ? _('Known SHA-256') : '', differs ? info.known_sha256 : '', true),
    fact(differs ? _('Current SHA-256') : _('SHA-256'), info.sha256, true),
    fact(_('First seen'), when(info.first_seen_ms)),
    fact(_('Last seen'), when(info.last_seen_ms)),
    fact(_('Known file replaced'), changeText(info, nowMs)),
    fact(_('Connections decided'), decidedText(info)),
    fact(_('Traffic since the service started'), trafficText(info)),
  ];
  return facts.filter(({ value }) => value !== '');
}

/** When the known hash became another one, and by whom. */
function changeText({ changed_ms: changedMs, changed_by: by }: ApplicationInfo, nowMs: number): string {
  if (changedMs === undefined || changedMs === 0) return '';
  const when = clockText(changedMs, nowMs);
  return by === 'package' ? fill(_('{when}, by an update of its package'), { when }) : fill(_('{when}, accepted by hand'), { when });
}

function decidedText({ allowed, refused }: ApplicationInfo): string {
  if (allowed + refused === 0) return '';
  return fill(_('{allowed} allowed, {refused} refused'), { allowed: countText(allowed), refused: countText(refused) });
}

function trafficText({ sent_bytes: sent, received_bytes: received }: ApplicationInfo): string {
  if (sent + received === 0) return '';
  return fill(_('{received} received, {sent} sent'), { received: sizeText(received), sent: sizeText(sent) });
}

/** 64 digits as groups of 8, so that two can be compared by eye. */
export function hashText(sha256: string): string {
  return visible(sha256, 64).replaceAll(/(.{8})(?=.)/gu, '$1 ');
}

/** What Rehash of one file came to. */
export function rehashText(row: RehashInfo, name: string): string {
  switch (row.result) {
    case 'same': return row.state === 'changed'
      ? fill(_('The file of {name} is the one that you saw. It is still not the known one.'), { name })
      : fill(_('The file of {name} is the known one.'), { name });
    case 'accepted': return row.state === 'changed'
      ? fill(_('The file of {name} was accepted, but it is still not the one of its package.'), { name })
      : fill(_('The file of {name} was accepted. Its rules are in force again.'), { name });
    case 'missing': return fill(_('The file of {name} no longer exists.'), { name });
    case 'failed': return fill(_('The file of {name} could not be read.'), { name });
    case 'other-hash': return fill(_('The file of {name} has changed again in the meantime. Nothing was accepted.'), { name });
    default: return assertNever(row.result);
  }
}

/** The same as a word with its icon, for lists. */
export function resultWords({ result }: RehashInfo): Pick<StateWords, 'look' | 'word' | 'icon'> {
  const words: Record<RehashInfo['result'], readonly [StateLook, string]> = {
    same: ['plain', _('unchanged')], accepted: ['good', _('accepted')], missing: ['missing', _('missing')],
    failed: ['changed', _('could not be read')], 'other-hash': ['changed', _('changed again')],
  };
  const [look, word] = words[result];
  return { look, word, icon: ICONS[look] };
}

/** `41 files checked: 38 unchanged, 2 accepted, 1 missing.` */
export function summaryText(summary: RehashSummary): string {
  const part = (count: number, text: string): readonly string[] => (count === 0 ? [] : [fill(text, { number: countText(count) })]);
  const parts = [
    ...part(summary.same, ngettext('{number} unchanged', '{number} unchanged', summary.same)),
    ...part(summary.accepted, ngettext('{number} accepted', '{number} accepted', summary.accepted)),
    ...part(summary.missing, ngettext('{number} missing', '{number} missing', summary.missing)),
    ...part(summary.failed, ngettext('{number} could not be read', '{number} could not be read', summary.failed)),
  ];
  const files = fill(ngettext('{number} file checked', '{number} files checked', summary.files), { number: countText(summary.files) });
  return parts.length === 0 ? `${files}.` : `${files}: ${parts.join(', ')}.`;
}

/** The name of a file in a summary: programs are found by their path. */
export function rehashName(row: RehashInfo): string {
  return visible(row.name, 128) || baseName(row.path);
}
