/** The windows' end of the channel: what pages ask of the helper as the agent would, and wait for what became of it. */
import { BastionError } from '../../helper/contract/errors.ts';
import type { ErrorCode } from '../../helper/contract/errors.ts';
import { NotConnectedError } from '../../helper/contract/client.ts';
import type { Page } from '../../helper/contract/client.ts';
import type { Answer, AnswerResult, PromptInfo } from '../../helper/contract/types.ts';
import type { ToSession } from '../channel.ts';
import type { PromptRelay } from '../client/session.ts';

interface Waiting<T> {
  resolve(result: T): void;
  reject(error: Error): void;
}

/** Questions that may wait at a time: more than prompts can. */
export const ANSWERS_LIMIT = 512;

/** Those of one kind. An answer of another kind to their number is none. */
class Questions<T> {
  readonly #waiting = new Map<number, Waiting<T>>();

  get size(): number {
    return this.#waiting.size;
  }

  add(number: number): Promise<T> {
    return new Promise((resolve, reject) => { this.#waiting.set(number, { resolve, reject }); });
  }

  resolve(number: number, result: T): void {
    this.#take(number)?.resolve(result);
  }

  reject(number: number, error: Error): void {
    this.#take(number)?.reject(error);
  }

  #take(number: number): Waiting<T> | undefined {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    return waiting;
  }
}

export class AnswerRelay implements PromptRelay {
  readonly #send: (message: ToSession) => void;
  readonly #answers = new Questions<AnswerResult>();
  readonly #holds = new Questions<null>();
  readonly #lists = new Questions<Page<PromptInfo>>();
  readonly #dismissals = new Questions<number>();
  #last = 0;

  constructor(send: (message: ToSession) => void) {
    this.#send = send;
  }

  answer(nonce: string, answer: Answer): Promise<AnswerResult> {
    return this.#ask(this.#answers, (number) => ({ say: 'answer', number, nonce, answer }));
  }

  async hold(nonce: string): Promise<void> {
    await this.#ask(this.#holds, (number) => ({ say: 'hold', number, nonce }));
  }

  listPrompts(cursor: string): Promise<Page<PromptInfo>> {
    return this.#ask(this.#lists, (number) => ({ say: 'list', number, cursor }));
  }

  dismissPrompts(nonces: readonly string[]): Promise<number> {
    return this.#ask(this.#dismissals, (number) => ({ say: 'dismiss', number, nonces }));
  }

  forget(nonce: string): void {
    this.#send({ say: 'forget', nonce });
  }

  /** The helper took it. */
  answered(number: number, result: AnswerResult): void {
    this.#answers.resolve(number, result);
  }

  held(number: number): void {
    this.#holds.resolve(number, null);
  }

  listed(number: number, page: Page<PromptInfo>): void {
    this.#lists.resolve(number, page);
  }

  dismissed(number: number, count: number): void {
    this.#dismissals.resolve(number, count);
  }

  /** `code`: '' where the helper could not be reached. */
  refused(number: number, code: ErrorCode | '', message: string): void {
    const error = code === '' ? new NotConnectedError(message) : new BastionError(code, message);
    for (const questions of [this.#answers, this.#holds, this.#lists, this.#dismissals]) questions.reject(number, error);
  }

  #ask<T>(questions: Questions<T>, message: (number: number) => ToSession): Promise<T> {
    if (questions.size >= ANSWERS_LIMIT) return Promise.reject(new BastionError('Busy'));
    this.#last += 1;
    const asked = questions.add(this.#last);
    this.#send(message(this.#last));
    return asked;
  }
}
