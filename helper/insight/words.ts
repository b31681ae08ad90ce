/** What learning, simulation and review found, as sentences for people. */
import { assertNever } from '../contract/errors.ts';
import type { ProgramMatch, Rule, RuleMatch } from '../contract/vocabulary.ts';
import { formatPorts, ICMP, protocolName } from '../policy/ports.ts';
import { PROGRAM_PARTS } from '../policy/program.ts';
import { LEFT_OUT } from './application.ts';
import type { LeftOut } from './application.ts';
import type { Remainder } from './propose.ts';
import type { Finding } from './review.ts';
import { DIFFERENCES } from './simulate.ts';
import type { Difference, Simulated } from './simulate.ts';

/** Longest name of a rule. */
const NAME_LENGTH = 128;
const DAY_MS = 86_400_000;

/** `1 connection`, `41 connections`. */
export function counted(number: number, one: string): string {
  return `${String(number)} ${one}${number === 1 ? '' : 's'}`;
}

/** `a`, `a and b`, `a, b and c`. */
function listed(parts: readonly string[]): string {
  const last = parts.at(-1) ?? '';
  return parts.length < 2 ? last : `${parts.slice(0, -1).join(', ')} and ${last}`;
}

/** Text from outside on one line, without characters that act or deceive. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu, '\u{fffd}');
}

function portWords({ ports, protocols }: RuleMatch): string {
  const named = protocols?.map(protocolName) ?? [];
  if (protocols?.includes(ICMP) === true) return ports === undefined ? 'icmp' : `icmp of type ${listed(formatPorts(ports).split(','))}`;
  if (ports === undefined) return named.length === 0 ? 'any port' : `protocol ${listed(named)}`;
  const texts = formatPorts(ports).split(',');
  const words = `port${texts.length === 1 && !texts.some((text) => text.includes('-')) ? '' : 's'} ${listed(texts)}`;
  return named.length === 1 && named[0] === 'udp' ? `${words} by udp` : words;
}

function destinationWords({ domain, address }: RuleMatch): string {
  if (domain !== undefined) return domain.startsWith('*.') ? `any name below ${domain.slice(2)}` : domain;
  return address ?? 'any address';
}

/** `firefox: ports 80 and 443, any address`: also the name of the rule that is made of it. */
export function proposalName(application: string, match: RuleMatch): string {
  const text = plain(`${application}: ${portWords(match)}, ${destinationWords(match)}`);
  return text.length <= NAME_LENGTH ? text : `${text.slice(0, NAME_LENGTH - 1)}…`;
}

/** `firefox: ports 80 and 443, any address, for alice; 412 connections`. */
export function proposalText(application: string, match: RuleMatch, user: string | null, connections: number): string {
  const whom = user === null ? '' : `, for ${plain(user)}`;
  return `${proposalName(application, match)}${whom}; ${counted(connections, 'connection')}`;
}

function leftOutWords(reason: LeftOut): string {
  switch (reason) {
    case 'uncertain': return 'it is not certain which program it was';
    case 'changed': return "the program's file is not the one that it was known as";
    case 'claimed-script': return 'the script is known only by what the program says of itself';
    case 'interpreter': return 'an interpreter ran a script that is not known';
    case 'forwarded': return 'it came from a container or another machine';
    case 'asked': return 'a rule says that it is asked about';
    case 'refused': return 'a rule for it would also allow what was refused';
    case 'crowded': return 'there were too many different ones';
    default: return assertNever(reason);
  }
}

/** `Nothing is proposed for 12 connections: 10 because ...; 2 because ...`. */
export function remainderText({ reasons, tally }: Remainder): string {
  const parts = LEFT_OUT.flatMap((reason) => {
    const number = reasons.get(reason) ?? 0;
    return number === 0 ? [] : [`${String(number)} because ${leftOutWords(reason)}`];
  });
  return `Nothing is proposed for ${counted(tally.connections, 'connection')}: ${parts.join('; ')}.`;
}

const WOULD: Readonly<Record<Difference, string>> = { refused: 'refused', asked: 'asked about', allowed: 'allowed' };

/** `Would have refused 3 applications, 41 connections.` */
export function simulationText({ sums, flows }: Simulated): string {
  const parts = DIFFERENCES.flatMap((difference) => {
    const { applications, tally: { connections } } = sums[difference];
    return connections === 0 ? [] : [`${WOULD[difference]} ${counted(applications, 'application')}, ${counted(connections, 'connection')}`];
  });
  if (flows === 0) return 'There is no recorded connection to compare with.';
  return parts.length === 0
    ? `Nothing would have been different in ${counted(flows, 'recorded connection')}.`
    : `Would have ${parts.join('; would have ')}.`;
}

function days(sinceMs: number, nowMs: number): string {
  return counted(Math.floor((nowMs - sinceMs) / DAY_MS), 'day');
}

/** `“Mail at work” (work-mail)`. */
function ruleWords({ id, name }: Rule): string {
  return name === id ? `“${plain(id)}”` : `“${plain(name)}” (${id})`;
}

/** What is the matter with a rule, as one sentence. */
export function findingText(finding: Finding, nowMs: number): string {
  const { kind, rule, by, path, sinceMs } = finding;
  const what = ruleWords(rule);
  const other = by === null ? 'another one' : ruleWords(by);
  switch (kind) {
    case 'expired': return `${what} is over since ${days(sinceMs ?? nowMs, nowMs)}.`;
    case 'duplicate': return `${what} says the same as ${other}, which goes before it.`;
    case 'shadowed': return `${what} never decides anything: ${other} goes before it and matches all that it matches.`;
    case 'missing': return `${what} names ${plain(path ?? '')}, which is not there any more.`;
    case 'unused': return `${what} has decided nothing for ${days(sinceMs ?? nowMs, nowMs)}.`;
    default: return assertNever(kind);
  }
}

function isOwn({ tier }: Rule): boolean {
  return tier === 'user';
}

/** What can be done about it, as one sentence. */
export function findingAdvice({ kind, rule, by }: Finding): string {
  const away = isOwn(rule) ? `remove it: bastionctl rules remove ${rule.id}` : `switch it off: bastionctl rules disable ${rule.id}`;
  switch (kind) {
    case 'expired':
    case 'duplicate':
      return `You can ${away}`;
    case 'shadowed':
      return by?.action === rule.action
        ? `You can ${away}`
        : `If it is meant to decide, give it a higher priority or make the other one more exact; else ${away}`;
    case 'missing': return `If the program was uninstalled, ${away}; if it moved, name its new path`;
    case 'unused': return `If the program does not need it any more, ${away}`;
    default: return assertNever(kind);
  }
}

/** The part of the program that a rule names, for people; '' for any program. */
export function programWords(match: ProgramMatch): string {
  const part = PROGRAM_PARTS.find((one) => match[one] !== undefined);
  return part === undefined ? '' : match[part] ?? '';
}
