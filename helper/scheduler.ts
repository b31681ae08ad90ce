/** Alarms on the boot clock, which goes on while the machine sleeps. */
import type { BootNs } from './contract/vocabulary.ts';
import type { Clock } from './ports.ts';

/** Timers stand still while the machine sleeps: after it woke, the boot clock is looked at within this. */
const LONGEST_WAIT_MS = 10_000;

/** Calls `run` once, at or soon after `atBootNs`; returns the way to cancel. */
export function scheduler(clock: Clock): (atBootNs: BootNs, run: () => void) => () => void {
  return (atBootNs, run) => {
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const restMs = Number((atBootNs - clock.bootNs()) / 1_000_000n) + 1;
      timer = setTimeout(() => {
        if (clock.bootNs() >= atBootNs) run();
        else arm();
      }, Math.min(Math.max(restMs, 1), LONGEST_WAIT_MS));
    };
    arm();
    return () => { clearTimeout(timer); };
  };
}
