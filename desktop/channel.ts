/**
 * What the process of the session and the windows' process say to each other, over a pipe that nobody else can reach. Both
 * sides check every message: one that is not of these forms, or too large, is dropped and counted.
 */
import { ERRORS } from '../helper/contract/errors.ts';
import type { ErrorCode } from '../helper/contract/errors.ts';
import { WIRE_LIMITS } from '../helper/contract/names.ts';
import { DISMISS_LIMIT, answer, answerResult, promptInfo } from '../helper/contract/types.ts';
import type { Answer, AnswerResult, PromptInfo } from '../helper/contract/types.ts';
import type { AgentProblem } from './model/status-text.ts';

/** The main window's page and what it shall show there; '' leaves a part as it is. See PageTarget of ui/page.ts. */
export interface OpenTarget {
  readonly page: string;
  readonly application: string;
  readonly search: string;
  readonly item: string;
}

/** From the process of the session to the windows. */
export type ToWindow =
  /** `token`: what lets the window come to the front for the person's own click; '' for none. */
  | ({ readonly do: 'open'; readonly token: string } & OpenTarget)
  /** A prompt came or changed; the window's queue is a copy. `leftMs`: until its deadline. */
  | { readonly do: 'put'; readonly prompt: PromptInfo; readonly leftMs: number; readonly expired: boolean }
  | { readonly do: 'gone'; readonly nonce: string }
  | { readonly do: 'agent'; readonly problem: AgentProblem | null }
  /** Make what the first prompt needs, and show nothing. */
  | { readonly do: 'warm' }
  /** The prompt window asks about this one from now on. */
  | { readonly do: 'show'; readonly nonce: string }
  /** Bring the prompt window to the front, on the person's own request. */
  | { readonly do: 'raise'; readonly token: string }
  /** The prompt window shows the list of all that waits instead of one question. */
  | { readonly do: 'list' }
  /** What waits in the inbox is something else now. */
  | { readonly do: 'inbox' }
  | { readonly do: 'hide' }
  /** Why the prompt window's answer was not taken. */
  | { readonly do: 'fail'; readonly message: string }
  /** What became of the prompt window's answer; nothing is left to decide. */
  | { readonly do: 'tell'; readonly message: string }
  /** What became of the `answer` with this number. */
  | { readonly do: 'answered'; readonly number: number; readonly result: AnswerResult }
  /** What became of `hold`, `list` and `dismiss` with this number. */
  | { readonly do: 'held'; readonly number: number }
  | { readonly do: 'listed'; readonly number: number; readonly prompts: readonly PromptInfo[]; readonly next: string }
  | { readonly do: 'dismissed'; readonly number: number; readonly count: number }
  | { readonly do: 'refused'; readonly number: number; readonly code: ErrorCode | ''; readonly message: string }
  | { readonly do: 'setting'; readonly key: string; readonly value: string | boolean }
  | { readonly do: 'quit' };

/** From the windows to the process of the session. */
export type ToSession =
  /** Answer by a page; what became of it comes back with the number. */
  | { readonly say: 'answer'; readonly number: number; readonly nonce: string; readonly answer: Answer }
  /** Somebody is deciding: the prompt gets its time anew. */
  | { readonly say: 'hold'; readonly number: number; readonly nonce: string }
  /** Prompts that wait, and the inbox. */
  | { readonly say: 'list'; readonly number: number; readonly cursor: string }
  | { readonly say: 'dismiss'; readonly number: number; readonly nonces: readonly string[] }
  /** Answer by the prompt window. */
  | { readonly say: 'decide'; readonly nonce: string; readonly answer: Answer }
  /** The prompt window was closed without an answer. */
  | { readonly say: 'later'; readonly nonce: string }
  | { readonly say: 'pick'; readonly nonce: string }
  | { readonly say: 'forget'; readonly nonce: string }
  /** The person works, or works no more, in the prompt window. */
  | { readonly say: 'active'; readonly active: boolean }
  /** This prompt has been drawn. */
  | { readonly say: 'shown'; readonly nonce: string }
  | { readonly say: 'setting'; readonly key: string; readonly value: string | boolean }
  /** Nothing has been shown for a while. `demands`: how many messages asked for a window until now. */
  | { readonly say: 'idle'; readonly demands: number }
  /** Everything shall end. */
  | { readonly say: 'quit' };

export const CHANNEL_LIMITS = { textLength: 4096, nonceLength: 128, nameLength: 128, tokenLength: 512 } as const;

/** Returns the value, or undefined when it is not one. */
type Reader<T> = (value: unknown) => T | undefined;
type Readers<M> = { readonly [K in Exclude<keyof M, 'do' | 'say'>]: Reader<M[K]> };

function text(limit: number): Reader<string> {
  return (value) => (typeof value === 'string' && value.length <= limit ? value : undefined);
}
const flag: Reader<boolean> = (value) => (typeof value === 'boolean' ? value : undefined);
const count: Reader<number> = (value) => (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined);
const milliseconds: Reader<number> = (value) => (typeof value === 'number' && Number.isFinite(value) ? value : undefined);
const setting: Reader<string | boolean> = (value) => flag(value) ?? name(value);
const nonce = text(CHANNEL_LIMITS.nonceLength);
const name = text(CHANNEL_LIMITS.nameLength);
const message = text(CHANNEL_LIMITS.textLength);
const token = text(CHANNEL_LIMITS.tokenLength);

/** By the contract's own rules, which bound every text and list: unknown keys leave, a wrong one spoils the whole. */
function wire<T>(type: { encode(value: T): unknown; decode(value: unknown, where: string): T }): Reader<T> {
  return (value) => {
    try {
      return typeof value === 'object' && value !== null ? type.decode(type.encode(value as T), 'message') : undefined;
    } catch {
      return undefined;
    }
  };
}

/** All of it, or nothing. */
function listOf<T>(item: Reader<T>, limit: number): Reader<readonly T[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length > limit) return undefined;
    const read = value.map((one: unknown) => item(one));
    return read.every((one): one is Awaited<T> & T => one !== undefined) ? read : undefined;
  };
}

const PROBLEMS: readonly (AgentProblem | null)[] = ['elsewhere', 'unverified', 'refused', 'failed', null];
const problem: Reader<AgentProblem | null> = (value) => PROBLEMS.find((one) => one === value);
const code: Reader<ErrorCode | ''> = (value) => (
  value === '' || (typeof value === 'string' && Object.hasOwn(ERRORS, value)) ? (value as ErrorCode | '') : undefined
);

const TO_WINDOW: { readonly [D in ToWindow['do']]: Readers<Extract<ToWindow, { readonly do: D }>> } = {
  open: { page: name, application: name, search: message, item: name, token },
  put: { prompt: wire(promptInfo), leftMs: milliseconds, expired: flag },
  gone: { nonce },
  agent: { problem },
  warm: {},
  show: { nonce },
  raise: { token },
  list: {},
  inbox: {},
  hide: {},
  fail: { message },
  tell: { message },
  answered: { number: count, result: wire(answerResult) },
  held: { number: count },
  listed: { number: count, prompts: listOf(wire(promptInfo), WIRE_LIMITS.pageRows), next: name },
  dismissed: { number: count, count },
  refused: { number: count, code, message },
  setting: { key: name, value: setting },
  quit: {},
};

const TO_SESSION: { readonly [S in ToSession['say']]: Readers<Extract<ToSession, { readonly say: S }>> } = {
  answer: { number: count, nonce, answer: wire(answer) },
  hold: { number: count, nonce },
  list: { number: count, cursor: name },
  dismiss: { number: count, nonces: listOf(nonce, DISMISS_LIMIT) },
  decide: { nonce, answer: wire(answer) },
  later: { nonce },
  pick: { nonce },
  forget: { nonce },
  active: { active: flag },
  shown: { nonce },
  setting: { key: name, value: setting },
  idle: { demands: count },
  quit: {},
};

function read(received: unknown, tag: 'do' | 'say', forms: Readonly<Record<string, Readonly<Record<string, Reader<unknown>>>>>): object | null {
  if (typeof received !== 'object' || received === null || Array.isArray(received)) return null;
  const given: Readonly<Record<string, unknown>> = { ...received };
  const kind = given[tag];
  const form = typeof kind === 'string' && Object.hasOwn(forms, kind) ? forms[kind] : undefined;
  if (form === undefined) return null;
  const found: Record<string, unknown> = { [tag]: kind };
  for (const [key, reader] of Object.entries(form)) {
    const value = reader(given[key]);
    if (value === undefined) return null;
    found[key] = value;
  }
  return found;
}

/** A message for the windows, or null when it is not one. */
export function readToWindow(received: unknown): ToWindow | null {
  return read(received, 'do', TO_WINDOW) as ToWindow | null;
}

/** A message of the windows, or null when it is not one. */
export function readToSession(received: unknown): ToSession | null {
  return read(received, 'say', TO_SESSION) as ToSession | null;
}

/** Cuts what somebody else has made to what the channel takes. */
export function bounded(said: string): string {
  return said.slice(0, CHANNEL_LIMITS.textLength);
}
