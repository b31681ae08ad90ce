/** Every format that can be imported, and which one a text is. */
import { BastionError } from '../contract/errors.ts';
import { IMPORT_FORMATS } from '../contract/names.ts';
import { importBastionConfig } from './bastion-config.ts';
import { importBastionRules } from './bastion-rules.ts';
import { importBastion } from './bastion.ts';
import { importIdentities, sha256Of } from './identities.ts';
import { readJson } from './json.ts';
import { importLsrules } from './lsrules.ts';
import { importNetworkManager } from './network-manager.ts';
import type { Node, TableNode } from './node.ts';
import { importOpenSnitch } from './opensnitch.ts';
import { importRulesToml } from './rules-toml.ts';
import { readToml } from './toml.ts';
import { tooMuch } from './types.ts';
import type { Imported } from './types.ts';
import { WIRE_LIMITS } from '../contract/names.ts';

export type ImportFormat = (typeof IMPORT_FORMATS)[number];

/** A format, and the sentence that says why it is that one; '' where the caller named it. */
export interface Guess {
  readonly format: ImportFormat;
  readonly why: string;
}

const CONFIG_KEYS = ['mode', 'popup_enabled', 'notifications_enabled', 'timeout_seconds', 'default_action', 'fail_closed', 'allow_localhost', 'allow_lan', 'inbound_protection'];
const LSRULES_KEYS = ['rules', 'denied-remote-domains', 'denied-remote-hosts', 'denied-remote-addresses'];

/**
 * Reads a text. Throws BastionError InvalidArgument with line and column, NotSupported, or LimitReached. `isTaken`: something is at
 * this path on this machine.
 */
export function importText(text: string, format: ImportFormat, nowMs: number, isTaken?: (path: string) => boolean): Imported {
  if (text.length > WIRE_LIMITS.textLength) tooMuch('The file has more than 1 MiB; import it in parts.');
  switch (format) {
    case 'bastion': return importBastion(text);
    case 'bastion-rules': return importBastionRules(text);
    case 'bastion-config': return importBastionConfig(text);
    case 'identities': return importIdentities(text);
    case 'rules-toml': return importRulesToml(text);
    case 'opensnitch': return importOpenSnitch(text, nowMs);
    case 'lsrules': return importLsrules(text);
    case 'network-manager': return importNetworkManager(text, isTaken);
  }
}

/** The format of this name; '' and `auto` look at the text. Throws BastionError NotSupported. */
export function formatOf(name: string, text: string): Guess {
  if (name === '' || name === 'auto') return guess(text);
  const format = IMPORT_FORMATS.find((one) => one === name);
  if (format === undefined) throw new BastionError('NotSupported', `The formats are ${IMPORT_FORMATS.join(', ')}.`);
  return { format, why: '' };
}

function guess(text: string): Guess {
  if (text.length > WIRE_LIMITS.textLength) tooMuch('The file has more than 1 MiB; import it in parts.');
  const begin = text.replace(/^\u{feff}/u, '').trimStart()[0];
  if (begin === '{' || (begin === '[' && /^\u{feff}?\s*\[\s*(?:\{|\])/u.test(text))) return guessJson(readJson(text).root);
  if (/^[ \t]*\[\[[ \t]*(?:rule|override)[ \t]*\]\]/m.test(text) && /^[ \t]*(?:id|rule)[ \t]*=/m.test(text)) {
    return { format: 'bastion', why: 'It has [[rule]] tables with ids, as Bastion Firewall writes them.' };
  }
  if (/^[ \t]*interfaces[ \t]*:/m.test(text)) return { format: 'network-manager', why: 'It has "interfaces:", as the file of rust-network-mgr.' };
  if (/^[ \t]*(?:\[|[\w."'/-]+[ \t]*=)/m.test(text)) return guessToml(text);
  throw new BastionError('InvalidArgument', 'The format cannot be told from the text. Name it with --format.');
}

function guessJson(root: Node): Guess {
  const first = root.kind === 'list' ? root.items[0] : root;
  const keys = first?.kind === 'table' ? [...first.entries.keys()] : [];
  if (keys.includes('operator')) return { format: 'opensnitch', why: 'It has an "operator", as rules of OpenSnitch have.' };
  if (root.kind === 'table') {
    if (keys.some((key) => LSRULES_KEYS.includes(key))) return { format: 'lsrules', why: 'It has the keys of an .lsrules file.' };
    if (keys.some((key) => /:[*0-9]+$/.test(key))) return { format: 'bastion-rules', why: 'Its keys end in a port, as in rules.json.' };
    if (keys.some((key) => CONFIG_KEYS.includes(key))) return { format: 'bastion-config', why: 'It has the keys of config.json.' };
    if (keys.includes('applications') && keys.includes('services')) return { format: 'bastion-rules', why: 'It has the two empty tables of rules.json.' };
  }
  throw new BastionError('InvalidArgument', 'This is JSON, but of no format that is known. Name it with --format.');
}

function guessToml(text: string): Guess {
  const { root } = readToml(text);
  if (root.kind === 'table' && hasAction(root, 0)) return { format: 'rules-toml', why: 'It is TOML with tables that allow or deny.' };
  if (/[0-9a-f]{64}/i.test(text) && sha256Of((/[0-9a-f]{64}/i.exec(text)?.[0] ?? '')) !== null) {
    return { format: 'identities', why: 'It is TOML with hashes and without actions.' };
  }
  throw new BastionError('InvalidArgument', 'This is TOML, but of no format that is known. Name it with --format.');
}

function hasAction(table: TableNode, depth: number): boolean {
  return depth < 8 && [...table.entries].some(([key, { value }]) => (
    ['action', 'verdict', 'policy', 'allow', 'deny', 'block', 'decision'].includes(key.toLowerCase()) && (value.kind === 'text' || value.kind === 'flag')
  ) || (value.kind === 'table' && hasAction(value, depth + 1))
    || (value.kind === 'list' && value.items.some((one) => one.kind === 'table' && hasAction(one, depth + 1))));
}
