/**
 * TOML 1.0 as tables that know where each key stands. Dotted keys, inline tables and sub-tables all become the same nested
 * tables, in Maps, so that no key of a file can meet a property of an object.
 */
import { parseTOML } from 'toml-eslint-parser';
import type { AST } from 'toml-eslint-parser';

/** Line and column, both from 1; columns in UTF-16 code units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface Problem extends Position {
  readonly message: string;
}

export type TomlValue =
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'boolean'; readonly value: boolean }
  /** `value` is ms since 1970; `offset` is false for a date or time that leaves the zone open. */
  | { readonly kind: 'datetime'; readonly value: number; readonly offset: boolean }
  | { readonly kind: 'array'; readonly items: readonly Item[] }
  | { readonly kind: 'table'; readonly table: Table };

export interface Item {
  readonly at: Position;
  readonly value: TomlValue;
}
export type Table = Map<string, Item>;

/** A `[name]` (`array` false) or `[[name]]` with everything up to the next one; its sub-tables are inside `table`. */
export interface Section {
  readonly name: string;
  readonly array: boolean;
  readonly at: Position;
  readonly table: Table;
}

export interface TomlDocument {
  /** Keys before the first table. */
  readonly top: Table;
  readonly sections: readonly Section[];
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: Problem };

const NESTING_LIMIT = 16;

/** The syntax tree, with the parser's exceptions as values. Positions are relative to `text`. */
export function parseTree(text: string): Parsed<AST.TOMLProgram> {
  try {
    return { ok: true, value: parseTOML(text, { tomlVersion: '1.0.0' }) };
  } catch (error: unknown) {
    return { ok: false, problem: syntaxProblem(error, text) };
  }
}

/** Parses `text`; every position is moved down by `linesBefore`. */
export function parseToml(text: string, linesBefore: number): Parsed<TomlDocument> {
  const tree = parseTree(text);
  if (!tree.ok) return { ok: false, problem: { ...tree.problem, line: tree.problem.line + linesBefore } };
  try {
    return { ok: true, value: new Reader(linesBefore).document(tree.value) };
  } catch (error: unknown) {
    if (error instanceof StructureError) return { ok: false, problem: error.problem };
    throw error;
  }
}

class StructureError extends Error {
  readonly problem: Problem;
  constructor(at: Position, message: string) {
    super(message);
    this.problem = { ...at, message };
  }
}

class Reader {
  private readonly linesBefore: number;

  constructor(linesBefore: number) {
    this.linesBefore = linesBefore;
  }

  document(program: AST.TOMLProgram): TomlDocument {
    const top: Table = new Map();
    const sections: Section[] = [];
    for (const node of program.body[0].body) {
      if (node.type === 'TOMLKeyValue') this.put(top, node, 0);
      else this.section(sections, node);
    }
    return { top, sections };
  }

  private section(sections: Section[], node: AST.TOMLTable): void {
    const [first, ...rest] = keyNames(node.key);
    const at = this.position(node);
    if (first === undefined) return;
    if (rest.length === 0) {
      const section = { name: first, array: node.kind === 'array', at, table: new Map<string, Item>() };
      for (const entry of node.body) this.put(section.table, entry, 0);
      sections.push(section);
      return;
    }
    const owner = sections.at(-1);
    if (owner?.name !== first) {
      throw new StructureError(at, `[${[first, ...rest].join('.')}] must stand right after the [[${first}]] that it belongs to.`);
    }
    if (node.kind === 'array') throw new StructureError(at, 'A list of tables is not used here.');
    const table = this.descend(owner.table, rest, at);
    for (const entry of node.body) this.put(table, entry, rest.length);
  }

  private put(into: Table, node: AST.TOMLKeyValue, depth: number): void {
    const names = keyNames(node.key);
    const last = names.pop();
    if (last === undefined) return;
    const at = this.position(node);
    const table = this.descend(into, names, at);
    table.set(last, { at, value: this.value(node.value, depth + names.length) });
  }

  private descend(from: Table, names: readonly string[], at: Position): Table {
    if (names.length > NESTING_LIMIT) throw tooDeep(at);
    let table = from;
    for (const name of names) {
      const found = table.get(name)?.value;
      if (found?.kind === 'table') {
        table = found.table;
        continue;
      }
      const next: Table = new Map();
      table.set(name, { at, value: { kind: 'table', table: next } });
      table = next;
    }
    return table;
  }

  private value(node: AST.TOMLContentNode, depth: number): TomlValue {
    if (depth > NESTING_LIMIT) throw tooDeep(this.position(node));
    if (node.type === 'TOMLArray') {
      return {
        kind: 'array',
        items: node.elements.map((one) => ({ at: this.position(one), value: this.value(one, depth + 1) })),
      };
    }
    if (node.type === 'TOMLInlineTable') {
      const table: Table = new Map();
      for (const entry of node.body) this.put(table, entry, depth + 1);
      return { kind: 'table', table };
    }
    return scalar(node);
  }

  private position(node: AST.HasLocs): Position {
    return { line: node.loc.start.line + this.linesBefore, column: node.loc.start.column + 1 };
  }
}

function scalar(node: AST.TOMLValue): TomlValue {
  switch (node.kind) {
    case 'string':
      return { kind: 'string', value: node.value };
    case 'integer':
      return { kind: 'integer', value: node.bigint };
    case 'float':
      return { kind: 'float', value: node.value };
    case 'boolean':
      return { kind: 'boolean', value: node.value };
    case 'offset-date-time':
    case 'local-date-time':
    case 'local-date':
    case 'local-time':
      return { kind: 'datetime', value: node.value.getTime(), offset: node.kind === 'offset-date-time' };
  }
}

/** The parts of a dotted key. */
export function keyNames(key: AST.TOMLKey): string[] {
  return key.keys.map((part) => (part.type === 'TOMLBare' ? part.name : part.value));
}

function tooDeep(at: Position): StructureError {
  return new StructureError(at, `Tables and lists go at most ${String(NESTING_LIMIT)} levels deep.`);
}

/** What the parser says where a line was not finished; it points to the next thing that it met. */
const UNFINISHED_LINE = /^(?:Expected equal|The key, equals sign|Unterminated table-key)/;

function syntaxProblem(error: unknown, text: string): Problem {
  if (error instanceof RangeError) return { line: 1, column: 1, message: 'Tables and lists are nested too deep.' };
  if (!(error instanceof SyntaxError)) throw error;
  const place = error as SyntaxError & { readonly index?: unknown; readonly lineNumber?: unknown; readonly column?: unknown };
  const line = typeof place.lineNumber === 'number' ? place.lineNumber : 1;
  const column = typeof place.column === 'number' ? place.column + 1 : 1;
  const message = `This is not valid TOML: ${lowerFirst(error.message)}.`;
  const before = text.slice(0, typeof place.index === 'number' ? place.index : 0).trimEnd();
  if (column > 1 || before === '' || !(UNFINISHED_LINE.test(error.message) || before.endsWith('='))) return { line, column, message };
  const lines = before.split('\n');
  return { line: lines.length, column: (lines.at(-1) ?? '').length + 1, message };
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
