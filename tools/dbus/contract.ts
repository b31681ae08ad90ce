/** data/dbus/org.bastionfirewall.Helper1.xml as it is written: members with arguments, dictionaries, and what the comments say. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ContractArgument {
  readonly name: string;
  readonly signature: string;
  /** '' of a signal. */
  readonly direction: 'in' | 'out' | '';
}

export interface ContractMember {
  readonly kind: 'method' | 'property' | 'signal';
  readonly name: string;
  /** Type of a property; '' of the others. */
  readonly signature: string;
  readonly arguments: readonly ContractArgument[];
  /** Value of the annotation EmitsChangedSignal, `true` where there is none. */
  readonly emitsChange: string;
  /** The comment before it without its name, lines trimmed; '' where there is none. */
  readonly text: string;
}

export interface ContractInterface {
  readonly name: string;
  readonly text: string;
  readonly members: readonly ContractMember[];
}

export interface ContractKey {
  readonly name: string;
  readonly signature: string;
  readonly since: string;
  readonly optional: boolean;
  readonly text: string;
}

export interface ContractDictionary {
  readonly name: string;
  readonly text: string;
  readonly keys: readonly ContractKey[];
}

export interface Contract {
  /** Paragraphs before the dictionaries. */
  readonly introduction: readonly string[];
  readonly dictionaries: readonly ContractDictionary[];
  readonly interfaces: readonly ContractInterface[];
}

/** The file of the contract. */
export const CONTRACT_FILE = join(import.meta.dirname, '../../data/dbus/org.bastionfirewall.Helper1.xml');

const COMMENT = String.raw`(?:<!--((?:(?!-->)[\s\S])*)-->\s*)?`;
const INTERFACE = new RegExp(String.raw`${COMMENT}<interface\b([^>]*)>([\s\S]*?)</interface>`, 'gu');
const MEMBER = new RegExp(String.raw`${COMMENT}<(method|signal|property)\b([^>]*?)(?:/>|>([\s\S]*?)</\2>)`, 'gu');

function attribute(tag: string, name: string): string {
  return new RegExp(`\\b${name}="([^"]*)"`, 'u').exec(tag)?.[1] ?? '';
}

/** Lines without the margin that they have in the file. */
function trimmed(text: string): string {
  return text.trim().replaceAll(/\s*\n\s*/gu, '\n');
}

/** What a comment says of `name`, which it begins with. */
function textOf(comment: string, name: string): string {
  const text = trimmed(comment);
  return text.startsWith(`${name}: `) ? text.slice(name.length + 2) : '';
}

function argumentOf(tag: string): ContractArgument {
  const direction = attribute(tag, 'direction');
  return { name: attribute(tag, 'name'), signature: attribute(tag, 'type'), direction: direction === 'in' || direction === 'out' ? direction : '' };
}

function membersOf(body: string): readonly ContractMember[] {
  return [...body.matchAll(MEMBER)].map(([, comment = '', kind = '', attributes = '', content = '']) => {
    const name = attribute(attributes, 'name');
    const annotation = /<annotation\b[^>]*EmitsChangedSignal[^>]*>/u.exec(content)?.[0] ?? '';
    return {
      kind: kind === 'method' || kind === 'signal' ? kind : 'property',
      name,
      signature: kind === 'property' ? attribute(attributes, 'type') : '',
      arguments: (content.match(/<arg\b[^>]*>/gu) ?? []).map(argumentOf),
      emitsChange: attribute(annotation, 'value') || 'true',
      text: textOf(comment, name),
    };
  });
}

/** `Dictionary NAME: text` at two spaces, keys at four, what goes on at six. */
function dictionariesOf(header: string): readonly ContractDictionary[] {
  return header.split(/^ {2}Dictionary /mu).slice(1).map((block) => {
    const [, name = '', text = ''] = /^(\w+): (\S.*)$/mu.exec(block) ?? [];
    const keys = [...block.matchAll(/^ {4}(\w+) \(([a-z{}]+), since (\d+\.\d+)(, optional)?\): (\S.*(?:\n {6}\S.*)*)$/gmu)];
    return {
      name, text,
      keys: keys.map(([, key = '', signature = '', since = '', optional, said = '']) => (
        { name: key, signature, since, optional: optional !== undefined, text: trimmed(said) }
      )),
    };
  });
}

/** Reads the text of the contract. */
export function readContract(xml: string): Contract {
  const header = /<!--([\s\S]*?)-->/u.exec(xml)?.[1] ?? '';
  const [introduction = ''] = header.split(/^ {2}Dictionaries$/mu);
  return {
    introduction: introduction.split(/\n\s*\n/u).map(trimmed).filter((paragraph) => paragraph !== ''),
    dictionaries: dictionariesOf(header),
    interfaces: [...xml.matchAll(INTERFACE)].map(([, comment = '', attributes = '', body = '']) => {
      const name = attribute(attributes, 'name');
      return { name, text: textOf(comment, name), members: membersOf(body) };
    }),
  };
}

/** The text of the contract. */
export function contractXml(): string {
  return readFileSync(CONTRACT_FILE, 'utf8');
}
