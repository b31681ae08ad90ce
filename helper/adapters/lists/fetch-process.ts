/**
 * Starts the program that fetches lists, without any privilege: another user, no groups, no capabilities and no way to gain
 * some, an empty environment, no file that it can write, an end by time.
 */
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import type { FetchRequest } from '../../lists/fetch-words.ts';
import { Collector, TOO_LONG, answerOf, failed, plain, readAnswer } from './fetch-answer.ts';
import type { Fetched } from './fetch-answer.ts';

export interface FetchProgram {
  /** The bundle of lists/fetch.ts, absolute. */
  readonly script: string;
  /** The runtime that runs it. */
  readonly node: string;
  /** Variables of its environment; none but in tests. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** The user `nobody`, on every distribution. Source: linux/highuid.h, DEFAULT_OVERFLOWUID; systemd, "Users, Groups, UIDs and GIDs". */
const FETCH_UID = 65_534;
const HEAP_MB = 64;
const CPU_S = 120;
const OPEN_FILES = 64;
/** Of what setpriv or the runtime say on standard error. */
const WORDS_BYTES = 2048;

/** Source: setpriv(1), prlimit(1). */
function unprivileged(command: readonly string[]): readonly string[] {
  return [
    '/usr/bin/setpriv', `--reuid=${String(FETCH_UID)}`, `--regid=${String(FETCH_UID)}`, '--clear-groups', '--no-new-privs',
    '--inh-caps=-all', '--bounding-set=-all', '--pdeathsig=KILL',
    '/usr/bin/prlimit', '--fsize=0', '--core=0', `--cpu=${String(CPU_S)}`, `--nofile=${String(OPEN_FILES)}`,
    ...command,
  ];
}

/** The runtime's own permissions: it reads its script and nothing else, starts nothing, loads nothing. */
function runtime({ node, script }: FetchProgram): readonly string[] {
  return [node, '--permission', `--allow-fs-read=${dirname(script)}/*`, `--max-old-space-size=${String(HEAP_MB)}`, script];
}

/** Fetches one list by a process of the helper's own; never rejects. */
export function fetchByProcess(fetcher: FetchProgram, longestMs: number, request: FetchRequest): Promise<Fetched> {
  return new Promise((resolve) => {
    const isRoot = process.getuid?.() === 0;
    const [program = '', ...args] = isRoot ? unprivileged(runtime(fetcher)) : runtime(fetcher);
    const environment = { ...fetcher.environment };
    const child = spawn(program, args, { cwd: '/', env: environment, stdio: 'pipe', timeout: longestMs, killSignal: 'SIGKILL' });
    const answer = answerOf(request.limitBytes);
    const words = new Collector(WORDS_BYTES);
    child.stdout.on('data', (part: Buffer) => { if (!answer.take(part)) child.kill('SIGKILL'); });
    child.stderr.on('data', (part: Buffer) => { words.take(part); });
    // It may end before it has read its request; what it says tells why.
    child.stdin.on('error', () => undefined);
    child.on('error', (error) => { resolve(failed(`The program that fetches lists cannot be started: ${error.message}.`)); });
    child.on('close', () => {
      const said = plain(words.bytes().toString('utf8'));
      resolve(readAnswer(answer, child.killed ? TOO_LONG : said));
    });
    child.stdin.end(JSON.stringify(request));
  });
}
