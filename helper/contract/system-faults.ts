/** What the system refuses, in words: the cause, and what a person can do about it. */

const SENTENCES: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full: make room, then try again.',
  EDQUOT: 'The quota of the disk is used up: make room, then try again.',
  EROFS: 'The file system is mounted read-only: look into the journal for why, mount it writable, then try again.',
  EIO: 'The disk reports errors: look into the journal of the kernel, and save what is on it.',
  EMFILE: 'The helper has too many files open: restart it with systemctl restart bastion-firewall.',
  ENFILE: 'The machine has too many files open: end programs, then try again.',
  ENOMEM: 'The machine is out of memory: end programs, then try again.',
};

/** Errors wrap errors; nobody wraps more often. */
const DEPTH = 8;

/** The system's code in an error, or in what caused it; null where the system refused nothing. */
export function systemCodeOf(error: unknown): string | null {
  let at = error;
  for (let depth = 0; depth < DEPTH && at instanceof Error; depth += 1) {
    if ('code' in at && typeof at.code === 'string' && /^E[A-Z0-9]+$/.test(at.code)) return at.code;
    at = at.cause;
  }
  return null;
}

/** A sentence for a code of the system, which holds the code; '' for a code that says nothing to a person. */
export function faultSentence(code: string | null): string {
  const sentence = code === null ? undefined : SENTENCES[code];
  return sentence === undefined ? '' : `${sentence} (${code ?? ''})`;
}
