/** Services that a zone can let in by name, in words; the name always stays visible. */
import { _, fill } from '../i18n.ts';
import { visible } from './plain-text.ts';

/** The service by which a computer is reached from afar. */
export const SSH = 'ssh';

const WORDS: ReadonlyMap<string, () => string> = new Map([
  [SSH, (): string => _('Secure shell')],
  ['http', (): string => _('Web server')],
  ['https', (): string => _('Encrypted web server')],
  ['samba', (): string => _('Windows file sharing')],
  ['nfs', (): string => _('Network file system')],
  ['rsync', (): string => _('File copies')],
  ['ftp', (): string => _('File transfer')],
  ['tftp', (): string => _('Simple file transfer')],
  ['syncthing', (): string => _('File synchronization')],
  ['transmission', (): string => _('File sharing (BitTorrent)')],
  ['ipp', (): string => _('Printing')],
  ['rdp', (): string => _('Remote desktop')],
  ['vnc', (): string => _('Remote screen')],
  ['kdeconnect', (): string => _('Telephone (KDE Connect)')],
  ['mdns', (): string => _('Device discovery')],
  ['ssdp', (): string => _('Media discovery')],
  ['ws-discovery', (): string => _('Windows device discovery')],
  ['llmnr', (): string => _('Windows network names')],
  ['spotify', (): string => _('Music from a telephone (Spotify)')],
  ['steam-remote-play', (): string => _('Games on another screen (Steam)')],
  ['minecraft', (): string => _('Game server (Minecraft)')],
  ['wireguard', (): string => _('VPN (WireGuard)')],
  ['openvpn', (): string => _('VPN (OpenVPN)')],
  ['ipsec', (): string => _('VPN (IPsec)')],
  ['dns', (): string => _('Name server')],
  ['dhcp-server', (): string => _('Addresses for other devices')],
  ['dhcpv6-server', (): string => _('Addresses for other devices, IPv6')],
  ['ntp', (): string => _('Time server')],
  ['smtp', (): string => _('Mail delivery')],
  ['submission', (): string => _('Outgoing mail')],
  ['imap', (): string => _('Mailboxes')],
  ['imaps', (): string => _('Encrypted mailboxes')],
  ['ldap', (): string => _('People directory')],
  ['ldaps', (): string => _('Encrypted people directory')],
  ['syslog', (): string => _('System log of other devices')],
  ['snmp', (): string => _('Device management')],
  ['mqtt', (): string => _('Smart devices')],
  ['mqtts', (): string => _('Encrypted smart devices')],
  ['postgresql', (): string => _('Database (PostgreSQL)')],
  ['mysql', (): string => _('Database (MySQL)')],
]);

/** In the order in which they are offered. */
export const OFFERED_SERVICES: readonly string[] = [...WORDS.keys()];

/** `Secure shell (ssh)`; what has no words here is called by its name. */
export function inboundServiceName(service: string): string {
  const name = visible(service, 32);
  const words = WORDS.get(service);
  return words === undefined ? fill(_('The service {name}'), { name }) : fill(_('{what} ({name})'), { what: words(), name });
}
