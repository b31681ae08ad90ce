/** Program paths and rule ids as text. */
import { KERNEL_PATH } from '../contract/vocabulary.ts';
import { failed, parsed, quoted } from './parsed.ts';
import type { Parsed } from './parsed.ts';

/** PATH_MAX of linux/limits.h, the closing NUL left out. */
const LONGEST_PATH = 4095;
const ID = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/**
 * An absolute path as the kernel would print it, or `kernel` for what the kernel itself sends; '' is any (undefined). A
 * spelling that no verified path can have is an error and not a rule that silently never matches.
 */
export function parseProgram(text: string): Parsed<string | undefined> {
  if (text === '') return parsed(undefined);
  if (text === KERNEL_PATH) return parsed(text);
  if (!text.startsWith('/')) return failed(`${quoted(text)} is no program; write its absolute path, such as /usr/bin/curl, or kernel`);
  if (text.length > LONGEST_PATH || text.includes('\0')) return failed(`${quoted(text)} is too long for a path or holds a NUL`);
  const parts = text.slice(1).split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    return failed(`${quoted(text)} can never match; write the path without empty parts, '.' and '..'`);
  }
  return parsed(text);
}

/** `[a-z0-9][a-z0-9._-]{0,63}`. */
export function parseRuleId(text: string): Parsed<string> {
  if (ID.test(text)) return parsed(text);
  return failed(
    `${quoted(text)} is no rule id; write up to 64 small letters, digits, dots, dashes and underscores, a letter or digit first`,
  );
}
