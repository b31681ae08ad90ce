/** The network page in words: interfaces, zones and the network that this computer is in. */
import { assertNever } from '../../helper/contract/errors.ts';
import type { NetworkAddress, NetworkContainer, NetworkInterface, NetworkState, NetworkZone, ProfileInfo } from '../../helper/contract/types.ts';
import { _, fill, ngettext } from '../i18n.ts';
import { countText } from './durations.ts';
import { listText } from './format.ts';
import { inboundLine, inboundOf } from './inbound.ts';
import { visible } from './plain-text.ts';
import { profileName } from './profiles.ts';

/** Everything that the page shows. */
export interface NetworkView {
  readonly interfaces: readonly NetworkInterface[];
  readonly zones: readonly NetworkZone[];
  readonly containers: readonly NetworkContainer[];
  readonly state: NetworkState;
  readonly profiles: readonly ProfileInfo[];
}

export interface NetworkRow {
  readonly icon: string;
  readonly title: string;
  readonly text: string;
  /** Something of it wants to be mended. */
  readonly isWrong: boolean;
}

/** One line of what is known of the network. */
export interface HereRow {
  readonly title: string;
  readonly text: string;
  /** Stands at the row's end. */
  readonly value: string;
}

/** Names in one line; more are counted. */
const NAMES_SHOWN = 8;
/** A machine full of containers has thousands; the rest is counted, and listed by bastionctl. */
export const ROWS_SHOWN = 100;

type Kind = NetworkInterface['kind'];

function kindText(kind: Kind): string {
  switch (kind) {
    case 'loopback': return _('this computer itself');
    case 'ethernet': return _('wired');
    case 'wireless': return _('wireless');
    case 'bridge': return _('bridge');
    case 'tunnel': return _('tunnel or VPN');
    case 'container': return _('container or virtual machine');
    case 'virtual': return _('virtual');
    case 'other': return _('other kind');
    default: return assertNever(kind);
  }
}

const WARNING_ICON = 'dialog-warning-symbolic';
const ZONE_ICON = 'network-workgroup-symbolic';

const ICONS: Readonly<Record<Kind, string>> = {
  loopback: 'computer-symbolic', ethernet: 'network-wired-symbolic', wireless: 'network-wireless-symbolic', bridge: 'network-server-symbolic',
  tunnel: 'network-vpn-symbolic', container: 'package-x-generic-symbolic', virtual: 'network-wired-symbolic', other: 'network-wired-symbolic',
};

function stateText({ up, connected }: NetworkInterface): string {
  if (!up) return _('switched off');
  return connected ? _('connected') : _('not connected');
}

/** What is special of an address, most telling first; '' for nothing. */
function addressNote({ scope, dynamic, temporary, deprecated }: NetworkAddress): string {
  const notes = [
    ...(scope === 'link' ? [_('this network only')] : []), ...(scope === 'host' ? [_('this computer only')] : []),
    ...(temporary ? [_('changes to protect privacy')] : []), ...(dynamic && !temporary ? [_('given by the network')] : []),
    ...(deprecated ? [_('not used for new connections')] : []),
  ];
  return notes.join(', ');
}

function addressLine(address: NetworkAddress): string {
  const text = `${visible(address.address, 64)}/${String(address.prefix)}`;
  const note = addressNote(address);
  return note === '' ? text : fill(_('{address}  ({note})'), { address: text, note });
}

/** `a, b and c`, or the first few `and 12 more`. */
export function namesText(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN).map((name) => visible(name, 64));
  const more = names.length - shown.length;
  if (more === 0) return listText(shown);
  return fill(ngettext('{names} and {number} more', '{names} and {number} more', more), { names: shown.join(', '), number: countText(more) });
}

/** `wired  ·  connected`. */
export function interfaceState(one: NetworkInterface): string {
  return [kindText(one.kind), stateText(one)].join('  ·  ');
}

/** One interface: what is wrong with it, its state, then each address in a line of its own. */
export function interfaceRow(one: NetworkInterface): NetworkRow {
  const zone = one.zone === '' ? _('in no zone') : fill(_('zone {zone}'), { zone: visible(one.zone, 64) });
  const more = one.addresses_left_out ?? 0;
  const problem = one.problem ?? '';
  const lines = [
    [interfaceState(one), zone].join('  ·  '), ...(problem === '' ? [] : [visible(problem, 300)]), ...one.addresses.map(addressLine),
    ...(more === 0 ? [] : [fill(ngettext('{number} more address', '{number} more addresses', more), { number: countText(more) })]),
  ];
  return { icon: problem === '' ? ICONS[one.kind] : WARNING_ICON, title: visible(one.name, 64), text: lines.join('\n'), isWrong: problem !== '' };
}

function setsLine(sets: NonNullable<NetworkZone['sets']>): string {
  const wrong = sets.filter(({ state }) => state === 'missing' || state === 'failed').length;
  if (wrong === 0) return '';
  return fill(ngettext('{number} of its address sets cannot be kept.', '{number} of its address sets cannot be kept.', wrong), { number: countText(wrong) });
}

/** One zone: who belongs to it, what it does with connections from outside, and what is wrong. */
export function zoneRow(zone: NetworkZone, { inbound_by: keeper }: NetworkState): NetworkRow {
  const { id, interfaces, containers = [], addresses, sets = [] } = zone;
  const wrong = setsLine(sets);
  const inbound = inboundLine(inboundOf(zone), keeper);
  const lines = [
    interfaces.length === 0 ? _('None of its interfaces is present now.') : namesText(interfaces),
    ...(containers.length === 0 ? [] : [fill(ngettext('{number} container', '{number} containers', containers.length), { number: countText(containers.length) })]),
    ...(addresses.length === 0 ? [] : [namesText(addresses)]), ...(inbound === '' ? [] : [inbound]), ...(wrong === '' ? [] : [wrong]),
  ];
  return { icon: wrong === '' ? ZONE_ICON : WARNING_ICON, title: visible(id, 64), text: lines.join('\n'), isWrong: wrong !== '' };
}

/** The first lines of a zone, for the file: of an interface that is there. */
export function zoneExample(interfaces: readonly NetworkInterface[]): string {
  const name = interfaces.find(({ kind, up, connected, zone }) => up && connected && zone === '' && kind !== 'loopback')?.name ?? 'eth0';
  // A name that is not what it looks like is not written into a file for anybody.
  return `[[interface]]\nname = "${/^[\w.@-]{1,15}$/.test(name) ? name : 'eth0'}"\nzone = "home"`;
}

/** The network that this computer is in. */
export function hereRows({ state, profiles }: Pick<NetworkView, 'state' | 'profiles'>): readonly HereRow[] {
  const active = profiles.find((profile) => profile.active);
  const gateways = state.gateways.map(({ address, mac }) => (mac === '' ? visible(address, 64) : `${visible(address, 64)} (${visible(mac, 32)})`));
  const none = _('None');
  const connections = state.connections.length === 0 ? _('None that NetworkManager reports') : namesText(state.connections);
  return [
    { title: _('Connection'), text: connections, value: '' },
    ...(state.ssids.length === 0 ? [] : [{ title: _('Wireless network'), text: namesText(state.ssids), value: '' }]),
    { title: _('Gateway'), text: gateways.length === 0 ? none : gateways.join('\n'), value: '' },
    { title: _('Profile'), text: active === undefined ? none : profileName(active), value: '' },
  ];
}

/** Says how many of `total` rows are not shown; '' where all are. `command` lists them. */
export function moreNote(total: number, command: string): string {
  const more = total - ROWS_SHOWN;
  if (more <= 0) return '';
  return fill(ngettext('{number} more is listed by “{command}”.', '{number} more are listed by “{command}”.', more), { number: countText(more), command });
}
