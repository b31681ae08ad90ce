/** What is remembered of one decision, in the data path's words. */
import type { BootNs, Decision, ExecutableId } from '../contract/vocabulary.ts';
import type { Remembering } from '../policy/remembering.ts';
import type { Ask, MemoryForm, RememberedDecision, RememberedFlow } from '../ports.ts';
import { verdictOf } from './decide.ts';

const NS_PER_MS = 1_000_000;
/** For the socket of a program that is certain but has no key of its own (its network namespace is unknown). */
const FALLBACK_MS = 60_000;
/**
 * What ends is decided again and written anew by an alarm at that moment. The kernel's own end comes later by so much, so that
 * nothing stalls meanwhile, where that opens nothing.
 */
const GRACE_NS = 2_000_000_000n;
const TCP = 6;

export interface Memory {
  /** One text for one key of the data path. */
  readonly key: string;
  /** null where only the flow is remembered. */
  readonly program: RememberedDecision | null;
  /** For `replaceAll`; null where the program is remembered, and for a flow that is known by its tuple alone. */
  readonly flow: RememberedFlow | null;
  readonly untilNs: BootNs;
  readonly hitSlot: number;
  /** When it is to be decided again; null: with the next change of the rules. */
  readonly endsNs: BootNs | null;
  /** Is it worth keeping over a change of the rules? False for what is forgotten within seconds anyway. */
  readonly lasting: boolean;
}

export interface MemoryTerms {
  readonly nowNs: BootNs;
  /** Boot time after which nothing may be remembered (the end of a pause), null for no such time. */
  readonly capNs: BootNs | null;
  readonly hitSlot: number;
  /** Would the rules say the same just after the memory's end? */
  readonly sameAfter: boolean;
  /** What was remembered of this flow until now: its key may be the same. */
  readonly before: Memory | null;
}

/** Is the flow a connection whose socket is known by its cookie? */
export function isStream({ attribution: { owner }, origin, tuple }: Ask): boolean {
  return tuple.protocol === TCP && origin === 'process' && owner !== null && owner.cookie !== 0n;
}

/** Boot time `ms` after `nowNs`, cut to `capNs`; 0n for no end. */
export function untilOf(nowNs: BootNs, ms: number | null, capNs: BootNs | null): BootNs {
  const untilNs = ms === null ? 0n : nowNs + BigInt(Math.trunc(ms * NS_PER_MS));
  if (capNs === null) return untilNs;
  return untilNs === 0n || untilNs > capNs ? capNs : untilNs;
}

/** Is the flow identified well enough for a decision that covers the whole program? */
export function hasProgramKey({ attribution: { owner, confidence, evidence } }: Ask): boolean {
  return owner !== null && confidence === 'certain' && evidence === 'kernel' && owner.networkNamespace !== 0n;
}

type Destination = Pick<RememberedDecision, 'protocol' | 'family' | 'destinationAddress' | 'destinationPort'>;

/** The parts that a form leaves open are empty. */
function destinationOf({ tuple }: Ask, form: MemoryForm): Destination {
  const address = form === 'exact' || form === 'any-port';
  const port = form === 'exact' || form === 'any-address';
  return {
    protocol: port ? tuple.protocol : 0,
    family: address ? tuple.family : 4,
    destinationAddress: address ? tuple.destinationAddress : '',
    destinationPort: port ? tuple.destinationPort : 0,
  };
}

function keyText(
  what: string, { device, inode, generation, ctimeSec }: ExecutableId, { protocol, destinationAddress, destinationPort }: Destination,
): string {
  const file = `${String(device)} ${String(inode)} ${String(generation)} ${String(ctimeSec)}`;
  return `${what} ${file} ${String(protocol)} ${destinationAddress} ${String(destinationPort)}`;
}

interface Rest extends Pick<Memory, 'untilNs' | 'hitSlot' | 'endsNs'> {
  readonly before: Memory | null;
}

function ofProgram(ask: Ask, form: MemoryForm, decision: Decision, { before, ...rest }: Rest): Memory | null {
  const { owner } = ask.attribution;
  if (owner === null) return null;
  const { executable, uid, networkNamespace } = owner;
  const reply = ask.answersPeer;
  const destination = destinationOf(ask, form);
  const { untilNs, hitSlot } = rest;
  const who = `${form} ${reply ? 'reply ' : ''}${String(uid)} ${String(networkNamespace)}`;
  return {
    ...rest,
    key: before?.program?.form === form ? before.key : keyText(who, executable, destination),
    program: { form, reply, executable, uid, networkNamespace, ...destination, verdict: verdictOf(decision.action), untilNs, hitSlot },
    flow: null,
    lasting: true,
  };
}

function ofFlow(ask: Ask, decision: Decision, lasting: boolean, { before, ...rest }: Rest): Memory {
  const { owner } = ask.attribution;
  if (owner === null || owner.cookie === 0n || ask.origin !== 'process') {
    return { ...rest, key: '', program: null, flow: null, lasting: false };
  }
  const { cookie, pid, startNs, executable } = owner;
  const destination = destinationOf(ask, 'exact');
  const { untilNs, hitSlot } = rest;
  return {
    ...rest,
    key: before?.flow != null ? before.key : keyText(`flow ${String(cookie)} ${String(pid)} ${String(startNs)}`, executable, destination),
    program: null,
    flow: { cookie, pid, startNs, executable, ...destination, verdict: verdictOf(decision.action), untilNs, hitSlot },
    lasting,
  };
}

/** null where nothing may be remembered. */
export function memoryOf(
  ask: Ask, decision: Decision, what: Remembering, { nowNs, capNs, hitSlot, sameAfter, before }: MemoryTerms,
): Memory | null {
  if (what.for === 'nothing') return null;
  const whole = what.for === 'program' && hasProgramKey(ask);
  const stream = isStream(ask);
  const lastsMs = whole || stream || what.for === 'socket' ? what.lastsMs : (what.lastsMs ?? FALLBACK_MS);
  // Not who it is bounds the time, but what the rules say: then it is decided again at the end.
  const lasting = whole || stream || (what.for === 'socket' && ask.attribution.confidence === 'certain');
  const endsNs = lasting && lastsMs !== null ? untilOf(nowNs, lastsMs, null) : null;
  const graceNs = endsNs !== null && (sameAfter || decision.action !== 'allow') ? GRACE_NS : 0n;
  const untilNs = untilOf(nowNs + graceNs, lastsMs, capNs);
  const rest: Rest = { untilNs, hitSlot, endsNs, before };
  return (whole ? ofProgram(ask, what.form, decision, rest) : null) ?? ofFlow(ask, decision, lasting, rest);
}

/** What a person said of one flow. It is kept: it covers the flow for as long as its socket lives. */
export function memoryOfAnswer(ask: Ask, decision: Decision, untilNs: BootNs): Memory {
  return ofFlow(ask, decision, true, { untilNs, hitSlot: 0, endsNs: null, before: null });
}
