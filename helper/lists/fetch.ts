/**
 * The program that fetches one list: runs as nobody, with nothing but its standard streams, see adapters/lists/fetching.ts. It
 * trusts the runtime's certificate authorities.
 */
import { get as getHttp } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { get as getHttps } from 'node:https';
import { Transform } from 'node:stream';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import * as z from 'zod';
import { FETCH_LIMITS } from './fetch-words.ts';
import type { FetchEnd, FetchRequest } from './fetch-words.ts';

/** What went wrong, in words for people. */
class FetchError extends Error {
  override readonly name = 'FetchError';
}

const requestShape = z.strictObject({
  url: z.url(),
  allowHttp: z.boolean(),
  etag: z.string().max(FETCH_LIMITS.validatorLength),
  lastModified: z.string().max(FETCH_LIMITS.validatorLength),
  limitBytes: z.int().min(1),
});

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const LARGEST_HEADERS = 16_384;

async function readRequest(input: Readable): Promise<FetchRequest> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of input) {
    const bytes = part as Buffer;
    length += bytes.length;
    if (length > FETCH_LIMITS.requestBytes) throw new FetchError('The request is too long.');
    parts.push(bytes);
  }
  return requestShape.parse(JSON.parse(Buffer.concat(parts).toString('utf8')));
}

function respond(url: URL, request: FetchRequest): Promise<IncomingMessage> {
  const headers = {
    'accept-encoding': 'gzip',
    'user-agent': 'bastion-firewall',
    ...(request.etag === '' ? {} : { 'if-none-match': request.etag }),
    ...(request.lastModified === '' ? {} : { 'if-modified-since': request.lastModified }),
  };
  const options = { headers, agent: false as const, maxHeaderSize: LARGEST_HEADERS, timeout: FETCH_LIMITS.silenceMs };
  return new Promise((resolve, reject) => {
    const asked: ClientRequest = (url.protocol === 'https:' ? getHttps : getHttp)(url, options, resolve);
    asked.on('timeout', () => asked.destroy(new FetchError('The server says nothing.')));
    asked.on('error', reject);
  });
}

/** Follows redirects; from the second hop on only https counts. */
async function follow(request: FetchRequest): Promise<IncomingMessage> {
  let url = new URL(request.url);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && request.allowHttp)) {
    throw new FetchError('Only https is fetched, or http where sha256 is given.');
  }
  for (let hop = 0; hop <= FETCH_LIMITS.redirects; hop += 1) {
    const response = await respond(url, request);
    if (!REDIRECTS.has(response.statusCode ?? 0)) return response;
    response.destroy();
    const next = URL.parse(response.headers.location ?? '', url.href);
    if (next?.protocol !== 'https:') throw new FetchError('The server leads to something that is not https.');
    url = next;
  }
  throw new FetchError('The server leads from one address to the next without end.');
}

/** Counts what passes and fails above the limit. */
function limited(limitBytes: number): Transform {
  let length = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      length += chunk.length;
      if (length > limitBytes) done(new FetchError('The list is too large.'));
      else done(null, chunk);
    },
  });
}

function endLine(end: FetchEnd): string {
  return `\n${JSON.stringify(end)}`;
}

function endOf(status: 'content' | 'unchanged', { headers }: IncomingMessage): FetchEnd {
  const kept = (text: string | undefined): string => (text !== undefined && text.length <= FETCH_LIMITS.validatorLength ? text : '');
  return { status, etag: kept(headers.etag), lastModified: kept(headers['last-modified']), message: '' };
}

/** Writes the body, if there is one. */
async function fetchList(request: FetchRequest): Promise<FetchEnd> {
  const response = await follow(request);
  if (response.statusCode === 304 && (request.etag !== '' || request.lastModified !== '')) {
    response.destroy();
    return endOf('unchanged', response);
  }
  if (response.statusCode !== 200) throw new FetchError(`The server answers ${String(response.statusCode)}.`);
  const encoding = response.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip') throw new FetchError('The server compresses the list in a way that is not known.');
  // Else a connection that was cut off would look like the end of a shorter list.
  const { 'content-length': length, 'transfer-encoding': transfer } = response.headers;
  if (length === undefined && transfer === undefined) throw new FetchError('The server does not say where the list ends.');
  const limit = limited(request.limitBytes);
  await (encoding === 'gzip'
    ? pipeline(response, createGunzip(), limit, process.stdout, { end: false })
    : pipeline(response, limit, process.stdout, { end: false }));
  return endOf('content', response);
}

/** The library's message, which may hold what a server said: the helper makes it printable. */
function sentence(error: unknown): string {
  if (error instanceof FetchError) return error.message;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const message = error instanceof Error ? error.message : String(error);
  return code === '' || message.includes(code) ? message : `${message} (${code})`;
}

// The helper does not wait any more.
process.stdout.on('error', () => process.exit(1));
try {
  process.stdout.write(endLine(await fetchList(await readRequest(process.stdin))));
} catch (error: unknown) {
  process.stdout.write(endLine({ status: 'failed', etag: '', lastModified: '', message: sentence(error).slice(0, FETCH_LIMITS.messageLength) }));
  process.exitCode = 1;
}
