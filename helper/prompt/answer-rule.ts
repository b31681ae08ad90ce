/** The rule that an answer makes: for the one who was asked about, no wider than the words on the screen. */
import { assertNever } from '../contract/errors.ts';
import type { Lifetime, Rule, RuleAction, RuleMatch, Scope } from '../contract/vocabulary.ts';
import { hasPorts, ICMP, ICMPV6, protocolName } from '../policy/ports.ts';
import { baseName } from './choices.ts';
import type { Question } from './question.ts';

export interface AnswerFacts {
  readonly action: RuleAction;
  /** Never `once`, which makes no rule. */
  readonly lifetime: Exclude<Lifetime, 'once'>;
  readonly scope: Scope;
  /** Login session for the lifetime `session`. */
  readonly session: string | null;
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly created: number;
}

const TCP = 6;
const UDP = 17;

function destinationMatch(question: Question, scope: Scope): Pick<RuleMatch, 'address' | 'ports' | 'protocols'> {
  const { protocol, destinationAddress, destinationPort } = question.tuple;
  const icmp = protocol === ICMP || protocol === ICMPV6;
  // A lookup goes over TCP when its answer is long: the same question.
  const protocols = icmp ? [ICMP, ICMPV6] : question.isLookup ? [TCP, UDP] : [protocol];
  const service = hasPorts(protocol) ? { protocols, ports: [{ first: destinationPort, last: destinationPort }] } : { protocols };
  switch (scope) {
    case 'host':
      return { ...service, address: destinationAddress };
    case 'port':
      return service;
    case 'any':
      return {};
    case 'domain':
      throw new TypeError('the scope domain is not offered');
    default:
      return assertNever(scope);
  }
}

/** Longest part of a host name in the name of a rule. */
const HOST_CHARACTERS = 48;

/** The address, with the name that led to it; a lookup's address is the name server's, which the name does not belong to. */
function hostText({ tuple, name, isLookup }: Question): string {
  if (name === null || isLookup) return tuple.destinationAddress;
  const shown = name.length > HOST_CHARACTERS ? `…${name.slice(1 - HOST_CHARACTERS)}` : name;
  return `${shown} (${tuple.destinationAddress})`;
}

function ruleName(question: Question, scope: Scope): string {
  const { protocol, destinationPort } = question.tuple;
  const program = (baseName(question.path) || question.owner.command).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\u{fffd}').slice(0, 48);
  const service = hasPorts(protocol) ? `${protocolName(protocol)} ${String(destinationPort)}` : protocolName(protocol);
  const reach = { host: `${hostText(question)}, ${service}`, domain: '', port: `any host, ${service}`, any: 'anything' }[scope];
  return `${program}: ${reach}`;
}

/** The rule in tier `user`, in memory (`source` null). The uid is that of the socket's owner. */
export function answerRule(question: Question, answer: AnswerFacts): Rule {
  const { path, owner } = question;
  return {
    id: answer.id,
    name: ruleName(question, answer.scope),
    action: answer.action,
    enabled: true,
    match: {
      ...(path === null ? {} : { path }),
      uid: owner.uid,
      ...destinationMatch(question, answer.scope),
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
export function answerRuleId(question: Question, scope: Scope, suffix: string): string {
  const { protocol, destinationAddress, destinationPort } = question.tuple;
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9.]+/g, '-').replace(/^[-.]+|[-.]+$/g, '');
  const service = hasPorts(protocol) ? String(destinationPort) : protocolName(protocol);
  const where = { host: [plain(destinationAddress), service], domain: [], port: [service], any: ['any'] }[scope];
  const program = plain(baseName(question.path)).slice(0, 24).replace(/[-.]+$/, '') || 'program';
  const tail = [...where, suffix].filter((part) => part !== '').join('-');
  return `${program}-${tail.slice(-39).replace(/^[-.]+/, '')}`;
}
