/**
 * A mode that is tried out: it goes back by itself to what was before, `off` included. That must hold even if the helper dies, so
 * whatever nobody decides goes meanwhile as before: see `failsOpen` in modes.ts, and `capOf` for what the kernel remembers.
 */
import type { BootNs, Decision, Mode } from '../contract/vocabulary.ts';

export interface Trial {
  readonly mode: Mode;
  /** Boot time. */
  readonly endsNs: BootNs;
  /** The firewall was off before: it goes off again at the end. */
  readonly fromOff: boolean;
}

/** What of a trial bounds the kernel's memory. */
export interface TrialTerms {
  readonly endsNs: BootNs;
  /** Nothing was held before: without the helper nothing that only the mode refuses may stay refused. */
  readonly opens: boolean;
}

/** As long as a refusal by the mode alone is repeated by the kernel: a burst is spared, and a dead helper locks nobody out. */
const REFUSED_NS = 2_000_000_000n;

function earlier(a: BootNs | null, b: BootNs): BootNs {
  return a === null || b < a ? b : a;
}

/** Is it said by a person, and not by the mode? Only that outlasts a trial. */
function isOfPerson({ reason }: Decision): boolean {
  return reason === 'rule' || reason === 'prompt-answer';
}

/** Boot time after which the kernel may not repeat `decision`, null for no such time. `capNs` is that of everything. */
export function capOf(decision: Decision, nowNs: BootNs, capNs: BootNs | null, trial: TrialTerms | null): BootNs | null {
  if (trial === null || isOfPerson(decision)) return capNs;
  const cap = earlier(capNs, trial.endsNs);
  return trial.opens && decision.action !== 'allow' ? earlier(cap, nowNs + REFUSED_NS) : cap;
}
