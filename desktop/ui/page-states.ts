/** The states that every page has besides its content: nothing yet, reading, empty, not connected, not allowed, failed. */
import { NotConnectedError } from '../../helper/contract/client.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { Widget } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { errorText, isNotAuthorized } from '../model/error-text.ts';
import { escapeMarkup } from '../model/plain-text.ts';
import { loadUi } from './load-ui.ts';
import { showStackPage } from './show-stack-page.ts';

/** A reading that is faster than this shows no spinner. */
const SPINNER_AFTER_MS = 300;

export interface Message {
  readonly icon: string;
  readonly title: string;
  readonly text: string;
  /** A button below the text; a label may have a mnemonic. */
  readonly button?: { readonly label: string; readonly run: () => void };
}

export class PageStates {
  readonly #ui = loadUi('page-states');
  readonly #stack = this.#ui.get('stack', Gtk.Stack);
  #spinnerTimer: NodeJS.Timeout | null = null;
  #run: () => void = () => undefined;

  /** `content` is what `showContent` shows; it must have no parent yet. */
  constructor(content: Widget) {
    this.#stack.addNamed(content, 'content');
    this.#ui.get('button', Gtk.Button).on('clicked', () => { this.#run(); });
    this.#show('blank');
  }

  get widget(): Widget {
    return this.#stack;
  }

  get showsContent(): boolean {
    return this.#stack.getVisibleChildName() === 'content';
  }

  showContent(): void {
    this.#show('content');
  }

  /** Nothing at first, then a spinner with `text`. */
  showLoading(text: string): void {
    if (this.#spinnerTimer !== null || this.#stack.getVisibleChildName() === 'loading') return;
    this.#show('blank');
    this.#ui.get('loading_text', Gtk.Label).setLabel(text);
    this.#spinnerTimer = setTimeout(() => {
      this.#spinnerTimer = null;
      this.#ui.get('spinner', Gtk.Spinner).setSpinning(true);
      showStackPage(this.#stack, 'loading');
    }, SPINNER_AFTER_MS);
  }

  /** An empty page, or a problem. All texts are plain. */
  showMessage(message: Message): void {
    const page = this.#ui.get('message', Adw.StatusPage);
    const button = this.#ui.get('button', Gtk.Button);
    page.setIconName(message.icon);
    page.setTitle(escapeMarkup(message.title));
    page.setDescription(escapeMarkup(message.text));
    button.setVisible(message.button !== undefined);
    this.#ui.get('button_label', Gtk.Label).setLabel(message.button?.label ?? '');
    this.#run = message.button?.run ?? (() => undefined);
    this.#show('message');
  }

  /** What went wrong, and the button that tries again (or asks for the password). */
  showError(error: unknown, retry: () => void): void {
    if (error instanceof NotConnectedError) {
      this.showMessage({
        icon: 'bastion-firewall-off-symbolic', title: _('Not connected'),
        text: _('This page returns when the firewall service is back.'),
      });
    } else if (isNotAuthorized(error)) {
      this.showMessage({
        icon: 'changes-prevent-symbolic', title: _('Not Allowed'),
        text: _('Seeing this needs a password.'), button: { label: _('_Unlock…'), run: retry },
      });
    } else {
      this.showMessage({
        icon: 'dialog-warning-symbolic', title: _('This could not be read'), text: errorText(error),
        button: { label: _('_Try Again'), run: retry },
      });
    }
  }

  #show(name: string): void {
    if (this.#spinnerTimer !== null) clearTimeout(this.#spinnerTimer);
    this.#spinnerTimer = null;
    this.#ui.get('spinner', Gtk.Spinner).setSpinning(false);
    showStackPage(this.#stack, name);
  }
}
