/** Changes of single keys inside one block of text: everything that is not the key's own text stays byte for byte. */
import type { AST } from 'toml-eslint-parser';
import { keyNames, parseTree } from './toml.ts';

export type KeyPath = readonly string[];

type Container = AST.TOMLTopLevelTable | AST.TOMLTable | AST.TOMLInlineTable;

interface Leaf {
  readonly path: KeyPath;
  readonly node: AST.TOMLKeyValue;
  readonly container: Container;
}

/** The place of one block inside a text: from the start of its header's line to the end of its last key's line. */
export interface BlockRange {
  readonly start: number;
  readonly end: number;
}

/** Finds the first `[[name]]` block whose `key` is the text `value`; null when there is none. */
export function findBlock(text: string, name: string, key: string, value: string): BlockRange | null {
  const nodes = topLevel(text).body;
  for (const [index, node] of nodes.entries()) {
    if (node.type !== 'TOMLTable' || node.kind !== 'array' || keyNames(node.key).join('.') !== name) continue;
    const matches = node.body.some((entry) => keyNames(entry.key).join('.') === key
      && entry.value.type === 'TOMLValue' && entry.value.kind === 'string' && entry.value.value === value);
    if (!matches) continue;
    let last: AST.TOMLTable = node;
    for (const next of nodes.slice(index + 1)) {
      if (next.type !== 'TOMLTable' || next.kind === 'array' || keyNames(next.key)[0] !== name) break;
      last = next;
    }
    return { start: lineStart(text, node.range[0]), end: lineEnd(text, last.range[1]) };
  }
  return null;
}

/**
 * Sets one key of a block (or of the keys before the first table, with `header` 0) to `value`, TOML text, or removes it with
 * null. `header` is how many names of the header come before the key: 1 inside `[[rule]]`.
 */
export function setKey(block: string, path: KeyPath, value: string | null, header: 0 | 1): string {
  const exact = leaves(block, header).find((leaf) => samePath(leaf.path, path));
  if (value !== null && exact !== undefined) return splice(block, exact.node.value.range, value);
  const cleared = removeBelow(block, path, header);
  return value === null ? cleared : insert(cleared, path, value, header);
}

/**
 * Takes a block out. A blank line that would be left doubled goes with it; a comment above stays, and stays apart from what
 * follows.
 */
export function removeBlock(text: string, { start, end }: BlockRange): string {
  const before = text.slice(0, start);
  const after = text.slice(end);
  const blankBefore = before === '' || /\n[ \t]*\r?\n$/.test(before);
  const blankAfter = /^[ \t]*\r?\n/.exec(after)?.[0] ?? '';
  if (blankBefore && blankAfter !== '') return before + after.slice(blankAfter.length);
  if (blankBefore && after === '') return before.replace(/\n[ \t]*\r?\n$/, '\n');
  return before + after;
}

/** The line ending that `text` uses. */
export function lineEnding(text: string): '\n' | '\r\n' {
  return text.includes('\r\n') ? '\r\n' : '\n';
}

function removeBelow(block: string, path: KeyPath, header: 0 | 1): string {
  let text = block;
  for (;;) {
    const leaf = leaves(text, header).find((one) => path.every((name, index) => one.path[index] === name));
    if (leaf === undefined) return text;
    text = removeLeaf(text, leaf);
  }
}

function removeLeaf(text: string, { node, container }: Leaf): string {
  if (container.type !== 'TOMLInlineTable') {
    const isLastOfSubTable = container.type === 'TOMLTable' && container.kind === 'standard' && container.body.length === 1;
    const from = isLastOfSubTable ? container.range[0] : node.range[0];
    return splice(text, [lineStart(text, from), lineEnd(text, node.range[1])], '');
  }
  const index = container.body.indexOf(node);
  const previous = container.body[index - 1];
  const next = container.body[index + 1];
  if (previous !== undefined) return splice(text, [previous.range[1], node.range[1]], '');
  if (next !== undefined) return splice(text, [node.range[0], next.range[0]], '');
  const owner = container.parent;
  if (owner.type !== 'TOMLKeyValue') return text;
  return removeLeaf(text, { path: [], node: owner, container: owner.parent });
}

function insert(text: string, path: KeyPath, value: string, header: 0 | 1): string {
  const [name = '', inner] = path;
  if (inner !== undefined) {
    const all = leaves(text, header);
    const sibling = all.findLast((leaf) => leaf.path.length === 2 && leaf.path[0] === name);
    if (sibling !== undefined) return insertBeside(text, sibling, name, `${inner} = ${value}`);
    return insertLine(text, `${name} = { ${inner} = ${value} }`, header);
  }
  return insertLine(text, `${name} = ${value}`, header);
}

function insertBeside(text: string, { node, container }: Leaf, name: string, assignment: string): string {
  if (container.type === 'TOMLInlineTable') return splice(text, [node.range[1], node.range[1]], `, ${assignment}`);
  const dotted = keyNames(node.key).length > 1;
  return lineAfter(text, node.range, dotted ? `${name}.${assignment}` : assignment);
}

function insertLine(text: string, line: string, header: 0 | 1): string {
  const top = topLevel(text);
  if (header === 1) {
    const main = top.body.find((node) => node.type === 'TOMLTable');
    if (main === undefined) return text;
    return lineAfter(text, main.body.at(-1)?.range ?? [main.range[0], main.key.range[1]], line);
  }
  const last = top.body.findLast((node) => node.type === 'TOMLKeyValue');
  if (last !== undefined) return lineAfter(text, last.range, line);
  const first = top.body[0];
  const eol = lineEnding(text);
  if (first === undefined) return text === '' || text.endsWith('\n') ? text + line + eol : text + eol + line + eol;
  const at = lineStart(text, first.range[0]);
  return splice(text, [at, at], `${line}${eol}${eol}`);
}

function lineAfter(text: string, range: readonly [number, number], line: string): string {
  const eol = lineEnding(text);
  const indent = /^[ \t]*/.exec(text.slice(lineStart(text, range[0])))?.[0] ?? '';
  const at = lineEnd(text, range[1]);
  const isOpenEnd = at === text.length && !text.endsWith('\n');
  return splice(text, [at, at], isOpenEnd ? `${eol}${indent}${line}` : `${indent}${line}${eol}`);
}

function leaves(text: string, header: 0 | 1): Leaf[] {
  const found: Leaf[] = [];
  const visit = (node: AST.TOMLKeyValue, prefix: KeyPath, container: Container): void => {
    const path = [...prefix, ...keyNames(node.key)];
    found.push({ path, node, container });
    if (node.value.type === 'TOMLInlineTable') {
      for (const entry of node.value.body) visit(entry, path, node.value);
    }
  };
  const top = topLevel(text);
  for (const node of top.body) {
    if (node.type === 'TOMLKeyValue') {
      if (header === 0) visit(node, [], top);
    } else if (header === 1) {
      for (const entry of node.body) visit(entry, keyNames(node.key).slice(1), node);
    }
  }
  return found;
}

function topLevel(text: string): AST.TOMLTopLevelTable {
  const tree = parseTree(text);
  if (!tree.ok) throw new SyntaxError(tree.problem.message);
  return tree.value.body[0];
}

function samePath(left: KeyPath, right: KeyPath): boolean {
  return left.length === right.length && left.every((name, index) => name === right[index]);
}

function splice(text: string, [start, end]: readonly [number, number], replacement: string): string {
  return text.slice(0, start) + replacement + text.slice(end);
}

function lineStart(text: string, at: number): number {
  return text.lastIndexOf('\n', at - 1) + 1;
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end === -1 ? text.length : end + 1;
}
