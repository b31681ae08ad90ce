/** What every dialog over another window does: Escape and Cancel leave it, and it opens with the focus where it says. */
import { Gdk, Gtk } from '../gtk.ts';
import type { Button, Widget, Window } from '../gtk.ts';

export interface ModalDialogOptions {
  /** Has the focus at first. */
  readonly focus: Widget;
  /** What Enter does in a field; none where it is left out. */
  readonly defaultWidget?: Widget;
  readonly cancel?: Button;
  /** What Escape and the button do; closes the window where it is left out. */
  readonly leave?: () => void;
  /** Called when the window is about to close; true keeps it. */
  readonly closing?: () => boolean;
}

export class ModalDialog {
  readonly #window: Window;
  readonly #options: ModalDialogOptions;
  #isOpen = true;

  constructor(window: Window, options: ModalDialogOptions) {
    this.#window = window;
    this.#options = options;
    window.setModal(true);
    options.cancel?.on('clicked', () => { this.#leave(); });
    window.on('close-request', () => {
      const isKept = options.closing?.() ?? false;
      if (!isKept) this.#isOpen = false;
      return isKept;
    });
    const keys = new Gtk.EventControllerKey();
    keys.on('key-pressed', (keyval) => {
      if (keyval !== Gdk.KEY_Escape) return false;
      this.#leave();
      return true;
    });
    window.addController(keys);
  }

  /** Until it has been closed: what comes back later finds nobody to tell. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  present(parent: Window): void {
    this.#window.setTransientFor(parent);
    if (this.#options.defaultWidget !== undefined) this.#window.setDefaultWidget(this.#options.defaultWidget);
    this.#window.present();
    this.#options.focus.grabFocus();
  }

  close(): void {
    if (this.#isOpen) this.#window.close();
  }

  #leave(): void {
    if (this.#options.leave === undefined) this.close();
    else this.#options.leave();
  }
}
