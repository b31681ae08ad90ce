/**
 * What `[[zone]] inbound` comes to: which new connections from outside netfilter lets in, and which program may answer where an
 * entry names one. netfilter knows no program; a server's first answer (of TCP the SYN-ACK) is decided like any flow.
 */
import { INBOUND_SERVICES } from '../contract/inbound-services.ts';
import type { PortRange, Rule } from '../contract/vocabulary.ts';
import { addressWords, maskWord, toPrefix } from '../policy/address.ts';
import type { Prefix } from '../policy/address.ts';
import { matchesProgram } from '../policy/facts.ts';
import type { Facts, Moment } from '../policy/facts.ts';
import { interfaceMatches } from '../policy/places.ts';
import { parsePorts } from '../policy/text.ts';
import type { AllowedInbound, InboundMatch, InboundSpec, InboundWay, InterfaceSettings, NetworkLink, Settings } from '../ports.ts';

const TCP = 6;
const UDP = 17;
/** Multicast DNS and DHCP are let in by exceptions of their own: an entry for every port of one program does not take them away. */
const EXCEPTED_UDP: readonly number[] = [68, 546, 5353];

type InboundSettings = Pick<Settings, 'interfaces' | 'zones' | 'defaultZone'>;

/** What one entry says of packets: one match for each protocol that it names. */
function matchesOf({ service, ports, protocol, application, from }: AllowedInbound): readonly InboundMatch[] {
  const source = from === undefined ? {} : { from };
  if (service !== undefined) {
    return (INBOUND_SERVICES.get(service) ?? []).map((one) => {
      const parsed = parsePorts(one.ports);
      return { ...source, protocol: one.protocol, ...(parsed.ok && parsed.value !== undefined ? { ports: parsed.value } : {}) };
    });
  }
  if (protocol !== undefined) return [{ ...source, protocol, ...(ports === undefined ? {} : { ports }) }];
  if (ports !== undefined) return [{ ...source, protocol: 'tcp', ports }, { ...source, protocol: 'udp', ports }];
  // Only of TCP and UDP is it known which program answers.
  return application === undefined ? [source] : [{ ...source, protocol: 'tcp' }, { ...source, protocol: 'udp' }];
}

/** The interfaces that an `[[interface]]` means: by name as it is written, by hardware address those that are there. */
function waysOf({ name, mac, zone }: InterfaceSettings, links: readonly Pick<NetworkLink, 'name' | 'mac'>[]): readonly InboundWay[] {
  if (mac === undefined) return [{ interface: name, zone }];
  return links
    .filter((link) => link.mac === mac && (name === '' || interfaceMatches(name, link.name)))
    .map((link) => ({ interface: link.name, zone }));
}

/** null where no zone refuses anything: then nothing of it is in netfilter. */
export function inboundSpec({ interfaces = [], zones = [], defaultZone }: InboundSettings, links: readonly Pick<NetworkLink, 'name' | 'mac'>[]): InboundSpec | null {
  const refusing = zones.filter(({ inbound }) => inbound === 'deny');
  if (refusing.length === 0) return null;
  const ways = interfaces.flatMap((one) => waysOf(one, links));
  if (defaultZone !== undefined) ways.push({ interface: '', zone: defaultZone });
  const last = ways.findLastIndex(({ zone }) => refusing.some(({ name }) => name === zone));
  return {
    ways: ways.slice(0, last + 1),
    zones: refusing.map(({ name, inboundAllow }) => ({ name, allow: inboundAllow.flatMap(matchesOf) })),
  };
}

interface Entry {
  readonly protocol: number | null;
  readonly ports: readonly PortRange[] | null;
  readonly from: Prefix | null;
  /** An allow rule for the only program; null for any. */
  readonly rule: Rule | null;
}

function ruleFor(path: string): Rule {
  return {
    id: '', name: '', action: 'allow', enabled: true, match: { path, allScripts: true }, lifetime: 'always', priority: 0,
    tier: 'administrator', group: '', created: 0, source: null,
  };
}

function entriesOf(allowed: AllowedInbound): readonly Entry[] {
  const rule = allowed.application === undefined ? null : ruleFor(allowed.application);
  return matchesOf(allowed).map(({ protocol, ports, from }) => ({
    protocol: protocol === undefined ? null : protocol === 'tcp' ? TCP : UDP,
    ports: ports ?? null, from: from === undefined ? null : toPrefix(from), rule,
  }));
}

function holdsAddress(prefix: Prefix, family: 4 | 6, words: readonly number[]): boolean {
  return prefix.family === family && prefix.words.every((word, at) => word === maskWord(words[at] ?? 0, prefix.bits - at * 32));
}

/** Did the entry let in what this flow answers? */
function covers({ protocol, ports, from }: Entry, { protocol: used, sourcePort, family, destinationAddress }: Facts['tuple']): boolean {
  if (protocol !== null && protocol !== used) return false;
  if (ports === null ? used === UDP && EXCEPTED_UDP.includes(sourcePort) : !ports.some(({ first, last }) => sourcePort >= first && sourcePort <= last)) return false;
  return from === null || holdsAddress(from, family, addressWords(destinationAddress) ?? []);
}

/** Which answers to peers `application` of `allow` refuses. */
export class InboundLimits {
  readonly #zones: ReadonlyMap<string, readonly Entry[]>;
  readonly #zoneOf: (interfaceName: string) => string | null;

  private constructor(zones: ReadonlyMap<string, readonly Entry[]>, zoneOf: (interfaceName: string) => string | null) {
    this.#zones = zones;
    this.#zoneOf = zoneOf;
  }

  /** null where no entry names a program. */
  static of({ zones = [] }: InboundSettings, zoneOf: (interfaceName: string) => string | null): InboundLimits | null {
    const limiting = zones.filter(({ inbound, inboundAllow }) => inbound === 'deny' && inboundAllow.some(({ application }) => application !== undefined));
    if (limiting.length === 0) return null;
    return new InboundLimits(new Map(limiting.map(({ name, inboundAllow }) => [name, inboundAllow.flatMap(entriesOf)])), zoneOf);
  }

  /** Was what this flow answers let in for other programs only? */
  refuses(facts: Facts, moment: Pick<Moment, 'requireKernelIdentity'>): boolean {
    const { tuple, interfaceName = '' } = facts;
    if (tuple.protocol !== TCP && tuple.protocol !== UDP) return false;
    const zone = interfaceName === '' ? null : this.#zoneOf(interfaceName);
    const letIn = (zone === null ? [] : this.#zones.get(zone) ?? []).filter((entry) => covers(entry, tuple));
    return letIn.length > 0 && letIn.every(({ rule }) => rule !== null && !matchesProgram(rule, facts, moment));
  }
}
