/** Ports and protocols in words; the number always stays visible. */
import { visible } from './plain-text.ts';
import { _, fill } from '../i18n.ts';

type Words = () => string;

/** What a port is for, by its usual service. Source: the service names and port numbers that IANA registers. */
const WORDS = {
  fileTransfer: () => _('file transfer'),
  encryptedFileTransfer: () => _('encrypted file transfer'),
  shell: () => _('secure shell'),
  unencryptedShell: () => _('unencrypted remote login'),
  mailDelivery: () => _('mail delivery'),
  encryptedMailDelivery: () => _('encrypted mail delivery'),
  unencryptedMail: () => _('unencrypted mail'),
  encryptedMail: () => _('encrypted mail'),
  mailFilters: () => _('mail filters'),
  lookup: () => _('name lookup'),
  encryptedLookup: () => _('encrypted name lookup'),
  networkSetup: () => _('network setup'),
  web: () => _('unencrypted web'),
  encryptedWeb: () => _('encrypted web'),
  otherWeb: () => _('web on another port'),
  encryptedOtherWeb: () => _('encrypted web on another port'),
  webProxy: () => _('web proxy'),
  proxy: () => _('proxy'),
  tor: () => _('Tor'),
  clock: () => _('time synchronization'),
  windowsNames: () => _('Windows network names'),
  windowsFiles: () => _('Windows file sharing'),
  windowsServices: () => _('Windows network services'),
  appleFiles: () => _('Apple file sharing'),
  networkFiles: () => _('network file system'),
  fileSync: () => _('file synchronization'),
  printing: () => _('printing'),
  scanning: () => _('scanning'),
  directory: () => _('people directory'),
  encryptedDirectory: () => _('encrypted people directory'),
  logIn: () => _('network login (Kerberos)'),
  networkLogin: () => _('network login (RADIUS)'),
  news: () => _('newsgroups'),
  encryptedNews: () => _('encrypted newsgroups'),
  management: () => _('device management'),
  log: () => _('system log'),
  chat: () => _('chat'),
  encryptedChat: () => _('encrypted chat'),
  calls: () => _('calls'),
  encryptedCalls: () => _('encrypted calls'),
  media: () => _('sound and video'),
  cast: () => _('casting to a television'),
  remoteDesktop: () => _('remote desktop'),
  display: () => _('remote display (X11)'),
  database: () => _('database'),
  searchEngine: () => _('search engine'),
  cache: () => _('cache'),
  messages: () => _('message queue'),
  smartDevices: () => _('smart devices (MQTT)'),
  encryptedSmartDevices: () => _('encrypted smart devices (MQTT)'),
  sourceCode: () => _('source code'),
  keys: () => _('key server'),
  tracker: () => _('file sharing (BitTorrent)'),
  containers: () => _('containers'),
  vpn: () => _('VPN'),
  discovery: () => _('device discovery'),
  games: () => _('games'),
  push: () => _('push messages'),
  whois: () => _('who owns a name (whois)'),
  virtualMachines: () => _('virtual machines'),
  coins: () => _('cryptocurrency'),
} as const satisfies Readonly<Record<string, Words>>;

type Service = keyof typeof WORDS;

const TCP: ReadonlyMap<number, Service> = new Map([
  [20, 'fileTransfer'], [21, 'fileTransfer'], [22, 'shell'], [23, 'unencryptedShell'], [25, 'mailDelivery'], [43, 'whois'],
  [53, 'lookup'], [80, 'web'], [88, 'logIn'], [110, 'unencryptedMail'], [111, 'networkFiles'], [119, 'news'], [135, 'windowsServices'],
  [139, 'windowsFiles'], [143, 'unencryptedMail'], [389, 'directory'], [443, 'encryptedWeb'], [445, 'windowsFiles'],
  [465, 'encryptedMailDelivery'], [464, 'logIn'], [514, 'log'], [515, 'printing'], [548, 'appleFiles'], [554, 'media'],
  [563, 'encryptedNews'], [587, 'mailDelivery'], [631, 'printing'], [636, 'encryptedDirectory'], [853, 'encryptedLookup'],
  [873, 'fileSync'], [990, 'encryptedFileTransfer'], [993, 'encryptedMail'], [995, 'encryptedMail'], [1080, 'proxy'], [1194, 'vpn'],
  [1433, 'database'], [1521, 'database'], [1723, 'vpn'], [1883, 'smartDevices'], [1935, 'media'], [2049, 'networkFiles'],
  [2375, 'containers'], [2376, 'containers'], [3128, 'webProxy'], [3260, 'networkFiles'], [3306, 'database'], [3389, 'remoteDesktop'],
  [3478, 'calls'], [3690, 'sourceCode'], [4190, 'mailFilters'], [5060, 'calls'], [5061, 'encryptedCalls'], [5222, 'chat'],
  [5223, 'push'], [5228, 'push'], [5229, 'push'], [5230, 'push'], [5269, 'chat'], [5349, 'encryptedCalls'], [5432, 'database'],
  [5671, 'messages'], [5672, 'messages'], [5900, 'remoteDesktop'], [5901, 'remoteDesktop'], [5984, 'database'], [6000, 'display'],
  [6379, 'cache'], [6443, 'containers'], [6566, 'scanning'], [6667, 'chat'], [6697, 'encryptedChat'], [6881, 'tracker'],
  [8000, 'otherWeb'], [8008, 'cast'], [8009, 'cast'], [8080, 'otherWeb'], [8333, 'coins'], [8443, 'encryptedOtherWeb'],
  [8883, 'encryptedSmartDevices'], [8888, 'otherWeb'], [9001, 'tor'], [9030, 'tor'], [9050, 'tor'], [9100, 'printing'], [9150, 'tor'],
  [9200, 'searchEngine'], [9418, 'sourceCode'], [11211, 'cache'], [11371, 'keys'], [16509, 'virtualMachines'], [22000, 'fileSync'],
  [25565, 'games'], [27017, 'database'], [27036, 'games'], [50051, 'messages'], [51413, 'tracker'], [64738, 'calls'],
]);
const UDP: ReadonlyMap<number, Service> = new Map([
  [53, 'lookup'], [67, 'networkSetup'], [68, 'networkSetup'], [69, 'fileTransfer'], [88, 'logIn'], [111, 'networkFiles'],
  [123, 'clock'], [137, 'windowsNames'], [138, 'windowsNames'], [161, 'management'], [162, 'management'], [389, 'directory'],
  [443, 'encryptedWeb'], [500, 'vpn'], [514, 'log'], [546, 'networkSetup'], [547, 'networkSetup'], [853, 'encryptedLookup'],
  [1194, 'vpn'], [1701, 'vpn'], [1812, 'networkLogin'], [1813, 'networkLogin'], [1900, 'discovery'], [2049, 'networkFiles'],
  [3478, 'calls'], [3702, 'discovery'], [4500, 'vpn'], [5004, 'media'], [5060, 'calls'], [5061, 'encryptedCalls'], [5349, 'encryptedCalls'],
  [5350, 'networkSetup'], [5351, 'networkSetup'], [5353, 'discovery'], [5355, 'windowsNames'], [6881, 'tracker'], [19302, 'calls'],
  [21027, 'discovery'], [22000, 'fileSync'], [27015, 'games'], [27036, 'games'], [51413, 'tracker'], [51820, 'vpn'], [64738, 'calls'],
]);
/** Protocols without ports, by number. Source: IANA, "Assigned Internet Protocol Numbers". */
const PROTOCOLS: ReadonlyMap<string, Words> = new Map([
  ['2', (): string => _('group messages (IGMP)')], ['41', (): string => _('a tunnel for IPv6')], ['47', (): string => _('a tunnel (GRE)')],
  ['50', (): string => _('VPN (ESP)')], ['51', (): string => _('VPN (AH)')], ['132', (): string => _('telephony (SCTP)')],
]);

/** `encrypted web (443)`; `TCP port 8080`; `ping`. `protocol` as in the contract: tcp, udp, icmp or a number. */
export function serviceName(protocol: string, port: number): string {
  const number = String(port);
  if (protocol === 'icmp') return port === 8 || port === 128 ? _('ping') : fill(_('network message (ICMP {number})'), { number });
  const service = (protocol === 'udp' ? UDP : TCP).get(port);
  if (service !== undefined && (protocol === 'tcp' || protocol === 'udp')) return fill(_('{service} ({number})'), { service: WORDS[service](), number });
  if (protocol === 'tcp') return fill(_('TCP port {number}'), { number });
  if (protocol === 'udp') return fill(_('UDP port {number}'), { number });
  const words = PROTOCOLS.get(protocol);
  if (words !== undefined) return fill(_('{service}, protocol {protocol}'), { service: words(), protocol });
  return fill(_('protocol {protocol}'), { protocol: visible(protocol, 16) });
}

/** `port 443`, `ping`, for use inside a sentence. */
export function portPhrase(protocol: string, port: number): string {
  if (protocol === 'tcp' || protocol === 'udp') return fill(_('port {number}'), { number: String(port) });
  return serviceName(protocol, port);
}
