/** Decides how a prompt reaches the person: a notification, one notification for several, or the window. */
import type { Answer, PromptEnd, PromptInfo } from '../../helper/contract/types.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import type { HelperSession, PromptListener } from '../client/session.ts';
import { Turns } from '../client/turns.ts';
import { _ } from '../i18n.ts';
import { Missed } from '../model/attention.ts';
import type { Attention } from '../model/attention.ts';
import { errorText, isNotAuthorized } from '../model/error-text.ts';
import type { WaitingPrompt } from '../model/prompt-queue.ts';
import { lateAnswerText, missedText, notificationBody, promptTitle, severalBody, severalTitle } from '../model/prompt-text.ts';
import { askerIcon } from '../model/program-name.ts';
import type { FindProgram } from '../model/program-name.ts';
import type { Notifier } from '../notify/notifier.ts';
import type { PromptView } from './prompt-view.ts';

/** What `#notified` holds while a notification says that there is a window. */
const WINDOW_NOTE = 'window';
/** A window that came by itself and was not given the keyboard by then may be behind others. */
const BEHIND_MS = 1500;
/** Answers on their way at a time, where many are denied at once. */
const ANSWERS_AT_ONCE = 4;
/** Failures that come together are told once. */
const FAILURE_AGAIN_MS = 2000;

/** What is around the prompts. */
export interface Surroundings {
  /** Nobody is asked, and nothing is answered, unless somebody is here. */
  attention(): Attention;
  /** Opens the page where expired prompts wait. */
  openInbox(token: string): void;
  /** Calls `show` when a window takes the keyboard from nobody, and `meanwhile` before if that is not now. */
  whenQuiet(show: () => void, meanwhile: () => void): void;
}

export class PromptPresenter implements PromptListener {
  readonly #session: HelperSession;
  readonly #find: FindProgram;
  readonly #notifier: Notifier;
  readonly #asWindow: () => boolean;
  readonly #window: PromptView;
  /** What the notification speaks of, so that it is not shown again for the same. */
  #notified = '';
  /** Prompts that the person has put off; they stay in the tray's menu and ask no more by themselves. */
  readonly #putOff = new Set<string>();
  readonly #surroundings: Surroundings;
  readonly #missed = new Missed();
  readonly #turns = new Turns(ANSWERS_AT_ONCE);
  #behind: NodeJS.Timeout | null = null;
  #failedAtMs = Number.NEGATIVE_INFINITY;

  /** `asWindow`: does the person want the window at once? */
  constructor(
    session: HelperSession, find: FindProgram, notifier: Notifier, window: PromptView, asWindow: () => boolean, surroundings: Surroundings,
  ) {
    this.#surroundings = surroundings;
    this.#session = session;
    this.#find = find;
    this.#notifier = notifier;
    this.#asWindow = asWindow;
    this.#window = window;
    window.connect({
      answer: (nonce, answer) => { this.#answer(nonce, answer); },
      later: (nonce) => { this.#later(nonce); },
      pick: (nonce) => { this.#showWindow(nonce); },
    });
  }

  raised(prompt: PromptInfo): void {
    if (this.#away) return;
    if (this.#window.nonce !== null) {
      this.#showWindow(this.#window.nonce);
      return;
    }
    if (this.#putOff.has(prompt.nonce)) return;
    this.#announce();
  }

  ended(nonce: string, why: PromptEnd): void {
    this.#putOff.delete(nonce);
    if (this.#away) {
      if (why === 'expired') this.#missed.add();
      this.#session.forget(nonce);
      return;
    }
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

  /** Opens the window on the person's own request, with the token of the click: with this prompt, or with the oldest. */
  open(token: string, nonce?: string): void {
    const [first] = this.#session.queue.pending();
    if (first === undefined || this.#away) return;
    this.#putOff.clear();
    const alreadyOpen = this.#window.nonce !== null;
    this.#closeNotification();
    this.#showWindow(nonce ?? this.#window.nonce ?? first.info.nonce);
    if (!alreadyOpen && nonce === undefined) this.#window.showList();
    this.#window.present(token);
  }

  /** The window has ended by itself, and nothing that it had not said counts. What it asked is asked anew. */
  windowLost(): void {
    this.#notified = '';
    const [first, ...others] = this.#asking();
    if (first === undefined) return;
    if (!this.#notifier.canAsk || !this.#notifyOf(first, others)) this.#showWindow(first.info.nonce);
  }

  /** A window can be shown again. */
  windowUsable(): void {
    if (this.#window.nonce === null && this.#notified === '') this.#announce();
  }

  /** The screen was locked or unlocked, or another user has it now. */
  attentionChanged(): void {
    if (this.#away) {
      this.#closeNotification();
      this.#window.close();
      return;
    }
    const missed = this.#missed.take();
    const open = { label: _('Show'), run: (token: string) => { this.#surroundings.openInbox(token); } };
    if (missed > 0) this.#notifier.tell(missedText(missed), _('An answer applies to the next attempt.'), 'normal', [{ id: 'inbox', ...open }, { id: 'default', ...open }]);
    this.#announce();
  }

  close(): void {
    if (this.#behind !== null) clearTimeout(this.#behind);
    this.#notifier.close();
    this.#window.close();
  }

  get #away(): boolean {
    return this.#surroundings.attention() !== 'here';
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
    if (this.#asWindow() || !this.#notifier.canAsk || !this.#notifyOf(first, others)) this.#showUnbidden();
  }

  /** The window comes by itself: not into what is being typed. Until then a notification asks, where one can. */
  #showUnbidden(): void {
    const show = (): void => {
      const [first] = this.#asking();
      if (first === undefined || this.#away || this.#window.nonce !== null) return;
      this.#showWindow(first.info.nonce);
      this.#watchBehind();
    };
    this.#surroundings.whenQuiet(show, () => {
      const [first, ...others] = this.#asking();
      if (first !== undefined && this.#notifier.canAsk) this.#notifyOf(first, others);
    });
  }

  /** False when no notification could be shown. */
  #notifyOf(first: WaitingPrompt, others: readonly WaitingPrompt[]): boolean {
    const key = [first, ...others].map((prompt) => prompt.info.nonce).join(' ');
    if (key === this.#notified) return true;
    const open = (id: string) => ({ id, label: others.length === 0 ? _('Details') : _('Show'), run: (token: string) => { this.open(token); } });
    // Servers run `default` for a click on the text and show no button for it.
    const details = [open('details'), open('default')];
    const button = (action: 'allow' | 'deny', label: string) => (
      { id: action, label, decides: true, run: () => { this.answerOnce(first.info.nonce, action); } }
    );
    const shown = others.length === 0
      ? this.#notifier.ask(promptTitle(first.info, this.#find), notificationBody(first.info, this.#find), [
          button('deny', _('Deny')), button('allow', _('Allow Once')), ...details,
        ], notificationIcon(first.info, this.#find))
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
    if (this.#window.show(prompt)) {
      if (this.#notified !== WINDOW_NOTE) this.#closeNotification();
      return;
    }
    // A server takes a notification away when it is clicked: it is shown anew.
    this.#notified = '';
    const [first, ...others] = this.#asking();
    if (first !== undefined && this.#notifier.canAsk) this.#notifyOf(first, others);
  }

  /** It takes the keyboard from nobody, so it may have come behind other windows: then a notification says that it is there. */
  #watchBehind(): void {
    if (this.#behind !== null) clearTimeout(this.#behind);
    this.#behind = setTimeout(() => {
      this.#behind = null;
      const shown = this.#window.nonce === null ? null : this.#session.queue.get(this.#window.nonce);
      if (shown === null || this.#window.active || this.#away) return;
      const show = { label: _('Show'), run: (token: string) => { this.open(token); } };
      const told = this.#notifier.ask(promptTitle(shown.info, this.#find), notificationBody(shown.info, this.#find), [{ id: 'details', ...show }, { id: 'default', ...show }]);
      this.#notified = told ? WINDOW_NOTE : '';
    }, BEHIND_MS);
  }

  #closeWindow(): void {
    this.#window.close();
    if (this.#notified === WINDOW_NOTE) this.#closeNotification();
  }

  /** After `nonce`: the next one in the window, or the window closes. */
  #next(nonce: string): void {
    const [first] = this.#asking().filter((prompt) => prompt.info.nonce !== nonce);
    if (first === undefined) this.#closeWindow();
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
    this.#closeWindow();
    if (expired) this.#session.forget(nonce);
  }

  /** From the notification and the tray: this flow alone, whatever the window would propose. */
  answerOnce(nonce: string, action: 'allow' | 'deny'): void {
    if (this.#away) return;
    this.#answer(nonce, { action, lifetime: 'once', scope: 'host' });
  }

  #answer(nonce: string, answer: Answer): void {
    const prompt = this.#session.queue.get(nonce);
    this.#turns.run(() => this.#session.answer(nonce, answer)).then(
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
        if (!gone) this.#tellFailure(error);
        this.#next(nonce);
        return;
      }
      this.#window.fail(isNotAuthorized(error) ? _('This answer needs an administrator’s password.') : errorText(error));
    } else {
      this.#refresh(nonce);
      this.#tellFailure(error);
    }
  }

  #tellFailure(error: unknown): void {
    const nowMs = this.#session.clocks.nowMs();
    if (nowMs - this.#failedAtMs < FAILURE_AGAIN_MS) return;
    this.#failedAtMs = nowMs;
    this.#notifier.tell(_('The answer was not accepted'), errorText(error));
  }
}

/** The program's own icon; undefined, for ours, where it has none. */
function notificationIcon(prompt: PromptInfo, find: FindProgram): string | undefined {
  const icon = askerIcon(prompt, find);
  return ['', 'application-x-executable', 'text-x-script'].includes(icon) ? undefined : icon;
}
