/** The prompt's window as the presenter knows it, wherever it is drawn. */
import type { Answer } from '../../helper/contract/types.ts';
import type { WaitingPrompt } from '../model/prompt-queue.ts';

export interface PromptViewActions {
  answer(nonce: string, answer: Answer): void;
  /** Closed without an answer. */
  later(nonce: string): void;
  /** Another of the waiting prompts was picked. */
  pick(nonce: string): void;
}

export interface PromptView {
  /** The nonce that the window asks about; null while it is closed. */
  readonly nonce: string | null;
  /** Does the person work in it at this moment? */
  readonly active: boolean;
  /** Is an answer on its way? */
  readonly busy: boolean;
  connect(actions: PromptViewActions): void;
  /** Asks about `prompt`. The same prompt again keeps the choices and the focus. False while no window can be shown. */
  show(prompt: WaitingPrompt): boolean;
  /** Raises it on the person's own request, with the token of that click; '' without one. */
  present(token: string): void;
  /** Shows the list of all that waits instead of one question. */
  showList(): void;
  close(): void;
  /** Shows why an answer was not taken; the buttons work again. */
  fail(message: string): void;
  /** Says what became of the answer, where no notification can. */
  tell(message: string): void;
}
