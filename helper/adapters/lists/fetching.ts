/**
 * Has a list fetched by a program without any privilege, which alone speaks to servers. Where systemd runs, it is a unit of its
 * own, bastion-firewall-fetch@.service, started by its socket: the helper's unit has neither a way to servers nor the right to
 * become another user. Elsewhere the helper starts the program itself.
 */
import { connect } from 'node:net';
import type { FetchRequest } from '../../lists/fetch-words.ts';
import { TOO_LONG, answerOf, failed, readAnswer } from './fetch-answer.ts';
import type { Fetched } from './fetch-answer.ts';
import { fetchByProcess } from './fetch-process.ts';
import type { FetchProgram } from './fetch-process.ts';

export type { Fetched } from './fetch-answer.ts';

export interface Fetcher extends FetchProgram {
  /** Where the unit listens; it need not be there. */
  readonly socket?: string;
  /** Shorter times for tests. */
  readonly longestMs?: number;
}

/** Below the folder of what lasts until the machine restarts. Source: data/systemd/bastion-firewall-fetch.socket. */
export const FETCH_SOCKET = 'fetch.socket';

const LONGEST_MS = 300_000;

/** Fetches one list; never rejects. */
export async function fetchList(fetcher: Fetcher, request: FetchRequest): Promise<Fetched> {
  const longestMs = fetcher.longestMs ?? LONGEST_MS;
  const byUnit = fetcher.socket === undefined ? null : await fetchByUnit(fetcher.socket, longestMs, request);
  return byUnit ?? fetchByProcess(fetcher, longestMs, request);
}

/** null where nobody listens. */
function fetchByUnit(path: string, longestMs: number, request: FetchRequest): Promise<Fetched | null> {
  return new Promise((resolve) => {
    const answer = answerOf(request.limitBytes);
    let otherwise = '';
    const socket = connect(path);
    const timer = setTimeout(() => {
      otherwise = TOO_LONG;
      socket.destroy();
    }, longestMs);
    socket.on('data', (part: Buffer) => { if (!answer.take(part)) socket.destroy(); });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.syscall !== 'connect') return;
      resolve(error.code === 'ENOENT' ? null : failed(`bastion-firewall-fetch.socket cannot be reached: ${error.message}`));
    });
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(readAnswer(answer, otherwise));
    });
    socket.end(JSON.stringify(request));
  });
}
