/**
 * Host names in rules: one spelling each (small letters, ASCII, no last dot), the match, and what a prompt may propose.
 * Who can register names below what is told by the public suffix list, which the library brings with it: nothing is looked up.
 */
import { getDomain, parse } from 'tldts';
import { failed, parsed, quoted } from './parsed.ts';
import type { Parsed } from './parsed.ts';

/** Source: RFC 1035 section 2.3.4, without the length bytes and the root. */
export const LONGEST_NAME = 253;
const LONGEST_LABEL = 63;
/** Longest text that can be a name of 253 bytes in another alphabet, with room to spare. */
const LONGEST_TEXT = 1024;
/** What the table of names holds; an underscore is no host name, but it is asked for. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/;
const ASCII = /^[\x21-\x7e]*$/;
/** What the URL parser takes for something else than a part of a host name, and white space of any kind. */
const NO_HOST = /[\p{C}\p{Z}!"#$%&'()*+,/:;<=>?@[\\\]^`{|}~]/u;
const WILDCARD = '*.';

/** The library takes the names as they are. What a provider gives its users names below (`github.io`) counts as a suffix too. */
const SUFFIX_OPTIONS = { extractHostname: false, validateHostname: false, detectIp: false, allowPrivateDomains: true } as const;
const REGISTRY_OPTIONS = { ...SUFFIX_OPTIONS, allowPrivateDomains: false } as const;

/** A name in other letters as it is asked for; null for what is none. Source: RFC 5891, UTS 46, by the URL Standard. */
function toAscii(text: string): string | null {
  if (ASCII.test(text)) return text.toLowerCase();
  if (NO_HOST.test(text)) return null;
  try {
    return new URL(`http://${text}/`).hostname;
  } catch {
    return null;
  }
}

function isName(name: string): boolean {
  if (name.length === 0 || name.length > LONGEST_NAME) return false;
  const labels = name.split('.');
  // A name whose last label is a number is an address to every program. Source: URL Standard, "ends in a number".
  if (/^(?:[0-9]+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')) return false;
  return labels.every((label) => label.length <= LONGEST_LABEL && LABEL.test(label));
}

/**
 * A host name in its one spelling, or null. Takes any letters, a last dot, and other alphabets, which become punycode; an
 * address is no name.
 */
export function canonicalName(text: string): string | null {
  if (text.length === 0 || text.length > LONGEST_TEXT) return null;
  const ascii = toAscii(text);
  if (ascii === null) return null;
  const name = ascii.endsWith('.') ? ascii.slice(0, -1) : ascii;
  return isName(name) ? name : null;
}

/** Can anybody register names right below it? True of `com`, `co.uk`, `github.io`; of names in no list: false. */
export function isPublicSuffix(name: string): boolean {
  const { publicSuffix, isIcann, isPrivate } = parse(name, SUFFIX_OPTIONS);
  return publicSuffix === name && (isIcann === true || isPrivate === true);
}

/** Is it a suffix below which a registry sells names, such as `com` and `co.uk`? For lists, which name hosts of providers. */
export function isRegistrySuffix(name: string): boolean {
  const { publicSuffix, isIcann } = parse(name, REGISTRY_OPTIONS);
  return publicSuffix === name && isIcann === true;
}

/**
 * `example.org` or `*.example.org` in canonical text; '' is any (undefined). A wildcard over a public suffix is read, with a
 * complaint that says how many people's names it covers.
 */
export function parseDomain(text: string): Parsed<string | undefined> {
  const trimmed = text.trim();
  if (trimmed === '') return parsed(undefined);
  const isWildcard = trimmed.startsWith(WILDCARD);
  const name = canonicalName(isWildcard ? trimmed.slice(WILDCARD.length) : trimmed);
  if (name === null) {
    return failed(`${quoted(text)} is no host name; write one such as example.org, or *.example.org for all names below it`);
  }
  if (!isWildcard) return parsed(name);
  const pattern = WILDCARD + name;
  if (pattern.length > LONGEST_NAME) return failed(`${quoted(text)} is too long: nothing fits below a name of this length`);
  return parsed(pattern, isPublicSuffix(name)
    ? `${quoted(pattern)} covers the names of everybody who has one below ${quoted(name)}, which anybody can get`
    : undefined);
}

/** Is `name` what the pattern says? Both canonical; `*.example.org` is not `example.org` itself. */
export function matchesDomain(pattern: string, name: string): boolean {
  if (!pattern.startsWith(WILDCARD)) return pattern === name;
  // The dot stays: `*.example.org` must not be `badexample.org`.
  return name.length > pattern.length - 1 && name.endsWith(pattern.slice(1));
}

/** The name that its owner registered: `example.co.uk` of `www.example.co.uk`; null where there is none, as of `com`. */
export function registrableDomain(name: string): string | null {
  return getDomain(name, SUFFIX_OPTIONS);
}

/**
 * What a prompt about `name` (canonical) proposes for all of its owner's names: `*.example.org` of `www.example.org` and of
 * `example.org` alike, see `suggestedDomains`. Null where that would be a public suffix, or a name of one label.
 */
export function suggestedPattern(name: string): string | null {
  const domain = registrableDomain(name);
  return domain === null || isPublicSuffix(domain) || !isName(domain) ? null : WILDCARD + domain;
}

/**
 * The domains that `suggestedPattern` stands for in rules. For a name that is its owner's own, the name too: a rule must
 * decide what was asked about.
 */
export function suggestedDomains(name: string): readonly string[] {
  const pattern = suggestedPattern(name);
  if (pattern === null) return [];
  return matchesDomain(pattern, name) ? [pattern] : [name, pattern];
}
