/** All wrong texts of a source woven into it at once, each behind a switch: one process can try them all. */
import ts from 'typescript';
import { variantsIn } from './mutators.ts';
import type { Variant } from './mutators.ts';

/** One change, as people are told of it. */
export interface Mutant {
  readonly id: number;
  readonly file: string;
  readonly line: number;
  readonly kind: string;
  readonly before: string;
  readonly after: string;
}

export interface Woven {
  readonly mutants: readonly Mutant[];
  readonly text: string;
}

/** A variant where a switch can stand. */
interface Placed {
  readonly id: number;
  readonly text: string;
}

/** Is the node the beginning of something that would fall apart if it stood in brackets: a method's object, a chain with `?.`? */
function isBeginning(node: ts.Node): boolean {
  const { parent } = node;
  if (!ts.isPropertyAccessExpression(parent) && !ts.isElementAccessExpression(parent) && !ts.isCallExpression(parent)) return false;
  if (parent.expression !== node) return false;
  return ts.isOptionalChain(parent) || (ts.isCallExpression(parent) && !ts.isCallExpression(node) && !ts.isParenthesizedExpression(node));
}

function placeOf(node: ts.Node): ts.Node {
  return isBeginning(node) ? placeOf(node.parent) : node;
}

function isOn({ id }: Placed): string {
  return `globalThis.mutantIsOn(${String(id)})`;
}

function switched(node: ts.Node, original: string, placed: readonly Placed[]): string {
  if (ts.isBlock(node)) return `{ if (${placed.map(isOn).join(' || ')}) {} else ${original} }`;
  if (ts.isExpressionStatement(node)) return `if (${placed.map(isOn).join(' || ')}) {} else { ${original} }`;
  return `(${placed.map((one) => `${isOn(one)} ? (${one.text}) : `).join('')}(${original}))`;
}

function rendered(node: ts.Node, places: ReadonlyMap<ts.Node, readonly Placed[]>): string {
  const { text: source } = node.getSourceFile();
  const placed = places.get(node) ?? [];
  let text = '';
  let from = node.getStart();
  ts.forEachChild(node, (child) => {
    // Of a case only what it does can be left out, not its label.
    if (ts.isCaseOrDefaultClause(node) && placed.length > 0 && child === node.statements[0]) {
      text += `${source.slice(from, node.statements.pos)} if (${placed.map(isOn).join(' || ')}) {} else {`;
      from = node.statements.pos;
    }
    text += source.slice(from, child.getStart()) + rendered(child, places);
    from = child.end;
  });
  text += source.slice(from, node.end);
  if (placed.length === 0) return text;
  return ts.isCaseOrDefaultClause(node) ? `${text} }` : switched(node, text, placed);
}

function placedText({ node, text }: Variant, place: ts.Node): string {
  const { text: source } = node.getSourceFile();
  return source.slice(place.getStart(), node.getStart()) + text + source.slice(node.end, place.end);
}

/** `firstId` is that of the first mutant; the others count on from it. */
export function weave(file: string, text: string, firstId: number): Woven {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ESNext, true);
  const places = new Map<ts.Node, Placed[]>();
  const mutants = variantsIn(source).map((variant, index): Mutant => {
    const { node, kind } = variant;
    const id = firstId + index;
    const place = placeOf(node);
    const list = places.get(place) ?? [];
    list.push({ id, text: placedText(variant, place) });
    places.set(place, list);
    const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    return { id, file, line, kind, before: node.getText(), after: variant.text };
  });
  return { mutants, text: rendered(source, places) };
}
