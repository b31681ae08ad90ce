/** Typed access to the keys of a table of a file. */
import { LIMITS } from './limits.ts';
import { didYouMean, shown } from './text.ts';
import type { Item, Position, Problem, Table } from './toml.ts';

export type TextResult<T> =
  | {
      readonly ok: true;
      /** undefined for a text that says nothing. */
      readonly value: T | undefined;
      /** What was read differently from how it was written. */
      readonly complaint?: string;
    }
  | { readonly ok: false; readonly message: string };

/** Typed access to the keys of one table; collects a problem for each that is not as it should be. */
export class FieldReader {
  readonly problems: Problem[] = [];
  /** What people should know although the table is right. */
  readonly notes: Problem[] = [];
  private readonly table: Table;
  readonly at: Position;
  private readonly complained = new Set<string>();

  constructor(table: Table, at: Position) {
    this.table = table;
    this.at = at;
  }

  /** Complains about every key that is not in `known`; `prefix` is shown before its name. */
  keys(known: readonly string[], later: readonly string[], prefix: string): void {
    for (const [name, item] of this.table) {
      if (known.includes(name)) continue;
      this.complain(item.at, later.includes(name)
        ? `This version does not evaluate "${prefix}${name}" yet, so the rule is not used. Remove the key or the rule.`
        : `There is no key ${shown(prefix + name)} here.${didYouMean(name, [...known, ...later])}`);
    }
  }

  has(name: string): boolean {
    return this.table.has(name);
  }

  get isWrong(): boolean {
    return this.problems.length > 0;
  }

  item(name: string): Item | null {
    return this.table.get(name) ?? null;
  }

  /** A text of 1 to `limit` characters, null when absent; `mayBeEmpty` lets '' through. */
  text(name: string, limit: number, mayBeEmpty = false): string | null {
    const item = this.item(name);
    if (item === null) return null;
    if (item.value.kind !== 'string') return this.wrongKind(name, 'a text in quotes');
    const { value } = item.value;
    if (value === '' && !mayBeEmpty) return this.complainAbout(name, `"${name}" is empty. Give it a value or remove it.`);
    if (value.length > limit) return this.complainAbout(name, `"${name}" has at most ${String(limit)} characters.`);
    return value;
  }

  textOrNumber(name: string): string | null {
    const item = this.item(name);
    return item?.value.kind === 'integer' && item.value.value >= 0n ? item.value.value.toString().slice(0, 32) : this.text(name, LIMITS.termLength);
  }

  flag(name: string): boolean | null {
    const item = this.item(name);
    if (item === null) return null;
    return item.value.kind === 'boolean' ? item.value.value : this.wrongKind(name, 'true or false, without quotes');
  }

  number(name: string, low: number, high: number): number | null {
    const item = this.item(name);
    if (item === null) return null;
    const number = item.value.kind === 'integer' ? Number(item.value.value) : Number.NaN;
    if (number >= low && number <= high) return number;
    return this.wrongKind(name, `a whole number from ${String(low)} to ${String(high)}`);
  }

  /** A date and time with its zone, as ms since 1970. */
  time(name: string): number | null {
    const item = this.item(name);
    if (item === null) return null;
    if (item.value.kind === 'datetime' && item.value.offset && item.value.value >= 0) return item.value.value;
    return this.wrongKind(name, 'a date and time with its zone, without quotes, such as 2027-01-01T00:00:00Z');
  }

  /** A list of some of `known`, without repetition. */
  words(name: string, known: readonly string[]): readonly string[] | null {
    const item = this.item(name);
    if (item === null) return null;
    const items = item.value.kind === 'array' ? item.value.items : [];
    const words = items.map((one) => (one.value.kind === 'string' ? one.value.value : ''));
    const right = words.length > 0 && new Set(words).size === words.length && words.every((one) => known.includes(one));
    return right ? words : this.wrongKind(name, `a list of ${known.map((one) => `"${one}"`).join(', ')}, each at most once`);
  }

  /** A text (or whole number) that `parse` understands. */
  parsed<T>(name: string, parse: (text: string) => TextResult<T>): T | null {
    const text = this.textOrNumber(name);
    return text === null ? null : this.understood(name, parse(text));
  }

  /** A text, as long as a path may be, that `parse` understands. */
  parsedText<T>(name: string, parse: (text: string) => TextResult<T>): T | null {
    const text = this.text(name, LIMITS.pathBytes);
    return text === null ? null : this.understood(name, parse(text));
  }

  private understood<T>(name: string, result: TextResult<T>): T | null {
    if (!result.ok) return this.complainAbout(name, `"${name}": ${result.message}.`);
    if (result.value === undefined) return this.complainAbout(name, `"${name}" says nothing. Give it a value or remove it.`);
    const at = this.item(name)?.at ?? this.at;
    if (result.complaint !== undefined) this.notes.push({ ...at, message: `"${name}": ${result.complaint}.` });
    return result.value;
  }

  /** A table that must say something, as a reader of its own; null when absent. */
  sub(name: string, known: readonly string[], later: readonly string[]): FieldReader | null {
    const item = this.item(name);
    if (item === null) return null;
    if (item.value.kind !== 'table' || item.value.table.size === 0) {
      return this.wrongKind(name, `a table with ${known.map((one) => `"${one}"`).join(', ')}, such as { ${known[0] ?? ''} = "..." }`);
    }
    const inner = new FieldReader(item.value.table, item.at);
    inner.keys(known, later, `${name}.`);
    return inner;
  }

  complain(at: Position, message: string, once?: string): null {
    if (once !== undefined) {
      if (this.complained.has(once)) return null;
      this.complained.add(once);
    }
    this.problems.push({ line: at.line, column: at.column, message });
    return null;
  }

  /** About the table as a whole. */
  complainHere(message: string): null {
    return this.complain(this.at, message);
  }

  complainAbout(name: string, message: string): null {
    return this.complain(this.item(name)?.at ?? this.at, message, name);
  }

  private wrongKind(name: string, wanted: string): null {
    return this.complainAbout(name, `"${name}" must be ${wanted}.`);
  }
}
