/** applications.toml: read with positions, changed by splicing.. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AST } from 'toml-eslint-parser';
import type { TrustedApplication } from '../../ports.ts';
import { FieldReader } from '../rule-store/field-reader.ts';
import { lineEnding } from '../rule-store/splice.ts';
import { didYouMean, shown, tomlString } from '../rule-store/text.ts';
import { keyNames, parseToml, parseTree } from '../rule-store/toml.ts';
import type { Problem, Section } from '../rule-store/toml.ts';

export const TRUSTED_LIMITS = { entries: 4096, nameLength: 128, noteLength: 1024, pathBytes: 4095 } as const;

const KEYS = ['name', 'path', 'sha256', 'note'];
const SHA256 = /^[0-9a-fA-F]{64}$/;

const HEADER = [
  '# Programs that are trusted by hand: the file at this path with this hash, and no other.',
  '# An entry goes before the package system and before what was seen first.',
];

/** Blocks read before other work gets its turn: about 20 ms. */
const BLOCKS_A_TURN = 200;
const BLOCK_HEADER = /(?<=^|\n)[ \t]*\[\[[ \t]*(?:application|"application"|'application')[ \t]*\]\]/g;

interface EntryAt {
  readonly entry: TrustedApplication;
  readonly line: number;
  readonly column: number;
}

/** What one part of the file says; positions count from its first line. */
interface Part {
  readonly entries: readonly EntryAt[];
  readonly problems: readonly Problem[];
}

/** Parts by their text: what did not change is not parsed again. */
export type PartCache = Map<string, Part>;

/** A part of the file that begins with an `[[application]]`, the first one with the file. */
interface Segment extends Part {
  readonly text: string;
}

/** What the file says; `entries` are those that are right even where others are not. */
export interface TrustedFile {
  /** Put together they are the text. */
  readonly segments: readonly Segment[];
  readonly entries: readonly TrustedApplication[];
  readonly problems: readonly Problem[];
}

/** Reads the whole text, block by block. `cache` is replaced by what this text has. */
export async function readTrustedApplications(text: string, cache: PartCache = new Map()): Promise<TrustedFile> {
  const file = await readSegments(segmentsOf(text), cache);
  if (file.problems.length === 0 || !text.includes("'''") && !text.includes('"""')) return file;
  // A text of several lines may hold a line that looks like a header: only the file as a whole can tell.
  const whole = await readSegments([text], new Map());
  return whole.problems.length === 0 ? whole : file;
}

function segmentsOf(text: string): readonly string[] {
  const starts = [0, ...[...text.matchAll(BLOCK_HEADER)].map((match) => match.index).filter((at) => at > 0)];
  return starts.map((start, index) => text.slice(start, starts[index + 1] ?? text.length));
}

async function readSegments(texts: readonly string[], cache: PartCache): Promise<TrustedFile> {
  const segments: Segment[] = [];
  const found = new Found();
  let parsed = 0;
  let linesBefore = 0;
  for (const text of texts) {
    let part = cache.get(text);
    if (part === undefined) {
      part = readPart(text);
      if ((parsed += 1) % BLOCKS_A_TURN === 0) await nextTurn();
    }
    segments.push({ text, ...part });
    found.add(part, linesBefore);
    linesBefore += text.split('\n').length - 1;
  }
  cache.clear();
  for (const { text, entries, problems } of segments) cache.set(text, { entries, problems });
  return { segments, entries: [...found.entries.values()].map(({ entry }) => entry), problems: found.problems };
}

/** Entries of all parts; a path has one, and there is an end to them. */
class Found {
  readonly entries = new Map<string, EntryAt>();
  readonly problems: Problem[] = [];
  #full = false;

  add(part: Part, linesBefore: number): void {
    for (const problem of part.problems) this.problems.push({ ...problem, line: problem.line + linesBefore });
    for (const one of part.entries) this.#take({ ...one, line: one.line + linesBefore });
  }

  #take(one: EntryAt): void {
    const { entry: { path }, line, column } = one;
    const first = this.entries.get(path);
    if (first !== undefined) {
      this.problems.push({ line, column, message: `The path ${shown(path)} has an entry in line ${String(first.line)} already. Keep one of them.` });
    } else if (this.entries.size < TRUSTED_LIMITS.entries) {
      this.entries.set(path, one);
    } else if (!this.#full) {
      this.#full = true;
      const message = `There are more than ${String(TRUSTED_LIMITS.entries)} applications; this one and those below are not used.`;
      this.problems.push({ line, column, message });
    }
  }
}

function readPart(text: string): Part {
  const parsed = parseToml(text, 0);
  if (!parsed.ok) return { entries: [], problems: [parsed.problem] };
  const problems: Problem[] = [...parsed.value.top].map(([name, { at }]) => (
    { ...at, message: `The key ${shown(name)} stands outside an application. Put it below an [[application]] line.` }
  ));
  const entries: EntryAt[] = [];
  for (const section of parsed.value.sections) {
    const read = readSection(section);
    problems.push(...read.problems);
    if (read.entry !== null) entries.push({ entry: read.entry, line: section.at.line, column: section.at.column });
  }
  return { entries, problems };
}

function readSection(section: Section): { readonly entry: TrustedApplication | null; readonly problems: readonly Problem[] } {
  if (section.name !== 'application' || !section.array) {
    const message = section.name === 'application'
      ? 'Write [[application]] with two brackets: the file holds a list of applications.'
      : `There is no table ${shown(section.name)} in applications.toml.${didYouMean(section.name, ['application'])}`;
    return { entry: null, problems: [{ ...section.at, message }] };
  }
  const reader = new FieldReader(section.table, section.at);
  reader.keys(KEYS, [], '');
  const name = reader.text('name', TRUSTED_LIMITS.nameLength);
  reader.text('note', TRUSTED_LIMITS.noteLength, true);
  const path = pathOf(reader);
  const sha256 = reader.text('sha256', 128);
  if (sha256 === null) reader.complain(section.at, 'The key "sha256" is missing. Get it with: sha256sum FILE', 'sha256');
  else if (!SHA256.test(sha256)) reader.complainAbout('sha256', `"sha256" must be 64 hexadecimal digits, as sha256sum prints them, not ${shown(sha256)}.`);
  if (reader.problems.length > 0 || path === null || sha256 === null) return { entry: null, problems: reader.problems };
  return { entry: { name: name ?? path.slice(path.lastIndexOf('/') + 1), path, sha256: sha256.toLowerCase() }, problems: [] };
}

function pathOf(reader: FieldReader): string | null {
  const path = reader.text('path', TRUSTED_LIMITS.pathBytes);
  if (path === null) {
    return reader.complain(reader.at, 'The key "path" is missing: the absolute path of the program\'s file.', 'path');
  }
  const parts = path.split('/').slice(1);
  const plain = path.startsWith('/') && !path.includes('\0') && parts.every((part) => part !== '' && part !== '.' && part !== '..');
  if (plain && Buffer.byteLength(path) <= TRUSTED_LIMITS.pathBytes) return path;
  return reader.complainAbout('path', `"path" must be the absolute path of a file, without "." or "..", not ${shown(path)}.`);
}

interface Place {
  readonly path: string;
  /** Of the value of `sha256`. */
  readonly range: readonly [number, number];
}

/** Where the hash of each entry stands. */
function places(text: string): readonly Place[] {
  const tree = parseTree(text);
  if (!tree.ok) return [];
  return tree.value.body[0].body.flatMap((node) => {
    if (node.type !== 'TOMLTable' || node.kind !== 'array' || keyNames(node.key).join('.') !== 'application') return [];
    const path = valueOf(node, 'path');
    const hash = valueOf(node, 'sha256');
    return path?.type === 'TOMLValue' && path.kind === 'string' && hash !== null ? [{ path: path.value, range: hash.range }] : [];
  });
}

function valueOf(table: AST.TOMLTable, key: string): AST.TOMLContentNode | null {
  return table.body.find((entry) => keyNames(entry.key).join('.') === key)?.value ?? null;
}

/** The text with the hashes of `entries`: in place where the path is there, appended where not. */
export function withTrusted({ segments }: TrustedFile, entries: readonly TrustedApplication[]): string {
  const wanted = new Map(entries.map((entry) => [entry.path, entry]));
  const edited = segments.map((segment) => (
    segment.entries.some(({ entry }) => wanted.has(entry.path)) ? withHashes(segment.text, wanted) : segment.text
  )).join('');
  for (const { entries: there } of segments) for (const { entry } of there) wanted.delete(entry.path);
  if (wanted.size === 0) return edited;
  const eol = lineEnding(edited);
  const start = edited === '' ? HEADER.map((line) => line + eol).join('') : edited;
  const gap = start.endsWith('\n') ? '' : eol;
  return start + gap + [...wanted.values()].map((entry) => blockOf(entry, eol)).join('');
}

function withHashes(text: string, wanted: ReadonlyMap<string, TrustedApplication>): string {
  let edited = text;
  for (const { path, range } of places(text).toReversed()) {
    const entry = wanted.get(path);
    if (entry !== undefined) edited = `${edited.slice(0, range[0])}"${entry.sha256}"${edited.slice(range[1])}`;
  }
  return edited;
}

function blockOf({ name, path, sha256 }: TrustedApplication, eol: string): string {
  const lines = ['', '[[application]]', `name = ${tomlString(name)}`, `path = ${tomlString(path)}`, `sha256 = "${sha256}"`];
  return lines.map((line) => line + eol).join('');
}
