/**
 * config.yaml of rust-network-mgr: interfaces with zones, whose addresses it keeps in sets of the nftables table `inet filter`,
 * `<zone>_ips` and `<zone>_ipv6`, which it makes; those of Docker's containers in `docker_ips` and `docker_ipv6`. Told as tables for
 * bastion.toml; nothing is set.
 */
import { BastionError } from '../contract/errors.ts';
import { parseAddress } from '../policy/text.ts';
import { Draft, quoted } from './draft.ts';
import { INTERFACE_KEYS, readLoose } from './loose-interfaces.ts';
import { get, textAt } from './node.ts';
import type { Document, Entry, Node, TableNode } from './node.ts';
import { refuse } from './types.ts';
import type { Imported } from './types.ts';
import { readYaml } from './yaml.ts';

/** Where its documentation says that its control socket is. */
export const CONTROL_SOCKET = '/run/rust-network-mgr.sock';

const INTERFACE_NAME = /^[A-Za-z0-9_.-]{1,15}$/;
/** What it wrote as a zone, and what of that can be one here. */
const ORIGINAL_ZONE = /^[A-Za-z0-9_-]{1,32}$/;
const DOCKER = 'docker';
/** Directly in /run: elsewhere the folder is not there without that program, or the helper may not write to it. */
const SOCKET_IN_RUN = /^(?:\/var)?\/run\/[\w.@-]{1,80}$/;

const OTHERS: Readonly<Record<string, string>> = {
  nftables_rules_path: 'rust-network-mgr did not use it.',
  http_bind_addr: 'There is no HTTP interface here: bastionctl network with --json, D-Bus and the control socket tell the same.',
};

/** A zone here, and the name that its sets have without their ending. */
interface Zone {
  readonly name: string;
  readonly stem: string;
  readonly at: number;
}

/** Reads config.yaml. Throws BastionError InvalidArgument with line and column, or LimitReached. */
export function importNetworkManager(text: string, isTaken: (path: string) => boolean = () => false): Imported {
  const { document: { root, lines }, isLoose } = readEither(text);
  if (root.kind !== 'table') return refuse(lines.place(root.at), 'this is no configuration of rust-network-mgr: there is no "interfaces".');
  const draft = new Draft(lines, '');
  if (isLoose) {
    draft.review({ at: 0, source: 'the indentation', text: 'The lines are not indented as YAML wants it, so rust-network-mgr reads them otherwise or not at all. They were read by their keys: compare the interfaces.' });
  }
  const reading = new Reading(draft);
  const interfaces = root.entries.get('interfaces');
  if (interfaces !== undefined) reading.interfaces(interfaces);
  for (const [key, { at }] of root.entries) {
    if (key === 'interfaces' || key === 'socket_path') continue;
    draft.skipped({ at, source: key, text: Object.hasOwn(OTHERS, key) ? OTHERS[key] ?? '' : 'This key is not known; rust-network-mgr passes over it too.' });
  }
  reading.zoneTables();
  if (interfaces !== undefined) reading.docker(interfaces.at);
  reading.control(root, isTaken);
  return draft.done();
}

/** As YAML where it is that and has every key where it belongs, else by the keys. */
function readEither(text: string): { readonly document: Document; readonly isLoose: boolean } {
  let strict: Document | null = null;
  let problem: unknown = null;
  try {
    strict = readYaml(text);
    if (!isAstray(strict.root)) return { document: strict, isLoose: false };
  } catch (error: unknown) {
    if (!(error instanceof BastionError) || error.code !== 'InvalidArgument') throw error;
    problem = error;
  }
  try {
    return { document: readLoose(text), isLoose: true };
  } catch {
    if (strict !== null) return { document: strict, isLoose: false };
    throw problem;
  }
}

/** Keys of an interface stand at the margin, or in an item of their own. */
function isAstray(root: Node): boolean {
  if (root.kind !== 'table') return false;
  if (INTERFACE_KEYS.some((key) => root.entries.has(key))) return true;
  const interfaces = get(root, 'interfaces');
  if (interfaces?.kind === 'table') return interfaces.entries.has('name');
  return interfaces?.kind === 'list' && interfaces.items.some((item) => item.kind === 'table' && !item.entries.has('name'));
}

class Reading {
  readonly #draft: Draft;
  readonly #names = new Set<string>();
  /** By what the file calls it. */
  readonly #zones = new Map<string, Zone>();

  constructor(draft: Draft) {
    this.#draft = draft;
  }

  interfaces({ at, value }: Entry): void {
    if (value.kind !== 'list') {
      this.#draft.skipped({ at, source: 'interfaces', text: 'This is no list of interfaces.' });
      return;
    }
    for (const one of value.items) {
      if (one.kind === 'table') this.#interface(one);
      else this.#draft.skipped({ at: one.at, source: 'interfaces', text: 'This is no interface: it has no name.' });
    }
  }

  #interface(table: TableNode): void {
    const name = textAt(table, 'name') ?? '';
    const { at } = table;
    if (!INTERFACE_NAME.test(name)) {
      this.#draft.skipped({ at, source: `interfaces: ${name}`, text: 'This is no name of an interface.' });
      return;
    }
    const lines = [`name = "${name}"`];
    const asked = textAt(table, 'nftables_zone');
    const zone = asked === null ? '' : this.#zone(asked, table.entries.get('nftables_zone')?.at ?? at);
    if (asked === null) this.#draft.skipped({ at, source: name, text: 'It has no zone, so there is nothing to say of it here.' });
    else if (typeof zone === 'string') this.#draft.review({ at, source: name, text: zone });
    else if (this.#names.has(name)) this.#draft.review({ at, source: name, text: 'This interface stands here already; one is in one zone.' });
    else {
      this.#names.add(name);
      lines.push(`zone = "${zone.name}"`);
      this.#draft.kept({ at, source: name, text: `In zone ${zone.name}: an [[interface]] for bastion.toml.` });
    }
    const isTold = lines.length === 2;
    for (const [key, entry] of table.entries) {
      if (key === 'name' || key === 'nftables_zone') continue;
      const line = key === 'dhcp' ? this.#dhcp(name, entry, isTold) : key === 'address' ? this.#address(name, entry, isTold) : this.#unknown(name, key, entry);
      if (line !== '') lines.push(line);
    }
    if (isTold) this.#draft.setting(`[[interface]]\n${lines.join('\n')}\n`);
  }

  #dhcp(name: string, { at, value }: Entry, isTold: boolean): string {
    const source = `${name}: dhcp`;
    if (value.kind === 'null' || !isTold) return '';
    if (value.kind !== 'flag') {
      this.#draft.review({ at, source, text: 'This is neither true nor false; it was left out.' });
      return '';
    }
    if (!value.value) {
      this.#draft.kept({ at, source, text: 'All addresses of the interface are in the sets, as before.' });
      return '';
    }
    this.#draft.changed({ at, source, text: 'Here it means that only addresses which the network gave are in the sets; rust-network-mgr put all of them there. Remove dhcp = true for all.' });
    return 'dhcp = true';
  }

  #address(name: string, { at, value }: Entry, isTold: boolean): string {
    const source = `${name}: address`;
    if (value.kind === 'null' || !isTold) return '';
    const text = value.kind === 'text' ? value.value.trim() : '';
    const [address = ''] = text.split('/');
    const isOne = text !== '' && parseAddress(text).ok && /^[0-9a-f.:]+$/i.test(address);
    if (!isOne) {
      this.#draft.review({ at, source, text: `${quoted(text)} is no address, such as 192.168.1.1; it was left out.` });
      return '';
    }
    this.#draft.changed({ at, source, text: 'rust-network-mgr did nothing with it. Here it is said when the interface has not got this address; Bastion Firewall does not set it.' });
    return `address = "${address.toLowerCase()}"`;
  }

  #unknown(name: string, key: string, { at }: Entry): string {
    this.#draft.skipped({ at, source: `${name}: ${key}`, text: 'This key is not known; rust-network-mgr passes over it too.' });
    return '';
  }

  /** A sentence for a name that cannot be a zone here, or would be one with another's name or sets. */
  #zone(asked: string, at: number): Zone | string {
    const known = this.#zones.get(asked);
    if (known !== undefined) return known;
    const name = asked.toLowerCase();
    if (!ORIGINAL_ZONE.test(asked) || !/^[a-z0-9]/.test(name)) return `${quoted(asked)} is no name of a zone here: small letters, digits, "_" and "-", at most 32.`;
    const plain = asked.replaceAll('-', '_');
    const stem = /^[A-Za-z]/.test(plain) ? plain : `zone_${plain}`;
    for (const [other, zone] of this.#zones) {
      if (zone.name === name) return `${quoted(asked)} and ${quoted(other)} would be one zone here: names have small letters. Give one of them another name.`;
      if (zone.stem === stem) return `${quoted(asked)} and ${quoted(other)} would have the same sets here, ${stem}_ips and ${stem}_ipv6. Give one of them another name.`;
    }
    const zone = { name, stem, at };
    this.#zones.set(asked, zone);
    return zone;
  }

  zoneTables(): void {
    for (const [asked, zone] of this.#zones) {
      const { name, stem, at } = zone;
      if (stem !== asked) {
        this.#draft.changed({ at, source: `zone ${asked}`, text: `Sets have no "-" and no digit in front in their names here: they are ${stem}_ips and ${stem}_ipv6. Change the rules that use the old ones.` });
      } else if (name !== asked) this.#draft.changed({ at, source: `zone ${asked}`, text: `It is ${name} here; the sets keep their names.` });
      this.#draft.setting(zoneText(zone));
    }
  }

  /** It put them there unasked. */
  docker(at: number): void {
    if (![...this.#zones.values()].some(({ name }) => name === DOCKER)) this.#draft.setting(zoneText({ name: DOCKER, stem: DOCKER, at }));
    this.#draft.setting(`[[container]]\nname = "*"\nzone = "${DOCKER}"\n`);
    this.#draft.changed({ at, source: DOCKER, text: 'rust-network-mgr kept an address of each container in docker_ips and docker_ipv6: a [[zone]] and a [[container]] for all addresses of all containers. Leave both out if no rule uses these sets.' });
  }

  control(root: TableNode, isTaken: (path: string) => boolean): void {
    const given = textAt(root, 'socket_path');
    const at = root.entries.get('socket_path')?.at ?? 0;
    const source = 'socket_path';
    const path = given === null ? CONTROL_SOCKET : SOCKET_IN_RUN.test(given) ? given.replace(/^\/var/, '') : CONTROL_SOCKET;
    if (isTaken(path)) {
      this.#draft.review({ at, source, text: `The control socket: something is at ${path} already, such as rust-network-mgr itself. When it is gone, write [control] with socket = "${path}" into bastion.toml.` });
      return;
    }
    this.#draft.setting(`[control]\nsocket = "${path}"\n`);
    if (given !== null && given.replace(/^\/var/, '') === path) this.#draft.kept({ at, source, text: `The control socket at ${path}: [control] for bastion.toml. It answers status, reload and ping, not shutdown.` });
    else {
      const before = given === null ? 'without this key it was not at the same place in every version' : `${quoted(given)} is at no place that is there without that program, and is root’s alone`;
      this.#draft.changed({ at, source, text: `The control socket: ${before}. Here it is at ${path}; change the scripts that use it, or the path.` });
    }
  }
}

/** What else was in the sets went with every change there too. */
function zoneText({ name, stem }: Zone): string {
  return `[[zone]]\nname = "${name}"\nfamily = "inet"\ntable = "filter"\nset4 = "${stem}_ips"\nset6 = "${stem}_ipv6"\ncreate = true\nkeep_others = false\n`;
}
