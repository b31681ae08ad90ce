/**
 * What the helper and the fetching program say to each other. The helper writes one request to the program's standard input.
 * The program writes one line of JSON, a newline, then the body to its standard output and exits with 0; or a sentence to its
 * standard error and exits with another status. What comes from it is a stranger's word.
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

/** The line before the body; `unchanged` has none. */
export interface FetchHeader {
  readonly status: 'content' | 'unchanged';
  readonly etag: string;
  readonly lastModified: string;
}

export const FETCH_LIMITS = {
  requestBytes: 16_384,
  headerBytes: 4096,
  /** Of `etag` and of `lastModified`; longer ones are not kept. */
  validatorLength: 512,
  errorBytes: 2048,
  redirects: 5,
  /** Without a byte from the server. */
  silenceMs: 30_000,
} as const;
