/** The machine's clocks: port `Clock`. */
import type { Clock } from '../ports.ts';
import type { NativeBinding } from '../../native/binding.ts';

/** Node has no CLOCK_BOOTTIME: its monotonic clock stands still while the machine sleeps. */
export function createClock(native: Pick<NativeBinding, 'bootNs'>): Clock {
  return { bootNs: () => native.bootNs(), wallMs: () => Date.now() };
}
