/** Prompts and flows as the contract tells them. */
import type { AncestorInfo, PromptInfo } from '../contract/types.ts';
import { KERNEL_PATH } from '../contract/vocabulary.ts';
import type { Ancestor, ContainerEnd, Identity } from '../contract/vocabulary.ts';
import type { PromptTarget, PromptView } from '../engine-api.ts';
import { hasPorts, ICMP, ICMPV6, protocolName } from '../policy/ports.ts';
import type { Prompt } from '../prompt/book.ts';
import { ruleName, rulePattern } from '../prompt/by-name.ts';
import { baseName, choices } from '../prompt/choices.ts';
import type { Choices } from '../prompt/choices.ts';
import { isChanged } from '../policy/program.ts';
import { lastingContainer, lastingProgram } from '../prompt/question.ts';
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
  /** Does this very process run? */
  isAlive(pid: number, startNs: bigint): boolean;
  /** What a package says of itself in one line; null where that is not known. */
  summaryOf(packageName: string): string | null;
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
    // Whoever waits for an answer lives; only what is in the inbox is looked up.
    ended: prompt.status === 'expired' && !context.isAlive(prompt.question.owner.pid, prompt.question.owner.startNs),
  });
}

function applicationOf({ path, identity }: Question): string {
  if (path === KERNEL_PATH) return 'The kernel (tunnels, network file systems)';
  if (identity?.script !== undefined) return `${baseName(identity.script)} (${baseName(path)})`;
  return baseName(identity?.appImage ?? path) || 'An unknown program';
}

type IdentityInfo = Pick<
  PromptInfo,
  'package' | 'flatpak' | 'snap' | 'appimage' | 'interpreter' | 'script' | 'script_evidence' | 'sha256' | 'integrity' | 'trusted'
>;

/** An identity in the contract's words. */
export function identityInfo(identity: Identity | undefined): IdentityInfo {
  if (identity === undefined) return {};
  const { package: name, flatpak, snap, appImage, interpreter, script, scriptEvidence, sha256, integrity, trusted } = identity;
  return {
    ...(name === undefined ? {} : { package: name }),
    ...(flatpak === undefined ? {} : { flatpak }),
    ...(snap === undefined ? {} : { snap }),
    ...(appImage === undefined ? {} : { appimage: appImage }),
    ...(interpreter === undefined ? {} : { interpreter }),
    ...(script === undefined ? {} : { script }),
    ...(scriptEvidence === undefined ? {} : { script_evidence: scriptEvidence }),
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(integrity === undefined && identity.scriptIntegrity === undefined ? {} : { integrity: isChanged(identity) ? 'changed' : identity.scriptIntegrity ?? integrity ?? 'unknown' }),
    ...(trusted === undefined ? {} : { trusted }),
  };
}

/** The first of the containers at the ends of a flow, which is the sender where that is one. Texts of others, bounded already. */
export function containerInfo(containers: readonly ContainerEnd[] = []): Pick<PromptInfo, 'container' | 'image'> {
  const [first] = containers;
  return first === undefined ? {} : { container: first.name, image: first.image };
}

/** An interpreter's package says nothing of the script that it runs. */
function summaryInfo(identity: Identity | undefined, context: ViewContext): Pick<PromptInfo, 'package_summary'> {
  if (identity?.package === undefined || identity.interpreter === true) return {};
  const summary = context.summaryOf(identity.package);
  return summary === null ? {} : { package_summary: summary };
}

function portOf({ tuple }: Question): number {
  const named = hasPorts(tuple.protocol) || tuple.protocol === ICMP || tuple.protocol === ICMPV6;
  return named ? tuple.destinationPort : 0;
}

/** Milliseconds until the deadline, 0 when it has passed. */
function leftMs(prompt: Prompt<PromptExtras>, nowNs: bigint): number {
  return prompt.status === 'expired' || prompt.deadlineNs <= nowNs ? 0 : Number((prompt.deadlineNs - nowNs) / NS_PER_MS);
}

export function ancestorInfoOf({ pid, path, command, identity }: Ancestor): AncestorInfo {
  const script = identity?.scriptEvidence === 'exec' ? identity.script : undefined;
  return { pid, path: path ?? '', command, ...(script === undefined ? {} : { script }) };
}

function promptInfoOf(prompt: Prompt<PromptExtras>, context: ViewContext): PromptInfo {
  const { question, data } = prompt;
  const { owner, tuple } = question;
  const path = question.path ?? question.claimedPath;
  const offered = choicesOf(prompt, context);
  const byContainer = lastingContainer(question) !== null;
  const [namedBy] = byContainer ? ['container'] : Object.keys(lastingProgram(question) ?? {}).map((part) => part.toLowerCase());
  const [byName, pattern] = [ruleName(question), rulePattern(question)];
  return {
    id: prompt.id,
    nonce: prompt.nonce,
    application: owner.forwardedFrom ?? applicationOf(question),
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
    ...containerInfo(question.containers?.filter(({ certain }) => certain)),
    ...identityInfo(question.identity),
    ...summaryInfo(question.identity, context),
    ...(namedBy === undefined ? {} : { named_by: namedBy }),
    ancestors: data.ancestors.map((one) => ancestorInfoOf(one)),
    count: prompt.count,
    raised_ms: prompt.raisedMs,
    expires_in_ms: leftMs(prompt, context.nowNs),
    timeout_ms: prompt.timeoutMs,
    status: prompt.status === 'expired' ? 'expired' : 'pending',
    lifetimes: offered.lifetimes,
    scopes: offered.scopes,
    default_lifetime: offered.defaultLifetime,
    default_scope: offered.defaultScope,
    ...(byName === null ? {} : { by_name: byName }),
    ...(pattern === null ? {} : { pattern }),
  };
}

/** A prompt for the service; a snapshot, later changes do not show in it. */
export function promptView(prompt: Prompt<PromptExtras>, context: ViewContext): PromptView {
  return { info: promptInfoOf(prompt, context), target: targetOf(prompt.question, context.users) };
}
