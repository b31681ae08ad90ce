/** What there is to run in a source file: statements, and the ways that each condition can go. Types alone are nothing to run. */
import ts from 'typescript';

/** A way that a condition can go. */
export interface Branch {
  /** Where the condition is, for people. */
  readonly line: number;
  readonly what: string;
  /** What runs when it goes this way. */
  readonly at: number;
  /** For what is not written, as an `else` that is missing: it ran where `at` ran oftener than this. */
  readonly butNot: number | null;
}

export interface Points {
  /** Where statements begin, by line (the first is 1). */
  readonly lines: ReadonlyMap<number, readonly number[]>;
  readonly branches: readonly Branch[];
}

const LOGICAL: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.AmpersandAmpersandToken, ts.SyntaxKind.BarBarToken, ts.SyntaxKind.QuestionQuestionToken,
  ts.SyntaxKind.AmpersandAmpersandEqualsToken, ts.SyntaxKind.BarBarEqualsToken, ts.SyntaxKind.QuestionQuestionEqualsToken,
]);

function isDeclared(node: ts.Node): boolean {
  return ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.DeclareKeyword);
}

function isOnlyType(node: ts.Node): boolean {
  return ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) || ts.isTypeNode(node) || isDeclared(node);
}

/** Blocks and declarations of functions and classes only hold what runs. */
function runs(node: ts.Node): boolean {
  if (ts.isBlock(node) || ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node) || ts.isEmptyStatement(node)) return false;
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return false;
  if (ts.isPropertyDeclaration(node)) return node.initializer !== undefined;
  return ts.isStatement(node) || (ts.isArrowFunction(node.parent) && node.parent.body === node);
}

/** The points of a source text; `file` is only its name. */
export function pointsOf(file: string, text: string): Points {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ESNext, true);
  const lines = new Map<number, number[]>();
  const branches: Branch[] = [];
  const start = (node: ts.Node): number => node.getStart(source);
  const lineOf = (node: ts.Node): number => source.getLineAndCharacterOfPosition(start(node)).line + 1;
  const branch = (condition: ts.Node, what: string, way: ts.Node): void => {
    branches.push({ line: lineOf(condition), what, at: start(way), butNot: null });
  };
  const visit = (node: ts.Node): void => {
    if (isOnlyType(node)) return;
    if (runs(node)) lines.set(lineOf(node), [...(lines.get(lineOf(node)) ?? []), start(node)]);
    if (ts.isIfStatement(node)) {
      branch(node, 'if', node.thenStatement);
      if (node.elseStatement !== undefined) branch(node, 'else', node.elseStatement);
      else branches.push({ line: lineOf(node), what: 'if not', at: start(node), butNot: start(node.thenStatement) });
    } else if (ts.isConditionalExpression(node)) {
      branch(node.whenTrue, '?', node.whenTrue);
      branch(node.whenFalse, ':', node.whenFalse);
    } else if (ts.isBinaryExpression(node) && LOGICAL.has(node.operatorToken.kind)) {
      branch(node.right, node.operatorToken.getText(source), node.right);
    } else if (ts.isCaseOrDefaultClause(node)) {
      branch(node, 'case', node);
    }
    node.forEachChild(visit);
  };
  source.forEachChild(visit);
  return { lines, branches };
}
