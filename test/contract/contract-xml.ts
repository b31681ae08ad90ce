/** Reads data/dbus/org.bastionfirewall.Helper1.xml: members with signatures, and the documented dictionaries. */
import { readFileSync } from 'node:fs';
import { contractFile } from './service-rig.ts';

/** `member signature` lines as `busctl introspect` orders its columns. */
export interface Member {
  readonly interface: string;
  readonly name: string;
  readonly kind: 'method' | 'property' | 'signal';
  /** Arguments in, or the type of a property, or the arguments of a signal. */
  readonly signature: string;
  /** Results of a method. */
  readonly result: string;
}

function attribute(tag: string, name: string): string {
  return new RegExp(`\\b${name}="([^"]*)"`, 'u').exec(tag)?.[1] ?? '';
}

function argumentsOf(body: string, direction: 'in' | 'out' | ''): string {
  const tags = body.match(/<arg\b[^>]*>/gu) ?? [];
  return tags.filter((tag) => attribute(tag, 'direction') === direction).map((tag) => attribute(tag, 'type')).join('');
}

/** Every member that the XML declares. */
export function declaredMembers(xml: string): readonly Member[] {
  const members: Member[] = [];
  const plain = xml.replaceAll(/<!--[\s\S]*?-->/gu, '');
  for (const [, head = '', body = ''] of plain.matchAll(/<interface\b([^>]*)>([\s\S]*?)<\/interface>/gu)) {
    for (const [, tag = '', attributes = '', content = ''] of body.matchAll(
      /<(method|signal|property)\b([^>]*?)(?:\/>|>([\s\S]*?)<\/\1>)/gu,
    )) {
      const kind = tag === 'method' || tag === 'signal' ? tag : 'property';
      members.push({
        interface: attribute(head, 'name'),
        name: attribute(attributes, 'name'),
        kind,
        signature: kind === 'property' ? attribute(attributes, 'type') : argumentsOf(content, kind === 'method' ? 'in' : ''),
        result: kind === 'method' ? argumentsOf(content, 'out') : '',
      });
    }
  }
  return members;
}

/** One documented key. */
export interface DocumentedKey {
  readonly signature: string;
  readonly since: string;
  readonly optional: boolean;
}

/** Dictionary name to its documented keys. */
export function documentedDictionaries(xml: string): ReadonlyMap<string, ReadonlyMap<string, DocumentedKey>> {
  const found = new Map<string, Map<string, DocumentedKey>>();
  let keys: Map<string, DocumentedKey> | undefined;
  for (const line of xml.split('\n')) {
    const heading = /^ {2}Dictionary (\w+): \S/u.exec(line)?.[1];
    if (heading !== undefined) {
      keys = new Map();
      found.set(heading, keys);
    }
    const key = /^ {4}(\w+) \(([a-z{}]+), since (\d+\.\d+)(, optional)?\): \S/u.exec(line);
    if (key?.[1] === undefined) continue;
    keys?.set(key[1], { signature: key[2] ?? '', since: key[3] ?? '', optional: key[4] !== undefined });
  }
  return found;
}

/** The text of the contract. */
export function contractXml(): string {
  return readFileSync(contractFile(), 'utf8');
}
