/** What `selftest` tries, and what an answer means. Pure. */
import { isIP } from 'node:net';
import { printable } from '../text/escape.ts';

/** Word for word what bastion-probe takes; native/probe/probe.c says what each does. */
export type ProbeKind = 'tcp' | 'udp' | 'dns' | 'ping' | 'raw' | 'namespace';

export interface ProbeSpec {
  readonly name: string;
  readonly kind: ProbeKind;
  /** 0 where there are no ports. */
  readonly port: number;
  /** Only if this very probe was answered while it was allowed does it say anything that no answer comes. */
  readonly needsControl: boolean;
}

/** In the order of the scorecard. */
export const PROBES: readonly ProbeSpec[] = [
  { name: 'TCP', kind: 'tcp', port: 80, needsControl: true },
  { name: 'TCP to the port of DNS over HTTPS', kind: 'tcp', port: 443, needsControl: true },
  { name: 'UDP', kind: 'udp', port: 443, needsControl: true },
  { name: 'DNS to a foreign server', kind: 'dns', port: 53, needsControl: true },
  { name: 'ICMP from a ping socket', kind: 'ping', port: 0, needsControl: true },
  { name: 'raw socket', kind: 'raw', port: 0, needsControl: true },
  { name: 'a network namespace of its own', kind: 'namespace', port: 80, needsControl: false },
];

/** Another file that gives itself the name of one that is allowed. */
export const SPOOF: ProbeSpec = { name: 'the name of an allowed program', kind: 'tcp', port: 80, needsControl: true };

/** What bastion-probe printed. */
export interface Outcome {
  /** `reset`: of TCP, by the other side or by this machine's firewall. */
  readonly what: 'answered' | 'reset' | 'refused' | 'silent' | 'unable';
  /** One word of the probe's, '' for none. */
  readonly detail: string;
}

const OUTCOMES = ['answered', 'reset', 'refused', 'silent', 'unable'] as const;

/** `unable` for anything else than the probe's line. */
export function readOutcome(line: string): Outcome {
  const found = /^([a-z]+)(?: ([A-Za-z0-9_ ]{1,40}))?\n?$/.exec(line);
  const what = OUTCOMES.find((one) => one === found?.[1]);
  return what === undefined ? { what: 'unable', detail: 'the probe could not be run' } : { what, detail: found?.[2] ?? '' };
}

/** One line of the scorecard. */
export interface Score {
  readonly name: string;
  readonly tried: string;
  readonly cameBack: string;
  /** `unknown`: cannot be told here. */
  readonly result: 'refused' | 'leak' | 'unknown';
}

function cameBackText({ what, detail }: Outcome): string {
  switch (what) {
    case 'answered': return `the other side answered (${detail})`;
    case 'reset': return 'a reset';
    case 'refused': return `refused on this machine (${detail})`;
    case 'silent': return 'nothing';
    case 'unable': return `cannot be tried here (${detail})`;
  }
}

export function triedText({ kind, port }: ProbeSpec, address: string): string {
  return port === 0 ? `${kind} ${address}` : `${kind} ${address} port ${String(port)}`;
}

/** `control`: the same while it was allowed, null where nothing is to be compared. */
export function scoreOf(spec: ProbeSpec, address: string, control: Outcome | null, denied: Outcome): Score {
  const score = { name: spec.name, tried: triedText(spec, address), cameBack: cameBackText(denied) };
  if (denied.what === 'answered') return { ...score, result: 'leak' };
  if (denied.what === 'unable') return { ...score, result: 'unknown' };
  if (spec.needsControl && control?.what !== 'answered') {
    return { ...score, cameBack: `${score.cameBack}, as when it was allowed`, result: 'unknown' };
  }
  return { ...score, result: 'refused' };
}

/** Why no probe may go there, null when it may. `own`: addresses of this machine, whose packets never leave it. */
export function targetProblem(address: string, own: ReadonlySet<string>): string | null {
  const shown = `'${printable(address)}'`;
  const family = isIP(address);
  if (family === 0) return `${shown} is no IP address; names are not looked up`;
  if (own.has(address)) return `${shown} is an address of this machine: what goes there never leaves it`;
  const special = family === 4 ? /^(?:0|127|22[4-9]|23\d|24\d|25[0-5])\./ : /^(?:::1?$|::ffff:|f[ef][89a-f])|%/i;
  return special.test(address) || /^ff/i.test(address) ? `${shown} is no address of another machine` : null;
}
