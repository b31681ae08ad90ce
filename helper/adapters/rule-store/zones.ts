/** The tables `[[zone]]` of bastion.toml: in which sets of an nftables table the addresses of a zone are kept. */
import type { SetFamily, ZoneSettings } from '../../ports.ts';
import { FieldReader } from './field-reader.ts';
import { INBOUND_KEYS, readInbound } from './inbound.ts';
import { LIMITS } from './limits.ts';
import { mustMatch, ZONE_NAME } from './interfaces.ts';
import { didYouMean, shown } from './text.ts';
import type { Problem, Section } from './toml.ts';

/** Source: nft(8), ADDRESS FAMILIES. */
const FAMILIES: readonly SetFamily[] = ['inet', 'ip', 'ip6', 'bridge', 'netdev'];
/** Source: nft(8), identifiers; NFT_NAME_MAXLEN leaves room for more, which nobody writes by hand. */
const SET_NAME = /^[A-Za-z][A-Za-z0-9/\\_.]{0,127}$/;
const SET_NAME_LENGTH = 128;
/** Keys that say that a zone has sets. */
const SET_KEYS = ['family', 'table', 'set4', 'set6', 'create', 'keep_others'];

interface Read {
  readonly zones: readonly ZoneSettings[];
  readonly problems: readonly Problem[];
}

interface Placed {
  readonly zone: ZoneSettings;
  readonly reader: FieldReader;
}

/** Reads every `[[zone]]`, in the order of the file; `zones` counts only where there is no problem. */
export function readZones(sections: readonly Section[]): Read {
  const found = sections.filter(({ name, array }) => name === 'zone' && array);
  const placed = found.slice(0, LIMITS.zones).map((section) => readZone(section));
  complainAboutNames(placed);
  complainAboutSets(placed);
  const problems = placed.flatMap(({ reader }) => reader.problems);
  const first = found[LIMITS.zones];
  if (first !== undefined) problems.push({ ...first.at, message: `There are at most ${String(LIMITS.zones)} [[zone]]. Remove some.` });
  return { zones: placed.map(({ zone }) => zone), problems };
}

function readZone(section: Section): Placed {
  const reader = new FieldReader(section.table, section.at);
  reader.keys(['name', ...SET_KEYS, ...INBOUND_KEYS], [], 'zone.');
  const name = mustMatch(reader, section, 'name', ZONE_NAME, 'small letters, digits, "_" and "-", at most 32');
  const family = familyOf(reader);
  // Whoever writes the table only to say what comes in asks for no sets.
  const hasSets = SET_KEYS.some((key) => reader.has(key)) || !INBOUND_KEYS.some((key) => reader.has(key));
  const plain = defaultName(name);
  const zone: ZoneSettings = {
    name, family,
    table: setName(reader, 'table', false) ?? 'filter',
    set4: setName(reader, 'set4', true) ?? (hasSets && family !== 'ip6' ? `${plain}_ips` : ''),
    set6: setName(reader, 'set6', true) ?? (hasSets && family !== 'ip' ? `${plain}_ips6` : ''),
    create: reader.flag('create') ?? false,
    keepOthers: reader.flag('keep_others') ?? true,
    ...readInbound(reader),
    line: section.at.line,
  };
  complainAboutFamily(reader, zone);
  return { zone, reader };
}

/** A name that nft takes: no "-", and a letter in front. */
function defaultName(zone: string): string {
  const plain = zone.replaceAll('-', '_');
  return /^[a-z]/.test(plain) ? plain : `zone_${plain}`;
}

function familyOf(reader: FieldReader): SetFamily {
  const text = reader.text('family', LIMITS.idLength) ?? 'inet';
  const family = FAMILIES.find((one) => one === text);
  if (family !== undefined) return family;
  const choices = FAMILIES.map((one) => `"${one}"`).join(', ');
  reader.complainAbout('family', `${shown(text)} is no family of nftables tables; the families are ${choices}.${didYouMean(text, FAMILIES)}`);
  return 'inet';
}

function setName(reader: FieldReader, key: string, mayBeEmpty: boolean): string | null {
  const text = reader.text(key, SET_NAME_LENGTH, mayBeEmpty);
  if (text === null || text === '' || SET_NAME.test(text)) return text;
  reader.complainAbout(key, `${shown(text)} is no name of an nftables table or set: a letter, then letters, digits, "_", "." and "/".`);
  return text;
}

function complainAboutFamily(reader: FieldReader, { family, set4, set6 }: ZoneSettings): void {
  const wrong = family === 'ip' && set6 !== '' ? 'set6' : family === 'ip6' && set4 !== '' ? 'set4' : null;
  if (wrong === null) return;
  const version = wrong === 'set6' ? 'IPv6' : 'IPv4';
  reader.complainAbout(wrong, `Rules of the family "${family}" never see ${version}. Write ${wrong} = "", or family = "inet".`);
}

function complainAboutNames(placed: readonly Placed[]): void {
  const lines = new Map<string, number>();
  for (const { zone: { name, line }, reader } of placed) {
    const earlier = lines.get(name);
    if (earlier !== undefined && name !== '') {
      reader.complainAbout('name', `There is a [[zone]] ${shown(name)} in line ${String(earlier)} already. Put both together.`);
    }
    lines.set(name, earlier ?? line);
  }
}

function complainAboutSets(placed: readonly Placed[]): void {
  const owners = new Map<string, string>();
  for (const { zone, reader } of placed) {
    for (const key of ['set4', 'set6'] as const) {
      if (zone[key] === '') continue;
      const set = `${zone.family} ${zone.table} ${zone[key]}`;
      const owner = owners.get(set);
      if (owner === undefined) owners.set(set, `${key} of the zone ${shown(zone.name)}`);
      else reader.complainAbout(key, `The set ${set} is ${owner} already. Write another name: ${key} = "...".`);
    }
  }
}
