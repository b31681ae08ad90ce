/** .lsrules files of Little Snitch. Source: its help, "The .lsrules file format". Paths of macOS are no paths of this machine. */
import { Draft, baseName, label, quoted } from './draft.ts';
import type { DraftRule } from './draft.ts';
import { addressOf, destinationOf, domainOf, rangeOf } from './hosts.ts';
import { readJson } from './json.ts';
import { priorityOf } from './lsrules-order.ts';
import type { DestinationKind } from './lsrules-order.ts';
import { flagAt, get, textAt, textsOf } from './node.ts';
import type { Node, TableNode } from './node.ts';
import { IMPORT_LIMITS, refuse } from './types.ts';
import type { Imported } from './types.ts';

const GROUP = 'Imported from Little Snitch';
/** More destinations than this are no rules but a list. */
const MOST_DENIED = 100;
const FILE_KEYS = new Set(['name', 'description', 'denied-remote-notes']);
const DENIED_KEYS = ['denied-remote-domains', 'denied-remote-hosts', 'denied-remote-addresses'] as const;
/** Keys that change nothing of what a rule matches. */
const PLAIN_KEYS = new Set(['action', 'process', 'remote-domains', 'remote-hosts', 'remote-addresses', 'remote', 'direction', 'priority',
  'disabled', 'ports', 'protocol', 'notes', 'creationDate', 'modificationDate', 'origin', 'help']);
const MAC_PATH = /^\/(?:Applications|System|Library|Users|Volumes|private|opt\/homebrew|usr\/libexec)\/|\.(?:app|xpc|bundle|framework)\//;

/** Where a rule goes; several are several rules. */
interface Where {
  readonly destinations: readonly Pick<DraftRule, 'address' | 'domain'>[];
  readonly kind: DestinationKind;
  readonly problems: readonly string[];
}

/** Reads a rule group. Throws BastionError InvalidArgument with line and column, or LimitReached. */
export function importLsrules(text: string): Imported {
  const { root, lines } = readJson(text);
  const known = ['rules', ...DENIED_KEYS];
  if (root.kind !== 'table' || !known.some((key) => root.entries.has(key))) {
    return refuse(lines.place(root.at), 'this is no .lsrules file: it has neither "rules" nor "denied-remote-domains".');
  }
  const draft = new Draft(lines, GROUP);
  for (const [key, { at, value }] of root.entries) {
    if (key === 'rules') readRules(draft, at, value);
    else if (DENIED_KEYS.some((one) => one === key)) readDenied(draft, key, at, value);
    else if (!FILE_KEYS.has(key)) draft.skipped({ at, source: key, text: 'This key is not known.' });
  }
  return draft.done();
}

function readRules(draft: Draft, at: number, value: Node): void {
  if (value.kind !== 'list') {
    draft.skipped({ at, source: 'rules', text: 'This is no list of rules.' });
    return;
  }
  for (const one of value.items) {
    if (one.kind === 'table') readRule(draft, one);
    else draft.skipped({ at: one.at, source: 'rules', text: 'This is no rule.' });
  }
}

/** Hosts are themselves, domains also all below them. */
function destinationsOfName(key: string, text: string): Where['destinations'] | null {
  if (key.endsWith('-addresses')) {
    const address = addressOf(text);
    const range = address === null ? rangeOf(text) : [address];
    return range?.map((one) => ({ address: one })) ?? null;
  }
  if (key.endsWith('-hosts')) {
    const found = destinationOf(text);
    return found === null || text.startsWith('*') ? null : [found];
  }
  const domain = text.startsWith('*') ? null : domainOf(text);
  return domain === null ? null : [{ domain }, { domain: `*.${domain}` }];
}

function readDenied(draft: Draft, key: string, at: number, value: Node): void {
  const texts = textsOf(value);
  if (texts === null) {
    draft.skipped({ at, source: key, text: 'This is no list of texts.' });
    return;
  }
  if (texts.length > MOST_DENIED) {
    const count = String(texts.length);
    draft.review({ at, source: key, text: `${count} destinations are a list, not rules: put them into a file, one on a line, and name it in a [[list]] of bastion.toml.` });
    return;
  }
  for (const one of texts) {
    const destinations = destinationsOfName(key, one.value);
    if (destinations === null) draft.skipped({ at: one.at, source: one.value, text: 'This is no destination that can be said here.' });
    for (const where of destinations ?? []) {
      const kind = key.endsWith('-domains') ? 'domain' : key.endsWith('-hosts') ? 'host' : 'address';
      const priority = priorityOf({ kind, address: where.address, several: false, high: false, action: 'deny' });
      draft.kept({
        at: one.at, source: one.value, text: 'Refused for every program.',
        rule: { action: 'deny', ...where, priority, name: `deny ${where.domain ?? where.address ?? ''}` },
      });
    }
  }
}

function readRule(draft: Draft, table: TableNode): void {
  const { at } = table;
  const process = textAt(table, 'process');
  const source = process ?? 'a rule without a process';
  const action = textAt(table, 'action') ?? 'ask';
  if (textAt(table, 'direction') === 'incoming') {
    draft.skipped({ at, source, text: 'It is about what comes in; Bastion Firewall judges what leaves.' });
    return;
  }
  if (action !== 'allow' && action !== 'deny' && action !== 'ask') {
    draft.skipped({ at, source, text: `${quoted(action)} is none of allow, deny and ask.` });
    return;
  }
  const where = whereOf(table);
  if (where.destinations.length > IMPORT_LIMITS.rulesOfOne) {
    draft.review({ at, source, text: `It names more than ${String(IMPORT_LIMITS.rulesOfOne)} destinations; make a [[list]] of them.` });
    return;
  }
  const ports = portsOf(get(table, 'ports'));
  const protocol = protocolOf(get(table, 'protocol'));
  const problems = [...programProblems(table, process), ...where.problems, ...otherProblems(table)];
  if (ports === null) problems.push('Its ports cannot be said here.');
  if (protocol === null) problems.push('Its protocol is not known.');
  const base: DraftRule = {
    action,
    ...(process?.startsWith('/') === true ? { path: process } : {}),
    ...(ports === null || ports === '' ? {} : { port: ports }),
    ...(protocol === null || protocol === '' ? {} : { protocol }),
    ...(flagAt(table, 'disabled') === true ? { enabled: false } : {}),
  };
  tell(draft, { at, source, where, problems, base, high: textAt(table, 'priority') === 'high', notes: textAt(table, 'notes') });
}

function tell(draft: Draft, found: {
  readonly at: number; readonly source: string; readonly where: Where; readonly problems: readonly string[]; readonly base: DraftRule;
  readonly high: boolean; readonly notes: string | null;
}): void {
  const { at, source, where, problems, base, high, notes } = found;
  const several = where.destinations.length > 1;
  for (const destination of where.destinations.length === 0 ? [{}] : where.destinations) {
    const target = destination.domain ?? destination.address ?? '';
    const program = base.path === undefined ? 'any program' : baseName(base.path);
    const name = [label(notes ?? '', 64) || program, several ? target : ''].filter((one) => one !== '').join(': ');
    const priority = priorityOf({ kind: where.kind, address: destination.address, several, high, action: base.action });
    const rule = { ...base, ...destination, name, ...(priority === 0 ? {} : { priority }) };
    if (problems.length > 0) draft.review({ at, source, rule, text: problems.join(' ') });
    else if (several) draft.changed({ at, source, rule, text: `One of ${String(where.destinations.length)} rules: to ${target}.` });
    else draft.kept({ at, source, rule, text: rule.enabled === false ? 'It was off and stays off.' : 'The same rule.' });
  }
}

function programProblems(table: TableNode, process: string | null): string[] {
  const problems: string[] = [];
  if (process === null) problems.push('It names no process.');
  else if (process !== 'any' && !process.startsWith('/')) problems.push(`${quoted(process)} is no path of a program here.`);
  else if (MAC_PATH.test(process.slice(0, IMPORT_LIMITS.textLength))) problems.push('The path is one of macOS.');
  if (table.entries.has('via')) problems.push('Programs that work for another one (via) are said otherwise here, as an ancestor.');
  return problems;
}

function otherProblems(table: TableNode): string[] {
  const problems: string[] = [];
  const direction = textAt(table, 'direction');
  if (direction !== null && direction !== 'outgoing') problems.push(`The direction ${quoted(direction)} is not known.`);
  const priority = textAt(table, 'priority');
  if (priority !== null && !['high', 'regular', 'default'].includes(priority)) problems.push(`The priority ${quoted(priority)} is not known.`);
  for (const key of table.entries.keys()) {
    if (key !== 'via' && !PLAIN_KEYS.has(key)) problems.push(`The key ${quoted(key)} is not known.`);
    if (problems.length > 4) break;
  }
  return problems;
}

function whereOf(table: TableNode): Where {
  const destinations: Pick<DraftRule, 'address' | 'domain'>[] = [];
  const problems: string[] = [];
  let ways = 0;
  let kind: DestinationKind = 'any';
  for (const key of ['remote-domains', 'remote-hosts', 'remote-addresses']) {
    const value = get(table, key);
    if (value === undefined) continue;
    ways += 1;
    kind = key === 'remote-domains' ? 'domain' : key === 'remote-hosts' ? 'host' : 'address';
    const texts = textsOf(value)?.flatMap((one) => one.value.split(',')) ?? null;
    for (const text of texts ?? []) {
      const found = destinationsOfName(key, text.trim());
      if (found === null) problems.push(`${quoted(text)} cannot be said here.`);
      else destinations.push(...found);
      if (destinations.length > IMPORT_LIMITS.rulesOfOne || problems.length > 4) break;
    }
    if (texts === null || texts.length === 0) problems.push(`"${key}" names nothing.`);
  }
  const remote = get(table, 'remote');
  if (remote !== undefined) {
    ways += 1;
    const found = remoteOf(remote.kind === 'text' ? remote.value : '');
    if (typeof found === 'string') problems.push(found);
    else {
      destinations.push(...found);
      kind = found.length > 0 ? 'multicast' : 'any';
    }
  }
  if (ways > 1) problems.push('It names destinations in more than one way.');
  return { destinations, kind, problems };
}

function remoteOf(word: string): Where['destinations'] | string {
  switch (word) {
    case 'any': return [];
    case 'multicast': return [{ address: '224.0.0.0/4' }, { address: 'ff00::/8' }];
    case 'broadcast': return 'Broadcast addresses depend on the network.';
    case 'local-net': return 'Which networks are local depends on where the machine is: use a zone.';
    case 'bonjour': return 'Bonjour is a name for several things.';
    case 'dns-servers': return 'Which servers answer names depends on the network.';
    default: return `The destination ${quoted(word)} is not known.`;
  }
}

/** '' for any; null for what cannot be said. */
function portsOf(node: Node | undefined): string | null {
  if (node === undefined || (node.kind === 'text' && node.value === 'any')) return '';
  if (node.kind === 'number') return Number.isInteger(node.value) && node.value >= 0 && node.value <= 65_535 ? String(node.value) : null;
  const texts = textsOf(node)?.flatMap((one) => one.value.split(',')).map((one) => one.trim());
  return texts?.every((one) => /^[0-9]{1,5}(?:-[0-9]{1,5})?$/.test(one)) === true ? texts.join(',') : null;
}

function protocolOf(node: Node | undefined): string | null {
  if (node === undefined || (node.kind === 'text' && node.value === 'any')) return '';
  if (node.kind === 'number') return String(node.value);
  const word = node.kind === 'text' ? node.value.toLowerCase() : '';
  return ['tcp', 'udp', 'icmp'].includes(word) || /^[0-9]{1,3}$/.test(word) ? word : null;
}
