/**
 * A question before something that matters: what will happen in a few lines, Cancel with the focus, and one or two things to
 * do. A call that is refused leaves the dialog as it is, with the reason in it.
 */
import { Adw, Gtk } from '../gtk.ts';
import type { Button, Window } from '../gtk.ts';
import { errorText } from '../model/error-text.ts';
import { loadUi } from './load-ui.ts';
import { ModalDialog } from './modal-dialog.ts';
import { lockButton } from './needs-password.ts';

export interface ConfirmLine {
  readonly icon: string;
  readonly text: string;
}

export interface ConfirmAction {
  /** With `_` before the letter for the keyboard. */
  readonly label: string;
  readonly style: 'plain' | 'suggested' | 'destructive';
  /** The dialog closes when it is done. */
  readonly run: () => Promise<void>;
}

export class ConfirmDialog {
  readonly #ui = loadUi('confirm-dialog');
  readonly #dialog: ModalDialog;
  readonly #buttons: Button[] = [];

  /** All texts are plain. Everything here needs a password. */
  constructor(title: string, lines: readonly ConfirmLine[], actions: readonly ConfirmAction[]) {
    const cancel = this.#ui.get('cancel', Gtk.Button);
    const window = this.#ui.get('window', Adw.Window);
    window.setTitle(title);
    this.#dialog = new ModalDialog(window, { cancel, focus: cancel });
    this.#ui.get('title', Gtk.Label).setLabel(title);
    for (const line of lines) this.#addLine(line);
    for (const action of actions) this.#addAction(action);
  }

  present(parent: Window): void {
    this.#dialog.present(parent);
  }

  #addLine({ icon, text }: ConfirmLine): void {
    const line = loadUi('confirm-line');
    line.get('icon', Gtk.Image).setFromIconName(icon);
    line.get('text', Gtk.Label).setLabel(text);
    this.#ui.get('lines', Gtk.Box).append(line.get('line', Gtk.Box));
  }

  #addAction({ label, style, run }: ConfirmAction): void {
    const button = new Gtk.Button();
    lockButton(button, label);
    if (style !== 'plain') button.addCssClass(`${style}-action`);
    button.on('clicked', () => { this.#run(run); });
    this.#buttons.push(button);
    this.#ui.get('actions', Gtk.Box).append(button);
  }

  #run(work: () => Promise<void>): void {
    for (const button of this.#buttons) button.setSensitive(false);
    work().then(
      () => { this.#dialog.close(); },
      (error: unknown) => {
        if (!this.#dialog.isOpen) return;
        for (const button of this.#buttons) button.setSensitive(true);
        const problem = this.#ui.get('problem', Gtk.Label);
        problem.setLabel(errorText(error));
        problem.setVisible(true);
      },
    );
  }
}
