/** Wrong spellings of a regular expression: an anchor or a quantifier less, a class that is its opposite. */

interface Piece {
  readonly kind: 'anchor' | 'class' | 'quantifier' | 'escape' | 'other';
  readonly text: string;
}

const PIECES = /\\[pP]\{[^}]*\}|\\.|\[\^?(?:\\.|[^\]\\])*\]|\{\d+(?:,\d*)?\}\??|[*+?]\??|\(\?(?:[:=!]|<[=!]|<\w+>)|./gsu;

function kindOf(text: string): Piece['kind'] {
  if (text === '^' || text === '$') return 'anchor';
  if (text.startsWith('[')) return 'class';
  if (/^\\[dDwWsS]$|^\\[pP]\{/.test(text)) return 'escape';
  return /^(?:[*+?]|\{\d)/.test(text) ? 'quantifier' : 'other';
}

function wrong({ kind, text }: Piece): string | null {
  switch (kind) {
    case 'anchor':
    case 'quantifier':
      return '';
    case 'class':
      return text.startsWith('[^') ? `[${text.slice(2)}` : `[^${text.slice(1)}`;
    case 'escape': {
      const letter = text.charAt(1);
      return `\\${letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()}${text.slice(2)}`;
    }
    case 'other':
      return null;
  }
}

function isValid(body: string, flags: string): boolean {
  try {
    new RegExp(body, flags);
    return true;
  } catch {
    return false;
  }
}

/** `literal` with its slashes and flags, as are the results. */
export function regexVariants(literal: string): readonly string[] {
  const end = literal.lastIndexOf('/');
  const flags = literal.slice(end + 1);
  const pieces = (literal.slice(1, end).match(PIECES) ?? []).map((text): Piece => ({ kind: kindOf(text), text }));
  return pieces.flatMap((piece, at) => {
    const other = wrong(piece);
    if (other === null) return [];
    const body = pieces.map(({ text }, place) => (place === at ? other : text)).join('');
    return body !== '' && isValid(body, flags) ? [`/${body}/${flags}`] : [];
  });
}
