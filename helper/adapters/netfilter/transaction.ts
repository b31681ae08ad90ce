/** From what is there and what shall be there: the text of one restore, and the comparison afterwards. Pure. */
import { CHAIN_PREFIX, isLeftOver, leadsToOurs, tableOf, targetOf } from './saved.ts';
import type { SavedTable, SavedTables } from './saved.ts';
import type { Chain, TableRules } from './rules.ts';

export const TABLES = ['mangle', 'filter'] as const;
export type TableName = (typeof TABLES)[number];

/**
 * Targets after which a packet goes on to the next rule: such rules of others may stand before our jump and change nothing.
 * Source: iptables-extensions(8).
 */
const GOES_ON: ReadonlySet<string> = new Set([
  '', 'AUDIT', 'CHECKSUM', 'CLASSIFY', 'CONNMARK', 'CONNSECMARK', 'DSCP', 'ECN', 'HL', 'IDLETIMER', 'LED', 'LOG', 'MARK',
  'NFLOG', 'RATEEST', 'SECMARK', 'SET', 'TCPMSS', 'TCPOPTSTRIP', 'TEE', 'TOS', 'TTL', 'TRACE',
]);

function tableLines(saved: SavedTable, table: string, chains: readonly Chain[]): string[] {
  const names = new Set(chains.map((chain) => chain.name));
  const ours = saved.chains.filter((name) => name.startsWith(CHAIN_PREFIX));
  const superfluous = ours.filter((name) => !names.has(name));
  return [
    ...chains.map((chain) => `:${chain.name} - [0:0]`),
    ...saved.rules
      .filter((rule) => leadsToOurs(rule) || isLeftOver(table, rule))
      .map((rule) => `-D ${rule.chain} ${rule.text}`),
    ...superfluous.map((name) => `-F ${name}`),
    ...superfluous.map((name) => `-X ${name}`),
    ...chains.flatMap((chain) => chain.rules.map((rule) => `-A ${chain.name} ${rule}`)),
    ...chains.filter(({ base }) => base !== '').map((chain) => `-I ${chain.base} 1 ${chain.jump}`),
  ];
}

/**
 * The text for one `iptables-restore --noflush` that leaves exactly `wanted` of ours: jumps are deleted and inserted, and
 * chains emptied and filled, inside one COMMIT of their table. '' when nothing is to be done. `tables`: the others are left alone.
 */
export function transaction(saved: SavedTables, wanted: readonly TableRules[], tables: readonly TableName[] = TABLES): string {
  let text = '';
  for (const table of tables) {
    const chains = wanted.find((rules) => rules.table === table)?.chains ?? [];
    const lines = tableLines(tableOf(saved, table), table, chains);
    if (lines.length > 0) text += `*${table}\n${lines.join('\n')}\nCOMMIT\n`;
  }
  return text;
}

/** Everything of ours in one table: chain -> rules as listed, and the jumps. */
function oursIn(saved: SavedTable): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const name of saved.chains) if (name.startsWith(CHAIN_PREFIX)) found.set(name, []);
  for (const rule of saved.rules) {
    if (rule.chain.startsWith(CHAIN_PREFIX)) found.get(rule.chain)?.push(rule.text);
  }
  return found;
}

/** What an `apply` left, to be compared with what is found later. */
export interface Applied {
  readonly wanted: readonly TableRules[];
  readonly saved: SavedTables;
}

function jumpFault(saved: SavedTable, chain: Chain): string | null {
  const jumps = saved.rules.filter((rule) => leadsToOurs(rule) && targetOf(rule) === chain.name);
  const [jump] = jumps;
  if (chain.base === '') return jump === undefined ? null : `${jump.chain} leads to ${chain.name}`;
  if (jump === undefined) return `${chain.base} does not lead to ${chain.name}`;
  if (jumps.length > 1) return `${String(jumps.length)} rules lead to ${chain.name}`;
  if (jump.chain !== chain.base) return `${jump.chain} leads to ${chain.name}, and ${chain.base} does not`;
  for (const rule of saved.rules) {
    if (rule === jump) break;
    const target = targetOf(rule);
    const harmless = GOES_ON.has(target) || target.startsWith(CHAIN_PREFIX);
    if (rule.chain === chain.base && !harmless) return `another rule of ${chain.base} comes before ${chain.name}`;
  }
  return null;
}

function chainFault(now: SavedTable, before: SavedTable | null, chain: Chain): string | null {
  const rules = oursIn(now).get(chain.name);
  if (rules === undefined) return `chain ${chain.name} is missing`;
  if (rules.length !== chain.rules.length) {
    return `chain ${chain.name} has ${String(rules.length)} rules instead of ${String(chain.rules.length)}`;
  }
  const applied = before === null ? rules : (oursIn(before).get(chain.name) ?? []);
  const at = rules.findIndex((rule, index) => rule !== applied[index]);
  return at < 0 ? null : `rule ${String(at + 1)} of chain ${chain.name} was changed`;
}

/** The tables that `faults` found something in. */
export function faultyTables(found: readonly string[]): readonly TableName[] {
  return TABLES.filter((table) => found.some((fault) => fault.startsWith(`${table}: `)));
}

/**
 * What differs from exactly one set of `wanted`, in words; empty when nothing does. `before` is the listing right after the
 * rules were applied (the tools print a rule otherwise than it was given); null compares the number of rules only.
 */
export function faults(wanted: readonly TableRules[], now: SavedTables, before: SavedTables | null): string[] {
  const found: string[] = [];
  for (const table of TABLES) {
    const saved = tableOf(now, table);
    const chains = wanted.find((rules) => rules.table === table)?.chains ?? [];
    const names = new Set(chains.map((chain) => chain.name));
    for (const name of oursIn(saved).keys()) if (!names.has(name)) found.push(`${table}: chain ${name} is superfluous`);
    for (const chain of chains) {
      const fault =
        chainFault(saved, before === null ? null : tableOf(before, table), chain) ?? jumpFault(saved, chain);
      if (fault !== null) found.push(`${table}: ${fault}`);
    }
    for (const rule of saved.rules) {
      if (isLeftOver(table, rule)) found.push(`${table}: ${rule.chain} has a rule of Bastion Firewall 2`);
      else if (leadsToOurs(rule) && !names.has(targetOf(rule))) found.push(`${table}: ${rule.chain} leads to ${targetOf(rule)}`);
    }
  }
  return found;
}
