/** The prompt window as the process of the session wants it: which prompt it asks about is decided there. */
import type { ToSession } from '../channel.ts';
import { Countries } from '../client/countries.ts';
import type { HelperSession } from '../client/session.ts';
import type { FindProgram } from '../model/program-name.ts';
import { PromptWindow } from '../ui/prompt-window.ts';

export class PromptDesk {
  readonly #session: HelperSession;
  readonly #find: FindProgram;
  readonly #send: (message: ToSession) => void;
  readonly #countries = new Countries();
  #window: PromptWindow | null = null;
  #nonce: string | null = null;
  /** The question is changed when all has been heard that was said together. */
  #changing: NodeJS.Timeout | null = null;

  constructor(session: HelperSession, find: FindProgram, send: (message: ToSession) => void) {
    this.#session = session;
    this.#find = find;
    this.#send = send;
    session.changed.on(() => { this.#update(); });
  }

  /** Makes the window, so that the first prompt need not wait for it. */
  warm(): void {
    this.#made().rehearse();
  }

  /** The first at once. Where hundreds are answered together each would be filled in for the next: only the last one is. */
  show(nonce: string): void {
    this.#nonce = nonce;
    if (this.#made().nonce === null) this.#show();
    else this.#changing ??= setTimeout(() => { this.#show(); }, 0);
  }

  raise(token: string): void {
    this.#settle();
    this.#window?.present(token);
  }

  showList(): void {
    this.#settle();
    this.#window?.showList();
  }

  hide(): void {
    this.#nonce = null;
    this.#settle();
    this.#window?.close();
  }

  fail(message: string): void {
    this.#settle();
    this.#update();
    this.#window?.fail(message);
  }

  tell(message: string): void {
    this.#settle();
    this.#window?.tell(message);
  }

  /** What comes next is about the question that was shown last. */
  #settle(): void {
    if (this.#changing !== null) this.#show();
  }

  #show(): void {
    if (this.#changing !== null) clearTimeout(this.#changing);
    this.#changing = null;
    const nonce = this.#nonce;
    if (nonce === null) return;
    this.#update();
    this.#made().onDrawn(() => { if (this.#nonce === nonce) this.#send({ say: 'shown', nonce }); });
  }

  /** The one that is shown and those behind it; one that has gone stays until the other process says what comes next. */
  #update(): void {
    const prompt = this.#nonce === null ? null : this.#session.queue.get(this.#nonce);
    if (prompt === null) return;
    this.#made().show(prompt, this.#session.queue.pending().filter((other) => other.info.nonce !== this.#nonce));
  }

  #made(): PromptWindow {
    this.#window ??= new PromptWindow(
      {
        answer: (nonce, answer) => { this.#send({ say: 'decide', nonce, answer }); },
        later: (nonce) => { this.#send({ say: 'later', nonce }); },
        pick: (nonce) => { this.#send({ say: 'pick', nonce }); },
        hold: (nonce) => this.#session.hold(nonce),
        active: (active) => { this.#send({ say: 'active', active }); },
      },
      { find: this.#find, countryOf: this.#countries.find, uid: process.getuid?.() ?? -1 }, this.#session.clocks,
    );
    return this.#window;
  }
}
