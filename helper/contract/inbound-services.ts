/** Services that `allow` of a `[[zone]]` can name, with what they listen on. Source: IANA, Service Name and Port Number Registry. */

export interface ServicePorts {
  readonly protocol: 'tcp' | 'udp';
  /** As in bastion.toml: `22`, `6000-6010`. */
  readonly ports: string;
}

function tcp(ports: string): ServicePorts {
  return { protocol: 'tcp', ports };
}

function udp(ports: string): ServicePorts {
  return { protocol: 'udp', ports };
}

/** In the order in which they are offered. */
export const INBOUND_SERVICES: ReadonlyMap<string, readonly ServicePorts[]> = new Map<string, readonly ServicePorts[]>([
  ['ssh', [tcp('22')]],
  ['http', [tcp('80')]],
  // HTTP/3 too. Source: RFC 9114.
  ['https', [tcp('443'), udp('443')]],
  ['dns', [tcp('53'), udp('53')]],
  ['dhcp-server', [udp('67')]],
  ['dhcpv6-server', [udp('547')]],
  ['ntp', [udp('123')]],
  ['ftp', [tcp('21')]],
  ['tftp', [udp('69')]],
  ['rsync', [tcp('873')]],
  ['smtp', [tcp('25')]],
  ['submission', [tcp('465,587')]],
  ['imap', [tcp('143')]],
  ['imaps', [tcp('993')]],
  ['ldap', [tcp('389')]],
  ['ldaps', [tcp('636')]],
  ['syslog', [udp('514')]],
  ['snmp', [udp('161')]],
  ['mqtt', [tcp('1883')]],
  ['mqtts', [tcp('8883')]],
  ['postgresql', [tcp('5432')]],
  ['mysql', [tcp('3306')]],
  ['mdns', [udp('5353')]],
  ['llmnr', [tcp('5355'), udp('5355')]],
  // SSDP of UPnP.
  ['ssdp', [udp('1900')]],
  // Devices that are searched for: WS-Discovery.
  ['ws-discovery', [udp('3702')]],
  ['ipp', [tcp('631'), udp('631')]],
  // SMB, and the names of NetBIOS that older machines look for.
  ['samba', [tcp('139,445'), udp('137-138')]],
  ['nfs', [tcp('2049')]],
  ['rdp', [tcp('3389'), udp('3389')]],
  ['vnc', [tcp('5900-5903')]],
  // Source: KDE Connect, firewall rules.
  ['kdeconnect', [tcp('1714-1764'), udp('1714-1764')]],
  // Source: Syncthing, firewall setup: transfers over TCP and QUIC, and the search for devices.
  ['syncthing', [tcp('22000'), udp('22000,21027')]],
  ['transmission', [tcp('51413'), udp('51413')]],
  // Source: Steam, required ports: Remote Play.
  ['steam-remote-play', [tcp('27036-27037'), udp('27031-27036')]],
  // Source: Spotify Connect and Chromecast, local network.
  ['spotify', [tcp('57621'), udp('57621')]],
  ['minecraft', [tcp('25565')]],
  ['wireguard', [udp('51820')]],
  ['openvpn', [tcp('1194'), udp('1194')]],
  ['ipsec', [udp('500,4500')]],
]);
