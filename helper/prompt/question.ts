/** What one prompt asks: who wants to reach what. Flows with the same question join one prompt. */
import type {
  Confidence, ContainerEnd, Evidence, ExecutableId, Identity, KnownName, Owner, ProgramMatch, Tuple,
} from '../contract/vocabulary.ts';
import { nameableSender } from '../policy/containers.ts';
import { hasPorts, ICMP, ICMPV6 } from '../policy/ports.ts';
import { isChanged, isInstalled } from '../policy/program.ts';

export interface Question {
  /** Verified executable path, null when none is known. */
  readonly path: string | null;
  /** Recorded but not verified; shown, never part of a rule. */
  readonly claimedPath: string | null;
  readonly confidence: Confidence;
  readonly evidence: Evidence;
  /** All that is known of the program; absent where nobody looked. */
  readonly identity?: Identity;
  readonly owner: Owner;
  readonly tuple: Tuple;
  /** Names that the flow may have come from, the likeliest first. */
  readonly names: readonly KnownName[];
  /** The first of them, null when there is none: what the prompt is about. */
  readonly name: string | null;
  /** The flow is a DNS query, and `name` is what it asks for. */
  readonly isLookup: boolean;
  /** A server answers a peer that spoke first; absent: no. */
  readonly answersPeer?: boolean;
  /** Containers at its ends, the sender first; absent: none is known. */
  readonly containers?: readonly ContainerEnd[];
}

const DNS_PORT = 53;

function executableKey(executable: ExecutableId): string {
  const { device, inode, generation, ctimeSec } = executable;
  return [String(device), String(inode), String(generation), String(ctimeSec)].join('.');
}

/**
 * What a rule made from an answer names the program by: what survives its updates. A script counts where the kernel recorded it,
 * or where all is known through /proc only. null: nothing that could be named for longer than the process lives.
 */
export function lastingProgram({ path, identity, confidence }: Pick<Question, 'path' | 'identity' | 'confidence'>): ProgramMatch | null {
  if (identity?.flatpak !== undefined) return { flatpak: identity.flatpak };
  if (identity?.snap !== undefined) return { snap: identity.snap };
  if (identity?.appImage !== undefined) return { appImage: identity.appImage };
  if (identity?.interpreter === true) {
    const counts = identity.scriptEvidence === 'exec' || confidence === 'likely';
    if (identity.script === undefined || !counts) return null;
    // The name of an interpreter that is nobody's package is not enough; see policy/program.ts.
    return { script: identity.script, ...(isInstalled(identity) || path === null ? {} : { path }) };
  }
  return path === null ? null : { path };
}

/**
 * The container that a rule made from an answer is for: the sender of a forwarded flow, where it is certain which one that is and
 * where its name is one that a rule can say. null: none.
 */
export function lastingContainer({ containers, owner }: Pick<Question, 'containers'> & { readonly owner: Pick<Owner, 'forwardedFrom'> }): ContainerEnd | null {
  return owner.forwardedFrom === undefined ? null : nameableSender(containers);
}

/** One program of one user: its prompts are shown one after the other. An unverified path is no identity. */
export function applicationKey(question: Question): string {
  const { path, owner } = question;
  const { flatpak, snap, appImage, script } = lastingProgram(question) ?? {};
  const file = path ?? lastingContainer(question)?.id ?? executableKey(owner.executable);
  // A script under another interpreter is another program: anything can be given an interpreter's name.
  return `${String(owner.uid)} ${flatpak ?? snap ?? appImage ?? (script === undefined ? file : `${script} ${file}`)}`;
}

/** What a prompt says against its program: one flow does not join another's question that looks better. */
function doubts({ containers = [], identity, confidence }: Question): string {
  const changed = isChanged(identity) ? ' changed' : '';
  const claimed = identity?.scriptEvidence === 'claimed' ? ` claims ${identity.script ?? ''}` : '';
  const within = containers.map(({ id, name, certain }) => ` in ${id} ${name}${certain ? '' : '?'}`).join('');
  return `${confidence === 'certain' ? '' : ` ${confidence}`}${changed}${claimed}${within}`;
}

/** A forwarded flow's sender is its source address: what one is answered is not for another. Same program, user, name (else address), port and protocol: the same question. A program has one resolver question a name. */
export function questionKey(question: Question): string {
  const { tuple, name, isLookup, owner } = question;
  const from = `${doubts(question)}${owner.forwardedFrom === undefined ? '' : ` from ${tuple.sourceAddress}`}`;
  if (isLookup && name !== null) return `${applicationKey(question)}${from} lookup ${name.toLowerCase()}`;
  const protocol = tuple.protocol === ICMPV6 ? ICMP : tuple.protocol;
  const port = hasPorts(tuple.protocol) ? tuple.destinationPort : 0;
  const destination = name?.toLowerCase() ?? tuple.destinationAddress;
  return `${applicationKey(question)}${from} ${String(protocol)} ${destination} ${String(port)}`;
}

/** Is this flow a question to a name server? */
export function isLookup(tuple: Tuple, dnsQuestion: string | null): boolean {
  return dnsQuestion !== null && tuple.destinationPort === DNS_PORT && hasPorts(tuple.protocol);
}
