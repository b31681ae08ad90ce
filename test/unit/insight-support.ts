/** Recorded flows for tests of what is learned from them, everything that a test does not name filled in. */
import type { RecordedFlow } from '../../helper/policy/recorded.ts';
import { RecordedMoments } from '../../helper/policy/recorded.ts';
import type { Rule } from '../../helper/contract/vocabulary.ts';
import { Learner } from '../../helper/insight/propose.ts';
import type { Proposals } from '../../helper/insight/propose.ts';
import { proposalText } from '../../helper/insight/words.ts';
import { tuple } from './policy-support.ts';

export const START_MS = 1_800_000_000_000;

/** Nothing is in any list, every interface is in the zone `home`. */
export const MOMENTS = new RecordedMoments({
  requireKernelIdentity: false,
  places: { listHasName: () => false, listHasAddress: () => false, zoneOf: () => 'home' },
});

export interface FlowChange extends Omit<Partial<RecordedFlow>, 'tuple'> {
  readonly address?: string;
  readonly port?: number;
  readonly protocol?: number;
  /** A name that the program itself asked for. */
  readonly name?: string;
}

let next = 0;

/** A flow that learning let pass: curl of user 1000, to 203.0.113.7, TCP port 443. */
export function learned(change: FlowChange = {}): RecordedFlow {
  const { address = '203.0.113.7', port = 443, protocol = 6, name, ...rest } = change;
  next += 1;
  const path = rest.path === undefined ? '/usr/bin/curl' : rest.path;
  return {
    id: `f${next.toString(36)}`,
    timeMs: START_MS + next,
    tuple: tuple({ family: address.includes(':') ? 6 : 4, destinationAddress: address, destinationPort: port, protocol }),
    path,
    uid: 1000,
    forwardedFrom: null,
    names: name === undefined ? [] : [{ name, source: 'program' }],
    interfaceName: 'eth0',
    decision: { action: 'allow', reason: 'mode-learning', ruleId: null },
    confidence: 'certain',
    evidence: 'kernel',
    identity: { path },
    claimedPath: null,
    isLookup: false,
    answersPeer: false,
    origin: 'process',
    ...rest,
  };
}

/** A flow that a rule, or the answer to a prompt, refused. */
export function refused(change: FlowChange = {}): RecordedFlow {
  return learned({ decision: { action: 'deny', reason: 'rule', ruleId: 'gone' }, ...change });
}

export function propose(flows: Iterable<RecordedFlow>, present: readonly Rule[] = [], includeDecided = false): Proposals {
  const learner = new Learner({ present, moments: MOMENTS, includeDecided });
  for (const flow of flows) learner.take(flow);
  return learner.result();
}

/** What is proposed, one text a rule, in order. */
export function texts(proposals: Proposals): readonly string[] {
  return proposals.rules.map(({ application, rule: { match }, tally }) =>
    proposalText(application, match, match.uid === undefined ? null : String(match.uid), tally.connections));
}
