/** How a host name is shown so that its letters cannot deceive. */
import { domainToASCII, domainToUnicode } from 'node:url';
import { isIP } from 'node:net';
import { visible } from './plain-text.ts';

export interface ShownHost {
  /** Shown large. */
  readonly name: string;
  /** Shown beside it, '' when there is nothing to add. */
  readonly other: string;
  /** The letters imitate another alphabet's. */
  readonly deceptive: boolean;
}

const SCRIPTS = [
  /\p{Script=Latin}/u, /\p{Script=Cyrillic}/u, /\p{Script=Greek}/u, /\p{Script=Armenian}/u, /\p{Script=Cherokee}/u,
  /\p{Script=Hebrew}/u, /\p{Script=Arabic}/u, /\p{Script=Thai}/u, /\p{Script=Georgian}/u,
];
/** Letters of other alphabets that a reader takes for Latin ones. Source: Unicode Technical Standard 39, confusables. */
const IMITATES_LATIN = /^[\d\-асеорхуіјѕԁһԛԝьӏкмнтвгпиαορνικτυχεηհոսցօ]+$/u;

/** Letters of more than one alphabet, or only letters that look Latin and are not. */
function isDeceptive(label: string): boolean {
  if (/^[\x20-\x7e]*$/.test(label)) return false;
  const scripts = SCRIPTS.filter((script) => script.test(label)).length;
  return scripts > 1 || IMITATES_LATIN.test(label.toLowerCase());
}

/**
 * An address or an ASCII name stays as it is. Another alphabet is shown with its punycode beside it, and with the punycode
 * in front where the letters imitate Latin ones.
 */
export function showHost(host: string): ShownHost {
  if (isIP(host) !== 0) return { name: host, other: '', deceptive: false };
  const ascii = domainToASCII(host);
  const unicode = ascii === '' ? '' : domainToUnicode(ascii);
  if (ascii === '' || unicode === '' || unicode === ascii) {
    return { name: visible(host, 253), other: '', deceptive: false };
  }
  const deceptive = unicode.split('.').some(isDeceptive);
  const shown = visible(unicode, 253);
  return deceptive ? { name: ascii, other: shown, deceptive } : { name: shown, other: ascii, deceptive };
}

/** Private, link-local, loopback, multicast and documentation networks: an address there needs no name. */
export function isLocalAddress(address: string): boolean {
  if (isIP(address) === 4) {
    return /^(?:10\.|127\.|169\.254\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|22[4-9]\.|23\d\.|255\.|0\.)/.test(address);
  }
  return isIP(address) === 6 && /^(?:::1$|f[cdef]|fe[89ab])/i.test(address);
}
