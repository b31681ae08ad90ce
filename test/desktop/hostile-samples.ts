/** Names that somebody chose to deceive, and samples in which every text from outside is such a name. */
import { PACKAGE_SUMMARY_CHARACTERS } from '../../helper/contract/types.ts';

/** What each of them tries. */
export const HOSTILE_NAMES: Readonly<Record<string, string>> = {
  markup: 'evil<b>bold</b>&amp;<span size="99999">&lt;',
  brokenMarkup: 'evil</span></b><![CDATA[ & "\'>',
  lines: 'evil\nof\r\ntwo\u2028lines\u2029\tand\vmore',
  turned: 'evil\u202egnp.exe\u202c\u2066x\u2069\u200f\u200e\u061c',
  unseen: 'evil\u200b\u200c\u2060\ufeff\u00ad\u034f\ufe0f\u3164\u2800\u{e0041}\u{e0101}x',
  controls: 'evil\u001b[31m\u001b]0;title\u0007\b\u0000\u007f\u009b',
  halfSurrogates: 'evil\ud800x\udc00\ufffe\u{10ffff}\ue000',
  fromTheRight: 'evil שלום العربية',
  joined: 'evil👩‍👩‍👧‍👦🏳️‍🌈',
  lookAlike: 'evil-аррӏе.com',
  stacked: `evil${'e\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308\u0309\u030a'.repeat(20)}`,
  long: `evil${'W'.repeat(4086)}`,
  longLines: `evil ${'many words '.repeat(370)}`,
  formats: 'evil%s%n%1$s{name}{number}_x$(reboot)`id`',
};

/** Words of the contract, numbers as text, and what the helper itself has made: nobody outside chooses them. */
const OWN_KEYS: ReadonlySet<string> = new Set([
  'id', 'nonce', 'action', 'lifetime', 'lifetimes', 'scopes', 'default_lifetime', 'default_scope', 'confidence', 'evidence', 'script_evidence',
  'status', 'name_sources', 'kind', 'state', 'tier', 'reason', 'reasons', 'direction', 'integrity', 'named_by', 'change', 'from', 'to', 'result',
  'format', 'sha256', 'known_sha256', 'old_sha256', 'new_sha256', 'scope', 'rule_id', 'other_id', 'rule_before', 'rule_after', 'schedule',
]);

/** The same with `name` for every text from outside; paths stay paths. */
export function spoiled<T>(sample: T, name: string): T {
  return spoil(sample, '', () => name) as T;
}

/** The same with another name for each text, in turn, from that of number `from` on. */
export function mixed<T>(sample: T, from = 0): T {
  const names = Object.values(HOSTILE_NAMES);
  let at = from;
  return spoil(sample, '', () => {
    at += 1;
    return names[(at - 1) % names.length] ?? '';
  }) as T;
}

function spoil(value: unknown, key: string, name: () => string): unknown {
  if (OWN_KEYS.has(key)) return value;
  if (key === 'package_summary') return name().slice(0, PACKAGE_SUMMARY_CHARACTERS);
  if (typeof value === 'string') return value === '' ? '' : value.startsWith('/') ? `/opt/${name()}` : name();
  if (Array.isArray(value)) return value.map((one: unknown) => spoil(one, key, name));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([part, one]: readonly [string, unknown]) => [part, spoil(one, part, name)]));
}

/** One sample for each name, with an id of its own. */
export function spoiledAll<T>(make: (id: string, at: number) => T): readonly T[] {
  return Object.entries(HOSTILE_NAMES).map(([kind, name], at) => spoiled(make(kind, at), name));
}
