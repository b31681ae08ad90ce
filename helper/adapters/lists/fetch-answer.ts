/** What a fetching program says: collected up to a limit and read as a stranger's word. */
import * as z from 'zod';
import { FETCH_LIMITS } from '../../lists/fetch-words.ts';
import type { FetchEnd } from '../../lists/fetch-words.ts';

export type Fetched =
  | { readonly status: 'content'; readonly bytes: Buffer; readonly etag: string; readonly lastModified: string }
  | { readonly status: 'unchanged' }
  | { readonly status: 'failed'; readonly message: string };

/** Said of a server that keeps the program waiting longer than the helper waits. */
export const TOO_LONG = 'The server took too long.';
const NO_ANSWER = 'The program that fetches lists ended without an answer.';
const UNREADABLE = 'The program that fetches lists gave no answer that can be read.';
const NEWLINE = 10;
const SHOWN_CHARACTERS = 300;

const endShape = z.strictObject({
  status: z.enum(['content', 'unchanged', 'failed']),
  etag: z.string().max(FETCH_LIMITS.validatorLength),
  lastModified: z.string().max(FETCH_LIMITS.validatorLength),
  message: z.string().max(FETCH_LIMITS.messageLength),
});

export function failed(message: string): Fetched {
  return { status: 'failed', message };
}

/** Text of a stranger in one printable line. */
export function plain(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ').trim().slice(0, SHOWN_CHARACTERS);
}

function readEnd(line: Buffer): FetchEnd | null {
  try {
    return endShape.parse(JSON.parse(line.toString('utf8')));
  } catch {
    return null;
  }
}

/** Collects up to a limit, which is held twice while it is joined; what comes above it is let go. */
export class Collector {
  readonly #parts: Buffer[] = [];
  readonly #limit: number;
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** False above the limit. */
  take(part: Buffer): boolean {
    this.#length += part.length;
    const fits = this.#length <= this.#limit;
    if (fits) this.#parts.push(part);
    return fits;
  }

  get isOver(): boolean {
    return this.#length > this.#limit;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** The answer of a program that may say this much; its words end with the streams. */
export function answerOf(limitBytes: number): Collector {
  return new Collector(limitBytes + FETCH_LIMITS.endBytes);
}

/** `otherwise`: what is said where the program was cut off, '' for nothing special. */
export function readAnswer(answer: Collector, otherwise: string): Fetched {
  if (answer.isOver) return failed('The list is too large.');
  const bytes = answer.bytes();
  const at = bytes.lastIndexOf(NEWLINE);
  const end = at < 0 ? null : readEnd(bytes.subarray(at + 1));
  if (end === null) {
    if (otherwise !== '') return failed(otherwise);
    return failed(bytes.length === 0 ? NO_ANSWER : UNREADABLE);
  }
  switch (end.status) {
    case 'failed': return failed(plain(end.message) || NO_ANSWER);
    case 'unchanged': return { status: 'unchanged' };
    case 'content': return { status: 'content', bytes: bytes.subarray(0, at), etag: end.etag, lastModified: end.lastModified };
  }
}
