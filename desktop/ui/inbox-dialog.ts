/** One question of the inbox, with everything that the prompt's window shows of it. */
import type { PromptInfo } from '../../helper/contract/types.ts';
import { BastionError } from '../../helper/contract/errors.ts';
import type { HelperSession } from '../client/session.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { Window } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { errorText, isNotAuthorized } from '../model/error-text.ts';
import { lateAnswerText, promptTitle } from '../model/prompt-text.ts';
import { loadUi } from './load-ui.ts';
import { ModalDialog } from './modal-dialog.ts';
import { PromptQuestion } from './prompt-question.ts';
import type { PromptFacts } from './prompt-question.ts';

const WIDTH = 420;
/** Keeps a question waiting while it is looked at; the helper's shortest time is five seconds. */
const HOLD_MS = 2000;

export interface InboxDialogEvents {
  /** Answered, or found to be gone; `message` may be ''. */
  done(message: string): void;
  closed(): void;
}

export class InboxDialog {
  readonly #session: HelperSession;
  readonly #facts: PromptFacts;
  readonly #events: InboxDialogEvents;
  readonly #info: PromptInfo;
  readonly #ui = loadUi('prompt-window');
  readonly #window = this.#ui.get('window', Adw.Window);
  readonly #dialog: ModalDialog;
  readonly #question: PromptQuestion;
  #busy = false;
  #hold: NodeJS.Timeout | null = null;

  constructor(session: HelperSession, facts: PromptFacts, info: PromptInfo, events: InboxDialogEvents) {
    this.#session = session;
    this.#facts = facts;
    this.#info = info;
    this.#events = events;
    this.#question = new PromptQuestion(this.#ui, facts, () => { this.#window.setDefaultSize(WIDTH, -1); });
    this.#question.fill(info);
    this.#ui.get('later_label', Gtk.Label).setLabel(_('_Cancel'));
    this.#ui.get('countdown', Gtk.ProgressBar).setVisible(false);
    this.#ui.get('countdown_text', Gtk.Label).setLabel(
      info.status === 'expired' ? _('Refused. An answer applies to the next attempt.') : _('waits while you decide'),
    );
    this.#setSensitive(true);
    this.#ui.get('allow', Gtk.Button).on('clicked', () => { this.#answer('allow'); });
    this.#ui.get('deny', Gtk.Button).on('clicked', () => { this.#answer('deny'); });
    this.#dialog = new ModalDialog(this.#window, {
      focus: this.#ui.get('deny', Gtk.Button), defaultWidget: this.#ui.get('deny', Gtk.Button),
      cancel: this.#ui.get('later', Gtk.Button), leave: () => { this.close(); },
      closing: () => {
        this.close();
        return true;
      },
    });
  }

  present(parent: Window): void {
    this.#window.setTitle(promptTitle(this.#info, this.#facts.find));
    this.#dialog.present(parent);
    if (this.#info.status === 'pending') this.#hold = setInterval(() => { this.#keepWaiting(); }, HOLD_MS);
  }

  close(): void {
    if (this.#hold !== null) clearInterval(this.#hold);
    this.#hold = null;
    this.#window.destroy();
    this.#events.closed();
  }

  #setSensitive(on: boolean): void {
    this.#ui.get('allow', Gtk.Button).setSensitive(on);
    this.#ui.get('deny', Gtk.Button).setSensitive(on);
  }

  /** Where the helper gives no more time, the list says that it has ended. */
  #keepWaiting(): void {
    this.#session.hold(this.#info.nonce).catch(() => {
      if (this.#hold !== null) clearInterval(this.#hold);
      this.#hold = null;
    });
  }

  #answer(action: 'allow' | 'deny'): void {
    const answer = this.#question.answer(action, this.#session.clocks.wallMs());
    if (this.#busy || answer === null) return;
    this.#busy = true;
    this.#setSensitive(false);
    this.#session.answer(this.#info.nonce, answer).then(
      ({ flows }) => { this.#end(flows === 0 ? lateAnswerText(action, this.#info, this.#facts.find) : ''); },
      (error: unknown) => { this.#fail(error); },
    );
  }

  #end(message: string): void {
    this.#events.done(message);
    this.close();
  }

  #fail(error: unknown): void {
    if (error instanceof BastionError && error.code === 'PromptGone') {
      this.#end(_('This question has been answered or asked again in the meantime.'));
      return;
    }
    this.#busy = false;
    this.#setSensitive(true);
    this.#question.say(isNotAuthorized(error) ? _('This answer needs an administrator’s password.') : errorText(error));
  }
}
