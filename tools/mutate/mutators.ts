/** What may be wrong in a source, one small change at a time. The kinds are those of Stryker, whose list is the usual one. */
import ts from 'typescript';
import { regexVariants } from './regex.ts';

/** One wrong text of one node. */
export interface Variant {
  readonly kind: string;
  readonly node: ts.Node;
  readonly text: string;
}

const { SyntaxKind: Kind } = ts;

const EQUALITY: Readonly<Record<string, readonly string[]>> = {
  '<': ['<=', '>='], '<=': ['<', '>'], '>': ['>=', '<='], '>=': ['>', '<'],
  '===': ['!=='], '!==': ['==='], '==': ['!='], '!=': ['=='],
};
const LOGIC: Readonly<Record<string, readonly string[]>> = { '&&': ['||'], '||': ['&&'], '??': ['&&'] };
const ARITHMETIC: Readonly<Record<string, readonly string[]>> = {
  '+': ['-'], '-': ['+'], '*': ['/'], '/': ['*'], '%': ['*'], '&': ['|'], '|': ['&'], '<<': ['>>'], '>>': ['<<'], '>>>': ['<<'],
};
const ASSIGNMENT: Readonly<Record<string, readonly string[]>> = {
  '+=': ['-='], '-=': ['+='], '*=': ['/='], '/=': ['*='], '&&=': ['||='], '||=': ['&&='], '??=': ['&&='],
};
/** What is called instead; '' for nothing, the object itself. */
const METHODS: ReadonlyMap<string, string> = new Map([
  ['endsWith', 'startsWith'], ['startsWith', 'endsWith'], ['toLowerCase', 'toUpperCase'], ['toUpperCase', 'toLowerCase'],
  ['some', 'every'], ['every', 'some'], ['min', 'max'], ['max', 'min'], ['trimStart', 'trimEnd'], ['trimEnd', 'trimStart'],
  ['trim', ''], ['sort', ''], ['toSorted', ''], ['reverse', ''], ['toReversed', ''], ['filter', ''], ['slice', ''], ['charAt', ''],
]);

function isText(node: ts.Node): boolean {
  return ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)
    || (ts.isBinaryExpression(node) && (isText(node.left) || isText(node.right)));
}

function isName(node: ts.Node): boolean {
  return 'name' in node.parent && node.parent.name === node;
}

/** The node's source with another text between two places of it. */
function replaced(node: ts.Node, start: number, end: number, text: string): string {
  const { text: source } = node.getSourceFile();
  return source.slice(node.getStart(), start) + text + source.slice(end, node.end);
}

function* ofBinary(node: ts.BinaryExpression): Generator<Variant> {
  const { operatorToken: operator } = node;
  const sign = operator.getText();
  const change = (kind: string, signs: readonly string[] = []): Variant[] =>
    signs.map((other) => ({ kind, node, text: replaced(node, operator.getStart(), operator.end, other) }));
  yield* change('equality', EQUALITY[sign]);
  // In brackets, for `??` does not stand beside the others without.
  for (const other of LOGIC[sign] ?? []) yield { kind: 'logic', node, text: `(${node.left.getText()}) ${other} (${node.right.getText()})` };
  if (!isText(node)) yield* change('arithmetic', ARITHMETIC[sign]);
  yield* change('assignment', ASSIGNMENT[sign]);
  if (sign in EQUALITY || sign === '&&' || sign === '||') yield* ofCondition(node, ['true', 'false']);
}

function ofCondition(node: ts.Expression, texts: readonly string[]): Variant[] {
  return texts.map((text) => ({ kind: 'condition', node, text }));
}

function* ofCall(node: ts.CallExpression): Generator<Variant> {
  if (node.questionDotToken !== undefined) {
    yield { kind: 'optional chain', node, text: replaced(node, node.questionDotToken.getStart(), node.questionDotToken.end, '') };
  }
  if (!ts.isPropertyAccessExpression(node.expression)) return;
  const { name, expression } = node.expression;
  const other = METHODS.get(name.text);
  if (other === '') yield { kind: 'method', node, text: expression.getText() };
  else if (other !== undefined) yield { kind: 'method', node, text: replaced(node, name.getStart(), name.end, other) };
}

function* ofLiteral(node: ts.Node): Generator<Variant> {
  if (node.kind === Kind.TrueKeyword) yield { kind: 'boolean', node, text: 'false' };
  if (node.kind === Kind.FalseKeyword) yield { kind: 'boolean', node, text: 'true' };
  if ((ts.isStringLiteralLike(node) && !isName(node)) || ts.isTemplateExpression(node)) {
    yield { kind: 'string', node, text: ts.isStringLiteralLike(node) && node.text === '' ? "'mutant'" : "''" };
  }
  if (ts.isRegularExpressionLiteral(node)) yield* regexVariants(node.text).map((text) => ({ kind: 'regular expression', node, text }));
  if (ts.isObjectLiteralExpression(node) && node.properties.length > 0) yield { kind: 'object', node, text: '{}' };
  if (ts.isArrayLiteralExpression(node) && !isTarget(node)) {
    yield { kind: 'array', node, text: node.elements.length === 0 ? "['mutant']" : '[]' };
  }
}

/** `[a, b]` of `[a, b] = [b, a]`. */
function isTarget({ parent }: ts.ArrayLiteralExpression): boolean {
  return ts.isBinaryExpression(parent) && parent.operatorToken.kind === Kind.EqualsToken && ts.isArrayLiteralExpression(parent.left);
}

function* ofUnary(node: ts.Node): Generator<Variant> {
  if (ts.isPrefixUnaryExpression(node)) {
    const operand = node.operand.getText();
    const changed = new Map<ts.SyntaxKind, string>([
      [Kind.ExclamationToken, operand], [Kind.MinusToken, `+${operand}`], [Kind.PlusToken, `-${operand}`], [Kind.TildeToken, operand],
      [Kind.PlusPlusToken, `--${operand}`], [Kind.MinusMinusToken, `++${operand}`],
    ]).get(node.operator);
    // A bigint takes no `+`.
    if (changed !== undefined && !ts.isBigIntLiteral(node.operand)) yield { kind: 'unary', node, text: changed };
  }
  if (ts.isPostfixUnaryExpression(node)) {
    yield { kind: 'unary', node, text: node.operand.getText() + (node.operator === Kind.PlusPlusToken ? '--' : '++') };
  }
}

function* ofStatement(node: ts.Node): Generator<Variant> {
  if (ts.isIfStatement(node)) yield* ofCondition(node.expression, ['true', 'false']);
  if (ts.isWhileStatement(node) || ts.isDoStatement(node)) yield* ofCondition(node.expression, ['false']);
  if (ts.isForStatement(node) && node.condition !== undefined) yield* ofCondition(node.condition, ['false']);
  if (ts.isBlock(node) && node.statements.length > 0) yield { kind: 'block', node, text: '{}' };
  if (ts.isCaseOrDefaultClause(node) && node.statements.length > 0) {
    yield { kind: 'case', node, text: replaced(node, node.statements.pos, node.end, '') };
  }
  // The only statement of a block is the block's.
  if (ts.isExpressionStatement(node) && !(ts.isBlock(node.parent) && node.parent.statements.length === 1)) {
    yield { kind: 'statement', node, text: '{}' };
  }
}

function* ofExpression(node: ts.Node): Generator<Variant> {
  if (ts.isBinaryExpression(node)) yield* ofBinary(node);
  if (ts.isCallExpression(node)) yield* ofCall(node);
  if (ts.isConditionalExpression(node)) yield* ofCondition(node.condition, ['true', 'false']);
  if (ts.isArrowFunction(node) && !ts.isBlock(node.body)) yield { kind: 'function', node, text: '() => undefined' };
  const access = ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node) ? node.questionDotToken : undefined;
  if (access !== undefined) {
    yield { kind: 'optional chain', node, text: replaced(node, access.getStart(), access.end, ts.isPropertyAccessExpression(node) ? '.' : '') };
  }
}

/** Every wrong text in the source, in the order of their places; none twice. Types and imports have none. */
export function variantsIn(source: ts.SourceFile): readonly Variant[] {
  const found: Variant[] = [];
  const seen = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
      || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return;
    for (const variant of [...ofStatement(node), ...ofExpression(node), ...ofUnary(node), ...ofLiteral(node)]) {
      const key = `${String(variant.node.getStart())} ${String(variant.node.end)} ${variant.text}`;
      if (!seen.has(key)) found.push(variant);
      seen.add(key);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found.sort((a, b) => a.node.getStart() - b.node.getStart());
}
