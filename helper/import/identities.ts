/**
 * Lists of programs with their hashes, as TOML tables of any name and any keys: what is a path and what is a hash is told by how
 * it looks. They become entries of applications.toml.
 */
import { ruleProblem } from './check.ts';
import { Draft, baseName, label, quoted } from './draft.ts';
import type { Entry, Node, TableNode } from './node.ts';
import { readToml } from './toml.ts';
import { IMPORT_LIMITS } from './types.ts';
import type { Imported } from './types.ts';

const SHA256 = /^(?:sha-?256[:=-])?([0-9a-f]{64})$/i;
const OTHER_HASHES: ReadonlyMap<number, string> = new Map([[32, 'MD5'], [40, 'SHA-1'], [56, 'SHA-224'], [96, 'SHA-384'], [128, 'SHA-512']]);
const PATH_KEYS = ['path', 'exe', 'executable', 'binary', 'program', 'file', 'location'];
const NAME_KEYS = ['name', 'title', 'label', 'app', 'application', 'id'];

/** A SHA-256 in small digits; null for anything else. */
export function sha256Of(text: string): string | null {
  return text.length > 80 ? null : SHA256.exec(text.trim())?.[1]?.toLowerCase() ?? null;
}

/** Why a text that looks like a hash is none that is used; null for one that does not look like a hash. */
export function otherHash(text: string): string | null {
  const name = /^(?:[a-z0-9-]{1,8}[:=])?[0-9a-f]{32,128}$/i.test(text) ? OTHER_HASHES.get(text.replace(/^.*[:=]/, '').length) : undefined;
  return name === undefined ? null : `${name} is not used here; take the SHA-256 of the file.`;
}

/** Reads a list of identities. Throws BastionError InvalidArgument with line and column, or LimitReached. */
export function importIdentities(text: string): Imported {
  const { root, lines } = readToml(text);
  const draft = new Draft(lines, '');
  if (root.kind === 'table') walk(draft, root, '');
  return draft.done();
}

interface Found {
  readonly paths: readonly (readonly [string, string])[];
  readonly hashes: readonly string[];
  readonly others: readonly string[];
}

function textEntries(table: TableNode): readonly (readonly [string, string])[] {
  return [...table.entries].flatMap(([key, { value }]) => (value.kind === 'text' ? [[key, value.value] as const] : []));
}

function lookAt(table: TableNode): Found {
  const texts = textEntries(table);
  return {
    paths: texts.filter(([, value]) => value.startsWith('/')),
    hashes: texts.flatMap(([, value]) => sha256Of(value) ?? []),
    others: texts.flatMap(([, value]) => otherHash(value) ?? []),
  };
}

function walk(draft: Draft, table: TableNode, name: string): void {
  const { paths, hashes, others } = lookAt(table);
  const at = table.at;
  const looks = paths.length > 0 || (name.startsWith('/') && (hashes.length > 0 || others.length > 0));
  if (looks && (hashes.length > 0 || others.length > 0)) readIdentity(draft, table, name, { paths, hashes, others });
  else if (paths.length > 0) draft.skipped({ at, source: nameOf(table) ?? name, text: 'There is a path and no hash.' });
  else if (hashes.length > 0 && !hasPathKeys(table)) draft.skipped({ at, source: name, text: 'There is a hash and no absolute path.' });
  for (const [key, entry] of table.entries) readEntry(draft, key, entry);
}

/** Keys that are paths themselves, with the hash as their value. */
function hasPathKeys(table: TableNode): boolean {
  return textEntries(table).some(([key, value]) => key.startsWith('/') && sha256Of(value) !== null);
}

function readEntry(draft: Draft, key: string, { at, value }: Entry): void {
  if (value.kind === 'table') walk(draft, value, key);
  else if (value.kind === 'list') readList(draft, key, value.items);
  else if (key.startsWith('/') && value.kind === 'text') {
    const hash = sha256Of(value.value);
    if (hash === null) draft.skipped({ at, source: key, text: otherHash(value.value) ?? 'There is a path and no hash.' });
    else tell(draft, at, key, { name: baseName(key), path: key, sha256: hash });
  }
}

function readList(draft: Draft, key: string, items: readonly Node[]): void {
  for (const item of items) {
    if (item.kind === 'table') walk(draft, item, key);
    else if (item.kind === 'list') readList(draft, key, item.items);
  }
  const texts = items.flatMap((item) => (item.kind === 'text' ? [item.value] : []));
  const [path, ...more] = texts.filter((one) => one.startsWith('/'));
  const [hash] = texts.flatMap((one) => sha256Of(one) ?? []);
  if (path !== undefined && more.length === 0 && hash !== undefined) {
    tell(draft, items[0]?.at ?? 0, key, { name: baseName(path), path, sha256: hash });
  }
}

function readIdentity(draft: Draft, table: TableNode, name: string, { paths, hashes, others }: Found): void {
  const { at } = table;
  const source = nameOf(table) ?? name;
  const named = paths.filter(([key]) => PATH_KEYS.includes(key.toLowerCase()));
  const choices = paths.length === 1 ? paths : named;
  const path = name.startsWith('/') && paths.length === 0 ? name : choices.length === 1 ? choices[0]?.[1] : undefined;
  const [hash] = hashes;
  if (hash === undefined) draft.review({ at, source, text: others[0] ?? 'There is no hash.' });
  else if (path === undefined) draft.review({ at, source, text: 'There is more than one path, and none of them is called "path".' });
  else if (new Set(hashes).size > 1) draft.review({ at, source, text: 'There is more than one hash; it is not clear which one counts.' });
  else tell(draft, at, source, { name: nameOf(table) ?? (name.startsWith('/') ? baseName(name) : name), path, sha256: hash });
}

function nameOf(table: TableNode): string | null {
  const texts = new Map(textEntries(table).map(([key, value]) => [key.toLowerCase(), value]));
  for (const key of NAME_KEYS) {
    const value = texts.get(key);
    if (value !== undefined && value !== '' && !value.startsWith('/')) return value;
  }
  return null;
}

function tell(draft: Draft, at: number, source: string, program: { readonly name: string; readonly path: string; readonly sha256: string }): void {
  const problem = ruleProblem({ path: program.path, sha256: program.sha256 });
  if (problem !== null || program.path.length > IMPORT_LIMITS.textLength) {
    draft.skipped({ at, source, text: `Not imported: ${problem ?? 'the path is too long'}.` });
    return;
  }
  const name = label(program.name, 64) || label(baseName(program.path), 64);
  if (draft.application({ ...program, name })) draft.kept({ at, source: source === '' ? program.path : source, text: `${quoted(program.path)}, an entry for applications.toml.` });
  else draft.review({ at, source, text: `${quoted(program.path)} stands here already with another hash.` });
}
