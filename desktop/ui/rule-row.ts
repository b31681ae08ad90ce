/** One row of the rules list; reused for other rules as the list scrolls. */
import type { RuleInfo } from '../../helper/contract/types.ts';
import { RULE_ACTIONS } from '../../helper/contract/vocabulary.ts';
import { Gtk } from '../gtk.ts';
import type { Widget } from '../gtk.ts';
import { visible } from '../model/plain-text.ts';
import { loadUi } from './load-ui.ts';

export interface RuleRowActions {
  setEnabled(rule: RuleInfo, enabled: boolean): void;
  remove(rule: RuleInfo): void;
}

export class RuleRowView {
  readonly #ui = loadUi('rule-row');
  readonly widget: Widget = this.#ui.get('row', Gtk.Box);
  readonly #switch = this.#ui.get('enabled', Gtk.Switch);
  readonly #icon = this.#ui.get('icon', Gtk.Image);
  readonly #remove = this.#ui.get('remove', Gtk.Button);
  readonly #lock = this.#ui.get('lock', Gtk.Image);
  readonly #sentence = this.#ui.get('sentence', Gtk.Label);
  readonly #subtitle = this.#ui.get('subtitle', Gtk.Label);
  #rule: RuleInfo | null = null;
  #filling = false;

  constructor(actions: RuleRowActions) {
    this.#switch.on('state-set', (state) => {
      if (!this.#filling && this.#rule !== null) actions.setEnabled(this.#rule, state);
      return false;
    });
    this.#remove.on('clicked', () => { if (this.#rule !== null) actions.remove(this.#rule); });
  }

  /** '' before the first rule. */
  get ruleId(): string {
    return this.#rule?.id ?? '';
  }

  fill(rule: RuleInfo, sentence: string, subtitle: string, connected: boolean): void {
    this.#rule = rule;
    this.#filling = true;
    this.#sentence.setLabel(sentence);
    this.#sentence.setTooltipText(rule.path === '' ? null : visible(rule.path));
    this.#subtitle.setLabel(subtitle);
    this.#switch.setActive(rule.enabled);
    this.#switch.setSensitive(connected);
    this.#remove.setVisible(rule.editable);
    this.#remove.setSensitive(connected);
    this.#lock.setVisible(!rule.editable);
    this.#icon.setFromIconName(`bastion-firewall-${rule.action}-symbolic`);
    for (const action of RULE_ACTIONS) this.#icon.removeCssClass(action);
    this.#icon.addCssClass(rule.action);
    if (rule.enabled) this.widget.removeCssClass('off');
    else this.widget.addCssClass('off');
    this.#filling = false;
  }
}
