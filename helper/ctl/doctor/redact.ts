/**
 * Text for a report that goes to strangers. What stays is named, everything else is hidden: plain words, numbers, versions, and
 * paths of our own. So no address, path, quoted text or name with a dot can slip through in a form that nobody thought of. A
 * plain word may still be somebody's name: the users and the host of this machine are hidden too.
 */

export const HIDDEN = '<hidden>';
/** What is longer is cut before it is looked at. */
const LONGEST_LINE = 1000;
/** A shorter name would hide half of the words. */
const SHORTEST_NAME = 3;

const WORD = /^\(?[A-Za-z][A-Za-z_]{0,39}(?:[-'][A-Za-z_]{1,39}){0,4}\)?[.,:;!?]?\)?$/;
const NUMBER = /^[(+-]?\d{1,20}(?:\.\d{1,9})?(?:%|ns|ms|s|kB|KiB|MiB|B)?\)?[.,:;]?$/;
/** Three parts, so that no IPv4 address is one. */
const RELEASE = /^v?\d{1,5}\.\d{1,5}(?:\.\d{1,5})?(?:[-+~][A-Za-z][A-Za-z0-9]*|-\d{1,5})*[.,:;]?$/;
const KNOWN_PATHS: readonly RegExp[] = [
  /^\/etc\/bastion(?:\/rules\.d)?(?:\/(?:bastion|applications|50-user)\.toml)?$/,
  /^\/usr\/s?bin\/(?:ip6?tables(?:-nft|-legacy)?(?:-restore|-save)?|pkttyagent)$/,
  /^\/sys\/(?:kernel\/btf\/vmlinux|fs\/(?:cgroup(?:\/unified)?|bpf(?:\/bastion)?))$/,
  /^\/usr\/share\/(?:dbus-1\/system\.d|polkit-1\/actions)\/org\.bastionfirewall\.[A-Za-z0-9.]{1,40}$/,
  /^\/(?:var\/)?run\/dbus\/system_bus_socket$/,
  /^(?:bastion|applications|50-user)\.toml$/,
  /^bastion-(?:firewall(?:-boot|-rest)?|daemon)\.service:?$/,
  /^\/var\/lib\/bastion\/boot$/,
  /^\/proc$/,
];
/** Fields of the journal whose values are ours. */
const OPEN_FIELDS = new Set([
  'version', 'mode', 'state', 'action', 'reason', 'confidence', 'evidence', 'protocol', 'times', 'ready', 'rules', 'files', 'lost',
]);
/** Fields whose values are sentences, looked at like any other text. */
const TEXT_FIELDS = new Set(['why', 'problem', 'message', 'error', 'found']);
const FIELD = /^([a-z_]{1,32})=(.*)$/s;
const QUOTED = /"(?:[^"\\]|\\.)*"/g;
/** An apostrophe inside a word is none. */
const SINGLE_QUOTED = /(^|[\s=(])['`‘“][^'`’”]*['`’”]/g;

/** Words that stand for a user or a machine, in small letters. */
export type PrivateWords = ReadonlySet<string>;

/** From names as the machine tells them: logins, full names, host names. */
export function privateWords(names: readonly string[]): PrivateWords {
  const words = names.flatMap((name) => name.toLowerCase().split(/[^\p{L}\p{N}]+/u));
  return new Set(words.filter((word) => word.length >= SHORTEST_NAME && word !== 'root'));
}

function isPrivate(token: string, secret: PrivateWords): boolean {
  return token.toLowerCase().split(/[^\p{L}\p{N}]+/u).some((word) => secret.has(word));
}

function isKnownPath(token: string): boolean {
  const bare = token.replace(/[.,:;]$/, '');
  return KNOWN_PATHS.some((path) => path.test(bare));
}

function tokenText(token: string, secret: PrivateWords): string {
  if (token === '' || token === HIDDEN || token === '->') return token;
  const field = FIELD.exec(token);
  if (field !== null) {
    const [, key = '', value = ''] = field;
    return `${key}=${OPEN_FIELDS.has(key) ? tokenText(value, secret) : HIDDEN}`;
  }
  if (isKnownPath(token)) return token;
  const isPlain = WORD.test(token) || NUMBER.test(token) || RELEASE.test(token);
  return isPlain && !isPrivate(token, secret) ? token : HIDDEN;
}

function withoutQuotes(text: string, secret: PrivateWords): string {
  // A sentence in a field is opened; other quoted text is somebody's.
  const open = text.replace(/\b([a-z_]{1,32})=("(?:[^"\\]|\\.)*")/g, (_all, key: string, value: string) =>
    (TEXT_FIELDS.has(key) ? `${key}: ${tokens(value.slice(1, -1).replaceAll('\\"', '"').replace(QUOTED, HIDDEN), secret)}` : `${key}=${HIDDEN}`));
  return open.replace(QUOTED, HIDDEN).replace(SINGLE_QUOTED, `$1${HIDDEN}`);
}

function tokens(text: string, secret: PrivateWords): string {
  return text.split(/\s+/).map((token) => tokenText(token, secret)).join(' ').replaceAll(/<hidden>(?: <hidden>)+/g, HIDDEN);
}

/** One line, without what is not known to be harmless. */
export function redacted(line: string, secret: PrivateWords): string {
  return tokens(withoutQuotes(line.slice(0, LONGEST_LINE), secret), secret).trim();
}
