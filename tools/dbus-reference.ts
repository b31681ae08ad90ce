/**
 * `node tools/dbus-reference.ts`: writes docs/dbus.md, the reference of the D-Bus interface, out of the contract in data/dbus,
 * the polkit policy and the errors of the code. With --print it goes to standard output instead. A test says when the file is
 * not what this makes.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERRORS } from '../helper/contract/errors.ts';
import { requirementOf } from '../helper/service/authorize.ts';
import { contractXml, readContract } from './dbus/contract.ts';
import type { Contract, ContractDictionary, ContractInterface, ContractMember } from './dbus/contract.ts';
import { BUS_EXAMPLES } from './dbus/examples.ts';
import { wordingOf } from './dbus/wording.ts';

/** Where the reference is kept. */
export const REFERENCE_FILE = join(import.meta.dirname, '../docs/dbus.md');
const POLICY_FILE = join(import.meta.dirname, '../data/polkit/org.bastionfirewall.helper1.policy');
const ACTION_PREFIX = 'org.bastionfirewall.helper1.';
const STANDARD = 'org.freedesktop.DBus.';
/** Said once, in the introduction. */
const FIRST_VERSION = '3.0';
const PAGE_NOTES: Readonly<Record<string, string>> = { limit: 'rows wanted at most', cursor: 'where the page begins', next: 'where the next one does' };

/** Makes nothing in it markup, and links the names of dictionaries. */
type Linker = (text: string) => string;

function linkerOf(dictionaries: readonly ContractDictionary[]): Linker {
  const names = new Set(dictionaries.map(({ name }) => name));
  // A name such as `answer` is a common word too: that one counts only where a text begins with it.
  const linked = (word: string, at: number): string => (names.has(word) && (at === 0 || /[A-Z]/u.test(word)) ? `[${word}](#${word.toLowerCase()})` : word);
  return (text) => text.replaceAll(/[\\|`*<>[\]]|(?<!\w)_|_(?!\w)/gu, String.raw`\$&`).replaceAll(/\w+/gu, linked);
}

/** A first word that is one. */
function capital(text: string): string {
  return /^[a-z]+[ ,;:']/u.test(text) ? text.slice(0, 1).toUpperCase() + text.slice(1) : text;
}

function sinceWords(since: string): string {
  return since === FIRST_VERSION || since === '' ? '' : ` Since ${since}.`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`.replaceAll(/ {2,}/gu, ' '));
  return `${lines.join('\n')}\n`;
}

const code = (text: string): string => (text === '' ? '' : `\`${text}\``);

function shortName(interfaceName: string): string {
  return interfaceName.slice(interfaceName.lastIndexOf('.') + 1);
}

/** The words of `action` begin with the action that the code asks for, or the comment tells of it in its text. */
function costOf(interfaceName: string, member: ContractMember, action: string, link: Linker): string {
  const requirement = requirementOf(interfaceName, member.name);
  if (requirement === null) throw new Error(`${interfaceName}.${member.name} has no action in authorize.ts`);
  if (requirement === 'public') return 'No action.';
  const name = requirement.slice(ACTION_PREFIX.length);
  const more = action.startsWith(name) ? action.slice(name.length) : '';
  return `Action \`${name}\`${link(more)}.`;
}

function memberText(owner: ContractInterface, member: ContractMember, link: Linker): string {
  const { text, since, action, errors, notes } = wordingOf(member);
  const rows = member.arguments.map(({ name, signature, direction }) => {
    const note = notes.get(name) ?? (owner.name.startsWith(STANDARD) ? '' : PAGE_NOTES[name] ?? '');
    return [...(member.kind === 'method' ? [direction] : []), code(name), code(signature), link(note)];
  });
  const parts = [
    `### ${shortName(owner.name)}.${member.name}`,
    `${capital(link(text))}${sinceWords(since)}`.trim(),
    member.kind === 'method' ? `${costOf(owner.name, member, action, link)}${errors === '' ? '' : ` Raises ${link(errors)}.`}` : 'Signal.',
  ];
  const head = member.kind === 'method' ? ['', 'argument', 'type', 'what'] : ['argument', 'type', 'what'];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n${rows.length === 0 ? '' : `\n${table(head, rows)}`}`;
}

const CHANGES: Readonly<Record<string, string>> = { true: 'with the new value', invalidates: 'without the value', const: 'never changes', false: 'not told' };

function propertiesText(properties: readonly ContractMember[], link: Linker): string {
  const rows = properties.map((property) => {
    const { text, since } = wordingOf(property);
    return [code(property.name), code(property.signature), `${capital(link(text))}${sinceWords(since)}`, CHANGES[property.emitsChange] ?? ''];
  });
  return table(['property', 'type', 'what', 'a change is told'], rows);
}

function interfaceText(one: ContractInterface, link: Linker): string {
  const properties = one.members.filter(({ kind }) => kind === 'property');
  const others = ['method', 'signal'].flatMap((kind) => one.members.filter((member) => member.kind === kind));
  const text = one.text.replaceAll(/\s+/gu, ' ').replace(/ Since 3\.0\.$/u, '');
  return [
    `## ${one.name}\n`,
    ...(text === '' ? [] : [`${capital(link(text))}\n`]),
    ...(properties.length === 0 ? [] : [propertiesText(properties, link)]),
    ...others.map((member) => memberText(one, member, link)),
  ].join('\n');
}

function dictionaryText({ name, text, keys }: ContractDictionary, link: Linker): string {
  const rows = keys.map((key) => [
    code(key.name), code(key.signature), key.optional ? 'may be absent' : '', `${link(key.text.replaceAll('\n', ' '))}${key.since === FIRST_VERSION ? '' : ` (since ${key.since})`}`,
  ]);
  return `### ${name}\n\n${capital(link(text))}\n\n${table(['key', 'type', '', 'what'], rows)}`;
}

/** What polkit asks by default, out of its policy. */
function actionTable(policy: string): string {
  const rows = [...policy.matchAll(/<action id="([^"]+)">([\s\S]*?)<\/action>/gu)].map(([, id = '', body = '']) => {
    const of = (tag: string): string => new RegExp(`<${tag}[^>]*>([^<]*)</${tag}>`, 'u').exec(body)?.[1] ?? '';
    return [code(id.slice(ACTION_PREFIX.length)), of('description'), code(of('allow_active')), code(of('allow_any'))];
  });
  return table(['action', 'lets', 'active local session', 'others'], rows);
}

function errorTable(): string {
  return table(['error', 'what it says where nothing more exact is known'], Object.entries(ERRORS).map(([name, { text }]) => [code(name), text]));
}

/** Paragraphs that begin with a word and a colon get a heading of their own, and what belongs below it. */
function introductionText({ introduction }: Contract, policy: string, link: Linker): string {
  const tables: Readonly<Record<string, string>> = { Authorization: actionTable(policy), Errors: errorTable() };
  const sections: string[] = [];
  const plain: string[] = [];
  for (const paragraph of introduction) {
    const [, label = '', text = ''] = /^([A-Z]\w+): ([\s\S]*)$/u.exec(paragraph) ?? [];
    if (label === '') plain.push(`${link(paragraph)}\n`);
    else sections.push([`## ${label}\n`, `${capital(link(text))}\n`, ...(tables[label] === undefined ? [] : [tables[label]])].join('\n'));
  }
  return [...plain, ...sections].join('\n');
}

function examplesText(): string {
  return `## With busctl

busctl(1) asks polkit for a password where one is needed. A value of a dictionary is written as its key, its type and the value; the
number before the first says how many there are. Signals with content go only to the connection that asked for them: use
\`bastionctl monitor\` and \`bastionctl agent\`, see [bastionctl(1)](../data/man/bastionctl.1).

${BUS_EXAMPLES.map(({ what, command }) => `${what}:\n\n\`\`\`sh\n${command}\n\`\`\`\n`).join('\n')}`;
}

/** The reference. */
export function referenceOf(contract: Contract, policy: string): string {
  const link = linkerOf(contract.dictionaries);
  const own = contract.interfaces.filter(({ name }) => !name.startsWith(STANDARD));
  const standard = contract.interfaces.filter(({ name }) => name.startsWith(STANDARD));
  const contents = own.map(({ name, text }) => `| [${name}](#${name.toLowerCase().replaceAll('.', '')}) | ${link(text.replaceAll(/\s+/gu, ' ').split('. ')[0] ?? '')} |`);
  return [
    '# D-Bus reference\n',
    `<!-- Made by \`node tools/dbus-reference.ts\` of data/dbus/org.bastionfirewall.Helper1.xml: change that, not this. -->

Packages install the contract as \`/usr/share/dbus-1/interfaces/org.bastionfirewall.Helper1.xml\`. What is written here is there
since version ${FIRST_VERSION} unless another is named.\n`,
    `| interface | what it is for |\n|---|---|\n${contents.join('\n')}\n`,
    introductionText(contract, policy, link),
    examplesText(),
    ...own.map((one) => interfaceText(one, link)),
    '## Dictionaries\n',
    ...contract.dictionaries.map((one) => dictionaryText(one, link)),
    ...standard.map((one) => interfaceText(one, link)),
  ].join('\n');
}

/** The reference of the contract as it is. */
export function reference(): string {
  return referenceOf(readContract(contractXml()), readFileSync(POLICY_FILE, 'utf8'));
}

if (import.meta.main) {
  if (process.argv.includes('--print')) process.stdout.write(reference());
  else writeFileSync(REFERENCE_FILE, reference());
}
