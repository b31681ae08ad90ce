/**
 * How wide a decision may be remembered. The kernel's key can leave the address open, or port and protocol, or all three; it
 * may do so only where the rules say the same of every destination that the key then stands for.
 */
import type { RuleAction } from '../contract/vocabulary.ts';
import { addressWords, maskWord } from './address.ts';
import type { Prefix } from './address.ts';
import type { Facts, Moment } from './facts.ts';
import { isBeyondKey, isOver, matchesPort, matchesProgram, matchesProtocol } from './facts.ts';
import type { RankedRule } from './order.ts';

/** See `MemoryForm` in ports.ts. */
export type WideForm = 'any-address' | 'any-port' | 'program';

/** What becomes of the flow where no rule matches, and where one that asks does. */
export interface Outcomes {
  readonly none: RuleAction;
  readonly ask: RuleAction;
}

export interface Wide {
  readonly form: WideForm;
  /** null: until the rules change. */
  readonly lastsMs: number | null;
}

export interface WideQuestion {
  /** Every rule that can match some flow of the executable, in the order in which they win. */
  readonly rules: readonly RankedRule[];
  readonly facts: Facts;
  readonly moment: Pick<Moment, 'nowMs' | 'requireKernelIdentity' | 'sharesNetwork'>;
  readonly action: RuleAction;
  readonly outcomes: Outcomes;
  /** A server answers a peer: there the ports are the peers' own, and of no meaning. */
  readonly reply: boolean;
}

/** The wall clock may be set forward, and the kernel's memory runs on the boot clock. */
const LONGEST_UNTIL_MS = 60_000;

const FORMS: readonly WideForm[] = ['program', 'any-address', 'any-port'];
const REPLY_FORMS: readonly WideForm[] = ['program', 'any-port', 'any-address'];

function holds(prefix: Prefix, family: 4 | 6, words: readonly number[]): boolean {
  return prefix.family === family && prefix.words.every((word, at) => word === maskWord(words[at] ?? 0, prefix.bits - at * 32));
}

const DNS_PORT = 53;

/** A rule for a domain covers lookups of it, which go to another port. */
function mayCoverLookup({ action, match }: RankedRule['rule'], { tuple }: Facts): boolean {
  return action === 'allow' && match.domain !== undefined && tuple.destinationPort === DNS_PORT;
}

/** Can the rule match a flow that has the form's key? */
function meets(form: WideForm, { rule, prefix }: RankedRule, facts: Facts, words: readonly number[]): boolean {
  switch (form) {
    case 'program':
      return true;
    case 'any-address':
      return (matchesProtocol(rule, facts.tuple.protocol) && matchesPort(rule, facts)) || mayCoverLookup(rule, facts);
    default:
      return prefix === null || holds(prefix, facts.tuple.family, words);
  }
}

/** Does the rule match every flow that has the form's key and that it can match? */
function covers(form: WideForm, rule: RankedRule['rule'], facts: Facts, moment: WideQuestion['moment']): boolean {
  if (isBeyondKey(rule, facts, moment)) return false;
  const { address, ports, protocols } = rule.match;
  return (form === 'any-port' || address === undefined)
    && (form === 'any-address' || (ports === undefined && protocols === undefined));
}

/** Can a program of this network be in the rule's container? */
function canBeInside({ match: { container } }: RankedRule['rule'], { sharesNetwork }: WideQuestion['moment']): boolean {
  return container === undefined || sharesNetwork?.(container) === true;
}

/** How many milliseconds the form says what the rules say: Infinity for as long as they stay, null for not at all. */
function lasts(form: WideForm, { rules, facts, moment, action, outcomes }: WideQuestion, words: readonly number[]): number | null {
  const { nowMs } = moment;
  let bound: number | null = null;
  for (const entry of rules) {
    const { rule } = entry;
    if ((rule.match.uid !== undefined && rule.match.uid !== facts.uid) || isOver(rule, nowMs)) continue;
    if (!meets(form, entry, facts, words) || !canBeInside(rule, moment)) continue;
    if (rule.match.includeChildren !== true && !matchesProgram(rule, facts, moment)) continue;
    // While all that can match say the same, it does not matter which of them does, nor whether it does at this moment.
    if ((rule.action === 'ask' ? outcomes.ask : rule.action) !== action) return bound;
    if (!covers(form, rule, facts, moment)) continue;
    if (typeof rule.lifetime !== 'object') return Infinity;
    bound = Math.max(bound ?? 0, Math.min(rule.lifetime.until - nowMs, LONGEST_UNTIL_MS));
  }
  return outcomes.none === action ? Infinity : bound;
}

/**
 * The widest form that says exactly what the rules say of a flow with a certain owner; null if none does.
 *
 * A rule with a prefix of every address of one family does not count as one for any address: the form is for both families.
 */
export function widestForm(question: WideQuestion): Wide | null {
  const words = addressWords(question.facts.tuple.destinationAddress);
  if (words === null) return null;
  for (const form of question.reply ? REPLY_FORMS : FORMS) {
    const ms = lasts(form, question, words);
    if (ms !== null) return { form, lastsMs: ms === Infinity ? null : ms };
  }
  return null;
}
