/**
 * rules.json of Bastion Firewall 1 and 2: `"<subject>:<port>": true|false`. Source: that program's rule manager; a key's port
 * stands behind its last colon, a rule for all ports is written with `*` and counted as 0.
 */
import { isDomain } from './check.ts';
import { Draft, baseName, quoted } from './draft.ts';
import type { DraftRule } from './draft.ts';
import { readJson } from './json.ts';
import type { Document, Node } from './node.ts';
import { refuse } from './types.ts';
import type { Imported } from './types.ts';
import { parseAddress } from '../policy/text.ts';

const GROUP = 'Imported from Bastion Firewall 2';
const NAME_PREFIX = '@name:';
const DESTINATION_PREFIX = '@dest:';
const HIGHEST_PORT = 65_535;
/** Tables that the original writes and never fills. */
const EMPTY_TABLES: ReadonlySet<string> = new Set(['applications', 'services']);

/** Reads rules.json. Throws BastionError InvalidArgument with line and column, or LimitReached. */
export function importBastionRules(text: string): Imported {
  return readRules(readJson(text));
}

function readRules({ root, lines }: Document): Imported {
  if (root.kind !== 'table') return refuse(lines.place(root.at), 'rules.json is a table of rules: { "/usr/bin/curl:443": true }.');
  const draft = new Draft(lines, GROUP);
  for (const [key, { at, value }] of root.entries) {
    if (EMPTY_TABLES.has(key)) readTable(draft, key, at, value);
    else if (value.kind !== 'flag') draft.skipped({ at, source: key, text: 'The value is neither true nor false; the original did not read it either.' });
    else readRule(draft, key, at, value.value ? 'allow' : 'deny');
  }
  return draft.done();
}

function readTable(draft: Draft, key: string, at: number, value: Node): void {
  if (value.kind === 'table' && value.entries.size === 0) return;
  draft.skipped({ at, source: key, text: 'The original never read what stands here.' });
}

/** `*` and 0 are any port (''); null for what the original skipped. */
function portOf(text: string): string | null {
  if (text === '*') return '';
  if (!/^[0-9]{1,8}$/.test(text) || Number(text) > HIGHEST_PORT) return null;
  return Number(text) === 0 ? '' : String(Number(text));
}

function readRule(draft: Draft, key: string, at: number, action: 'allow' | 'deny'): void {
  const colon = key.lastIndexOf(':');
  const subject = key.slice(0, Math.max(colon, 0));
  const port = portOf(key.slice(colon + 1));
  if (colon < 0 || port === null) {
    draft.skipped({ at, source: key, text: 'There is no port number behind the last colon; the original did not read it either.' });
    return;
  }
  const rule = { action, ...(port === '' ? {} : { port }) };
  if (subject.startsWith('/')) readPath(draft, key, at, { ...rule, path: subject });
  else if (subject.startsWith(NAME_PREFIX)) readName(draft, key, at, rule, subject.slice(NAME_PREFIX.length));
  else if (subject.startsWith(DESTINATION_PREFIX)) readDestination(draft, key, at, action, subject.slice(DESTINATION_PREFIX.length), port);
  else draft.skipped({ at, source: key, text: `${quoted(subject)} names no program: it is no absolute path.` });
}

function readPath(draft: Draft, key: string, at: number, rule: DraftRule & { readonly path: string }): void {
  const ports = rule.port === undefined ? 'any port' : `port ${rule.port}`;
  draft.kept({
    at, source: key, text: `The program, ${ports}, any address.`,
    rule: { ...rule, name: `${baseName(rule.path)}${rule.port === undefined ? '' : `, port ${rule.port}`}` },
  });
}

/** Any program can call itself as it likes, so a name is a hint at best. */
function readName(draft: Draft, key: string, at: number, rule: DraftRule, name: string): void {
  if (name === '' || name.includes('/') || name.trim() !== name) {
    draft.skipped({ at, source: key, text: 'Any program can give itself any name, and no program can have a file of this one.' });
    return;
  }
  draft.review({
    at, source: key,
    text: `Any program can call itself ${quoted(name)}. The rule names /usr/bin/${name}.`,
    rule: { ...rule, path: `/usr/bin/${name}`, name: `${name} (path guessed)` },
    advice: 'It is off: correct the path, then switch it on.',
  });
}

interface Destination {
  readonly address: string;
  readonly port: string;
  readonly complete: boolean;
}

/**
 * The key is `@dest:<address>:<port>:<port>`: the last field is dropped, and what is left is split at its last colon. Where the
 * second port is missing, the first one was the last field.
 */
function destinationOf(rest: string, last: string): Destination | null {
  const colon = rest.lastIndexOf(':');
  const port = portOf(rest.slice(colon + 1));
  const address = bare(rest.slice(0, Math.max(colon, 0)));
  if (colon > 0 && port !== null && isAddress(address)) return { address, port, complete: true };
  return isAddress(bare(rest)) ? { address: bare(rest), port: last, complete: false } : null;
}

function bare(address: string): string {
  return address.startsWith('[') && address.endsWith(']') ? address.slice(1, -1) : address;
}

function isAddress(text: string): boolean {
  const read = parseAddress(text);
  return read.ok && read.value !== undefined && !text.includes('/');
}

/** The original asked these for programs that it could not name; here such a rule would be for every program. */
function readDestination(draft: Draft, key: string, at: number, action: 'allow' | 'deny', rest: string, last: string): void {
  const found = destinationOf(rest, last);
  if (found === null) {
    draft.skipped({ at, source: key, text: isDomain(rest) ? 'A name stands where an address should.' : 'There is no address and port in this key.' });
    return;
  }
  const { address, port, complete } = found;
  draft.review({
    at, source: key,
    text: 'There it was for programs that nobody could name; here it would be for every program.'
      + (complete ? '' : ' One port stood there where the original writes two.'),
    advice: 'It is off: add a program, or switch it on.',
    rule: { action, address, ...(port === '' ? {} : { port }), name: `any program to ${address}${port === '' ? '' : `, port ${port}`}` },
  });
}

/**
 * The original cut paths at their first space, so a path without a file may be the beginning of another one: `missing` are
 * paths without a file, and what names one is switched off.
 */
export function flagMissing(imported: Imported, missing: ReadonlySet<string>): Imported {
  const items = imported.items.map((item) => {
    if (item.outcome !== 'kept' || item.rule?.path === undefined || !missing.has(item.rule.path)) return item;
    return {
      ...item, outcome: 'review' as const, rule: { ...item.rule, enabled: false },
      text: 'There is no such file now: the original may have cut the path at a space. The rule is off: correct the path, then switch it on.',
    };
  });
  return { ...imported, items };
}
