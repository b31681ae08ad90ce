/** Ports and protocols in words; the number always stays visible. */
import { _, fill } from '../i18n.ts';

type Words = () => string;

const TCP: Readonly<Record<number, Words>> = {
  20: () => _('file transfer'),
  21: () => _('file transfer'),
  22: () => _('secure shell'),
  25: () => _('mail delivery'),
  53: () => _('name lookup'),
  80: () => _('unencrypted web'),
  110: () => _('unencrypted mail'),
  143: () => _('unencrypted mail'),
  443: () => _('encrypted web'),
  445: () => _('Windows file sharing'),
  465: () => _('encrypted mail delivery'),
  587: () => _('mail delivery'),
  631: () => _('printing'),
  853: () => _('encrypted name lookup'),
  873: () => _('file synchronisation'),
  993: () => _('encrypted mail'),
  995: () => _('encrypted mail'),
  3389: () => _('remote desktop'),
  5222: () => _('chat'),
  5432: () => _('database'),
  3306: () => _('database'),
  9418: () => _('source code'),
};
const UDP: Readonly<Record<number, Words>> = {
  53: () => _('name lookup'),
  67: () => _('network set-up'),
  68: () => _('network set-up'),
  123: () => _('clock'),
  137: () => _('Windows network names'),
  443: () => _('encrypted web'),
  853: () => _('encrypted name lookup'),
  1900: () => _('device discovery'),
  3478: () => _('calls'),
  5353: () => _('device discovery'),
  51820: () => _('VPN'),
};

/** `encrypted web (443)`; `TCP port 8080`; `ping`. `protocol` as in the contract: tcp, udp, icmp or a number. */
export function serviceName(protocol: string, port: number): string {
  const number = String(port);
  if (protocol === 'icmp') return port === 8 || port === 128 ? _('ping') : fill(_('network message (ICMP {number})'), { number });
  const table = protocol === 'tcp' ? TCP : protocol === 'udp' ? UDP : {};
  const words = table[port];
  if (words !== undefined) return `${words()} (${number})`;
  if (protocol === 'tcp') return fill(_('TCP port {number}'), { number });
  if (protocol === 'udp') return fill(_('UDP port {number}'), { number });
  return fill(_('protocol {protocol}'), { protocol });
}

/** `port 443`, `ping`, for use inside a sentence. */
export function portPhrase(protocol: string, port: number): string {
  if (protocol === 'tcp' || protocol === 'udp') return fill(_('port {number}'), { number: String(port) });
  return serviceName(protocol, port);
}
