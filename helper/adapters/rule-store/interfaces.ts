/** The tables `[[interface]]` of bastion.toml, and the key `default_zone`. */
import { isIP } from 'node:net';
import type { InterfaceSettings, Settings } from '../../ports.ts';
import { FieldReader } from './field-reader.ts';
import type { TextResult } from './field-reader.ts';
import { LIMITS } from './limits.ts';
import { shown } from './text.ts';
import type { Problem, Section } from './toml.ts';

/** IFNAMSIZ without its NUL; a trailing `*` stands for any ending. Source: linux/if.h. */
const INTERFACE_NAME = /^[^\s/:*\p{C}]{1,15}$|^[^\s/:*\p{C}]{1,14}\*$/u;
export const ZONE_NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/;
/** What a zone's name must be, for people. */
export const ZONE_WORDS = 'the name of a zone: small letters, digits, "_" and "-", at most 32';
const MAC = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i;

/** The sections `[[name]]`, at most `limit`. */
export function tables(sections: readonly Section[], name: string, limit: number, problems: Problem[]): readonly Section[] {
  const found = sections.filter((section) => section.array && section.name === name);
  const first = found[limit];
  if (first !== undefined) problems.push({ ...first.at, message: `There are at most ${String(limit)} [[${name}]]. Remove some.` });
  return found.slice(0, limit);
}

/** '' where the key is missing or wrong, which is noted. */
export function mustMatch(reader: FieldReader, section: Section, name: string, pattern: RegExp, wanted: string): string {
  const text = reader.text(name, 64);
  if (text === null) reader.complain(section.at, `"${name}" is missing here.`, name);
  else if (!pattern.test(text)) reader.complainAbout(name, `${shown(text)} is no "${name}": it must be ${wanted}.`);
  return text ?? '';
}

/** A hardware address in small letters. */
export function macOf(text: string): TextResult<string> {
  return MAC.test(text)
    ? { ok: true, value: text.toLowerCase() }
    : { ok: false, message: `${shown(text)} is no hardware address; write one such as 00:11:22:aa:bb:cc` };
}

/** An address in the spelling of RFC 5952, which a URL's host has. */
export function addressOf(text: string): TextResult<string> {
  const kind = isIP(text);
  // A scope such as %eth0 is no part of an address, although the runtime takes it for one.
  if (kind === 0 || text.includes('%')) return { ok: false, message: `${shown(text)} is no address; write one such as 192.168.1.1` };
  return { ok: true, value: kind === 6 ? new URL(`http://[${text}]/`).hostname.slice(1, -1) : text };
}

/** What the tables say; `default_zone` is a key at the top. */
export function readInterfaces(sections: readonly Section[], top: FieldReader): {
  readonly settings: Pick<Settings, 'interfaces' | 'defaultZone'>;
  readonly problems: readonly Problem[];
} {
  const problems: Problem[] = [];
  const interfaces = tables(sections, 'interface', LIMITS.interfaces, problems).map((section) => readInterface(section, problems));
  const defaultZone = top.text('default_zone', LIMITS.termLength);
  if (defaultZone !== null && !ZONE_NAME.test(defaultZone)) {
    top.complainAbout('default_zone', `${shown(defaultZone)} is no "default_zone": it must be ${ZONE_WORDS}.`);
  }
  return {
    settings: { ...(interfaces.length === 0 ? {} : { interfaces }), ...(defaultZone === null ? {} : { defaultZone }) },
    problems,
  };
}

function readInterface(section: Section, problems: Problem[]): InterfaceSettings {
  const reader = new FieldReader(section.table, section.at);
  reader.keys(['name', 'mac', 'zone', 'dhcp', 'address'], [], 'interface.');
  const mac = reader.parsed('mac', macOf);
  const name = reader.has('name') || !reader.has('mac')
    ? mustMatch(reader, section, 'name', INTERFACE_NAME, 'an interface such as "eth0", or the beginning of several such as "wg*"')
    : '';
  const zone = mustMatch(reader, section, 'zone', ZONE_NAME, ZONE_WORDS);
  const dhcp = reader.flag('dhcp');
  const address = reader.parsed('address', addressOf);
  if (address !== null && name.endsWith('*')) {
    reader.complainAbout('address', `"address" is that of one interface, and ${shown(name)} may be several. Write an [[interface]] for the one.`);
  }
  problems.push(...reader.problems);
  return { name, zone, ...(mac === null ? {} : { mac }), ...(dhcp === null ? {} : { dhcp }), ...(address === null ? {} : { address }) };
}
