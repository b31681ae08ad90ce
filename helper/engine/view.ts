/** Prompts and flows as the contract tells them. */
import type { PromptInfo } from '../contract/types.ts';
import { KERNEL_PATH } from '../contract/vocabulary.ts';
import type { Ancestor } from '../contract/vocabulary.ts';
import type { PromptTarget, PromptView } from '../engine-api.ts';
import { hasPorts, ICMP, ICMPV6, protocolName } from '../policy/ports.ts';
import type { Prompt } from '../prompt/book.ts';
import { baseName, choices } from '../prompt/choices.ts';
import type { Choices } from '../prompt/choices.ts';
import type { Question } from '../prompt/question.ts';
import type { Users } from '../ports.ts';

/** What is looked up once, when a prompt is made. */
export interface PromptExtras {
  readonly ancestors: readonly Ancestor[];
}

export interface ViewContext {
  readonly users: Users;
  readonly nowNs: bigint;
  readonly requireKernelIdentity: boolean;
  /** Has this user a login session? */
  hasSession(uid: number): boolean;
}

const FIRST_ORDINARY_UID = 1000;
const NS_PER_MS = 1_000_000n;

/** Sockets of root, of system users and of users that nobody knows are the administrator's business. */
export function targetOf(question: Question, users: Users): PromptTarget {
  const { uid } = question.owner;
  return { uid, system: uid < FIRST_ORDINARY_UID || users.name(uid) === String(uid) };
}

export function choicesOf(prompt: Prompt<PromptExtras>, context: ViewContext): Choices {
  const target = targetOf(prompt.question, context.users);
  return choices(prompt.question, {
    system: target.system,
    hasSession: context.hasSession(target.uid),
    requireKernelIdentity: context.requireKernelIdentity,
    expired: prompt.status === 'expired',
  });
}

function applicationOf(path: string | null): string {
  if (path === KERNEL_PATH) return 'The kernel (tunnels, network file systems)';
  return baseName(path) || 'An unknown program';
}

function portOf({ tuple }: Question): number {
  const named = hasPorts(tuple.protocol) || tuple.protocol === ICMP || tuple.protocol === ICMPV6;
  return named ? tuple.destinationPort : 0;
}

/** Milliseconds until the deadline, 0 when it has passed. */
function leftMs(prompt: Prompt<PromptExtras>, nowNs: bigint): number {
  return prompt.status === 'expired' || prompt.deadlineNs <= nowNs ? 0 : Number((prompt.deadlineNs - nowNs) / NS_PER_MS);
}

function promptInfoOf(prompt: Prompt<PromptExtras>, context: ViewContext): PromptInfo {
  const { question, data } = prompt;
  const { owner, tuple } = question;
  const path = question.path ?? question.claimedPath;
  const offered = choicesOf(prompt, context);
  return {
    id: prompt.id,
    nonce: prompt.nonce,
    application: owner.forwardedFrom ?? applicationOf(question.path),
    path: path ?? '',
    confidence: question.confidence,
    evidence: question.evidence,
    destination: question.name ?? tuple.destinationAddress,
    names: question.names.map(({ name }) => name),
    name_sources: question.names.map(({ source }) => source),
    is_lookup: question.isLookup,
    address: tuple.destinationAddress,
    port: portOf(question),
    protocol: protocolName(tuple.protocol),
    uid: owner.uid,
    user: context.users.name(owner.uid),
    pid: owner.pid,
    command: owner.command,
    ...(owner.forwardedFrom === undefined ? {} : { forwarded_from: owner.forwardedFrom }),
    ancestors: data.ancestors.map((one) => ({ pid: one.pid, path: one.path ?? '', command: one.command })),
    count: prompt.count,
    raised_ms: prompt.raisedMs,
    expires_in_ms: leftMs(prompt, context.nowNs),
    timeout_ms: prompt.timeoutMs,
    status: prompt.status === 'expired' ? 'expired' : 'pending',
    lifetimes: offered.lifetimes,
    scopes: offered.scopes,
    default_lifetime: offered.defaultLifetime,
    default_scope: offered.defaultScope,
  };
}

/** A prompt for the service; a snapshot, later changes do not show in it. */
export function promptView(prompt: Prompt<PromptExtras>, context: ViewContext): PromptView {
  return { info: promptInfoOf(prompt, context), target: targetOf(prompt.question, context.users) };
}
