/**
 * Rules of other programs as TOML: tables with a program (path, hash), an action and a destination, under the names that such
 * files use. A key that is not understood puts the rule to review: what it says could be what makes the rule narrow.
 */
import { Draft, baseName, quoted } from './draft.ts';
import type { DraftRule } from './draft.ts';
import { destinationOf } from './hosts.ts';
import { otherHash, sha256Of } from './identities.ts';
import type { Entry, Node, TableNode } from './node.ts';
import { readToml } from './toml.ts';
import { IMPORT_LIMITS, refuse } from './types.ts';
import type { Imported } from './types.ts';

const GROUP = 'Imported from TOML';
const MEANINGS: readonly (readonly [Meaning, readonly string[]])[] = [
  ['path', ['path', 'exe', 'executable', 'binary', 'program', 'process', 'app', 'application', 'app_path', 'process_path']],
  ['hash', ['hash', 'sha256', 'sha', 'checksum', 'digest', 'app_hash']],
  ['action', ['action', 'verdict', 'policy', 'decision', 'allow', 'deny', 'block']],
  ['where', ['address', 'addresses', 'ip', 'ips', 'host', 'hosts', 'domain', 'domains', 'network', 'networks', 'cidr', 'dest', 'dest_ip', 'dest_host', 'destination', 'destinations', 'remote', 'to']],
  ['port', ['port', 'ports', 'dest_port', 'dest_ports']],
  ['protocol', ['protocol', 'protocols', 'proto']],
  ['user', ['user', 'uid', 'user_id']],
  ['enabled', ['enabled', 'active']],
  ['disabled', ['disabled']],
  ['name', ['name', 'description', 'comment', 'title', 'note', 'notes', 'label', 'id']],
];
type Meaning = 'path' | 'hash' | 'action' | 'where' | 'port' | 'protocol' | 'user' | 'enabled' | 'disabled' | 'name';
const MEANING_OF: ReadonlyMap<string, Meaning> = new Map(MEANINGS.flatMap(([meaning, keys]) => keys.map((key) => [key, meaning] as const)));
/** Tables that are parts of the rule that they stand in. */
const PARTS = new Set(['application', 'app', 'program', 'process', 'match', 'destination', 'dest', 'remote']);
const WORDS: ReadonlyMap<string, DraftRule['action']> = new Map([
  ['allow', 'allow'], ['accept', 'allow'], ['permit', 'allow'], ['deny', 'deny'], ['block', 'deny'], ['reject', 'deny'], ['refuse', 'deny'],
  ['drop', 'drop'], ['ask', 'ask'], ['prompt', 'ask'],
]);
const MOST_PROBLEMS = 4;

/** What a table says, with what it takes over from the one that it stands in. */
interface Saying {
  readonly path?: string;
  readonly sha256?: string;
  readonly name?: string;
  readonly action?: DraftRule['action'] | undefined;
  readonly where?: readonly Pick<DraftRule, 'address' | 'domain'>[];
  readonly port?: string;
  readonly protocol?: string;
  readonly user?: string;
  readonly enabled?: boolean;
  readonly problems: readonly string[];
}

/** Reads foreign rules. Throws BastionError InvalidArgument with line and column, or LimitReached. */
export function importRulesToml(text: string): Imported {
  const { root, lines } = readToml(text);
  if (root.kind !== 'table' || root.entries.size === 0) return refuse({ line: 1, column: 1 }, 'there is nothing in this file.');
  const draft = new Draft(lines, GROUP);
  walk(draft, root, '', { problems: [] });
  return draft.done();
}

function walk(draft: Draft, table: TableNode, source: string, above: Saying): void {
  const said = read(table, above);
  const own = said.name ?? source;
  const inner = [...table.entries].filter(([key, { value }]) => isInner(key, value));
  if (said.action !== undefined && (inner.length === 0 || said.action !== above.action)) tell(draft, table.at, own, said);
  else if (inner.length === 0 && source !== '') draft.skipped({ at: table.at, source: own, text: 'There is no action (allow or deny) in this table.' });
  // An action is said for each table anew.
  const program: Saying = { ...said, action: undefined };
  for (const [key, { value }] of inner) {
    for (const one of value.kind === 'list' ? value.items : [value]) {
      if (one.kind === 'table') walk(draft, one, source === '' ? key : `${source}.${key}`, program);
    }
  }
}

/** A table, or list of tables, that is a rule or a program of its own. */
function isInner(key: string, value: Node): boolean {
  if (value.kind === 'table') return !PARTS.has(key.toLowerCase()) || [...value.entries.values()].some((one) => one.value.kind === 'table');
  return value.kind === 'list' && value.items.length > 0 && value.items.every((one) => one.kind === 'table');
}

function read(table: TableNode, above: Saying): Saying {
  let said: Saying = above;
  for (const [key, entry] of table.entries) {
    if (isInner(key, entry.value)) continue;
    if (entry.value.kind === 'table') said = read(entry.value, said);
    else said = readKey(said, key, entry);
    if (said.problems.length > MOST_PROBLEMS) break;
  }
  return said;
}

function troubled(said: Saying, problem: string): Saying {
  return { ...said, problems: [...said.problems, problem] };
}

function readKey(said: Saying, key: string, { value }: Entry): Saying {
  const word = key.toLowerCase();
  const text = value.kind === 'text' ? value.value : value.kind === 'number' ? String(value.value) : null;
  const notUnderstood = troubled(said, `${quoted(key)} is not understood.`);
  switch (MEANING_OF.get(word)) {
    case 'path': return text?.startsWith('/') === true ? { ...said, path: text } : readProgramName(said, text);
    case 'hash': {
      const hash = text === null ? null : sha256Of(text);
      return hash === null ? troubled(said, (text === null ? null : otherHash(text)) ?? `${quoted(key)} is no SHA-256.`) : { ...said, sha256: hash };
    }
    case 'action': return readAction(said, word, value);
    case 'where': return readWhere(said, value);
    case 'port': return readTerms(said, value, 'port');
    case 'protocol': return readTerms(said, value, 'protocol');
    case 'user': return text === null ? notUnderstood : { ...said, user: text };
    case 'enabled': return value.kind === 'flag' ? { ...said, enabled: value.value } : notUnderstood;
    case 'disabled': return value.kind === 'flag' ? { ...said, enabled: !value.value } : notUnderstood;
    case 'name': return text === null ? said : { ...said, name: said.name ?? text };
    case undefined: return notUnderstood;
  }
}

function readProgramName(said: Saying, text: string | null): Saying {
  if (text === 'any' || text === '*') return said;
  return troubled(said, text === null ? 'The program is no text.' : `${quoted(text)} is no absolute path.`);
}

function readAction(said: Saying, word: string, value: Node): Saying {
  const named = word === 'deny' || word === 'block' ? 'deny' : 'allow';
  if (value.kind === 'flag' && WORDS.has(word)) {
    return { ...said, action: value.value ? named : named === 'allow' ? 'deny' : 'allow' };
  }
  const action = value.kind === 'text' ? WORDS.get(value.value.toLowerCase()) : undefined;
  return action === undefined ? troubled(said, 'The action is not understood.') : { ...said, action };
}

function listOf(value: Node): readonly string[] | null {
  const nodes = value.kind === 'list' ? value.items : [value];
  const texts = nodes.map((one) => (one.kind === 'text' ? one.value : one.kind === 'number' ? String(one.value) : null));
  return texts.includes(null) ? null : texts.filter((one) => one !== null);
}

function isAny(texts: readonly string[]): boolean {
  return texts.length === 1 && ['*', 'any', ''].includes(texts[0] ?? '');
}

function readWhere(said: Saying, value: Node): Saying {
  const texts = listOf(value);
  if (texts === null || texts.length === 0) return troubled(said, 'The destination is not understood.');
  if (isAny(texts)) return said;
  const found = texts.map(destinationOf).filter((one) => one !== null);
  const before = said.where === undefined ? said : troubled(said, 'The destination stands there twice.');
  const clear = found.length === texts.length ? before : troubled(before, 'A destination is neither an address nor a name.');
  return { ...clear, where: found };
}

function readTerms(said: Saying, value: Node, part: 'port' | 'protocol'): Saying {
  const texts = listOf(value);
  if (texts === null || texts.length === 0) return troubled(said, `The ${part} is not understood.`);
  if (isAny(texts) || (part === 'port' && texts.length === 1 && texts[0] === '0')) return said;
  return { ...said, [part]: texts.join(',').toLowerCase() };
}

function tell(draft: Draft, at: number, source: string, said: Saying): void {
  const { problems, where = [], action, ...rest } = said;
  if (action === undefined) return;
  if (where.length > IMPORT_LIMITS.rulesOfOne) {
    draft.review({ at, source, text: `It names more than ${String(IMPORT_LIMITS.rulesOfOne)} destinations; make a [[list]] of them.` });
    return;
  }
  const all = [...problems];
  if (said.path === undefined && said.sha256 === undefined && where.length === 0) all.push('It names neither a program nor a destination.');
  for (const destination of where.length === 0 ? [{}] : where) {
    const target = destination.domain ?? destination.address ?? '';
    const named = said.name ?? (said.path === undefined ? '' : baseName(said.path));
    const { enabled, ...content } = rest;
    // Such files are read from the top or refusals first: a refusal for every program must not lose to a rule for one.
    const isFirst = action !== 'allow' && said.path === undefined && said.sha256 === undefined;
    const rule: DraftRule = {
      action, ...content, ...destination, ...(isFirst ? { priority: 1 } : {}), ...(enabled === false ? { enabled } : {}),
      name: where.length > 1 ? `${named}: ${target}` : named,
    };
    if (all.length > 0) draft.review({ at, source, rule, text: all.join(' ') });
    else if (where.length > 1) draft.changed({ at, source, rule, text: `One of ${String(where.length)} rules: to ${target}.` });
    else draft.kept({ at, source, rule, text: enabled === false ? 'It was off and stays off.' : 'The same rule.' });
  }
}
