/** Questions and owners for tests of prompts. */
import type { Owner } from '../../helper/contract/vocabulary.ts';
import type { Question } from '../../helper/prompt/question.ts';
import { PATH, tuple } from './policy-support.ts';

export function owner(change: Partial<Owner> = {}): Owner {
  return {
    cookie: 7n, pid: 100, startNs: 5n, uid: 1000, gid: 1000,
    executable: { device: 8 << 20, inode: 42n, generation: 1, ctimeSec: 1_700_000_000 },
    mountNamespace: 1, networkNamespace: 11n, cgroup: 3n, command: 'curl', ...change,
  };
}

export function question(change: Partial<Question> = {}): Question {
  return {
    path: PATH, claimedPath: null, confidence: 'certain', evidence: 'kernel', owner: owner(), tuple: tuple(), names: [], name: null,
    isLookup: false, ...change,
  };
}

/** 32 hexadecimal digits, never the same twice. */
export function nonces(): () => string {
  let count = 0;
  return () => {
    count += 1;
    return (count * 0x9e37).toString(16).padStart(8, '0').slice(-8) + count.toString(16).padStart(24, '0');
  };
}
