/** The plan of one fault: a file of one line, written by the test and read inside the helper. */
import { basename } from 'node:path';
import { FAULT_CODES } from './faults.ts';
import type { FaultCode } from './faults.ts';

/** In place of a site: every call. */
export const ANY = '*';

export interface Plan {
  /** A word; what was met is told with it. */
  readonly id: string;
  /** Tells each call and fails none. */
  readonly record: boolean;
  readonly site: string;
  readonly code: FaultCode;
  readonly form: 'once' | 'always';
  /** So many calls of the site go well first. */
  readonly skip: number;
  /** With ANY: only these kinds of calls; none: all. */
  readonly calls: readonly string[];
}

/** The file has this size, whatever the plan. */
export const PLAN_BYTES = 1024;

/** Fields apart by tabs, for a reader in C; the first word again at the end, which tells a plan that is being written. */
export function planBytes(plan: Plan | null): Buffer {
  const bytes = Buffer.alloc(PLAN_BYTES);
  if (plan === null) return bytes;
  const { id, record, site, code, form, skip, calls } = plan;
  bytes.write([id, record ? 'record' : 'fail', code, form, String(skip), calls.join(','), site, id].join('\t'));
  return bytes;
}

/** null for an empty plan. */
export function parsePlan(bytes: Buffer): Plan | null {
  const text = bytes.toString('utf8', 0, bytes.indexOf(0));
  const [id = '', what = '', code = '', form = '', skip = '', calls = '', site = '', end = ''] = text.split('\t');
  if (id === '' || id !== end) return null;
  return {
    id, site, record: what === 'record', code: FAULT_CODES.find((one) => one === code) ?? 'EIO', form: form === 'once' ? 'once' : 'always',
    skip: Number(skip), calls: calls === '' ? [] : calls.split(','),
  };
}

/** What a call is about, the same in every run: no name of a lab, no number, no random part. */
export function targetOf(value: unknown, product: string): string {
  if (value instanceof URL) return targetOf(value.pathname, product);
  if (typeof value !== 'string') return '-';
  if (value.startsWith(`${product}/`)) return 'product';
  return value
    .replace(/^\/tmp\/bastion-lab-[^/]*\/bin\/.*/u, 'program')
    .replace(/^\/tmp\/bastion-lab-[^/]*/u, 'LAB')
    .replace(/\/vendor\/.*/u, '/vendor/*')
    .replace(/\.[0-9a-f]{16}\.tmp$/u, '.tmp')
    .replaceAll(/\d+/gu, '#')
    .replaceAll(/\s/gu, '_') || basename(value);
}
