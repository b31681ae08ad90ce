/** Foreign YAML 1.2 with places. No aliases: ten lines of them can stand for more than the machine holds. */
import { LineCounter, isAlias, isMap, isScalar, isSeq, parseAllDocuments } from 'yaml';
import { Budget, Lines, TableMaker, checkLength } from './node.ts';
import type { Document, Node } from './node.ts';
import { IMPORT_LIMITS, refuse } from './types.ts';

/** Reads a text of one document. Throws BastionError InvalidArgument with line and column, or LimitReached. */
export function readYaml(text: string): Document {
  checkLength(text, IMPORT_LIMITS.text.yaml);
  const lines = new Lines(text);
  const documents = parseWhole(text);
  const [first, second] = documents;
  if (second !== undefined) refuse(lines.place(offsetOf(second)), 'there is a second document here. Import them one after the other.');
  if (first === undefined) return { root: { at: 0, kind: 'null' }, lines };
  const [problem] = first.errors;
  if (problem !== undefined) {
    refuse(lines.place(problem.pos[0]), `this is not valid YAML: ${(problem.message.split('\n')[0] ?? '').slice(0, IMPORT_LIMITS.sourceLength)}.`);
  }
  return { root: new Reader(lines).node(first.contents, 0), lines };
}

function parseWhole(text: string): ReturnType<typeof parseAllDocuments> {
  try {
    // Its own look for keys that stand twice takes time with the square of their number; TableMaker does it.
    const options = { uniqueKeys: false, prettyErrors: false, lineCounter: new LineCounter(), logLevel: 'silent', version: '1.2', merge: false } as const;
    return parseAllDocuments(text, options);
  } catch (error: unknown) {
    if (error instanceof RangeError) return refuse({ line: 1, column: 1 }, 'tables and lists are nested too deep.');
    throw error;
  }
}

class Reader {
  readonly #lines: Lines;
  readonly #budget = new Budget();

  constructor(lines: Lines) {
    this.#lines = lines;
  }

  node(value: unknown, depth: number): Node {
    this.#budget.take();
    const at = offsetOf(value);
    if (depth > IMPORT_LIMITS.nesting) this.#refuse(at, `tables and lists go at most ${String(IMPORT_LIMITS.nesting)} levels deep.`);
    if (isAlias(value)) this.#refuse(at, 'aliases (*name) are not read. Write the value out.');
    if (isSeq(value)) return { at, kind: 'list', items: value.items.map((one) => this.node(one, depth + 1)) };
    if (isMap(value)) {
      const table = new TableMaker(this.#lines);
      for (const { key, value: inner } of value.items) {
        const name = isScalar(key) ? key.value : undefined;
        if (typeof name !== 'string' && typeof name !== 'number') this.#refuse(offsetOf(key), 'a key must be a text.');
        table.add(String(name), offsetOf(key), this.node(inner, depth + 1));
      }
      return { at, kind: 'table', entries: table.entries };
    }
    const scalar: unknown = isScalar(value) ? value.value : null;
    switch (typeof scalar) {
      case 'string': return { at, kind: 'text', value: scalar };
      case 'number':
      case 'bigint': return { at, kind: 'number', value: Number(scalar) };
      case 'boolean': return { at, kind: 'flag', value: scalar };
      default: return { at, kind: 'null' };
    }
  }

  #refuse(at: number, message: string): never {
    return refuse(this.#lines.place(at), message);
  }
}

function offsetOf(value: unknown): number {
  const range = typeof value === 'object' && value !== null && 'range' in value ? value.range : undefined;
  const [at] = Array.isArray(range) ? range as readonly unknown[] : [];
  return typeof at === 'number' ? at : 0;
}
