/** Rules that can never decide anything, because another one, which goes before them, matches all that they match. */
import type { Rule } from '../contract/vocabulary.ts';
import { maskWord } from '../policy/address.ts';
import type { Prefix } from '../policy/address.ts';
import { compareRules } from '../policy/order.ts';
import type { RankedRule } from '../policy/order.ts';
import { patternsOf } from '../policy/places.ts';
import { PROGRAM_PARTS } from '../policy/program.ts';
import { coversRule } from './cover.ts';

/** Pairs of rules that are compared at most; the rest is not looked at, and the answer says so. */
const MOST_PAIRS = 1_000_000;
const ANY = 'any';

export interface Shadow {
  readonly rule: Rule;
  /** The first, in the order in which rules win, that leaves nothing to it. */
  readonly by: Rule;
}

export interface Shadows {
  readonly found: readonly Shadow[];
  /** False: there were too many alike to compare them all. */
  readonly isComplete: boolean;
}

/** Every program part that a rule names, one text each: what covers it names one of them, or no program. */
function programTexts({ match }: Rule): readonly string[] {
  if (match.container !== undefined) return ['container'];
  return PROGRAM_PARTS.flatMap((part) => (match[part] === undefined ? [] : [`${part}:${match[part]}`]));
}

function prefixText({ family, words }: Prefix, bits: number): string {
  return `${String(family)}/${String(bits)}:${words.map((word, at) => maskWord(word, bits - at * 32).toString(36)).join(':')}`;
}

function isDestined({ match: { address, domain, list } }: Rule): boolean {
  return address !== undefined || domain !== undefined || list !== undefined;
}

/** Under which destination a rule is kept. */
function destinationText({ rule, prefix }: RankedRule): string {
  if (prefix !== null) return prefixText(prefix, prefix.bits);
  const { domain, list } = rule.match;
  if (domain !== undefined) return `name:${domain}`;
  return list === undefined ? ANY : `list:${list}`;
}

/** Under which destinations rules are kept that can cover this one. */
function widerDestinations({ rule, prefix }: RankedRule, lengths: ReadonlySet<number>): readonly string[] {
  if (!isDestined(rule)) return [ANY];
  if (prefix !== null) return [ANY, ...[...lengths].filter((bits) => bits <= prefix.bits).map((bits) => prefixText(prefix, bits))];
  const { domain, list } = rule.match;
  if (domain === undefined) return [ANY, `list:${list ?? ''}`];
  const names = domain.startsWith('*.') ? [domain, ...patternsOf(domain.slice(2))] : patternsOf(domain);
  return [ANY, ...names.map((name) => `name:${name}`)];
}

function singlePort({ match: { ports } }: Rule): string {
  const [range, ...more] = ports ?? [];
  return range !== undefined && more.length === 0 && range.first === range.last ? String(range.first) : ANY;
}

function placesOf(program: string, destination: string, port: string, uid: string): string {
  return `${program}|${destination}|${port}|${uid}`;
}

function userText({ match: { uid } }: Rule): string {
  return uid === undefined ? ANY : String(uid);
}

/** Rules by what another one must have in common with them to be covered. */
class Wider {
  readonly #places = new Map<string, RankedRule[]>();
  readonly #lengths = new Set<number>();

  add(entry: RankedRule): void {
    if (entry.prefix !== null) this.#lengths.add(entry.prefix.bits);
    const [program = ANY] = programTexts(entry.rule);
    const place = placesOf(program, destinationText(entry), singlePort(entry.rule), userText(entry.rule));
    const list = this.#places.get(place);
    if (list === undefined) this.#places.set(place, [entry]);
    else list.push(entry);
  }

  /** All that can cover `entry`, in no order. */
  *of(entry: RankedRule): Iterable<RankedRule> {
    const { rule } = entry;
    const ports = new Set([singlePort(rule), ANY]);
    const users = new Set([userText(rule), ANY]);
    for (const program of [ANY, ...programTexts(rule)]) {
      for (const destination of widerDestinations(entry, this.#lengths)) {
        for (const port of ports) {
          for (const user of users) yield* this.#places.get(placesOf(program, destination, port, user)) ?? [];
        }
      }
    }
  }
}

/** `rules` are in force, in the order in which they win. */
export function findShadows(rules: readonly RankedRule[], mostPairs: number = MOST_PAIRS): Shadows {
  const wider = new Wider();
  const found: Shadow[] = [];
  let pairs = 0;
  for (const entry of rules) {
    let by: RankedRule | null = null;
    for (const other of wider.of(entry)) {
      pairs += 1;
      if (pairs > mostPairs) return { found, isComplete: false };
      if ((by === null || compareRules(other, by) < 0) && coversRule(other.rule, entry.rule)) by = other;
    }
    // What can never decide hides nothing that its own cover does not hide.
    if (by === null) wider.add(entry);
    else found.push({ rule: entry.rule, by: by.rule });
  }
  return { found, isComplete: true };
}
