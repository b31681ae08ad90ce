/** Reads what `iptables-save` prints. Nothing here runs a program. */

/** Every chain of ours begins with this, in the tables mangle and filter; so did those of Bastion Firewall 2. */
export const CHAIN_PREFIX = 'BASTION_';

/** One `-A` line. */
export interface SavedRule {
  readonly chain: string;
  /** The line after `-A CHAIN `, as printed: fit for `-D CHAIN ` again. */
  readonly text: string;
  readonly tokens: readonly string[];
}

export interface SavedTable {
  /** Chain names in the order of the listing. */
  readonly chains: readonly string[];
  readonly rules: readonly SavedRule[];
}

/** Table name -> content. */
export type SavedTables = ReadonlyMap<string, SavedTable>;

const EMPTY_TABLE: SavedTable = { chains: [], rules: [] };

/**
 * Splits a rule as iptables-restore does: blanks separate, double quotes hold together, a backslash inside quotes takes the
 * next character as it is. Source: iptables/xshared.c add_param_to_argv (1.8).
 */
export function tokenize(text: string): string[] {
  const tokens: string[] = [];
  for (const match of text.matchAll(/"((?:[^"\\]|\\.)*)"?|[^\s"]+/gu)) {
    const quoted = match[1];
    tokens.push(quoted === undefined ? match[0] : quoted.replaceAll(/\\(.)/gu, '$1'));
  }
  return tokens;
}

/** Table by table; lines that are neither table, chain nor rule are ignored. */
export function parseSaved(listing: string): SavedTables {
  const tables = new Map<string, { chains: string[]; rules: SavedRule[] }>();
  let current: { chains: string[]; rules: SavedRule[] } | null = null;
  for (const line of listing.split('\n')) {
    if (line.startsWith('*')) {
      current = { chains: [], rules: [] };
      tables.set(line.slice(1).trim(), current);
    } else if (current !== null && line.startsWith(':')) {
      const name = line.slice(1).split(' ', 1)[0];
      if (name !== undefined) current.chains.push(name);
    } else if (current !== null && line.startsWith('-A ')) {
      const end = line.indexOf(' ', 3);
      const chain = end < 0 ? line.slice(3) : line.slice(3, end);
      const text = end < 0 ? '' : line.slice(end + 1).trimEnd();
      current.rules.push({ chain, text, tokens: tokenize(text) });
    }
  }
  return tables;
}

/** The table, or an empty one. */
export function tableOf(tables: SavedTables, name: string): SavedTable {
  return tables.get(name) ?? EMPTY_TABLE;
}

/** What the rule jumps or goes to; '' without a target. */
export function targetOf(rule: SavedRule): string {
  const at = rule.tokens.findIndex((token) => token === '-j' || token === '-g');
  return at < 0 ? '' : (rule.tokens[at + 1] ?? '');
}

/** A rule outside our chains that leads into one of them. */
export function leadsToOurs(rule: SavedRule): boolean {
  return !rule.chain.startsWith(CHAIN_PREFIX) && targetOf(rule).startsWith(CHAIN_PREFIX);
}

/** Comments of rules of Bastion Firewall 2, by their chain in filter. */
const OLD_COMMENTS = new Map([['OUTPUT', 'BASTION_BYPASS'], ['INPUT', 'BASTION_INBOUND']]);

/** A rule that Bastion Firewall 2 left in filter: its queue was always number 1, and its other rules have a comment. */
export function isLeftOver(table: string, rule: SavedRule): boolean {
  if (table !== 'filter') return false;
  const comment = OLD_COMMENTS.get(rule.chain);
  if (comment !== undefined && rule.tokens.some((token) => token.includes(comment))) return true;
  const number = rule.tokens.indexOf('--queue-num');
  return rule.chain === 'OUTPUT' && targetOf(rule) === 'NFQUEUE' && number >= 0 && rule.tokens[number + 1] === '1';
}
