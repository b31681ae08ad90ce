/** The first steps: what will happen, how one is asked, and whether to begin by learning. Nothing happens before the last page. */
import type { Mode } from '../../helper/contract/vocabulary.ts';
import type { HelperSession } from '../client/session.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { Button, Window } from '../gtk.ts';
import { _, fill } from '../i18n.ts';
import { errorText } from '../model/error-text.ts';
import { countText } from '../model/format.ts';
import { loadUi } from './load-ui.ts';
import { ModalDialog } from './modal-dialog.ts';
import { lockButton } from './needs-password.ts';
import { showStackPage } from './show-stack-page.ts';

const STEPS = ['what', 'how', 'begin'] as const;

export class Assistant {
  readonly #session: HelperSession;
  readonly #done: () => void;
  readonly #ui = loadUi('assistant');
  readonly #dialog: ModalDialog;
  readonly #next = this.#ui.get('next', Gtk.Button);
  readonly #choices: readonly { readonly mode: Mode; readonly button: Button; readonly label: string }[] = [
    { mode: 'learning', button: this.#ui.get('learn', Gtk.Button), label: _('_Learn for a While') },
    { mode: 'enforcing', button: this.#ui.get('ask', Gtk.Button), label: _('_Ask From Now On') },
  ];
  readonly #stop: () => void;
  readonly #locked = new Map<Button, boolean>();
  #step = 0;
  #busy = false;

  /** `done`: it was seen to its end, skipped or closed; not called when the mode could not be set. */
  constructor(session: HelperSession, done: () => void) {
    this.#session = session;
    this.#done = done;
    this.#ui.get('back', Gtk.Button).on('clicked', () => { this.#go(this.#step - 1); });
    this.#next.on('clicked', () => { this.#go(this.#step + 1); });
    for (const { mode, button } of this.#choices) button.on('clicked', () => { this.#begin(mode); });
    this.#dialog = new ModalDialog(this.#ui.get('window', Adw.Window), {
      cancel: this.#ui.get('skip', Gtk.Button), focus: this.#next,
      closing: () => {
        this.#stop();
        this.#done();
        return false;
      },
    });
    this.#stop = session.changed.on(() => { this.#update(); });
    this.#go(0);
  }

  present(parent: Window): void {
    this.#dialog.present(parent);
  }

  #go(step: number): void {
    this.#step = Math.min(STEPS.length - 1, Math.max(0, step));
    showStackPage(this.#ui.get('pages', Gtk.Stack), STEPS[this.#step] ?? 'what');
    this.#ui.get('progress', Gtk.Label).setLabel(fill(_('{number} of {all}'), { number: countText(this.#step + 1), all: countText(STEPS.length) }));
    this.#update();
    // The keyboard stands where the next thing to do is.
    const first = this.#step < STEPS.length - 1 ? this.#next : this.#choices[0]?.button;
    first?.grabFocus();
  }

  /** Only what changes the mode needs a password. */
  #update(): void {
    const last = this.#step === STEPS.length - 1;
    const { connected, status } = this.#session.knowledge;
    this.#ui.get('back', Gtk.Button).setVisible(this.#step > 0);
    this.#next.setVisible(!last);
    for (const { mode, button, label } of this.#choices) {
      const changes = status !== null && status.mode !== mode;
      button.setVisible(last);
      button.setSensitive(!this.#busy && (connected || !changes));
      this.#label(button, label, changes);
    }
  }

  /** Only when it changes: each label that a button gets stays a part of its accessible name. */
  #label(button: Button, label: string, locked: boolean): void {
    if (this.#locked.get(button) === locked) return;
    this.#locked.set(button, locked);
    if (locked) {
      lockButton(button, label);
    } else {
      button.setLabel(label);
      button.setTooltipText(null);
    }
  }

  #begin(mode: Mode): void {
    const { status } = this.#session.knowledge;
    if (status === null || status.mode === mode) this.#dialog.close();
    else this.#setMode(mode);
  }

  /** A refused or dismissed dialog leaves the mode, the choice and this window as they are. */
  #setMode(mode: Mode): void {
    const problem = this.#ui.get('problem', Gtk.Label);
    problem.setVisible(false);
    this.#busy = true;
    this.#update();
    this.#session.client.setMode(mode).then(
      () => { this.#dialog.close(); },
      (error: unknown) => {
        this.#busy = false;
        if (!this.#dialog.isOpen) return;
        problem.setLabel(`${errorText(error)} ${_('Everything stays as it was.')}`);
        problem.setVisible(true);
        this.#update();
      },
    );
  }
}
