/** Everything that one turn of the engine tells the data path: memories first, then verdicts, in one call each. */
import type { Decision, Verdict } from '../contract/vocabulary.ts';
import type { Remembering } from '../policy/remembering.ts';
import type { Ask, AskAnswer, DataPath, RememberedDecision } from '../ports.ts';
import { verdictOf } from './decide.ts';

const NS_PER_MS = 1_000_000;
/** For the socket of a program that is certain but has no key of its own (its network namespace is unknown). */
const FALLBACK_MS = 60_000;

function bootAfter(nowNs: bigint, ms: number): bigint {
  return nowNs + BigInt(Math.trunc(ms * NS_PER_MS));
}

/** Is the flow identified well enough for a decision that covers the whole program? */
function programKey(ask: Ask, verdict: Verdict, untilNs: bigint): RememberedDecision | null {
  const { owner, confidence, evidence } = ask.attribution;
  if (owner === null || confidence !== 'certain' || evidence !== 'kernel' || owner.networkNamespace === 0n) return null;
  const { protocol, family, destinationAddress, destinationPort } = ask.tuple;
  return {
    form: 'exact',
    reply: false,
    executable: owner.executable,
    uid: owner.uid,
    networkNamespace: owner.networkNamespace,
    protocol,
    family,
    destinationAddress,
    destinationPort,
    verdict,
    untilNs,
    hitSlot: 0,
  };
}

function keyText(entry: RememberedDecision): string {
  const { executable, uid, networkNamespace, protocol, destinationAddress, destinationPort } = entry;
  return [
    String(executable.device), String(executable.inode), String(executable.generation), String(executable.ctimeSec), String(uid),
    String(networkNamespace), String(protocol), destinationAddress, String(destinationPort),
  ].join('|');
}

export class Batch {
  readonly #nowNs: bigint;
  /** Boot time after which nothing of this turn may be remembered (the end of a pause), null for no such time. */
  readonly #capNs: bigint | null;
  readonly #answers: AskAnswer[] = [];
  readonly #remembered: RememberedDecision[] = [];
  readonly #keys = new Set<string>();

  constructor(nowNs: bigint, capNs: bigint | null) {
    this.#nowNs = nowNs;
    this.#capNs = capNs;
  }

  /** Gives the verdict and no more. */
  verdict(id: number, decision: Decision): void {
    this.#answers.push({ id, verdict: verdictOf(decision.action) });
  }

  /** Holds the flow; past `deadlineNs` the data path gives its default verdict by itself. */
  hold(id: number, deadlineNs: bigint): void {
    this.#answers.push({ id, verdict: 'hold', deadlineNs });
  }

  /** Gives the verdict for this flow as long as its socket lives, or for `lastsMs`. */
  flow(id: number, decision: Decision, lastsMs: number | null): void {
    const untilNs = this.#capped(lastsMs);
    this.#answers.push({ id, verdict: verdictOf(decision.action), rememberUntilNs: untilNs });
  }

  /** Gives the verdict, remembered as far as the rules allow. */
  remember(ask: Ask, decision: Decision, memory: Remembering): void {
    if (memory.for === 'nothing') {
      this.verdict(ask.id, decision);
      return;
    }
    const entry = memory.for === 'program' ? programKey(ask, verdictOf(decision.action), this.#capped(memory.lastsMs)) : null;
    if (entry === null) {
      this.flow(ask.id, decision, memory.lastsMs ?? FALLBACK_MS);
      return;
    }
    if (this.#isNew(entry)) this.#remembered.push(entry);
    this.verdict(ask.id, decision);
  }

  /** The memory is there before a verdict is given: the next packet of the same program finds it. */
  send(dataPath: DataPath): void {
    if (this.#remembered.length > 0) dataPath.remember(this.#remembered);
    if (this.#answers.length > 0) dataPath.answer(this.#answers);
  }

  /** Most turns have one flow, and the key of what stands alone is never asked for. */
  #isNew(entry: RememberedDecision): boolean {
    const [first] = this.#remembered;
    if (first === undefined) return true;
    if (this.#keys.size === 0) this.#keys.add(keyText(first));
    const key = keyText(entry);
    if (this.#keys.has(key)) return false;
    this.#keys.add(key);
    return true;
  }

  #capped(lastsMs: number | null): bigint {
    const untilNs = lastsMs === null ? 0n : bootAfter(this.#nowNs, lastsMs);
    if (this.#capNs === null) return untilNs;
    return untilNs === 0n || untilNs > this.#capNs ? this.#capNs : untilNs;
  }
}
