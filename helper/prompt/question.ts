/** What one prompt asks: who wants to reach what. Flows with the same question join one prompt. */
import type { Confidence, Evidence, ExecutableId, KnownName, Owner, Tuple } from '../contract/vocabulary.ts';
import { hasPorts, ICMP, ICMPV6 } from '../policy/ports.ts';

export interface Question {
  /** Verified executable path, null when none is known. */
  readonly path: string | null;
  /** Recorded but not verified; shown, never part of a rule. */
  readonly claimedPath: string | null;
  readonly confidence: Confidence;
  readonly evidence: Evidence;
  readonly owner: Owner;
  readonly tuple: Tuple;
  /** Names that the flow may have come from, the likeliest first. */
  readonly names: readonly KnownName[];
  /** The first of them, null when there is none: what the prompt is about. */
  readonly name: string | null;
  /** The flow is a DNS query, and `name` is what it asks for. */
  readonly isLookup: boolean;
}

const DNS_PORT = 53;

function executableKey(executable: ExecutableId): string {
  const { device, inode, generation, ctimeSec } = executable;
  return [String(device), String(inode), String(generation), String(ctimeSec)].join('.');
}

/** One program of one user: its prompts are shown one after the other. An unverified path is no identity. */
export function applicationKey({ path, owner }: Question): string {
  return `${String(owner.uid)} ${path ?? executableKey(owner.executable)}`;
}

/** A forwarded flow's sender is its source address: what one is answered is not for another. Same program, user, name (else address), port and protocol: the same question. A program has one resolver question a name. */
export function questionKey(question: Question): string {
  const { tuple, name, isLookup, owner } = question;
  const from = owner.forwardedFrom === undefined ? '' : ` from ${tuple.sourceAddress}`;
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
