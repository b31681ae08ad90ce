/** Foreign TOML 1.0 with places. */
import { getStaticTOMLValue, parseTOML } from 'toml-eslint-parser';
import type { AST } from 'toml-eslint-parser';
import { Budget, Lines, TableMaker, checkLength } from './node.ts';
import type { Document, Entry, Node, TableNode } from './node.ts';
import { IMPORT_LIMITS, refuse } from './types.ts';

/** Reads a whole text. Throws BastionError InvalidArgument with line and column, or LimitReached. */
export function readToml(text: string): Document {
  checkLength(text, IMPORT_LIMITS.text.toml);
  const lines = new Lines(text);
  return { root: new Reader(lines).document(parse(text, lines)), lines };
}

/** The syntax tree; the parser's own errors become ours. `shift` is where `text` begins in the file that `lines` is of. */
export function parse(text: string, lines: Lines, shift = 0): AST.TOMLProgram {
  try {
    return parseTOML(text, { tomlVersion: '1.0.0' });
  } catch (error: unknown) {
    if (error instanceof RangeError) return refuse({ line: 1, column: 1 }, 'tables and lists are nested too deep.');
    if (!(error instanceof SyntaxError)) throw error;
    const { index } = error as SyntaxError & { readonly index?: unknown };
    return refuse(lines.place(shift + (typeof index === 'number' ? index : 0)), `this is not valid TOML: ${error.message}.`);
  }
}

/** The parts of a dotted key. */
export function keyNames(key: AST.TOMLKey): string[] {
  return key.keys.map((part) => (part.type === 'TOMLBare' ? part.name : part.value));
}

interface OpenTable {
  readonly kind: 'table';
  readonly at: number;
  readonly entries: Map<string, Entry>;
}

/** Makes nested tables of a syntax tree. That keys do not meet is the parser's work. */
export class Reader {
  readonly #lines: Lines;
  readonly #shift: number;
  readonly #budget = new Budget();

  constructor(lines: Lines, shift = 0) {
    this.#lines = lines;
    this.#shift = shift;
  }

  document(program: AST.TOMLProgram): TableNode {
    const root: OpenTable = { kind: 'table', at: 0, entries: new Map() };
    for (const node of program.body[0].body) {
      if (node.type === 'TOMLKeyValue') {
        this.#put(root, node, 0);
        continue;
      }
      const names = keyNames(node.key);
      const last = names.pop() ?? '';
      const owner = this.#descend(root, names, this.#at(node));
      const table = node.kind === 'array' ? this.#append(owner, last, this.#at(node)) : this.#descend(owner, [last], this.#at(node));
      for (const entry of node.body) this.#put(table, entry, names.length + 1);
    }
    return root;
  }

  #put(into: OpenTable, node: AST.TOMLKeyValue, depth: number): void {
    const names = keyNames(node.key);
    const last = names.pop() ?? '';
    const at = this.#at(node);
    const table = this.#descend(into, names, at);
    if (table.entries.has(last)) refuse(this.#lines.place(at), 'this key stands twice. Remove one of them.');
    table.entries.set(last, { at, value: this.#value(node.value, depth + names.length + 1) });
  }

  #descend(from: OpenTable, names: readonly string[], at: number): OpenTable {
    if (names.length > IMPORT_LIMITS.nesting) this.#tooDeep(at);
    let table = from;
    for (const name of names) {
      this.#budget.take();
      const found = table.entries.get(name)?.value;
      const inner = found?.kind === 'list' ? found.items.at(-1) : found;
      if (inner === undefined) {
        const next: OpenTable = { kind: 'table', at, entries: new Map() };
        table.entries.set(name, { at, value: next });
        table = next;
      } else if (inner.kind === 'table' && inner.entries instanceof Map) {
        table = { kind: 'table', at: inner.at, entries: inner.entries as Map<string, Entry> };
      } else {
        refuse(this.#lines.place(at), 'this key is no table.');
      }
    }
    return table;
  }

  #append(owner: OpenTable, name: string, at: number): OpenTable {
    this.#budget.take();
    const next: OpenTable = { kind: 'table', at, entries: new Map() };
    const before = owner.entries.get(name)?.value;
    if (before === undefined) owner.entries.set(name, { at, value: { at, kind: 'list', items: [next] } });
    else if (before.kind === 'list') (before.items as Node[]).push(next);
    else refuse(this.#lines.place(at), 'this key is no list of tables.');
    return next;
  }

  #value(node: AST.TOMLContentNode, depth: number): Node {
    const at = this.#at(node);
    if (depth > IMPORT_LIMITS.nesting) this.#tooDeep(at);
    this.#budget.take();
    if (node.type === 'TOMLArray') return { at, kind: 'list', items: node.elements.map((one) => this.#value(one, depth + 1)) };
    if (node.type === 'TOMLInlineTable') {
      const table: OpenTable = { kind: 'table', at, entries: new TableMaker(this.#lines).entries };
      for (const entry of node.body) this.#put(table, entry, depth + 1);
      return table;
    }
    const value: unknown = getStaticTOMLValue(node);
    if (typeof value === 'string') return { at, kind: 'text', value };
    if (typeof value === 'boolean') return { at, kind: 'flag', value };
    if (typeof value === 'number' || typeof value === 'bigint') return { at, kind: 'number', value: Number(value) };
    return node.kind === 'offset-date-time' || node.kind === 'local-date-time' || node.kind === 'local-date'
      ? { at, kind: 'time', value: node.value.getTime(), zoned: node.kind === 'offset-date-time' }
      : { at, kind: 'null' };
  }

  #at(node: AST.TOMLNode): number {
    return node.range[0] + this.#shift;
  }

  #tooDeep(at: number): never {
    return refuse(this.#lines.place(at), `tables and lists go at most ${String(IMPORT_LIMITS.nesting)} levels deep.`);
  }
}
