/**
 * What the helper and the fetching program say to each other. The helper writes one request to the program's standard input.
 * The program writes the body to its standard output, then a newline and one line of JSON, which says how it ended. What
 * comes from it is a stranger's word; without that last line it was cut off.
 */

/** The request, as JSON. */
export interface FetchRequest {
  readonly url: string;
  /** Its content is checked by a hash: plain http may be used. */
  readonly allowHttp: boolean;
  /** Of the copy that is there, '' for none. */
  readonly etag: string;
  readonly lastModified: string;
  /** Longest body, after decompression. */
  readonly limitBytes: number;
}

/** The line after the body; only `content` has one. */
export interface FetchEnd {
  readonly status: 'content' | 'unchanged' | 'failed';
  readonly etag: string;
  readonly lastModified: string;
  /** Why it failed, '' otherwise. */
  readonly message: string;
}

export const FETCH_LIMITS = {
  requestBytes: 16_384,
  /** Of the newline and the last line. */
  endBytes: 8192,
  /** Of `etag` and of `lastModified`; longer ones are not kept. */
  validatorLength: 512,
  /** Of `message`. */
  messageLength: 1000,
  redirects: 5,
  /** Without a byte from the server. */
  silenceMs: 30_000,
} as const;
