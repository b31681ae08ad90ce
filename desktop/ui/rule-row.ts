/** One row of the rules list; reused for other rules as the list scrolls. */
import type { RuleInfo } from '../../helper/contract/types.ts';
import { RULE_ACTIONS } from '../../helper/contract/vocabulary.ts';
import { Gtk } from '../gtk.ts';
import type { Widget } from '../gtk.ts';
import { visible } from '../model/plain-text.ts';
import { canSwitch } from '../model/rule-bulk.ts';
import type { Mark } from '../model/rule-marks.ts';
import { loadUi } from './load-ui.ts';

export interface RuleRowActions {
  /** Enter, Space or a click on its words. */
  open(rule: RuleInfo): void;
  setEnabled(rule: RuleInfo, enabled: boolean): void;
  remove(rule: RuleInfo): void;
  select(rule: RuleInfo, selected: boolean): void;
}

/** What a row says. */
export interface RuleRowContent {
  readonly rule: RuleInfo;
  readonly sentence: string;
  readonly subtitle: string;
  readonly marks: readonly Mark[];
  /** Why the rule does nothing, instead of the marks; '' for none. */
  readonly reason: string;
  readonly connected: boolean;
  /** null outside the select mode. */
  readonly selected: boolean | null;
  /** It was come for. */
  readonly isMarked: boolean;
}

export class RuleRowView {
  readonly #ui = loadUi('rule-row');
  readonly widget: Widget = this.#ui.get('row', Gtk.Box);
  readonly #switch = this.#ui.get('enabled', Gtk.Switch);
  readonly #icon = this.#ui.get('icon', Gtk.Image);
  readonly #remove = this.#ui.get('remove', Gtk.Button);
  readonly #open = this.#ui.get('open', Gtk.Button);
  readonly #lock = this.#ui.get('lock', Gtk.Image);
  readonly #select = this.#ui.get('select', Gtk.CheckButton);
  readonly #sentence = this.#ui.get('sentence', Gtk.Label);
  readonly #subtitle = this.#ui.get('subtitle', Gtk.Label);
  readonly #marks = this.#ui.get('marks', Gtk.Box);
  #rule: RuleInfo | null = null;
  /** What stands in the row, so that the same again costs nothing. */
  #content: RuleRowContent | null = null;
  #filling = false;

  constructor(actions: RuleRowActions) {
    this.#switch.on('state-set', (state) => {
      if (!this.#filling && this.#rule !== null) actions.setEnabled(this.#rule, state);
      return false;
    });
    this.#open.on('clicked', () => { if (this.#rule !== null) actions.open(this.#rule); });
    this.#remove.on('clicked', () => { if (this.#rule !== null) actions.remove(this.#rule); });
    this.#select.on('toggled', () => { if (!this.#filling && this.#rule !== null) actions.select(this.#rule, this.#select.getActive()); });
  }

  /** Keys on these are about the rule; on the switch and the button they are about those. */
  ownsKeys(widget: Widget): boolean {
    return widget === this.#open || widget === this.#select;
  }

  isCheck(widget: Widget): boolean {
    return widget === this.#select;
  }

  fill(content: RuleRowContent): void {
    const { rule, selected } = content;
    this.#rule = rule;
    this.#filling = true;
    // Both are moved by the person, so they may say something else than what was filled in.
    this.#switch.setActive(rule.enabled);
    this.#select.setActive(selected === true);
    if (this.#content === null || !isSame(this.#content, content)) this.#write(content);
    this.#content = content;
    this.#filling = false;
  }

  #write(content: RuleRowContent): void {
    const { rule, selected, connected } = content;
    this.#sentence.setLabel(content.sentence);
    this.#sentence.setTooltipText(rule.path === '' ? null : visible(rule.path));
    this.#subtitle.setLabel(content.subtitle);
    this.#fillMarks(content);
    this.#switch.setSensitive(connected && canSwitch(rule));
    this.#switch.setVisible(selected === null);
    this.#remove.setVisible(rule.editable && selected === null);
    this.#remove.setSensitive(connected);
    this.#lock.setVisible(!rule.editable);
    this.#select.setVisible(selected !== null);
    this.#icon.setFromIconName(`bastion-firewall-${rule.action}-symbolic`);
    for (const action of RULE_ACTIONS) this.#icon.removeCssClass(action);
    this.#icon.addCssClass(rule.action);
    this.#setClass('off', !rule.enabled || rule.group_enabled === false);
    this.#setClass('come-for', content.isMarked);
  }

  #fillMarks({ marks, reason }: RuleRowContent): void {
    const [first] = marks;
    const text = reason === '' ? marks.map((mark) => mark.text).join('  ·  ') : reason;
    this.#marks.setVisible(text !== '');
    if (text === '') return;
    this.#ui.get('mark_icon', Gtk.Image).setFromIconName(first?.icon ?? 'edit-clear-all-symbolic');
    this.#ui.get('mark_text', Gtk.Label).setLabel(text);
    if (marks.some((mark) => mark.isWarning)) this.#marks.addCssClass('warning');
    else this.#marks.removeCssClass('warning');
  }

  #setClass(name: string, on: boolean): void {
    if (on) this.widget.addCssClass(name);
    else this.widget.removeCssClass(name);
  }
}

function isSame(a: RuleRowContent, b: RuleRowContent): boolean {
  return a.rule === b.rule && a.sentence === b.sentence && a.subtitle === b.subtitle && a.reason === b.reason && a.connected === b.connected
    && a.selected === b.selected && a.isMarked === b.isMarked && a.marks.length === b.marks.length
    && a.marks.every((mark, at) => {
      const other = b.marks[at];
      return mark.text === other?.text && mark.icon === other.icon && mark.isWarning === other.isWarning;
    });
}
