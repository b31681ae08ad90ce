/** One thing that doctor looked at. */

export interface Finding {
  readonly name: string;
  /** `unknown`: cannot be told without more rights, or on this kind of system. */
  readonly result: 'ok' | 'failed' | 'unknown';
  readonly detail: string;
  /** What to do; '' when there is nothing to do. */
  readonly remedy: string;
}

export const UNIT = 'bastion-firewall.service';

export function ok(name: string, detail: string): Finding {
  return { name, result: 'ok', detail, remedy: '' };
}

export function failed(name: string, detail: string, remedy: string): Finding {
  return { name, result: 'failed', detail, remedy };
}

export function unknown(name: string, detail: string, remedy = ''): Finding {
  return { name, result: 'unknown', detail, remedy };
}
