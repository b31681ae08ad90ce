/** The rule that an answer makes: for the one who was asked about, no wider than the words on the screen. */
import { assertNever } from '../contract/errors.ts';
import type { Lifetime, ProgramMatch, Rule, RuleAction, RuleMatch, Scope } from '../contract/vocabulary.ts';
import { hasPorts, ICMP, ICMPV6, protocolName } from '../policy/ports.ts';
import { ruleDomains, ruleName } from './by-name.ts';
import { baseName } from './choices.ts';
import { lastingContainer, lastingProgram } from './question.ts';
import type { Question } from './question.ts';

export interface AnswerFacts {
  /** One of `answerDomains`; absent or null: the rule is for the address, or for no host. */
  readonly domain?: string | null;
  readonly action: RuleAction;
  /** Never `once`, which makes no rule. */
  readonly lifetime: Exclude<Lifetime, 'once'>;
  readonly scope: Scope;
  /** Also for programs that this one starts. */
  readonly includeChildren?: boolean;
  /** Login session for the lifetime `session`. */
  readonly session: string | null;
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly created: number;
}

const TCP = 6;
const UDP = 17;

type DestinationMatch = Pick<RuleMatch, 'address' | 'domain' | 'ports' | 'protocols'>;

/** Of a lookup the name is meant, not the name server: whoever may look it up for good may reach it, by whichever port. */
function nameMatch(domain: string | null, { isLookup }: Question, service: DestinationMatch): DestinationMatch {
  if (domain === null) throw new TypeError('an answer for a domain needs one');
  return isLookup ? { domain } : { ...service, domain };
}

function destinationMatch(question: Question, scope: Scope, domain: string | null): DestinationMatch {
  const { protocol, destinationAddress, destinationPort } = question.tuple;
  const icmp = protocol === ICMP || protocol === ICMPV6;
  // A lookup goes over TCP when its answer is long: the same question.
  const protocols = icmp ? [ICMP, ICMPV6] : question.isLookup ? [TCP, UDP] : [protocol];
  const service = hasPorts(protocol) ? { protocols, ports: [{ first: destinationPort, last: destinationPort }] } : { protocols };
  switch (scope) {
    case 'host':
      return domain === null ? { ...service, address: destinationAddress } : nameMatch(domain, question, service);
    case 'port':
      return service;
    case 'any':
      return {};
    case 'domain':
      return nameMatch(domain, question, service);
    default:
      return assertNever(scope);
  }
}

/** Longest part of a host name in the name of a rule. */
const HOST_CHARACTERS = 48;

function shortened(name: string): string {
  return name.length > HOST_CHARACTERS ? `…${name.slice(1 - HOST_CHARACTERS)}` : name;
}

/** The address, with the name that led to it; a lookup's address is the name server's, which the name does not belong to. */
function hostText({ tuple, name, isLookup }: Question): string {
  return name === null || isLookup ? tuple.destinationAddress : `${shortened(name)} (${tuple.destinationAddress})`;
}

function nameOf(question: Question, scope: Scope, domain: string | null): string {
  const { protocol, destinationPort } = question.tuple;
  const program = (lastingContainer(question)?.name ?? (baseName(question.identity?.script ?? question.path) || question.owner.command)).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\u{fffd}').slice(0, 48);
  const service = hasPorts(protocol) ? `${protocolName(protocol)} ${String(destinationPort)}` : protocolName(protocol);
  const named = domain === null ? '' : `${shortened(domain)}${question.isLookup ? '' : `, ${service}`}`;
  const host = named === '' ? `${hostText(question)}, ${service}` : named;
  const reach = { host, domain: named, port: `any host, ${service}`, any: 'anything' }[scope];
  return `${program}: ${reach}`;
}

/** The domain that each rule of an answer names, the one that decides first; null: the rule is for the address, or for no host. */
export function answerDomains(question: Question, scope: Scope): readonly (string | null)[] {
  if (scope === 'domain') return ruleDomains(question);
  return [scope === 'host' ? ruleName(question) : null];
}

/** An interpreter whose script nobody knows is named for one process only, with whatever that runs. */
function programMatch(question: Question, action: Rule['action']): Pick<RuleMatch, 'allScripts'> & ProgramMatch {
  const program = lastingProgram(question);
  // What is refused is so under every interpreter.
  if (program?.script !== undefined && action !== 'allow') return { script: program.script };
  if (program !== null) return program;
  return question.path === null ? {} : { path: question.path, allScripts: true };
}

/** The rule in tier `user`, in memory (`source` null). The uid is that of the socket's owner; a container has none. */
export function answerRule(question: Question, answer: AnswerFacts): Rule {
  const { owner } = question;
  const { domain = null } = answer;
  const container = lastingContainer(question);
  return {
    id: answer.id,
    name: nameOf(question, answer.scope, domain),
    action: answer.action,
    enabled: true,
    match: {
      // What is forwarded is no user's of this machine.
      ...(container === null ? { ...programMatch(question, answer.action), uid: owner.uid } : { container: container.name }),
      ...(answer.includeChildren === true ? { includeChildren: true } : {}),
      ...destinationMatch(question, answer.scope, domain),
      ...(answer.lifetime === 'process' ? { process: { pid: owner.pid, startNs: owner.startNs } } : {}),
      ...(answer.lifetime === 'session' && answer.session !== null ? { session: answer.session } : {}),
    },
    lifetime: answer.lifetime,
    priority: 0,
    tier: 'user',
    group: '',
    created: answer.created,
    source: null,
  };
}

/** `curl-10.77.0.2-443-ab12`: readable, at most 64 of `[a-z0-9._-]`. `suffix` makes it unique: small letters and digits. */
export function answerRuleId(question: Question, scope: Scope, suffix: string, domain: string | null = null): string {
  const { protocol, destinationAddress, destinationPort } = question.tuple;
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9.]+/g, '-').replace(/^[-.]+|[-.]+$/g, '');
  const service = hasPorts(protocol) ? String(destinationPort) : protocolName(protocol);
  const named = domain === null ? [] : [plain(domain.replace('*.', 'all-')), ...(question.isLookup ? [] : [service])];
  const where = { host: domain === null ? [plain(destinationAddress), service] : named, domain: named, port: [service], any: ['any'] }[scope];
  const program = plain(lastingContainer(question)?.name ?? baseName(question.identity?.script ?? question.path)).slice(0, 24).replace(/[-.]+$/, '') || 'program';
  const tail = [...where, suffix].filter((part) => part !== '').join('-');
  return `${program}-${tail.slice(-39).replace(/^[-.]+/, '')}`;
}
