/** One question in the prompt's window: who, where, what the answer would mean. */
import type { Answer, PromptInfo } from '../../helper/contract/types.ts';
import { Gtk } from '../gtk.ts';
import { _, fill } from '../i18n.ts';
import { showHost } from '../model/host-name.ts';
import { visible } from '../model/plain-text.ts';
import { aboutLine } from '../model/prompt-about.ts';
import { askerFile, askerIcon } from '../model/program-name.ts';
import type { FindProgram } from '../model/program-name.ts';
import { hostTitle, placeLine, promptSubtitle, promptTitle } from '../model/prompt-text.ts';
import { promptWarning } from '../model/prompt-warning.ts';
import { AnswerChoices } from './answer-choices.ts';
import { setAskerIcon } from './asker-icon.ts';
import type { Ui } from './load-ui.ts';
import { fillDetails } from './prompt-details.ts';

const ICON_PIXELS = 64;
/** Fits a screen of 768 lines together with the buttons. */
const DETAILS_HEIGHT = 460;

export interface PromptFacts {
  readonly find: FindProgram;
  /** Two capital letters, '' where nothing is known. */
  readonly countryOf: (address: string) => string;
  /** Whose desktop this is. */
  readonly uid: number;
}

export class PromptQuestion {
  readonly #ui: Ui;
  readonly #facts: PromptFacts;
  readonly #choices: AnswerChoices;
  readonly #resized: () => void;

  /** `ui`: of the window. `resized`: it needs another height now. */
  constructor(ui: Ui, facts: PromptFacts, resized: () => void) {
    this.#ui = ui;
    this.#facts = facts;
    this.#resized = resized;
    this.#choices = new AnswerChoices(facts.find, () => { this.#fillTooltips(); });
    ui.get('choices', Gtk.Box).append(this.#choices.widget);
    const details = ui.get('details', Gtk.Expander);
    details.on('notify::expanded', () => { this.#setRoom(details.getExpanded()); });
  }

  /** Another question: every choice is as proposed, nothing of the one before is left. */
  fill(info: PromptInfo): void {
    const { find, countryOf, uid } = this.#facts;
    const warning = promptWarning(info, find);
    this.setClosing(false);
    this.#label('title', promptTitle(info, find));
    this.#label('about', aboutLine(info, find));
    this.#ui.get('about', Gtk.Label).setTooltipText(visible(askerFile(info)));
    this.#label('host', hostTitle(info));
    this.#label('other_name', showHost(info.destination).other);
    this.#label('place', placeLine(info, countryOf(info.address)));
    this.#label('subtitle', promptSubtitle(info, find));
    this.#label('user', info.uid === uid ? '' : fill(_('as user {user}'), { user: visible(info.user, 64) }));
    this.#label('message', '');
    this.#label('warning_text', warning);
    this.#ui.get('warning', Gtk.Box).setVisible(warning !== '');
    setAskerIcon(this.#ui.get('icon', Gtk.Image), askerIcon(info, find), ICON_PIXELS);
    this.#choices.fill(info);
    fillDetails(this.#ui.get('detail_rows', Gtk.Box), info);
    this.#ui.get('details', Gtk.Expander).setExpanded(false);
    this.#setRoom(false);
  }

  /** The same question offers something else now. */
  fillChoices(info: PromptInfo): void {
    this.#choices.fill(info);
  }

  /** null before `fill`. `nowMs`: wall time, ms since 1970. */
  answer(action: 'allow' | 'deny', nowMs: number): Answer | null {
    return this.#choices.answer(action, nowMs);
  }

  /** Why an answer was not taken, or what became of it. */
  say(message: string): void {
    this.#label('message', message);
    this.#setRoom(this.#ui.get('details', Gtk.Expander).getExpanded());
  }

  /** Nothing is left to decide: only closing. */
  setClosing(closing: boolean): void {
    for (const id of ['buttons', 'choices', 'countdown', 'countdown_text']) this.#ui.get(id, Gtk.Widget).setVisible(!closing);
    this.#ui.get('later_label', Gtk.Label).setLabel(closing ? _('_Close') : _('Decide _Later'));
    const message = this.#ui.get('message', Gtk.Label);
    if (closing) message.removeCssClass('error');
    else message.addCssClass('error');
  }

  #label(id: string, text: string): void {
    const label = this.#ui.get(id, Gtk.Label);
    label.setLabel(text);
    label.setVisible(text !== '');
  }

  #fillTooltips(): void {
    this.#ui.get('allow', Gtk.Button).setTooltipText(this.#choices.sentence('allow'));
    this.#ui.get('deny', Gtk.Button).setTooltipText(this.#choices.sentence('deny'));
  }

  /** A window keeps the height that it has once had, so details would open into a slit and leave a gap. */
  #setRoom(forDetails: boolean): void {
    this.#ui.get('scroll', Gtk.ScrolledWindow).setMinContentHeight(forDetails ? DETAILS_HEIGHT : -1);
    this.#resized();
  }
}
