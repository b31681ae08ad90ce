/** Sentences for what protects less than it should, out of what the guard knows. */
import type { DegradedReason } from './contract/types.ts';
import type { DataPath } from './ports.ts';

export interface Shortcomings {
  /** What could not be attached at all. */
  readonly failure: string | null;
  /** The failure came when rules that somebody had changed were to be put back. */
  readonly afterChange: boolean;
  readonly dataPath: Pick<DataPath, 'identification' | 'missing'> | null;
  /** Why the rules are in force without the kernel's programs. */
  readonly withoutXt: string | null;
  /** Why nothing that comes in is refused although bastion.toml says so. */
  readonly withoutInbound: string | null;
  /** Why changes of the rules are not noticed at once. */
  readonly unwatched: string | null;
  /** Why kernel programs that somebody took away could not be put back. */
  readonly pinsLost: string | null;
}

/** As native/src/kernel_part.cpp calls it. */
const GATE = 'the gate';
const LINEAGE = 'the record of forks and execs';
const FLOWS = 'the record of connections';

const KERNEL = 'Use a kernel with BTF and cgroup BPF, and without lockdown.';
/** The kernel could, but had no room. Source: strerror(3). */
const SHORTAGE = /Too many open files|Cannot allocate memory|No space left on device|Resource temporarily unavailable/u;
const RESTART = 'The machine ran out of it; free some, then restart the helper: systemctl restart bastion-firewall';
const AGAIN = 'Mend what it says; bastionctl doctor helps to find it. The helper tries again by itself, at least every minute.';

function failureReason({ failure, afterChange }: Shortcomings): DegradedReason[] {
  if (failure === null) return [];
  if (!afterChange) return [{ code: 'not-attached', text: `The firewall could not be attached: ${failure}`, remedy: AGAIN }];
  const text = `Another program changed the firewall rules, and they could not be put back: ${failure}`;
  return [{ code: 'rules-changed', text, remedy: AGAIN }];
}

function kernelReasons({ dataPath }: Shortcomings): DegradedReason[] {
  if (dataPath === null) return [];
  const byKernel = dataPath.identification === 'kernel';
  if (!byKernel && dataPath.missing.length === 0) {
    const text = 'Programs are found through /proc because kernel identification is switched off.';
    return [{ code: 'kernel-identity', text, remedy: 'Start the helper without --identification sock_diag.' }];
  }
  return dataPath.missing.map(({ what, why }) => {
    const remedy = SHORTAGE.test(why) ? RESTART : KERNEL;
    if (!byKernel) {
      const text = `The kernel refused ${what} (${why}); programs are found through /proc, which a short-lived program can escape: it is then refused.`;
      return { code: 'kernel-identity', text, remedy };
    }
    if (what === GATE) {
      const text = `The kernel refused ${what} (${why}); the packet rules alone stop what is undecided, and open connections go on after a denial.`;
      return { code: 'gate', text, remedy };
    }
    if (what === LINEAGE) {
      const text = `The kernel refused ${what} (${why}); which program started which is read from /proc, where it is lost when a parent ends.`;
      return { code: 'lineage', text, remedy };
    }
    if (what === FLOWS) {
      const text = `The kernel refused ${what} (${why}); the history has only connections that were asked about, and not what they moved.`;
      return { code: 'connections', text, remedy };
    }
    return { code: 'kernel-part', text: `The kernel refused ${what} (${why}); the helper is asked instead.`, remedy };
  });
}

/** The gravest first. */
export function degradedReasons(found: Shortcomings): readonly DegradedReason[] {
  const reasons = [...failureReason(found), ...kernelReasons(found)];
  const { withoutXt, withoutInbound, unwatched, pinsLost } = found;
  if (pinsLost !== null) {
    const text = `Another program took the kernel programs of the firewall away, and they could not be put back: ${pinsLost}. The packet rules hold; open connections go on after a denial.`;
    reasons.push({ code: 'kernel-programs', text, remedy: AGAIN });
  }
  if (withoutXt !== null) {
    reasons.push({ code: 'kernel-decisions', text: `The kernel cannot decide by itself (${withoutXt}); open flows pass by their state.`, remedy: 'Install iptables with the bpf match (xt_bpf).' });
  }
  if (withoutInbound !== null) {
    const text = `What comes in is not refused although bastion.toml says so: the kernel did not take those rules (${withoutInbound}).`;
    reasons.push({ code: 'inbound', text, remedy: AGAIN });
  }
  if (unwatched !== null) {
    const text = `Changes of the firewall rules by other programs are not noticed at once (${unwatched}); they are put back within a minute.`;
    reasons.push({ code: 'rules-watch', text, remedy: 'Use a kernel whose nf_tables announces changes.' });
  }
  return reasons;
}
