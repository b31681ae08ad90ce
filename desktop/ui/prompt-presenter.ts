/** Decides how a prompt reaches the person: a notification, one notification for several, or the window. */
import type { Answer, PromptEnd, PromptInfo } from '../../helper/contract/types.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import type { HelperSession, PromptListener } from '../client/session.ts';
import { _ } from '../i18n.ts';
import { errorText, isNotAuthorized } from '../model/error-text.ts';
import type { WaitingPrompt } from '../model/prompt-queue.ts';
import { lateAnswerText, promptBody, promptTitle, severalBody, severalTitle } from '../model/prompt-text.ts';
import type { FindProgram } from '../model/prompt-text.ts';
import type { Notifier } from '../notify/notifier.ts';
import { PromptWindow } from './prompt-window.ts';

export class PromptPresenter implements PromptListener {
  readonly #session: HelperSession;
  readonly #find: FindProgram;
  readonly #notifier: Notifier;
  readonly #asWindow: () => boolean;
  readonly #window: PromptWindow;
  /** What the notification speaks of, so that it is not shown again for the same. */
  #notified = '';
  /** Prompts that the person has put off; they stay in the tray's menu and ask no more by themselves. */
  readonly #putOff = new Set<string>();

  /** `asWindow`: does the person want the window at once? */
  constructor(session: HelperSession, find: FindProgram, notifier: Notifier, asWindow: () => boolean) {
    this.#session = session;
    this.#find = find;
    this.#notifier = notifier;
    this.#asWindow = asWindow;
    this.#window = new PromptWindow(
      {
        answer: (nonce, answer) => { this.#answer(nonce, answer); },
        later: (nonce) => { this.#later(nonce); },
        pick: (nonce) => { this.#showWindow(nonce); },
      },
      find, session.clocks,
    );
  }

  raised(prompt: PromptInfo): void {
    if (this.#window.nonce !== null) {
      this.#showWindow(this.#window.nonce);
      return;
    }
    if (this.#putOff.has(prompt.nonce)) return;
    this.#announce();
  }

  ended(nonce: string, why: PromptEnd): void {
    this.#putOff.delete(nonce);
    const shown = this.#window.nonce === nonce;
    // An answer is on its way: what the helper replies says what becomes of the window.
    if (shown && this.#window.busy) return;
    const answerable = (this.#session.queue.get(nonce)?.info.lifetimes.length ?? 0) > 0;
    if (why === 'expired' && shown && answerable && this.#window.active && this.#asking().length === 0) {
      // Somebody is deciding at this moment: the answer counts for the next attempt.
      this.#showWindow(nonce);
      return;
    }
    if (why === 'expired') this.#session.forget(nonce);
    if (shown) this.#next(nonce);
    else this.#refresh(nonce);
  }

  /** Opens the window with the oldest prompt, on the person's own request. */
  open(): void {
    const [first] = this.#session.queue.pending();
    if (first === undefined) return;
    this.#putOff.clear();
    this.#showWindow(this.#window.nonce ?? first.info.nonce);
    this.#window.present();
  }

  close(): void {
    this.#notifier.close();
    this.#window.close();
  }

  #asking(): readonly WaitingPrompt[] {
    return this.#session.queue.pending().filter((prompt) => !this.#putOff.has(prompt.info.nonce));
  }

  #announce(): void {
    const [first, ...others] = this.#asking();
    if (first === undefined) {
      this.#closeNotification();
      return;
    }
    if (this.#asWindow() || !this.#notifier.canAsk || !this.#notifyOf(first, others)) this.#showWindow(first.info.nonce);
  }

  /** False when no notification could be shown. */
  #notifyOf(first: WaitingPrompt, others: readonly WaitingPrompt[]): boolean {
    const key = [first, ...others].map((prompt) => prompt.info.nonce).join(' ');
    if (key === this.#notified) return true;
    const open = (id: string) => ({ id, label: others.length === 0 ? _('Details') : _('Show'), run: () => { this.open(); } });
    // Servers run `default` for a click on the text and show no button for it.
    const details = [open('details'), open('default')];
    const button = (action: 'allow' | 'deny', label: string) => (
      { id: action, label, run: () => { this.#answerOnce(first.info.nonce, action); } }
    );
    const shown = others.length === 0
      ? this.#notifier.ask(promptTitle(first.info, this.#find), promptBody(first.info), [
          button('deny', _('Deny')), button('allow', _('Allow')), ...details,
        ])
      : this.#notifier.ask(severalTitle(this.#session.queue.programs()), severalBody([first, ...others].map((one) => one.info), this.#find), details);
    this.#notified = shown ? key : '';
    return shown;
  }

  #closeNotification(): void {
    this.#notified = '';
    this.#notifier.close();
  }

  #showWindow(nonce: string): void {
    const prompt = this.#session.queue.get(nonce);
    if (prompt === null) {
      this.#next(nonce);
      return;
    }
    this.#closeNotification();
    this.#window.show(prompt, this.#others(nonce));
  }

  #others(nonce: string): readonly WaitingPrompt[] {
    return this.#session.queue.pending().filter((other) => other.info.nonce !== nonce);
  }

  /** After `nonce`: the next one in the window, or the window closes. */
  #next(nonce: string): void {
    const [first] = this.#asking().filter((prompt) => prompt.info.nonce !== nonce);
    if (first === undefined) this.#window.close();
    else this.#showWindow(first.info.nonce);
  }

  /** A prompt that was not in the window has gone. */
  #refresh(nonce: string): void {
    const shown = this.#window.nonce;
    if (shown !== null && shown !== nonce) this.#showWindow(shown);
    else if (this.#notified.split(' ').includes(nonce)) {
      this.#notified = '';
      this.#announce();
    }
  }

  #later(nonce: string): void {
    for (const prompt of this.#session.queue.pending()) this.#putOff.add(prompt.info.nonce);
    const expired = this.#session.queue.get(nonce)?.expired ?? false;
    this.#window.close();
    if (expired) this.#session.forget(nonce);
  }

  /** From the notification: this flow alone, whatever the window would propose. */
  #answerOnce(nonce: string, action: 'allow' | 'deny'): void {
    this.#answer(nonce, { action, lifetime: 'once', scope: 'host' });
  }

  #answer(nonce: string, answer: Answer): void {
    const prompt = this.#session.queue.get(nonce);
    this.#session.answer(nonce, answer).then(
      (result) => { this.#onAnswered(nonce, answer, prompt, result.flows); },
      (error: unknown) => { this.#onFailed(nonce, error); },
    );
  }

  /** `flows`: how many the answer reached; none when the time ran out meanwhile, perhaps over a question for the password. */
  #onAnswered(nonce: string, answer: Answer, prompt: WaitingPrompt | null, flows: number): void {
    const late = prompt !== null && answer.action !== 'drop' && (prompt.expired || flows === 0)
      ? lateAnswerText(answer.action, prompt.info, this.#find)
      : '';
    const told = late === '' || this.#notifier.tell(late, '');
    if (this.#window.nonce !== nonce) this.#refresh(nonce);
    else if (told || this.#asking().some((other) => other.info.nonce !== nonce)) this.#next(nonce);
    else this.#window.tell(late);
  }

  #onFailed(nonce: string, error: unknown): void {
    const gone = error instanceof BastionError && error.code === 'PromptGone';
    if (this.#window.nonce === nonce) {
      // Its time may have run out while the answer was on its way.
      const now = this.#session.queue.get(nonce);
      if (gone || now === null || now.info.lifetimes.length === 0) {
        this.#session.forget(nonce);
        if (!gone) this.#notifier.tell(_('The answer was not taken'), errorText(error));
        this.#next(nonce);
        return;
      }
      this.#window.show(now, this.#others(nonce));
      this.#window.fail(isNotAuthorized(error) ? _('This answer needs an administrator’s password.') : errorText(error));
    } else {
      this.#refresh(nonce);
      this.#notifier.tell(_('The answer was not taken'), errorText(error));
    }
  }
}
