/** One row of the inbox: a program's heading or one of its questions; reused for others as the list scrolls. */
import type { PromptInfo } from '../../helper/contract/types.ts';
import { Gtk } from '../gtk.ts';
import type { Widget } from '../gtk.ts';
import { isAnswerable, programSubtitle, questionSubtitle, questionTitle } from '../model/inbox-rows.ts';
import type { InboxRow } from '../model/inbox-rows.ts';
import { setAskerIcon } from './asker-icon.ts';
import { loadUi } from './load-ui.ts';

const ICON_PIXELS = 32;
/** Below the program's name: its icon and the space beside it. */
const INDENT_PIXELS = 44;

export interface InboxRowActions {
  answer(prompt: PromptInfo): void;
  dismiss(prompt: PromptInfo): void;
}

export class InboxRowView {
  readonly #ui = loadUi('inbox-row');
  readonly widget: Widget = this.#ui.get('row', Gtk.Box);
  readonly #answer = this.#ui.get('answer', Gtk.Button);
  readonly #dismiss = this.#ui.get('dismiss', Gtk.Button);
  #prompt: PromptInfo | null = null;

  constructor(actions: InboxRowActions) {
    this.#answer.on('clicked', () => { if (this.#prompt !== null) actions.answer(this.#prompt); });
    this.#dismiss.on('clicked', () => { if (this.#prompt !== null) actions.dismiss(this.#prompt); });
  }

  /** What a screen reader says of the row where nothing in it can have the focus. */
  get spoken(): string {
    return [this.#ui.get('title', Gtk.Label), this.#ui.get('subtitle', Gtk.Label)].map((label) => label.getLabel()).join(', ');
  }

  /** `nowMs`: wall time, ms since 1970. `uid`: whose desktop this is. */
  fill(row: InboxRow, nowMs: number, uid: number, narrow: boolean): void {
    this.widget.setMarginStart(row.kind === 'question' && !narrow ? INDENT_PIXELS : 0);
    const [title, subtitle, icon] = [this.#ui.get('title', Gtk.Label), this.#ui.get('subtitle', Gtk.Label), this.#ui.get('icon', Gtk.Image)];
    this.#prompt = row.kind === 'question' ? row.prompt : null;
    this.#ui.get('buttons', Gtk.Box).setVisible(row.kind === 'question');
    this.#ui.get('body', Gtk.Box).setOrientation(narrow ? Gtk.Orientation.VERTICAL : Gtk.Orientation.HORIZONTAL);
    icon.setVisible(row.kind === 'program');
    if (row.kind === 'program') {
      this.widget.addCssClass('heading-row');
      title.addCssClass('heading');
      title.setLabel(row.group.name);
      subtitle.setLabel(programSubtitle(row.group, uid));
      setAskerIcon(icon, row.group.icon, ICON_PIXELS);
      return;
    }
    this.widget.removeCssClass('heading-row');
    title.removeCssClass('heading');
    title.setLabel(questionTitle(row.prompt));
    subtitle.setLabel(questionSubtitle(row.prompt, nowMs));
    this.#answer.setSensitive(isAnswerable(row.prompt));
    this.#dismiss.setVisible(row.prompt.status === 'expired');
  }
}
