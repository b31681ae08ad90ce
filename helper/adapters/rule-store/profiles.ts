/** The tables `[[profile]]` of bastion.toml, and the key `default_profile`. */
import type { Profile, ProfileNetwork, Settings } from '../../ports.ts';
import { FieldReader } from './field-reader.ts';
import type { TextResult } from './field-reader.ts';
import { ZONE_NAME, ZONE_WORDS, addressOf, macOf, mustMatch, tables } from './interfaces.ts';
import { LIMITS } from './limits.ts';
import { didYouMean, shown } from './text.ts';
import type { Problem, Section } from './toml.ts';

const PROFILE_ID = ZONE_NAME;
const PRINTABLE = /^[^\p{C}\p{Zl}\p{Zp}]+$/u;
/** Source: IEEE 802.11, SSID element. */
const SSID_BYTES = 32;

/** What the tables say; `defaultProfile` is the key of that name, which has to name one of them. `zones`: those that there are. */
export function readProfiles(sections: readonly Section[], top: FieldReader, zones: ReadonlySet<string>): {
  readonly settings: Pick<Settings, 'profiles' | 'defaultProfile'>;
  readonly problems: readonly Problem[];
} {
  const problems: Problem[] = [];
  const profiles = tables(sections, 'profile', LIMITS.profiles, problems).map((section) => readProfile(section, zones, problems));
  complainAboutRepeated(profiles, problems);
  const defaultProfile = top.text('default_profile', LIMITS.termLength);
  if (defaultProfile !== null && !profiles.some(({ profile }) => profile.id === defaultProfile)) {
    top.complainAbout('default_profile', `There is no [[profile]] with the id ${shown(defaultProfile)}. Add it, or name another one.`);
  }
  return {
    settings: {
      ...(profiles.length === 0 ? {} : { profiles: profiles.map(({ profile }) => profile) }),
      ...(defaultProfile === null ? {} : { defaultProfile }),
    },
    problems,
  };
}

interface PlacedProfile {
  readonly profile: Profile;
  readonly section: Section;
}

function readProfile(section: Section, zones: ReadonlySet<string>, problems: Problem[]): PlacedProfile {
  const reader = new FieldReader(section.table, section.at);
  reader.keys(['id', 'name', 'network'], [], 'profile.');
  const id = mustMatch(reader, section, 'id', PROFILE_ID, 'small letters, digits, "_" and "-", at most 32');
  const name = reader.text('name', LIMITS.nameLength) ?? id;
  const inner = reader.sub('network', ['connection', 'ssid', 'zone', 'gateway', 'mac'], []);
  const network = inner === null ? null : readNetwork(inner, zones);
  problems.push(...reader.problems, ...(inner?.problems ?? []));
  return { profile: network === null ? { id, name } : { id, name, network }, section };
}

function readNetwork(reader: FieldReader, zones: ReadonlySet<string>): ProfileNetwork {
  const connection = reader.parsed('connection', printable(LIMITS.nameLength, 'the name of a connection'));
  const ssid = reader.parsed('ssid', printable(SSID_BYTES, 'the name of a wireless network, of at most 32 bytes'));
  const zone = reader.parsed('zone', zoneAmong(zones));
  const gateway = reader.parsed('gateway', addressOf);
  const mac = reader.parsed('mac', macOf);
  if (mac !== null && gateway === null && !reader.isWrong) reader.complainAbout('mac', '"mac" is that of the gateway. Add gateway = "192.168.1.1".');
  return {
    ...(connection === null ? {} : { connection }), ...(ssid === null ? {} : { ssid }), ...(zone === null ? {} : { zone }),
    ...(gateway === null ? {} : { gateway }), ...(mac === null ? {} : { mac }),
  };
}

/** One that an interface can be in: a profile would never be recognized by another. */
function zoneAmong(zones: ReadonlySet<string>): (text: string) => TextResult<string> {
  return (text) => {
    if (!ZONE_NAME.test(text)) return { ok: false, message: `${shown(text)} is not ${ZONE_WORDS}` };
    if (zones.has(text)) return { ok: true, value: text };
    return { ok: false, message: `no interface is in a zone ${shown(text)}; add it with an [[interface]]${didYouMean(text, [...zones]).replace(/[.?]$/u, '')}` };
  };
}

function printable(limitBytes: number, what: string): (text: string) => TextResult<string> {
  return (text) => (
    PRINTABLE.test(text) && Buffer.byteLength(text) <= limitBytes ? { ok: true, value: text } : { ok: false, message: `${shown(text)} is not ${what}` }
  );
}

function complainAboutRepeated(profiles: readonly PlacedProfile[], problems: Problem[]): void {
  const ids = new Set<string>();
  for (const { profile: { id }, section } of profiles) {
    if (ids.has(id) && id !== '') problems.push({ ...section.at, message: `The id ${shown(id)} is used for a [[profile]] already. Give this one another id.` });
    ids.add(id);
  }
}
