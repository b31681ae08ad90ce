/**
 * config.yaml of rust-network-mgr with indentation that is none of YAML's: tabs, keys at the margin, lists that drift from line to
 * line, as its own handbook prints it. The few keys say what belongs where; whatever else stands in the file, nothing is read.
 */
import { Budget, Lines, TableMaker } from './node.ts';
import type { Document, Node } from './node.ts';
import { refuse } from './types.ts';

/** Keys of the file, and of one interface. */
const TOP_KEYS = ['interfaces', 'socket_path', 'nftables_rules_path', 'http_bind_addr'];
export const INTERFACE_KEYS = ['name', 'dhcp', 'address', 'nftables_zone'];

const LINE = /^(?<indent>[ \t]*)(?<dash>-(?:[ \t]+|$))?(?:(?<key>[A-Za-z_][\w-]*)[ \t]*:(?:[ \t]+(?<value>.*))?)?$/;
/** What begins anything but a plain word in YAML. */
const NOT_PLAIN = /^[&*!|>{[\]}%@`,?]/;

/** Throws BastionError InvalidArgument with the place of a line that is no `key: value` of a known kind. */
export function readLoose(text: string): Document {
  return new LooseReader(text).read();
}

class LooseReader {
  readonly #text: string;
  readonly #lines: Lines;
  readonly #budget = new Budget();
  readonly #top: TableMaker;
  readonly #items: { readonly at: number; readonly table: TableMaker }[] = [];
  #interfacesAt: number | null = null;

  constructor(text: string) {
    this.#text = text;
    this.#lines = new Lines(text);
    this.#top = new TableMaker(this.#lines);
  }

  read(): Document {
    let at = 0;
    for (const line of this.#text.split('\n')) {
      this.#line(line.replace(/^\u{feff}/u, ''), at);
      at += line.length + 1;
    }
    if (this.#interfacesAt !== null) {
      const items = this.#items.map((one): Node => ({ at: one.at, kind: 'table', entries: one.table.entries }));
      this.#top.add('interfaces', this.#interfacesAt, { at: this.#interfacesAt, kind: 'list', items });
    }
    return { root: { at: 0, kind: 'table', entries: this.#top.entries }, lines: this.#lines };
  }

  #line(whole: string, at: number): void {
    const line = withoutComment(whole);
    if (/^[ \t]*$/.test(line) || /^(?:---|\.\.\.|```.*)$/.test(line.trim())) return;
    this.#budget.take();
    const { indent = '', dash, key, value = '' } = LINE.exec(line)?.groups ?? {};
    const keyAt = at + indent.length + (dash ?? '').length;
    if (key === undefined && dash === undefined) this.#refuse(at, 'this line is no "key: value".');
    if (key === 'interfaces') {
      if (value.trim() !== '' || this.#interfacesAt !== null) this.#refuse(keyAt, 'the interfaces stand in the lines below "interfaces:", once.');
      this.#interfacesAt = keyAt;
      return;
    }
    const current = this.#items.at(-1);
    const isNew = key === undefined || key === 'name' || (INTERFACE_KEYS.includes(key) && current === undefined);
    // A lone dash, and the name below it, begin one interface.
    if (isNew && current?.table.entries.size !== 0) this.#items.push({ at: keyAt, table: new TableMaker(this.#lines) });
    if (key === undefined) return;
    const isTop = TOP_KEYS.includes(key) || (!INTERFACE_KEYS.includes(key) && indent === '' && dash === undefined);
    const table = isTop ? this.#top : this.#items.at(-1)?.table ?? this.#top;
    table.add(key, keyAt, this.#value(value.trim(), keyAt));
  }

  #value(text: string, at: number): Node {
    const quoted = /^"([^"\\]*)"$|^'([^']*)'$/.exec(text);
    if (quoted !== null) return { at, kind: 'text', value: quoted[1] ?? quoted[2] ?? '' };
    if (NOT_PLAIN.test(text) || /^["']/.test(text)) this.#refuse(at, 'this value is no plain word.');
    if (/^(?:true|false)$/i.test(text)) return { at, kind: 'flag', value: text.toLowerCase() === 'true' };
    return text === '' || text === '~' || text === 'null' ? { at, kind: 'null' } : { at, kind: 'text', value: text };
  }

  #refuse(at: number, message: string): never {
    return refuse(this.#lines.place(at), message);
  }
}

function withoutComment(line: string): string {
  const found = /^(?<said>(?:[^"'#]|"[^"]*"|'[^']*'|(?<![ \t])#)*?)(?:(?:^|[ \t])#.*)?\r?$/.exec(line);
  return (found?.groups?.['said'] ?? line).trimEnd();
}
