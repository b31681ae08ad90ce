/** One row of the activity page, for a flow or a group of them; reused for others as the list scrolls. */
import { Gtk } from '../gtk.ts';
import type { ListItem, Widget } from '../gtk.ts';
import type { FlowTexts, GroupTexts } from '../model/flow-text.ts';
import { nameListItem } from './accessible-name.ts';
import { loadUi } from './load-ui.ts';

const VERDICT_CLASSES = ['allow', 'deny', 'drop', 'ask'] as const;

export class FlowRowView {
  readonly #ui = loadUi('flow-row');
  readonly widget: Widget = this.#ui.get('row', Gtk.Box);
  readonly #icon = this.#ui.get('icon', Gtk.Image);
  readonly #name = this.#ui.get('name', Gtk.Label);
  readonly #where = this.#ui.get('where', Gtk.Label);
  readonly #verdictIcon = this.#ui.get('verdict_icon', Gtk.Image);
  readonly #verdict = this.#ui.get('verdict', Gtk.Label);
  readonly #when = this.#ui.get('when', Gtk.Label);
  readonly #sentence = this.#ui.get('sentence', Gtk.Label);
  #shownIcon = '';
  #shownAction = '';
  /** What the row shows now; '' for nothing. */
  #shown = '';

  /** `action` colours the icon of the verdict, which its shape and word say too. */
  fillFlow(item: ListItem, texts: FlowTexts, action: string): void {
    if (this.#shown === texts.sentence) return;
    this.#shown = texts.sentence;
    this.#setIcon(texts.icon);
    this.#name.setLabel(texts.name);
    this.#where.setLabel(texts.amount === '' ? texts.where : `${texts.where}  ·  ${texts.amount}`);
    this.#verdict.setLabel(texts.verdict);
    this.#when.setLabel(texts.when);
    this.#setVerdict(texts.verdictIcon, action);
    this.#setSentence(item, texts.sentence);
  }

  fillGroup(item: ListItem, texts: GroupTexts): void {
    this.#setIcon(texts.icon);
    this.#name.setLabel(texts.name);
    this.#where.setLabel(texts.amount === '' ? texts.counts : `${texts.counts}  ·  ${texts.amount}`);
    this.#verdict.setLabel('');
    this.#when.setLabel(texts.when);
    this.#verdictIcon.setVisible(false);
    this.#setSentence(item, texts.sentence);
  }

  /** A row that is on its way. */
  clear(): void {
    this.#shown = '';
    for (const label of [this.#where, this.#verdict, this.#when, this.#sentence]) label.setLabel('');
    this.#name.setLabel('…');
    this.#setVerdict('', '');
    this.#setIcon('');
  }

  setExplained(explained: boolean): void {
    if (explained) this.widget.addCssClass('explained');
    else this.widget.removeCssClass('explained');
  }

  #setSentence(item: ListItem, sentence: string): void {
    this.#sentence.setLabel(sentence);
    nameListItem(item, sentence);
  }

  #setVerdict(icon: string, action: string): void {
    if (this.#shownAction === action) return;
    this.#shownAction = action;
    this.#verdictIcon.setFromIconName(icon);
    for (const one of VERDICT_CLASSES) this.#verdictIcon.removeCssClass(one);
    if (action !== '') this.#verdictIcon.addCssClass(action === 'ask' ? 'deny' : action);
  }

  #setIcon(icon: string): void {
    if (this.#shownIcon === icon) return;
    this.#shownIcon = icon;
    // A drawn icon stands for "nothing better is known": it says that quietly.
    const isDrawn = icon.endsWith('-symbolic');
    this.#icon.setPixelSize(isDrawn ? 20 : 32);
    if (isDrawn) this.#icon.addCssClass('dim-label');
    else this.#icon.removeCssClass('dim-label');
    if (icon.startsWith('/')) this.#icon.setFromFile(icon);
    else this.#icon.setFromIconName(icon);
  }
}
