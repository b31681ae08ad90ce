/** Reading option values: numbers and names, with errors that name the option. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { UsageError } from '../errors.ts';
import type { OptionValues } from '../tree.ts';

const execute = promisify(execFile);

/** The value of an option that takes one, undefined when it was not given. */
export function textOption(options: OptionValues, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

/** A whole number within limits; throws UsageError. */
export function wholeNumber(what: string, text: string, low: number, high: number): number {
  const number = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= low && number <= high)) {
    throw new UsageError(`${what}: '${text}' is not a whole number from ${String(low)} to ${String(high)}`);
  }
  return number;
}

/** The value of a numeric option, undefined when it was not given; throws UsageError. */
export function numberOption(options: OptionValues, name: string, low: number, high: number): number | undefined {
  const text = textOption(options, name);
  return text === undefined ? undefined : wholeNumber(`--${name}`, text, low, high);
}

/** One of `values`; throws UsageError. */
export function oneOf<const V extends readonly string[]>(what: string, text: string, values: V): V[number] {
  const found = values.find((one) => one === text);
  if (found === undefined) throw new UsageError(`${what}: '${text}' is not one of ${values.join(', ')}`);
  return found;
}

/** The uid of a number or of a name that this machine knows; throws UsageError. `elsewhere`: names mean users of another machine. */
export async function uidOf(text: string, elsewhere: boolean): Promise<number> {
  if (/^\d+$/.test(text)) return wholeNumber('--user', text, 0, 0xffff_fffe);
  if (elsewhere) throw new UsageError('--user: with --host the number is needed, because the users of that machine are not known here');
  if (/^[\w][\w.-]{0,63}\$?$/.test(text)) {
    const found = await execute('id', ['-u', '--', text], { timeout: 5000 }).catch(() => null);
    if (found !== null && /^\d+\n$/.test(found.stdout)) return Number(found.stdout);
  }
  throw new UsageError(`--user: there is no user '${text}'`);
}
