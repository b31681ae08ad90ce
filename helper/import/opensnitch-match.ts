/** What an OpenSnitch rule matches, in our words; each part that cannot be said exactly is a problem. */
import { label, quoted } from './draft.ts';
import type { DraftRule } from './draft.ts';
import { addressOf, domainOf } from './hosts.ts';
import { get, textAt } from './node.ts';
import type { Node, TableNode } from './node.ts';
import { domainsOf, literalsOf } from './pattern.ts';
import { IMPORT_LIMITS } from './types.ts';

/** The parts of a rule that an operator can name. */
export type Matched = Partial<Pick<DraftRule, 'path' | 'sha256' | 'user' | 'address' | 'domain' | 'port' | 'protocol' | 'interface'>>;
type Key = keyof Matched;

export interface Conditions {
  /** For each part the values of which one must be so. */
  readonly values: ReadonlyMap<Key, readonly string[]>;
  /** Whole sentences. */
  readonly problems: readonly string[];
}

const MOST_CONDITIONS = 64;
/** Its names without the 6 that stands for IPv6, and ours. */
const PROTOCOLS: ReadonlyMap<string, string> = new Map([['tcp', 'tcp'], ['udp', 'udp'], ['icmp', 'icmp'], ['sctp', '132'], ['udplite', '136']]);
const NEVER = 'It can never match there, so it is not clear what was meant.';

interface Found {
  readonly values: Map<Key, readonly string[]>;
  readonly problems: string[];
  /** Something was named at all, `true` included. */
  named: boolean;
}

/** Reads an operator: a single one, or a list all of whose members must match. */
export function conditionsOf(operator: Node | undefined): Conditions {
  const found: Found = { values: new Map(), problems: [], named: false };
  if (operator?.kind !== 'table') return { values: found.values, problems: ['The operator is no table.'] };
  readOperator(operator, found, 0);
  if (!found.named && found.problems.length === 0) found.problems.push('The operator names nothing.');
  withFamily(found);
  return found;
}

/** A protocol there is one of IPv4 or, with a 6, of IPv6; here it is of both, so the address must say which. */
function withFamily(found: Found): void {
  const words = found.values.get('protocol');
  if (words === undefined) return;
  const plain = [...new Set(words.map((word) => word.replace(/6$/, '')))];
  found.values.set('protocol', plain.map((word) => PROTOCOLS.get(word) ?? word));
  if (plain.every((word) => words.includes(word) && words.includes(`${word}6`))) return;
  const six = words.every((word) => word.endsWith('6'));
  if (!six && words.some((word) => word.endsWith('6'))) {
    found.problems.push('Some of its protocols are for IPv4 only, others for IPv6 only.');
    return;
  }
  const addresses = found.values.get('address');
  if (found.values.has('domain')) found.problems.push(`It is for ${six ? 'IPv6' : 'IPv4'} only, which cannot be said of a name.`);
  else if (addresses === undefined) found.values.set('address', [six ? '::/0' : '0.0.0.0/0']);
  else if (addresses.some((address) => address.includes(':') !== six)) found.problems.push(NEVER);
}

/** Every combination of the values; what is one text here (ports, protocols) stays one rule. */
export function rulesOf({ values }: Conditions): readonly Matched[] {
  let rules: readonly Matched[] = [{}];
  for (const [key, options] of values) {
    const choices = key === 'port' || key === 'protocol' ? [options.join(',')] : options;
    if (rules.length * choices.length > IMPORT_LIMITS.rulesOfOne) return new Array<Matched>(IMPORT_LIMITS.rulesOfOne + 1).fill({});
    rules = rules.flatMap((rule) => choices.map((value) => ({ ...rule, [key]: value })));
  }
  return rules;
}

function readOperator(operator: TableNode, found: Found, depth: number): void {
  const type = textAt(operator, 'type') ?? '';
  if (type === 'list' || textAt(operator, 'operand') === 'list') {
    readList(operator, found, depth);
    return;
  }
  const operand = textAt(operator, 'operand') ?? '';
  const data = textAt(operator, 'data');
  if (operand === 'true') {
    found.named = true;
    return;
  }
  if (data === null) {
    found.problems.push(`${quoted(operand)} has no data.`);
    return;
  }
  found.named = true;
  readCondition(type, operand, data, found);
}

function readList(operator: TableNode, found: Found, depth: number): void {
  const list = get(operator, 'list');
  const items = list?.kind === 'list' ? list.items : [];
  if (items.length === 0 || items.length > MOST_CONDITIONS || depth > 0) {
    // Old versions wrote the list as a text into data.
    found.problems.push(items.length === 0 ? 'The list of conditions is empty or written in the old way.' : 'The conditions are too many or nested.');
    return;
  }
  for (const item of items) {
    if (item.kind === 'table') readOperator(item, found, depth + 1);
    else found.problems.push('A condition is no table.');
  }
}

function readCondition(type: string, operand: string, data: string, found: Found): void {
  const texts = textsOf(type, operand, data);
  if (texts === null) {
    found.problems.push(type === 'regexp'
      ? `The pattern ${quoted(data)} for ${label(operand, 32)} cannot be said here.`
      : `Conditions of type ${quoted(type)} are not known.`);
    return;
  }
  const reading = READINGS.get(operand);
  if (reading === undefined) {
    found.problems.push(OTHER_OPERANDS.get(operand) ?? (operand.startsWith('process.env.')
      ? 'The environment of a program is written by the program itself.'
      : `${quoted(operand)} is not known.`));
    return;
  }
  for (const [key, read] of reading) {
    const values = texts.map(read).filter((value) => value !== null);
    if (values.length !== texts.length) continue;
    put(found, key, [...new Set(values)]);
    return;
  }
  found.problems.push(`${quoted(data)} is no value for ${label(operand, 32)}.`);
}

/** The texts of which one must be equal; null for what is no such set. */
function textsOf(type: string, operand: string, data: string): readonly string[] | null {
  switch (type) {
    case 'simple': return [data];
    case 'network': return operand === 'dest.network' ? [data] : null;
    case 'lists': return [data];
    case 'regexp': return operand === 'dest.host' ? literalsOf(data) ?? domainsOf(data) : literalsOf(data);
    default: return null;
  }
}

function put(found: Found, key: Key, values: readonly string[]): void {
  const before = found.values.get(key);
  const both = before === undefined ? values : values.filter((value) => before.includes(value));
  if (both.length === 0 || (before !== undefined && both.length !== before.length)) found.problems.push(NEVER);
  else found.values.set(key, both);
}

type Reading = readonly (readonly [Key, (text: string) => string | null])[];

const path = (text: string): string | null => (text.startsWith('/') ? text : null);
const number = (text: string): string | null => (/^[0-9]{1,10}$/.test(text) ? String(Number(text)) : null);
const ports = (text: string): string | null => (/^[0-9]{1,5}(?:-[0-9]{1,5})?$/.test(text) ? text : null);
const sha256 = (text: string): string | null => (/^[0-9a-fA-F]{64}$/.test(text) ? text.toLowerCase() : null);
const single = (text: string): string | null => (text.includes('/') ? null : addressOf(text));
const device = (text: string): string | null => (/^[A-Za-z0-9_.-]{1,15}$/.test(text) ? text : null);

/** With the 6 of IPv6; `withFamily` takes it away again. */
function protocol(text: string): string | null {
  const word = text.toLowerCase();
  return PROTOCOLS.has(word.replace(/6$/, '')) ? word : null;
}

const READINGS: ReadonlyMap<string, Reading> = new Map<string, Reading>([
  ['process.path', [['path', path]]],
  ['process.hash.sha256', [['sha256', sha256]]],
  ['user.id', [['user', number]]],
  ['dest.ip', [['address', single]]],
  ['dest.host', [['domain', domainOf], ['address', single]]],
  ['dest.port', [['port', ports]]],
  ['dest.network', [['address', addressOf]]],
  ['protocol', [['protocol', protocol]]],
  ['iface.out', [['interface', device]]],
]);

const LIST = 'Its list of destinations is a folder of files: subscribe to them as a [[list]] of bastion.toml.';
const OTHER_OPERANDS: ReadonlyMap<string, string> = new Map([
  ['process.hash.md5', 'MD5 proves nothing any more; here it is SHA-256.'],
  ['process.hash.sha1', 'SHA-1 proves nothing any more; here it is SHA-256.'],
  ['process.command', 'The command line is written by the program itself.'],
  ['process.id', 'A process id is good for one process only.'],
  ['process.parent.path', 'A parent is an ancestor here; say which.'],
  ['user.name', 'A name there is looked up at another time; name the user here.'],
  ['source.ip', 'The source address is not a condition here.'],
  ['source.port', 'The source port is not a condition here.'],
  ['source.network', 'The source network is not a condition here.'],
  ['iface.in', 'The interface of what comes in is not a condition here.'],
  ['lists.domains', LIST], ['lists.domains_regexp', LIST], ['lists.ips', LIST], ['lists.nets', LIST], ['lists.hash.md5', LIST],
]);
