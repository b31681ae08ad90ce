/**
 * Our own rule files and exports. Each rule keeps its id, its time and its text with the comments in it and right above it; the
 * rule store reads that text again, by its own reader, before it is written.
 */
import { RULE_ACTIONS } from '../contract/vocabulary.ts';
import type { RuleEdit } from '../contract/types.ts';
import { ruleProblem } from './check.ts';
import { Draft, quoted } from './draft.ts';
import { Lines, checkLength, flagAt, get, textAt } from './node.ts';
import type { Node, TableNode } from './node.ts';
import { Reader, keyNames, parse } from './toml.ts';
import { IMPORT_LIMITS, refuse } from './types.ts';
import type { Imported } from './types.ts';

const HEADER = /(?<=^|\n)[ \t]*\[\[[ \t]*(?:rule|override)[ \t]*\]\]/g;
const ID = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

/** How a key of a block is told over D-Bus; what is not here is not understood. */
const KEYS: Readonly<Record<string, (node: Node) => RuleEdit | null>> = {
  id: text('id'), name: text('name'), group: text('group'), user: textOrNumber('user'), profile: text('profile'),
  enabled: flag('enabled'), priority: (node) => (node.kind === 'number' ? { priority: node.value } : null),
  action: (node) => {
    const action = RULE_ACTIONS.find((one) => node.kind === 'text' && one === node.value);
    return action === undefined ? null : { action };
  },
  'application.path': text('path'), 'application.package': text('package'), 'application.flatpak': text('flatpak'),
  'application.snap': text('snap'), 'application.appimage': text('appimage'), 'application.script': text('script'),
  'application.sha256': text('sha256'), 'application.container': text('container'), 'application.include_children': flag('include_children'),
  'application.pin': (node) => (node.kind === 'text' && node.value === 'sha256' ? { pin: true } : null),
  'application.scripts': (node) => (node.kind === 'text' && node.value === 'all' ? { all_scripts: true } : null),
  'destination.address': text('address'), 'destination.port': textOrNumber('port'), 'destination.protocol': textOrNumber('protocol'),
  'destination.domain': text('domain'), 'destination.list': text('list'), 'destination.zone': text('zone'),
  'destination.interface': text('interface'),
  lifetime: (node) => (node.kind === 'text' && node.value === 'always' ? { lifetime: 'always' } : null),
  'lifetime.until': (node) => (node.kind === 'time' && node.zoned ? { lifetime: 'until', until_ms: node.value } : null),
  created: (node) => (node.kind === 'time' && node.zoned ? {} : null),
};
const ANCESTORS = ['path', 'package', 'flatpak', 'snap', 'appimage', 'script', 'sha256'];

type TextKey = 'id' | 'name' | 'group' | 'user' | 'profile' | 'path' | 'package' | 'flatpak' | 'snap' | 'appimage' | 'script' | 'sha256' | 'container'
  | 'address' | 'port' | 'protocol' | 'domain' | 'list' | 'zone' | 'interface';

function text(key: TextKey): (node: Node) => RuleEdit | null {
  return (node) => (node.kind === 'text' ? { [key]: node.value } : null);
}

function textOrNumber(key: TextKey): (node: Node) => RuleEdit | null {
  return (node) => (node.kind === 'number' ? { [key]: String(node.value) } : text(key)(node));
}

function flag(key: 'enabled' | 'include_children'): (node: Node) => RuleEdit | null {
  return (node) => (node.kind === 'flag' ? { [key]: node.value } : null);
}

/** Reads a rule file. Throws BastionError InvalidArgument with line and column, or LimitReached. */
export function importBastion(whole: string): Imported {
  checkLength(whole, IMPORT_LIMITS.text.bastion);
  const lines = new Lines(whole);
  const draft = new Draft(lines, '');
  const ids = new Map<string, number>();
  for (const { text: block, at } of blocksOf(whole, lines)) readBlock(draft, lines, ids, block, at);
  return draft.done();
}

interface Block {
  /** From the comments right above the header to the last line that says something. */
  readonly text: string;
  readonly at: number;
}

/** Splits at headers; what stands before the first is the file's own comment. */
function blocksOf(whole: string, lines: Lines): readonly Block[] {
  const starts = [...whole.matchAll(HEADER)].map(({ index }) => commentStart(whole, index));
  const head = whole.slice(0, starts[0] ?? whole.length);
  const stray = /^[ \t]*[^#\s]/m.exec(head);
  if (stray !== null) refuse(lines.place(stray.index), 'this stands outside a rule. A rule begins with [[rule]].');
  return starts.map((at, index) => ({ at, text: `${whole.slice(at, starts[index + 1] ?? whole.length).trimEnd()}\n` }));
}

/** Where the lines of comment that stand right above begin. */
function commentStart(whole: string, header: number): number {
  let at = header;
  while (at > 0) {
    const before = whole.lastIndexOf('\n', at - 2) + 1;
    if (!/^[ \t]*#/.test(whole.slice(before, at))) break;
    at = before;
  }
  return at;
}

function readBlock(draft: Draft, lines: Lines, ids: Map<string, number>, block: string, at: number): void {
  const root = new Reader(lines, at).document(onlyOne(block, lines, at));
  const [name, table] = firstOf(root);
  const header = table?.at ?? at;
  if (table === null) return;
  if (name === 'override') {
    readOverride(draft, table, header);
    return;
  }
  const { edit, problems } = editOf(table);
  const source = edit.id ?? 'a rule without an id';
  const problem = idProblem(edit.id) ?? (edit.action === undefined ? 'It has no action.' : null) ?? problems[0] ?? ruleProblemSentence(edit);
  if (problem !== null || edit.id === undefined) {
    draft.skipped({ at: header, source, text: problem ?? '' });
    return;
  }
  const before = ids.get(edit.id);
  if (before !== undefined) {
    draft.skipped({ at: header, source, text: `The id stands in line ${String(before)} already.` });
    return;
  }
  const line = draft.line(header);
  ids.set(edit.id, line);
  const created = get(table, 'created');
  draft.add({
    outcome: 'kept', line, source, text: 'As it is.', rule: edit, block,
    ...(created?.kind === 'time' ? { createdMs: created.value } : {}),
  });
}

/** The tree of a block; what follows its header belongs to it. */
function onlyOne(block: string, lines: Lines, at: number): ReturnType<typeof parse> {
  const tree = parse(block, lines, at);
  const [first, ...more] = tree.body[0].body;
  const name = first?.type === 'TOMLTable' ? keyNames(first.key)[0] : '';
  for (const node of more) {
    if (node.type === 'TOMLTable' && node.kind === 'standard' && keyNames(node.key)[0] === name) continue;
    refuse(lines.place(at + node.range[0]), 'this is no part of a rule. A rule begins with [[rule]].');
  }
  return tree;
}

function firstOf(root: TableNode): readonly [string, TableNode | null] {
  const [name = '', entry] = root.entries.entries().next().value ?? [];
  const first = entry?.value.kind === 'list' ? entry.value.items[0] : undefined;
  return [name, first?.kind === 'table' ? first : null];
}

function idProblem(id: string | undefined): string | null {
  if (id === undefined) return 'It has no id.';
  return ID.test(id) ? null : 'Its id is none: small letters, digits, ".", "_" and "-", at most 64.';
}

function ruleProblemSentence(edit: RuleEdit): string | null {
  const problem = ruleProblem(edit);
  return problem === null ? null : `Not imported: ${problem}.`;
}

function editOf(table: TableNode): { readonly edit: RuleEdit; readonly problems: readonly string[] } {
  let edit: RuleEdit = {};
  const problems: string[] = [];
  const take = (key: string, node: Node): void => {
    const read = Object.hasOwn(KEYS, key) ? KEYS[key]?.(node) : ancestor(key, node);
    if (read === undefined || read === null) problems.push(`The key ${quoted(key)} is not understood, so the rule is not imported.`);
    else edit = { ...edit, ...read };
  };
  for (const [key, { value }] of table.entries) {
    if (key === 'schedule') {
      const schedule = scheduleOf(value);
      if (schedule === null) problems.push('The schedule is not understood, so the rule is not imported.');
      else edit = { ...edit, schedule };
    } else if (value.kind === 'table') for (const [inner, one] of value.entries) take(`${key}.${inner}`, one.value);
    else take(key, value);
  }
  return { edit, problems };
}

function ancestor(key: string, node: Node): RuleEdit | null {
  const part = key.startsWith('ancestor.') ? key.slice('ancestor.'.length) : '';
  return ANCESTORS.includes(part) && node.kind === 'text' ? { ancestor: `${part}:${node.value}` } : null;
}

function scheduleOf(node: Node): string | null {
  if (node.kind !== 'table' || [...node.entries.keys()].some((key) => !['days', 'from', 'to'].includes(key))) return null;
  const days = get(node, 'days');
  const names = days?.kind === 'list' ? days.items.map((one) => (one.kind === 'text' ? one.value : '')) : DAYS;
  const [from, to] = [textAt(node, 'from'), textAt(node, 'to')];
  if (names.length === 0 || names.some((one) => !DAYS.includes(one)) || (from === null) !== (to === null)) return null;
  return from === null || to === null ? names.join(',') : `${names.join(',')} ${from}-${to}`;
}

function readOverride(draft: Draft, table: TableNode, at: number): void {
  const [rule, enabled] = [textAt(table, 'rule'), flagAt(table, 'enabled')];
  const others = [...table.entries.keys()].filter((key) => key !== 'rule' && key !== 'enabled');
  if (rule === null || enabled === null || !ID.test(rule) || others.length > 0) {
    draft.review({ at, source: 'override', text: 'This override is not understood; switch the rule or the group by hand.' });
    return;
  }
  draft.add({
    outcome: 'kept', line: draft.line(at), source: `override of ${rule}`, text: `Switches the rule ${rule} ${enabled ? 'on' : 'off'}.`,
    override: { rule, enabled },
  });
}
